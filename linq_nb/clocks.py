"""Clocks: a steady one that no correction moves, how far Linq's clock is ahead of ours, and times as numbers."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
_STEADY = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", 0))  # macOS's CLOCK_MONOTONIC counts sleep


def utc_now() -> datetime:
    """Return the time by this machine's wall clock."""
    return datetime.now(UTC)


def to_micros(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


def steady_s() -> float:
    """Return the seconds since the machine was started: they go on while it sleeps, and no correction moves them."""
    if sys.platform in ("win32", "emscripten"):
        return time.monotonic()  # Windows counts sleep here; a browser has no other clock
    return time.clock_gettime(_STEADY)


def boot_id() -> str | None:
    """Return what names the time since this machine was started, the same in all its processes; only on Linux."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip() or None
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Skew:
    """How far Linq's clock is ahead of ours: ``low`` at least, ``high`` at most."""

    low: timedelta
    high: timedelta

    def union(self, other: Skew) -> Skew:
        """Return all that is possible by either."""
        return Skew(min(self.low, other.low), max(self.high, other.high))

    def shifted(self, by: timedelta) -> Skew:
        """Return it for a clock of ours that was behind by so much."""
        return Skew(self.low + by, self.high + by)


class SkewMeter:
    """Measures a server's clock by the ``Date`` headers of its answers.

    A ``Date`` may be old (a cache, a proxy), so all answers count: the skew is between the smallest and the largest
    that was seen. ``steady`` gives seconds that go on as the real time does: a correction of our clock shows at once.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._lock = threading.Lock()
        self._low, self._high = math.inf, -math.inf

    def note(self, server_time: datetime, asked_at: float) -> None:
        """Count an answer that is here now, to a request of ``asked_at`` by the steady clock.

        A ``Date`` has whole seconds and was written at some time between the request and now.
        """
        low, high = server_time.timestamp() - self._steady(), (server_time + _SECOND).timestamp() - asked_at
        with self._lock:
            self._low, self._high = min(low, self._low), max(high, self._high)

    def skew(self, now: datetime) -> Skew | None:
        """Return how far the server's clock is ahead of one that shows ``now``; None without any answer."""
        with self._lock:
            if self._low == math.inf:
                return None
            behind = self._steady() - now.timestamp()
            return Skew(timedelta(seconds=self._low + behind), timedelta(seconds=self._high + behind))
