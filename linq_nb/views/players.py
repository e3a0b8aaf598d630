"""The players of a notebook: one for a sound in a cell, and a budget for all that a kernel shows.

A saved notebook holds each player's sound as text, so a loop over thirty chats would make it 40 MB larger. This counts
what Jupyter displays; a form, which replaces its card, and a terminal are not counted.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any

MAX_NOTEBOOK_CHARS = 20_000_000
"""Our own: base64 text of all players in the outputs of one kernel. GitHub and mail refuse larger notebooks."""

_PLAYER = re.compile(r'<audio [^>]*src="(data:[^"]*)"[^>]*></audio>')
_REPEATED = "the player of this sound is above, in this cell"
_USED_UP = (
    f"no player: those of this notebook hold {MAX_NOTEBOOK_CHARS // 1_000_000} MB already; "
    "clear all outputs and restart the kernel to hear this one"
)


class Players:
    """What is shown so far: for each cell the run that showed it, and the size of each sound."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[str, tuple[str, dict[int, int]]] = {}

    def limited(self, html: str, request: dict[str, Any]) -> str:
        """Return HTML as the cell of an execute request may show it: a sound once, and none beyond the budget."""
        header = request.get("header", {})
        if header.get("msg_type") != "execute_request":
            return html
        run = str(header.get("msg_id"))
        cell = str(request.get("metadata", {}).get("cellId") or run)
        with self._lock:
            if self._cells.get(cell, ("",))[0] != run:  # a cell that runs again has lost its outputs
                self._cells[cell] = run, {}
            return _PLAYER.sub(lambda player: self._kept(player[0], self._cells[cell][1]), html)

    def _kept(self, player: str, shown: dict[int, int]) -> str:
        sound = hash(_PLAYER.sub(r"\1", player))
        if sound in shown:
            return _note(_REPEATED)
        if len(player) + sum(sum(sizes.values()) for _, sizes in self._cells.values()) > MAX_NOTEBOOK_CHARS:
            return _note(_USED_UP)
        shown[sound] = len(player)
        return player


def _note(text: str) -> str:
    return f'<div style="opacity:0.75">{text}</div>'


_players = Players()


def limited(html: str) -> str:
    """Return HTML as the notebook may display it now; unchanged outside a kernel."""
    if "<audio " not in html or "IPython" not in sys.modules:
        return html
    from IPython.core.getipython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    return _players.limited(html, kernel.get_parent() or {}) if hasattr(kernel, "get_parent") else html
