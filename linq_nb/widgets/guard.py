"""A guard around widget callbacks: it shows their errors, which the front end would hide."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from linq_nb.errors import LinqError


def error_text(error: BaseException) -> str:
    """Return the text of an error: the message of our own, the type and message of any other."""
    if not isinstance(error, Exception):
        return f"stopped by {type(error).__name__}; %linq_sends shows what was sent"
    return str(error) if isinstance(error, LinqError) else f"{type(error).__name__}: {error}"


class Guard:
    """Runs callbacks one at a time, and ``after`` after each; ``fail`` gets an error.

    A callback of another thread waits for its turn. A callback that is triggered by another one is skipped: the
    widget's own code made that change.
    """

    def __init__(self, fail: Callable[[BaseException], None], after: Callable[[], None]) -> None:
        self._fail, self._after = fail, after
        self._is_running = False
        self._turn = threading.RLock()

    def __call__(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return the callback under this guard."""

        def run(*arguments: Any) -> None:
            with self._turn:
                if self._is_running:
                    return
                self._is_running = True
                try:
                    callback(*arguments)
                except BaseException as error:  # the person in front of the widget must see any error
                    self._fail(error)
                    if not isinstance(error, Exception):
                        raise
                finally:
                    self._is_running = False
                    self._after()

        return run
