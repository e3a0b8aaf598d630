"""Small real things that the core's tests share: audio bytes, a chat, sends, Linq's answers."""

from __future__ import annotations

import io
import math
import struct
import wave
from datetime import UTC, datetime
from typing import Any

from linq_nb import VoiceMemo
from linq_nb.model import Attachment, Chat, Handle, Message, Send, send_id
from linq_nb.wire import Answer

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BASE = "https://api.linqapp.com/api/partner"
CHAT_ID = "550e8400-e29b-41d4-a716-446655440000"
MESSAGE_ID = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"
ATTACHMENT_ID = "7e1ad5a2-8d4e-4c0b-9b8e-0d7a6f0c1b2a"
TOKEN = "tok/LIVE+4f9c2b=7secret"


def wav(seconds: float = 0.5, tone: int = 330, rate: int = 8000) -> bytes:
    """A tone as WAV; each tone has its own content."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        wave_of = (int(9000 * math.sin(2 * math.pi * tone * n / rate)) for n in range(int(seconds * rate)))
        file.writeframes(b"".join(struct.pack("<h", value) for value in wave_of))
    return out.getvalue()


def memo(tone: int = 330, filename: str = "hello.wav") -> VoiceMemo:
    return VoiceMemo.from_bytes(wav(tone=tone), filename)


def chat(**fields: Any) -> Chat:
    people = (
        Handle(handle="+12025550100", is_me=True, service="iMessage", status="active"),
        Handle(handle="+12025550111", is_me=False, service="iMessage", status="active"),
    )
    given = {"chat_id": CHAT_ID, "chat_name": "Ada", "is_group": False, "service": "iMessage", "handles": people}
    return Chat(**{**given, "health_status": "HEALTHY", **fields})


def a_send(**fields: Any) -> Send:
    content, copy = fields.get("content", "sha256:" + "ab" * 32), fields.get("copy", 1)
    defaults: dict[str, Any] = {
        "send_id": send_id(BASE, CHAT_ID, content, copy),
        "base_url": BASE,
        "content": content,
        "chat_id": CHAT_ID,
        "status": "unknown",
        "filename": "hello.wav",
        "size_bytes": 8044,
        "posted_at": AT,
        "skew_min_ms": 0,
        "skew_max_ms": 0,
        "created_at": AT,
    }
    return Send(**{**defaults, **fields})


def a_message(**fields: Any) -> Message:
    part = Attachment(
        attachment_id=fields.pop("part_id", "another"),
        filename=fields.pop("filename", "hello.wav"),
        size_bytes=fields.pop("size_bytes", 8044),
        mime_type=fields.pop("mime_type", "audio/x-wav"),
    )
    defaults: dict[str, Any] = {
        "message_id": MESSAGE_ID,
        "chat_id": CHAT_ID,
        "is_from_me": True,
        "created_at": AT,
        "delivery_status": "delivered",
        "media": (part,),
        "parts": 1,
    }
    return Message(**{**defaults, **fields})


def an_answer(status: int, text: str | bytes = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Answer(http_status=status, text=body, at=AT, headers=named)


def accepted_body(**memo_fields: Any) -> dict[str, Any]:
    """Linq's 202, as its page of the endpoint shows it."""
    numbers = ("+12025550100", "+12025550111")
    people = [{"id": n, "handle": n, "is_me": n == numbers[0], "service": "iMessage"} for n in numbers]
    return {
        "voice_memo": {
            "id": MESSAGE_ID,
            "chat": {"id": CHAT_ID, "handles": people, "is_active": True, "is_group": False, "service": "iMessage"},
            "created_at": "2026-03-02T09:00:00.123456789Z",
            "from": "+12025550100",
            "to": ["+12025550111"],
            "status": "queued",
            "service": None,
            "voice_memo": {
                "id": ATTACHMENT_ID,
                "filename": "hello.wav",
                "mime_type": "audio/x-wav",
                "size_bytes": 8044,
                "url": "https://cdn.linqapp.com/a/hello.wav?Signature=s3cr3t",
                "duration_ms": 500,
            },
            **memo_fields,
        }
    }


def error_body(status: int, code: int, **more: Any) -> dict[str, Any]:
    error = {"status": status, "code": code, "message": f"Message {code}.", **more}
    return {"success": False, "error": error, "trace_id": "f" * 32}


BAD_VALUES: dict[str, str] = {
    "lone surrogate": r'"\ud800"',
    "lone surrogate in a list": r'["a", "\udfff"]',
    "name that is a lone surrogate": r'{"\udc00": "\ud83d"}',
    "NUL": r'"a\u0000b"',
    "beyond 64 bits": str(2**70),
    "lowest of 65 bits": str(-(2**63) - 1),
    "5,000 digits": "9" * 5000,
    "negative": "-5",
    "not a number": "NaN",
    "infinite": "-Infinity",
    "too large a float": "1e400",
    "large float": "1e19",
    "fraction": "3.5",
    "boolean": "true",
    "object": '{"a": 1}',
    "year 9999": '"9999-12-31T23:59:59Z"',
    "year 9999, in another zone": '"9999-12-31T23:59:59-05:00"',
    "year 1": '"0001-01-01T00:00:00Z"',
    "year 1, in another zone": '"0001-01-01T00:00:00+05:00"',
    "after pandas' last nanosecond": '"2262-06-01T00:00:00Z"',
    "before pandas' first nanosecond": '"1677-01-01T00:00:00Z"',
    "long text": '"' + "xy" * 50_000 + '"',
    "deep list": "[" * 3000 + "]" * 3000,
    "deep object": '{"a": ' * 3000 + "1" + "}" * 3000,
}
"""Values of JSON that a journal, pandas or Parquet cannot hold, or that a field of the API never has."""


def answer_with(value: str, message_id: str = MESSAGE_ID) -> Answer:
    """Linq's 2xx to a memo, with this JSON value in every field that may be anything."""
    fields = ", ".join(f'"{name}": {value}' for name in ("filename", "mime_type", "size_bytes", "duration_ms"))
    others = ", ".join(f'"{name}": {value}' for name in ("service", "from", "created_at", "new"))
    text = (
        f'{{"voice_memo": {{"id": "{message_id}", "status": {value}, {others}, "to": ["+12025550111", {value}], '
        f'"chat": {{"id": "{CHAT_ID}", "is_group": {value}}}, "voice_memo": {{"id": "{ATTACHMENT_ID}", {fields}}}}}}}'
    )
    return Answer(http_status=202, text=text, at=AT)


def webhook_with(value: str, event_id: str, *, ours: bool) -> str:
    """A webhook of a delivery with this JSON value in every field that may be anything."""
    names = ("service", "reason", "code", "sent_at", "delivered_at", "read_at", "failed_at", "new")
    fields = ", ".join(f'"{name}": {value}' for name in (*names, *(() if ours else ("chat_id",))))
    message_id = MESSAGE_ID if ours else "8ce27f3e-7a9b-4c25-9ac4-0c6f8d1e2a3b"
    return (
        f'{{"event_type": "message.delivered", "event_id": "{event_id}", "created_at": {value}, "trace_id": {value}, '
        f'"data": {{"message_id": "{message_id}", {fields}}}}}'
    )
