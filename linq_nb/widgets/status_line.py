"""A line of text about the current state, which a screen reader reads out."""

from __future__ import annotations

from pathlib import Path

import traitlets

from linq_nb.text import clean
from linq_nb.widgets.base import Widget

MAX_LENGTH = 600
"""Characters that the line shows at most."""


class StatusLine(Widget):
    """One line about the current state. The tones "ask" and "error" are read out at once, the others in turn."""

    _esm = Path(__file__).with_name("status_line.js")
    _css = Path(__file__).with_name("status_line.css")
    tag = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    tone = traitlets.Enum(["quiet", "busy", "ask", "error"], "quiet").tag(sync=True)

    def say(self, words: str, *, tag: str = "", tone: str = "quiet") -> None:
        """Show a text, with a ``tag`` in colour before it."""
        with self.hold_sync():
            self.words, self.tag, self.tone = clean(words, MAX_LENGTH), tag, tone

    def scroll_into_view(self) -> None:
        """Scroll the page until the line and the controls below it are visible."""
        self.send({"kind": "scroll"})
