"""One pace for all threads that read: where Linq asks one of them to wait, the others wait too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from linq_nb.rules import MAX_SLEEP_S


class Pace:
    """Sleeps for the client, and knows until when it asked to be left alone.

    ``rest`` is a pause of the caller's own, such as the time between two looks: it holds nobody else up.
    """

    def __init__(self, sleep: Callable[[float], None], now: Callable[[], datetime]) -> None:
        self.rest, self._now = sleep, now
        self._free_at: datetime | None = None
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        """Pause between two tries of a request; whoever reads meanwhile waits as well."""
        until = self._now() + timedelta(seconds=seconds)
        with self._lock:
            self._free_at = max(until, self._free_at or until)
        self.rest(seconds)

    def wait(self) -> None:
        """Wait until nobody is asked to wait any more."""
        with self._lock:
            left = (self._free_at - self._now()).total_seconds() if self._free_at else 0.0
        if left > 0:
            self.rest(min(left, MAX_SLEEP_S))  # a clock that was set back must not mean hours
