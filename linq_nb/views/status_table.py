"""The delivery status of many sends: one line that counts them, and a row for each with its state and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from linq_nb import catalog
from linq_nb.model import Send, accepted_time
from linq_nb.status import STATUSES, Status, is_going_well, is_settled, no_receipts, status_of
from linq_nb.text import clean
from linq_nb.views import records
from linq_nb.views.page import BOX, FRAME, Shown, div, esc, folded, name, pill, quiet
from linq_nb.views.phrases import ago, duration

MOST_FOLLOWED, MOST_FOLDED = 50, 500
"""Rows that are shown, and rows that are folded away below them; a longer table leaves out the rest."""

UNCONFIRMED = Status("unconfirmed", "amber", "accepted long ago, and no report of its delivery; it may have arrived")
WAITING = Status("waiting", "grey", "it has not begun")
_STATES = {state.word: state for status in STATUSES.values()
           for state in ([WAITING, UNCONFIRMED, status] if status.word == "unknown" else [status])}  # fmt: skip
"""The states of a row, from the best to the worst: all statuses, and two that only this table knows."""
_PLACES = {word: place for place, word in enumerate(_STATES)}


class Bubble(NamedTuple):
    """One row: the id of a send, its state, its recipient, its memo, and what is to say of it."""

    send_id: str
    state: Status
    whom: str
    memo: str
    note: str

    @property
    def what(self) -> str:
        """The memo, and what is to say of the send."""
        return ", ".join(filter(None, (self.memo, self.note)))


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
    """Show a row for each send, those that need a look first; the end of a long table is folded away.

    ``unconfirmed`` are the ids of those past the user's horizon.
    """
    by_need = sorted(sends, key=lambda send: _by_attention(state_of(send, unconfirmed)))
    drawn = [bubble(send, now, unconfirmed) for send in by_need[: MOST_FOLLOWED + MOST_FOLDED]]
    rows, more, left_out = drawn[:MOST_FOLLOWED], drawn[MOST_FOLLOWED:], len(sends) - len(drawn)
    tail = [*([f"{left_out} more are not shown"] if left_out else []), *(clean(note, 600) for note in notes)]
    opens = [f"and {len(more)} more"] if more else []
    width = max((len(_word(row)) for row in rows), default=0)
    text = [f"{_word(row):<{width}}  {row.whom}{f': {row.what}' if row.what else ''}" for row in rows]
    html = [_table(rows) if rows else "", *(folded(line, _table(more)) for line in opens)]
    html += [f"<div>{quiet(line)}</div>" for line in tail]
    return Shown(html=div(BOX, *html), text="\n".join([*text, *opens, *tail]))


def listed(sends: Sequence[Send]) -> Shown:
    """Show sends as they stand: ``3 sends: 1 read, 2 queued``, and a row for each."""
    counts = ", ".join(f"{number} {clean(state.word, 40)}" for state, number in ordered(Counter(map(state_of, sends))))
    head = f"{len(sends)} {'send' if len(sends) == 1 else 'sends'}: {counts}" if sends else "no sends"
    rows = followed_rows(sends, now=datetime.max.replace(tzinfo=UTC))  # no row of these needs the time
    return Shown(html=div(FRAME, f"<b>{esc(head)}</b>", rows.html), text=f"{head}\n{rows.text}".rstrip())


def followed_line(sends: Sequence[Send], *, now: datetime, started: datetime, unconfirmed: Collection[str] = ()) -> str:
    """Count sends in one line: ``3 of 4 settled after 0:17: 1 read, 2 delivered, 1 queued``."""
    counts = Counter(state_of(send, unconfirmed) for send in sends)
    summary = ", ".join(f"{number} {clean(state.word, 40)}" for state, number in ordered(counts))
    if not sends:
        return "nothing to follow"
    passed = duration(round(max((now - started).total_seconds(), 0)) * 1000)
    return f"{settled(sends)} of {len(sends)} settled after {passed}: {summary}"


def settled(sends: Sequence[Send]) -> int:
    """Count the sends of which nothing more is waited for."""
    return sum(is_settled(send.status, is_group=send.is_group, service=send.service) for send in sends)


def bubble(send: Send, now: datetime, unconfirmed: Collection[str] = ()) -> Bubble:
    """Return the row of one send."""
    state = state_of(send, unconfirmed)
    memo = ", ".join([records.send_memo(send), *([f"copy {send.copy}"] if send.copy != 1 else [])])
    return Bubble(send.send_id, state, records.send_whom(send), memo, status_note(send, state.word, now))


def state_of(send: Send, unconfirmed: Collection[str] = ()) -> Status:
    """Return the state of a row: the status of the send, but ``unconfirmed`` past the horizon."""
    return UNCONFIRMED if send.send_id in unconfirmed else _STATES.get(send.status) or status_of(send.status)


def place_of(state: Status) -> int:
    """Return where a state stands from the best to the worst; unknown words come last."""
    return _PLACES.get(state.word, len(_PLACES))


def ordered(counts: Mapping[Status, int]) -> list[tuple[Status, int]]:
    """Return counted states from the best to the worst."""
    return sorted(counts.items(), key=lambda item: (place_of(item[0]), item[0].word))


def status_note(send: Send, state: str, now: datetime) -> str:
    """Return how long a step took, what is missing, or why it failed."""
    if state == "unconfirmed":
        since = accepted_time(send)
        how_long = ago(since, now).removesuffix(" ago") if since else "an unknown time"
        return f"{clean(send.status, 40)} for {how_long}, no report of its delivery; it may have arrived"
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


def _by_attention(state: Status) -> int:
    """Return 0 for a state that needs a look, 1 for what has not begun, 2 for one that goes well."""
    return 0 if state.is_error or state is UNCONFIRMED else 2 if is_going_well(state.word) else 1


def _word(row: Bubble) -> str:
    return clean(row.state.word, 40)


def _table(rows: Sequence[Bubble]) -> str:
    """Return the rows as a table whose words break, so that it fits a narrow page."""
    cell = "text-align:left;vertical-align:top;border:none;padding:3px 10px 3px 0;background:none"
    head = "".join(
        f'<th style="{cell};font-weight:normal;{width}">{quiet(title)}</th>'
        for title, width in (("state", "width:104px"), ("bubble", ""))
    )
    tags = [pill(_word(row), row.state.colour, row.state.meaning) for row in rows]
    body = "".join(
        f'<tr style="background:none"><td style="{cell}">{tag}</td>'
        f'<td style="{cell}">{name(row.whom)}<br>{quiet(row.what)}</td></tr>'
        for tag, row in zip(tags, rows, strict=True)
    )
    style = "table-layout:fixed;width:100%;max-width:660px;border-collapse:collapse;border:none;margin:4px 0;"
    return f'<table style="{style}font-size:13px"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
