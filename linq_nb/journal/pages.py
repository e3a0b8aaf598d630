"""Many records of the journal as a sequence that reads them when they are used: a million sends in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from linq_nb.journal.schema import RecordTable

T = TypeVar("T")

FEW = 10_000
"""Up to so many records are a plain list."""

PAGE = 2_000
"""Rows that are read together: more are hardly faster, and take more memory."""

Row = tuple[Any, ...]


class LazyRecords(Sequence[T], Generic[T]):
    """Records of the journal that are not held in memory.

    Which records they are is fixed when they are asked for; their values are read when they are used. ``to_frame``
    reads them column by column, without making records.

    ``read`` gives columns of the rows with ascending numbers as the driver has them, ``make`` the record of such a row.
    """

    def __init__(
        self,
        kind: RecordTable,
        numbers: array[int],
        read: Callable[[RecordTable, Sequence[int], Sequence[str]], list[Row]],
        make: Callable[[RecordTable, Row], T],
    ) -> None:
        self.record: type = kind.record
        self._kind, self._numbers, self._read, self._make = kind, numbers, read, make

    def __repr__(self) -> str:
        return f"<{len(self):,} records of type {self.record.__name__} in the journal; to_frame makes a table of them>"

    def __reduce__(self) -> tuple[type[list[T]], tuple[list[T]]]:
        """Pickle the records, as a list: the journal stays in its process."""
        return list, (list(self),)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[T]:
        for page in _pages(self._numbers):
            yield from self._records(page)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if not isinstance(index, slice):
            return self._records([self._numbers[index]])[0]
        chosen = self._numbers[index]
        ascending = sorted(chosen)
        records = [record for page in _pages(ascending) for record in self._records(page)]
        by_number = dict(zip(ascending, records, strict=True))
        return [by_number[number] for number in chosen]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | LazyRecords):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # like a list: its values may change

    def chunks(self, names: Sequence[str]) -> Iterator[Mapping[str, Sequence[Any]]]:
        """Give these columns page by page as the driver has them: microseconds, JSON text, integers."""
        for page in _pages(self._numbers):
            yield dict(zip(names, zip(*self._read(self._kind, page, names), strict=True), strict=True))

    def _records(self, numbers: Sequence[int]) -> list[T]:
        return [self._make(self._kind, row) for row in self._read(self._kind, numbers, self._kind.names)]


def _pages(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), PAGE):
        yield numbers[start : start + PAGE]
