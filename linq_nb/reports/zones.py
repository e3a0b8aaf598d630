"""Days and hours of a time zone, written by the engine that holds the table."""

from __future__ import annotations

import difflib
import functools
import zoneinfo
from typing import Any

import narwhals as nw

from linq_nb.errors import SettingsError

FORMATS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%d %H:00"}
_HOUR_US = 3_600_000_000


def checked(zone: Any) -> str:
    """Return the name of a time zone; raises SettingsError for one that does not exist."""
    name, names = str(zone), _names()
    if name in names:
        return name
    city = name.rpartition("/")[2].replace(" ", "_").casefold()
    close = [other for other in names if city and other.rpartition("/")[2].casefold() == city]
    close = sorted(close) or difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]}?" if close else "it is a name such as America/New_York"
    raise SettingsError(f"tz= has no time zone {name!r}; nothing was counted; {hint}")


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def with_text(rows: Any, time: str, unit: str, zone: str) -> Any:
    """Add the column ``unit`` ("day" or "hour"): the text of a column of times in a zone, without a zone they are UTC.

    The hour that a change of the clocks repeats has one text, so that both are counted together.
    """
    kind = rows.implementation
    if kind.is_duckdb():
        return nw.from_native(_in_duckdb(rows.to_native(), time, unit, zone))
    if kind.is_pyspark():
        return nw.from_native(_in_pyspark(rows.to_native(), time, unit, zone))
    if not (kind.is_pandas_like() or kind.is_polars() or kind.is_pyarrow()):
        raise SettingsError(
            f"{kind.value} has no time zones here; nothing was counted; count by `day` (UTC), or give a DataFrame or a "
            "DuckDB table"
        )
    at = nw.col(time)
    if getattr(rows.collect_schema()[time], "time_zone", None) is None:
        at = at.cast(nw.Datetime("us")).dt.replace_time_zone("UTC")
    rows = rows.with_columns(at.dt.convert_time_zone("UTC").dt.truncate("15m").alias("quarter"))
    quarters = rows.select("quarter").filter(~nw.col("quarter").is_null()).unique()  # few: pandas writes text slowly
    local = nw.col("quarter").dt.convert_time_zone(zone).dt.to_string(FORMATS[unit])
    return rows.join(quarters.with_columns(local.cast(nw.String).alias(unit)), on="quarter", how="left")


def with_number(rows: Any, time: str, unit: str) -> Any:
    """Add the column ``unit``: the number of days or hours (UTC) since 1970, -1 where the time is missing.

    Numbers are counted much faster than text where a table is large.
    """
    micros = _HOUR_US * (24 if unit == "day" else 1)
    if rows.implementation.is_duckdb():
        number = f'coalesce(epoch_us("{time}") // {micros}, -1) AS "{unit}"'
        return nw.from_native(rows.to_native().project(f"*, {number}"))
    at = nw.col(time).cast(nw.Datetime("us", getattr(rows.collect_schema()[time], "time_zone", None)))
    return rows.with_columns((at.dt.timestamp("us") // micros).fill_null(-1).cast(nw.Int64).alias(unit))


def _in_duckdb(table: Any, time: str, unit: str, zone: str) -> Any:
    """DuckDB's own functions: the zone of a connection, in which its times are shown, plays no part."""
    at = f'"{time}"'
    if not str(table.types[table.columns.index(time)]).endswith("WITH TIME ZONE"):
        at = f"timezone('UTC', {at}::TIMESTAMP)"
    return table.project(f"*, strftime(timezone('{zone}', {at}), '{FORMATS[unit]}') AS \"{unit}\"")


def _in_pyspark(table: Any, time: str, unit: str, zone: str) -> Any:
    """Spark shows a time in the session's zone, so days and hours are counted from 1970."""
    hours = f"CAST(floor(unix_micros(from_utc_timestamp(`{time}`, '{zone}')) / {_HOUR_US}) AS INT)"
    day = f"CAST(date_from_unix_date(CAST(floor({hours} / 24) AS INT)) AS STRING)"
    text = day if unit == "day" else f"concat({day}, ' ', lpad(CAST(pmod({hours}, 24) AS STRING), 2, '0'), ':00')"
    return table.selectExpr("*", f"{text} AS `{unit}`")
