"""Chats and lines of a frame by their names and handles, compared as they look and not as they are spelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.handles import LEAST_DIGITS, digit_count, exact_keys, refusal, text_of
from linq_nb.reports import parts
from linq_nb.reports.values import fetched, plain
from linq_nb.text import HIDDEN, clean, mask, name_key, recipient, visual_key

_OF_CHATS = ("to_handles", "is_group")
LEAST_LETTERS = 4
"""A text with so many letters is no phone number."""


def chat_id(rows: Any, chat: Any, report: str, nothing: str) -> str:
    """Return the id of the chat of a narwhals frame with this id, name, or (1:1 chats) handle.

    Raises SettingsError for none, or for several; ``report`` names the caller in an error, ``nothing`` says what was
    not done.
    """
    has = rows.collect_schema().names()
    columns = ["chat_id", "chat_name", *(name for name in _OF_CHATS if name in has)]
    table = parts.select_columns(rows.to_native(), report, *columns)
    chats = fetched(table.select(*(parts.text(column) for column in columns)).unique())
    name = text_of(chat) or ""
    keys = {visual_key(name).lower(), name_key(name), *_handles(name)} - {""}
    ids = {str(row["chat_id"]) for row in chats if keys & _keys(row)}
    if not ids:
        raise SettingsError(_no_chat(name, nothing, chats))
    if len(ids) > 1:
        some = ", ".join(clean(identity, 60) for identity in sorted(ids)[:8])
        raise SettingsError(
            f"{len(ids)} chats have the name {clean(name, 60)!r}; {nothing}; give the id of one: {some}"
        )
    return ids.pop()


def looking_like(value: Any, values: Iterable[str]) -> str | None:
    """Return the value that looks like ``value`` or is the same handle, masked or not; None when none or several do."""
    text = text_of(value) or str(value)
    handles = _handles(text)
    keys = {name_key(text), *handles, *map(mask, handles)}
    matches = [other for other in values if name_key(other) in keys]
    return text if text in matches else matches[0] if len(matches) == 1 else None


def _handles(name: str) -> set[str]:
    """Return the handles that a name may be, in every spelling of ``to_e164``."""
    return exact_keys(name) if "@" in name or digit_count(name) >= LEAST_DIGITS else set()


def _keys(chat: Mapping[str, Any]) -> set[str]:
    """Return what names a chat in a frame: its id, its name, and the handle of a 1:1 chat."""
    is_group = str(plain(chat.get("is_group"))).lower() in ("true", "1")
    handle = "" if is_group else str(plain(chat.get("to_handles")) or "").casefold()
    return {str(chat["chat_id"]).lower(), name_key(plain(chat["chat_name"]) or ""), handle}


def _no_chat(name: str, nothing: str, chats: Sequence[Mapping[str, Any]]) -> str:
    """Say why no chat of a frame has this name: a number may be none, or the frame may hide its handles."""
    is_number = digit_count(name) >= LEAST_DIGITS and sum(map(str.isalpha, name)) < LEAST_LETTERS
    wrong = refusal(name) if is_number else None
    handles = [str(plain(chat.get("to_handles")) or "") for chat in chats]
    is_full = any(HIDDEN not in handle and ("+" in handle or "@" in handle) for handle in handles)
    hint = ', or make the frame with handles="full"' if _handles(name) and not is_full else ""
    what = wrong or f"the frame has no chat {recipient(name)!r}"
    return f"{what}; {nothing}; give a chat_id or chat_name of it{hint}"
