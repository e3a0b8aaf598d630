"""The tables of an audit, each a pandas frame, counted by ``linq_nb.reports`` wherever a report counts it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from linq_nb import reports
from linq_nb.auditing import sentences
from linq_nb.reports import parts
from linq_nb.reports.values import fetched
from linq_nb.status import UNCLEAR_STATUSES, UNCONFIRMED_AFTER
from linq_nb.text import chat_labels, clean

if TYPE_CHECKING:
    import pandas as pd

MOST_OF = 0.8
"""The headline tells within how many seconds this share of the memos arrived."""

QUIET = timedelta(days=2)
"""After so long without an error, its next occurrence is a new beginning."""

_ERROR = ["status", "http_status", "error_code"]
_NULLABLE = {"http_status": "Int64", "error_code": "Int64", "is_group": "boolean"}
"""Columns with missing values, which other engines hand over as floats or objects."""

_REPORTED = ("is_group", "service", "status", "delivery_s")
_OPEN = ("chat_id", "chat_name", "filename", "service", "status", "created_at", "send_id", "is_group", "accepted_at",
         "posted_at")  # fmt: skip


def figures(
    frame: Any, errors: Any, now: datetime, zone: str, ratings: Mapping[str, str]
) -> tuple[Mapping[str, pd.DataFrame], Mapping[str, str]]:
    """Return the tables of an audit by name, in the order of the page, and what the page calls chats without a name of
    their own; ``errors`` are all sends that went wrong.

    ``ratings`` are Linq's of your lines, as far as they are known, by masked number.
    """  # fmt: skip
    chats = _pandas(reports.by_chat(frame))
    days, duplicates = _pandas(reports.by_day(frame, zone)), _pandas(reports.duplicates(frame))
    tables = {
        "problems": _problems(frame, errors, ratings),
        "chats": _chats(frame, chats),
        "latency": _pandas(reports.latency(frame, q=(0.5, 0.95))),
        "open": _open(frame, now),
        "duplicates": duplicates.drop(columns="audio"),
        "days": days,
    }
    for name in ("chats", "open", "duplicates"):
        tables[name] = _fit_ids(tables[name])
    summary, steps = _summary(frame, days, len(chats)), sentences.steps(tables)
    frames = {"summary": summary, "problems": tables.pop("problems"), "next": steps, **tables}
    return frames, _labels(_fit_ids(chats))


def _fit_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Make an id fit to show that is the name of the chat: the frame had no other."""
    pairs = zip(table["chat_id"], table["chat_name"], strict=True)
    ids = [name if isinstance(identity, str) and clean(identity) == str(name) else identity for identity, name in pairs]
    return table.assign(chat_id=ids).astype({"chat_id": table["chat_id"].dtype})


def _labels(chats: pd.DataFrame) -> dict[str, str]:
    """Return what the page calls the chats whose name is missing or not unique, by id."""
    pairs = zip(chats["chat_id"], chats["chat_name"].astype(object).fillna(""), strict=True)
    names = {identity: name for identity, name in pairs if isinstance(identity, str) and identity != name}
    return {identity: label for identity, label in chat_labels(names).items() if label != names[identity]}


def _summary(frame: Any, days: pd.DataFrame, chats: int) -> pd.DataFrame:
    """Return one row: the counts, and how long deliveries take."""
    import pandas as pd

    rows = parts.select_columns(frame, "audit", *_REPORTED).filter(parts.is_accepted() & ~parts.gives_no_receipt())
    number, has_arrived = nw.len().alias("n"), nw.col("status").is_in(parts.STATUSES_OF["delivered"])
    (can_report,) = fetched(rows.select(number))
    (reported,) = fetched(rows.filter(has_arrived).select(number))
    most = math.ceil(MOST_OF * int(can_report["n"]))
    quickest = rows.filter(~nw.col("delivery_s").is_null()).sort("delivery_s").head(most)
    (within,) = fetched(quickest.select(number, nw.col("delivery_s").max().alias("s")))
    row = {name: int(days[name].sum()) for name in parts.COUNTS} | {
        "chats": chats,
        "can_report": int(can_report["n"]),
        "reported": int(reported["n"]),
        "most_within_s": float(within["s"]) if within["n"] == most > 0 else None,
    }
    summary = pd.DataFrame([row]).astype({"most_within_s": "Float64"})
    quantiles = _pandas(reports.latency(frame, by=(), q=(0.5, 0.95)))
    return summary.join(quantiles[["p50_s", "p95_s"]].astype("Float64"))


def _problems(frame: Any, errors: Any, ratings: Mapping[str, str]) -> pd.DataFrame:
    """Return the errors, the most frequent first, with the line that all of one are from where there are several.

    ``reputation`` is Linq's rating of that line, where it is known.
    """
    problems, lines = _pandas(reports.errors(frame)), _pandas(reports.errors(frame, by="from_handle"))
    number = len(_pandas(reports.by(frame, "from_handle")))
    of_error: dict[tuple[str, ...], set[str]] = {}
    for row in lines.itertuples(index=False):
        of_error.setdefault(_key(row), set()).add(str(row.from_handle))
    names = [of_error[_key(row)] for row in problems.itertuples(index=False)]
    only = [next(iter(of))[-4:] if len(of) == 1 and number > 1 else "" for of in names]
    problems.insert(3, "line", only)
    problems.insert(4, "reputation", [ratings.get(next(iter(of)), "") if len(of) == 1 else "" for of in names])
    times = _times(errors)
    since = [_spell(times[_key(row)], row.first_at) for row in problems.itertuples(index=False)]
    problems.insert(len(problems.columns) - 2, "since", since)
    return problems.astype({"since": problems["first_at"].dtype})


def _times(errors: Any) -> dict[tuple[str, ...], list[Any]]:
    """Return when the sends of each error were asked for, in order."""
    rows = _pandas(parts.select_columns(errors, "audit", *_ERROR, "created_at").sort("created_at").to_native())
    rows["http_status"] = rows["http_status"].mask((rows["status"] == "failed").fillna(value=False).astype(bool))
    times: dict[tuple[str, ...], list[Any]] = {}
    for row in rows.itertuples(index=False):
        times.setdefault(_key(row), []).append(row.created_at)
    return times


def _spell(times: list[Any], first_at: Any) -> Any:
    """Return when an error began that was there at a time: before it there were ``QUIET`` days without the error."""
    begin = first_at
    for at in reversed(times[: bisect.bisect_left(times, first_at)]):
        if begin - at > QUIET:
            break
        begin = at
    return begin


def _chats(frame: Any, chats: pd.DataFrame) -> pd.DataFrame:
    """Return the chats where something went wrong, the worst first, with the most frequent reason and since when."""
    chats = chats[chats[["failed", "refused", "unclear"]].sum(axis=1) > 0]
    reasons = _pandas(reports.errors(frame, by="chat_id")).drop_duplicates("chat_id")
    reasons = reasons[["chat_id", "error_code", "meaning", "first_at"]].rename(columns={"first_at": "since"})
    names = ["chat_name", "sends", "accepted", "delivered", "failed", "refused", "unclear", "error_code", "meaning",
             "since", "chat_id"]  # fmt: skip
    return chats.merge(reasons, on="chat_id", how="left")[names]


def _open(frame: Any, now: datetime) -> pd.DataFrame:
    """Return the sends without a clear end: unclear ones, and those open for an hour or longer; the oldest first."""
    rows = parts.select_columns(frame, "audit", *_OPEN)
    is_unclear = nw.col("status").is_in(UNCLEAR_STATUSES).fill_null(value=False)
    rows = rows.filter(is_unclear | parts.is_unconfirmed(rows, now - UNCONFIRMED_AFTER))
    rows = parts.categories_as_text(rows).select(*_OPEN[:7]).sort("created_at", "send_id")
    return _pandas(rows.to_native())[["chat_name", "filename", "status", "created_at", "service", "chat_id", "send_id"]]


def _key(row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in _ERROR)


def _pandas(native: Any) -> pd.DataFrame:
    """Return a table as pandas, its texts fit to show, its times in UTC."""
    import pandas as pd

    rows = nw.from_native(native)
    days = [name for name, kind in rows.collect_schema().items() if kind == nw.Date]  # of the folders of an export
    rows = rows.with_columns(*map(parts.text, days)) if days else rows
    frame: pd.DataFrame = (rows.collect() if isinstance(rows, nw.LazyFrame) else rows).to_pandas()
    frame = frame.astype({name: kind for name, kind in _NULLABLE.items() if name in frame})
    for name in frame.columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        elif not name.endswith("_id") and (frame[name].dtype == object or pd.api.types.is_string_dtype(frame[name])):
            frame[name] = frame[name].map(lambda text: clean(text) if isinstance(text, str) else text)
    return frame
