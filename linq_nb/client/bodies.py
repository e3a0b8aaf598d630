"""The bodies of requests to Linq: nothing that was not asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from linq_nb.audio import MAX_FILENAME, MAX_UPLOAD_BYTES
from linq_nb.errors import SettingsError

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_bytes(body: Any) -> bytes:
    """Return the body of a request as it is sent."""
    return _encode(body).encode()


OWN_FIELDS = frozenset({"voice_memo_url", "attachment_id", "override_optout", "force_notify"})
"""The fields of a memo's request that have an argument of their own."""


def check_extra(extra: object) -> None:
    """Raise SettingsError unless these are further fields for a memo's request: JSON under names that are not ours."""
    if extra is None:
        return
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise SettingsError(
            f"extra takes a dict of fields for Linq's request, not a value of type {type(extra).__name__}; "
            'nothing was sent; write it as extra={"name": value}'
        )
    if own := sorted(OWN_FIELDS & set(extra)):
        raise SettingsError(f"extra may not name {own[0]}; nothing was sent; give it as an argument of its own")
    try:
        to_bytes(dict(extra))
    except (TypeError, ValueError, RecursionError):
        raise SettingsError(
            "extra holds a value that JSON does not have; nothing was sent; use texts, numbers, booleans, lists, dicts"
        ) from None


def memo_body(
    *,
    voice_memo_url: str | None,
    attachment_id: str | None,
    override_optout: bool,
    force_notify: bool | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of ``POST /v3/chats/{chatId}/voicememo``: one source, and of the rest only what is given."""
    if (voice_memo_url is None) == (attachment_id is None):
        raise ValueError("a voice memo takes exactly one of voice_memo_url and attachment_id")
    source = {"attachment_id": attachment_id} if voice_memo_url is None else {"voice_memo_url": voice_memo_url}
    given = {"override_optout": True} if override_optout else {}
    given |= {} if force_notify is None else {"force_notify": force_notify}
    return {**(extra or {}), **source, **given}


def attachment_body(filename: str, content_type: str, size_bytes: int) -> dict[str, Any]:
    """Return the body of ``POST /v3/attachments``."""
    if not 1 <= len(filename) <= MAX_FILENAME or not 1 <= size_bytes <= MAX_UPLOAD_BYTES:
        raise ValueError("an upload takes a file name of 1 to 255 characters and 1 to 104857600 bytes")
    return {"filename": filename, "content_type": content_type, "size_bytes": size_bytes}
