"""The bodies of requests to Linq: nothing that was not asked for."""

from __future__ import annotations

import json
from typing import Any

from linq_nb.audio import MAX_FILENAME, MAX_UPLOAD_BYTES

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_bytes(body: Any) -> bytes:
    """Return the body of a request as it is sent."""
    return _encode(body).encode()


def memo_body(*, voice_memo_url: str | None, attachment_id: str | None, override_optout: bool) -> dict[str, Any]:
    """Return the body of ``POST /v3/chats/{chatId}/voicememo``: one source, nothing that Linq did not ask for."""
    if (voice_memo_url is None) == (attachment_id is None):
        raise ValueError("a voice memo takes exactly one of voice_memo_url and attachment_id")
    source = {"attachment_id": attachment_id} if voice_memo_url is None else {"voice_memo_url": voice_memo_url}
    return {**source, "override_optout": True} if override_optout else {**source}


def attachment_body(filename: str, content_type: str, size_bytes: int) -> dict[str, Any]:
    """Return the body of ``POST /v3/attachments``."""
    if not 1 <= len(filename) <= MAX_FILENAME or not 1 <= size_bytes <= MAX_UPLOAD_BYTES:
        raise ValueError("an upload takes a file name of 1 to 255 characters and 1 to 104857600 bytes")
    return {"filename": filename, "content_type": content_type, "size_bytes": size_bytes}
