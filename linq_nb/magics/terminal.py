"""IPython in a terminal: frames show the columns that fit its width, and widgets name the commands that do the same."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import pandas as pd

from linq_nb import views

_FIRST = (
    "chat_name", "code", "status", "meaning", "error_code", "http_status", "what_to_do", "service",
)  # fmt: skip
"""The columns that are shown if only a few fit; the others follow in their own order."""

_LEAST_TEXT, _TEXT_SHARE = 12, 0.36
"""A text is cut to this share of the width, but not to fewer characters."""

INSTEAD = {
    "linq_form": "%linq_voicememo FILE --chat CHAT --preview shows card and checks, without --preview it sends; "
    "%linq_chats lists the chats",
    "linq_explore": "%linq_sends --status needs_me --since 7d lists sends; %linq_status --watch follows them; "
    "%linq_audit sums them up",
}
"""What to use instead of a widget."""


def is_terminal(shell: Any) -> bool:
    """Whether this IPython runs in a terminal, where no widget is shown."""
    module = sys.modules.get("IPython.terminal.interactiveshell")
    return module is not None and isinstance(shell, module.TerminalInteractiveShell)


def instead_of(command: str) -> views.Shown:
    """Say that a terminal shows no widgets, and what to use instead."""
    return views.summary(f"{command} needs a notebook; nothing was sent", [("use", INSTEAD[command])])


class TerminalFrame(pd.DataFrame):
    """A DataFrame whose text has the columns that fit the terminal; what is made of it is a plain DataFrame."""

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def __repr__(self) -> str:
        return fitted(self, shutil.get_terminal_size().columns)


def fitted(frame: pd.DataFrame, width: int) -> str:
    """Return the text of a frame in lines of this width at most: whole columns, of long texts the beginning."""
    plain = pd.DataFrame(frame)
    most = max(_LEAST_TEXT, int(width * _TEXT_SHARE))
    names = sorted(plain.columns, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    columns: list[str] = []
    for name in names:
        more = [column for column in plain.columns if column == name or column in columns]
        if max(map(len, _text(plain[more], most).splitlines())) <= width:
            columns = more
    count = f"[{len(plain)} {'row' if len(plain) == 1 else 'rows'}, {len(columns)} of {len(plain.columns)} columns]"
    return f"{_text(plain[columns], most)}\n{count}" if len(plain) and columns else count


def _text(frame: pd.DataFrame, most: int) -> str:
    rows = pd.get_option("display.max_rows")
    with pd.option_context("display.unicode.east_asian_width", True):
        return str(frame.to_string(max_rows=rows, max_colwidth=most))
