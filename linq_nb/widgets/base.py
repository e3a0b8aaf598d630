"""The base class of our own widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget

from linq_nb.errors import SettingsError
from linq_nb.text import clean
from linq_nb.views import PLAYER_JS, Shown
from linq_nb.widgets.guard import error_text
from linq_nb.widgets.output import WidgetOutput

HERE = Path(__file__).parent
SHARED_CSS = HERE / "shared.css"
SHARED_JS = (PLAYER_JS, HERE / "elements.js")
TABLE_JS = HERE / "table.js"
"""Plain parts of a page, joined before a widget's own module: the player of a card, elements and questions to the
kernel, the paged table."""


def joined(*files: Path) -> str:
    """Return the text of style sheets or of parts of an ES module as one; only the last part has an export."""
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


class Widget(anywidget.AnyWidget):
    """A widget whose page sends messages, with a static record below it in the notebook.

    ``_handle`` does what a message asks for and returns the answer, which repeats the ``_repeated`` fields of the
    message. ``error`` is the last exception. A subclass has a repr that is the same each time, since nbval compares it,
    and puts foreign text into the page as text, never as HTML, so no name can run there.
    """

    error: BaseException | None = None
    _noun = "widget"
    _repeated: tuple[str, ...] = ("number",)

    def __init__(self, **traits: Any) -> None:
        self._output = WidgetOutput()
        super().__init__(**traits)
        self.on_msg(lambda _widget, content, buffers: self._receive(content, buffers or ()))

    def record(self) -> Shown:
        """Return what the widget shows as a display that needs no kernel."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        """Show the widget, and below it its record."""
        self._output.show(self, repr(self), self.record())

    def close(self) -> None:
        """Close the widget; its record stays in the notebook."""
        if self.comm is not None:
            self._output.end(f"This {self._noun} is closed.")
        super().close()

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """Handle a message and answer it, with an error too: the front end would hide it."""
        if not isinstance(content, dict):
            return
        try:
            reply = self._handle(content, buffers)
            if reply is None:
                kind = clean(content.get("kind"), 40)
                raise SettingsError(
                    f"the page sent {kind!r}, which is not known; nothing was changed; run the cell again"
                )
        except Exception as error:  # noqa: BLE001  the person at the page must see any error
            self.error = error
            reply = {"kind": "failed", "why": clean(error_text(error), 600)}
        self.send({**reply, **{name: content.get(name) for name in self._repeated}})

    def _handle(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> dict[str, Any] | None:
        """Do what the page asks for, and return the answer; None for an unknown message."""
        raise NotImplementedError
