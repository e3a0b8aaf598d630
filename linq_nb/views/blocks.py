"""Findings and the record of one send, each as a small static block."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from linq_nb import catalog
from linq_nb.model import Finding, Plan, PlanRow, Send
from linq_nb.status import is_going_well, no_receipts, status_of
from linq_nb.text import clean, mask_text, short_id
from linq_nb.views import records
from linq_nb.views.page import (
    AMBER,
    BLUE,
    BOX,
    FRAME,
    GREEN,
    GREY,
    RED,
    Row,
    Shown,
    columns,
    div,
    esc,
    fact_table,
    pill,
    status_ground,
    table,
)
from linq_nb.views.phrases import ago

MOST_FINDINGS = 40
"""A longer list is cut, and says so."""

NOTHING_FOUND = "nothing found: ready to send"

_LEVELS = {"error": RED, "warning": AMBER, "journal": AMBER, "info": BLUE, "ok": GREEN}


def findings(found: Sequence[Finding]) -> Shown:
    """Show what the checks found, or that nothing stands in the way."""
    rows = finding_rows(found)
    return Shown(html=div(BOX, finding_table(rows)), text=columns(rows))


def finding_table(rows: Sequence[Row]) -> str:
    """Return levels and plain words as a table with coloured tags."""
    return table((pill(level, _LEVELS.get(level, GREY)), esc(words)) for level, words in rows)


def finding_rows(found: Sequence[Finding]) -> list[Row]:
    """Return level and message of each finding, of the first ones of many."""
    if not found:
        return [("ok", NOTHING_FOUND)]
    rows = [(clean(one.level, 40), clean(one.message, 600)) for one in found[:MOST_FINDINGS]]
    more = len(found) - MOST_FINDINGS
    return rows + ([("info", f"and {more} more")] if more > 0 else [])


def sent(send: Send, *, now: datetime | None = None) -> Shown:
    """Show the record of one send; a repeated one says how long before ``now`` (else ``repeated_at``) it went."""
    status, ground, rows = clean(send.status, 40), status_ground(send.status), send_rows(send)
    said = _again(send, now or send.repeated_at) if send.repeated else _words(send)
    return Shown(
        html=div(
            FRAME,
            f'<div style="margin:0 0 6px">{pill(status, ground)} {esc(said)}</div>',
            fact_table(rows),
        ),
        text=f"{status}: {said}\n{columns(rows)}",
    )


def send_rows(send: Send) -> list[Row]:
    """Return what there is to know of a send: to whom, what, under which id, and what went wrong."""
    rows = [("to", records.send_whom(send)), ("memo", records.send_memo(send))]
    rows += [("message", short_id(send.message_id))] if send.message_id else []
    rows += [("copy", str(send.copy))] if send.copy != 1 else []
    rows += [("attempts", str(send.attempts))] if send.attempts else []
    rows += [("reconciled", clean(send.reconcile_result))] if send.reconcile_result else []
    return rows + _error_rows(send)


def _words(send: Send) -> str:
    """Say what the status means, and where no further receipt will come."""
    meaning = status_of(send.status).meaning
    last = no_receipts(is_group=send.is_group, service=send.service) if send.status == "sent" else None
    return f"{meaning}; {last}" if last else meaning


def _again(send: Send, now: datetime | None) -> str:
    """Say that the same was asked for before and nothing went out now."""
    done = "sent" if is_going_well(send.status) else "tried"
    then = send.accepted_at or send.posted_at or send.created_at
    when = f" {ago(then, now)}" if then and now else ""
    under = f" as message {short_id(send.message_id)}" if send.message_id else ""
    state = "" if done == "sent" else f" ({clean(send.status, 40)})"
    return f"already {done}{when}{under}{state}; nothing sent; --copy {send.copy + 1} for a second bubble"


def _error_rows(send: Send) -> list[Row]:
    """Return number, meaning and remedy of an error, with what Linq said of it."""
    http = send.http_status if send.http_status and send.http_status >= 400 else None
    if http is None and send.error_code is None and not send.error_message:
        return []
    if is_going_well(send.status):
        return [("answer", f"{catalog.numbers(http, send.error_code)} at first; it went all the same")] if http else []
    known = catalog.explain(http, send.error_code)
    number = catalog.numbers(http, send.error_code)
    rows = [("error", f"{number} {known.meaning}")] if number else []
    rows += [("reason", clean(send.error_message, 600))] if send.error_message else []
    rows += [("to do", known.todo)] if number else []
    rows += [("docs", clean(send.doc_url, 200))] if send.doc_url else []
    return rows + ([("trace id", clean(send.trace_id))] if send.trace_id else [])


VERDICTS: dict[str, tuple[str, str]] = {
    "send": (GREEN, "to send"),
    "already_sent": (GREY, "already sent"),
    "unclear": (AMBER, "unclear from before"),
    "duplicate": (GREY, "twice in the table"),
    "refused": (RED, "refused"),
}
MOST_ROWS = 30
"""A longer plan shows its first rows, those that will not be sent first, and says how many more there are."""


def plan_line(plan: Plan) -> str:
    """Say in one line what a plan will do: ``38 to send, 2 already sent, 1 refused; 41 rows``."""
    told = [f"{number} {VERDICTS[verdict][1]}" for verdict, number in plan.counts.items() if number]
    rows = len(plan.rows)
    return f"{', '.join(told) or 'nothing to send'}; {rows} {'row' if rows == 1 else 'rows'}; plan {plan.fingerprint}"


def planned(plan: Plan) -> Shown:
    """Show a plan: one line that says what will happen, the rows that need a look, and the limits that matter."""
    head, notes = plan_line(plan), [("note", clean(note, 300)) for note in plan.notes]
    shown = sorted(plan.rows, key=lambda row: row.verdict == "send")[:MOST_ROWS]
    rows = [(f"{row.row}", VERDICTS[row.verdict], _planned_row(row)) for row in shown]
    more = len(plan.rows) - len(shown)
    tail = [f"and {more} more rows"] if more > 0 else []
    cells = [(esc(number), f"{pill(word, ground)} {esc(told)}") for number, (ground, word), told in rows]
    text = [f"{number:>4}  {word}: {told}" for number, (_, word), told in rows]
    return Shown(
        html=div(FRAME, f"<b>{esc(head)}</b>", table(cells), *(esc(one) for one in tail), fact_table(notes)),
        text="\n".join([head, *text, *tail, *(f"note  {note}" for _, note in notes)]),
    )


def _planned_row(row: PlanRow) -> str:
    """Tell of one row: to whom, what, and why it will not go or what was found."""
    draft: Any = row.draft
    if hasattr(draft, "why"):
        whom, what = clean(mask_text(draft.chat), 60) or "no chat", clean(draft.audio, 60) or "no audio"
    else:
        whom, what = records.chat_whom(draft.chat), clean(draft.memo.label, 60)
    found = row.why or "; ".join(one.message for one in row.findings if one.level == "warning")
    copy = f" (copy {draft.copy})" if getattr(draft, "copy", 1) != 1 else ""
    return f"{what} to {whom}{copy}" + (f": {clean(found, 300)}" if found else "")


def progress(line: str) -> Shown:
    """Show the state of a batch in one line."""
    return Shown(html=div(BOX, esc(clean(line, 400))), text=clean(line, 400))
