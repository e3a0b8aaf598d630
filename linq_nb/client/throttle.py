"""Pauses between requests, and the rate limit that all threads of a client keep together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

CHECK_EVERY_S = 0.2
"""How often a pause checks whether it was cancelled, in seconds."""


class Throttle:
    """Makes every pause of a client, and holds back all its threads while Linq asks one of them to wait (429).

    ``sleep`` is ``time.sleep``, or moves the clock of a demo: time is virtual then, and nobody else has to wait.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep, self._is_real = sleep, sleep is time.sleep
        self._limited_until = 0.0
        self._lock = threading.Lock()

    def pause(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait so many seconds; ends early, where time is real, once ``is_over`` returns True."""
        if not self._is_real:
            self._sleep(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not is_over():
            time.sleep(min(left, CHECK_EVERY_S))

    def back_off(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait because Linq asked for it (429): its rate limits count all requests, so all threads wait."""
        self.limit(seconds)
        self.pause(seconds, is_over)

    def limit(self, seconds: float) -> None:
        """Let no request begin for so many seconds."""
        with self._lock:
            self._limited_until = max(self._limited_until, time.monotonic() + seconds)

    def wait_turn(self) -> None:
        """Wait until the rate limit allows a request."""
        if wait_s := self.rate_limit_wait_s():
            self.pause(wait_s)

    def rate_limit_wait_s(self) -> float:
        """Return the seconds until the rate limit allows a request; 0 where time is virtual."""
        if not self._limited_until or not self._is_real:
            return 0.0
        return max(0.0, self._limited_until - time.monotonic())
