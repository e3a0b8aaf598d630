"""A delivery as an Event: verified, or parsed without a signature."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from linq_nb import storable, wire
from linq_nb.errors import WebhookError
from linq_nb.model import Event
from linq_nb.webhooks.signature import MAX_AGE_S, Scheme, Secrets, check_signature


def verify(
    body: bytes | str,
    headers: Any,
    secret: Secrets,
    *,
    scheme: Scheme = "standard",
    now: datetime | None = None,
    max_age_s: float | None = MAX_AGE_S,
) -> Event:
    """Return the event of a delivery that Linq signed with ``secret`` (or one of several).

    ``body`` is the raw body; ``headers`` a mapping or a list of pairs, in any case of letters. The age is counted from
    ``now``, else from the computer's clock; ``max_age_s`` None leaves it unchecked.
    Raises WebhookError for a delivery that is not Linq's, SettingsError for an invalid secret.
    """
    signed = check_signature(body, headers, secret, scheme=scheme, now=now, max_age_s=max_age_s)
    return _event(signed.text, signed.at, signed.webhook_id)


def parse(payload: Mapping[str, Any] | str | bytes, *, at: datetime | None = None) -> Event:
    """Return the event of a payload that was verified before.

    ``at`` replaces a missing ``created_at``. Raises WebhookError when the payload is no event.
    """
    try:
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    except (TypeError, ValueError, RecursionError):
        raise _no_event("not JSON") from None
    return _event(text, at, None)


def _event(text: str | bytes, at: datetime | None, webhook_id: str | None) -> Event:
    """Read a payload; an event without an id gets the webhook id, else the hash of its content."""
    try:
        raw = storable.loads(text)
    except ValueError:
        raise _no_event("not JSON") from None
    if not isinstance(raw, dict):
        raise _no_event(f"a JSON {type(raw).__name__}, not an object")
    at = wire.time_of(raw, "created_at") or at
    if at is None:
        raise _no_event("no 'created_at'")
    try:
        event = wire.webhook(raw, at)
    except wire.Unreadable as error:
        raise _no_event(str(error)) from None
    return dataclasses.replace(
        event,
        event_id=_short_id(event.event_id or webhook_id or _hash(text)),
        chat_id=event.chat_id and _short_id(event.chat_id),
        trace_id=event.trace_id and _short_id(event.trace_id),
    )


def _short_id(text: str) -> str:
    """Return an id, a longer one than any of Linq's as its hash: databases limit the length of an index."""
    return text if len(text) <= storable.MAX_ID else _hash(text)


def _hash(text: str | bytes) -> str:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _no_event(reason: str) -> WebhookError:
    return WebhookError(
        f"the body of the webhook is not an event ({reason}); the webhook was ignored; give the body as it arrived",
        reason="body",
    )
