"""The base class of our own widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget

from linq_nb.text import clean
from linq_nb.views import PLAYER_JS
from linq_nb.widgets.guard import error_text

HERE = Path(__file__).parent
SHARED_CSS = HERE / "shared.css"
SHARED_JS = (PLAYER_JS, HERE / "elements.js", HERE / "table.js")
"""Plain parts of a page, joined before a widget's own module: the player of a card, elements, questions to the kernel,
the paged table."""


def joined(*files: Path) -> str:
    """Return the text of style sheets or of parts of an ES module as one; only the last part has an export."""
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


class Widget(anywidget.AnyWidget):
    """A widget that hands each message of its page to ``_receive``.

    Its repr is the same each time: nbval compares it, and the default one holds a memory address. A subclass puts
    foreign text into the page as text, never as HTML, so no name can run there.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda _widget, content, buffers: self._receive(content, buffers or ()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """Handle a message of the page."""


class AskedWidget(Widget):
    """A widget whose page asks questions: ``_handle`` returns the answer. ``error`` is the last exception."""

    error: BaseException | None = None

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        """Handle a message and answer it, with an error too: the front end would hide it."""
        if not isinstance(content, dict):
            return
        try:
            reply = self._handle(content)
        except Exception as error:  # noqa: BLE001  the person at the page must see any error
            self.error = error
            reply = {"kind": "failed", "why": clean(error_text(error), 600)}
        self.send({**reply, "number": content.get("number")})

    def _handle(self, content: dict[str, Any]) -> dict[str, Any]:
        """Do what the page asks for, and return the answer."""
        raise NotImplementedError
