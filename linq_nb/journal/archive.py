"""Whole records in and out: sends that were made elsewhere are imported, a chat is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from linq_nb.journal.engine import Database
from linq_nb.journal.events import EVENTS_LOCK
from linq_nb.journal.prepared import PreparedByColumns, bound
from linq_nb.journal.schema import EVENTS, SENDS, events, sends
from linq_nb.model import Event, Send

_REMAINS = frozenset({"send_id", "base_url", "content", "copy", "chat_id", "created_at", "status", "attempts",
                      "memo_source", "message_id"})  # fmt: skip
"""What stays of a send when its chat is forgotten: its key, and what keeps it from being sent again."""


class Archive:
    """Writes and deletes whole records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert_send, self._insert_event = self._insert(sends), self._insert(events)

    def _insert(self, table: sa.Table) -> PreparedByColumns:
        insert = self._database.insert_if_new(table)
        return PreparedByColumns(lambda names: insert.values(bound(table, names)), self._database.engine.dialect)

    def import_sends(self, made: Sequence[Send], observed: Iterable[Event]) -> int:
        old = set()
        with self._database.write() as db:
            for send in made:
                if self._insert_send.run(db, SENDS.filled(send)).rowcount != 1:
                    old.add(send.send_id)
            for event in observed:
                if event.send_id not in old:
                    self._insert_event.run(db, EVENTS.filled(event))
        return len(made) - len(old)

    def forget(self, chat_id: str) -> int:
        blank: dict[str, Any] = {name: None for name in SENDS.names if name not in _REMAINS} | {"to_handles": ()}
        its_ids = sa.select(sends.c.send_id).where(sends.c.chat_id == chat_id)
        with self._database.write(EVENTS_LOCK) as db:
            self._database.lock_rows(db, sends, sends.c.chat_id == chat_id)
            db.execute(events.delete().where(events.c.send_id.in_(its_ids) | (events.c.chat_id == chat_id)))
            return db.execute(sends.update().where(sends.c.chat_id == chat_id).values(blank)).rowcount
