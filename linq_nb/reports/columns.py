"""The columns of a table in their declared types: a table that was read from CSV, Excel or JSON may hold them as text.

``typed(pandas.read_csv("sends.csv"))`` is such a table with its times, numbers and truth values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import narwhals as nw

from linq_nb import storable
from linq_nb.errors import SettingsError
from linq_nb.handles import LEAST_DIGITS
from linq_nb.model import BOOL, CATEGORY, FLOAT, INT, TEXT, TIME, Column, Message, Send, frame_columns
from linq_nb.reports.values import fetched, plain
from linq_nb.text import clean

Record = type[Send] | type[Message]
_COLUMNS: Mapping[Record, Mapping[str, Column]] = {record: frame_columns(record) for record in (Send, Message)}
_MEANT = {TIME: "a time", INT: "a whole number", FLOAT: "a number", BOOL: "true or false"}
_EXAMPLES = {TIME: "2026-02-28T08:03:00Z", INT: "403", FLOAT: "1.5", BOOL: "true"}

# What each engine reads. One pattern for all of them: left to itself, pandas reads "now", DuckDB "epoch" and "1_000".
_MISSING = ("", "nan", "nat", "none", "null", "na", "<na>", "n/a", "#n/a")
_BLANK = " \t\r\n\u00a0"
_WORDS = {"TRUE": True, "1": True, "1.0": True, "FALSE": False, "0": False, "0.0": False}
_ZONE = r" ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_HOURS = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_TIME = rf"(1[7-9]|2[01])[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_HOURS}({_ZONE})?)?"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(E[+-]?[0-9]{1,2})?"
_PATTERNS = {TIME: _TIME, INT: _NUMBER, FLOAT: _NUMBER}
_MOST = 2**53 - 1
"""A larger whole number is not exact as a float."""

_TAIL = r"(\.0+|[T ]00:00:00(\.0+)?)$"
"""The end of a number or a day that was not read as the text that it is."""


def typed(frame: Any, report: str = "the table", record: Record = Send) -> Any:
    """Return a table with its times, numbers and truth values as such, and its texts as text.

    ``frame``: of any engine; a table without a column to change is returned itself. ``record``: the one of which its
    columns are. Times without a zone are in UTC. In a table that is changed, empty texts are missing.
    Raises SettingsError, in which ``report`` names the caller, for a text that is no value of its column, and for an
    engine other than pandas, Polars and DuckDB that holds one as text.
    """
    rows = nw.from_native(storable.table(frame))
    schema = rows.collect_schema()
    declared = {name: column.dtype for name, column in _COLUMNS[record].items() if name in schema}
    foreign = {name: dtype for name, dtype in declared.items() if _is_foreign(schema[name], dtype)}
    if not foreign:
        return rows.to_native()
    rows, read = _with_columns(rows, foreign, report)
    if not read:
        return rows.to_native()
    _refuse_unread(rows, read, foreign, report)
    columns: dict[Any, Any] = {name: nw.col(name) for name in schema}
    for name, dtype in declared.items():
        if name in read:
            columns[name] = _named(record, name, read[name][1])
        elif schema[name] == nw.String and dtype in (TEXT, CATEGORY):
            word = nw.col(name)
            is_missing = word.str.to_lowercase().is_in(_MISSING) if dtype == CATEGORY else word.is_in(("", "<NA>"))
            columns[name] = nw.when(~is_missing).then(word).alias(name)
    return rows.select(*columns.values()).to_native()


def _named(record: Record, name: str, new: str) -> nw.Expr:
    """Return a column as it was read; a phone number that was a number has its plus again."""
    value = nw.col(new)
    if _COLUMNS[record][name].is_handle:
        is_phone_number = value.str.contains(f"^[0-9]{{{LEAST_DIGITS},}}$")
        value = nw.when(is_phone_number).then(nw.concat_str(nw.lit("+"), value)).otherwise(value)
    return value.alias(name)


def _is_foreign(kind: Any, declared: str) -> bool:
    """Whether a column is of another type than its declared one, or one that counts alike."""
    if declared in (TEXT, CATEGORY):
        is_read = kind in (nw.Date, nw.Datetime, nw.Boolean, nw.Unknown, nw.Object)
        return is_read or bool(kind.is_numeric())
    if declared in (INT, FLOAT):
        return kind == nw.Decimal or not kind.is_numeric()
    return bool(kind != (nw.Datetime if declared == TIME else nw.Boolean))


def _with_columns(rows: Any, foreign: Mapping[str, str], report: str) -> tuple[Any, Mapping[str, tuple[str, str]]]:
    """Add the columns as text, and as the engine that holds the table reads them; what is no such value is missing.

    Returns the table, and the names of both columns by that of the original.
    """
    native, engine, kinds = rows.to_native(), rows.implementation, rows.collect_schema()
    longest = max(len(str(name)) for name in kinds)  # the new names are longer: none clashes
    read = {name: (f"{name} as text".ljust(longest + 1), f"{name} as read".ljust(longest + 1)) for name in foreign}
    if engine.is_pandas():
        words = {read[name][0]: _pandas_text(native[name], dtype) for name, dtype in foreign.items()}
        native = native.assign(**words)
        native = native.assign(
            **{read[name][1]: _in_pandas(native[read[name][0]], dtype) for name, dtype in foreign.items()}
        )
    elif engine.is_polars():
        native = native.with_columns(_polars_text(name, kinds[name]).alias(read[name][0]) for name in foreign)
        native = native.with_columns(
            _in_polars(read[name][0], dtype).alias(read[name][1]) for name, dtype in foreign.items()
        )
    elif engine.is_duckdb():
        texts = (f"""trim("{name}"::VARCHAR, '{_BLANK}') AS "{read[name][0]}\"""" for name in foreign)
        native = native.project(", ".join(("*", *texts)))
        values = (f'{_in_duckdb(read[name][0], dtype)} AS "{read[name][1]}"' for name, dtype in foreign.items())
        native = native.project(", ".join(("*", *values)))
    else:
        for name, dtype in foreign.items():
            is_left = kinds[name] == nw.Unknown or (kinds[name].is_numeric() and dtype != TIME)
            if dtype in _MEANT and not is_left:
                raise SettingsError(
                    f"{report} found text in the column {name!r}, which is not {_MEANT[dtype]}; nothing was counted; "
                    "convert it, or give a table of pandas, Polars or DuckDB"
                )
        return rows, {}
    return nw.from_native(native), read


def _refuse_unread(rows: Any, read: Mapping[str, tuple[str, str]], foreign: Mapping[str, str], report: str) -> None:
    """Raise SettingsError for a value that could not be read."""
    unread = []
    for name, (word, new) in read.items():
        text = nw.col(word)
        is_lost = nw.col(new).is_null() & ~text.str.to_lowercase().is_in(_MISSING)
        unread.append(nw.when(is_lost).then(text).otherwise(None).max().alias(name))
    (row,) = fetched(rows.select(*unread))
    for name, value in row.items():
        if (value := plain(value)) is not None:
            dtype = foreign[name]
            raise SettingsError(
                f"{report} found {clean(value, 60)!r} in the column {name!r}, which is not {_MEANT[dtype]}; "
                f"nothing was counted; correct it in the table, as in {_EXAMPLES[dtype]}"
            )


def _pandas_text(column: Any, dtype: str) -> Any:
    values = column.astype(object)
    if dtype in _MEANT:
        return values.astype(TEXT).str.strip()
    return values.map(_as_text, na_action="ignore").astype(TEXT)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else re.sub(_TAIL, "", str(value))


def _in_pandas(word: Any, dtype: str) -> Any:
    import pandas as pd

    if dtype not in _MEANT:
        return word
    if dtype == BOOL:
        return word.str.upper().map(_WORDS).astype(BOOL)
    word = word.str.upper()
    word = word.where(word.str.fullmatch(_PATTERNS[dtype]).fillna(False))
    if dtype == TIME:
        word = word.str.replace("UTC", "Z", regex=False).astype(object)
        return pd.to_datetime(word, utc=True, format="ISO8601", errors="coerce").dt.as_unit("us")
    number = pd.to_numeric(word.astype(object), errors="coerce").astype(FLOAT)
    return number if dtype == FLOAT else number.where((number % 1 == 0) & (number.abs() <= _MOST)).astype(INT)


def _polars_text(name: str, kind: Any) -> Any:
    import polars as pl

    column = pl.col(name)
    is_castable = kind not in (nw.Object, nw.Duration) and not kind.is_nested()
    word = (
        column.cast(pl.String) if is_castable else column.map_elements(lambda value: f"{value}", return_dtype=pl.String)
    )
    return word.str.strip_chars()


def _in_polars(name: str, dtype: str) -> Any:
    import polars as pl

    word = pl.col(name)
    if dtype not in _MEANT:
        return word.str.replace(_TAIL, "")
    word = word.str.to_uppercase()
    if dtype == BOOL:
        return word.replace_strict(_WORDS, default=None, return_dtype=pl.Boolean)
    word = pl.when(word.str.contains(f"^({_PATTERNS[dtype]})$")).then(word)
    if dtype == TIME:
        word = word.str.replace("UTC", "Z").str.replace(" ([Z+-])", "${1}").str.replace(" ", "T")
        word = word.str.replace(r"^(\S{10})$", "${1}T00:00").str.replace(r"(T\d\d:\d\d)($|[Z+-])", "${1}:00${2}")
        word = pl.when(word.str.contains(f":.*{_ZONE}$")).then(word).otherwise(word + "Z")
        return word.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)
    number = word.cast(pl.Float64, strict=False)
    if dtype == FLOAT:
        return number
    return pl.when((number % 1 == 0) & (number.abs() <= _MOST)).then(number).cast(pl.Int64)


def _in_duckdb(name: str, dtype: str) -> str:
    if dtype not in _MEANT:
        return f"""regexp_replace("{name}", '{_TAIL}', '')"""
    word = f'upper("{name}")'
    if dtype == BOOL:
        whens = (f"WHEN '{key}' THEN {value}" for key, value in _WORDS.items())
        return f"CASE {word} {' '.join(whens)} END"
    is_read = f"regexp_full_match({word}, '{_PATTERNS[dtype]}')"
    if dtype == TIME:
        word = f"regexp_replace(replace({word}, 'UTC', 'Z'), ' ([Z+-])', '\\1')"
        in_utc = f"timezone('UTC', TRY_CAST({word} AS TIMESTAMP))"
        is_zoned = f"regexp_matches({word}, ':.*{_ZONE}$')"
        value = f"CASE WHEN {is_zoned} THEN TRY_CAST({word} AS TIMESTAMPTZ) ELSE {in_utc} END"
    else:
        value = f"TRY_CAST({word} AS DOUBLE)"
    if dtype == INT:
        is_read += f" AND {value} % 1 = 0 AND abs({value}) <= {_MOST}"
        value += "::BIGINT"
    return f"CASE WHEN {is_read} THEN {value} END"
