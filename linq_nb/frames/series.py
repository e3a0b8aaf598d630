"""The columns of a frame, as pandas Series that are filled with some values at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from linq_nb.model import BOOL, CATEGORY, INT, TIME, Column

Read = Callable[[Any], Any]
"""Returns the shown text of a value."""

MISSING_TIME = -(2**63)
_DAY_US = 86_400_000_000
_REMEMBERED = 100_000
"""Distinct values of a column that are remembered at a time, so that a column without repeats costs no more."""


class Builder:
    """One column of a known length, filled by some values at a time."""

    def add(self, values: Sequence[Any]) -> None:
        raise NotImplementedError

    def done(self) -> Any:
        """Return the whole column."""
        raise NotImplementedError


class Times(Builder):
    """Times as microseconds since 1970 in UTC; ``raw`` ones are that already."""

    def __init__(self, length: int, *, raw: bool) -> None:
        self._all, self._at, self._raw = _blank(length, "int64"), 0, raw

    def add(self, values: Sequence[Any]) -> None:
        self._at, here = _next(self._at, values)
        self._all[here] = self._micros(values)

    def _micros(self, values: Sequence[Any]) -> Any:
        import pandas as pd

        if values.count(None) == len(values):
            return MISSING_TIME
        if self._raw:
            return pd.array(values, dtype="Int64").to_numpy("int64", na_value=MISSING_TIME)
        return pd.DatetimeIndex(pd.to_datetime(values, utc=True, cache=False)).as_unit("us").asi8

    def done(self) -> Any:
        import pandas as pd

        return pd.Series(self._all.view("datetime64[us]"), copy=False).dt.tz_localize("UTC")


class Numbers(Builder):
    """Whole numbers, or booleans, and which of them are missing."""

    def __init__(self, length: int, dtype: str) -> None:
        self._dtype, self._kind = dtype, "int64" if dtype == INT else "bool"
        self._all, self._missing, self._at = _blank(length, self._kind), _blank(length, "bool"), 0

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np
        import pandas as pd

        self._at, here = _next(self._at, values)
        missing = values.count(None)
        if missing == len(values):
            self._all[here], self._missing[here] = 0, True
        elif not missing:
            self._all[here], self._missing[here] = np.array(values, self._kind), False
        else:
            some = pd.array(values, dtype=self._dtype)  # type: ignore[call-overload]
            self._all[here], self._missing[here] = some.to_numpy(self._kind, na_value=0), some.isna()

    def done(self) -> Any:
        import pandas as pd

        made = pd.arrays.IntegerArray if self._dtype == INT else pd.arrays.BooleanArray
        return pd.Series(made(self._all, self._missing), copy=False)


class Categories(Builder):
    """Words of a small vocabulary, as a categorical."""

    def __init__(self, length: int) -> None:
        self._all, self._at = _blank(length, "int32"), 0
        self._codes = _Codes({None: -1})

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np

        self._at, here = _next(self._at, values)
        self._all[here] = np.fromiter(map(self._codes.__getitem__, values), "int32", len(values))

    def done(self) -> Any:
        import numpy as np
        import pandas as pd

        words = sorted(word for word in self._codes if word is not None)
        place = np.full(len(self._codes), -1, "int32")  # the last one is for code -1: missing
        for new, word in enumerate(words):
            place[self._codes[word]] = new
        index = pd.Index(pd.array(words, dtype="string"))
        return pd.Series(pd.Categorical.from_codes(place[self._all], categories=index))


class _Codes(dict[Any, int]):
    """A number for each word, in the order in which they come."""

    def __missing__(self, word: Any) -> int:
        self[word] = len(self) - 1
        return self[word]


class RepeatedTexts(Builder):
    """Text that repeats: each value is read, masked and held once."""

    def __init__(self, length: int, read: Read | None) -> None:
        self._all, self._at, self._shown = _blank(length, "object"), 0, _Remembered(read)

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np

        self._at, here = _next(self._at, values)
        self._all[here] = np.fromiter(map(self._shown.__getitem__, values), object, len(values))
        if len(self._shown) > _REMEMBERED:
            self._shown.clear()

    def done(self) -> Any:
        import pandas as pd

        return pd.Series(pd.array(self._all, dtype=pd.StringDtype("python"), copy=False))


class _Remembered(dict[Any, Any]):
    """The shown text of each value, read once; None and empty results are missing values."""

    def __init__(self, read: Read | None) -> None:
        self._read = read

    def __missing__(self, value: Any) -> Any:
        import pandas as pd

        shown = value if value is None or self._read is None else self._read(value)
        self[value] = pd.NA if shown is None else shown
        return self[value]


class UniqueTexts(Builder):
    """Text that hardly repeats, as pandas holds it best."""

    def __init__(self, read: Read | None) -> None:
        self._parts: list[Any] = []
        self._read = read

    def add(self, values: Sequence[Any]) -> None:
        import pandas as pd

        read = self._read
        shown = values if read is None else [None if value is None else read(value) for value in values]
        self._parts.append(pd.Series(pd.array(shown, dtype="string"), copy=False))

    def done(self) -> Any:
        import pandas as pd

        return pd.concat(self._parts or [pd.Series([], dtype="string")], ignore_index=True)


def builder(column: Column, length: int, read: Read | None, *, raw: bool) -> Builder:
    """Return the builder for a column; ``raw`` values are as a database has them."""
    if column.dtype == TIME:
        return Times(length, raw=raw)
    if column.dtype in (INT, BOOL):
        return Numbers(length, column.dtype)
    if column.dtype == CATEGORY:
        return Categories(length)
    return UniqueTexts(read) if column.is_unique else RepeatedTexts(length, read)


def _blank(length: int, kind: str) -> Any:
    import numpy as np

    return np.empty(length, kind)


def _next(at: int, values: Sequence[Any]) -> tuple[int, slice]:
    """Return where the next values begin after these, and where these go."""
    return at + len(values), slice(at, at + len(values))


def seconds(start: Any, end: Any) -> Any:
    """Return the seconds between two columns of times, missing where one of them is."""
    import pandas as pd

    micros = (end - start).to_numpy("timedelta64[us]").view("int64")
    missing = micros == MISSING_TIME
    return pd.Series(pd.arrays.FloatingArray(micros / 1e6, missing))


def day(at: Any) -> Any:
    """Return the day of each time in UTC, as 2026-03-02."""
    import numpy as np
    import pandas as pd

    micros = at.dt.tz_localize(None).to_numpy("datetime64[us]").view("int64")
    days, codes = np.unique(micros // _DAY_US, return_inverse=True)
    named = pd.array(np.datetime_as_string((days * _DAY_US).view("datetime64[us]"), unit="D"), dtype="string")
    has_none = len(days) > 0 and days[0] == MISSING_TIME // _DAY_US
    return pd.Series(pd.Categorical.from_codes(codes - has_none, categories=pd.Index(named[int(has_none) :])))
