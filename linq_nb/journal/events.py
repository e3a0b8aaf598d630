"""Observations of sends: reports of answers, polls, webhooks and people, and what follows for the send.

A webhook may come before the answer to the POST is written, when its message id is in no row yet. Such an
event waits (``waits`` is 1) until a send learns its message id, or until no send is under way any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from linq_nb.journal.engine import Database, Room
from linq_nb.journal.prepared import Prepared, PreparedByColumns, bound
from linq_nb.journal.schema import EVENTS, SENDS, events, has_no_send, is_waiting, sends
from linq_nb.model import Event, Send
from linq_nb.status import NO_MESSAGE_STATUSES, UNCLEAR_STATUSES

EVENTS_LOCK = "webhooks"
"""Advisory lock, taken before any row lock, so that two writers of observations cannot deadlock."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """A webhook event as it is in the journal; ``is_new`` False when it was there before."""

    event: Event
    is_new: bool

    @property
    def is_ours(self) -> bool:
        """Whether it is about a send of this journal."""
        return bool(self.event.send_id)

    @property
    def result(self) -> str:
        """The count under which it falls: "new", "not_ours" (new, about no send of this journal) or "repeated"."""
        return "repeated" if not self.is_new else "new" if self.is_ours else "not_ours"


class MessageTaken(Exception):
    """A send was to get the message id that another send has; nothing was written."""


# --- statements ---

_send_id = sa.bindparam("its_send_id", type_=sa.Text)
_message_id = sa.bindparam("its_message_id", type_=sa.Text)
_base_url = sa.bindparam("its_base_url", type_=sa.Text)
_trace_id = sa.bindparam("its_trace_id", type_=sa.Text)
_chat_id = sa.bindparam("its_chat_id", type_=sa.Text)
_event_no = sa.bindparam("its_event_no", type_=sa.Integer)


def _is_of_chat(chat_id: Any) -> sa.ColumnElement[bool]:
    """Whether a send is to this chat; an event may leave its chat out."""
    return sa.or_(chat_id.is_(None), sends.c.chat_id == chat_id)


def _has_trace(trace_id: Any, chat_id: Any) -> sa.ColumnElement[bool]:
    return sa.and_(sends.c.trace_id == trace_id, _is_of_chat(chat_id))


_is_unknown = sends.c.status == "unknown"
_was_posted = sends.c.status.not_in(NO_MESSAGE_STATUSES)
_is_under_way = sends.c.status.in_(UNCLEAR_STATUSES)

_SEND = sa.select(*SENDS.columns).where(sends.c.send_id == _send_id)
_BY_MESSAGE = (
    sa.select(sends.c.send_id).where(sends.c.message_id == _message_id, _is_of_chat(_chat_id)).order_by(sends.c.send_no)
)
_ANOTHERS_MESSAGE = sa.select(sends.c.send_no).where(
    sends.c.message_id == _message_id, sends.c.base_url == _base_url, sends.c.send_id != _send_id
)
_BY_TRACE = sa.select(sends.c.send_id, sends.c.status).where(_has_trace(_trace_id, _chat_id), _is_unknown)
_BY_TRACE_ALONE = sa.select(sends.c.send_id, sends.c.status).where(_has_trace(_trace_id, _chat_id), _was_posted)
_UNDER_WAY = sa.select(sends.c.send_no).where(_is_under_way, _is_of_chat(_chat_id)).limit(1)
_WITHOUT_SEND = (
    sa.select(*EVENTS.columns, events.c.event_no)
    .where(has_no_send, events.c.message_id == _message_id, events.c.chat_id.is_(None) | (events.c.chat_id == _chat_id))
    .order_by(events.c.event_no)
)
_ANY_WAITING = sa.select(events.c.event_no).where(is_waiting).limit(1)
_ALL_UNDER_WAY = sa.select(
    sends.c.send_id, sends.c.chat_id, sends.c.message_id, sends.c.trace_id, sends.c.status
).where(_is_under_way)
_IN_VAIN = sa.select(events.c.event_no).where(
    is_waiting,
    ~sa.exists().where(_is_under_way, _is_of_chat(events.c.chat_id)),
)
_of_same_trace = sa.and_(_has_trace(events.c.trace_id, events.c.chat_id), events.c.status.is_not(None))
_ARRIVED = tuple(
    sa.select(*EVENTS.columns, events.c.event_no, sends.c.send_id.label("its_send_id"), sends.c.status.label("was"))
    .where(is_waiting, condition)
    .order_by(events.c.event_no)
    for condition in (
        sa.and_(sends.c.message_id == events.c.message_id, _is_of_chat(events.c.chat_id)),
        sa.and_(_of_same_trace, _is_unknown),
        sa.and_(_of_same_trace, _was_posted, events.c.message_id.is_(None)),
    )
)
"""Waiting events with the sends that they belong to: those with the same message id, those of unknown outcome with the
same trace id, and those with the same trace id where the event has no message id."""

_UPDATE_SEND = sends.update().where(sends.c.send_id == _send_id)
_UPDATE_EVENT = events.update().where(events.c.event_no == _event_no)


_LOOK_AT_ALL_S = 60.0
"""Time in seconds after which all waiting events are looked at again: another process may have changed any send."""

_MANY = 1000
"""Sends that one statement names at most."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at the waiting events: the newest event and the sends under way at that time.

    An event that waited then can only belong to one of these sends, since no event comes before its message is sent.
    """

    newest: int
    under_way: Mapping[str, Any]
    at: float

    def changed(self, now: _Look) -> list[Any]:
        """Return the sends that were under way and are not, or know more by now."""
        return [row for row in self.under_way.values() if now.under_way.get(row.send_id) != row]


class Observations(Room):
    """Writes what was observed, and what follows for the sends by the rank rule (``Send.observed``)."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._insert_event = PreparedByColumns(
            lambda names: database.insert_if_new(events).values(bound(events, names)), database.engine.dialect
        )
        self._anothers_message = Prepared(_ANOTHERS_MESSAGE, database.engine.dialect)
        self._last_look: _Look | None = None  # of a transaction that was committed

    def _log(self, db: sa.Connection, observed: Iterable[Event]) -> None:
        """Write events as they are, and nothing else."""
        for event in observed:
            self._insert_event.run(db, EVENTS.filled(event))

    def _is_anothers(self, db: sa.Connection, send: Send, message_id: str) -> bool:
        """Whether another send to the same Linq has this message; no other transaction can give it one meanwhile."""
        self.database.lock(db, "message", send.base_url, message_id)
        wanted = {"its_message_id": message_id, "its_base_url": send.base_url, "its_send_id": send.send_id}
        return bool(self._anothers_message.rows(db, wanted))

    def note(self, *observed: Event) -> None:
        """Write what was observed and leave the send as it is, since another owner has it now."""
        with self.database.write() as db:
            self._log(db, observed)

    def observe(self, *observed: Event) -> Send | None:
        """Write what was observed of a send and what follows for it by the rank rule; returns it as it is then."""
        send = None
        with self.database.write(EVENTS_LOCK) as db:
            self.database.lock_rows(db, sends, sends.c.send_id.in_({event.send_id for event in observed}))
            for event in observed:
                written, event_as_written = self._apply(db, event)
                self._log(db, [event_as_written])
                send = written or send
        return send

    def ingest(self, *received: Event) -> list[Ingested]:
        """Write webhook events, each once by its ``event_id``, and what follows for their sends by the rank rule.

        An event belongs to the send with its message id, or else to a send of unknown outcome with its trace id. An
        event of no send is kept with an empty ``send_id`` and joins its send as soon as that learns its message id: an
        event may come before the answer to the POST is written.
        """
        in_one_order = sorted(range(len(received)), key=lambda n: str(received[n].event_id))  # prevents deadlocks
        with self.database.write(EVENTS_LOCK) as db:
            look = self._adopt(db)
            ingested = {n: self._ingest(db, received[n]) for n in in_one_order}
        self._last_look = look
        return [ingested[n] for n in range(len(received))]

    def _adopt(self, db: sa.Connection) -> _Look | None:
        """Give waiting events to their sends where the journal can tell them by now.

        Events that no send under way can belong to wait no longer. Looks only at what may have changed since the last
        look; returns this look, for the time after the commit.
        """
        if db.execute(_ANY_WAITING).first() is None:
            return self._last_look
        self.database.lock(db, EVENTS_LOCK)
        # queried first: an answer that is written meanwhile is seen below
        under_way = {row.send_id: row for row in db.execute(_ALL_UNDER_WAY)}
        look = _Look(EVENTS.last(db), under_way, time.monotonic())
        of_events, of_sends = self._changed_since(look)
        in_vain = {number for part in of_events for number in db.execute(_IN_VAIN.where(part)).scalars()}
        arrived = [row for part in of_sends for query in _ARRIVED for row in db.execute(query.where(part)).all()]
        self.database.lock_rows(db, sends, sends.c.send_id.in_({row.its_send_id for row in arrived}))
        for row in arrived:
            event = _of_send(EVENTS.make(row), row.its_send_id, row.was)
            self._apply(db, event)
            self._settle(db, row.event_no, send_id=event.send_id, reconcile_result=event.reconcile_result)
        if in_vain := in_vain - {row.event_no for row in arrived}:
            db.execute(_UPDATE_EVENT.values(waits=None), [{"its_event_no": number} for number in sorted(in_vain)])
        return look

    def _changed_since(self, look: _Look) -> tuple[list[sa.ColumnElement[bool]], list[sa.ColumnElement[bool]]]:
        """Return what changed since the last look: events that may wait in vain, and sends and events that may fit."""
        last = self._last_look
        if last is None or look.at - last.at > _LOOK_AT_ALL_S:
            return [sa.true()], [sa.true()]
        changed = last.changed(look)
        if len(changed) > _MANY:
            return [sa.true()], [sa.true()]
        is_new = events.c.event_no > last.newest
        of_events, of_sends = [is_new], [is_new]
        if changed:
            of_sends.append(sends.c.send_id.in_([row.send_id for row in changed]))
            chats = {row.chat_id for row in changed} - {row.chat_id for row in look.under_way.values()}
            of_events.append(events.c.chat_id.in_(chats))
            if not look.under_way:
                of_events.append(events.c.chat_id.is_(None))
        return of_events, of_sends

    def _settle(self, db: sa.Connection, event_no: int, **values: Any) -> None:
        """Let an event wait no longer."""
        db.execute(_UPDATE_EVENT, {"its_event_no": event_no, "waits": None, **values})

    def _apply(self, db: sa.Connection, event: Event) -> tuple[Send | None, Event]:
        """Write what follows of an event for its send; with a message id it also adopts the events of that message.

        Returns the send as it is then, None when it is not there, and the event: one of another message changes nothing
        and only says so.
        """
        row = db.execute(_SEND, {"its_send_id": event.send_id}).first()
        if row is None:
            return None, event
        before: Send = SENDS.make(row)
        event = self._of_its_message(db, before, event)
        send = before.observed(event)
        if send.message_id != before.message_id:
            wanted = {"its_message_id": send.message_id, "its_chat_id": send.chat_id}
            for early in db.execute(_WITHOUT_SEND, wanted).all():
                send = send.observed(EVENTS.make(early))
                self._settle(db, early.event_no, send_id=send.send_id)
        db.execute(_UPDATE_SEND, {**SENDS.values(send), "its_send_id": event.send_id})
        return send, event

    def _of_its_message(self, db: sa.Connection, send: Send, event: Event) -> Event:
        """Return an event that may change a send: as it is, or without its facts when its message is not the send's."""
        if event.message_id is None or event.message_id.lower() == (send.message_id or "").lower():
            return event
        if send.message_id is not None and event.source != "post":
            return _refused(event, "the send has another message")
        if self._is_anothers(db, send, event.message_id):
            return _refused(event, "another send has this message")
        return event

    def _ingest(self, db: sa.Connection, received: Event) -> Ingested:
        """Write one webhook event, unless it is there already."""
        event = self._with_send(db, received)
        may_wait = not event.send_id and self._is_send_under_way(db, received)
        if not event.send_id and not may_wait:
            event = self._with_send(db, received)  # the answer may have been written between the two queries
        row = EVENTS.filled(event) | ({"waits": 1} if may_wait else {})
        if self._insert_event.run(db, row).rowcount != 1:
            return Ingested(event, is_new=False)
        if event.send_id:
            self.database.lock_rows(db, sends, sends.c.send_id == event.send_id)
            self._apply(db, event)
        return Ingested(event, is_new=True)

    def _with_send(self, db: sa.Connection, event: Event) -> Event:
        """Return the event with the send that it belongs to; a send of unknown outcome is found by its trace id."""
        if event.message_id:
            wanted = {"its_message_id": event.message_id, "its_chat_id": event.chat_id}
            send_id = db.execute(_BY_MESSAGE, wanted).scalar()
            if send_id:
                return replace(event, send_id=send_id)
        if event.trace_id and event.status:
            by_trace = _BY_TRACE if event.message_id else _BY_TRACE_ALONE
            row = db.execute(by_trace, {"its_trace_id": event.trace_id, "its_chat_id": event.chat_id}).first()
            if row is not None:
                return _of_send(event, row.send_id, row.status)
        return event

    def _is_send_under_way(self, db: sa.Connection, event: Event) -> bool:
        """Whether a send is under way that this event may be about."""
        may_belong = bool(event.message_id or (event.trace_id and event.status))
        return may_belong and db.execute(_UNDER_WAY, {"its_chat_id": event.chat_id}).first() is not None


def _of_send(event: Event, send_id: str, was: str) -> Event:
    """Return an event with its send; it also reconciles a send that ``was`` unknown."""
    return replace(event, send_id=send_id, reconcile_result="found" if was == "unknown" else None)


def _refused(event: Event, reason: str) -> Event:
    """Return an event that changes nothing of its send: what it said is evidence, in its body."""
    kept = ("send_id", "at", "source", "http_status", "event_id", "event_type", "chat_id")
    return Event(
        **{name: getattr(event, name) for name in kept},
        status="unknown" if event.reconcile_result else None,
        reconcile_result="ambiguous" if event.reconcile_result else None,
        body={"refused": reason, "message_id": event.message_id, "body": event.body},
    )
