"""Webhooks: which events are due, what they say in both payload versions, and how they are signed."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from heapq import heappop, heappush
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from . import lifecycle, shapes
from .clock import stamp
from .state import Message, State, Subscription
from .wire import Json

NEW, OLD = "2026-02-03", "2025-01-01"
PARTNER = "demo-partner"

_KINDS = {
    "message": "sent received read delivered failed edited",
    "reaction": "added removed",
    "poll": "received failed sent delivered read updated vote.added vote.removed reaction.added",
    "participant": "added removed",
    "chat": "created group_name_updated group_icon_updated group_name_update_failed group_icon_update_failed "
    "background_updated background_update_failed typing_indicator.started typing_indicator.stopped",
    "phone_number": "status_updated assigned released forwarding_updated",
    "contact_card": "received created updated deleted",
    "call": "initiated ringing answered ended failed declined no_answer",
    "location": "sharing.started sharing.stopped",
    "payment": "succeeded canceled expired declined authorized",
    "connection": "created revoked",
    "zero_day_retention": "updated",
    "environment": "line_moved created renamed deleted",
    "api_token": "created renamed expiry_scheduled expired activated deleted",
    "webhook_subscription": "created deleted target_url_changed enabled disabled events.updated "
    "phone_numbers.updated routing_headers_set routing_headers_cleared",
    "team_member": "added signed_in signed_out",
}
#: The event types that Linq's SDK 0.65 knows. The demo takes others too, and has messages' and subscriptions' own.
EVENT_TYPES = tuple(f"{kind}.{what}" for kind, words in _KINDS.items() for what in words.split())


class Delivery(NamedTuple):
    """One webhook as it goes to its target."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Due:
    """One event for one subscription, not signed yet."""

    event_id: str
    event_type: str
    subscription: Subscription
    body: bytes


def schedule(state: State, message: Message) -> None:
    """Schedule all events of a message."""
    for at, event_type in lifecycle.events(message):
        event_id = state.ids.uuid("event", message.id, event_type)
        heappush(state.upcoming, (at, event_id, event_type, message))


def collect(state: State) -> list[Due]:
    """Take the events that are due by the world's clock, oldest first, each once for each subscription."""
    due = list(_of_account(state))
    now = state.clock.world_now()
    while state.upcoming and state.upcoming[0][0] <= now:
        at, event_id, event_type, message = heappop(state.upcoming)
        for target in state.subscriptions.values():
            if _wants(target, event_type, message, at):
                due.append(Due(event_id, event_type, target, _body(state, target, event_type, event_id, message, at)))
    return due


def _wants(target: Subscription, event_type: str, message: Message | None, at: datetime) -> bool:
    return (
        target.is_active
        and target.created_at <= at
        and event_type in target.subscribed_events
        and (message is None or not target.phone_numbers or message.chat.line.number in target.phone_numbers)
    )


def note_change(state: State, item: Subscription, what: str, at: datetime) -> None:
    """Schedule the event of a change to a subscription: created, deleted, enabled or disabled."""
    event_type = f"webhook_subscription.{what}"
    place = urlsplit(item.target_url)._replace(query="", fragment="").geturl()
    data: Json = {
        "summary": f"Webhook subscription {what}",
        "occurred_at": stamp(at, 3),
        "actor": {"type": "api"},
        "origin": "api",
        "webhook_subscription": {"id": item.id, "target_url": place}
        | ({"events": list(item.subscribed_events)} if what == "created" else {}),
    }
    key = (event_type, item.id)
    state.account_events.append((at, state.ids.uuid("event", *key, state.count("event", *key)), event_type, data))


def _of_account(state: State) -> Iterator[Due]:
    """Give the events of changes to subscriptions, each once for each subscription that wants them."""
    events, state.account_events = state.account_events, []
    for at, event_id, event_type, data in events:
        for target in state.subscriptions.values():
            if _wants(target, event_type, None, at):
                trace_id = state.ids.hex("trace", event_id)[:32]
                body = envelope(_version(target), event_type, event_id, at, trace_id, data)
                yield Due(event_id, event_type, target, body)


def _version(target: Subscription) -> str:
    """Give the form of a subscription's payloads: `?version=` chooses it, else it is the newest (linq docs)."""
    return OLD if parse_qs(urlsplit(target.target_url).query).get("version") == [OLD] else NEW


def is_local(url: str) -> bool:
    """Return whether a target is on this machine; the demo posts to no other."""
    try:
        return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def sign(due: Due, at: datetime) -> Delivery:
    """Sign one event, as Standard Webhooks and in Linq's older way."""
    secret, seconds = due.subscription.secret, str(int(at.timestamp()))
    key = b64decode(secret.removeprefix("whsec_"))
    standard = hmac.digest(key, f"{due.event_id}.{seconds}.".encode() + due.body, "sha256")
    headers = {
        "Content-Type": "application/json",
        "webhook-id": due.event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": "v1," + b64encode(standard).decode(),
        "X-Webhook-Event": due.event_type,
        "X-Webhook-Subscription-ID": due.subscription.id,
        "X-Webhook-Timestamp": seconds,
        "X-Webhook-Signature": hmac.new(secret.encode(), f"{seconds}.".encode() + due.body, sha256).hexdigest(),
    }
    return Delivery(due.subscription.target_url, headers, due.body)


def _body(state: State, target: Subscription, event_type: str, event_id: str, message: Message, at: datetime) -> bytes:
    """Write the payload of one event."""
    payload_version = _version(target)
    if event_type == "message.failed":
        data = failure(message, at)
    elif payload_version == OLD:
        data = _old_data(state, message, event_type, at)
    else:
        data = _new_data(state, message, at)
    return envelope(payload_version, event_type, event_id, at, message.trace_id, data)


def envelope(payload_version: str, event_type: str, event_id: str, at: datetime, trace_id: str, data: Json) -> bytes:
    """Write the payload of one event: the fields that all events share, around `data`."""
    event = {
        "api_version": "v3",
        "webhook_version": payload_version,
        "event_type": event_type,
        "event_id": event_id,
        "created_at": stamp(at, 9),
        "trace_id": trace_id,
        "partner_id": PARTNER,
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _new_data(state: State, message: Message, at: datetime) -> Json:
    chat = message.chat
    data: Json = {
        "id": message.id,
        "chat": {
            "id": chat.id,
            "is_group": chat.is_group,
            "owner_handle": shapes.handle(chat.me),
            "health_status": shapes.health(state, chat),
        },
        "direction": "outbound" if message.is_from_me else "inbound",
        "sender_handle": shapes.handle(message.sender),
        "parts": shapes.parts(state, message, at, reactions=False),
        **shapes.times(message, at),
        "service": message.carrier,
        "preferred_service": message.preferred_service,
        "idempotency_key": message.idempotency_key,
        "effect": None,
        "reply_to": None,
    }
    return data | ({"zero_retention": True} if chat.person.zero_retention else {})


def _old_data(state: State, message: Message, event_type: str, at: datetime) -> Json:
    """Give the 2025-01-01 form: the message nested, times of receipts repeated on top (linq docs)."""
    times = shapes.times(message, at)
    data: Json = {
        "chat_id": message.chat.id,
        "from": message.sender.handle,
        "from_handle": shapes.handle(message.sender),
        "recipient_handle": None if message.is_from_me else shapes.handle(message.chat.me),
        "is_from_me": message.is_from_me,
        "is_group": message.chat.is_group,
        "service": message.carrier,
        "preferred_service": message.preferred_service,
        "idempotency_key": message.idempotency_key,
        "received_at": None if message.is_from_me else stamp(message.created_at),
        "message": {
            "id": message.id,
            "parts": shapes.parts(state, message, at, reactions=False),
            **times,
            "is_delivered": times["delivered_at"] is not None,
            "is_read": times["read_at"] is not None,
            "effect": None,
            "reply_to": None,
        },
    }
    receipt = event_type.removeprefix("message.") + "_at"
    if receipt in ("delivered_at", "read_at"):
        data |= {"message_id": message.id, receipt: times[receipt]}
    return data


def failure(message: Message, at: datetime) -> Json:
    """Give the data of `message.failed`, the same in both forms."""
    code, reason = message.failure or lifecycle.FINAL
    return {
        "chat_id": message.chat.id,
        "message_id": message.id,
        "code": code,
        "reason": reason,
        "failed_at": stamp(at, 6),
        "detail_code": 42,
        "service": message.carrier,
        "preferred_service": message.preferred_service,
    }
