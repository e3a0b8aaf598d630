"""Work in a forked child: a real ``os.fork``, with an end for a child that hangs."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from shared import HANG_S


class Child:
    """A forked child that calls ``work``; ``result()`` returns its result, or raises its exception."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._answers, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._answers)
            _answer(work, write)
        os.close(write)

    def result(self) -> Any:
        """Wait for the child, which is killed when it hangs."""
        data = b""
        while select.select([self._answers], [], [], HANG_S)[0] and (more := os.read(self._answers, 65_536)):
            data += more
        os.close(self._answers)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        assert data, "the child hung or died"
        is_good, value = pickle.loads(data)
        if not is_good:
            raise value
        return value


def in_child(work: Callable[[], Any]) -> Any:
    """Call ``work`` in a forked child; returns its result, or raises its exception."""
    return Child(work).result()


def _answer(work: Callable[[], Any], write: int) -> NoReturn:
    try:
        try:
            answer = (True, work())
        except Exception as error:  # noqa: BLE001  the parent raises it
            answer = (False, error)
        with open(write, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
    finally:
        os._exit(0)
