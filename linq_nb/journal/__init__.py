"""The journal: what was meant to be sent, claimed, sent and observed, in SQLite or PostgreSQL.

``schema`` has the tables and migrations, ``engine`` the database with its transactions, ``claims`` the steps of a send,
``events`` observations and webhooks, ``queries`` what is read, ``contents`` names and uploads, ``archive`` imports and
forgetting, ``lease`` the renewal of claims. ``Journal`` is the way in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from linq_nb.journal import schema
from linq_nb.journal.archive import Archive
from linq_nb.journal.claims import Claim, Claimed, Claims
from linq_nb.journal.contents import Contents
from linq_nb.journal.engine import Database
from linq_nb.journal.events import Ingested, Observations
from linq_nb.journal.lease import LEASE_S, LeaseKeeper
from linq_nb.journal.pages import LazyRecords
from linq_nb.journal.queries import Queries
from linq_nb.model import Event, Send

__all__ = ["LEASE_S", "Claim", "Ingested", "Journal", "LazyRecords", "LeaseKeeper"]


class Journal:
    """A journal at a URL of SQLAlchemy's form; ``sqlite://`` is one in memory.

    Safe to use from several threads and processes. Raises JournalError when it cannot be opened, read or written.
    ``wall`` gives the time in seconds since 1970, for leases.
    """

    def __init__(self, url: str, *, wall: Callable[[], float] = time.time) -> None:
        self.database = Database(url, wall)
        try:
            with self.database.opening() as db:
                self.database.check_encoding(db)
                schema.migrate(db, self.label)
        except BaseException:
            self.database.close()
            raise
        self._contents, self._observations = Contents(self.database), Observations(self.database)
        self._claims = Claims(self.database, self._contents, self._observations)
        self._queries = Queries(self.database, self._observations)
        self._archive = Archive(self.database)

    def __repr__(self) -> str:
        return f"Journal({self.label!r})"

    @property
    def url(self) -> Any:
        """The URL as SQLAlchemy has it; its text hides the password."""
        return self.database.url

    @property
    def label(self) -> str:
        """The journal's place without a password."""
        return self.database.label

    @property
    def in_memory(self) -> bool:
        return self.database.in_memory

    def close(self) -> None:
        self.database.close()

    # --- claims ---

    def claim(self, wanted: Send, names: Sequence[str], owner: str) -> Claimed:
        """Claim the send for ``owner`` if it is free, or return it as it is, with what to do next.

        ``names`` are all names of its content; a send under any of them is the same send.
        """
        return self._claims.claim(wanted, names, owner)

    def find(self, wanted: Send, names: Sequence[str]) -> Send | None:
        """Return the recorded send of the same send key, under any of these names of its content."""
        return self._claims.find(wanted, names)

    def advance(self, claim: Claim, send: Send, *observed: Event) -> Claim | None:
        """Write the claimed send with what was observed, and return the claim to it as it is now.

        Returns None, and writes nothing, when the claim is lost: another owner took it over, or the outcome was
        decided otherwise meanwhile.
        """
        return self._claims.advance(claim, send, observed)

    def renew(self, owner: str, held: Collection[str] | None = None) -> None:
        """Give the open claims of an owner a new lease: those to the sends ``held``, or all."""
        self._claims.renew(owner, held)

    def replace(self, send: Send, *observed: Event, was: str) -> bool:
        """Write a send whose outcome a person decided; returns False when its status is not ``was`` any more."""
        return self._claims.replace(send, observed, was)

    # --- observations ---

    def observe(self, *observed: Event) -> Send | None:
        """Write what was observed of a send and what follows for it by the rank rule; returns it as it is then."""
        return self._observations.observe(observed)

    def note(self, *observed: Event) -> None:
        """Write what was observed and leave the send as it is, since another owner has it now."""
        self._observations.note(observed)

    def ingest(self, *received: Event) -> list[Ingested]:
        """Write webhook events, each once by its ``event_id``, and what follows for their sends by the rank rule.

        An event belongs to the send with its message id, or else to one of unknown outcome with its trace id. An event
        of no send is kept with an empty ``send_id`` and joins its send as soon as that learns its message id: an event
        may come before the answer to the POST is written.
        """
        return self._observations.ingest(received)

    # --- reading ---

    def get(self, send_id: str) -> Send | None:
        """Return one send as it is now."""
        return self._queries.get(send_id)

    def get_many(self, send_ids: Iterable[str]) -> dict[str, Send]:
        """Return those of these sends that the journal has, by their ids."""
        return self._queries.get_many(send_ids)

    def sends(
        self,
        *,
        status: str | Sequence[str] | None = None,
        chat_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Send]:
        """Return the sends in the order in which they were first asked for; ``until`` is not included.

        A list; of more than ``pages.FEW`` a ``LazyRecords``, which reads them when they are used.
        """
        return self._queries.sends(status, chat_id, since, until)

    def open_sends(self) -> list[Send]:
        """Return the sends whose status Linq may still change."""
        return self._queries.open_sends()

    def orphans(self) -> list[Send]:
        """Return the sends at ``sending`` whose owner let the lease run out."""
        return self._queries.orphans()

    def without_message_id(self, base_url: str, chat_id: str) -> tuple[list[Send], set[str]]:
        """Return a chat's sends that may have a message but have no message id, and the ids of those under way now."""
        return self._queries.without_message_id(base_url, chat_id)

    def events(self, send_ids: str | Iterable[str] | None = None) -> Sequence[Event]:
        """Return the observations of a send, of several sends or of all, in the order in which they were written.

        A list; of more than ``pages.FEW`` a ``LazyRecords``, which reads them when they are used.
        """
        return self._queries.events(send_ids)

    def by_day(self, record: type, since: datetime | None = None) -> dict[date | None, LazyRecords[Any]]:
        """Return all sends or all events by the day in UTC on which they were made, days and records in order."""
        return self._queries.by_day(record, since)

    def distinct_values(self, record: type, column: str, since: datetime | None = None) -> list[str]:
        """Return the distinct values in a column of all sends or all events, sorted."""
        return self._queries.distinct_values(record, column, since)

    def chat_ids(self, base_url: str) -> list[str]:
        """Return the chats that have sends of this base URL."""
        return self._queries.chat_ids(base_url)

    def message_ids(self, chat_id: str) -> set[str]:
        """Return the message ids of a chat's sends."""
        return self._queries.message_ids(chat_id)

    def hash_key(self) -> bytes:
        """Return the key of hashed handles, which no other journal has."""
        return self._queries.hash_key()

    # --- names and uploads ---

    def link(self, names: Sequence[str]) -> None:
        """Write that these names stand for the same content."""
        self._contents.link(names)

    def attachment(self, account: str, sha256: str) -> str | None:
        """Return the attachment id under which these bytes were uploaded before."""
        return self._contents.attachment(account, sha256)

    def keep_attachment(self, account: str, sha256: str, attachment_id: str, at: datetime) -> None:
        """Write an upload, and that its attachment id stands for these bytes."""
        self._contents.keep_attachment(account, sha256, attachment_id, at)

    def forget_attachment(self, account: str, sha256: str) -> None:
        """Delete an upload that Linq no longer has."""
        self._contents.forget_attachment(account, sha256)

    # --- whole records ---

    def import_sends(self, made: Sequence[Send], observed: Iterable[Event]) -> int:
        """Write sends that were made elsewhere and what was observed of them; returns how many were new.

        A send that the journal has already stays as it is, and its observations are not written again.
        """
        return self._archive.import_sends(made, observed)

    def forget(self, chat_id: str) -> int:
        """Delete what was kept of a chat but its send keys; returns how many sends it had."""
        return self._archive.forget(chat_id)
