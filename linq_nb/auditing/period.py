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
from linq_nb.reports.named import chat_ids
from linq_nb.reports.selection import Selection
from linq_nb.reports.tallies import fetched, plain
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
    if isinstance(source, Outbox):
        now = session_of(source).now()
        start, end = time_of(since, now), time_of(until, now, "until")
        frame: Any = to_frame(source.sends(chat=chat, since=start), kind="sends")
        errors: Any = to_frame(source.sends(ERROR_STATUSES, chat), kind="sends")  # of any time: since when
        ratings = known_ratings(session_of(source), end or now)
    else:
        now = _newest(source)
        start, end = time_of(since, now), time_of(until, now, "until")
        frame = source if chat is None else _of_chat(source, chat)
        ratings = {}
        errors = nw.from_native(frame).filter(parts.text("status").is_in(ERROR_STATUSES)).to_native()
    chosen = Selection(since=start, until=end).filtered(nw.from_native(frame), now).to_native()
    return Audit(figures(chosen, errors, min(now, end or now), zone, ratings), start, end or now, zone)


def _newest(frame: Any) -> datetime:
    """Return the newest ``created_at`` of a frame; now for one without rows."""
    (row,) = fetched(parts.asked(frame, "audit", "created_at").select(nw.col("created_at").max()))
    newest: datetime | None = plain(row["created_at"])
    return newest or datetime.now(UTC)


def _of_chat(frame: Any, chat: Chat | str | float) -> Any:
    """Return the rows of a frame that are of a chat."""
    rows = nw.from_native(frame)
    ids = chat_ids(rows, chat.chat_id if isinstance(chat, Chat) else chat, "audit", "nothing was written")
    return rows.filter(parts.text("chat_id").is_in(ids)).to_native()
