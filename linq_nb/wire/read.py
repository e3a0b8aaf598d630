"""Linq's JSON to records: tolerant; only a record without its id cannot be read (``Unreadable``)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from linq_nb.model import Attachment, Chat, Event, Handle, Line, Message, Subscription
from linq_nb.status import OUR_STATUSES
from linq_nb.text import clean, redact
from linq_nb.wire.answer import Answer
from linq_nb.wire.fields import (
    Raw,
    Unreadable,
    bool_of,
    dict_of,
    dicts_of,
    int_of,
    is_header,
    required,
    text_of,
    texts_of,
    time_of,
    upper_of,
)

T = TypeVar("T")


def handle(raw: Raw) -> Handle:
    return Handle(
        handle=text_of(raw, "handle") or "",
        handle_id=text_of(raw, "id"),
        is_me=bool_of(raw, "is_me"),
        service=text_of(raw, "service"),
        status=text_of(raw, "status"),
        line_type=text_of(raw, "line_type"),
        joined_at=time_of(raw, "joined_at"),
        left_at=time_of(raw, "left_at"),
    )


def chat(raw: Raw) -> Chat:
    """Read a chat; raises Unreadable without an id."""
    return Chat(
        chat_id=required(raw, "id"),
        chat_name=text_of(raw, "display_name"),
        is_group=bool_of(raw, "is_group"),
        service=text_of(raw, "service"),
        health_status=upper_of(dict_of(raw, "health_status"), "status") or upper_of(raw, "health_status"),
        is_active=bool_of(raw, "is_active"),
        is_archived=bool_of(raw, "is_archived"),
        handles=tuple(handle(person) for person in dicts_of(raw, "handles")),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
    )


def line(raw: Raw) -> Line:
    return Line(
        line_id=text_of(raw, "id"),
        phone_number=required(raw, "phone_number"),
        reputation=upper_of(dict_of(raw, "reputation"), "status"),
        line_type=text_of(raw, "line_type"),
    )


def attachment(raw: Raw) -> Attachment:
    """Read an upload's announcement, an attachment or a media part; raises Unreadable without an id."""
    headers = {name: str(value) for name, value in dict_of(raw, "required_headers").items() if is_header(name, value)}
    return Attachment(
        attachment_id=text_of(raw, "attachment_id") or required(raw, "id"),
        filename=text_of(raw, "filename"),
        mime_type=text_of(raw, "content_type") or text_of(raw, "mime_type"),
        size_bytes=int_of(raw, "size_bytes"),
        duration_ms=int_of(raw, "duration_ms"),
        status=text_of(raw, "status"),
        created_at=time_of(raw, "created_at"),
        expires_at=time_of(raw, "expires_at"),
        upload_url=text_of(raw, "upload_url"),
        download_url=text_of(raw, "download_url") or text_of(raw, "url"),
        required_headers=headers,
        http_method=text_of(raw, "http_method") or "PUT",
    )


def message(raw: Raw) -> Message:
    """Read a message; its status falls back on the deprecated booleans. Raises Unreadable without an id."""
    parts = dicts_of(raw, "parts")
    files = [part for part in parts if text_of(part, "type") not in _WITHOUT_FILE]
    readable = [part for part in files if text_of(part, "id")]
    return Message(
        message_id=required(raw, "id"),
        chat_id=text_of(raw, "chat_id"),
        is_from_me=bool_of(raw, "is_from_me"),
        delivery_status=_status(raw, "delivery_status") or _status_of_flags(raw),
        service=text_of(raw, "service"),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
        sent_at=time_of(raw, "sent_at"),
        delivered_at=time_of(raw, "delivered_at"),
        read_at=time_of(raw, "read_at"),
        reconciled_at=time_of(raw, "reconciled_at"),
        media=tuple(attachment(part) for part in readable),
        parts=len(parts) if len(readable) == len(files) else None,
    )


_WITHOUT_FILE = frozenset({"text", "link", "imessage_app", "app_clip"})
"""The part types that carry no file; any other, also one that is new, may be a memo."""


def _status(raw: Raw, key: str) -> str | None:
    """Read Linq's word for a status; a word of ours in its place is not believed: only this machine can know it."""
    word = text_of(raw, key)
    return None if word in OUR_STATUSES else word


def _status_of_flags(raw: Raw) -> str | None:
    if bool_of(raw, "is_read"):
        return "read"
    return "delivered" if bool_of(raw, "is_delivered") else None


def subscription(raw: Raw) -> Subscription:
    return Subscription(
        subscription_id=required(raw, "id"),
        target_url=text_of(raw, "target_url") or "",
        subscribed_events=tuple(texts_of(raw, "subscribed_events")),
        is_active=bool_of(raw, "is_active"),
        phone_numbers=tuple(texts_of(raw, "phone_numbers")),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
        signing_secret=text_of(raw, "signing_secret"),
    )


def accepted(answer: Answer) -> dict[str, Any]:
    """Read a 2xx to a voice memo as fields of a Send; raises Unreadable without a message id."""
    memo = dict_of(answer.json(), "voice_memo")
    chat, media = dict_of(memo, "chat"), dict_of(memo, "voice_memo")
    fields = {
        "message_id": message_id(answer),
        "status": _status(memo, "status") or "queued",
        "service": text_of(memo, "service"),
        "from_handle": text_of(memo, "from"),
        "to_handles": tuple(texts_of(memo, "to")) or None,
        "is_group": bool_of(chat, "is_group"),
        "attachment_id": text_of(media, "id"),
        "filename": text_of(media, "filename"),
        "mime_type": text_of(media, "mime_type"),
        "size_bytes": int_of(media, "size_bytes"),
        "duration_ms": int_of(media, "duration_ms"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def message_id(answer: Answer, chat_id: str | None = None) -> str:
    """Return the message id in a 2xx to a voice memo; raises Unreadable when there is none.

    With ``chat_id`` also when the answer is about another chat: an open connection may deliver an earlier answer.
    """
    memo = dict_of(answer.json(), "voice_memo")
    identity, answered_chat = text_of(memo, "id"), text_of(dict_of(memo, "chat"), "id")
    if not identity:
        raise Unreadable("it has no voice_memo.id")
    if chat_id is not None and answered_chat is not None and answered_chat.lower() != chat_id.lower():
        raise Unreadable("it tells of another chat")
    return identity


def record(answer: Answer, read: Callable[[Raw], T]) -> T:
    """Read the one record of an answer; raises Unreadable."""
    return read(answer.json())


def page(answer: Answer, key: str, read: Callable[[Raw], T]) -> tuple[list[T], str | None]:
    """Read a page: its records (those without an id are skipped) and the cursor of the next page."""
    body = answer.json()
    if key not in body or not isinstance(body[key], list | None):
        raise Unreadable(f"it has no list {key!r}")
    records = []
    for raw in dicts_of(body, key):
        with contextlib.suppress(Unreadable):
            records.append(read(raw))
    return records, text_of(body, "next_cursor")


_EVENT_STATUSES = {f"message.{word}": word for word in ("sent", "delivered", "read", "failed")}
"""The status that an event type reports of a message that went out."""


def webhook(raw: Raw, at: datetime) -> Event:
    """Read a webhook's payload of either version, as of ``created_at`` or else ``at``.

    Raises Unreadable without an event type; one that is not known is an event without a status.
    """
    kind, data = required(raw, "event_type"), dict_of(raw, "data")
    nested = dict_of(data, "message")  # the message itself in 2025-01-01; in 2026-02-03 it is the data
    of_message = nested or (data if kind.startswith("message.") else {})
    inbound = text_of(data, "direction") == "inbound" or bool_of(data, "is_from_me") is False
    reason = text_of(data, "reason") if kind == "message.failed" else None
    return Event(
        send_id="",
        at=time_of(raw, "created_at") or at,
        source="webhook",
        status=None if inbound else _EVENT_STATUSES.get(kind),
        error_code=int_of(data, "code") if kind == "message.failed" else None,
        error_message=clean(reason, 300) if reason else None,
        trace_id=text_of(raw, "trace_id"),
        message_id=text_of(data, "message_id") or text_of(of_message, "id"),
        service=text_of(data, "service") or text_of(nested, "service"),
        sent_at=time_of(data, "sent_at") or time_of(nested, "sent_at"),
        delivered_at=time_of(data, "delivered_at") or time_of(nested, "delivered_at"),
        read_at=time_of(data, "read_at") or time_of(nested, "read_at"),
        failed_at=time_of(data, "failed_at"),
        event_id=text_of(raw, "event_id"),
        event_type=kind,
        chat_id=(text_of(dict_of(data, "chat"), "id") or text_of(data, "chat_id") or "").lower() or None,
        body=redact(dict(raw)),
    )
