"""The journal: what was meant to be sent, claimed, sent and observed, in SQLite or PostgreSQL.

``schema`` has the tables and migrations, ``engine`` the database with its transactions, ``sqlite_file`` and
``private_file`` its file, ``place`` the disk on which it lies, ``claims`` the steps of a send, ``events`` observations
and webhooks, ``queries`` what is read, ``contents`` names and uploads, ``archive`` imports and forgetting,
``recovered`` what chats held after a loss of writes, ``lease`` the leases of claims. A ``Journal`` is all of these over
one database.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linq_nb.journal import schema
from linq_nb.journal.archive import Archive, Rows
from linq_nb.journal.claims import Claim
from linq_nb.journal.engine import Database
from linq_nb.journal.events import Ingested, MessageTaken
from linq_nb.journal.lease import LEASE_S, LeaseKeeper, machine_clock
from linq_nb.journal.pages import LazyRecords
from linq_nb.journal.place import place_of, this_host
from linq_nb.journal.private_file import is_private
from linq_nb.journal.queries import Queries
from linq_nb.journal.recovered import ChatMessage, Recovered, note_recovery

__all__ = ["LEASE_S", "ChatMessage", "Claim", "Ingested", "Journal", "LazyRecords", "LeaseKeeper", "MessageTaken",
           "Rows"]  # fmt: skip


class Journal(Queries, Archive, Recovered):
    """A journal at a URL of SQLAlchemy's form; ``sqlite://`` is one in memory.

    Safe to use from several threads and processes. Raises JournalError when it cannot be opened, read or written.
    ``wall`` gives the time in seconds since 1970, for leases and waits; without it the journal's own ``clock`` does.
    ``label`` is the journal's place without a password, ``journal_id`` its id, the same whenever and wherever it is
    opened, also in a copy. ``recover`` opens it although it lost its last writes; from then on ``recovery`` is set.
    """

    def __init__(self, url: str, *, wall: Callable[[], float] | None = None, recover: bool = False) -> None:
        database = Database(url, wall, recover=recover)
        try:
            with database.opening() as db:
                database.check_encoding(db)
                schema.migrate(db, database.label)
                if recover:
                    note_recovery(db)
                self.journal_id = schema.journal_id(db)
                if database.is_sqlite and wall is None:
                    database.wall = database.own_wall = machine_clock(db)
        except BaseException:
            database.close()
            raise
        super().__init__(database)
        self.url, self.label, self.in_memory = database.url, database.label, database.in_memory

    def __repr__(self) -> str:
        return f"Journal({self.label!r})"

    @property
    def warning(self) -> str | None:
        """A warning of a journal that does not last, whose locks may not hold, or that others may read."""
        if self.in_memory:
            return "the journal is in memory: after a restart nobody knows what was sent; set LINQ_NB_JOURNAL"
        if not self.database.is_sqlite:
            return None
        readable = "its file system keeps no file modes, so other users of the machine may read it"
        warnings = (place_of(self.label, this_host()).note, None if is_private(Path(self.label)) else readable)
        return "; ".join(filter(None, warnings)) or None

    def shorten_wal(self) -> None:
        """Copy what was written into the main file, for a time in which nothing is sent."""
        self.database.shorten_wal()

    def close(self) -> None:
        self.database.close()
