"""Many memos at once: a CSV cell or a DataFrame becomes a plan, is confirmed, and sent with a line of progress."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linq_nb.errors import SettingsError

if TYPE_CHECKING:
    from linq_nb.model import BadDraft, Draft

_TAKES = "the name of a DataFrame or of drafts, or {an expression} for one"

COLUMNS = ("chat", "audio")
CHATS = ("chat", "chat_id", "chat_name")
AUDIO = ("audio", "path", "voice_memo_url", "attachment_id")


def of_cell(text: str) -> list[Draft | BadDraft]:
    """Read a CSV cell with the header ``chat,audio[,copy]``; raises SettingsError."""
    from linq_nb.model import BadDraft
    from linq_nb.outbox import drafting

    lines = [line for line in text.splitlines() if line.strip()]
    reader = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    header = [(name or "").strip().lower() for name in reader.fieldnames or []]
    missing = [name for name in COLUMNS if name not in header]
    if missing or not set(header) <= {*COLUMNS, "copy"}:
        raise SettingsError(
            f"the cell is a CSV whose first line is chat,audio or chat,audio,copy; it is {','.join(header)!r}; "
            "nothing was sent"
        )
    reader.fieldnames = header
    lines_read = list(reader)
    found = drafting.drafts([(row.get("chat"), row.get("audio"), row.get("copy")) for row in lines_read], Path())
    why = f"the line has more fields than the first one ({','.join(header)}); a name with a comma goes in quotes"
    return [
        BadDraft(chat=row["chat"] or "", audio=row["audio"] or "", why=why) if None in row else one
        for row, one in zip(lines_read, found, strict=True)
    ]


def of_value(value: Any, scope: Mapping[str, Any]) -> list[Draft | BadDraft]:
    """Take drafts from a DataFrame or from a list of drafts; raises SettingsError.

    Columns: ``chat``, ``chat_id`` or ``chat_name``; ``audio``, ``path``, ``voice_memo_url`` or
    ``attachment_id``; and ``copy`` where there is one.
    """
    if isinstance(value, str):
        if value not in scope:
            raise SettingsError(f"--from {value}: there is no such name; nothing was sent; it takes {_TAKES}")
        value = scope[value]
    if isinstance(value, list | tuple):
        return list(value)
    if not hasattr(value, "columns"):
        raise SettingsError(f"--from takes {_TAKES}, not {type(value).__name__}; nothing was sent")
    from linq_nb.outbox import drafting

    chat, audio = _column(value, CHATS), _column(value, AUDIO)
    copies = value["copy"] if "copy" in value.columns else [None] * len(value)
    return drafting.drafts(zip(value[chat], value[audio], copies, strict=True), Path())


def _column(frame: Any, names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in frame.columns), None)
    if found is None:
        has = ", ".join(map(str, frame.columns)) or "none"
        raise SettingsError(f"the frame has no column {' or '.join(names)}; nothing was sent; its columns: {has}")
    return found
