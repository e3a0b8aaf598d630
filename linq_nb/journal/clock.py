"""The journal's clock, for leases and waits, and what a lease is by it.

On a server it is the server's own, so that the clocks of a team's machines do not matter. On SQLite it is this
machine's steady clock, which no correction of the wall clock moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from linq_nb.clocks import boot_id, steady_s
from linq_nb.journal.lease import LEASE_S
from linq_nb.journal.schema import read_meta, sends, write_meta
from linq_nb.status import IN_HAND_STATUSES

_NAME = "clock"


def machine_clock(db: sa.Connection) -> Callable[[], float]:
    """Return the clock of this machine, in seconds since 1970, the same for all processes with the journal open.

    The first that opens the journal after the machine was started sets it by the wall clock. (Only Linux tells when it
    was started; elsewhere each process sets its own when it opens the journal.)
    """
    boot, ahead_s = boot_id(), time.time() - steady_s()
    kept = (read_meta(db, _NAME) or "").split()
    if boot is not None and kept[:1] == [boot]:
        ahead_s = float(kept[1])
    else:
        write_meta(db, _NAME, f"{boot} {ahead_s!r}")
        _shorten_leases(db, steady_s() + ahead_s)
    return lambda: steady_s() + ahead_s


def _shorten_leases(db: sa.Connection, now_s: float) -> None:
    """End leases in time that a clock gave which was ahead of ours; an owner that is alive renews its own."""
    longest = int((now_s + LEASE_S) * 1e6)
    is_too_long = sa.and_(sends.c.status.in_(IN_HAND_STATUSES), sends.c.lease_until > longest)
    db.execute(sends.update().where(is_too_long).values(lease_until=longest))


def lease_over(clock: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Return the condition that the owner of a send is gone, or was when it was last heard of."""
    return sa.or_(sends.c.lease_until.is_(None), sends.c.lease_until <= clock)
