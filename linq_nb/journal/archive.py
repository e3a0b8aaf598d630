"""Whole records in and out: sends that were made elsewhere are imported, a chat is forgotten."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from linq_nb.journal.claims import Claims
from linq_nb.journal.engine import in_chunks
from linq_nb.journal.events import EVENTS_LOCK
from linq_nb.journal.prepared import converted
from linq_nb.journal.recovered import forget_chat
from linq_nb.journal.schema import SENDS, TABLES, events, sends
from linq_nb.model import Event, Send

_REMAINS = frozenset({"send_id", "base_url", "content", "copy", "chat_id", "created_at", "status", "attempts",
                      "memo_source", "message_id"})  # fmt: skip
"""What stays of a send when its chat is forgotten: its key, and what keeps it from being sent again."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Many records of a kind as the driver takes them: these columns, times in microseconds, JSON as text.

    A row may end early: the columns that it does not reach are NULL.
    """

    record: type
    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


class _PartlyThere(Exception):
    """The journal has some of the rows."""


class Archive(Claims):
    """Writes and deletes whole records."""

    def import_rows(self, parts: Iterable[tuple[Rows, ...]]) -> int | None:
        """Write sends that were made elsewhere, and what was observed of them, in bulk; returns how many were new.

        Each part has its sends first. All is one transaction: it writes nothing, and returns None, when the journal has
        some of the sends of a part and not the others. Their messages must be theirs alone: what ``import_sends`` looks
        up for each send is not looked up here.
        """
        new = 0
        try:
            with self.database.write() as db:
                for made, *observed in parts:
                    number = self._insert_rows(db, made)
                    if 0 < number < len(made.rows):
                        raise _PartlyThere
                    new += number
                    for rows in observed if number else ():
                        self._insert_rows(db, rows)
        except _PartlyThere:
            return None
        return new

    def _insert_rows(self, db: sa.Connection, rows: Rows) -> int:
        """Insert rows where no row has their keys; returns how many."""
        table, mark = TABLES[rows.record].table.name, "?" if self.database.is_sqlite else "%s"
        number, cursor = 0, db.connection.cursor()
        for length, run in groupby(rows.rows, len):
            names, marks = ", ".join(rows.names[:length]), ", ".join([mark] * length)
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING", list(run))
            number += cursor.rowcount
        return number

    def row_maker(self, record: type, names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
        """Return what makes a row of these columns of such a record, as the driver takes it."""
        columns, dialect = TABLES[record].table.c, self.database.engine.dialect
        fields = operator.attrgetter(*names)
        processors = [columns[name].type.bind_processor(dialect) for name in names]
        return lambda made: converted(fields(made), processors)

    def import_sends(self, made: Sequence[Send], observed: Iterable[Event]) -> int:
        """Write sends that were made elsewhere and what was observed of them; returns how many were new.

        A send that the journal has already stays as it is, and its observations are not written again. One with the
        message of another send is written as ``unknown``, without it.
        """
        old = set()
        with self.database.write() as db:
            owners = self._owners_of_messages(db, made)
            for send in made:
                its_message = (send.base_url, send.message_id)
                if send.message_id and owners.setdefault(its_message, send.send_id) != send.send_id:
                    send = replace(send, message_id=None, status="unknown")
                if self._insert_send.run(db, SENDS.filled(send)).rowcount != 1:
                    old.add(send.send_id)
            self._log(db, (event for event in observed if event.send_id not in old))
        return len(made) - len(old)

    def _owners_of_messages(self, db: sa.Connection, made: Sequence[Send]) -> dict[tuple[str, str | None], str]:
        """Return which sends of the journal have the messages of these, by base URL and message id."""
        columns = (sends.c.base_url, sends.c.message_id, sends.c.send_id)
        chunks = in_chunks(send.message_id for send in made if send.message_id)
        wanted = (sa.select(*columns).where(sends.c.message_id.in_(chunk)) for chunk in chunks)
        return {(row[0], row[1]): row[2] for query in wanted for row in db.execute(query)}

    def forget(self, chat_id: str) -> int:
        """Delete what was kept of a chat but its send keys; returns how many sends it had."""
        blank: dict[str, Any] = {name: None for name in SENDS.names if name not in _REMAINS} | {
            "to_handles": (),
            "chat_handles": (),
        }
        its_ids = sa.select(sends.c.send_id).where(sends.c.chat_id == chat_id)
        with self.database.write(EVENTS_LOCK) as db:
            self.database.lock_rows(db, sends, sends.c.chat_id == chat_id)
            forget_chat(db, chat_id)
            db.execute(events.delete().where(events.c.send_id.in_(its_ids) | (events.c.chat_id == chat_id)))
            return db.execute(sends.update().where(sends.c.chat_id == chat_id).values(blank)).rowcount
