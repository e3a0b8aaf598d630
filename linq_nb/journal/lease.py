"""Leases of claims: the clock by which they run out, and their renewal while this process works on the sends.

On a server the clock is the server's own, so that the clocks of a team's machines do not matter. On SQLite it is this
machine's steady clock, which no correction of the wall clock moves.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator

import sqlalchemy as sa

from linq_nb.clocks import boot_id, steady_s
from linq_nb.errors import JournalError
from linq_nb.journal.schema import read_meta, sends, write_meta
from linq_nb.status import IN_HAND_STATUSES

LEASE_S = 20.0
"""How long a claim lasts without renewal, in seconds of the real clock."""

STOP_S = 5.0
"""How long ``stop`` waits for a renewal that is under way, in seconds."""

IDLE_ROUNDS = 6
"""After so many rounds without a claim the thread ends; the next claim starts another."""

_CLOCK = "clock"


def machine_clock(db: sa.Connection) -> Callable[[], float]:
    """Return the clock of this machine, in seconds since 1970, the same for all processes with the journal open.

    The first that opens the journal after the machine was started sets it by the wall clock. (Only Linux tells when it
    was started; elsewhere each process sets its own when it opens the journal.)
    """
    boot, ahead_s = boot_id(), time.time() - steady_s()
    kept = (read_meta(db, _CLOCK) or "").split()
    if boot is not None and kept[:1] == [boot]:
        ahead_s = float(kept[1])
    else:
        write_meta(db, _CLOCK, f"{boot} {ahead_s!r}")
        _shorten_leases(db, steady_s() + ahead_s)
    return lambda: steady_s() + ahead_s


def _shorten_leases(db: sa.Connection, now_s: float) -> None:
    """Shorten leases that were written by a clock ahead of this one; an owner that is alive renews its own."""
    longest = int((now_s + LEASE_S) * 1e6)
    is_too_long = sa.and_(sends.c.status.in_(IN_HAND_STATUSES), sends.c.lease_until > longest)
    db.execute(sends.update().where(is_too_long).values(lease_until=longest))


def lease_over(clock: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Return the condition that the lease of a send has run out by this clock, or that there is none."""
    return sa.or_(sends.c.lease_until.is_(None), sends.c.lease_until <= clock)


class LeaseKeeper:
    """Renews the leases of the sends that are worked on, in a daemon thread, as long as there are any.

    A send that was claimed and then left by an interrupt is not among them, so its lease runs out. ``idle`` is called
    when there are none any more.
    """

    def __init__(
        self,
        renew: Callable[[Collection[str]], None],
        every_s: float = LEASE_S / 4,
        *,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._renew, self._every_s, self._idle = renew, every_s, idle
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def holding(self, send_id: str) -> Iterator[None]:
        """Keep the lease of a send fresh inside this block.

        When the system refuses the thread, the lease is that of the claim, and the next claim tries again.
        """
        try:
            with self._lock:
                self._held.add(send_id)
                if self._thread is None or not self._thread.is_alive():
                    with contextlib.suppress(RuntimeError, MemoryError):
                        self._thread = self._started()
            yield
        finally:
            with self._lock:
                self._held.discard(send_id)

    def _started(self) -> threading.Thread:
        self._stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._stop,), name="linq_nb lease", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread, and wait for a renewal that is under way: after this the journal may be closed."""
        with self._lock:
            self._stop.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(STOP_S)

    def _run(self, stop: threading.Event) -> None:
        idle = 0
        while not stop.wait(self._every_s):
            with self._lock:
                held = tuple(self._held)
                idle = 0 if held else idle + 1
                if idle >= IDLE_ROUNDS:
                    self._thread = None
                    return
            if held:
                with contextlib.suppress(JournalError):  # a missed renewal may cost the claim, never a second bubble
                    self._renew(held)
            elif idle == 1:
                self._idle()
