"""Reports over a table of sends, written once for pandas, Polars, DuckDB, PySpark and whatever else narwhals speaks.

    frame = linq_nb.to_frame(outbox.sends())
    linq_nb.reports.by_chat(frame)                       # which chats fail
    linq_nb.reports.errors(frame, by="chat_id")          # why, and since when
    linq_nb.reports.latency(frame)                       # how long a delivery takes

Each takes a frame with the columns of ``to_frame(outbox.sends())`` (only those that it names) and returns a new one of
the same kind: a table that is computed later, as DuckDB's, stays one. Counts are whole numbers, lengths of time
seconds, times as in the frame: UTC, as those without a zone count. Categories that are counted by come back as text.
Times, numbers and truth values that the frame holds as text, as one from CSV does, are read as such (pandas, Polars,
DuckDB).
The counts of a report:

- ``sends``: rows, one for each memo, chat and copy that was asked for
- ``accepted``: Linq accepted it, whatever happened later; ``delivered`` (includes read) and ``read`` as Linq reported
- ``failed``: Linq accepted it and later reported that it did not arrive
- ``refused``: Linq refused it, or it never left: nothing reached the recipient (``rejected``, ``not_sent``)
- ``unclear``: it left and no clear answer came (``unknown``, and ``sending`` while it is under way)

Groups and SMS never report ``delivered`` (Linq's documentation, "Delivery receipts"). All raise SettingsError for a
value that is no frame, or that lacks a column. ``latency`` does not work on a pyarrow.Table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import narwhals as nw

from linq_nb.errors import SettingsError
from linq_nb.model import Message
from linq_nb.reports import explaining, parts, zones
from linq_nb.reports.parts import COUNTS, SPAN, TIMES
from linq_nb.status import ERROR_STATUSES, NO_MESSAGE_STATUSES, UNCLEAR_STATUSES
from linq_nb.times import Time, horizon_of, time_of

Frame = TypeVar("Frame")

REPORTS = ("by", "by_chat", "by_day", "by_hour", "funnel", "latency", "errors", "unconfirmed", "duplicates", "compare")
"""The reports, as ``df.linq`` has them too."""

STAGES = ("asked", "accepted", "sent", "delivered", "read")
"""The stages of ``funnel``, in order."""

QUANTILES = (0.5, 0.9, 0.99)
LENGTHS = ("accept_s", "delivery_s", "read_s")
"""The columns that ``latency`` can describe, in seconds."""


def by(frame: Frame, *columns: str) -> Frame:
    """Count the outcomes of the sends of each group: ``by(frame, "from_handle", "day")``.

    Columns: those named; ``sends accepted delivered read failed refused unclear``; ``first_at`` and ``last_at``, when
    the first and the last of them were asked for. Ordered by the columns named.
    """
    if not columns:
        raise SettingsError(
            'by needs a column to count by; nothing was counted; name one, as in by(frame, "from_handle")'
        )
    keys = parts.keys(columns, "by", (*COUNTS, *TIMES))
    rows = parts.select_columns(frame, "by", *keys, "status", "created_at")
    counts = parts.counts_by(rows, (*keys, "status"))
    return parts.to_native(parts.summed(counts, keys).select(*keys, *COUNTS, *TIMES).sort(*keys), frame)


def by_chat(frame: Frame) -> Frame:
    """Count the outcomes of the sends to each chat; the chats with most failures come first.

    Columns: ``chat_id``, ``chat_name`` (its latest name) and ``is_group``; ``sends accepted delivered read failed
    refused unclear``; ``first_at`` and ``last_at``, when the first and the last of them were asked for.

    >>> linq_nb.reports.by_chat(frame)[["chat_name", "sends", "accepted"]].values.tolist()
    [['Ada Lovelace', 1, 1]]
    """
    about = ("chat_name", "is_group")
    rows = parts.select_columns(frame, "by_chat", "chat_id", *about, "status", "created_at")
    counts = parts.newest(parts.counts_by(rows, ("chat_id", *about, "status")), "chat_name", "chat_id")
    result = parts.summed(counts, ["chat_id"], *(nw.col(name).max() for name in about))
    result = result.select("chat_id", *about, *COUNTS, *TIMES)
    order = ("failed", "refused", "unclear", "sends", "chat_id")
    return parts.to_native(result.sort(*order, descending=[True] * 4 + [False]), frame)


def by_day(frame: Frame, tz: str = "UTC") -> Frame:
    """Count the outcomes of the sends of each day (of ``created_at``, in the time zone ``tz``), in order.

    ``tz``: a name such as "America/New_York". Columns: ``day``; ``sends accepted delivered read failed refused
    unclear``; ``first_at`` and ``last_at``, when the first and the last of them were asked for.
    """
    zone = zones.checked(tz)
    return by(frame, "day") if zone == "UTC" else _by_local_time(frame, "by_day", "day", zone)


def by_hour(frame: Frame, tz: str = "UTC") -> Frame:
    """Count the outcomes of the sends of each hour (of ``created_at``, in the time zone ``tz``), in order.

    ``tz``: a name such as "America/New_York". Columns: ``hour`` (text, as 2026-03-02 14:00; the hour that a change of
    the clocks repeats is one); ``sends accepted delivered read failed refused unclear``; ``first_at`` and ``last_at``,
    when the first and the last of them were asked for.
    """
    return _by_local_time(frame, "by_hour", "hour", zones.checked(tz))


def _by_local_time(frame: Frame, report: str, unit: str, zone: str) -> Frame:
    rows = parts.select_columns(frame, report, "status", "created_at")
    counts = parts.counts_by(zones.with_text(rows, "created_at", unit, zone), (unit, "status"))
    return parts.to_native(parts.summed(counts, [unit]).select(unit, *COUNTS, *TIMES).sort(unit), frame)


def funnel(frame: Frame) -> Frame:
    """Count how far the sends came: asked, accepted, sent, delivered, read.

    Columns: ``step`` (0 to 4), ``stage``, ``sends`` that reached it, ``of`` how many that could have, and ``share`` of
    these (0 to 1, missing where there are none). Only sends to a 1:1 chat by iMessage or RCS can report a delivery:
    ``delivered`` is a share of these. A recipient may have read receipts off.

    >>> linq_nb.reports.funnel(frame)["sends"].tolist()
    [1, 1, 0, 0, 0]
    """
    rows = parts.select_columns(frame, "funnel", "status", "service", "is_group", "sent_at")
    rows = rows.with_columns(nw.col("status").is_in(parts.STATUSES_OF["delivered"]).alias("arrived"))
    reached = {
        "accepted": parts.is_accepted(),
        "sent": ~nw.col("sent_at").is_null() | (nw.col("status") == "sent") | nw.col("arrived"),
        "can_report": ~parts.gives_no_receipt(),
        "delivered": nw.col("arrived"),
        "read": nw.col("status") == "read",
    }
    for before, (name, condition) in zip([None, *reached], reached.items(), strict=False):
        rows = rows.with_columns((nw.col(before) & condition if before else condition).alias(name))
    sums = [parts.whole(parts.whole(name).sum().fill_null(0), name) for name in reached]
    counts = rows.select(parts.whole(nw.len(), "asked"), *sums)
    blank = rows.head(0).select(parts.whole(nw.len(), "step"))
    steps = nw.concat([blank.with_columns(parts.whole(nw.lit(step), "step")) for step in range(len(STAGES))])
    result = steps.join(counts, how="cross").select(
        "step",
        nw.col("step").replace_strict(dict(enumerate(STAGES)), default="", return_dtype=nw.String).alias("stage"),
        _of_step(STAGES).alias("sends"),
        _of_step(("asked", "asked", "accepted", "can_report", "delivered")).alias("of"),
    )
    share = nw.when(nw.col("of") > 0).then(nw.col("sends") / nw.col("of")).cast(nw.Float64).alias("share")
    return parts.to_native(result.with_columns(share).sort("step"), frame)


def latency(
    frame: Frame,
    by: str | Sequence[str] = ("service", "is_group"),
    of: str = "delivery_s",
    *,
    q: float | Sequence[float] = QUANTILES,
) -> Frame:
    """Return quantiles of a column of seconds for each group.

    ``of``: ``delivery_s`` (from the POST to the delivery), ``accept_s`` (from the POST to Linq's answer) or ``read_s``
    (from the delivery to the read receipt). ``q``: the quantiles, as shares from 0 to 1. Columns: those of ``by``,
    ``sends`` (with such a length), and one for each quantile: ``p50_s``, ``p90_s`` and ``p99_s`` by default, ``p95_s``
    for 0.95 (linear interpolation).
    """
    if of not in LENGTHS:
        raise SettingsError(f"of= is one of {', '.join(LENGTHS)}, not {of!r}; nothing was counted; give one of these")
    shares = _quantiles(q)
    keys = parts.keys(by, "latency", ("sends", of, *shares))
    rows = parts.select_columns(frame, "latency", *keys, of).filter(~nw.col(of).is_null())
    quantiles = [nw.col(of).quantile(share, "linear").alias(name) for name, share in shares.items()]
    if not keys:
        return parts.to_native(rows.select(parts.whole(nw.len(), "sends"), *quantiles), frame)
    if rows.implementation.is_pyarrow():
        raise SettingsError(
            "latency does not work on a pyarrow.Table; nothing was counted; give it polars.from_arrow(table) or a "
            "DataFrame"
        )
    result = rows.group_by(*keys).agg(nw.len().alias("sends"), *quantiles)
    return parts.to_native(parts.categories_as_text(result.with_columns(parts.whole("sends"))).sort(*keys), frame)


def _quantiles(q: Any) -> dict[str, float]:
    """Return the columns of quantiles with their shares; raises SettingsError for what is no share."""
    try:
        shares = [float(share) for share in ([q] if isinstance(q, int | float) else q)]
    except (TypeError, ValueError):
        shares = []
    if isinstance(q, bool | str) or not shares or not all(0 <= share <= 1 for share in shares):
        raise SettingsError(
            f"q= is one or more shares from 0 to 1, not {q!r}; nothing was counted; give some, such as (0.5, 0.95)"
        )
    return {f"p{share * 100:g}_s": share for share in shares}


def errors(frame: Frame, by: str | Sequence[str] = ()) -> Frame:
    """List the errors, by HTTP status and Linq's code, with their meaning and what to do.

    Columns: those of ``by`` (as ``"chat_id"``); ``status``; ``http_status`` (missing where the code came by webhook,
    or no answer came at all) and ``error_code``, as in ``linq_nb.errors_frame()``; ``meaning`` and ``what_to_do`` from
    there; ``sends``; ``chats``, unless they are what you count by; ``first_at`` and ``last_at``, when the first and the
    last were asked for. The most frequent come first.
    """
    own = ("meaning", "what_to_do", "sends", "chats", *TIMES)
    keys = tuple(dict.fromkeys((*parts.keys(by, "errors", own), "status", "http_status", "error_code")))
    chats = [nw.col("chat_id").n_unique().alias("chats")] if "chat_id" not in keys else []
    rows = parts.select_columns(frame, "errors", *keys, "chat_id", "created_at")
    rows = rows.filter(nw.col("status").is_in(ERROR_STATUSES))
    answered = nw.when(nw.col("status") != "failed").then(nw.col("http_status"))
    result = parts.counts_by(rows.with_columns(parts.whole(answered, "http_status")), keys, *chats)
    result = result.with_columns(*explaining.columns(), *(parts.whole("chats") for _ in chats))
    result = result.select(*keys, "meaning", "what_to_do", "sends", *(["chats"] if chats else []), *TIMES)
    return parts.to_native(result.sort("sends", *keys, descending=[True] + [False] * len(keys), nulls_last=True), frame)


def unconfirmed(frame: Frame, horizon: str | float | timedelta = "1h", now: Time | None = None) -> Frame:
    """List the sends that Linq accepted a ``horizon`` ago or longer and that have no final status yet.

    They have not failed: Linq names no time after which it gives a message up. ``horizon``: "90s", "30m", "1h", "2d",
    seconds or a timedelta. ``now``: the time to count back from: a datetime with its zone, a date or text; by default
    now (the demo has a clock of its own: give ``outbox.demo.now()``). Columns: ``send_id chat_id chat_name is_group
    service status message_id accepted_at checked_at``; the oldest first. In groups and by SMS ``sent`` is final.
    """
    span = horizon_of(horizon)
    if span is None:
        raise SettingsError('horizon= is a length of time; nothing was counted; give one, as "1h"')
    if isinstance(now, datetime) and now.tzinfo is None:
        raise SettingsError("now= is a time with its zone; nothing was counted; give one, such as datetime.now(UTC)")
    today = datetime.now(UTC)
    at = time_of(now, today, "now") or today
    shown = ("send_id", "chat_id", "chat_name", "is_group", "service", "status", "message_id", "accepted_at",
             "checked_at")  # fmt: skip
    rows = parts.select_columns(frame, "unconfirmed", *shown, "posted_at", "created_at")
    result = rows.filter(parts.is_unconfirmed(rows, at - span))
    return parts.to_native(result.select(*shown).sort("accepted_at", "send_id", nulls_last=True), frame)


def duplicates(frame: Frame) -> Frame:
    """List audio that was sent, or may have been sent, to the same chat more than once.

    Within one journal these are the copies asked for by ``copy=``; frames of several journals, or of another tool's
    sends, may hold others. Audio is the same by ``sha256``, or by ``attachment_id`` where the bytes are not known; a
    URL that was never fetched has neither and is not compared. Columns: ``chat_id``, ``chat_name`` and ``filename``
    (the latest ones), ``audio`` (the sha256 or attachment id), ``bubbles`` (accepted by Linq), ``unclear``,
    ``first_at`` and ``last_at``, when the first and the last were asked for; most bubbles first.
    """
    names, same = ("chat_name", "filename"), ("chat_id", "audio")
    keys = ("chat_id", *names, "sha256", "attachment_id", "status")
    rows = parts.select_columns(frame, "duplicates", *keys, "created_at")
    counts = parts.counts_by(rows.filter(parts.is_not(NO_MESSAGE_STATUSES)), keys)
    counts = counts.with_columns(nw.coalesce(parts.text("sha256"), parts.text("attachment_id")).alias("audio"))
    counts = counts.filter(~nw.col("audio").is_null())
    counts = counts.filter(nw.col("sends").sum().over(*same) > 1)  # not many: the names of the others need not be found
    for name in names:
        counts = parts.newest(counts, name, *same)
    is_unclear = nw.col("status").is_in(UNCLEAR_STATUSES)
    kinds = {"bubbles": ~is_unclear, "unclear": is_unclear}
    counts = counts.with_columns(*(parts.values_where(where, "sends").alias(name) for name, where in kinds.items()))
    result = counts.group_by(*same).agg(
        *(nw.col(name).max() for name in names), *(nw.col(name).sum() for name in kinds), *SPAN
    )
    result = result.with_columns(*map(parts.whole, kinds))
    order, down = ("bubbles", "unclear", *same), (True, True, False, False)
    shown = ("chat_id", "chat_name", "filename", "audio", *kinds, *TIMES)
    return parts.to_native(result.select(*shown).sort(*order, descending=down), frame)


def compare(sends: Frame, messages: Frame) -> Frame:
    """Compare our sends with Linq's own list of messages; returns the rows that differ.

    ``messages``: ``to_frame(outbox.messages(chats), kind="messages")`` of the chats of these sends. Columns:
    ``found``, ``message_id``, ``chat_id``, ``status`` (ours), ``delivery_status`` (Linq's), and ``at`` (our
    ``accepted_at``, else Linq's ``created_at``). ``found`` says which side has it:

    - ``only_sends``: Linq does not list it: it expired, was deleted, or is of a chat that was not asked for
    - ``only_messages``: audio from your line that is not in our table: sent by another tool or the app, or the
      message of an ``unknown`` send, which ``outbox.reconcile()`` finds
    - ``other_status``: both have it; ``outbox.refresh()`` catches up
    """
    ours = parts.select_columns(sends, "compare", "message_id", "chat_id", "status", "accepted_at")
    theirs = parts.select_columns(
        messages, "compare", "message_id", "chat_id", "delivery_status", "created_at", "is_from_me", "mime_type",
        like='to_frame(messages, kind="messages")', record=Message,
    )  # fmt: skip
    if (type(ours), ours.implementation) != (type(theirs), theirs.implementation):
        kinds = [f"{type(table).__module__.split('.')[0]}'s {type(table).__name__}" for table in (sends, messages)]
        raise SettingsError(
            f"compare takes two frames of one kind, not {' and '.join(kinds)}; nothing was counted; convert one of them"
        )
    rows = _side_by_side(ours, theirs).select(
        _difference().alias("found"),
        nw.coalesce("message_id", "message_id_theirs").alias("message_id"),
        nw.coalesce("chat_id", "their_chat").alias("chat_id"),
        "status",
        "delivery_status",
        nw.coalesce("accepted_at", "created_at").alias("at"),
    )
    rows = rows.filter(nw.col("found") != "").sort("found", "chat_id", "at", "message_id", nulls_last=True)
    return parts.to_native(rows, sends)


def _side_by_side(ours: Any, theirs: Any) -> Any:
    """Join our sends and Linq's messages by message id; rows of one side alone stay."""
    ours = ours.filter(~nw.col("message_id").is_null()).with_columns(
        parts.text("message_id"), parts.text("chat_id"), parts.text("status"), nw.lit(1).alias("in_sends")
    )
    is_memo = nw.col("is_from_me").fill_null(value=False) & nw.col("mime_type").str.starts_with("audio/")
    theirs = theirs.select(
        parts.text("message_id"), parts.text("chat_id").alias("their_chat"), parts.text("delivery_status"),
        "created_at", nw.lit(1).alias("in_messages"), is_memo.fill_null(value=False).alias("is_memo"),
    )  # fmt: skip
    return ours.join(theirs, on="message_id", how="full", suffix="_theirs")


def _difference() -> nw.Expr:
    """Name the difference between the two sides of a row, an empty text where there is none."""
    none = nw.lit("")
    have_status = ~nw.col("status").is_null() & ~nw.col("delivery_status").is_null()
    differ = have_status & (nw.col("status") != nw.col("delivery_status"))
    in_both = nw.when(differ).then(nw.lit("other_status")).otherwise(none)
    in_sends = nw.when(nw.col("in_messages").is_null()).then(nw.lit("only_sends")).otherwise(in_both)
    in_messages = nw.when(nw.col("is_memo")).then(nw.lit("only_messages")).otherwise(none)
    return nw.when(nw.col("in_sends").is_null()).then(in_messages).otherwise(in_sends)


def _of_step(names: Sequence[str]) -> nw.Expr:
    """Return the column of numbers by step: the first name for step 0, and so on."""
    number = nw.col(names[-1])
    for step, name in list(enumerate(names))[-2::-1]:
        number = nw.when(nw.col("step") == step).then(nw.col(name)).otherwise(number)
    return number
