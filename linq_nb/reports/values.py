"""The values of a table as plain Python, from any engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import narwhals as nw

from linq_nb import storable

Row = dict[str, Any]


def fetched(rows: Any) -> list[Row]:
    """Return the rows of a small narwhals table of any engine."""
    if isinstance(rows, nw.LazyFrame):
        if rows.implementation.is_duckdb():  # without pyarrow
            relation = rows.to_native()
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        rows = rows.collect()
    return list(rows.iter_rows(named=True))


def plain(value: Any) -> Any:
    """Return a cell as a plain Python value: missing is None, times are in UTC, whole numbers are int."""
    if storable.is_missing(value):
        return None
    if isinstance(value, datetime):
        return in_utc(value)
    return value.item() if hasattr(value, "item") else value


def in_utc(value: Any) -> datetime | None:
    """Return a time in UTC, which is the zone of one without; None for a missing one."""
    if storable.is_missing(value):
        return None
    at: datetime = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
