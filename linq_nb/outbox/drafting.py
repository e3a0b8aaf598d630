"""Rows of a table become drafts: one bad row is a BadDraft, each distinct file is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from linq_nb.errors import LinqError
from linq_nb.model import BadDraft, Chat, Draft, VoiceMemo

Row = tuple[Any, Any, Any]
Load = Callable[[Any], VoiceMemo]


def drafts(rows: Iterable[Row], folder: Path) -> list[Draft | BadDraft]:
    """Return a draft for each row of chat, audio and copy; paths are relative to ``folder``."""
    load = _loader(folder)
    return [_drafted(*row, load) for row in rows]


def _loader(folder: Path) -> Load:
    """Return a function that loads what stands in an audio column, each distinct one once."""
    kept: dict[str, VoiceMemo | LinqError] = {}

    def load(value: Any) -> VoiceMemo:
        if isinstance(value, VoiceMemo):
            return value
        name = str(value).strip()
        if name not in kept:
            try:
                kept[name] = VoiceMemo.load(name, folder=folder)
            except LinqError as error:
                kept[name] = error
        found = kept[name]
        if isinstance(found, LinqError):
            raise found
        return found

    return load


def _drafted(chat: Any, audio: Any, copy: Any, load: Load) -> Draft | BadDraft:
    """Make one row a draft, or say why it is none."""
    whom = chat.chat_id if isinstance(chat, Chat) else _text(chat)
    what = audio.label if isinstance(audio, VoiceMemo) else _text(audio)
    if not whom or not what:
        return BadDraft(chat=whom, audio=what, why=f"there is no {'audio' if whom else 'chat'} in this row")
    try:
        number = int(_text(copy).removesuffix(".0") or 1)
    except ValueError:
        return BadDraft(chat=whom, audio=what, why=f"copy is a whole number from 1 on, not {_text(copy)!r}")
    try:
        return Draft(memo=load(audio), chat=chat if isinstance(chat, Chat) else whom, copy=number)
    except LinqError as error:
        return BadDraft(chat=whom, audio=what, why=str(error))


def _text(value: Any) -> str:
    """Return a cell as text, empty where there is nothing in it (None, NaN, NA)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:  # NaN differs from itself
        return ""
    return str(value).strip()
