"""The audit of a line's reputation: its rating, the reasons, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from linq_nb.model import Reputation
from linq_nb.status import Colour
from linq_nb.text import clean, mask, short_id
from linq_nb.views.page import FRAME, Row, Shown, columns, div, esc, fact_table, pill, quiet
from linq_nb.views.phrases import moment, more, some

_RATINGS: Mapping[str, Colour] = {"HEALTHY": "green", "AT_RISK": "amber", "CRITICAL": "red"}
_MOST_CHATS, _MOST_ROWS = 5, 10


def reputation_card(audit: Reputation) -> Shown:
    """Show the audit of a line."""
    line, rating = clean(mask(audit.phone_number)), clean(audit.severity or audit.audit_status, 40)
    made = f"audited {moment(audit.generated_at)}" if audit.generated_at else ""
    rows = _rows(audit)
    tag = pill(rating, _RATINGS.get(rating, "grey"))
    head = f'<div style="margin:0 0 6px">{tag} line {esc(line)} {quiet(made)}</div>'
    return Shown(
        html=div(FRAME, head, fact_table(rows)),
        text="\n".join(part for part in (f"{rating}: line {line} {made}".rstrip(), columns(rows)) if part),
    )


def _rows(audit: Reputation) -> list[Row]:
    reasons = [
        f"{clean(driver.summary or driver.key or 'other', 300)}{f' ({clean(driver.metric)})' if driver.metric else ''}"
        for driver in audit.drivers[:_MOST_ROWS]
    ]
    steps = [
        ": ".join(clean(part, 600) for part in (step.title, step.detail) if part) for step in audit.steps[:_MOST_ROWS]
    ]
    chats = [f"{short_id(chat.chat_id)} {clean(chat.status or 'asked to stop', 40)}" for chat in audit.chats]
    rows = [("why", reason) for reason in (*reasons, *more(len(audit.drivers), _MOST_ROWS))]
    rows += [("to do", step) for step in (*steps, *more(len(audit.steps), _MOST_ROWS))]
    rows += [("chats", some(chats, _MOST_CHATS))] if chats else []
    return rows + ([("error", clean(audit.error, 300))] if audit.error else [])
