"""The DataFrames of the notebook, as lists of recipients or as whole batches."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from linq_nb import live
from linq_nb.errors import LinqError, SettingsError
from linq_nb.model import BadDraft, Draft, VoiceMemo
from linq_nb.outbox.drafts import drafts_of_table
from linq_nb.storable import is_missing
from linq_nb.tables import AUDIO, CHAT, Role, key_of, of_value
from linq_nb.text import clean

MAX_TABLES = 50

FrameFacts = Mapping[str, Any]


def tables() -> list[FrameFacts]:
    """Return the notebook's frames, newest name last: name, number of rows, columns, the likely columns."""
    return [_described(name, frame) for name, frame in list(_frames().items())[:MAX_TABLES]]


def column_of(name: str, column: str) -> list[str]:
    """Return the texts in a column of a frame of the notebook; missing ones are left out. Raises SettingsError."""
    table = of_value(_frame(name, column))
    place = table.place(column)
    texts = [str(row[place]) for row in table.rows if not is_missing(row[place])]
    return [text for text in texts if text.strip()]


def drafts_of(name: str, chat: str, audio: str, *, convert: bool) -> list[Draft | BadDraft]:
    """Return a draft for each row of a frame of the notebook; with ``convert`` each file becomes an M4A.

    Raises SettingsError for a frame or a column that is not there.
    """
    table = of_value(_frame(name, chat, audio))
    if convert:
        place, load = table.place(audio), functools.cache(_converted)
        audios = [load(row[place]) if isinstance(row[place], str) else row[place] for row in table.rows]
        rows = [(*row[:place], memo, *row[place + 1 :]) for row, memo in zip(table.rows, audios, strict=True)]
        table = dataclasses.replace(table, rows=rows)
    return drafts_of_table(table, chat=chat, audio=audio)


def _converted(text: str) -> VoiceMemo | str:
    """Return the memo of a text as M4A where that is needed and can be done; else the text, which says why."""
    for convert in (False, True):
        with contextlib.suppress(LinqError):
            return VoiceMemo.load(text, convert=convert)
    return text


def _frames() -> dict[str, Any]:
    namespace = getattr(live.ipython_shell(), "user_ns", {})
    return {
        name: value
        for name, value in list(namespace.items())
        if not name.startswith("_") and type(value).__name__ == "DataFrame" and hasattr(value, "columns")
    }


def _frame(name: str, *columns: str) -> Any:
    frame = _frames().get(name)
    if frame is None:
        raise SettingsError(f"the notebook has no DataFrame {clean(name)!r} any more; nothing was sent; choose another")
    names = list(map(str, frame.columns))
    missing = [column for column in columns if column not in names]
    if missing:
        raise SettingsError(f"{clean(name)} has no column {clean(missing[0])!r}; nothing was sent; choose another")
    return frame


def _described(name: str, frame: Any) -> FrameFacts:
    columns = [column for column in map(str, frame.columns) if column == clean(column)][:MAX_TABLES]
    return {
        "name": clean(name),
        "rows": len(frame),
        "columns": columns,
        "chat": _likely(columns, CHAT),
        "audio": _likely(columns, AUDIO),
    }


def _likely(columns: list[str], role: Role) -> str:
    """Return the column with the first usual name of a role, which a person may change; empty without one."""
    by_key = {key_of(column): column for column in reversed(columns)}
    usual_keys = (key_of(name) for group in (role.names, *role.others) for name in group)
    return next((by_key[key] for key in usual_keys if key in by_key), "")
