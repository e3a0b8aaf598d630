"""A value that shows itself to nobody."""

from __future__ import annotations

from typing import Any


class Secret:
    """A key that shows itself to nobody: not in a repr, a traceback's locals or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('•••')"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")
