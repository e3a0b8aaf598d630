"""One memo to several chats: its card before it goes, and what became of it chat by chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from linq_nb import catalog
from linq_nb.model import Finding, Plan, PlanRow, Send
from linq_nb.status import status_of
from linq_nb.text import clean, mask
from linq_nb.views import records
from linq_nb.views.blocks import MOST_ROWS, VERDICTS, finding_rows, finding_table
from linq_nb.views.card import memo_html
from linq_nb.views.page import FRAME, GREY, RED, Shown, columns, div, esc, pill, status_ground, tagged

Told = tuple[str, str, str]
"""The ground of a tag, its word, and what there is to say."""


def several_card(plan: Plan, *, mode: Literal["DEMO", "LIVE"], journal_note: str | None = None) -> Shown:
    """Show what a plan of one memo would send: the memo once, what was found of all chats, then chat by chat."""
    drafts: list[Any] = [row.draft for row in plan.rows]
    common = [one for one in plan.rows[0].findings if all(one in row.findings for row in plan.rows)]
    notes = [("note", clean(one, 300)) for one in plan.notes]
    notes += [("journal", clean(journal_note, 600))] if journal_note else []
    checked = (finding_rows(common) if common else []) + notes
    lines = dict.fromkeys(clean(mask(one.chat.line)) for one in drafts if getattr(one.chat, "line", None))
    head = f"from {' and '.join(lines) or 'your line'} to {len(plan.rows)} chats"
    memo, shown = drafts[0].memo, _cut([_receiver(row, common) for row in plan.rows])
    tag = pill(mode, RED if mode == "LIVE" else GREY)
    html = [f"<div>{tag} {esc(head)}</div>", f'<div style="margin:10px 0">{memo_html(memo)}</div>']
    html += [finding_table(checked)] if checked else []
    text = [f"{mode} {head}", records.line(memo)] + ([columns(checked)] if checked else [])
    return Shown(html=div(FRAME, *html, shown.html), text="\n".join([*text, shown.text]))


def outcomes(sends: Sequence[Send]) -> Shown:
    """Show how each of several sends stands; of one that did not go, why and what to do."""
    shown = _cut([_outcome(one) for one in sends])
    return Shown(html=div(FRAME, shown.html), text=shown.text)


def _cut(rows: Sequence[Told]) -> Shown:
    """Show the first rows of many, and say how many more there are."""
    seen = rows[:MOST_ROWS]
    more = [f"and {len(rows) - len(seen)} more"] if len(rows) > len(seen) else []
    cells = [(pill(word, ground), esc(told)) for ground, word, told in seen]
    return Shown(
        html=tagged(cells, first="116px") + "".join(esc(one) for one in more),
        text="\n".join([columns([(word, told) for _, word, told in seen]), *more]),
    )


def _receiver(row: PlanRow, common: Sequence[Finding]) -> Told:
    """Tell to whom, and why it will not go or what was found of this chat alone."""
    ground, word = VERDICTS[row.verdict]
    why = "" if row.verdict == "already_sent" else row.why
    said = why or "; ".join(one.message for one in row.findings if one not in common)
    return ground, word, _joined(records.chat_whom(row.draft.chat), clean(said, 300))


def _outcome(send: Send) -> Told:
    ground, words = status_ground(send.status), status_of(send.status).meaning
    whom = records.send_whom(send)
    if send.http_status is None or send.http_status < 400:
        return (
            ground,
            clean(send.status, 40),
            _joined(whom, clean(send.error_message, 300) if send.error_message else words),
        )
    known = catalog.explain(send.http_status, send.error_code)
    number = catalog.numbers(send.http_status, send.error_code)
    return ground, clean(send.status, 40), _joined(whom, f"{number} {known.meaning}; {words}; {known.todo}")


def _joined(whom: str, said: str) -> str:
    return f"{whom}: {said}" if said else whom
