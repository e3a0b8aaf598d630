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
from linq_nb.outbox.poll import HOPELESS, Poll, current, open_sends, pollable
from linq_nb.session import Session

if TYPE_CHECKING:
    import pandas as pd

JOURNAL_POLL_S = 5.0
"""How often the journal is read again meanwhile, since webhooks and other notebooks write to it too; in seconds."""


class Schedule:
    """When each send is asked for next, from how often and when it was asked for."""

    def __init__(self, horizon: timedelta | None = None) -> None:
        self._horizon = horizon
        self._asked: dict[str, tuple[int, datetime]] = {}

    def waiting(self, sends: Iterable[Send], now: datetime) -> list[Send]:
        """Return the sends that are still followed; a send past the horizon is asked for once more and then not."""
        return [send for send in sends if rules.may_be_asked(send) and not self._is_past(send, now)]

    def _is_past(self, send: Send, now: datetime) -> bool:
        return send.send_id in self._asked and rules.is_unconfirmed(send, now, self._horizon)

    def next_at(self, sends: Iterable[Send], now: datetime) -> datetime | None:
        """Return when the first of these sends is asked for, None without sends."""
        return min((self._at(send, now) for send in sends), default=None)

    def due(self, sends: Iterable[Send], now: datetime) -> list[Send]:
        """Return the sends to ask for now, with those that would be due right after."""
        times = [(self._at(send, now), send) for send in sends]
        if not any(at <= now for at, _ in times):
            return []
        return [send for at, send in times if at <= now + rules.TOGETHER]

    def asked(self, sends: Iterable[Send], now: datetime) -> None:
        """Note that these sends were asked for, with or without an answer."""
        for send in sends:
            self._asked[send.send_id] = (self._asked.get(send.send_id, (0, now))[0] + 1, now)

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
        """Show the table, unless the running cell shows it already, as the cell that watched does."""
        if self._cell is None or self._cell != live.cell_number():
            live.Output().show(self._shown)

    def frame(self, handles: Handles = "masked") -> pd.DataFrame:
        """Return the sends as a DataFrame."""
        return to_frame(list(self), handles, kind="sends", key=self._key if handles == "hashed" else None)


class Watch:
    """A watch: asks again and again until all is settled, past the horizon, or the time is over.

    ``result`` is what stands at its end, also after an interrupt or an error.
    """

    def __init__(
        self,
        session: Session,
        sends: Sequence[Send] | None,
        timeout: float,
        *,
        horizon: timedelta | None = None,
        quiet: bool = False,
    ) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
            raise LinqError(f"timeout is a number of seconds, not {timeout!r}; nothing was asked")
        self.result: Watched | None = None
        self._session, self._horizon = session, horizon
        self._sends = open_sends(session) if sends is None else list(sends)
        self._schedule, self._progress = Schedule(horizon), live.Progress(quiet=quiet)
        self._started_at = session.now()
        self._deadline = self._started_at + timedelta(seconds=min(timeout, 1e9))
        self._failed: Poll | None = None
        self._key = session.journal.hash_key()

    def run(self) -> Watched:
        """Watch to the end; raises what the last poll raised."""
        note = "stopped by a fault"
        try:
            note = self._follow()
        except KeyboardInterrupt:
            note = "interrupted; what was learnt is in the journal"
            raise
        except LinqError as error:
            note = str(error)
            raise
        finally:
            self.result = self._final(note)
        if self._failed is not None:
            self._failed.raise_error()
        return self.result

    def _follow(self) -> str:
        """Ask what is due until there is nothing to wait for; returns why it ended."""
        while True:
            self._sends = current(self._session, self._sends)
            now = self._session.now()
            self._progress.show(self._table())
            waiting = self._schedule.waiting(pollable(self._session, self._sends), now)
            if not waiting:
                self._failed = None
                return ""
            is_over = now >= self._deadline
            due = waiting if is_over else self._schedule.due(waiting, now)
            if due:
                self._ask(due)
            if is_over:
                self._sends = current(self._session, self._sends)
                left = self._schedule.waiting(self._sends, now)
                return f"the time is over; {len(left)} still open" if left else ""
            if not due:
                self._pause(waiting, now)

    def _ask(self, due: list[Send]) -> None:
        poll = Poll(self._session, due).run()
        self._schedule.asked(due, self._session.now())
        self._failed = poll if poll.error else None
        if isinstance(poll.error, HOPELESS):
            poll.raise_error()

    def _pause(self, waiting: list[Send], now: datetime) -> None:
        """Sleep until the next request, but read the journal now and then."""
        at = min(self._schedule.next_at(waiting, now) or self._deadline, self._deadline)
        self._session.throttle.pause(min(max((at - now).total_seconds(), 0.0), JOURNAL_POLL_S))

    def _unconfirmed(self) -> frozenset[str]:
        now = self._session.now()
        return frozenset(send.send_id for send in self._sends if rules.is_unconfirmed(send, now, self._horizon))

    def _table(self, note: str = "") -> views.Shown:
        return views.followed(
            self._sends,
            now=self._session.now(),
            started=self._started_at,
            unconfirmed=self._unconfirmed(),
            notes=[note] if note else [],
        )

    def _final(self, note: str) -> Watched:
        """Make the table final, and return the sends as they stand."""
        with contextlib.suppress(LinqError):  # what ended the watch is raised, not what happens on the way out
            self._sends = current(self._session, self._sends)
        table = self._table(note)
        self._progress.end(table)
        return Watched(self._sends, table, unconfirmed=self._unconfirmed(), cell=self._progress.cell, key=self._key)
