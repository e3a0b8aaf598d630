"""Following sends: looking again and again, in this thread or in one of its own, and asking Linq for what is due."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from linq_nb import rules
from linq_nb.model import Send
from linq_nb.outbox.poll import Poll, pollable
from linq_nb.session import Session

JOIN_STEP_S = 0.1
"""``join`` waits in short steps, so that Ctrl-C is seen on every system and never lost."""


class Follower:
    """Calls ``look`` again and again; it returns the pause until the next call in seconds, or None to end."""

    def __init__(self, look: Callable[[], float | None], *, pause: Callable[[float], object] | None = None) -> None:
        self._look = look
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._pause = pause or self._stopped.wait
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Follow in this thread, until the end or until ``stop``."""
        while not self._stopped.is_set() and (seconds := self._look()) is not None:
            if seconds > 0:
                self._pause(seconds)

    def start(self, name: str, at_end: Callable[[Exception | None], None]) -> None:
        """Follow in a thread of its own, which calls ``at_end`` with the error that ended it, or None."""

        def follow() -> None:
            try:
                at_end(self._error_of_run())
            finally:
                self._ended.set()

        self._thread = threading.Thread(target=follow, name=name, daemon=True)
        self._thread.start()

    def _error_of_run(self) -> Exception | None:
        try:
            self.run()
        except Exception as error:  # noqa: BLE001  nobody would see the exception of a thread
            return error
        return None

    def stop(self) -> None:
        """Look no more; returns at once."""
        self._stopped.set()

    @property
    def is_running(self) -> bool:
        """Whether the follower's own thread is at work."""
        return self._thread is not None and not self._ended.is_set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of the thread, at most so many seconds; its own thread does not wait for itself."""
        if self._thread is None or self._thread is threading.current_thread():
            return
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not self._ended.wait(JOIN_STEP_S):
            if time.monotonic() >= deadline:
                return
        self._thread.join()


class StatusPolls:
    """Asks Linq for the status of sends whenever they are due, and stops at the user's horizon."""

    def __init__(self, session: Session, horizon: timedelta | None = None) -> None:
        self._session, self._schedule = session, Schedule(horizon)
        self._poll: Poll | None = None
        self._stopped = False

    def waiting(self, sends: Iterable[Send]) -> list[Send]:
        """Return the sends of which Linq may still report more."""
        return self._schedule.waiting(pollable(self._session, sends), self._session.now())

    def ask(self, waiting: list[Send], *, all_of_them: bool = False) -> Poll | None:
        """Ask for those that are due now, or for all; returns the poll, None when nothing was asked."""
        due = waiting if all_of_them else self._schedule.due(waiting, self._session.now())
        if not due:
            return None
        self._poll = Poll(self._session, due)
        if self._stopped:
            return None
        self._poll.run()
        self._schedule.asked(due, self._session.now())
        return self._poll

    def seconds_until_due(self, waiting: list[Send]) -> float:
        """Return the time until the next request, infinite when there is none."""
        now = self._session.now()
        at = self._schedule.next_at(waiting, now)
        return math.inf if at is None else max((at - now).total_seconds(), 0.0)

    def stop(self) -> None:
        """Make no further request; a poll that runs ends after the answers that are under way."""
        self._stopped = True
        if self._poll is not None:
            self._poll.stop()


class Schedule:
    """When each send is asked for next, from how often and when it was asked for."""

    def __init__(self, horizon: timedelta | None = None) -> None:
        self._horizon = horizon
        self._asked: dict[str, tuple[int, datetime]] = {}

    def waiting(self, sends: Iterable[Send], now: datetime) -> list[Send]:
        """Return the sends that are still followed; a send past the horizon is asked for once more and then not."""
        return [send for send in sends if rules.may_be_asked(send) and not self._is_past(send, now)]

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

    def _is_past(self, send: Send, now: datetime) -> bool:
        return send.send_id in self._asked and rules.is_unconfirmed(send, now, self._horizon)

    def _at(self, send: Send, now: datetime) -> datetime:
        times, last = self._asked.get(send.send_id, (0, None))
        return rules.ask_at(send, times, last, now)
