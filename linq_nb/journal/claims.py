"""Claims: the right to bring a send forward, and what each step of it writes.

A send that is claimed belongs to its owner as long as the lease lasts, and longer if nobody else takes it over. A
takeover increments the epoch of the row, and each step is an update that holds only for the claim's own epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from linq_nb import rules
from linq_nb.journal.contents import Contents
from linq_nb.journal.engine import Database
from linq_nb.journal.events import MessageTaken, Observations
from linq_nb.journal.lease import LEASE_S, lease_over
from linq_nb.journal.prepared import Prepared, PreparedByColumns, bound
from linq_nb.journal.schema import SENDS, sends
from linq_nb.model import Event, Send, UrlNames
from linq_nb.status import IN_HAND_STATUSES, UNRESOLVED_STATUSES, precedence


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to bring one send forward until somebody takes it over; ``send`` as it is in the journal."""

    send: Send
    owner: str
    epoch: int


Claimed = tuple[Send, Claim | None, rules.Next]
"""A send, the claim to it if there is one, and what the caller does next."""


class _Row(NamedTuple):
    """A send with the rest of its row; ``is_over``: its lease has run out."""

    send: Send
    epoch: int
    is_over: bool
    url_base: str | None


_KEPT = frozenset({"send_id", "base_url", "content", "copy", "chat_id", "created_at"})
"""Fields that stay as they are when a row is claimed for another attempt."""

LEASE_US = int(LEASE_S * 1e6)
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
            lambda names: database.insert_if_new(sends).values(self._bound(names)), dialect
        )
        seen = _is(send_id="its_id", epoch="its_epoch", status="its_status")
        self._take_over = Prepared(
            sends.update().where(*seen).values(self._bound((*SENDS.names, "owner", "epoch", "url_base", "lease_us"))),
            dialect,
        )
        to_chat = _is(base_url="base_url", chat_id="chat_id", copy="copy")
        is_over = lease_over(database.clock()).label("is_over")
        row = sa.select(*SENDS.columns, sends.c.epoch, is_over, sends.c.url_base).where(*to_chat)
        self._by_key = Prepared(row.where(*_is(content="content")), dialect)
        self._by_url = Prepared(row.where(*_is(url_base="its_url_base")), dialect)
        place = sa.bindparam("its_place", type_=sa.Text)
        is_there = sa.func.substr(sends.c.content, sa.literal_column("1"), sa.func.length(place)) == place
        self._by_old_place = Prepared(row.where(sends.c.url_base.is_(None), is_there), dialect)
        mine = (*_is(send_id="its_id", epoch="its_epoch", owner="its_owner"), sends.c.status.in_(_UNRESOLVED))
        self._update = PreparedByColumns(lambda names: sends.update().where(*mine).values(self._bound(names)), dialect)

    def _bound(self, names: Iterable[str]) -> dict[str, Any]:
        """Return a parameter for each name of a column; ``lease_us`` and ``marks`` set times by the journal's clock."""
        values: dict[str, Any] = bound(sends, [name for name in names if name in sends.c])
        if "lease_us" in names:
            values["lease_until"] = self.database.clock() + sa.bindparam("lease_us", type_=sa.BigInteger)
        if "marks" in names:
            values["marked_at"] = self.database.clock()
        return values

    def _lease(self, *, ends: bool = False) -> dict[str, Any]:
        """Return the values of a new lease, or of none."""
        return {"now_us": self.database.now(), "lease_us": None if ends else LEASE_US}

    # --- claiming ---

    def claim(
        self, wanted: Send, names: Sequence[str], owner: str, url: UrlNames | None = None, *, may_repeat: bool = False
    ) -> Claimed:
        """Claim the send for ``owner`` if it is free, or return it as it is, with what to do next.

        ``names`` are all names of its content; a send under any of them, or under the old name of its ``url``, is the
        same send. A send of another URL with the same base may be: then it is returned, and the step is "refuse",
        unless ``may_repeat``.
        """
        with self.database.write(is_synced=False) as db:  # the mark's commit takes it to the disk
            self.database.lock(db, "chat", wanted.base_url, wanted.chat_id)
            content, group = self._group(db, names or [wanted.content])
            base = url.base if url else None
            if url is None and len(group) == 1:  # mostly a new send: nothing to look up
                claimed = self._claim_new(db, wanted, content, owner, base)
                if claimed[1] is not None:
                    return claimed
            row = self._row(db, wanted, group)
            if row is not None and (step := self._step(row)) != "send":
                return row.send, None, step
            if url is not None:
                if old := self._old_row(db, wanted, url):
                    return old.send, None, self._step(old)
                if not may_repeat and (similar := self._similar_row(db, wanted, url, group)):
                    return similar.send, None, "refuse"
            if row is None:
                return self._claim_new(db, wanted, content, owner, base)
            return self._claim_again(db, row, owner, wanted, base)

    def _step(self, row: _Row) -> rules.Next:
        """Decide what happens when the send of this row is asked for again."""
        return rules.next_step(row.send, lease_over=row.is_over)

    def _claim_new(self, db: sa.Connection, wanted: Send, content: str, owner: str, url_base: str | None) -> Claimed:
        send = replace(wanted, content=content, attempts=1)
        claim = {"owner": owner, "epoch": 1, **self._lease()}
        values = SENDS.filled(send) | claim | ({"url_base": url_base} if url_base else {})
        if self._insert_send.run(db, values).rowcount != 1:  # another process was quicker
            return send, None, "wait"
        return send, Claim(send, owner, 1), "send"

    def _claim_again(self, db: sa.Connection, row: _Row, owner: str, wanted: Send, url_base: str | None) -> Claimed:
        """Take over a row for another attempt; what the last attempt learnt of its failure is cleared."""
        send, epoch = row.send, row.epoch
        fresh = replace(
            wanted,
            **{name: getattr(send, name) for name in _KEPT},
            attempts=send.attempts + 1,
            chat_name=wanted.chat_name or send.chat_name,
            is_group=send.is_group if wanted.is_group is None else wanted.is_group,
        )
        claim = {"owner": owner, "epoch": epoch + 1, "url_base": url_base, **self._lease()}
        values = SENDS.values(fresh) | claim
        seen = {"its_id": send.send_id, "its_epoch": epoch, "its_status": send.status}
        if self._take_over.run(db, values | seen).rowcount != 1:
            return send, None, "wait"
        return fresh, Claim(fresh, owner, epoch + 1), "send"

    def find(self, wanted: Send, names: Sequence[str], url: UrlNames | None = None) -> Send | None:
        """Return the recorded send of the same send key, under any of these names of its content or its ``url``."""
        with self.database.read() as db:
            row = self._row(db, wanted, self._group(db, names or [wanted.content])[1])
            if url is not None and (row is None or self._step(row) == "send"):
                row = self._old_row(db, wanted, url) or row
            return row.send if row else None

    def find_similar(self, wanted: Send, names: Sequence[str], url: UrlNames) -> Send | None:
        """Return a send that may be the same memo: its URL differs only in what may be a signature.

        None for a memo that the journal has as sent itself: it is not sent again anyway.
        """
        with self.database.read() as db:
            group = self._group(db, names)[1]
            row = self._row(db, wanted, group)
            if (row is not None and self._step(row) != "send") or self._old_row(db, wanted, url):
                return None
            similar = self._similar_row(db, wanted, url, group)
            return similar.send if similar else None

    def _row(self, db: sa.Connection, wanted: Send, contents: Sequence[str]) -> _Row | None:
        """Return the row of a send key.

        There may be several, when names were linked after both were sent; then the row that forbids most.
        """
        return _strictest([row for name in contents for row in self._rows(db, self._by_key, wanted, content=name)])

    def _old_row(self, db: sa.Connection, wanted: Send, url: UrlNames) -> _Row | None:
        """Return the row that a URL's old name forbids to send again; a row of an older version has no URL base.

        The old name may stand for several URLs, so a row that may be sent again is left as it is.
        """
        contents = self._group(db, [url.old_name])[1]
        rows = [row for name in contents for row in self._rows(db, self._by_key, wanted, content=name)]
        return _strictest([row for row in rows if row.url_base is None and self._forbids(row, wanted)])

    def _similar_row(self, db: sa.Connection, wanted: Send, url: UrlNames, contents: Sequence[str]) -> _Row | None:
        """Return a row of a URL with the same base that is not under these contents, and is or may be sent.

        A row of an older version has no base: it counts if its old name leaves out parameters that may sign.
        """
        rows = self._rows(db, self._by_url, wanted, its_url_base=url.base)
        if url.old_place:
            old = self._rows(db, self._by_old_place, wanted, its_place=url.old_place)
            rests = ("#",) if "#" in url.base else ("", "#")  # without a hash it has no parameters that choose
            rows += [row for row in old if row.send.content[len(url.old_place) :][:1] in rests]
        return _strictest([row for row in rows if row.send.content not in contents and self._forbids(row, wanted)])

    def _forbids(self, row: _Row, wanted: Send) -> bool:
        """Whether a row is or may be sent, and is not certainly other audio."""
        is_other = row.send.sha256 and wanted.sha256 and row.send.sha256 != wanted.sha256
        return not is_other and self._step(row) != "send"

    def _rows(self, db: sa.Connection, statement: Prepared, wanted: Send, **condition: str) -> list[_Row]:
        """Return the rows with this copy to this chat that a statement selects."""
        key = {
            "base_url": wanted.base_url,
            "chat_id": wanted.chat_id,
            "copy": wanted.copy,
            **condition,
            **self._lease(),
        }
        return [_Row(SENDS.make(row), *row[-3:]) for row in statement.rows(db, key)]

    # --- holding ---

    def advance(self, claim: Claim, send: Send, *observed: Event) -> Claim | None:
        """Write the claimed send with what was observed, and return the claim to it as it is now.

        Returns None, and writes nothing, when the claim is lost: another owner took it over, or the outcome was
        decided otherwise meanwhile. Raises MessageTaken, and writes nothing, when another send has its message.
        The mark ``sending`` is on the disk on return. An answer need not be: after a power cut the chat tells it.
        """
        values = SENDS.changed(send, claim.send)  # these columns alone: what others wrote meanwhile stays
        values |= {"its_id": send.send_id, "its_epoch": claim.epoch, "its_owner": claim.owner}
        values |= {"marks": True} if send.status == "sending" else {}
        with self.database.write(is_synced=send.status == "sending") as db:
            values |= self._lease(ends=send.status not in IN_HAND_STATUSES)  # from now, not from before a wait
            if self._update.run(db, values).rowcount != 1:
                return None
            learnt = send.message_id if send.message_id != claim.send.message_id else None
            if learnt is not None and self._is_anothers(db, send, learnt):
                raise MessageTaken
            self._log(db, observed)
        return replace(claim, send=send)

    def renew(self, owner: str, held: Collection[str] | None = None) -> None:
        """Give the open claims of an owner a new lease: those to the sends ``held``, or all."""
        mine = sa.select(sends.c.send_no).where(sends.c.owner == owner, sends.c.status.in_(IN_HAND_STATUSES))
        mine = mine if held is None else mine.where(sends.c.send_id.in_(held))
        free = mine.with_for_update(skip_locked=True)  # a locked row is being worked on; waiting could deadlock
        with self.database.write() as db:
            db.execute(
                sends.update().where(sends.c.send_no.in_(free)).values(lease_until=self.database.clock() + LEASE_US)
            )

    def replace(self, send: Send, *observed: Event, was: str) -> bool:
        """Write a send whose outcome a person decided.

        Returns False when its status is not ``was`` any more, or an owner is at work on it.
        """
        values = SENDS.values(send) | {"lease_until": None, "epoch": sends.c.epoch + 1}
        with self.database.write() as db:
            is_free = lease_over(self.database.clock())
            is_there = sa.and_(sends.c.send_id == send.send_id, sends.c.status == was, is_free)
            if db.execute(sends.update().where(is_there).values(values)).rowcount != 1:
                return False
            self._log(db, observed)
        return True


def _strictest(rows: Sequence[_Row]) -> _Row | None:
    """Return the row that forbids most."""
    return max(rows, key=lambda row: precedence(row.send.status), default=None)
