"""Leases of claims: they are renewed while this process works on the sends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator

from linq_nb.errors import JournalError

LEASE_S = 20.0
"""How long a claim lasts without renewal, in seconds of the real clock."""

STOP_S = 5.0
"""How long ``stop`` waits for a renewal that is under way, in seconds."""

IDLE_ROUNDS = 6
"""After so many rounds without a claim the thread ends; the next claim starts another."""


class LeaseKeeper:
    """Renews the leases of the sends that are worked on, in a daemon thread, as long as there are any.

    A send that was claimed and then left by an interrupt is not among them, so its lease runs out. ``idle`` is called
    when there are none any more.
    """

    def __init__(
        self,
        renew: Callable[[Collection[str]], None],
        every_s: float = LEASE_S / 4,
        *,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._renew, self._every_s, self._idle = renew, every_s, idle
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def holding(self, send_id: str) -> Iterator[None]:
        """Keep the lease of a send fresh inside this block.

        When the system refuses the thread, the lease is that of the claim, and the next claim tries again.
        """
        try:
            with self._lock:
                self._held.add(send_id)
                if self._thread is None or not self._thread.is_alive():
                    with contextlib.suppress(RuntimeError, MemoryError):
                        self._thread = self._started()
            yield
        finally:
            with self._lock:
                self._held.discard(send_id)

    def _started(self) -> threading.Thread:
        self._stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._stop,), name="linq_nb lease", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread, and wait for a renewal that is under way: after this the journal may be closed."""
        with self._lock:
            self._stop.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(STOP_S)

    def _run(self, stop: threading.Event) -> None:
        idle = 0
        while not stop.wait(self._every_s):
            with self._lock:
                held = tuple(self._held)
                idle = 0 if held else idle + 1
                if idle >= IDLE_ROUNDS:
                    self._thread = None
                    return
            if held:
                with contextlib.suppress(JournalError):  # a missed renewal may cost the claim, never a second bubble
                    self._renew(held)
            elif idle == 1:
                self._idle()
