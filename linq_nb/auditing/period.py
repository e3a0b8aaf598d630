"""Which sends an audit is about: those of an outbox or a frame, in a period, of all chats or one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import narwhals as nw

from linq_nb.auditing.figures import figures
from linq_nb.auditing.report import Audit
from linq_nb.frames import to_frame
from linq_nb.model import Chat
from linq_nb.outbox import Outbox, session_of
from linq_nb.outbox.reputation_audit import known_ratings
from linq_nb.reports import parts, zones
from linq_nb.reports.named import chat_id
from linq_nb.reports.selection import Selection
from linq_nb.reports.values import fetched, plain
from linq_nb.status import ERROR_STATUSES
from linq_nb.times import Time, time_of


def audit(
    source: Any, since: Time | None = "7d", until: Time | None = None, chat: Chat | str | float | None = None,
    tz: str = "UTC",
) -> Audit:  # fmt: skip
    """Audit the sends of a period on one page, with ``.to_html(file)``, ``.to_excel(file)`` and ``.frames``.

    ``source``: an outbox, or a frame as ``to_frame(outbox.sends())`` (pandas, Polars, a DuckDB relation). ``since`` and
    ``until``: times, dates, or spans such as "7d", which count back from the outbox's clock, for a frame from its
    newest ``created_at``; ``since`` is included, ``until`` is not; None is no limit. ``chat``: a Chat, id, name or
    handle, in any usual spelling; a frame has handles if it was made with ``handles="full"``. ``tz``: the time zone in
    which days are counted and times are shown. What went wrong on one line shows Linq's rating of it, where the
    journal has one (``outbox.reputation``, webhooks). Nothing is sent, and Linq is not asked.

    >>> sorted(linq_nb.audit(outbox, since="7d").frames)
    ['chats', 'days', 'duplicates', 'latency', 'next', 'open', 'problems', 'summary']
    """
    zone = zones.checked(tz)
    if not isinstance(source, Outbox):
        now = _newest(source)
        start, end = time_of(since, now), time_of(until, now, "until")
        return audit_frame(source, now, start, end, chat=chat, zone=zone)
    now = session_of(source).now()
    start, end = time_of(since, now), time_of(until, now, "until")
    frame = to_frame(source.sends(chat=chat, since=start), kind="sends")
    errors = to_frame(source.sends(ERROR_STATUSES, chat), kind="sends")  # of any time: since when
    return audit_frame(frame, now, start, end, outbox=source, errors=errors, zone=zone)


def audit_frame(
    frame: Any, now: datetime, since: datetime | None, until: datetime | None, *, outbox: Outbox | None = None,
    errors: Any = None, chat: Chat | str | float | None = None, zone: str = "UTC",
) -> Audit:  # fmt: skip
    """Audit the sends of a frame as they stand ``now``; those of an ``outbox`` with Linq's ratings of its lines.

    ``errors``: all sends that went wrong, which say since when; those of the frame by default.
    """
    if outbox is None:
        frame = _with_chat_ids(frame)
    if chat is not None and outbox is None:
        frame = _of_chat(frame, chat)
    if errors is None:
        errors = nw.from_native(frame).filter(parts.text("status").is_in(ERROR_STATUSES)).to_native()
    chosen = Selection(since=since, until=until).filtered(nw.from_native(frame), now).to_native()
    end = until or now
    ratings = {} if outbox is None else known_ratings(session_of(outbox), end)
    tables, labels = figures(chosen, errors, min(now, end), zone, ratings)
    return Audit(tables, since, end, zone, labels)


def _with_chat_ids(frame: Any) -> Any:
    """Return a frame in which the name of a chat stands for its ``chat_id`` where that is missing."""
    names = nw.from_native(frame).collect_schema().names()
    rows = parts.select_columns(frame, "audit", *names, "chat_name")
    ids = [parts.text(name) for name in ("chat_id", "chat_name") if name in names]
    return rows.with_columns(nw.coalesce(*ids).alias("chat_id")).to_native()


def _newest(frame: Any) -> datetime:
    """Return the newest ``created_at`` of a frame; now for one without rows."""
    (row,) = fetched(parts.select_columns(frame, "audit", "created_at").select(nw.col("created_at").max()))
    newest: datetime | None = plain(row["created_at"])
    return newest or datetime.now(UTC)


def _of_chat(frame: Any, chat: Chat | str | float) -> Any:
    """Return the rows of a frame that are of a chat."""
    rows = nw.from_native(frame)
    chosen = chat_id(rows, chat.chat_id if isinstance(chat, Chat) else chat, "audit", "nothing was written")
    return rows.filter(parts.text("chat_id") == chosen).to_native()
