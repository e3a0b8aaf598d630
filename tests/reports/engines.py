"""The same table for each engine, and the result of an engine as plain rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import polars as pl

Row = dict[str, Any]


Tables = Callable[..., tuple[Any, ...]]


def in_pandas(*frames: pd.DataFrame) -> tuple[Any, ...]:
    return frames


def in_polars(*frames: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(pl.from_pandas(frame) for frame in frames)


def in_polars_later(*frames: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(pl.from_pandas(frame).lazy() for frame in frames)


def in_duckdb(*frames: pd.DataFrame) -> tuple[Any, ...]:
    """Relations of a connection of their own, as of Parquet files: categoricals are text, the zone is the session's."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'Europe/Paris'")
    return tuple(database.from_arrow(pl.from_pandas(as_text(frame)).to_arrow()) for frame in frames)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    words = {name: "string" for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)}
    return frame.astype(words)


ENGINES: Mapping[str, tuple[type, Tables]] = {
    "pandas": (pd.DataFrame, in_pandas),
    "polars": (pl.DataFrame, in_polars),
    "polars, later": (pl.LazyFrame, in_polars_later),
    "duckdb": (duckdb.DuckDBPyRelation, in_duckdb),
}


def rows(table: Any) -> list[Row]:
    """The rows of a report of any engine: missing is None, times are UTC, floats are rounded to a nanosecond."""
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if isinstance(table, pl.DataFrame):
        rows = table.to_dicts()
    elif isinstance(table, duckdb.DuckDBPyRelation):
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    else:
        rows = table.to_dict("records")
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
        return datetime.fromisoformat(zoned.isoformat()).astimezone(UTC)
    if hasattr(value, "item"):
        value = value.item()
    return round(value, 9) if isinstance(value, float) else value
