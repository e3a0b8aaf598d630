"""One memo to several chats: its card before it is sent, and the outcome for each chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from linq_nb import catalog
from linq_nb.model import Finding, Plan, PlanRow, Send
from linq_nb.status import status_of
from linq_nb.text import clean, mask
from linq_nb.views import records
from linq_nb.views.blocks import MOST_FOLDED, MOST_ROWS, VERDICTS, finding_rows, finding_table
from linq_nb.views.card import memo_html, with_player
from linq_nb.views.page import FRAME, Shown, columns, div, esc, folded, mode_pill, pill, status_ground, tagged

TaggedRow = tuple[str, str, str, str]
"""The ground of a tag, its word, what the word means, and the text beside it."""


def several_card(plan: Plan, *, mode: Literal["DEMO", "LIVE"]) -> Shown:
    """Show what a plan of one memo would send: the memo, the findings that all chats share, then each chat."""
    drafts: list[Any] = [row.draft for row in plan.rows]
    common = [finding for finding in plan.rows[0].findings if all(finding in row.findings for row in plan.rows)]
    notes = [("note", clean(note, 600)) for note in plan.notes]
    checked = (finding_rows(common) if common else []) + notes
    lines = dict.fromkeys(clean(mask(draft.chat.line)) for draft in drafts if getattr(draft.chat, "line", None))
    head = f"from {' and '.join(lines) or 'your line'} to {records.recipients([draft.chat for draft in drafts])}"
    memo, shown = drafts[0].memo, _cut([_receiver(row, common) for row in plan.rows])
    tag = mode_pill(mode)
    html = [f"<div>{tag} {esc(head)}</div>", f'<div style="margin:10px 0">{memo_html(memo)}</div>']
    html += [finding_table(checked)] if checked else []
    text = [f"{mode} {head}", records.line(memo)] + ([columns(checked)] if checked else [])
    return with_player(div(FRAME, *html, shown.html), "\n".join([*text, shown.text]))


def outcomes(sends: Sequence[Send]) -> Shown:
    """Show the status of each of several sends; for a failed one also the reason and the remedy."""
    shown = _cut([_outcome(send) for send in sends])
    return Shown(html=div(FRAME, shown.html), text=shown.text)


def _cut(rows: Sequence[TaggedRow]) -> Shown:
    """Show the first rows; the others are folded away below them."""
    cells = [(pill(word, ground, hint), esc(text)) for ground, word, hint, text in rows[:MOST_FOLDED]]
    seen, more = cells[:MOST_ROWS], cells[MOST_ROWS:]
    words = [f"and {len(rows) - len(seen)} more"] if len(rows) > len(seen) else []
    return Shown(
        html=tagged(seen, first="116px") + "".join(folded(line, tagged(more, first="116px")) for line in words),
        text="\n".join([columns([(word, text) for _, word, _, text in rows[:MOST_ROWS]]), *words]),
    )


def _receiver(row: PlanRow, common: Sequence[Finding]) -> TaggedRow:
    """Name the chat, and the reason why it gets nothing, or the findings of this chat alone."""
    ground, word = VERDICTS[row.verdict]
    why = "" if row.verdict == "already_sent" else row.why
    note = why or "; ".join(finding.message for finding in row.findings if finding not in common)
    return ground, word, "", _joined(records.chat_whom(row.draft.chat), clean(note, 300))


def _outcome(send: Send) -> TaggedRow:
    note = clean(send.error_message, 300) if send.error_message else status_of(send.status).meaning
    if send.http_status is not None and send.http_status >= 400:
        entry = catalog.explain(send.http_status, send.error_code)
        number = catalog.numbers(send.http_status, send.error_code)
        note = f"{number} {entry.meaning}; {status_of(send.status).meaning}; {entry.todo}"
    meaning = status_of(send.status).meaning
    return status_ground(send.status), clean(send.status, 40), meaning, _joined(records.send_whom(send), note)


def _joined(whom: str, note: str) -> str:
    return f"{whom}: {note}" if note else whom
