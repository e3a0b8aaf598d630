"""The heartbeat of claims: while this process works on one, its lease is renewed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from linq_nb.errors import JournalError
from linq_nb.journal import LEASE_S

IDLE_BEATS = 6
"""After so many beats without a claim the thread ends; the next claim starts another."""


class Heart:
    """Beats in a daemon thread while at least one claim is held."""

    def __init__(self, beat: Callable[[], None], every_s: float = LEASE_S / 4) -> None:
        self._beat, self._every_s = beat, every_s
        self._held = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the leases of this process fresh for as long as this lasts."""
        with self._lock:
            self._held += 1
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="linq_nb heart", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    def stop(self) -> None:
        """End the thread."""
        with self._lock:
            self._stop.set()
            self._thread = None

    def _run(self, stop: threading.Event) -> None:
        idle = 0
        while not stop.wait(self._every_s):
            with self._lock:
                idle = 0 if self._held else idle + 1
                if idle >= IDLE_BEATS:
                    self._thread = None
                    return
            if not idle:
                with contextlib.suppress(JournalError):  # a missed beat may cost the claim, never a second bubble
                    self._beat()
