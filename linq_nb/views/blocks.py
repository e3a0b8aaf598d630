"""Findings, one send and a plan, each as a small static block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from linq_nb import catalog
from linq_nb.model import BadDraft, Finding, Plan, PlanRow, Send, accepted_time, is_old_name
from linq_nb.status import Colour, is_going_well, no_receipts, status_of
from linq_nb.text import clean, recipient, short_id
from linq_nb.views import records
from linq_nb.views.page import BOX, FRAME, Row, Shown, columns, div, esc, fact_table, folded, pill, status_pill, table
from linq_nb.views.phrases import ago, more

MOST_FINDINGS = 40
"""A longer list is cut and ends with the number of findings left out."""

NO_PROBLEMS = "no problems found; ready to send"

_LEVELS: Mapping[str, Colour] = {
    "error": "red", "warning": "amber", "journal": "amber", "info": "blue", "ok": "green"
}  # fmt: skip


def findings(findings: Sequence[Finding]) -> Shown:
    """Show the findings of the checks, or that there are none."""
    rows = finding_rows(findings)
    return Shown(html=div(BOX, finding_table(rows)), text=columns(rows))


def finding_table(rows: Sequence[Row]) -> str:
    """Return levels and messages as a table with coloured tags."""
    tags = ((pill(level, _LEVELS.get(level, "grey")), esc(message)) for level, message in rows)
    return table(tags, first="76px")


def finding_rows(findings: Sequence[Finding]) -> list[Row]:
    """Return level and message of each finding, up to ``MOST_FINDINGS``."""
    if not findings:
        return [("ok", NO_PROBLEMS)]
    rows = [(clean(finding.level, 40), clean(finding.message, 600)) for finding in findings[:MOST_FINDINGS]]
    return rows + [("info", line) for line in more(len(findings), MOST_FINDINGS)]


def sent(send: Send, *, now: datetime | None = None) -> Shown:
    """Show the record of one send; a repeated one says how long before ``now`` (else ``repeated_at``) it went."""
    status, rows = clean(send.status, 40), send_rows(send)
    sentence = repeated_line(send, now or send.repeated_at) if send.repeated else _meaning(send)
    head = f'<div style="margin:0 0 6px">{status_pill(send.status)} {esc(sentence)}</div>'
    return Shown(html=div(FRAME, head, fact_table(rows)), text=f"{status}: {sentence}\n{columns(rows)}")


def send_rows(send: Send) -> list[Row]:
    """Return the facts of a send: recipient, memo, ids and error."""
    rows = [("to", records.send_whom(send)), ("memo", records.send_memo(send))]
    rows += [("message", short_id(send.message_id))] if send.message_id else []
    rows += [("copy", str(send.copy))] if send.copy != 1 else []
    rows += [("attempts", str(send.attempts))] if send.attempts else []
    rows += [("reconciled", clean(send.reconcile_result))] if send.reconcile_result else []
    return rows + _error_rows(send)


def _meaning(send: Send) -> str:
    """Return the meaning of the status, and that no further receipt will come where that is so."""
    meaning = status_of(send.status).meaning
    last = no_receipts(is_group=send.is_group, service=send.service) if send.status == "sent" else None
    return f"{meaning}; {last}" if last else meaning


def repeated_line(send: Send, now: datetime | None) -> str:
    """Say that this send was asked for before and nothing was sent now."""
    done = "sent" if is_going_well(send.status) else "tried"
    then = accepted_time(send)
    when = f" {ago(then, now)}" if then and now else ""
    under = f" as message {short_id(send.message_id)}" if send.message_id else ""
    state = "" if done == "sent" else f" ({clean(send.status, 40)})"
    old = (
        f"; found by this URL's name in an older linq_nb: if that was other audio, copy={send.copy + 1} sends this"
        if is_old_name(send.content)
        else ""
    )
    return f"already {done}{when}{under}{state}; nothing sent; --copy {send.copy + 1} for another bubble{old}"


def _error_rows(send: Send) -> list[Row]:
    """Return number, meaning and remedy of an error, with Linq's own words."""
    http = send.http_status if send.http_status and send.http_status >= 400 else None
    if http is None and send.error_code is None and not send.error_message:
        return []
    if is_going_well(send.status):
        return [("answer", f"{catalog.numbers(http, send.error_code)} at first, then accepted")] if http else []
    entry = catalog.explain(http, send.error_code)
    number = catalog.numbers(http, send.error_code)
    rows = [("error", f"{number} {entry.meaning}")] if number else []
    rows += [("reason", clean(send.error_message, 600))] if send.error_message else []
    rows += [("to do", entry.todo)] if number else []
    rows += [("docs", clean(send.doc_url, 200))] if send.doc_url else []
    return rows + ([("trace id", clean(send.trace_id))] if send.trace_id else [])


VERDICTS: Mapping[str, tuple[Colour, str]] = {
    "send": ("green", "to send"),
    "already_sent": ("grey", "already sent"),
    "unclear": ("amber", "unclear from before"),
    "duplicate": ("grey", "twice in the table"),
    "refused": ("red", "refused"),
}
MOST_ROWS, MOST_FOLDED = 30, 500
"""A longer plan shows only so many rows, first those that will not be sent; the next ones are folded away below."""


def plan_line(plan: Plan) -> str:
    """Say in one line what a plan will do: ``38 to send, 2 already sent, 1 refused; 41 rows``."""
    counts = [f"{number} {VERDICTS[verdict][1]}" for verdict, number in plan.counts.items() if number]
    rows = len(plan.rows)
    return f"{', '.join(counts) or 'nothing to send'}; {rows} {'row' if rows == 1 else 'rows'}; plan {plan.fingerprint}"


def planned(plan: Plan) -> Shown:
    """Show a plan: one line that says what will happen, the rows that will not be sent, and the notes."""
    head, notes = plan_line(plan), [("note", clean(note, 600)) for note in plan.notes]
    ordered = sorted(plan.rows, key=lambda row: row.verdict == "send")[:MOST_FOLDED]
    rows = [(f"{row.row}", VERDICTS[row.verdict], _planned_row(row)) for row in ordered]
    tail = [f"{line} rows" for line in more(len(plan.rows), MOST_ROWS)]
    cells = [(esc(number), f"{pill(word, colour)} {esc(row)}") for number, (colour, word), row in rows]
    text = [f"{number:>4}  {word}: {row}" for number, (_, word), row in rows[:MOST_ROWS]]
    rest = [folded(line, table(cells[MOST_ROWS:])) for line in tail]
    return Shown(
        html=div(FRAME, f"<b>{esc(head)}</b>", table(cells[:MOST_ROWS]), *rest, fact_table(notes)),
        text="\n".join([head, *text, *tail, *(f"note  {note}" for _, note in notes)]),
    )


def _planned_row(row: PlanRow) -> str:
    """Describe one row: memo, recipient, and the reason why it is not sent, or its warnings."""
    draft = row.draft
    if isinstance(draft, BadDraft):
        text = f"{clean(draft.audio, 60) or 'no audio'} to {recipient(draft.chat, 60) or 'no chat'}"
    else:
        copy = f" (copy {draft.copy})" if draft.copy != 1 else ""
        text = f"{clean(draft.memo.label, 60)} to {records.chat_whom(draft.chat)}{copy}"
    note = row.why or "; ".join(finding.message for finding in row.findings if finding.level == "warning")
    return f"{text}: {clean(note, 300)}" if note else text


def progress(line: str) -> Shown:
    """Show the state of a batch in one line."""
    return Shown(html=div(BOX, esc(clean(line, 400))), text=clean(line, 400))
