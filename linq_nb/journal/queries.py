"""What is read from the journal: sends and events, few as a list, many as ``LazyRecords``."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from linq_nb.journal.engine import Database, in_chunks
from linq_nb.journal.events import Observations
from linq_nb.journal.lease import lease_over
from linq_nb.journal.pages import FEW, PAGE, LazyRecords
from linq_nb.journal.prepared import converted, result_processors
from linq_nb.journal.recovered import times_forgotten
from linq_nb.journal.schema import EVENTS, SENDS, TABLES, RecordTable, events, has_no_send, read_meta, sends
from linq_nb.model import Event, Send
from linq_nb.status import (
    CLOSED_STATUSES,
    IN_HAND_STATUSES,
    NO_MESSAGE_STATUSES,
    NO_RECEIPT_SERVICE,
    OPT_OUT_CODE,
    REFUSED_STATUSES,
)

_DAY_US, _FIRST_DAY = 86_400_000_000, date(1970, 1, 1)

LOOK_BACK = 200
"""Rows before a mark that are read again."""


class Mark(NamedTuple):
    """How far the journal was read: the numbers of its last send and event, and how often a chat was forgotten."""

    send_no: int
    event_no: int
    forgotten: int


class Queries(Observations):
    """Reads; sends and events come with the waiting webhook events that belong to them by now."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._processors = {
            kind.record: result_processors(kind.columns, database.engine.dialect) for kind in TABLES.values()
        }

    # --- sends ---

    def get(self, send_id: str) -> Send | None:
        """Return one send as it is now."""
        return self.get_many([send_id]).get(send_id)

    def get_many(self, send_ids: Iterable[str]) -> dict[str, Send]:
        """Return those of these sends that the journal has, by their ids."""
        with self._adopted() as db:
            chunks = in_chunks(send_ids)
            return {send.send_id: send for ids in chunks for send in SENDS.select(db, sends.c.send_id.in_(ids))}

    def present(self, send_ids: Iterable[str]) -> set[str]:
        """Return those of these ids that the journal has."""
        with self.database.read() as db:
            chunks = (sa.select(sends.c.send_id).where(sends.c.send_id.in_(ids)) for ids in in_chunks(send_ids))
            return {send_id for chunk in chunks for send_id in db.execute(chunk).scalars()}

    def sends(
        self,
        *,
        status: str | Sequence[str] | None = None,
        chat_id: str | None = None,
        since: datetime | None = None,
        open_since: datetime | None = None,
    ) -> Sequence[Send]:
        """Return the sends in the order in which they were first asked for.

        ``open_since`` adds to those with a ``status`` the sends that Linq accepted until then and that are still open.
        A list; of more than ``pages.FEW`` a ``LazyRecords``, which reads them when they are used.
        """
        conditions: list[sa.ColumnElement[bool]] = []
        if status is not None:
            has_status = sends.c.status.in_([status] if isinstance(status, str) else list(status))
            conditions.append(has_status if open_since is None else sa.or_(has_status, _is_open_since(open_since)))
        if chat_id is not None:
            conditions.append(sends.c.chat_id == chat_id)
        if since is not None:
            conditions.append(sends.c.created_at >= since)
        return self._records(SENDS, [sa.select(sends.c.send_no).where(*conditions).order_by(sends.c.send_no)])

    def changed_since(self, mark: Mark | None) -> tuple[Mark, dict[str, str]]:
        """Return the sends that are new, were observed or are under way since a mark, and the next mark.

        The sends are statuses by id; without a mark there are none. Some are named again: on a server a lower number
        may be committed later. When a chat was forgotten since, others may have changed too: the next mark says so.
        """
        with self._adopted() as db:
            now = Mark(SENDS.last(db), EVENTS.last(db), times_forgotten(db))
            if mark is None:
                return now, {}
            is_new = sa.or_(sends.c.send_no > mark.send_no - LOOK_BACK, sends.c.status.in_(IN_HAND_STATUSES))
            observed = sa.select(events.c.send_id).where(events.c.event_no > mark.event_no - LOOK_BACK)
            queries = [
                sa.select(sends.c.send_id, sends.c.status).where(condition)
                for condition in (is_new, sends.c.send_id.in_(observed))
            ]
            return now, {send_id: status for query in queries for send_id, status in db.execute(query)}

    def times_forgotten(self) -> int:
        """Return how often a chat was forgotten."""
        with self.database.read() as db:
            return times_forgotten(db)

    def open_sends(self) -> list[Send]:
        """Return the sends whose status Linq may still change."""
        with self._adopted() as db:
            candidates: list[Send] = SENDS.select(db, sends.c.status.not_in(CLOSED_STATUSES))
        return [send for send in candidates if send.is_open]

    def orphans(self) -> list[Send]:
        """Return the sends at ``sending`` whose owner let the lease run out."""
        with self.database.read() as db:
            return SENDS.select(db, sends.c.status == "sending", lease_over(self.database.clock()))

    def is_held(self, send_id: str) -> bool:
        """Whether an owner is at work on a send right now."""
        is_held = sa.and_(sends.c.status.in_(IN_HAND_STATUSES), ~lease_over(self.database.clock()))
        with self.database.read() as db:
            return db.execute(sa.select(sends.c.send_no).where(sends.c.send_id == send_id, is_held)).first() is not None

    def seconds_since_mark(self, send_id: str) -> float | None:
        """Return the seconds since a send was marked ``sending``, None where that is not recorded."""
        age_us = self.database.clock() - sends.c.marked_at
        with self.database.read() as db:
            micros = db.execute(sa.select(age_us).where(sends.c.send_id == send_id)).scalar()
        return None if micros is None else float(micros) / 1e6

    def without_message_id(self, base_url: str, chat_id: str) -> tuple[list[Send], set[str]]:
        """Return a chat's sends that may have a message but have no message id, and the ids of those under way now."""
        conditions = (
            sends.c.base_url == base_url,
            sends.c.chat_id == chat_id,
            sends.c.message_id.is_(None),
            sends.c.posted_at.is_not(None),
            sends.c.status.not_in(NO_MESSAGE_STATUSES),
        )
        is_alive = sa.and_(sends.c.status == "sending", ~lease_over(self.database.clock()))
        with self.database.read() as db:
            without_id = SENDS.select(db, *conditions)
            under_way = set(db.execute(sa.select(sends.c.send_id).where(*conditions, is_alive)).scalars())
        return without_id, under_way

    def opt_outs(self, base_url: str) -> list[tuple[str, tuple[str, ...], bool, datetime]]:
        """Return chat, people, whether it is a group, and time of each send that Linq refused for good."""
        at = sa.func.coalesce(sends.c.failed_at, sends.c.posted_at, sends.c.checked_at, type_=sends.c.checked_at.type)
        is_refused = sa.and_(sends.c.status.in_(REFUSED_STATUSES), sends.c.error_code == OPT_OUT_CODE)
        wanted = sa.select(sends.c.chat_id, sends.c.to_handles, sends.c.is_group, at)
        with self.database.read() as db:
            rows = db.execute(wanted.where(is_refused, sends.c.base_url == base_url)).all()
        return [(chat_id, handles, bool(is_group), at) for chat_id, handles, is_group, at in rows if at is not None]

    def last_written(self, since: datetime) -> dict[str, datetime]:
        """Return the time of the last message to you since then in each chat, as webhooks reported it."""
        at = sa.func.max(events.c.at, type_=events.c.at.type)
        is_message = sa.and_(has_no_send, events.c.event_type == "message.received", events.c.at > since)
        wanted = sa.select(events.c.chat_id, at).where(is_message, events.c.chat_id.is_not(None))
        with self.database.read() as db:
            return {row[0]: row[1] for row in db.execute(wanted.group_by(events.c.chat_id))}

    # --- events ---

    def events(self, send_ids: str | Iterable[str] | None = None, *, since: datetime | None = None) -> Sequence[Event]:
        """Return the observations of a send, of several sends or of all, in the order in which they were written.

        A list; of more than ``pages.FEW`` a ``LazyRecords``, which reads them when they are used.
        """
        wanted = sa.select(events.c.event_no).order_by(events.c.event_no)
        if since is not None:
            wanted = wanted.where(events.c.at >= since)
        if send_ids is None:
            return self._records(EVENTS, [wanted])
        chunks = in_chunks([send_ids] if isinstance(send_ids, str) else send_ids)
        return self._records(EVENTS, [wanted.where(events.c.send_id.in_(ids)) for ids in chunks])

    def without_send(self, event_types: Collection[str]) -> list[Event]:
        """Return the observations of these types that are of no send, in the order in which they were written."""
        with self.database.read() as db:
            return EVENTS.select(db, has_no_send, events.c.event_type.in_(event_types))

    # --- both ---

    def by_day(self, record: type, since: datetime | None = None) -> dict[date | None, LazyRecords[Any]]:
        """Return all sends or all events by the day in UTC on which they were made, days and records in order."""
        kind = TABLES[record]
        wanted = sa.select(kind.number, sa.type_coerce(kind.made_at, sa.BigInteger)).order_by(kind.number)
        wanted = wanted if since is None else wanted.where(kind.made_at >= since)
        numbers: dict[date | None, array[int]] = {}
        with self._adopted() as db:
            for row_number, micros in db.execute(wanted).yield_per(PAGE):
                day = None if micros is None else _FIRST_DAY + timedelta(days=micros // _DAY_US)
                numbers.setdefault(day, array("q")).append(row_number)
        days = sorted(numbers, key=lambda day: (day is None, day or _FIRST_DAY))
        return {day: LazyRecords(kind, numbers[day], self._read_rows, self._make) for day in days}

    def distinct_values(self, record: type, column: str, since: datetime | None = None) -> list[str]:
        """Return the distinct values in a column of all sends or all events, sorted."""
        kind = TABLES[record]
        return self._distinct(kind.table.c[column], *([] if since is None else [kind.made_at >= since]))

    def _records(self, kind: RecordTable, wanted: Sequence[sa.Select[Any]]) -> Sequence[Any]:
        """Return the records whose numbers these statements select."""
        with self._adopted() as db:
            numbers = array("q", (row[0] for query in wanted for row in db.execute(query).yield_per(PAGE)))
            if len(wanted) > 1:
                numbers = array("q", sorted(numbers))
            if len(numbers) <= FEW:
                return [self._make(kind, row) for row in _rows(db, kind, numbers, kind.names)]
        return LazyRecords(kind, numbers, self._read_rows, self._make)

    def _read_rows(self, kind: RecordTable, numbers: Sequence[int], names: Sequence[str]) -> list[tuple[Any, ...]]:
        with self.database.read() as db:
            return _rows(db, kind, numbers, names)

    def _make(self, kind: RecordTable, row: tuple[Any, ...]) -> Any:
        return kind.make(converted(row, self._processors[kind.record]))

    # --- single facts ---

    def send_ids(self, chat_id: str) -> list[str]:
        """Return the ids of a chat's sends."""
        return self._distinct(sends.c.send_id, sends.c.chat_id == chat_id)

    def chat_ids(self, base_url: str) -> list[str]:
        """Return the chats that have sends of this base URL."""
        return self._distinct(sends.c.chat_id, sends.c.base_url == base_url)

    def message_ids(self, chat_id: str) -> set[str]:
        """Return the message ids of a chat's sends."""
        return set(self._distinct(sends.c.message_id, sends.c.chat_id == chat_id))

    def _distinct(self, column: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> list[str]:
        wanted = sa.select(column).distinct().where(column.is_not(None), *conditions)
        with self.database.read() as db:
            return sorted(db.execute(wanted).scalars())

    def hash_key(self) -> bytes:
        """Return the key of hashed handles, which no other journal has."""
        with self.database.read() as db:
            return bytes.fromhex(str(read_meta(db, "hash_key")))

    @contextlib.contextmanager
    def _adopted(self) -> Iterator[sa.Connection]:
        """Begin a transaction to read in, after waiting events were given to their sends."""
        with self.database.read() as db:
            look = self._adopt(db)
            yield db
        self._last_look = look


def _is_open_since(at: datetime) -> sa.ColumnElement[bool]:
    """Whether Linq accepted a send until then and may still report more of it, as ``rules.is_unconfirmed`` says."""
    gives_no_receipt = sa.or_(
        sa.func.coalesce(sends.c.is_group, sa.false()), sa.func.coalesce(sends.c.service, "") == NO_RECEIPT_SERVICE
    )
    return sa.and_(
        sends.c.status.not_in(CLOSED_STATUSES),
        ~sa.and_(sends.c.status == "sent", gives_no_receipt),
        sa.func.coalesce(sends.c.accepted_at, sends.c.posted_at, sends.c.created_at) <= at,
    )


def _rows(db: sa.Connection, kind: RecordTable, numbers: Sequence[int], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Read columns of the rows with these ascending numbers as the driver has them: no type is converted twice."""
    if not numbers:
        return []
    is_run = numbers[-1] - numbers[0] + 1 == len(numbers)
    among = f"BETWEEN {numbers[0]} AND {numbers[-1]}" if is_run else f"IN ({', '.join(map(str, numbers))})"
    wanted = sa.select(*(kind.table.c[name] for name in names)).where(sa.text(f"{kind.number.name} {among}"))
    with contextlib.closing(db.connection.cursor()) as cursor:
        cursor.execute(str(wanted.order_by(kind.number).compile(db.engine)))
        return list(cursor.fetchall())
