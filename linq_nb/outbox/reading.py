"""Reading back: delivery status, and looking in the chat for a memo whose answer was lost."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from linq_nb import rules, wire
from linq_nb.errors import LinqError, NotFoundError
from linq_nb.model import Event, Message, Send

if TYPE_CHECKING:
    from linq_nb.outbox.core import Outbox

MAX_MESSAGES = 1000
"""How far back a chat is read: far more than anybody writes while a request is under way."""


def refresh(outbox: Outbox, sends: list[Send] | None) -> list[Send]:
    """Ask for the status of each send that Linq may still tell more of; the others are returned as they are."""
    wanted = outbox.journal.sends(status=("pending", "queued", "sent")) if sends is None else sends
    return [_asked(outbox, one) if one.message_id and one.is_open else one for one in wanted]


def _asked(outbox: Outbox, send: Send) -> Send:
    """Read one message; one that Linq no longer has is ``expired``, not failed."""
    try:
        answer = outbox.client.message_answer(str(send.message_id))
    except NotFoundError as error:
        gone = Event(
            send_id=send.send_id,
            at=outbox.now(),
            source="poll",
            status="expired",
            http_status=error.status,
            trace_id=error.trace_id,
            body=error.response,
        )
        return outbox.journal.observe(gone) or send
    message = wire.one(answer, wire.message)
    seen = _event(send, message, "poll", answer.at)
    seen = dataclasses.replace(seen, http_status=answer.http_status, body=wire.redact(dict(answer.body)))
    return outbox.journal.observe(seen) or send


def reconcile(outbox: Outbox, sends: list[Send] | None) -> list[Send]:
    """Look for each unknown or orphaned send in its chat."""
    wanted = outbox.journal.sends(status="unknown") + outbox.journal.orphans() if sends is None else sends
    return [_looked_for(outbox, one) if one.status in ("unknown", "sending") else one for one in wanted]


def _looked_for(outbox: Outbox, send: Send) -> Send:
    try:
        messages, complete = _messages_since(outbox, send)
    except LinqError as error:
        found = rules.Match("ambiguous", f"the chat could not be read: {error}")
    else:
        known = outbox.journal.message_ids(send.chat_id) - {send.message_id or ""}
        found = rules.match(send, messages, known, now=outbox.now(), timeout_s=outbox.client.timeout, complete=complete)
    at = outbox.now()
    if found.message is None:
        seen = Event(send_id=send.send_id, at=at, source="reconcile", status="unknown")
    else:
        seen = _event(send, found.message, "reconcile", at)
        seen = dataclasses.replace(seen, status=seen.status or "queued")
    seen = dataclasses.replace(seen, reconcile_result=found.result, body={"evidence": found.evidence})
    return outbox.journal.observe(seen) or send


def _messages_since(outbox: Outbox, send: Send) -> tuple[list[Message], bool]:
    """Read a chat's messages; complete when the list ended, which alone is sure, its order being undocumented."""
    found = list(outbox.client.messages(send.chat_id, limit=MAX_MESSAGES))
    start = rules.window_start(send) or datetime.min.replace(tzinfo=UTC)
    reached = len(found) < MAX_MESSAGES or any(m.created_at and m.created_at < start for m in found)
    return sorted(found, key=lambda m: m.created_at or start), reached


def _event(send: Send, message: Message, source: str, at: datetime) -> Event:
    return Event(
        send_id=send.send_id,
        at=at,
        source=source,
        status=message.delivery_status,
        message_id=message.message_id,
        service=message.service,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
        read_at=message.read_at,
    )


def resolve(outbox: Outbox, send: Send, outcome: Literal["sent", "not_sent"], reason: str) -> Send:
    """Settle a send by a person's word."""
    now = outbox.journal.get(send.send_id)
    if outcome not in ("sent", "not_sent"):
        raise LinqError(f'resolve takes "sent" or "not_sent", not {outcome!r}; nothing was changed')
    if not reason.strip():
        raise LinqError("resolve wants the reason, which the journal keeps; nothing was changed")
    if now is None or now.status not in ("unknown", "sending"):
        raise LinqError(f"only an unknown send can be resolved; this one is {now.status if now else 'not known'}")
    settled = dataclasses.replace(now, status=outcome, checked_at=outbox.now())
    told = Event(send_id=now.send_id, at=outbox.now(), source="resolve", status=outcome, body={"reason": reason})
    outbox.journal.replace(settled, told)
    return settled
