"""The counts of a choice of sends: tiles, a series over time, leading chats and errors, and one page of rows.

Only these small results leave the engine that holds the table, which may be pandas, Polars or DuckDB over Parquet.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw

from linq_nb.clocks import EPOCH
from linq_nb.errors import SettingsError
from linq_nb.reports import explaining, parts, spellings, zones
from linq_nb.reports.columns import typed
from linq_nb.reports.selection import COLUMNS, SEARCHED, Selection
from linq_nb.reports.values import Row, fetched, in_utc, plain
from linq_nb.status import ERROR_STATUSES, STATUSES

HOURS_UP_TO = timedelta(days=3)
"""A shorter period is counted by hours, a longer one by days."""

MOST_BARS = 90
LEADING = 8

PAGE = 50
MOST_CHOICES = 300
"""Chats that the filter offers; the search finds the others."""


@dataclass(frozen=True)
class Bar:
    """The sends of one stretch of time by status; ``until`` is not included."""

    since: datetime
    until: datetime
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Tallies:
    """The counts of a choice of sends."""

    tiles: Mapping[str, int]
    median_s: float | None
    p95_s: float | None
    unit: str
    bars: Sequence[Bar]
    chats: Sequence[Row]
    errors: Sequence[Row]


class SendTable:
    """A table of sends that is asked for the counts and pages of a choice of its rows.

    ``now`` is the time from which "open for an hour" is counted back: by default the newest ``created_at``.
    Raises SettingsError for a value that is no frame, or that lacks a column of ``to_frame(outbox.sends())``.
    """

    def __init__(self, frame: Any, now: datetime | None = None) -> None:
        parts.require_columns(frame, "Explorer", *COLUMNS)
        self.frame = typed(frame, "Explorer")
        self.is_retyped = self.frame is not frame
        self.all_rows = nw.from_native(self.frame)
        self.columns = self.all_rows.collect_schema().names()
        self.rows = parts.select_columns(self.frame, "Explorer", *self.columns)
        created = nw.col("created_at")
        (span,) = fetched(
            self.rows.select(created.min().alias("first"), created.max().alias("last"), nw.len().alias("sends"))
        )
        self.first, self.last = (in_utc(span[name]) for name in ("first", "last"))
        self.count = int(span["sends"])
        self.now = now or self.last or EPOCH

    def chosen(self, selection: Selection) -> Any:
        """Return the chosen rows as a narwhals frame."""
        return selection.filtered(self.rows, self.now, self.odd if selection.text else ())

    @functools.cached_property
    def odd(self) -> Collection[str]:
        """The searched columns that hold a text with several spellings: read once, since others are searched faster."""
        is_odd = [
            parts.text(name).str.contains(spellings.ODD).fill_null(value=False).any().alias(name) for name in SEARCHED
        ]
        (row,) = fetched(self.rows.select(*is_odd))
        return [name for name in SEARCHED if row[name]]

    def native(self, selection: Selection) -> Any:
        """Return the chosen rows as the kind of frame that was given."""
        return selection.filtered(self.all_rows, self.now).to_native()

    def tallies(self, selection: Selection) -> Tallies:
        """Count the chosen rows."""
        rows = self.chosen(selection)
        start = max(filter(None, (self.first, selection.since)), default=None)
        end = min(filter(None, (self.last, selection.until)), default=None)
        unit = "hour" if start and end and end - start <= HOURS_UP_TO else "day"
        counts = self._counts(rows, unit)
        statuses: Counter[str] = Counter()
        for row in counts:
            statuses[row["status"]] += row["sends"]
        (spans,) = fetched(rows.select(*(nw.col("delivery_s").quantile(q, "linear").alias(name)
                                         for name, q in (("median", 0.5), ("p95", 0.95)))))  # fmt: skip
        return Tallies(
            tiles(statuses), _number(spans["median"]), _number(spans["p95"]), unit, _bars(counts, unit),
            self.leading_chats(rows), _leading_errors(counts),
        )  # fmt: skip

    def _counts(self, rows: Any, unit: str) -> list[Row]:
        """Count by time, status and error at once: a large table is read as seldom as possible."""
        keys = ("status", "http_status", "error_code")
        timed = zones.with_number(rows.select(*keys, "created_at"), "created_at", unit)
        counted = fetched(parts.categories_as_text(timed.group_by(unit, *keys).agg(nw.len().alias("sends"))))
        return [{unit: plain(row[unit]), "status": plain(row["status"]) or "", "sends": int(row["sends"]),
                 **{name: _whole(row[name]) for name in keys[1:]}} for row in counted]  # fmt: skip

    def leading_chats(self, rows: Any) -> list[Row]:
        """Return the chats with most sends: ``chat_id``, ``chat_name``, ``sends`` and ``wrong``."""
        is_wrong = nw.col("status").is_in(ERROR_STATUSES).fill_null(value=False).cast(nw.Int64)
        named = parts.categories_as_text(rows.select("chat_id", parts.text("chat_name"), is_wrong.alias("wrong")))
        counted = named.group_by("chat_id").agg(
            nw.len().alias("sends"), nw.col("wrong").sum(), nw.col("chat_name").max()
        )
        counted = counted.sort("sends", "chat_id", descending=[True, False]).head(LEADING)
        leading = fetched(counted.select("chat_id", "chat_name", "sends", "wrong"))
        return [{name: plain(value) for name, value in row.items()} for row in leading]

    def page(
        self, selection: Selection, columns: Sequence[str], *, sort: str = "created_at", descending: bool = True,
        offset: int = 0, limit: int = PAGE,
    ) -> list[Row]:  # fmt: skip
        """Return some of the chosen rows, sorted; rows that are equal in it are in the order of ``send_id``."""
        for name in (*columns, sort):
            if name not in self.columns:
                raise SettingsError(
                    f"the frame has no column {name!r}; nothing was counted; its columns: {', '.join(self.columns)}"
                )
        keys = list(dict.fromkeys((sort, "send_id")))
        names = list(dict.fromkeys((*columns, *keys)))
        end = offset + limit
        rows = self._until_row(self.chosen(selection), sort, descending, end)
        rows = parts.categories_as_text(rows.select(*names))
        rows = rows.sort(*keys, descending=[descending, *[False] * (len(keys) - 1)], nulls_last=True).head(end)
        return [{name: plain(row[name]) for name in columns} for row in fetched(rows)[offset:]]

    def _until_row(self, rows: Any, sort: str, descending: bool, number: int) -> Any:
        """Leave out rows that come after this row: the other columns of a large file are then read for few rows."""
        if not rows.implementation.is_duckdb():
            return rows
        first = rows.select(sort).sort(sort, descending=descending, nulls_last=True).head(number)
        (edge,) = fetched(first.select(nw.col(sort).min().alias("least"), nw.col(sort).max().alias("most"),
                                       (nw.len() - nw.col(sort).count()).alias("missing")))  # fmt: skip
        last = edge["least" if descending else "most"]
        if last is None or edge["missing"]:
            return rows
        return rows.filter(nw.col(sort) >= nw.lit(last) if descending else nw.col(sort) <= nw.lit(last))

    def choices(self, name: str) -> list[Any]:
        """Return the values of a column, the most frequent first, without missing ones."""
        column = parts.categories_as_text(self.rows.select(name).filter(~nw.col(name).is_null()))
        counted = column.group_by(name).agg(nw.len().alias("sends"))
        rows = fetched(counted.sort("sends", name, descending=[True, False]).head(MOST_CHOICES))
        return [plain(row[name]) for row in rows]

    def chat_names(self, chat_ids: Sequence[str]) -> dict[str, str]:
        """Return a name of each of these chats that has one."""
        of_chats = self.rows.select("chat_id", "chat_name").filter(nw.col("chat_id").is_in(list(chat_ids)))
        named = parts.categories_as_text(of_chats.filter(~nw.col("chat_name").is_null())).group_by("chat_id")
        return {row["chat_id"]: row["chat_name"] for row in fetched(named.agg(nw.col("chat_name").max()))}

    def row(self, send_id: str) -> Row | None:
        """Return one row with all its columns."""
        rows = fetched(parts.categories_as_text(self.rows.filter(parts.text("send_id") == send_id).head(1)))
        return {name: plain(value) for name, value in rows[0].items()} if rows else None


def tiles(statuses: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of a report, from the number of sends of each status."""
    words = {"accepted": [word for word in statuses if word and word not in parts.NOT_ACCEPTED], **parts.STATUSES_OF}
    return {
        "sends": sum(statuses.values()),
        **{name: sum(statuses.get(word, 0) for word in words[name]) for name in words},
    }


def _leading_errors(counts: Sequence[Row]) -> list[Row]:
    """Return the most frequent errors: ``status``, ``http_status``, ``error_code``, meaning and remedy, ``sends``."""
    errors: Counter[tuple[str, int | None, int | None]] = Counter()
    for row in counts:
        if row["status"] in ERROR_STATUSES:
            http = None if row["status"] == "failed" else row["http_status"]
            errors[row["status"], http, row["error_code"]] += row["sends"]
    leading = sorted(errors.items(), key=lambda item: (-item[1], tuple(map(str, item[0]))))[:LEADING]
    names = ("status", "http_status", "error_code")
    return [
        {**dict(zip(names, error, strict=True)), "sends": sends, **explaining.explained(*error)}
        for error, sends in leading
    ]


def statuses_in(bars: Iterable[Bar]) -> list[str]:
    """Return the statuses of a series, from the best outcome to the worst, words that are not known at the end."""
    present = {word for bar in bars for word in bar.counts}
    return [*(word for word in STATUSES if word in present), *sorted(present - set(STATUSES))]


def _bars(counts: Sequence[Row], unit: str) -> list[Bar]:
    """Return stretches of time without a gap, at most ``MOST_BARS``, each some hours or days long."""
    step = timedelta(hours=1) if unit == "hour" else timedelta(days=1)
    timed = [(EPOCH + step * row[unit], row) for row in counts if row[unit] >= 0]
    if not timed:
        return []
    first, last = min(at for at, _ in timed), max(at for at, _ in timed)
    width = step * math.ceil(((last - first) // step + 1) / MOST_BARS)
    stacks: list[Counter[str]] = [Counter() for _ in range((last - first) // width + 1)]
    for at, row in timed:
        stacks[(at - first) // width][row["status"]] += row["sends"]
    return [Bar(first + width * place, first + width * (place + 1), stack) for place, stack in enumerate(stacks)]


def _number(value: Any) -> float | None:
    value = plain(value)
    return None if value is None else float(value)


def _whole(value: Any) -> int | None:
    value = plain(value)
    return None if value is None else int(value)
