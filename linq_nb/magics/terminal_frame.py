"""The frames of the magics in a terminal: their text has the columns that fit its width."""

from __future__ import annotations

import shutil
from typing import Any

import pandas as pd

_FIRST = (
    "chat_name", "code", "status", "meaning", "error_code", "http_status", "what_to_do", "service",
)  # fmt: skip
"""The columns that are shown if only a few fit; the others follow in their own order."""

_LEAST_TEXT, _TEXT_SHARE = 12, 0.36
"""A text is cut to this share of the width, but not to fewer characters."""


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
