"""The process that made an object. A forked child has a copy of the object, and must not use it: its connections, locks
and threads are the parent's."""

from __future__ import annotations

import os
from typing import NoReturn

from linq_nb.errors import SettingsError


class Home:
    """The process in which an object was made; ``pid`` is its number."""

    __slots__ = ("_noun", "pid")

    def __init__(self, noun: str = "outbox") -> None:
        self._noun, self.pid = noun, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the process that made the object."""
        return os.getpid() == self.pid

    def check(self) -> None:
        """Raise SettingsError in a forked child."""
        if os.getpid() != self.pid:
            raise SettingsError(
                f"this {self._noun} belongs to process {self.pid}; nothing was sent; call linq_nb.connect() here"
            )


class Unpicklable:
    """Mixin: an object that stays in its process, so that it can be neither pickled nor copied."""

    def __reduce__(self) -> NoReturn:
        raise SettingsError(
            f"this {type(self).__name__} stays in its process and cannot be pickled or copied; nothing was sent; "
            "call linq_nb.connect() in the other process"
        )

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: object) -> NoReturn:  # a widget has its own, which would come first
        self.__reduce__()
