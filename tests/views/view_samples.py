"""Records to show, and strings that mean harm."""

from __future__ import annotations

import io
import math
import struct
import wave
from datetime import UTC, datetime, timedelta

from linq_nb.model import (
    Attachment,
    Chat,
    Draft,
    Event,
    Finding,
    Handle,
    Line,
    Message,
    Send,
    VoiceMemo,
)

NOW = datetime(2026, 11, 23, 20, 42, 10, tzinfo=UTC)
THEN = NOW - timedelta(minutes=3)
CHAT_ID = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"

HOSTILE = (
    "<script>alert(1)</script>",
    """"'><img src=x onerror=alert(1)>""",
    "' onmouseover='alert(1)",
    "</td></table></div><iframe src=https://evil.example>",
    "javascript:alert(1)",
    "&lt;script&gt;&#60;b&#62;",
    "<!-- --><svg/onload=alert(1)>",
    "a\x00b\x07c\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "one\r\ntwo\u2028three\x85four",
    "gpj.\u202eexe\udcff",
    "${x} {x} %s `x` $x$",
    "x" * 50_000,
)


def wav(seconds: float = 2.0, rate_hz: int = 8000) -> bytes:
    """Make a 16-bit mono WAV of a tone that swells and fades."""
    count = int(seconds * rate_hz)
    frames = (int(20_000 * math.sin(i / 5) * math.sin(math.pi * i / count)) for i in range(count))
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        writer.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return out.getvalue()


ME = Handle(handle="+12025550100", is_me=True, service="iMessage")
ADA = Handle(handle="+12025555597", service="iMessage", status="active")
LIN = Handle(handle="lin@example.com", service="iMessage")
ADAS = Chat(
    chat_id=CHAT_ID,
    chat_name="Ada Lovelace",
    is_group=False,
    service="iMessage",
    health_status="HEALTHY",
    handles=(ME, ADA),
)
CREW = Chat(chat_id=CHAT_ID, chat_name="Climbing crew", is_group=True, service="iMessage", handles=(ME, ADA, LIN))
NAMELESS = Chat(chat_id=CHAT_ID, is_group=True, handles=(ME, ADA, LIN), is_active=False, is_archived=True)
HELLO = VoiceMemo(
    source="file",
    filename="hello.m4a",
    mime_type="audio/x-m4a",
    data=b"",
    size_bytes=33_120,
    duration_ms=3999,
    sha256="8c1f0a2b3c4d5e6f" * 4,
    format="m4a",
    codec="AAC-LC",
    sample_rate=24_000,
    channels=1,
)
LINKED = VoiceMemo(
    source="url",
    url="https://user:pw@cdn.example.com/a/memo.m4a?X-Amz-Signature=secret#part",
    filename="memo.m4a",
    format="m4a",
)
UPLOADED = VoiceMemo(source="attachment", attachment_id=CHAT_ID)
QUEUED = Send(
    send_id="0f" * 16,
    base_url="https://api.example.com",
    content="sha256:8c1f",
    chat_id=CHAT_ID,
    chat_name="Ada Lovelace",
    is_group=False,
    from_handle="+12025550100",
    to_handles=("+12025555597",),
    filename="hello.m4a",
    format="m4a",
    duration_ms=15_000,
    sha256="8c1f" * 16,
    message_id="69a3ffee-0000-4000-8000-000000000000",
    service="iMessage",
    status="queued",
    http_status=202,
    attempts=1,
    accepted_at=THEN,
)


def every(text: str) -> list[object]:
    """Return one record of each kind with ``text`` in every place that comes from outside."""
    person = Handle(handle=text, service=text, status=text, line_type=text)
    mail = Handle(handle=f"{text}@{text}", is_me=True)
    chat = Chat(chat_id=text, chat_name=text, is_group=True, service=text, health_status=text, handles=(person, mail))
    memo = VoiceMemo(
        source="bytes",
        data=wav(0.2),
        filename=text,
        title=text,
        artist=text,
        format=text,
        codec=text,
        sha256=text,
        duration_ms=200,
        sample_rate=8000,
        channels=1,
        size_bytes=3244,
    )
    return [
        person,
        mail,
        chat,
        memo,
        VoiceMemo(source="url", url=f"https://h.example/{text}", filename=text),
        VoiceMemo(source="attachment", attachment_id=text),
        Line(phone_number=text, reputation=text, line_type=text),
        Message(message_id=text, chat_id=text, delivery_status=text, service=text),
        Finding(level=text, code=text, message=text),  # type: ignore[arg-type]
        Draft(memo=memo, chat=chat, override_optout=text),
        Draft(memo=memo, chat=text),
        Event(send_id=text, at=NOW, source=text, status=text, error_message=text, message_id=text),
        Send(
            send_id=text,
            base_url=text,
            content=text,
            chat_id=text,
            chat_name=text,
            to_handles=(text,),
            filename=text,
            format=text,
            message_id=text,
            service=text,
            status=text,
            error_code=4001,
            error_message=text,
            doc_url=text,
            trace_id=text,
            reconcile_result=text,
        ),
        Attachment(attachment_id=text),
    ]
