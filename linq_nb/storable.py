"""Foreign values made storable on the way in: what every journal and every frame can hold, and a note of what changed.

Fields of records: a character that cannot be stored is replaced, a long text is cut, a number or a time out of range is
missing. The raw answer beside them (``kept``) says under ``CHANGED`` what was changed or left out, and where.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from numbers import Number
from typing import Any

from linq_nb.text import redact, writable

MAX_TEXT = 10_000
"""Characters of a text that are kept; Linq's longest, a signed URL, has about 2,000."""

MAX_ID = 200
"""Linq's ids are uuids; databases limit the length of what is in an index."""

MAX_LENGTH = 2**53 - 1
"""Bytes or milliseconds at most: every engine counts so far, also when it adds up a thousand of them."""

FIRST_TIME, LAST_TIME = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Times outside are no times of a message; pandas counts nanoseconds from 1677 to 2262."""

CHANGED = "changed_by_linq_nb"
"""The key of a raw answer that lists what was changed in it, or left out of the columns."""

_MAX_NOTES = 20
_LENGTHS = frozenset({"size_bytes", "duration_ms"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_MAX_DIGITS = 4_000  # Python parses 4,300
_PARSED_DEPTH = 200
_NO_NUMBERS = {math.inf: "Infinity", -math.inf: "-Infinity"}


# --- single values --------------------------------------------------------------------------------------------


def is_missing(value: object) -> bool:
    """Whether a cell is missing: None, NaN, or NA and NaT of pandas, which need not be loaded."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and bool(value != value)  # NaN differs from itself


def text(value: str) -> str:
    """Return a text without what cannot be stored, at most ``MAX_TEXT`` characters."""
    return writable(value[:MAX_TEXT])


def whole(value: object) -> int | None:
    """Return a whole number of 64 bits, also one that is written 3.0; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def length(value: object) -> int | None:
    """Return a length in bytes or milliseconds; None for anything else."""
    number = whole(value)
    return number if number is not None and 0 <= number <= MAX_LENGTH else None


def time(value: object) -> datetime | None:
    """Read an RFC 3339 time with 0 to 9 fractional digits as UTC, to the microsecond; None for anything else."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return moment(datetime.fromisoformat(value.replace("z", "Z")).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def moment(at: datetime) -> datetime | None:
    """Return a time that every frame holds; None for another."""
    return at if FIRST_TIME <= at < LAST_TIME else None


# --- tables ---------------------------------------------------------------------------------------------------


def table(native: Any) -> Any:
    """Return a pandas frame whose texts can be stored, in its names of columns too; any other table as it is.

    Other engines hold UTF-8, and so no half characters. A frame in which nothing changes is returned itself.
    """
    import narwhals as nw

    if not nw.dependencies.is_pandas_dataframe(native):
        return native
    changed = {at: made for at, (_, column) in enumerate(native.items()) if (made := _storable(column)) is not None}
    names = [writable(name) if isinstance(name, str) else name for name in native.columns]
    if not changed and names == list(native.columns):
        return native
    copy = native.copy(deep=False)
    for at, column in changed.items():
        copy.isetitem(at, column)
    return copy.set_axis(names, axis="columns")


def _storable(column: Any) -> Any:
    """Return a column of pandas with its texts as they can be stored; None where all are, or where it has none."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        words = list(dtype.categories)
        held = [writable(word) if isinstance(word, str) else word for word in words]
        by_code = pd.Series([*held, None], dtype=object)  # the last one is for code -1: missing
        return None if held == words else by_code.take(column.cat.codes).set_axis(column.index)
    is_arrow = getattr(dtype, "storage", "") == "pyarrow" or hasattr(dtype, "pyarrow_dtype")
    if not pd.api.types.is_object_dtype(dtype) and not pd.api.types.is_string_dtype(dtype):
        return None
    if is_arrow and not column.str.contains("\0", regex=False).any():  # it holds UTF-8
        return None
    values = column.to_numpy(object).tolist()
    with contextlib.suppress(TypeError):  # lists and other values that cannot be in a set
        values = set(values)
    changes = {text: made for text in values if isinstance(text, str) and (made := writable(text)) != text}
    if not changes:
        return None
    texts = [changes.get(value, value) if isinstance(value, str) else value for value in column]
    return pd.Series(texts, column.index, dtype)


# --- JSON -----------------------------------------------------------------------------------------------------


def loads(source: str | bytes) -> Any:
    """Parse JSON of any depth and with numbers of any length; raises ValueError for what is not JSON.

    What is nested too deep is "[too deep]" instead, a number that Python does not parse says how many digits it has.
    """
    decoded = source if isinstance(source, str) else source.decode(json.detect_encoding(source), "surrogatepass")
    if decoded.count("[") + decoded.count("{") < _PARSED_DEPTH:  # the common case
        with contextlib.suppress(ValueError):  # also for numbers that Python does not parse
            return json.loads(decoded)
    return json.loads(_shallow(decoded), parse_int=_number)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else f"[a number of {len(digits)} digits]"


def _shallow(source: str) -> str:
    """Return JSON text without what is nested too deep."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(source):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == _PARSED_DEPTH:
                parts.append(source[start : token.start()] + '"[too deep]"')
        elif token[0] in ("]", "}"):
            depth -= 1
            if depth == _PARSED_DEPTH - 1:
                start = token.end()
    return "".join(parts) + (source[start:] if depth < _PARSED_DEPTH else "")


def kept(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a raw answer as the journal keeps it: without secrets, storable, with notes of what was changed."""
    notes: list[str] = []
    body = _kept_object(redact(dict(raw)), "", notes)
    return body | {CHANGED: notes[:_MAX_NOTES]} if notes else body


def _kept_object(values: Mapping[str, Any], path: str, notes: list[str]) -> dict[str, Any]:
    body = {}
    for name, value in values.items():
        if (storable := text(name)) != name:
            notes.append(f"{path or 'the answer'}: a name in it was changed")
        inside = storable[:60] if not path else f"{path}.{storable[:60]}"
        body[storable] = _kept(value, inside, notes)
        if name in _LENGTHS and value is not None and body[storable] is value and length(value) is None:
            notes.append(f"{inside}: no possible length; its column leaves it out")
    return body


def _kept(value: Any, path: str, notes: list[str]) -> Any:
    if isinstance(value, dict):
        return _kept_object(value, path, notes)
    if isinstance(value, list):
        return [_kept(item, f"{path}[{number}]", notes) for number, item in enumerate(value)]
    changed, note = _changed(value)
    if note:
        notes.append(f"{path}: {note}")
    return changed


def _changed(value: Any) -> tuple[Any, str]:
    """Return a single value as it can be kept, and what was changed or is missing in the columns."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            return text(value), f"cut after {MAX_TEXT} of {len(value)} characters"
        if (storable := writable(value)) != value:
            return storable, "characters that cannot be stored were replaced"
        is_out = value[4:5] == "-" and _TIME.fullmatch(value) and time(value) is None
        return value, "a time outside 1678 to 2262; columns of times leave it out" if is_out else ""
    if isinstance(value, float) and not math.isfinite(value):
        return _NO_NUMBERS.get(value, "NaN"), "not a number, kept as text"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value), "a number beyond 64 bits, kept as text; columns of numbers leave it out"
    return value, ""
