"""Claims: who may bring a send forward, and what each step of it writes.

A send that is claimed belongs to its owner as long as the lease lasts, and longer if nobody else takes it over. A
takeover increments the epoch of the row, and each step is an update that holds only for the claim's own epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from linq_nb import rules
from linq_nb.journal.contents import Contents
from linq_nb.journal.engine import Database
from linq_nb.journal.events import Observations
from linq_nb.journal.lease import LEASE_S
from linq_nb.journal.prepared import Prepared, PreparedByColumns, bound
from linq_nb.journal.schema import SENDS, sends
from linq_nb.model import Event, Send
from linq_nb.status import IN_HAND_STATUSES, UNRESOLVED_STATUSES, precedence


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to bring one send forward until somebody takes it over; ``send`` as it is in the journal."""

    send: Send
    owner: str
    epoch: int


Claimed = tuple[Send, Claim | None, rules.Next]
"""A send, the claim to it if there is one, and what the caller does next."""

_KEPT = frozenset({"send_id", "base_url", "content", "copy", "chat_id", "created_at"})
"""Fields that stay as they are when a row is claimed for another attempt."""

_OF_CLAIM = frozenset({"its_id", "its_epoch", "its_owner"})
_UNRESOLVED: list[Any] = [sa.literal_column(f"'{status}'") for status in UNRESOLVED_STATUSES]


def _is(**names: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that columns of a send equal bound parameters of these names."""
    return [sends.c[column] == sa.bindparam(name, type_=sends.c[column].type) for column, name in names.items()]


class Claims(Contents, Observations):
    """The three statements of each send (claim, mark, answer), and what else depends on the owner of a row."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        dialect = database.engine.dialect
        self._insert_send = PreparedByColumns(
            lambda names: database.insert_if_new(sends).values(bound(sends, names)), dialect
        )
        seen = _is(send_id="its_id", epoch="its_epoch", status="its_status")
        self._take_over = Prepared(
            sends.update().where(*seen).values(bound(sends, (*SENDS.names, "owner", "epoch", "lease_until"))), dialect
        )
        key = _is(base_url="base_url", chat_id="chat_id", content="content", copy="copy")
        self._by_key = Prepared(sa.select(*SENDS.columns, sends.c.epoch, sends.c.lease_until).where(*key), dialect)
        mine = (*_is(send_id="its_id", epoch="its_epoch", owner="its_owner"), sends.c.status.in_(_UNRESOLVED))
        self._update = PreparedByColumns(
            lambda names: sends.update().where(*mine).values(bound(sends, set(names) - _OF_CLAIM)), dialect
        )

    # --- claiming ---

    def claim(self, wanted: Send, names: Sequence[str], owner: str) -> Claimed:
        """Claim the send for ``owner`` if it is free, or return it as it is, with what to do next.

        ``names`` are all names of its content; a send under any of them is the same send.
        """
        with self.database.write() as db:
            self.database.lock(db, "chat", wanted.base_url, wanted.chat_id)
            content, group = self._group(db, names or [wanted.content])
            if len(group) == 1:  # mostly a new send: nothing to look up
                claimed = self._claim_new(db, wanted, content, owner)
                if claimed[1] is not None:
                    return claimed
            row = self._row(db, wanted, group)
            if row is None:
                return self._claim_new(db, wanted, content, owner)
            send, epoch, lease_until = row
            lease_over = lease_until is None or lease_until <= self.database.now()
            step = rules.next_step(send, lease_over=lease_over)
            if step != "send":
                return send, None, step
            return self._claim_again(db, send, epoch, owner, wanted)

    def _claim_new(self, db: sa.Connection, wanted: Send, content: str, owner: str) -> Claimed:
        send = replace(wanted, content=content, attempts=1)
        values = SENDS.filled(send) | {"owner": owner, "epoch": 1, "lease_until": self._lease_until()}
        if self._insert_send.run(db, values).rowcount != 1:  # another process was quicker
            return send, None, "wait"
        return send, Claim(send, owner, 1), "send"

    def _claim_again(self, db: sa.Connection, send: Send, epoch: int, owner: str, wanted: Send) -> Claimed:
        """Take over a row for another attempt; what the last attempt learnt of its failure is cleared."""
        fresh = replace(
            wanted,
            **{name: getattr(send, name) for name in _KEPT},
            attempts=send.attempts + 1,
            chat_name=wanted.chat_name or send.chat_name,
            is_group=send.is_group if wanted.is_group is None else wanted.is_group,
        )
        values = SENDS.values(fresh) | {"owner": owner, "epoch": epoch + 1, "lease_until": self._lease_until()}
        seen = {"its_id": send.send_id, "its_epoch": epoch, "its_status": send.status}
        if self._take_over.run(db, values | seen).rowcount != 1:
            return send, None, "wait"
        return fresh, Claim(fresh, owner, epoch + 1), "send"

    def find(self, wanted: Send, names: Sequence[str]) -> Send | None:
        """Return the recorded send of the same send key, under any of these names of its content."""
        with self.database.read() as db:
            row = self._row(db, wanted, self._group(db, names or [wanted.content])[1])
            return row[0] if row else None

    def _row(self, db: sa.Connection, wanted: Send, contents: Sequence[str]) -> tuple[Send, int, int | None] | None:
        """Return the row of a send key with epoch and lease.

        There may be several, when names were linked after both were sent; then the row that forbids most.
        """
        key = {"base_url": wanted.base_url, "chat_id": wanted.chat_id, "copy": wanted.copy}
        rows = [row for content in contents for row in self._by_key.rows(db, key | {"content": content})]
        candidates = [(SENDS.make(row), row[-2], row[-1]) for row in rows]
        return max(candidates, key=lambda row: precedence(row[0].status), default=None)

    # --- holding ---

    def advance(self, claim: Claim, send: Send, *observed: Event) -> Claim | None:
        """Write the claimed send with what was observed, and return the claim to it as it is now.

        Returns None, and writes nothing, when the claim is lost: another owner took it over, or the outcome was
        decided otherwise meanwhile.
        """
        values = SENDS.changed(send, claim.send)  # these columns alone: what others wrote meanwhile stays
        values["lease_until"] = self._lease_until() if send.status in IN_HAND_STATUSES else None
        values |= {"its_id": send.send_id, "its_epoch": claim.epoch, "its_owner": claim.owner}
        with self.database.write() as db:
            if self._update.run(db, values).rowcount != 1:
                return None
            self._log(db, observed)
        return replace(claim, send=send)

    def renew(self, owner: str, held: Collection[str] | None = None) -> None:
        """Give the open claims of an owner a new lease: those to the sends ``held``, or all."""
        mine = sa.select(sends.c.send_no).where(sends.c.owner == owner, sends.c.status.in_(IN_HAND_STATUSES))
        mine = mine if held is None else mine.where(sends.c.send_id.in_(held))
        free = mine.with_for_update(skip_locked=True)  # who holds a row is at work on it; waiting could deadlock
        with self.database.write() as db:
            db.execute(sends.update().where(sends.c.send_no.in_(free)).values(lease_until=self._lease_until()))

    def replace(self, send: Send, *observed: Event, was: str) -> bool:
        """Write a send whose outcome a person decided; returns False when its status is not ``was`` any more."""
        values = SENDS.values(send) | {"lease_until": None, "epoch": sends.c.epoch + 1}
        with self.database.write() as db:
            is_there = sa.and_(sends.c.send_id == send.send_id, sends.c.status == was)
            if db.execute(sends.update().where(is_there).values(values)).rowcount != 1:
                return False
            self._log(db, observed)
        return True

    def _lease_until(self) -> int:
        return self.database.now() + int(LEASE_S * 1e6)
