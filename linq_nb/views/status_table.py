"""Sends that are followed: one line that counts them, and a row for each bubble with its state and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from linq_nb import catalog
from linq_nb.model import Send
from linq_nb.status import STATUSES, is_going_well, is_settled, no_receipts, status_of
from linq_nb.text import clean
from linq_nb.views import records
from linq_nb.views.page import AMBER, BOX, Shown, div, esc, name, pill, quiet, status_ground
from linq_nb.views.phrases import ago, duration

MOST_FOLLOWED = 50
"""A longer table shows the rows that need a look first, and says how many more there are."""

_STATES = [state for word in STATUSES for state in (["waiting", "unconfirmed", word] if word == "unknown" else [word])]
"""The states of a row, from the best to the worst: all statuses, and two that only this table knows."""


class Bubble(NamedTuple):
    """One row: the state of a bubble, whom it goes to, and what more there is to say."""

    state: str
    whom: str
    note: str


def followed(
    sends: Sequence[Send],
    *,
    now: datetime,
    started: datetime,
    unconfirmed: Collection[str] = (),
    notes: Sequence[str] = (),
) -> Shown:
    """Show how sends stand: the line that counts them and their rows."""
    head = followed_line(sends, now=now, started=started, unconfirmed=unconfirmed)
    rows = followed_rows(sends, now=now, unconfirmed=unconfirmed, notes=notes)
    return Shown(html=div(BOX, f"<b>{esc(head)}</b>") + rows.html, text=f"{head}\n{rows.text}".rstrip())


def followed_rows(
    sends: Sequence[Send], *, now: datetime, unconfirmed: Collection[str] = (), notes: Sequence[str] = ()
) -> Shown:
    """Show a row for each send; ``unconfirmed`` names those that were past the user's horizon."""
    shown = _chosen(sends, unconfirmed)
    rows = [bubble(one, now, is_unconfirmed=one.send_id in unconfirmed) for one in shown]
    more = [f"and {len(sends) - len(shown)} more"] if len(sends) > len(shown) else []
    tail = [*more, *(clean(one, 600) for one in notes)]
    width = max((len(row.state) for row in rows), default=0)
    text = [f"{row.state:<{width}}  {row.whom}{f': {row.note}' if row.note else ''}" for row in rows]
    html = [_table(rows) if rows else "", *(f"<div>{quiet(one)}</div>" for one in tail)]
    return Shown(html=div(BOX, *html), text="\n".join([*text, *tail]))


def followed_line(sends: Sequence[Send], *, now: datetime, started: datetime, unconfirmed: Collection[str] = ()) -> str:
    """Count sends in one line: ``3 of 4 settled after 0:17: 1 read, 2 delivered, 1 queued``."""
    counts = Counter(_state(one, unconfirmed) for one in sends)
    order = [*_STATES, *sorted(set(counts) - set(_STATES))]
    told = ", ".join(f"{counts[state]} {clean(state, 40)}" for state in order if counts[state])
    if not sends:
        return "nothing to follow"
    settled = sum(is_settled(one.status, is_group=one.is_group, service=one.service) for one in sends)
    passed = duration(round(max((now - started).total_seconds(), 0)) * 1000)
    return f"{settled} of {len(sends)} settled after {passed}: {told}"


def bubble(send: Send, now: datetime, *, is_unconfirmed: bool = False) -> Bubble:
    """Tell of one send in a row."""
    state = _state(send, (send.send_id,) if is_unconfirmed else ())
    notes = [records.send_memo(send), *([f"copy {send.copy}"] if send.copy != 1 else []), _note(send, state, now)]
    return Bubble(clean(state, 40), records.send_whom(send), ", ".join(one for one in notes if one))


def _state(send: Send, unconfirmed: Collection[str]) -> str:
    return "unconfirmed" if send.send_id in unconfirmed else send.status


def _note(send: Send, state: str, now: datetime) -> str:
    """Say how long a step took, what is missing, or why it failed."""
    if state == "unconfirmed":
        return f"{clean(send.status, 40)} for {_since(send, now)}, no word of its delivery; it may have arrived"
    if state == "sent":
        return no_receipts(is_group=send.is_group, service=send.service) or ""
    if state in ("delivered", "read"):
        took = _took(send.accepted_at, send.delivered_at)
        read = _took(send.delivered_at, send.read_at) if state == "read" else ""
        return ", ".join([*([f"delivered in {took}"] if took else []), *([f"read {read} later"] if read else [])])
    if status_of(state).is_error:
        return _reason(send, state)
    return status_of(state).meaning if state == "expired" else ""


def _reason(send: Send, state: str) -> str:
    """Say why; a read of a message carries no reason, only the webhook of a failure does."""
    known = catalog.explain(send.http_status, send.error_code) if send.error_code is not None else None
    code = f"{send.error_code} {known.meaning}" if known else ""
    told = [one for one in (code, clean(send.error_message, 300) if send.error_message else "") if one]
    if not told and state == "failed":
        return "Linq tells the reason by webhook only"
    return ": ".join(told)


def _took(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return ""
    seconds = max((end - start).total_seconds(), 0.0)
    return f"{seconds:.1f} s" if seconds < 60 else duration(round(seconds) * 1000)


def _since(send: Send, now: datetime) -> str:
    since = send.accepted_at or send.posted_at or send.created_at
    return ago(since, now).removesuffix(" ago") if since else "a time that is not known"


def _chosen(sends: Sequence[Send], unconfirmed: Collection[str]) -> list[Send]:
    """Leave out the rows of a long table that need no look; the others keep their order."""
    if len(sends) <= MOST_FOLLOWED:
        return list(sends)
    calm = {id(one) for one in sends if is_going_well(_state(one, unconfirmed))}
    first = sorted(sends, key=lambda one: id(one) in calm)[:MOST_FOLLOWED]
    kept = {id(one) for one in first}
    return [one for one in sends if id(one) in kept]


def _ground(state: str) -> str:
    return AMBER if state == "unconfirmed" else status_ground(state)


def _table(rows: Sequence[Bubble]) -> str:
    """Return the rows as a table whose words break, so that it fits a narrow page."""
    cell = "text-align:left;vertical-align:top;border:none;padding:3px 10px 3px 0;background:none"
    head = "".join(
        f'<th style="{cell};font-weight:normal;{width}">{quiet(title)}</th>'
        for title, width in (("state", "width:92px"), ("bubble", ""))
    )
    body = "".join(
        f'<tr style="background:none"><td style="{cell}">{pill(row.state, _ground(row.state))}</td>'
        f'<td style="{cell}">{name(row.whom)}<br>{quiet(row.note)}</td></tr>'
        for row in rows
    )
    style = "table-layout:fixed;width:100%;max-width:660px;border-collapse:collapse;border:none;margin:4px 0;"
    return f'<table style="{style}font-size:13px"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
