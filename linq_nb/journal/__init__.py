"""The journal: what was meant, claimed, sent and seen, on SQLite or PostgreSQL through SQLAlchemy Core.

Tables: ``sends`` (one row a send key), ``events`` (every observation, raw; each webhook once), ``names`` (which
names stand for the same content), ``attachments`` (what was uploaded), ``meta`` (schema version, the key of hashed
handles). Times are microseconds since 1970 in UTC. A claim holds for its epoch only: each take-over counts it up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import threading
import time
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from linq_nb import rules
from linq_nb.errors import JournalError
from linq_nb.journal import columns
from linq_nb.journal.ledger import (
    KEYS,
    LOCK,
    Codec,
    Ledger,
    Shapes,
    from_json,
    from_micros,
    lock_key,
    to_json,
    to_micros,
    to_words,
)
from linq_nb.model import Event, Send
from linq_nb.status import CLOSED_STATUSES, precedence
from linq_nb.text import mask_text

T = TypeVar("T")

LEASE_S = 20.0
"""How long a claim stays its owner's without a heartbeat, in seconds of the real clock."""


_HOOKS = "webhooks"
"""The lock of whoever changes events that are written: they wait for each other before they hold rows, not after."""

POOL = 16
"""Connections to a server at most, shared by all threads: each is held for a moment, and servers have about 100."""


class Micros(sa.TypeDecorator[datetime]):
    """An aware UTC time as microseconds since 1970: exact, small and the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return to_micros(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return from_micros(value)


class Json(sa.TypeDecorator[Any]):
    """JSON as text, handles as tuples when read."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return to_json(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return from_json(value)


class Words(sa.TypeDecorator[str]):
    """Text of others, without what PostgreSQL cannot keep."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return to_words(value)


_TYPES: dict[str, Any] = {
    "str": Words,
    "str | None": Words,
    "datetime | None": Micros,
    "datetime": Micros,
    "int": sa.Integer,
    "int | None": sa.BigInteger,
    "bool | None": sa.Boolean,
    "tuple[str, ...]": Json,
    "Any": Json,
}


def _columns(record: type, leave: Iterable[str] = ()) -> list[sa.Column[Any]]:
    """Make the columns of a record's fields, so that record and table cannot disagree."""
    return [
        sa.Column(one.name, sa.Text if one.name in KEYS else _TYPES.get(str(one.type), sa.Text))
        for one in dataclasses.fields(record)
        if one.name not in leave
    ]


def _where(condition: sa.ColumnElement[bool]) -> dict[str, Any]:
    """Make an index one of some rows only: what is not in it costs nothing to write."""
    return {"sqlite_where": condition, "postgresql_where": condition}


_PASSING = frozenset({"repeated", "repeated_at"})
"""Fields of a Send that tell of a call, not of the send."""

_meta = sa.MetaData()
meta = sa.Table("meta", _meta, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
sends = sa.Table(
    "sends",
    _meta,
    sa.Column("send_no", sa.Integer, primary_key=True, autoincrement=True),
    *_columns(Send, leave=_PASSING),
    sa.Column("owner", sa.Text),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.BigInteger),
    sa.UniqueConstraint("send_id", name="send_name"),
    sa.UniqueConstraint("chat_id", "content", "copy", "base_url", name="send_key"),
    sa.Index("sends_status", "status"),
    sa.Index("sends_created", "created_at"),
    sa.Index("sends_message", "message_id", **_where(sa.column("message_id").is_not(None))),
)
events = sa.Table(
    "events",
    _meta,
    sa.Column("event_no", sa.Integer, primary_key=True, autoincrement=True),
    *_columns(Event),
    sa.Column("waits", sa.Integer),
    sa.Index("events_send", "send_id"),
)
_of_webhook, _is_loose, _waits = events.c.event_id.is_not(None), events.c.send_id == "", events.c.waits == 1
_webhook_indexes = (
    sa.Index("events_once", events.c.event_id, unique=True, sqlite_where=_of_webhook, postgresql_where=_of_webhook),
    sa.Index("events_loose", events.c.message_id, sqlite_where=_is_loose, postgresql_where=_is_loose),
    sa.Index("events_waiting", events.c.waits, sqlite_where=_waits, postgresql_where=_waits),
)
"""An event is written once; one that belongs to no known send is found by its message; one that may yet, by itself."""
names = sa.Table(
    "names",
    _meta,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Index("names_content", "content"),
)
attachments = sa.Table(
    "attachments",
    _meta,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("attachment_id", sa.Text, nullable=False),
    sa.Column("uploaded_at", Micros),
)

Migration = Callable[[sa.Connection], None]


def _take_webhooks(db: sa.Connection) -> None:
    """Version 2: webhook events have ids, and the index of message ids holds only those that there are.

    The first step makes new journals whole, so only what lacks is added.
    """
    have = {column["name"] for column in sa.inspect(db).get_columns("events")}
    for column in (events.c.event_id, events.c.event_type, events.c.chat_id, events.c.waits):
        if column.name not in have:
            kind = column.type.compile(db.dialect)
            db.exec_driver_sql(f"ALTER TABLE events ADD COLUMN {column.name} {kind}")
    for index in _webhook_indexes:
        index.create(db, checkfirst=True)
    of_messages = next(one for one in sends.indexes if one.name == "sends_message")
    of_messages.drop(db)
    of_messages.create(db)


MIGRATIONS: tuple[Migration, ...] = (_meta.create_all, _take_webhooks)
"""The steps from each schema version to the next; a journal's version is the number of steps done."""

_SENDS, _EVENTS = Codec(Send, leave=_PASSING), Codec(Event)
_SEND_FIELDS, _EVENT_FIELDS = _SENDS.names, _EVENTS.names
_DATED: Mapping[type, tuple[sa.Table, Codec, str]] = {
    Send: (sends, _SENDS, "created_at"),
    Event: (events, _EVENTS, "at"),
}
"""The records that have a day, with the table that holds them and the column that tells it."""

DAY_US, ONE_DAY, EPOCH_DAY = 86_400_000_000, timedelta(days=1), date(1970, 1, 1)

_KEEP = frozenset({"send_id", "base_url", "content", "copy", "chat_id", "created_at"})


_ITS = frozenset({"its_id", "its_epoch", "its_owner"})


def _same_trace(trace_id: Any, chat_id: Any) -> sa.ColumnElement[bool]:
    return sa.and_(sends.c.trace_id == trace_id, sa.or_(chat_id.is_(None), sends.c.chat_id == chat_id))


_ITS_ID: sa.BindParameter[Any] = sa.bindparam("its_id")
_ITS_NO: sa.BindParameter[Any] = sa.bindparam("its_no")
_ITS_MESSAGE: sa.BindParameter[Any] = sa.bindparam("its_message")
_ITS_TRACE, _ITS_CHAT = (sa.bindparam(name, type_=sa.Text) for name in ("its_trace", "its_chat"))
_UNKNOWN, _WENT = sends.c.status == "unknown", sends.c.status.not_in(("preparing", "not_sent", "rejected"))
_UNDER_WAY = sends.c.status.in_(("sending", "unknown"))
_BY_NAME = sa.select(sends).where(sends.c.send_id == _ITS_ID)
_BY_MESSAGE = sa.select(sends.c.send_id).where(sends.c.message_id == _ITS_MESSAGE).order_by(sends.c.send_no)
_BY_TRACE = sa.select(sends.c.send_id, sends.c.status).where(_same_trace(_ITS_TRACE, _ITS_CHAT), _UNKNOWN)
_BY_TRACE_ALONE = sa.select(sends.c.send_id, sends.c.status).where(_same_trace(_ITS_TRACE, _ITS_CHAT), _WENT)
_IN_FLIGHT = sa.select(sends.c.send_no).where(_UNDER_WAY, _ITS_CHAT.is_(None) | (sends.c.chat_id == _ITS_CHAT)).limit(1)
_LOOSE = sa.select(events).where(_is_loose, events.c.message_id == _ITS_MESSAGE).order_by(events.c.event_no)
_ANY_WAITING = sa.select(events.c.event_no).where(_waits).limit(1)
_IN_VAIN = sa.select(events.c.event_no).where(
    _waits,
    ~sa.exists().where(_UNDER_WAY, events.c.chat_id.is_(None) | (sends.c.chat_id == events.c.chat_id)),
)
_ARRIVED = tuple(
    sa.select(events, sends.c.send_id.label("its_send"), sends.c.status.label("its_status"))
    .where(_waits, *conditions)
    .order_by(events.c.event_no)
    for conditions in (
        [sends.c.message_id == events.c.message_id],
        [_same_trace(events.c.trace_id, events.c.chat_id), events.c.status.is_not(None), _UNKNOWN],
        [_same_trace(events.c.trace_id, events.c.chat_id), events.c.status.is_not(None), _WENT,
         events.c.message_id.is_(None)],
    )
)  # fmt: skip
_SET_SEND = sends.update().where(sends.c.send_id == _ITS_ID)
_SET_EVENT = events.update().where(events.c.event_no == _ITS_NO)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to bring one send forward, as long as nobody took it over (``epoch``); ``send`` as it is written."""

    send: Send
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Ingested:
    """A webhook event as it stands in the journal; ``is_new`` False when it was there before."""

    event: Event
    is_new: bool

    @property
    def is_ours(self) -> bool:
        """Whether it tells of a send of this journal."""
        return bool(self.event.send_id)


class _Sql:
    """The statements that every send needs, written once for the journal's database."""

    def __init__(self, ledger: Ledger) -> None:
        owned = ("owner", "epoch", "lease_until")
        its = (sends.c.send_id == sa.bindparam("its_id")) & (sends.c.epoch == sa.bindparam("its_epoch"))
        fields: dict[str, Any] = {name: sa.bindparam(name) for name in _SEND_FIELDS}
        unsettled = sends.c.status.in_([sa.literal_column(f"'{one}'") for one in ("preparing", "sending", "unknown")])
        mine = its & (sends.c.owner == sa.bindparam("its_owner")) & unsettled
        key = [sends.c[name] == sa.bindparam(name) for name in ("base_url", "chat_id", "content", "copy")]
        row = [sends.c[name] for name in (*_SEND_FIELDS, "epoch", "lease_until")]
        self.insert_send = Shapes(lambda names: ledger.insert_or_leave(sends, names))
        self.insert_event = Shapes(lambda names: ledger.compiled(events.insert(), column_keys=list(names)))
        self.leave_event = Shapes(lambda names: ledger.insert_or_leave(events, names))
        stands = sends.c.status == sa.bindparam("its_status")
        self.take_over = ledger.compiled(
            sends.update().where(its, stands).values(**fields, **{name: sa.bindparam(name) for name in owned})
        )
        self.advance = Shapes(
            lambda names: ledger.compiled(
                sends.update().where(mine).values({n: sa.bindparam(n) for n in names if n not in _ITS})
            )
        )
        self.by_key = ledger.compiled(sa.select(*row).where(*key))
        self.content = ledger.compiled(sa.select(names.c.content).where(names.c.name == sa.bindparam("name")))
        self.unname = ledger.compiled(names.delete().where(names.c.name == sa.bindparam("name")))
        self.name = ledger.compiled(names.insert(), column_keys=["name", "content"])
        known, other = names.alias("known"), names.alias("other")
        same = known.join(other, other.c.content == known.c.content)
        self.linked = ledger.compiled(
            sa.select(other.c.content, other.c.name).select_from(same).where(known.c.name == sa.bindparam("name"))
        )


class Journal:
    """A journal at a URL of SQLAlchemy's form; ``sqlite://`` is one in memory.

    Safe to use from several threads and processes. Raises JournalError when it cannot be opened, read or written.
    """

    def __init__(self, url: str, *, wall: Callable[[], float] = time.time) -> None:
        self.url, self._wall = _parse(url), wall
        self._lock = threading.RLock()
        self._one_writer = self.url.get_backend_name() == "sqlite"
        with _clear("opened", self.label):
            self._engine = _engine(self.url)
            with _disposed_on_failure(self._engine):
                self._migrate()
            self._ledger = Ledger(self._engine, self._lock if self._one_writer else None)
            self._sql = _Sql(self._ledger)

    def __repr__(self) -> str:
        return f"Journal({self.label!r})"

    @property
    def is_local(self) -> bool:
        """Whether it is SQLite, which is in this process."""
        return self._one_writer

    @property
    def in_memory(self) -> bool:
        return self._one_writer and not _file(self.url)

    @property
    def label(self) -> str:
        """The journal's place without a password."""
        if not self._one_writer:
            return self.url.set(query={}).render_as_string(hide_password=True)  # a query can hold a password too
        return "memory" if self.in_memory else str(self.url.database)

    def close(self) -> None:
        with self._locked():  # closing SQLite's connection while another thread uses it would crash the process
            self._engine.dispose()

    # --- claims ---

    def claim(self, wanted: Send, known_as: Sequence[str], owner: str) -> tuple[Send, Claim | None, rules.Next]:
        """Take the send for ``owner`` if it is free, or return it as it stands with what to do about it.

        ``known_as`` are all names of its content; a send of any of them is the same send.
        """
        return self._hot(self._claimed, wanted, known_as or [wanted.content], owner)

    def _claimed(
        self, cursor: Any, wanted: Send, known_as: Sequence[str], owner: str
    ) -> tuple[Send, Claim | None, rules.Next]:
        self._ledger.alone(cursor, "chat", wanted.base_url, wanted.chat_id)
        content, group = self._content(cursor, known_as)
        if len(group) == 1:  # a new send, mostly: nothing to look up
            new = self._claim_new(cursor, wanted, content, owner)
            if new[1] is not None:
                return new
        found = self._row_of(cursor, wanted, group)
        if found is None:
            return self._claim_new(cursor, wanted, content, owner)
        send, epoch, lease = found
        step = rules.next_step(send, lease_over=lease is None or lease <= self._now())
        if step != "send":
            return send, None, step
        return self._claim_again(cursor, send, epoch, owner, wanted)

    def _claim_new(self, cursor: Any, wanted: Send, content: str, owner: str) -> tuple[Send, Claim | None, rules.Next]:
        send = wanted
        if (send.content, send.attempts) != (content, 1):
            send = send.but(content=content, attempts=1)
        row = _SENDS.write_told(send)
        row |= {"owner": owner, "epoch": 1, "lease_until": self._lease()}
        self._sql.insert_send.run(cursor, row)
        if cursor.rowcount != 1:  # another process was quicker
            return send, None, "wait"
        return send, Claim(send, owner, 1), "send"

    def _claim_again(
        self, cursor: Any, send: Send, epoch: int, owner: str, wanted: Send
    ) -> tuple[Send, Claim | None, rules.Next]:
        """Take over a row for another attempt; what the last attempt learnt of its failure is cleared."""
        fresh = wanted.but(
            **{name: getattr(send, name) for name in _KEEP},
            attempts=send.attempts + 1,
            chat_name=wanted.chat_name or send.chat_name,
            is_group=send.is_group if wanted.is_group is None else wanted.is_group,
        )
        row = _SENDS.write(fresh)
        row |= {"owner": owner, "epoch": epoch + 1, "lease_until": self._lease()}
        its = {"its_id": send.send_id, "its_epoch": epoch, "its_status": send.status}
        self._sql.take_over.run(cursor, row | its)
        if cursor.rowcount != 1:
            return send, None, "wait"
        return fresh, Claim(fresh, owner, epoch + 1), "send"

    def advance(self, claim: Claim, send: Send, *observed: Event) -> Claim | None:
        """Write the claimed send with what was observed; None, and nothing written, when the claim is lost.

        A claim is lost when another owner took it over, or when somebody settled the send meanwhile. Returns the
        claim of the send as it now is.
        """
        row = _SENDS.write_changed(send, claim.send)
        row["lease_until"] = self._lease() if send.status in ("preparing", "sending") else None
        row |= {"its_id": send.send_id, "its_epoch": claim.epoch, "its_owner": claim.owner}
        held = self._hot(self._advanced, row, [_EVENTS.write_told(event) for event in observed])
        return Claim(send, claim.owner, claim.epoch) if held else None

    def _advanced(self, cursor: Any, row: Mapping[str, Any], observed: Sequence[Mapping[str, Any]]) -> bool:
        self._sql.advance.run(cursor, row)
        if cursor.rowcount != 1:
            return False
        for event in observed:
            self._sql.insert_event.run(cursor, event)
        return True

    def renew(self, owner: str, held: Collection[str] | None = None) -> None:
        """Give the open claims of an owner, those of the sends ``held`` or all, a new lease: its heartbeat."""
        mine = sa.select(sends.c.send_no).where(sends.c.owner == owner, sends.c.status.in_(("preparing", "sending")))
        mine = mine if held is None else mine.where(sends.c.send_id.in_(held))
        free = mine.with_for_update(skip_locked=True)  # who holds a row is at work on it; waiting could deadlock
        with self._write() as db:
            db.execute(sends.update().where(sends.c.send_no.in_(free)).values(lease_until=self._lease()))

    # --- observations ---

    def observe(self, *observed: Event) -> Send | None:
        """Write what was seen of a send and what follows for it by the rank rule; returns it as it now stands."""
        send = None
        with self._write(_HOOKS) as db:
            self._hold(db, sends.c.send_id.in_({one.send_id for one in observed}))
            for one in observed:
                send = self._observed(db, one) or send
            self._log(db, observed)
        return send

    def ingest(self, *told: Event) -> list[Ingested]:
        """Write webhook events down, each once by its ``event_id``, and what follows for their sends by the rank rule.

        An event belongs to the send with its message id, else to an unclear one with its trace id. One that belongs
        to none is kept with an empty ``send_id``, and joins its send as soon as that learns its message id: an event
        may come before the answer to the POST is written down.
        """
        in_one_order = sorted(range(len(told)), key=lambda n: str(told[n].event_id))  # two writers cannot deadlock
        with self._write(_HOOKS) as db:
            self._adopt(db)
            done = {n: self._ingested(db, told[n]) for n in in_one_order}
        return [done[n] for n in range(len(told))]

    def take_in(self, made: Sequence[Send], observed: Iterable[Event]) -> int:
        """Write sends that were made elsewhere, each whole, and what was seen; returns how many of them were new.

        A send that is here already is left as it is, and what was seen of it is not written again.
        """
        return self._hot(self._taken_whole, made, observed)

    def _taken_whole(self, cursor: Any, made: Sequence[Send], observed: Iterable[Event]) -> int:
        old = set()
        for one in made:
            self._sql.insert_send.run(cursor, _SENDS.write_told(one))
            if cursor.rowcount != 1:
                old.add(one.send_id)
        for told in observed:
            if told.send_id not in old:
                self._sql.leave_event.run(cursor, _EVENTS.write_told(told))
        return len(made) - len(old)

    def note(self, *observed: Event) -> None:
        """Write what was seen without any change to the send: it belongs to somebody else by now."""
        with self._write() as db:
            self._log(db, observed)

    def replace(self, send: Send, *observed: Event, was: str) -> bool:
        """Write a send outright, for what a person decided; False when it no longer stands at ``was``."""
        with self._write() as db:
            done = db.execute(
                sends.update()
                .where(sends.c.send_id == send.send_id, sends.c.status == was)
                .values(**_row(send), lease_until=None, epoch=sends.c.epoch + 1)
            )
            if done.rowcount == 1:
                self._log(db, observed)
            return done.rowcount == 1

    # --- reading ---

    def find(self, wanted: Send, known_as: Sequence[str]) -> Send | None:
        """Return the row of the same send, by any name of its content."""
        return self._hot(self._found, wanted, known_as or [wanted.content])

    def _found(self, cursor: Any, wanted: Send, known_as: Sequence[str]) -> Send | None:
        _, group = self._content(cursor, known_as)
        found = self._row_of(cursor, wanted, group)
        return found[0] if found else None

    def get(self, send_id: str) -> Send | None:
        with self._read() as db:
            self._adopt(db)
            row = db.execute(sa.select(sends).where(sends.c.send_id == send_id)).mappings().first()
            return _send(row) if row else None

    def sends(
        self,
        *,
        status: str | Sequence[str] | None = None,
        chat_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Send]:
        """Return the sends, in the order in which they were first asked for; ``until`` is not included.

        A list, as they stand now; of more than ``columns.FEW`` a ``Pages``, which reads them as they are used.
        """
        wanted = sa.select(sends.c.send_no).order_by(sends.c.send_no)
        if status is not None:
            wanted = wanted.where(sends.c.status.in_([status] if isinstance(status, str) else list(status)))
        if chat_id is not None:
            wanted = wanted.where(sends.c.chat_id == chat_id)
        if since is not None:
            wanted = wanted.where(sends.c.created_at >= since)
        if until is not None:
            wanted = wanted.where(sends.c.created_at < until)
        return self._listed(sends, _SENDS, [wanted])

    def moving(self) -> list[Send]:
        """Return the sends of which Linq may still tell more."""
        still = sends.c.status.not_in(CLOSED_STATUSES)
        with self._read() as db:
            self._adopt(db)
            found = db.execute(sa.select(sends).where(still).order_by(sends.c.send_no)).mappings()
            return [send for row in found if (send := _send(row)).is_open]

    def some(self, send_ids: Iterable[str]) -> dict[str, Send]:
        """Return those of these sends that are known, by their id, as they stand now."""
        wanted = list(dict.fromkeys(send_ids))
        found: dict[str, Send] = {}
        with self._read() as db:
            self._adopt(db)
            for start in range(0, len(wanted), 500):  # SQLite takes 999 parameters and no more on old machines
                mine = sa.select(sends).where(sends.c.send_id.in_(wanted[start : start + 500]))
                found |= {row["send_id"]: _send(row) for row in db.execute(mine).mappings()}
        return found

    def orphans(self) -> list[Send]:
        """Return the sends that stand at ``sending`` though their owner's lease ran out."""
        late = sends.c.lease_until.is_(None) | (sends.c.lease_until <= self._now())
        with self._read() as db:
            found = db.execute(sa.select(sends).where(sends.c.status == "sending", late)).mappings()
            return [_send(row) for row in found]

    def events(self, send_ids: str | Iterable[str] | None = None) -> Sequence[Event]:
        """Return every observation of a send, of several, or of all, in the order in which they were made.

        A list; of more than ``columns.FEW`` a ``Pages``, which reads them as they are used.
        """
        every = sa.select(events.c.event_no).order_by(events.c.event_no)
        if send_ids is None:
            return self._listed(events, _EVENTS, [every])
        asked = [send_ids] if isinstance(send_ids, str) else list(dict.fromkeys(send_ids))
        some = [asked[start : start + 500] for start in range(0, len(asked), 500)]  # old SQLite: 999 parameters
        return self._listed(events, _EVENTS, [every.where(events.c.send_id.in_(these)) for these in some])

    def by_day(self, record: type, since: datetime | None = None) -> dict[date | None, columns.Pages[Any]]:
        """Return all sends or all events by the day in UTC on which they were made, the days in order.

        Those of a day are in the journal's order, and are read as they are used.
        """
        table, codec, at = _DATED[record]
        no, made_at = next(iter(table.primary_key)), sa.type_coerce(table.c[at], sa.BigInteger)
        wanted = sa.select(no, made_at).order_by(no)
        wanted = wanted if since is None else wanted.where(table.c[at] >= since)
        found: dict[date | None, array[int]] = {}
        with self._read() as db:
            self._adopt(db)
            for number, micros in db.execute(wanted).yield_per(columns.PAGE):
                day = None if micros is None else EPOCH_DAY + micros // DAY_US * ONE_DAY
                found.setdefault(day, array("q")).append(number)
        days = sorted(found, key=lambda day: (day is None, day or EPOCH_DAY))
        return {day: columns.Pages(codec, found[day], self._reading(table)) for day in days}

    def words(self, record: type, name: str, since: datetime | None = None) -> list[str]:
        """Return the different words that stand in a column of all sends or all events, in order."""
        table, _, at = _DATED[record]
        wanted = sa.select(table.c[name]).distinct().where(table.c[name].is_not(None))
        wanted = wanted if since is None else wanted.where(table.c[at] >= since)
        with self._read() as db:
            return sorted(db.execute(wanted).scalars())

    def chat_ids(self, base_url: str) -> list[str]:
        """Return the chats that sends of one Linq went to, or were meant for."""
        wanted = sa.select(sends.c.chat_id).where(sends.c.base_url == base_url).distinct().order_by(sends.c.chat_id)
        with self._read() as db:
            return list(db.execute(wanted).scalars())

    def unplaced(self, base_url: str, chat_id: str) -> tuple[list[Send], set[str]]:
        """Return a chat's sends that may have a message and have none yet, and the ids of those under way right now."""
        wanted = sa.select(sends).where(
            sends.c.base_url == base_url,
            sends.c.chat_id == chat_id,
            sends.c.message_id.is_(None),
            sends.c.posted_at.is_not(None),
            sends.c.status.not_in(("preparing", "not_sent", "rejected")),
        )
        with self._read() as db:
            rows = db.execute(wanted).mappings().all()
        now = self._now()
        alive = {row["send_id"] for row in rows if row["status"] == "sending" and (row["lease_until"] or 0) > now}
        return [_send(row) for row in rows], alive

    def message_ids(self, chat_id: str) -> set[str]:
        """Return the message ids of a chat that belong to known sends."""
        wanted = sa.select(sends.c.message_id).where(sends.c.chat_id == chat_id, sends.c.message_id.is_not(None))
        with self._read() as db:
            return set(db.execute(wanted).scalars())

    def attachment(self, account: str, sha256: str) -> str | None:
        """Return the attachment id under which these bytes were uploaded before."""
        wanted = sa.select(attachments.c.attachment_id).where(
            attachments.c.account == account, attachments.c.sha256 == sha256
        )
        with self._read() as db:
            return db.execute(wanted).scalar()

    def hash_key(self) -> bytes:
        """Return the key of ``hashed`` handles, which lives in this journal alone."""
        with self._read() as db:
            return bytes.fromhex(str(db.execute(_value("hash_key")).scalar()))

    # --- content and uploads ---

    def link(self, known_as: Sequence[str]) -> None:
        """Note that these names stand for the same content."""
        if len(known_as) < 2:
            return
        self._hot(self._link, known_as)

    def _link(self, cursor: Any, known_as: Sequence[str]) -> None:
        kept = [self._sql.content.rows(cursor, {"name": name}) for name in known_as]
        if all(kept) and len({found for rows in kept for (found,) in rows}) == 1:
            return  # as they mostly are: nothing to write, nobody to wait for
        self._ledger.alone(cursor, "names")
        content, group = self._content(cursor, known_as)
        for name in sorted(group):
            self._sql.unname.run(cursor, {"name": name})
            self._sql.name.run(cursor, {"name": name, "content": content})

    def keep_attachment(self, account: str, sha256: str, attachment_id: str, at: datetime) -> None:
        """Note an upload, and that its attachment id stands for these bytes."""
        with self._write("attachments") as db:
            mine = (attachments.c.account == account) & (attachments.c.sha256 == sha256)
            db.execute(attachments.delete().where(mine))
            db.execute(
                attachments.insert().values(account=account, sha256=sha256, attachment_id=attachment_id, uploaded_at=at)
            )
        self.link([f"sha256:{sha256}", f"attachment:{attachment_id}"])

    def forget_attachment(self, account: str, sha256: str) -> None:
        """Drop an upload that Linq no longer has."""
        mine = (attachments.c.account == account) & (attachments.c.sha256 == sha256)
        with self._write() as db:
            db.execute(attachments.delete().where(mine))

    def forget(self, chat_id: str) -> int:
        """Delete what was kept of a chat but the send keys; returns how many sends it had."""
        spared = {"send_id", "base_url", "content", "copy", "chat_id", "created_at", "status", "attempts",
                  "memo_source", "message_id"}  # fmt: skip
        blank: dict[str, Any] = {name: None for name in _SEND_FIELDS if name not in spared} | {"to_handles": []}
        with self._write(_HOOKS) as db:
            self._hold(db, sends.c.chat_id == chat_id)
            mine = sa.select(sends.c.send_id).where(sends.c.chat_id == chat_id)
            db.execute(events.delete().where(events.c.send_id.in_(mine) | (events.c.chat_id == chat_id)))
            return db.execute(sends.update().where(sends.c.chat_id == chat_id).values(**blank)).rowcount

    # --- inside ---

    def _hot(self, work: Callable[..., T], *given: Any) -> T:
        """Do in a transaction what every send does, on the driver's own cursor."""
        try:
            return self._ledger.run(work, *given)
        except (*_FAULTS, *self._ledger.errors) as error:
            raise _said("written", self.label, error) from error

    def _content(self, cursor: Any, known_as: Sequence[str]) -> tuple[str, list[str]]:
        """Return the name under which a content is kept, and every name known for it."""
        found = [row for name in known_as for row in self._sql.linked.rows(cursor, {"name": name})]
        if not found:
            return known_as[0], list(known_as)
        kept = [content for content, _ in found]
        return min(kept), list(dict.fromkeys([*known_as, *kept, *(name for _, name in found)]))

    def _row_of(self, cursor: Any, wanted: Send, group: Sequence[str]) -> tuple[Send, int, int | None] | None:
        """Return the row of a send key; of several (names linked after both were sent) the furthest one."""
        key = {"base_url": wanted.base_url, "chat_id": wanted.chat_id, "copy": wanted.copy}
        rows = [row for one in group for row in self._sql.by_key.rows(cursor, key | {"content": one})]
        found = [(_SENDS.read(row), row[-2], row[-1]) for row in rows]
        return max(found, key=lambda one: precedence(one[0].status), default=None)

    def _hold(self, db: sa.Connection, which: sa.ColumnElement[bool]) -> None:
        """Lock rows until the transaction ends, always in one order, so that two writers cannot deadlock."""
        if not self._one_writer:
            db.execute(sa.select(sends.c.send_no).where(which).order_by(sends.c.send_no).with_for_update()).all()

    # --- webhook events and their sends ---

    def _observed(self, db: sa.Connection, one: Event) -> Send | None:
        """Write what follows of an event for its send; one that learns its message id takes in what waited for it."""
        row = db.execute(_BY_NAME, {"its_id": one.send_id}).mappings().first()
        if row is None:
            return None
        send = _send(row).observed(one)
        send = self._taken_in(db, send) if send.message_id != row["message_id"] else send
        db.execute(_SET_SEND, {**_row(send), "its_id": one.send_id})
        return send

    def _ingested(self, db: sa.Connection, told: Event) -> Ingested:
        """Write one webhook event down, unless it is there already."""
        placed = self._placed(db, told)
        may_wait = not placed.send_id and self._is_in_flight(db, told)
        if not placed.send_id and not may_wait:
            placed = self._placed(db, told)  # the answer may have been written between the two questions
        row = {name: getattr(placed, name) for name in _EVENT_FIELDS} | {"waits": 1 if may_wait else None}
        if db.execute(self._insert_or_leave(events), row).rowcount != 1:
            return Ingested(placed, is_new=False)
        if placed.send_id:
            self._hold(db, sends.c.send_id == placed.send_id)
            self._observed(db, placed)
        return Ingested(placed, is_new=True)

    def _placed(self, db: sa.Connection, told: Event) -> Event:
        """Return the event with the send that it belongs to; by a trace alone it settles what was unknown."""
        if told.message_id and (send_id := db.execute(_BY_MESSAGE, {"its_message": told.message_id}).scalar()):
            return dataclasses.replace(told, send_id=send_id)
        if told.trace_id and told.status:
            its = {"its_trace": told.trace_id, "its_chat": told.chat_id}
            found = db.execute(_BY_TRACE if told.message_id else _BY_TRACE_ALONE, its).first()
            if found is not None:
                return _joined(told, found.send_id, found.status)
        return told

    def _is_in_flight(self, db: sa.Connection, told: Event) -> bool:
        """Whether a send is under way that may yet turn out to be the one that this event tells of."""
        may_tell = bool(told.message_id or (told.trace_id and told.status))
        return may_tell and db.execute(_IN_FLIGHT, {"its_chat": told.chat_id}).first() is not None

    def _adopt(self, db: sa.Connection) -> None:
        """Give events that waited for an answer to be written down to their sends; those in vain wait no longer."""
        if db.execute(_ANY_WAITING).first() is None:
            return
        self._alone(db, _HOOKS)
        in_vain = set(db.execute(_IN_VAIN).scalars())  # asked first: an answer written meanwhile is found below
        arrived = [row for statement in _ARRIVED for row in db.execute(statement).mappings().all()]
        self._hold(db, sends.c.send_id.in_({row["its_send"] for row in arrived}))
        for row in arrived:
            told = _joined(_event(row), row["its_send"], row["its_status"])
            self._observed(db, told)
            db.execute(_SET_EVENT, {"its_no": row["event_no"], "send_id": told.send_id, "waits": None,
                                    "reconcile_result": told.reconcile_result})  # fmt: skip
        in_vain -= {row["event_no"] for row in arrived}
        if in_vain:
            db.execute(_SET_EVENT, [{"its_no": number, "waits": None} for number in sorted(in_vain)])

    def _taken_in(self, db: sa.Connection, send: Send) -> Send:
        """Return a send with what webhooks told of its message before it was known to be its own."""
        for row in db.execute(_LOOSE, {"its_message": send.message_id}).mappings().all():
            send = send.observed(_event(row))
            db.execute(_SET_EVENT, {"its_no": row["event_no"], "send_id": send.send_id, "waits": None})
        return send

    def _insert_or_leave(self, table: sa.Table) -> Any:
        """Return an insert that does nothing where the row is there already."""
        maker = sqlite.insert if self._one_writer else postgresql.insert
        leave = maker(table).on_conflict_do_nothing().inline()
        return leave.execution_options(preserve_rowcount=True)  # else PostgreSQL's is gone with the cursor

    def _log(self, db: sa.Connection, observed: Iterable[Event]) -> None:
        for one in observed:
            db.execute(events.insert().values(**{name: getattr(one, name) for name in _EVENT_FIELDS}))

    def _listed(self, table: sa.Table, codec: Codec, wanted: Sequence[sa.Select[Any]]) -> Sequence[Any]:
        """Return the records whose numbers these statements find: few as a list, many as pages."""
        with self._read() as db:
            self._adopt(db)
            found = array("q", (row[0] for one in wanted for row in db.execute(one).yield_per(columns.PAGE)))
            if len(wanted) > 1:
                found = array("q", sorted(found))
            if len(found) <= columns.FEW:
                return [codec.read(row) for row in _rows_of(db, table, found, codec.names)]
        return columns.Pages(codec, found, self._reading(table))

    def _reading(self, table: sa.Table) -> columns.Read:
        """Return what reads columns of a table's rows by their numbers."""

        def read(numbers: Sequence[int], names: Sequence[str]) -> list[tuple[Any, ...]]:
            with self._read() as db:
                return _rows_of(db, table, numbers, names)

        return read

    def _now(self) -> int:
        return int(self._wall() * 1e6)

    def _lease(self) -> int:
        return self._now() + int(LEASE_S * 1e6)

    @contextlib.contextmanager
    def _write(self, alone: str | None = None) -> Iterator[sa.Connection]:
        """Give a transaction to write in; ``alone`` names what only one may write at a time."""
        with _clear("written", self.label), self._locked(), self._engine.begin() as db:
            if alone:
                self._alone(db, alone)
            yield db

    @contextlib.contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with _clear("read", self.label), self._locked(), self._engine.begin() as db:
            yield db

    def _locked(self) -> contextlib.AbstractContextManager[object]:
        return self._lock if self._one_writer else contextlib.nullcontext()

    def _alone(self, db: sa.Connection, name: str) -> None:
        if not self._one_writer:
            db.exec_driver_sql(LOCK, {"key": lock_key(name)})

    def _check_encoding(self, db: sa.Connection) -> None:
        """Refuse a database that cannot keep every name: its error would come after a memo went out."""
        if not self._one_writer and (found := db.exec_driver_sql("SHOW server_encoding").scalar()) != "UTF8":
            raise JournalError(
                f"the journal {self.label} is a database in {found}, which cannot keep every name; nothing was sent; "
                "make one with ENCODING 'UTF8'"
            )

    def _migrate(self) -> None:
        with self._locked(), self._engine.begin() as db:
            self._alone(db, "schema")
            self._check_encoding(db)
            version = _version(db)
            if version > len(MIGRATIONS):
                raise JournalError(
                    f"the journal {self.label} was written by a newer linq_nb (schema {version}); "
                    "nothing was sent; upgrade linq_nb"
                )
            for step in MIGRATIONS[version:]:
                step(db)
            if version < len(MIGRATIONS):
                _set(db, "schema_version", str(len(MIGRATIONS)))
            if db.execute(_value("hash_key")).scalar() is None:
                _set(db, "hash_key", secrets.token_hex(32))


def _rows_of(db: sa.Connection, table: sa.Table, numbers: Sequence[int], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Read columns of the rows with these ascending numbers, as the driver has them."""
    if not numbers:
        return []
    key = table.primary_key.columns[0]
    is_run = numbers[-1] - numbers[0] + 1 == len(numbers)
    among = f"BETWEEN {numbers[0]} AND {numbers[-1]}" if is_run else f"IN ({', '.join(map(str, numbers))})"
    wanted = sa.select(*(table.c[name] for name in names)).where(sa.text(f"{key.name} {among}")).order_by(key)
    with contextlib.closing(db.connection.cursor()) as cursor:  # the driver's own rows: no type is worked out twice
        cursor.execute(str(wanted.compile(db.engine)))
        return list(cursor.fetchall())


def _version(db: sa.Connection) -> int:
    if not sa.inspect(db).has_table("meta"):
        return 0
    return int(db.execute(_value("schema_version")).scalar() or 0)


def _value(name: str) -> sa.Select[Any]:
    return sa.select(meta.c.value).where(meta.c.name == name)


def _set(db: sa.Connection, name: str, value: str) -> None:
    db.execute(meta.delete().where(meta.c.name == name))
    db.execute(meta.insert().values(name=name, value=value))


def _row(send: Send) -> dict[str, Any]:
    return {name: getattr(send, name) for name in _SEND_FIELDS}


def _send(row: Any) -> Send:
    fields = {name: row[name] for name in _SEND_FIELDS}
    return Send(**{**fields, "to_handles": tuple(fields["to_handles"] or ())})


def _joined(told: Event, send_id: str, status: str) -> Event:
    """Return an event with its send, which it also finds when nobody knew whether that went out."""
    return dataclasses.replace(told, send_id=send_id, reconcile_result="found" if status == "unknown" else None)


def _event(row: Any) -> Event:
    return Event(**{name: row[name] for name in _EVENT_FIELDS})


@contextlib.contextmanager
def _disposed_on_failure(engine: sa.Engine) -> Iterator[None]:
    """Close the connections of a journal that could not be opened."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _parse(url: str) -> sa.URL:
    try:
        found = sa.make_url(url)
    except (SQLAlchemyError, ValueError):
        raise JournalError("the journal's URL is not one of SQLAlchemy's form, such as sqlite:///file") from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise JournalError(
            "the journal's URL names another database than sqlite:///file or postgresql+psycopg://user@host/database; "
            "nothing was sent"
        )
    return found


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return _server(url)
    if file := _file(url):
        _private_file(file)
    engine = sa.create_engine(
        url,
        poolclass=sa.StaticPool,
        connect_args={"check_same_thread": False, "timeout": 30},
        hide_parameters=True,  # they are handles, and errors are shown
    )

    def connect(dbapi: Any, _: Any) -> None:
        dbapi.isolation_level = None  # the transactions are ours: BEGIN IMMEDIATE, below
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "wal_autocheckpoint=4000"):
            dbapi.execute(f"PRAGMA {pragma}")

    sa_event.listen(engine, "connect", connect)
    sa_event.listen(engine, "begin", lambda db: db.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _server(url: sa.URL) -> sa.Engine:
    """Connect to PostgreSQL so that a dead server, a dead owner or a full pool is an error soon, never a hang."""
    given: dict[str, Any] = {
        "application_name": "linq_nb",
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    given = {name: value for name, value in given.items() if name not in url.query}
    engine = sa.create_engine(
        url,
        connect_args={**given, "prepare_threshold": None},  # a pooler such as PgBouncer mixes up prepared statements
        isolation_level="READ COMMITTED",  # whatever the server's default: our locks and conditions are made for it
        pool_pre_ping=True,
        pool_size=POOL,
        max_overflow=0,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    def connect(dbapi: Any, _: Any) -> None:
        with dbapi.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'")
        dbapi.commit()

    sa_event.listen(engine, "connect", connect)
    return engine


def _file(url: sa.URL) -> Path | None:
    """Return the file of an SQLite URL, None for a journal in memory (SQLite has two names for that)."""
    named = url.database or ":memory:"
    return None if named == ":memory:" or "mode=memory" in named else Path(named)


def _private_file(file: Path) -> None:
    """Make the file for its owner only (0600) before anything is written to it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


_FAULTS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, ImportError, UnicodeError, OverflowError)


@contextlib.contextmanager
def _clear(what: str, label: str) -> Iterator[None]:
    """Turn what the database says into one line of our own."""
    try:
        yield
    except _FAULTS as error:
        raise _said(what, label, error) from error


def _said(what: str, label: str, error: Exception) -> JournalError:
    origin = getattr(error, "orig", None) or error
    words = " ".join(str(origin).split())[:200]
    return JournalError(
        f"the journal {label} could not be {what} ({mask_text(words)}); nothing was sent; {_advice(origin)}"
    )


def _advice(error: object) -> str:
    """Say what to do about a fault of the journal."""
    words = str(error)
    if isinstance(error, ImportError):
        return 'install what it needs with pip install "linq_nb[team]", or choose another with journal='
    for told, what in _ADVICE.items():
        if told in words:
            return f"{what}, or choose another with journal="
    return "free or repair it, or choose another with journal="


_ADVICE = {
    "password": "correct the user or the password in its URL",
    "resolve host": "correct the host in its URL",
    "translate host": "correct the host in its URL",
    "'idna' codec": "correct the host in its URL",
    'database "': "have the database made, or correct its name in the URL",
    "Connection refused": "start the server, or correct host and port in its URL",
    "permission denied": "have the right granted to its user",
    "too many": "close other connections",
    "database is locked": "wake or end the notebook or program that holds it",
}
"""What a database says, and what helps."""
