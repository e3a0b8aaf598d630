"""The columns of a table in their declared types: a table that was read from CSV, Excel or JSON may hold them as text.

rows = typed(pandas.read_csv("sends.csv"))
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import narwhals as nw

from linq_nb import storable
from linq_nb.errors import SettingsError
from linq_nb.handles import LEAST_DIGITS
from linq_nb.model import BOOL, CATEGORY, FLOAT, INT, TEXT, TIME, Event, Message, Send, frame_columns
from linq_nb.reports.values import fetched, plain
from linq_nb.text import clean

_COLUMNS = {name: column for record in (Event, Message, Send) for name, column in frame_columns(record).items()}
_DECLARED = {name: column.dtype for name, column in _COLUMNS.items()}
_MEANT = {TIME: "a time", INT: "a whole number", FLOAT: "a number", BOOL: "true or false", TEXT: "text"}
_MISSING = ("", "nan", "nat", "none", "null", "na", "<na>")
_WORDS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_ZONE = r"\d[Tt ].*([Zz]|[+-]\d\d(:?\d\d)?)$"
"""The end of a time that says its zone; one that does not is in UTC."""


def typed(frame: Any, report: str = "the table") -> Any:
    """Return a table with its times, numbers and truth values as such, and its texts as text.

    ``frame``: of any engine; a table without a column to change is returned itself. Times without a zone are in UTC.
    In a table that is changed, empty texts are missing.
    Raises SettingsError, in which ``report`` names the caller, for a text that is no value of its column, and for an
    engine other than pandas, Polars and DuckDB that holds one as text.
    """
    rows = nw.from_native(frame)
    schema = rows.collect_schema()
    read = {f"{name}, as read": name for name, kind in schema.items() if _is_foreign(kind, _DECLARED.get(name))}
    if not read:
        return frame
    wide = nw.from_native(_with_columns(rows, read, report))
    _refuse_unread(wide, read, report)
    columns = {name: nw.col(name) for name in schema} | {name: _named(name, new) for new, name in read.items()}
    for name, kind in schema.items():
        if kind == nw.String and name in _DECLARED and name not in read.values():
            columns[name] = nw.when(nw.col(name) != "").then(nw.col(name)).alias(name)
    return wide.select(*columns.values()).to_native()


def _named(name: str, new: str) -> nw.Expr:
    """Return a column as it was read; a phone number that was a number has its plus again."""
    value = nw.col(new)
    if _COLUMNS[name].is_handle:
        is_phone_number = value.str.len_chars() >= LEAST_DIGITS
        value = nw.when(is_phone_number).then(nw.concat_str(nw.lit("+"), value)).otherwise(value)
    return value.alias(name)


def _is_foreign(kind: Any, declared: str | None) -> bool:
    """Whether a column holds text where another type is declared, or numbers or days where text is."""
    if declared in (None, CATEGORY):
        return False
    if declared == TEXT:
        return bool(kind.is_numeric()) or kind == nw.Date
    is_text = kind in (nw.String, nw.Categorical, nw.Enum, nw.Object)
    return is_text or (declared == TIME and bool(kind.is_numeric()))


def _with_columns(rows: Any, read: Mapping[str, str], report: str) -> Any:
    """Add the columns as they are read, by the engine that holds the table; what is no such value is missing."""
    native, engine = rows.to_native(), rows.implementation
    kinds = {new: (name, _DECLARED[name]) for new, name in read.items()}
    if engine.is_pandas():
        return native.assign(**{new: _in_pandas(native[name], dtype) for new, (name, dtype) in kinds.items()})
    if engine.is_polars():
        return native.with_columns(_in_polars(name, dtype).alias(new) for new, (name, dtype) in kinds.items())
    if engine.is_duckdb():
        return native.project(", ".join(("*", *(f'{_in_duckdb(name, dtype)} AS "{new}"'
                                                for new, (name, dtype) in kinds.items()))))  # fmt: skip
    name, dtype = next(iter(kinds.values()))
    raise SettingsError(
        f"{report} found text in the column {name!r}, which is not {_MEANT[dtype]}; nothing was counted; "
        "convert it, or give a table of pandas, Polars or DuckDB"
    )


def _refuse_unread(wide: Any, read: Mapping[str, str], report: str) -> None:
    """Raise SettingsError for a value that could not be read."""
    unread = []
    for new, name in read.items():
        word = nw.col(name).cast(nw.String)
        is_lost = nw.col(new).is_null() & ~word.str.strip_chars().str.to_lowercase().is_in(_MISSING)
        unread.append(nw.when(is_lost).then(word).otherwise(None).max().alias(name))
    (row,) = fetched(wide.select(*unread))
    for name, value in row.items():
        if (value := plain(value)) is not None:
            raise SettingsError(
                f"{report} found {clean(value, 60)!r} in the column {name!r}, which is not {_MEANT[_DECLARED[name]]}; "
                "nothing was counted; correct it in the table"
            )


def _in_pandas(column: Any, dtype: str) -> Any:
    import pandas as pd

    values = column.astype(object)
    if dtype == TIME:
        values = values.where(values.isna()) if pd.api.types.is_numeric_dtype(column) else values
        return pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    if dtype == TEXT:
        return values.map(_as_text, na_action="ignore").astype(TEXT)
    if dtype == BOOL:
        return values.map(lambda value: _WORDS.get(str(value).strip().lower())).astype(BOOL)
    numbers = pd.to_numeric(values, errors="coerce").astype(FLOAT)
    numbers = numbers.where(numbers.abs() < math.inf)
    return numbers if dtype == FLOAT else numbers.where(numbers % 1 == 0).astype(INT)


def _as_text(value: Any) -> str:
    whole = storable.whole(value)
    return str(value if whole is None else whole)


def _in_polars(name: str, dtype: str) -> Any:
    import polars as pl

    column = pl.col(name)
    if dtype == TEXT:
        return column.cast(pl.String).str.strip_suffix(".0")
    word = column.cast(pl.String).str.strip_chars()
    if dtype == TIME:
        word = word.str.replace("[ t]", "T").str.replace(r"^(\S{10})$", "${1}T00:00")
        word = word.str.replace(r"(T\d\d:\d\d)($|[Zz+-])", "${1}:00${2}")
        with_zone = pl.when(word.str.contains(_ZONE)).then(word).otherwise(word + "Z")
        return with_zone.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    if dtype == BOOL:
        return word.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.Boolean)
    number = word.cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    return number if dtype == FLOAT else pl.when(number % 1 == 0).then(number).cast(pl.Int64)


def _in_duckdb(name: str, dtype: str) -> str:
    column = f'"{name}"'
    if dtype == TEXT:
        return f"regexp_replace({column}::VARCHAR, '\\.0$', '')"
    word = f"trim({column}::VARCHAR)"
    if dtype == TIME:
        in_utc = f"timezone('UTC', TRY_CAST({word} AS TIMESTAMP))"
        return f"CASE WHEN regexp_matches({word}, '{_ZONE}') THEN TRY_CAST({word} AS TIMESTAMPTZ) ELSE {in_utc} END"
    if dtype == BOOL:
        whens = (f"WHEN '{key}' THEN {value}" for key, value in _WORDS.items())
        return f"CASE lower({word}) {' '.join(whens)} END"
    number = f"TRY_CAST({word} AS DOUBLE)"
    is_kept = f"isfinite({number})" if dtype == FLOAT else f"isfinite({number}) AND {number} % 1 = 0"
    return f"CASE WHEN {is_kept} THEN {number}{'' if dtype == FLOAT else '::BIGINT'} END"
