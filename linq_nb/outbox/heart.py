"""The heartbeat of claims: while this process works on one, its lease is renewed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator

from linq_nb.errors import JournalError
from linq_nb.journal import LEASE_S

END_S = 5.0
"""How long to wait for a beat that is under way, in seconds."""

IDLE_BEATS = 6
"""After so many beats without a claim the thread ends; the next claim starts another."""


class Heart:
    """Beats in a daemon thread for the sends that are worked on, as long as there are any.

    One that was claimed and then left by an interrupt is not among them, so its lease runs out.
    """

    def __init__(self, beat: Callable[[Collection[str]], None], every_s: float = LEASE_S / 4) -> None:
        self._beat, self._every_s = beat, every_s
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def beating(self, send_id: str) -> Iterator[None]:
        """Keep the lease of a send fresh for as long as this lasts."""
        with self._lock:
            self._held.add(send_id)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="linq_nb heart", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(send_id)

    def stop(self) -> None:
        """End the thread, and wait for a beat that is under way: after this the journal may be closed."""
        with self._lock:
            self._stop.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(END_S)

    def _run(self, stop: threading.Event) -> None:
        idle = 0
        while not stop.wait(self._every_s):
            with self._lock:
                held = tuple(self._held)
                idle = 0 if held else idle + 1
                if idle >= IDLE_BEATS:
                    self._thread = None
                    return
            if not idle:
                with contextlib.suppress(JournalError):  # a missed beat may cost the claim, never a second bubble
                    self._beat(held)
