"""The rows of a batch: a CSV cell, a DataFrame or a list of drafts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.model import BadDraft, Draft
from linq_nb.outbox.drafts import drafts_of_rows

CELL_COLUMNS = ("chat", "audio")
CHAT_COLUMNS = ("chat", "chat_id", "chat_name")
AUDIO_COLUMNS = ("audio", "path", "voice_memo_url", "attachment_id")

_FROM_TAKES = "the name of a DataFrame or of a list of drafts, or an {expression} for one of these"


def from_cell(text: str) -> list[Draft | BadDraft]:
    """Read a CSV cell with the header ``chat,audio[,copy]``. Raises SettingsError."""
    lines = [line for line in text.splitlines() if line.strip()]
    reader = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    header = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if not {*CELL_COLUMNS} <= {*header} <= {*CELL_COLUMNS, "copy"}:
        raise SettingsError(
            f"the first line of the cell must be chat,audio or chat,audio,copy, not {','.join(header)!r}; "
            "nothing was sent"
        )
    reader.fieldnames = header
    rows = list(reader)
    drafts = drafts_of_rows([(row.get("chat"), row.get("audio"), row.get("copy")) for row in rows], Path())
    why = f"the line has more fields than the first one ({','.join(header)}); put a name with a comma in quotes"
    return [
        BadDraft(chat=row["chat"] or "", audio=row["audio"] or "", why=why) if None in row else draft
        for row, draft in zip(rows, drafts, strict=True)
    ]


def from_value(value: Any, scope: Mapping[str, Any]) -> list[Draft | BadDraft]:
    """Read a DataFrame or a list of drafts, or the one that a name stands for. Raises SettingsError.

    Columns: ``chat``, ``chat_id`` or ``chat_name``; ``audio``, ``path``, ``voice_memo_url`` or ``attachment_id``;
    ``copy`` is optional.
    """
    if isinstance(value, str):
        if value not in scope:
            raise SettingsError(f"the name {value!r} is not defined; nothing was sent; --from takes {_FROM_TAKES}")
        value = scope[value]
    if isinstance(value, list | tuple):
        return list(value)
    if not hasattr(value, "columns"):
        raise SettingsError(f"--from takes {_FROM_TAKES}, not a value of type {type(value).__name__}; nothing was sent")
    chat, audio = _column(value, CHAT_COLUMNS), _column(value, AUDIO_COLUMNS)
    copies = value["copy"] if "copy" in value.columns else [None] * len(value)
    return drafts_of_rows(zip(value[chat], value[audio], copies, strict=True), Path())


def _column(frame: Any, names: tuple[str, ...]) -> str:
    column = next((name for name in names if name in frame.columns), None)
    if column is None:
        columns = ", ".join(map(str, frame.columns)) or "none"
        raise SettingsError(f"the frame has no column {' or '.join(names)}; nothing was sent; its columns: {columns}")
    return column
