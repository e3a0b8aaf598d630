"""Many rows of the journal as a sequence that reads them as they are used: a million sends in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from linq_nb.journal.ledger import Codec

T = TypeVar("T")

FEW = 10_000
"""Up to so many records are a plain list."""

PAGE = 2_000
"""Rows that are read together: more are hardly quicker, and take more memory."""

Read = Callable[[Sequence[int], Sequence[str]], list[tuple[Any, ...]]]
"""Reads these columns of the rows with these numbers, in order."""


class Pages(Sequence[T], Generic[T]):
    """Records of the journal, more than are held in memory.

    Which they are is settled when they are asked for; what they say is read when they are used. ``to_frame`` reads
    them column by column, without making records.
    """

    def __init__(self, codec: Codec, numbers: array[int], read: Read) -> None:
        self.record: type = codec.record
        self._codec, self._numbers, self._read = codec, numbers, read

    def __repr__(self) -> str:
        return f"<{len(self):,} records of type {self.record.__name__} in the journal; to_frame makes a table of them>"

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[T]:
        for page in self._pages():
            yield from self._records(page)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if not isinstance(index, slice):
            return self._records([self._numbers[index]])[0]
        chosen = self._numbers[index]
        rows = dict(zip(sorted(chosen), self._listed(sorted(chosen)), strict=True))
        return [rows[number] for number in chosen]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | Pages):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as a list: what it says may change

    def chunks(self, names: Sequence[str]) -> Iterator[Mapping[str, Sequence[Any]]]:
        """Give these columns page by page, as the database has them: microseconds, JSON text, integers."""
        for page in self._pages():
            yield dict(zip(names, zip(*self._read(page, names), strict=True), strict=True))

    def _pages(self) -> Iterator[Sequence[int]]:
        for start in range(0, len(self), PAGE):
            yield self._numbers[start : start + PAGE]

    def _records(self, numbers: Sequence[int]) -> list[T]:
        return [self._codec.read(row) for row in self._read(numbers, self._codec.names)]

    def _listed(self, numbers: Sequence[int]) -> list[T]:
        pages = (numbers[start : start + PAGE] for start in range(0, len(numbers), PAGE))
        return [one for page in pages for one in self._records(page)]
