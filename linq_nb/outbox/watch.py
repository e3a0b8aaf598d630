"""Watching sends until they are settled: the polls, the live table, and the result."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from linq_nb import live, rules, views
from linq_nb.errors import LinqError
from linq_nb.frames import Handles, to_frame
from linq_nb.model import Send, SendList
from linq_nb.outbox.follow import Follower, StatusPolls
from linq_nb.outbox.poll import HOPELESS, Poll, current, open_sends
from linq_nb.session import Session
from linq_nb.times import timeout_of

if TYPE_CHECKING:
    import pandas as pd

JOURNAL_POLL_S = 5.0
"""Polling interval of the journal during a watch, in seconds; webhooks and other notebooks write to it too."""


class Watched(SendList):
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
    """One watch; ``result`` holds the sends at its end, also after an interrupt or an error."""

    def __init__(
        self,
        session: Session,
        sends: Sequence[Send] | None,
        timeout: float,
        *,
        horizon: timedelta | None = None,
        quiet: bool = False,
    ) -> None:
        self.result: Watched | None = None
        self._session, self._horizon = session, horizon
        self._sends = open_sends(session) if sends is None else list(sends)
        self._polls, self._progress = StatusPolls(session, horizon), live.Progress(quiet=quiet)
        self._note = ""
        self._started_at = session.now()
        self._deadline = session.steady() + timeout_of(timeout)
        self._failed: Poll | None = None
        self._key = session.journal.hash_key()

    def run(self) -> Watched:
        """Watch to the end; raises what the last poll raised."""
        note = "stopped by a fault"
        try:
            Follower(self._look, pause=self._session.throttle.pause).run()
            note = self._note
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

    def _look(self) -> float | None:
        """Ask for what is due; returns the pause until the next look in seconds, None at the end."""
        self._sends = current(self._session, self._sends)
        self._progress.show(self._table())
        waiting = self._polls.waiting(self._sends)
        if not waiting:
            self._failed = None
            return None
        seconds_left = self._deadline - self._session.steady()
        poll = self._polls.ask(waiting, all_of_them=seconds_left <= 0)
        if poll is not None:
            self._failed = poll if poll.error else None
            if isinstance(poll.error, HOPELESS):
                poll.raise_error()
        if seconds_left <= 0:
            self._sends = current(self._session, self._sends)
            still_open = self._polls.waiting(self._sends)
            self._note = f"the time is over; {len(still_open)} still open" if still_open else ""
            return None
        return 0 if poll else min(self._polls.seconds_until_due(waiting), seconds_left, JOURNAL_POLL_S)

    def _unconfirmed(self) -> frozenset[str]:
        return rules.unconfirmed_ids(self._sends, self._session.now(), self._horizon)

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
