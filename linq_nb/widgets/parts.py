"""Small widgets: what each shows is set as text in the page, so no name can run there."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from linq_nb.text import clean

HERE = Path(__file__).parent


class Part(anywidget.AnyWidget):
    """A widget with a repr that is the same each time, as nbval wants it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class StatusLine(Part):
    """One line on how things stand, read out by a screen reader; ``tone`` is quiet, busy, ask or error."""

    _esm = HERE / "status.js"
    _css = HERE / "status.css"
    tag = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    tone = traitlets.Enum(["quiet", "busy", "ask", "error"], "quiet").tag(sync=True)

    def say(self, words: str, *, tag: str = "", tone: str = "quiet") -> None:
        with self.hold_sync():
            self.words, self.tag, self.tone = clean(words, 600), tag, tone

    def look(self) -> None:
        """Bring the line, and what is right above it, into sight where it is not."""
        self.send({"kind": "look"})
