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
    """A tone as WAV; another tone is another content."""
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
    given: dict[str, Any] = {
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
    return Send(**{**given, **fields})


def a_message(**fields: Any) -> Message:
    part = Attachment(
        attachment_id=fields.pop("part_id", "another"),
        filename=fields.pop("filename", "hello.wav"),
        size_bytes=fields.pop("size_bytes", 8044),
        mime_type=fields.pop("mime_type", "audio/x-wav"),
    )
    given: dict[str, Any] = {
        "message_id": MESSAGE_ID,
        "chat_id": CHAT_ID,
        "is_from_me": True,
        "created_at": AT,
        "delivery_status": "delivered",
        "media": (part,),
        "parts": 1,
    }
    return Message(**{**given, **fields})


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
