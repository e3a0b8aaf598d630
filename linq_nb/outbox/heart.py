"""The heartbeat of claims: while this process works on one, its lease is renewed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from linq_nb.errors import JournalError
from linq_nb.journal import LEASE_S


class Heart:
    """Beats in a daemon thread while at least one claim is held."""

    def __init__(self, beat: Callable[[], None], every_s: float = LEASE_S / 4) -> None:
        self._beat, self._every_s = beat, every_s
        self._held = 0
        self._lock = threading.Lock()
        self._stop: threading.Event | None = None

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the leases of this process fresh for as long as this lasts."""
        self._hold(+1)
        try:
            yield
        finally:
            self._hold(-1)

    def _hold(self, change: int) -> None:
        with self._lock:
            self._held += change
            if self._held and self._stop is None:
                self._stop = threading.Event()
                threading.Thread(target=self._run, args=(self._stop,), name="linq_nb heart", daemon=True).start()
            elif not self._held and self._stop is not None:
                self._stop.set()
                self._stop = None

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._every_s):
            with contextlib.suppress(JournalError):  # a beat that is missed costs the claim, never a second bubble
                self._beat()
