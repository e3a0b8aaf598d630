"""The delivery status of many sends: one line that counts them, and a row for each with its state and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from linq_nb import catalog
from linq_nb.model import Send, accepted_time
from linq_nb.status import STATUSES, is_going_well, is_settled, no_receipts, status_of
from linq_nb.text import clean
from linq_nb.views import records
from linq_nb.views.page import AMBER, BOX, Shown, div, esc, name, pill, quiet, status_ground
from linq_nb.views.phrases import ago, duration

MOST_FOLLOWED = 50
"""A longer table leaves out rows that go well first, and says how many it leaves out."""

_STATES = [state for word in STATUSES for state in (["waiting", "unconfirmed", word] if word == "unknown" else [word])]
"""The states of a row, from the best to the worst: all statuses, and two that only this table knows."""


class Bubble(NamedTuple):
    """One row: the state of a send, its recipient, and a note."""

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
    """Show the line that counts the sends, and their rows."""
    head = followed_line(sends, now=now, started=started, unconfirmed=unconfirmed)
    rows = followed_rows(sends, now=now, unconfirmed=unconfirmed, notes=notes)
    return Shown(html=div(BOX, f"<b>{esc(head)}</b>") + rows.html, text=f"{head}\n{rows.text}".rstrip())


def followed_rows(
    sends: Sequence[Send], *, now: datetime, unconfirmed: Collection[str] = (), notes: Sequence[str] = ()
) -> Shown:
    """Show a row for each send; ``unconfirmed`` are the ids of those past the user's horizon."""
    shown = _chosen(sends, unconfirmed)
    rows = [_bubble(send, _state(send, unconfirmed), now) for send in shown]
    more = [f"and {len(sends) - len(shown)} more"] if len(sends) > len(shown) else []
    tail = [*more, *(clean(note, 600) for note in notes)]
    width = max((len(row.state) for row in rows), default=0)
    text = [f"{row.state:<{width}}  {row.whom}{f': {row.note}' if row.note else ''}" for row in rows]
    html = [_table(rows) if rows else "", *(f"<div>{quiet(line)}</div>" for line in tail)]
    return Shown(html=div(BOX, *html), text="\n".join([*text, *tail]))


def followed_line(sends: Sequence[Send], *, now: datetime, started: datetime, unconfirmed: Collection[str] = ()) -> str:
    """Count sends in one line: ``3 of 4 settled after 0:17: 1 read, 2 delivered, 1 queued``."""
    counts = Counter(_state(send, unconfirmed) for send in sends)
    order = [*_STATES, *sorted(set(counts) - set(_STATES))]
    summary = ", ".join(f"{counts[state]} {clean(state, 40)}" for state in order if counts[state])
    if not sends:
        return "nothing to follow"
    settled = sum(is_settled(send.status, is_group=send.is_group, service=send.service) for send in sends)
    passed = duration(round(max((now - started).total_seconds(), 0)) * 1000)
    return f"{settled} of {len(sends)} settled after {passed}: {summary}"


def _bubble(send: Send, state: str, now: datetime) -> Bubble:
    notes = [records.send_memo(send), *([f"copy {send.copy}"] if send.copy != 1 else []), _note(send, state, now)]
    return Bubble(clean(state, 40), records.send_whom(send), ", ".join(filter(None, notes)))


def _state(send: Send, unconfirmed: Collection[str]) -> str:
    return "unconfirmed" if send.send_id in unconfirmed else send.status


def _note(send: Send, state: str, now: datetime) -> str:
    """Return how long a step took, what is missing, or why it failed."""
    if state == "unconfirmed":
        return f"{clean(send.status, 40)} for {_since(send, now)}, no report of its delivery; it may have arrived"
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
    """Return the reason of an error; Linq reports that of a failed delivery by webhook only."""
    code = f"{send.error_code} {catalog.explain(send.http_status, send.error_code).meaning}" if send.error_code else ""
    message = clean(send.error_message, 300) if send.error_message else ""
    if not code and not message and state == "failed":
        return "Linq reports the reason by webhook only"
    return ": ".join(filter(None, (code, message)))


def _took(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return ""
    seconds = max((end - start).total_seconds(), 0.0)
    return f"{seconds:.1f} s" if seconds < 60 else duration(round(seconds) * 1000)


def _since(send: Send, now: datetime) -> str:
    since = accepted_time(send)
    return ago(since, now).removesuffix(" ago") if since else "an unknown time"


def _chosen(sends: Sequence[Send], unconfirmed: Collection[str]) -> list[Send]:
    """Leave out rows of a long table that go well; the others keep their order."""
    going_well = [is_going_well(_state(send, unconfirmed)) for send in sends]
    kept = sorted(sorted(range(len(sends)), key=going_well.__getitem__)[:MOST_FOLLOWED])
    return [sends[place] for place in kept]


def _table(rows: Sequence[Bubble]) -> str:
    """Return the rows as a table whose words break, so that it fits a narrow page."""
    cell = "text-align:left;vertical-align:top;border:none;padding:3px 10px 3px 0;background:none"
    head = "".join(
        f'<th style="{cell};font-weight:normal;{width}">{quiet(title)}</th>'
        for title, width in (("state", "width:92px"), ("bubble", ""))
    )
    tags = [pill(row.state, AMBER if row.state == "unconfirmed" else status_ground(row.state)) for row in rows]
    body = "".join(
        f'<tr style="background:none"><td style="{cell}">{tag}</td>'
        f'<td style="{cell}">{name(row.whom)}<br>{quiet(row.note)}</td></tr>'
        for tag, row in zip(tags, rows, strict=True)
    )
    style = "table-layout:fixed;width:100%;max-width:660px;border-collapse:collapse;border:none;margin:4px 0;"
    return f'<table style="{style}font-size:13px"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
