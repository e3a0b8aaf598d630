"""Deliveries made and signed here, by the reference library and by hand, and a send that they report on."""

from __future__ import annotations

import dataclasses
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from linq_nb import Send
from linq_nb.journal import Claim, Journal
from linq_nb.model import send_id

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32
AT = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
BASE, CHAT_ID = "https://api.linqapp.com/api/partner", "550e8400-e29b-41d4-a716-446655440000"
MESSAGE_ID, TRACE = "69a37c7d-af4f-4b5e-af42-e28e98ce873a", "a" * 32
NEW, OLD = "2026-02-03", "2025-01-01"


def stamp(seconds: float) -> str:
    return (AT + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def payload(kind: str, seconds: float = 1, version: str = NEW, **data: Any) -> dict[str, Any]:
    """A webhook's payload in the words of Linq's documents; ``seconds`` after AT."""
    fields = {"code": 4001, "reason": "Message delivery failed", "failed_at": stamp(seconds), "chat_id": CHAT_ID,
            "message_id": MESSAGE_ID} if kind == "failed" else _message(kind, seconds, version)  # fmt: skip
    return {
        "api_version": "v3",
        "webhook_version": version,
        "event_type": f"message.{kind}",
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {seconds} {data}")),
        "created_at": stamp(seconds),
        "trace_id": TRACE,
        "partner_id": "p",
        "data": {**fields, **data},
    }


def _message(kind: str, seconds: float, version: str) -> dict[str, Any]:
    times: dict[str, Any] = {"sent_at": stamp(0.5), "delivered_at": None, "read_at": None}
    times |= {f"{kind}_at": stamp(seconds)} if kind in ("sent", "delivered", "read") else {}
    if version == NEW:
        chat = {"id": CHAT_ID, "is_group": False}
        return {"id": MESSAGE_ID, "chat": chat, "direction": "outbound", "service": "iMessage", "parts": []} | times
    message = {"id": MESSAGE_ID, "parts": [], **times}
    return {"chat_id": CHAT_ID, "is_from_me": True, "service": "iMessage", "message": message}


def signed(event: dict[str, Any], at: datetime = AT, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A delivery as Linq makes it: both schemes' headers, the body as bytes."""
    body, seconds = json.dumps(event, separators=(",", ":")), str(int(at.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": str(event["event_id"]),
        "webhook-timestamp": seconds,
        "webhook-signature": Webhook(secret).sign(str(event["event_id"]), at, body),
        "X-Webhook-Timestamp": seconds,
        "X-Webhook-Signature": hmac.new(secret.encode(), f"{seconds}.{body}".encode(), "sha256").hexdigest(),
        "X-Webhook-Event": str(event["event_type"]),
    }
    return body.encode(), headers


def wanted(**fields: Any) -> Send:
    content = "sha256:" + "ab" * 32
    given = {"send_id": send_id(BASE, CHAT_ID, content, 1), "base_url": BASE, "chat_id": CHAT_ID, "content": content}
    return Send(**{**given, "created_at": AT, "filename": "hello.wav", **fields})


def sending(book: Journal, send: Send | None = None) -> Claim:
    """Bring a send to the moment when its POST is on the way."""
    _, claim, _ = book.claim(send or wanted(), (), "me")
    assert claim is not None
    assert book.advance(claim, dataclasses.replace(claim.send, status="sending", posted_at=AT))
    return claim


def answered(book: Journal, claim: Claim, status: str = "queued", **fields: Any) -> Send:
    """Record the answer to the POST."""
    defaults: dict[str, Any] = {"message_id": MESSAGE_ID, "trace_id": TRACE, "accepted_at": AT, "checked_at": AT}
    done = dataclasses.replace(claim.send, status=status, posted_at=AT, **{**defaults, **fields})
    assert book.advance(claim, done)
    return done
