"""A transport to the demo that delays requests and records their times and threads."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable

import httpx

from linq_nb.demo import Demo


class Door(httpx.BaseTransport):
    """Lets requests to ``path`` take ``seconds`` of real time, and calls ``on`` with the number of each."""

    def __init__(
        self, demo: Demo, *, path: str = "/messages", seconds: float = 0.0, on: Callable[[int], None] = lambda n: None
    ) -> None:
        self._inner, self._path, self._seconds, self._on = demo.transport(), path, seconds, on
        self._lock = threading.Lock()
        self._inside = 0
        self.most, self.at, self.threads = 0, list[float](), set[str]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._path not in request.url.path:
            return self._inner.handle_request(request)
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.at.append(time.monotonic())
            self.threads.add(threading.current_thread().name)
            number = len(self.at)
        try:
            self._on(number)
            time.sleep(self._seconds)
            return self._inner.handle_request(request)
        finally:
            with self._lock:
                self._inside -= 1


def press_ctrl_c() -> None:
    """Interrupt the main thread, as Jupyter's stop button does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def runs(thread: int, function: str, file: str) -> bool:
    """Whether a thread waits inside a function."""
    frame = sys._current_frames().get(thread)
    if frame is None or not frame.f_code.co_filename.endswith("threading.py"):
        return False
    while frame is not None and not frame.f_code.co_filename.endswith(file):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == function


def reads(demo: Demo, since: int = 0) -> list[str]:
    """The reads of messages so far: ``list`` for a chat's, ``one`` for a single one."""
    gets = [request.path for request in demo.requests[since:] if request.method == "GET"]
    paths = [path for path in gets if "/messages" in path]
    return ["list" if "/chats/" in path else "one" for path in paths]
