"""Watching sends until they are settled: when each is asked for, the table that shows it, and what is left of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from linq_nb import live, rules, views
from linq_nb.errors import LinqError
from linq_nb.frames import Handles, to_frame
from linq_nb.model import Send
from linq_nb.outbox import asking, reading

if TYPE_CHECKING:
    import pandas as pd

    from linq_nb.outbox.core import Outbox

LOOK_EVERY_S = 5.0
"""How often the journal is read again meanwhile, since webhooks and other notebooks write to it too; in seconds."""


class Schedule:
    """When each send is asked for next: it knows how often and when each was asked, and nothing else."""

    def __init__(self, horizon: timedelta | None = None) -> None:
        self._horizon = horizon
        self._asked: dict[str, tuple[int, datetime]] = {}

    def waiting(self, sends: Iterable[Send], now: datetime) -> list[Send]:
        """Return the sends that are still followed; one past the horizon is asked for once and then let be."""
        return [
            one
            for one in sends
            if rules.may_be_asked(one)
            and not (one.send_id in self._asked and rules.is_unconfirmed(one, now, self._horizon))
        ]

    def next_at(self, sends: Iterable[Send], now: datetime) -> datetime | None:
        """Return when the first of these is asked for, None where there is none."""
        return min((self._at(one, now) for one in sends), default=None)

    def due(self, sends: Iterable[Send], now: datetime) -> list[Send]:
        """Return those to ask for now, with those that would be due right after."""
        times = [(self._at(one, now), one) for one in sends]
        if not any(at <= now for at, _ in times):
            return []
        return [one for at, one in times if at <= now + rules.TOGETHER]

    def asked(self, sends: Iterable[Send], now: datetime) -> None:
        """Note that these were asked for, with or without an answer."""
        for one in sends:
            self._asked[one.send_id] = (self._asked.get(one.send_id, (0, now))[0] + 1, now)

    def _at(self, send: Send, now: datetime) -> datetime:
        times, last = self._asked.get(send.send_id, (0, None))
        return rules.ask_at(send, times, last, now)


class Watched(list[Send]):
    """The sends that were watched, as they stood at the end, in the order in which they were given.

    ``unconfirmed`` are the ids of those that were past the horizon and neither delivered nor failed.
    """

    def __init__(
        self,
        sends: Iterable[Send],
        shown: views.Shown,
        *,
        unconfirmed: Collection[str] = (),
        cell: object = None,
        key: bytes | None = None,
    ) -> None:
        super().__init__(sends)
        self.unconfirmed = frozenset(unconfirmed)
        self._shown, self._cell, self._key = shown, cell, key

    def __repr__(self) -> str:
        return self._shown.text

    def _ipython_display_(self) -> None:
        """Show the table, but not below itself: in the cell that watched it stands already."""
        if self._cell is None or self._cell != live.cell_number():
            live.Output().show(self._shown)

    def frame(self, handles: Handles = "masked") -> pd.DataFrame:
        """Return the sends as a DataFrame."""
        return to_frame(list(self), handles, kind="sends", key=self._key if handles == "hashed" else None)


def watch(
    outbox: Outbox,
    sends: Sequence[Send] | None,
    timeout: float,
    *,
    horizon: timedelta | None = None,
    quiet: bool = False,
) -> Watched:
    """Ask again and again until all are settled, past the horizon, or the time is over."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise LinqError(f"timeout is a number of seconds, not {timeout!r}; nothing was asked")
    wanted = reading.followed(outbox) if sends is None else list(sends)
    return _Watch(outbox, wanted, timeout, horizon, quiet).run()


class _Watch:
    """One watch: its sends, its deadline, its table."""

    def __init__(
        self, outbox: Outbox, sends: list[Send], timeout: float, horizon: timedelta | None, quiet: bool
    ) -> None:
        self._outbox, self._sends, self._horizon = outbox, sends, horizon
        self._schedule, self._progress = Schedule(horizon), live.Progress(quiet=quiet)
        self._started = outbox.now()
        self._deadline = self._started + timedelta(seconds=min(timeout, 1e9))
        self._failed: asking.Asking | None = None
        self._key = outbox.hash_key()

    def run(self) -> Watched:
        end = "stopped by a fault"
        try:
            end = self._follow()
        except KeyboardInterrupt:
            end = "interrupted; what was learnt is in the journal"
            raise
        except LinqError as error:
            end = str(error)
            raise
        finally:
            self._outbox.last_watch = self._ended(end)
        if self._failed is not None:
            self._failed.raise_error()
        return self._outbox.last_watch

    def _follow(self) -> str:
        """Ask what is due until there is nothing to wait for; returns why it ended."""
        while True:
            self._sends = reading.as_they_stand(self._outbox, self._sends)
            now = self._outbox.now()
            self._progress.show(self._shown())
            waiting = self._schedule.waiting(reading.askable(self._outbox, self._sends), now)
            if not waiting:
                self._failed = None
                return ""
            over = now >= self._deadline
            due = waiting if over else self._schedule.due(waiting, now)
            if due:
                self._ask(due)
            if over:
                self._sends = reading.as_they_stand(self._outbox, self._sends)
                left = self._schedule.waiting(self._sends, now)
                return f"the time is over; {len(left)} still open" if left else ""
            if not due:
                self._rest(waiting, now)

    def _ask(self, due: list[Send]) -> None:
        asked = asking.Asking(self._outbox, due).run()
        self._schedule.asked(due, self._outbox.now())
        self._failed = asked if asked.error else None
        if isinstance(asked.error, asking.HOPELESS):
            asked.raise_error()

    def _rest(self, waiting: list[Send], now: datetime) -> None:
        """Sleep until the next question, but look into the journal now and then."""
        at = min(self._schedule.next_at(waiting, now) or self._deadline, self._deadline)
        self._outbox.pace.rest(min(max((at - now).total_seconds(), 0.0), LOOK_EVERY_S))

    def _unconfirmed(self) -> frozenset[str]:
        now = self._outbox.now()
        return frozenset(one.send_id for one in self._sends if rules.is_unconfirmed(one, now, self._horizon))

    def _shown(self, note: str = "") -> views.Shown:
        now = self._outbox.now()
        return views.followed(
            self._sends, now=now, started=self._started, unconfirmed=self._unconfirmed(), notes=[note] if note else []
        )

    def _ended(self, note: str) -> Watched:
        """Make the table final, and return what stands."""
        with contextlib.suppress(LinqError):  # what ended it is raised, not what happens on the way out
            self._sends = reading.as_they_stand(self._outbox, self._sends)
        shown = self._shown(note)
        self._progress.end(shown)
        return Watched(self._sends, shown, unconfirmed=self._unconfirmed(), cell=self._progress.cell, key=self._key)
