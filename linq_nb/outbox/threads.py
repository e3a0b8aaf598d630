"""Threads that can be waited for without losing a Ctrl-C."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

STEP_S = 0.1
"""How long one step of a wait takes at most, in seconds: a Ctrl-C is seen at its end at the latest."""


class Worker(threading.Thread):
    """A daemon thread with an event for its end: Python 3.11 calls a thread dead whose ``join`` was interrupted."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.ended.set()


def start(workers: list[Worker], work: Callable[[], object], name: str, number: int) -> None:
    """Start so many workers and put them into the list, or fewer when the system refuses more.

    Where it refuses even the first, as a browser does, the work is done here and now.
    """
    try:
        for index in range(number):
            workers.append(Worker(work, f"{name} {index}"))
            workers[-1].start()
    except RuntimeError:
        workers.pop()
        if not workers:
            work()


def join(workers: Iterable[Worker], seconds: float = math.inf) -> None:
    """Wait for the end of workers, at most so many seconds; one that never began is not waited for."""
    deadline = time.monotonic() + seconds
    for worker in workers:
        while worker.ident is not None and not worker.ended.is_set() and time.monotonic() < deadline:
            worker.ended.wait(STEP_S)
        if worker.ended.is_set():
            worker.join(STEP_S)
