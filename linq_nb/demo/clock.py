"""The demo's clock, and why several workers see the same times each run.

The virtual clock never ticks by itself: only `sleep`, `advance`, slow answers and timeouts move it, so a
cell that sends one memo shows the same times in every run. With several workers one shared clock would not
do: whether row 7 was posted before or after row 3 waited two seconds is a race. So a task can have a time
line of its own: inside `with clock.timeline(start):` the thread's `now` begins at `start` (give all tasks
of a batch the same), its sleeps and slow answers move that line alone, and leaving the block moves the
world to the latest line. A maximum does not depend on the order of the tasks, a row's times depend on its
own row alone. A thread without a time line shares the world's clock.

On a socket the clients live in other processes and real time passes: there `now` is real time plus what
was advanced.
"""

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class VirtualClock:
    """A clock that stands still until somebody sleeps; thread-safe."""

    def __init__(self, start: datetime) -> None:
        self._world = start
        self._lock = threading.Lock()
        self._line = threading.local()

    def renew_lock(self) -> None:
        self._lock = threading.Lock()

    def now(self) -> datetime:
        at: datetime | None = getattr(self._line, "at", None)
        return self._world if at is None else at

    def world_now(self) -> datetime:
        """Give the world's time, also inside a time line."""
        return self._world

    signing_now = world_now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once; negative counts as zero."""
        step = timedelta(seconds=max(0.0, seconds))
        at: datetime | None = getattr(self._line, "at", None)
        if at is not None:
            self._line.at = at + step
            return
        with self._lock:
            self._world += step

    def advance(self, step: timedelta) -> None:
        """Move the world, and this thread's time line if it has one."""
        with self._lock:
            self._world += step
        if getattr(self._line, "at", None) is not None:
            self._line.at += step

    @contextmanager
    def timeline(self, start: datetime | None = None) -> Iterator[None]:
        """Give this thread a time line that begins at `start`, by default now."""
        before = getattr(self._line, "at", None)
        self._line.at = start or self.now()
        try:
            yield
        finally:
            reached, self._line.at = self._line.at, before
            if before is not None:
                self._line.at = max(before, reached)
            else:
                with self._lock:
                    self._world = max(self._world, reached)


class RealClock:
    """Real time plus what was advanced."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def renew_lock(self) -> None:
        """Do nothing: real time needs no lock."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def world_now(self) -> datetime:
        return self.now()

    def signing_now(self) -> datetime:
        """Give the computer's time, which the signature of a webhook is compared with."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def advance(self, step: timedelta) -> None:
        self._ahead += step

    def timeline(self, start: datetime | None = None) -> AbstractContextManager[None]:
        """Do nothing: real time has one line."""
        return nullcontext()


Clock = VirtualClock | RealClock


@functools.lru_cache(maxsize=4096)
def stamp(at: datetime | None, digits: int = 3) -> str | None:
    """Write a time as RFC 3339 in UTC with 0 to 9 fractional digits; Linq's answers vary in them."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="microseconds")[:26]
    return f"{text}000"[: 20 + digits if digits else 19] + "Z"


def http_date(at: datetime) -> str:
    """Write a time for the `Date` header."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
