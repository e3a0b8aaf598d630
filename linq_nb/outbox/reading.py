"""Reading back: delivery status, and looking in the chat for a memo whose answer was lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from linq_nb import rules
from linq_nb.errors import LinqError
from linq_nb.model import Chat, Event, Message, Send
from linq_nb.outbox import asking

if TYPE_CHECKING:
    from linq_nb.outbox.core import Outbox

MAX_MESSAGES = 1000
"""How far back a chat is read: far more than anybody writes while a request is under way."""


def refresh(outbox: Outbox, sends: Sequence[Send] | None, *, settled: bool = False) -> list[Send]:
    """Ask for the status of each send that Linq may still tell more of; the others are returned as they are."""
    wanted = followed(outbox, settled=settled) if sends is None else as_they_stand(outbox, sends)
    asked = asking.Asking(outbox, askable(outbox, wanted, settled=settled)).run()
    asked.raise_error()
    return as_they_stand(outbox, wanted)


def followed(outbox: Outbox, *, settled: bool = False) -> list[Send]:
    """Return the journal's sends of which Linq may still tell more."""
    return askable(outbox, outbox.journal.sends() if settled else outbox.journal.moving(), settled=settled)


def as_they_stand(outbox: Outbox, sends: Sequence[Send]) -> list[Send]:
    """Return these sends as the journal has them now: webhooks and other notebooks write to it too."""
    now = outbox.journal.some(one.send_id for one in sends)
    return [now.get(one.send_id, one) for one in sends]


def askable(outbox: Outbox, sends: Iterable[Send], *, settled: bool = False) -> list[Send]:
    """Return those that this outbox may ask for: a journal can hold sends of the demo or another Linq too."""
    here = outbox.client.base_url
    return [one for one in sends if one.base_url == here and rules.may_be_asked(one, settled=settled)]


def messages(outbox: Outbox, chats: Iterable[Chat | str] | None) -> list[Message]:
    """Read the messages of chats, several chats at a time; of those in the journal if none are given."""
    if chats is None:
        chats = outbox.journal.chat_ids(outbox.client.base_url)
    found_chats = [outbox.find_chat(one) for one in chats]
    wanted = list(dict.fromkeys((one.chat_id if isinstance(one, Chat) else one).lower() for one in found_chats))
    workers = 1 if outbox.demo is not None else asking.WORKERS
    pool = ThreadPoolExecutor(workers, "linq_nb messages")
    try:
        lists = list(pool.map(lambda chat_id: list(outbox.client.messages(chat_id)), wanted))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    found = {one.message_id: one for some in lists for one in some}
    return sorted(found.values(), key=lambda one: (one.created_at is None, one.created_at, one.message_id))


def reconcile(outbox: Outbox, sends: list[Send] | None) -> list[Send]:
    """Look for each unknown or orphaned send in its chat."""
    unclear = {one.send_id: one for one in (*outbox.journal.sends(status="unknown"), *outbox.journal.orphans())}
    if sends is None:
        return [_looked_for(outbox, one) for one in unclear.values()]
    return [
        _looked_for(outbox, unclear[one.send_id]) if one.send_id in unclear else outbox.journal.get(one.send_id) or one
        for one in sends
    ]


def _looked_for(outbox: Outbox, send: Send) -> Send:
    try:
        messages, complete = _messages_since(outbox, send)
    except LinqError as error:
        found = rules.Match("ambiguous", f"the chat could not be read: {error}")
    else:
        rivals, under_way = outbox.journal.unplaced(send.base_url, send.chat_id)  # asked after the chat was read
        found = rules.match(
            send,
            messages,
            outbox.journal.message_ids(send.chat_id) - {send.message_id or ""},
            rivals=[one for one in rivals if one.send_id != send.send_id],
            under_way=under_way - {send.send_id},
            now=outbox.now(),
            timeout_s=outbox.client.timeout,
            complete=complete,
            ahead=outbox.client.clock_ahead,
        )
    at = outbox.now()
    if found.message is None:
        seen = Event(send_id=send.send_id, at=at, source="reconcile", status="unknown")
    else:
        seen = asking.event_of(send, found.message, "reconcile", at)
        seen = dataclasses.replace(seen, status=seen.status or "queued")
    seen = dataclasses.replace(seen, reconcile_result=found.result, body={"evidence": found.evidence})
    return outbox.journal.observe(seen) or send


def _messages_since(outbox: Outbox, send: Send) -> tuple[list[Message], bool]:
    """Read a chat's messages; complete when the list ended, or plainly runs back in time beyond the request.

    The order of the list is not documented, so one old message says nothing of what comes after it.
    """
    found = list(outbox.client.messages(send.chat_id, limit=MAX_MESSAGES))
    if len(found) < MAX_MESSAGES:
        return found, True
    times = [one.created_at for one in found if one.created_at]
    runs_back = len(times) == len(found) and all(later >= one for later, one in pairwise(times))
    start = rules.window_start(send, outbox.client.clock_ahead)
    return found, runs_back and start is not None and times[-1] < start


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
    if not outbox.journal.replace(settled, told, was=now.status):
        raise LinqError("this send has just changed; nothing was changed by this; look at it again")
    return settled
