"""A value that must not be shown, such as an API key."""

from __future__ import annotations

from typing import Any


class Secret:
    """A key that appears in no repr, in no traceback's locals and in no pickle; ``reveal`` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('•••')"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")
