"""Reconciling: looking in the chat for a memo whose answer was lost, and settling a send by a person's word."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from linq_nb import rules
from linq_nb.errors import LinqError, problem_of
from linq_nb.model import Event, Message, Send
from linq_nb.outbox.poll import event_of
from linq_nb.session import Session
from linq_nb.status import UNCLEAR_STATUSES

MAX_MESSAGES = 1000
"""How far back a chat is read: far more than anybody writes while a request is under way."""


def reconcile(session: Session, sends: list[Send] | None) -> list[Send]:
    """Look for each unknown or orphaned send in its chat."""
    journal = session.journal
    every = (*journal.sends(status="unknown"), *journal.orphans())
    unclear = {send.send_id: send for send in session.own(every)}
    if sends is None:
        return [_look_for(session, send) for send in unclear.values()]
    return [
        _look_for(session, unclear[send.send_id]) if send.send_id in unclear else journal.get(send.send_id) or send
        for send in sends
    ]


def _look_for(session: Session, send: Send) -> Send:
    """Read the chat of a send and journal what that shows; returns the send as it then stands."""
    try:
        messages, read = _read_chat(session, send)
    except LinqError as error:
        match = rules.Match("ambiguous", f"the chat could not be read: {problem_of(error)}")
    else:
        # asked after the chat was read
        rivals, under_way = session.journal.without_message_id(send.base_url, send.chat_id)
        match = rules.match(
            send,
            messages,
            session.journal.message_ids(send.chat_id) - {send.message_id or ""},
            rivals=[rival for rival in rivals if rival.send_id != send.send_id],
            under_way=under_way - {send.send_id},
            read=read,
            timeout_s=session.client.timeout,
        )
    at = session.now()
    if match.message is None:
        event = Event(send_id=send.send_id, at=at, source="reconcile", status="unknown")
    else:
        event = event_of(send, match.message, "reconcile", at)
        event = dataclasses.replace(event, status=event.status or "queued")
    event = dataclasses.replace(event, reconcile_result=match.result, body={"evidence": match.evidence})
    return session.journal.observe(event) or send


def _read_chat(session: Session, send: Send) -> tuple[list[Message], rules.ListRead]:
    """Read a chat's messages, and how the clocks stand while they are read."""
    asked_at, seconds, times = session.now(), session.seconds_since_mark(send), list[datetime | None]()
    by_wall = asked_at - (send.posted_at or asked_at)
    others: list[Message] = []
    messages = list(session.client.messages(send.chat_id, limit=MAX_MESSAGES, times=times, others=others))
    skew, skew_then = session.client.skew(session.now()), None
    if skew is not None and seconds is not None:
        skew_then = skew.shifted(by_wall - timedelta(seconds=seconds))
    as_of = min((time for time in times if time), default=None) if all(times) else None
    read = rules.ListRead(as_of, skew, by_wall.total_seconds() if seconds is None else seconds, skew_then=skew_then)
    is_complete = not others and _is_complete(messages, read.window_start(send))
    return messages, dataclasses.replace(read, is_complete=is_complete)


def _is_complete(messages: list[Message], start: datetime | None) -> bool:
    """Whether a chat's list ended, or plainly runs back in time beyond the start of the window.

    The order of the list is not documented, so one old message says nothing of what comes after it.
    """
    if len(messages) < MAX_MESSAGES:
        return True
    times = [message.created_at for message in messages if message.created_at]
    runs_back = len(times) == len(messages) and all(later >= earlier for later, earlier in pairwise(times))
    return runs_back and start is not None and times[-1] < start


def resolve(session: Session, send: Send, outcome: Literal["sent", "not_sent"], reason: str) -> Send:
    """Settle an unclear send by a person's word."""
    current = session.journal.get(send.send_id)
    if outcome not in ("sent", "not_sent"):
        raise LinqError(
            f'resolve takes "sent" or "not_sent", not {outcome!r}; nothing was changed; give one of the two'
        )
    if not reason.strip():
        raise LinqError('resolve needs the reason, which the journal keeps; nothing was changed; give reason="..."')
    if current is not None and session.journal.is_held(current.send_id):
        raise LinqError(
            "this memo is being sent right now by another cell, notebook or process; nothing was changed; wait until "
            "it is done, then look at outbox.sends()"
        )
    if current is None or current.status not in UNCLEAR_STATUSES:
        status = current.status if current else "not in the journal"
        raise LinqError(
            f"only an unknown send can be resolved, and this one is {status}; nothing was changed; "
            "outbox.sends('unknown') lists those that can"
        )
    _refuse_under_way(session, current)
    at = session.now()
    settled = dataclasses.replace(current, status=outcome, checked_at=at)
    event = Event(send_id=current.send_id, at=at, source="resolve", status=outcome, body={"reason": reason})
    if not session.journal.replace(settled, event, was=current.status):
        raise LinqError(
            "another notebook has just changed this send; your outcome was not recorded; look at outbox.sends(), then "
            "resolve it again"
        )
    return settled


def _refuse_under_way(session: Session, send: Send) -> None:
    """Refuse a send whose owner ended without an outcome, as long as its request may still arrive."""
    has_ended = send.error_message is not None  # its owner wrote that down
    seconds = session.seconds_since_mark(send)
    if seconds is None:
        seconds = (session.now() - (send.posted_at or session.now())).total_seconds()
    left_s = session.client.timeout + rules.SETTLE.total_seconds() - seconds
    if send.posted_at is not None and not has_ended and left_s > 0:
        raise LinqError(
            f"this memo may still be on its way: the process that sent it ended without an answer; nothing was changed"
            f"; wait {left_s:.0f} s, then look with outbox.reconcile()"
        )
