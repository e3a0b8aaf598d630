"""Following sends: repeated looks, in this thread or in one of its own, and polls of the sends that are due."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from linq_nb import rules
from linq_nb.errors import LinqError
from linq_nb.model import Send
from linq_nb.outbox.poll import Poll, pollable
from linq_nb.outbox.threads import Worker, join
from linq_nb.session import Session


class Follower:
    """Calls ``look`` again and again; it returns the pause until the next call in seconds, or None to end."""

    def __init__(self, look: Callable[[], float | None], *, pause: Callable[[float], object] | None = None) -> None:
        self._look = look
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._thread: Worker | None = None

    def run(self) -> None:
        """Follow in this thread, until the end or until ``stop``."""
        while not self._stopped.is_set() and (seconds := self._look()) is not None:
            if seconds > 0:
                self._pause(seconds)

    def start(self, name: str, at_end: Callable[[Exception | None], None]) -> None:
        """Follow in a thread of its own, which calls ``at_end`` with the error that ended it, or None.

        Where no thread can be started, as in a browser, it looks once, in the caller.
        """

        def follow(run: Callable[[], None]) -> None:
            error: Exception | None = None
            try:
                run()
            except Exception as fault:  # noqa: BLE001  nobody would see the exception of a thread
                error = fault
            at_end(error)

        self._thread = Worker(lambda: follow(self.run), name)
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):
            self._thread = None
            follow(self._look_once)

    def _look_once(self) -> None:
        if self._look() is not None:
            self._stopped.set()
            raise LinqError(
                "this shows one look only: no thread can be started here, as in JupyterLite; nothing was sent by it; "
                "run the cell again to look again"
            )

    def stop(self) -> None:
        """Look no more; returns at once."""
        self._stopped.set()

    @property
    def is_running(self) -> bool:
        """Whether the follower's own thread is at work."""
        return self._thread is not None and not self._thread.ended.is_set()

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the end of the thread, at most so many seconds; its own thread does not wait for itself."""
        if self._thread is not None and self._thread is not threading.current_thread():
            join([self._thread], seconds)


class StatusPolls:
    """Asks Linq for the status of sends whenever they are due, and stops at the user's horizon."""

    def __init__(self, session: Session, horizon: timedelta | None = None) -> None:
        self._session, self._horizon = session, horizon
        self._asked: dict[str, tuple[int, datetime]] = {}  # by send id: how often, and when last
        self._poll: Poll | None = None
        self._stopped = False

    def waiting(self, sends: Iterable[Send]) -> list[Send]:
        """Return the sends that are still followed; a send past the horizon is asked for once more and then not."""
        now, asked = self._session.now(), self._asked
        return [
            send
            for send in pollable(self._session, sends)
            if send.send_id not in asked or not rules.is_unconfirmed(send, now, self._horizon)
        ]

    def ask(self, waiting: list[Send], *, all_of_them: bool = False) -> Poll | None:
        """Ask for those that are due now, or for all; returns the poll, None when nothing was asked."""
        due = waiting if all_of_them else self.due(waiting)
        if not due:
            return None
        self._poll = Poll(self._session, due)
        if self._stopped:
            return None
        self._poll.run()
        now = self._session.now()
        self._asked |= {send.send_id: (self._asked.get(send.send_id, (0, now))[0] + 1, now) for send in due}
        return self._poll

    def due(self, waiting: Iterable[Send]) -> list[Send]:
        """Return the sends to ask for now, with those that would be due right after."""
        now = self._session.now()
        times = [(self._due_at(send, now), send) for send in waiting]
        if not any(at <= now for at, _ in times):
            return []
        return [send for at, send in times if at <= now + rules.TOGETHER]

    def seconds_until_due(self, waiting: Iterable[Send]) -> float:
        """Return the time until the next request, infinite when there is none."""
        now = self._session.now()
        return min((max((self._due_at(send, now) - now).total_seconds(), 0.0) for send in waiting), default=math.inf)

    def stop(self) -> None:
        """Make no further request; a poll that runs ends after the answers that are under way."""
        self._stopped = True
        if self._poll is not None:
            self._poll.stop()

    def _due_at(self, send: Send, now: datetime) -> datetime:
        """Return when a send is due; a time after ``now`` is of another clock, or of ours before it was put back."""
        times, last = self._asked.get(send.send_id, (0, None))
        return min(rules.ask_at(send, times, last, now), rules.ask_at(send, times, now, now))
