"""The base class of our own widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget


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
