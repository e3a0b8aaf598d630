"""The guard round every callback: one at a time, and what it raises is told, since the front end would hide it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from linq_nb.errors import LinqError


class Guard:
    """Runs callbacks alone, between ``before`` and ``after``; ``fail`` gets what they raise, and its words.

    Those of another thread wait for their turn.
    """

    def __init__(
        self, before: Callable[[], None], after: Callable[[], None], fail: Callable[[BaseException, str], None]
    ) -> None:
        self._before, self._after, self._fail = before, after, fail
        self._busy = False
        self._turn = threading.RLock()

    def __call__(self, act: Callable[..., None]) -> Callable[..., None]:
        """Return ``act`` under guard; inside another one it does nothing: the form itself made that change."""

        def run(*given: Any) -> None:
            with self._turn:
                if not self._busy:
                    self._alone(act, given)

        return run

    def _alone(self, act: Callable[..., None], given: tuple[Any, ...]) -> None:
        self._busy = True
        self._before()
        try:
            act(*given)
        except LinqError as error:
            self._fail(error, str(error))
        except Exception as error:  # noqa: BLE001  whatever it is, the person at the form must see it
            self._fail(error, f"{type(error).__name__}: {error}")
        except BaseException as error:
            self._fail(error, f"stopped by {type(error).__name__}; %linq_sends tells what became of it")
            raise
        finally:
            self._busy = False
            self._after()

    def event(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """Return ``act`` under guard for an event that says nothing that it needs."""
        run = self(act)
        return lambda _event: run()
