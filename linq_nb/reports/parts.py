"""The steps that reports share: select columns, count by group, add up, return the same kind of frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import narwhals as nw

from linq_nb.errors import SettingsError
from linq_nb.model import Send
from linq_nb.reports.columns import Record, typed
from linq_nb.status import (
    CLOSED_STATUSES,
    NO_RECEIPT_SERVICE,
    OUR_STATUSES,
    RUNNABLE_STATUSES,
    UNCLEAR_STATUSES,
    is_resolved,
)
from linq_nb.tables import listed

Frame = TypeVar("Frame")

NOT_ACCEPTED = tuple(word for word in OUR_STATUSES if not is_resolved(word))

STATUSES_OF: Mapping[str, Sequence[str]] = {
    "delivered": ("delivered", "read"), "read": ("read",), "failed": ("failed",), "refused": RUNNABLE_STATUSES,
    "unclear": UNCLEAR_STATUSES,
}  # fmt: skip
"""The counts of a report and the statuses that each counts, beside ``sends`` and ``accepted``."""

COUNTS = ("sends", "accepted", *STATUSES_OF)
TIMES = ("first_at", "last_at")
STATUS, SERVICE = nw.col("status"), nw.col("service")
SPAN = (nw.col("first_at").min(), nw.col("last_at").max())


def select_columns(
    frame: Any, report: str, *names: str, like: str = "to_frame(outbox.sends())", record: Record = Send
) -> Any:
    """Return the columns that a report or plot needs of a frame as ``like``, in types that every engine counts.

    Raises SettingsError without them, and for a value that is none of its column.
    """
    table = require_columns(frame, report, *names, like=like)
    table = nw.from_native(typed(table.select(*dict.fromkeys(names)).to_native(), report, record))
    if not set(getattr(nw.maybe_get_index(table), "names", ())).isdisjoint(names):  # pandas sorts by neither
        table = nw.maybe_reset_index(table)
    if _has_numpy_dtypes(table.to_native()):
        table = nw.maybe_convert_dtypes(table)
    casts = [text(name) for name in _awkward_categories(table)]
    return table.with_columns(*casts) if casts else table


def require_columns(frame: Any, report: str, *names: str, like: str = "to_frame(outbox.sends())") -> Any:
    """Return a frame as a narwhals table; raises SettingsError for what is no frame, or lacks a column."""
    try:
        table = nw.from_native(frame)
        has = table.collect_schema().names()
    except TypeError:
        kind = type(frame).__name__
        raise SettingsError(
            f"{report} takes a frame, not a {kind}; nothing was counted; give one such as {like}"
        ) from None
    except nw.exceptions.DuplicateError:
        raise SettingsError(
            f"{report} takes a frame without duplicate columns; nothing was counted; drop the duplicates"
        ) from None
    if missing := [name for name in names if name not in has]:
        columns = listed(has)
        raise SettingsError(
            f"{report} needs the column {missing[0]!r} of {like}; nothing was counted; the frame has {columns}"
        )
    return table


def _has_numpy_dtypes(native: Any) -> bool:
    """Whether a pandas table has NumPy floats or objects, as from DuckDB's ``.df()``: they have no missing values."""
    if not nw.dependencies.is_pandas_like_dataframe(native):
        return False
    return any(not hasattr(dtype, "na_value") and dtype.kind in "fO" for dtype in native.dtypes)


def _awkward_categories(table: Any) -> list[str]:
    """Categories that not every version compares and groups as text: enums (Polars before 1.41 compares them with
    their own words only), and Arrow's dictionaries in pandas (before 3.0, a group without a value is lost).
    """  # fmt: skip
    native = table.to_native()
    arrow = dict(native.dtypes) if nw.dependencies.is_pandas_like_dataframe(native) else {}
    return [
        name for name, kind in table.collect_schema().items()
        if kind == nw.Enum or (kind == nw.Categorical and hasattr(arrow.get(name), "pyarrow_dtype"))
    ]  # fmt: skip


def to_native(rows: Any, like: Frame) -> Frame:
    """Return a report as the kind of frame that it was made of, with a new index."""
    report: Frame = nw.maybe_reset_index(rows).to_native()
    return report


def counts_by(rows: Any, columns: Sequence[str], *more: nw.Expr) -> Any:
    """Count rows by these columns: what follows works on a small table, however many sends there are."""
    span = (nw.col("created_at").min().alias("first_at"), nw.col("created_at").max().alias("last_at"))
    counted = rows.group_by(*dict.fromkeys(columns)).agg(nw.len().alias("sends"), *span, *more)
    return categories_as_text(counted.with_columns(whole("sends")))


def newest(counted: Any, name: str, *group: str) -> Any:
    """Leave the text of a column only in the newest rows of each group that have one."""
    counted = counted.with_columns(nw.when(~nw.col(name).is_null()).then(nw.col("last_at")).alias("named_at"))
    is_newest = nw.col("named_at") == nw.col("named_at").max().over(*group)
    return counted.with_columns(nw.when(is_newest).then(nw.col(name)).alias(name))


def categories_as_text(rows: Any) -> Any:
    """Return a table with its categories as text: text sorts alike on every engine, categories do not."""
    words = [text(name) for name, kind in rows.collect_schema().items() if kind in (nw.Categorical, nw.Enum)]
    return rows.with_columns(*words) if words else rows


def summed(counted: Any, columns: Sequence[str], *more: nw.Expr) -> Any:
    """Add up the counts by status as the counts of a report."""
    status = nw.col("status")
    kinds = {"accepted": is_accepted(), **{name: status.is_in(words) for name, words in STATUSES_OF.items()}}
    counted = counted.with_columns(*(values_where(condition, "sends").alias(name) for name, condition in kinds.items()))
    result = counted.group_by(*columns).agg(*(nw.col(name).sum() for name in COUNTS), *SPAN, *more)
    return result.with_columns(*map(whole, COUNTS))


def is_accepted() -> nw.Expr:
    """Whether Linq accepted a send."""
    return is_not(NOT_ACCEPTED)


def is_not(words: Sequence[str], status: nw.Expr = STATUS) -> nw.Expr:
    """Whether a status is known and none of these."""
    return ~(status.is_null() | status.is_in(words))


def gives_no_receipt(service: nw.Expr = SERVICE) -> nw.Expr:
    """Whether a send can never be reported as delivered."""
    is_group = nw.col("is_group").fill_null(value=False).cast(nw.Boolean)
    return is_group | (service == NO_RECEIPT_SERVICE).fill_null(value=False)


def values_where(condition: nw.Expr, name: str) -> nw.Expr:
    """A column's values where a condition holds, else 0."""
    return nw.when(condition).then(nw.col(name)).otherwise(0)


def text(name: str) -> nw.Expr:
    """A column as text, also a categorical one."""
    return nw.col(name).cast(nw.String)


def as_words(rows: Any, name: str) -> nw.Expr:
    """A column that is compared with words: as text where it is an enum, which some versions compare with its own."""
    return text(name) if rows.collect_schema()[name] == nw.Enum else nw.col(name)


def whole(value: str | nw.Expr, name: str | None = None) -> nw.Expr:
    """A column as whole numbers: engines count and sum in different types."""
    expression = nw.col(value) if isinstance(value, str) else value
    return expression.cast(nw.Int64).alias(name or str(value))


def keys(by: str | Sequence[str], report: str, own: Sequence[str]) -> tuple[str, ...]:
    """The columns that a report counts by; raises SettingsError for a name in ``own``."""
    names = (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    if clashes := [name for name in names if name in own]:
        raise SettingsError(
            f"{report} has a column {clashes[0]!r} of its own; nothing was counted; rename yours to count by it"
        )
    return names


def comparable(rows: Any, name: str, at: datetime) -> datetime:
    """Return a time as an engine compares it with a column; times without a zone are UTC, on both sides."""
    zone = getattr(rows.collect_schema()[name], "time_zone", None)
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    if zone is None:
        return at.replace(tzinfo=None)
    return at.astimezone(ZoneInfo(zone)) if rows.implementation.is_polars() else at  # it compares times of one zone


def is_unconfirmed(rows: Any, before: datetime) -> nw.Expr:
    """Whether Linq accepted a send until then and may still report more of it."""
    status, service = as_words(rows, "status"), as_words(rows, "service")
    is_open = is_not(CLOSED_STATUSES, status) & ~((status == "sent") & gives_no_receipt(service))
    since = nw.coalesce("accepted_at", "posted_at", "created_at")
    return (is_open & (since <= nw.lit(comparable(rows, "accepted_at", before)))).fill_null(value=False)
