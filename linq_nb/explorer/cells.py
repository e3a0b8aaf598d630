"""Values of a table as short text: foreign text is made safe, handles are masked, times are in UTC."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from linq_nb.model import Send, frame_columns
from linq_nb.text import clean, mask, mask_text, recipient

COLUMNS = frame_columns(Send)
HANDLES = tuple(name for name, column in COLUMNS.items() if column.is_handle)
RECIPIENTS = tuple(name for name, column in COLUMNS.items() if column.is_recipient)
_HASHED = re.compile(r"[0-9a-f]{16}")


def masked(name: str, value: Any) -> str:
    """Return foreign text with handles masked; hashed ones stay."""
    if value is None:
        return ""
    if name in HANDLES:
        return " ".join(part if _HASHED.fullmatch(part) else mask(part) for part in str(value).split())
    return recipient(value) if name in RECIPIENTS else mask_text(str(value))


def cell(name: str, value: Any) -> str:
    """Return a value as the text of a cell; missing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return str(value)
    return clean(value if name.endswith("_id") or name == "sha256" else masked(name, value), 200)
