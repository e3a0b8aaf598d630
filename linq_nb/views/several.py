"""The card of one memo to several chats, before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from linq_nb.model import Draft, Finding, Plan, PlanRow, is_uuid
from linq_nb.status import Colour
from linq_nb.text import clean, mask, recipient
from linq_nb.views import records
from linq_nb.views.blocks import MOST_FOLDED, MOST_ROWS, VERDICTS, finding_rows, finding_table
from linq_nb.views.card import memo_html, with_player
from linq_nb.views.page import FRAME, Shown, columns, div, esc, folded, mode_pill, pill, tagged
from linq_nb.views.phrases import more, some

MOST_NAMES = 5
"""Chats that a line of a group names."""

TaggedRow = tuple[Colour, str, str]
"""The colour of a tag, its word, and the text beside it."""


def several_card(plan: Plan, *, mode: Literal["DEMO", "LIVE"]) -> Shown:
    """Show what a plan would send: the memo, the findings that all chats share, then the chats.

    Chats that get the same answer share a line: ``3 chats: the recipient opted out``.
    """
    drafts: list[Any] = [row.draft for row in plan.rows]
    rows = [row for row in plan.rows if isinstance(row.draft, Draft)]
    common = [finding for finding in rows[0].findings if all(finding in row.findings for row in rows)] if rows else []
    notes = [("note", clean(note, 600)) for note in plan.notes]
    checked = (finding_rows(common) if common else []) + notes
    lines = dict.fromkeys(clean(mask(draft.chat.line)) for draft in drafts if getattr(draft.chat, "line", None))
    whom = records.recipients([row.draft.chat for row in rows]) if rows else row_whom(plan.rows[0])
    head = f"from {' and '.join(lines) or 'your line'} to {whom}"
    memos = {draft.memo.content: draft.memo for draft in drafts if isinstance(draft, Draft)}
    memo = next(iter(memos.values())) if len(memos) == 1 else None
    shown, tag = _cut(_grouped(plan.rows, common)), mode_pill(mode)
    html = [f"<div>{tag} {esc(head)}</div>"]
    html += [f'<div style="margin:10px 0">{memo_html(memo)}</div>'] if memo else []
    html += [finding_table(checked)] if checked else []
    text = [f"{mode} {head}", *([records.line(memo)] if memo else [])] + ([columns(checked)] if checked else [])
    return with_player(div(FRAME, *html, shown.html), "\n".join([*text, shown.text]))


def _cut(rows: Sequence[TaggedRow]) -> Shown:
    """Show the first rows; the others are folded away below them."""
    cells = [(pill(word, colour), esc(text)) for colour, word, text in rows[:MOST_FOLDED]]
    seen, below = cells[:MOST_ROWS], cells[MOST_ROWS:]
    words = more(len(rows), len(seen))
    return Shown(
        html=tagged(seen, first="116px") + "".join(folded(line, tagged(below, first="116px")) for line in words),
        text="\n".join([columns([(word, text) for _, word, text in rows[:MOST_ROWS]]), *words]),
    )


def _grouped(rows: Sequence[PlanRow], common: Sequence[Finding]) -> list[TaggedRow]:
    """Say what happens to each chat; chats with the same verdict and the same note share a line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.verdict, _note(row, common)), []).append(row_whom(row))
    lines = []
    for (verdict, note), names in groups.items():
        short_names = some([name.partition(" · ")[0] for name in names], MOST_NAMES)
        whom = names[0] if len(names) == 1 else f"{len(names)} chats ({short_names})"
        colour, word = VERDICTS[verdict]
        lines.append((colour, word, f"{whom}: {note}" if note else whom))
    return lines


def _note(row: PlanRow, common: Sequence[Finding]) -> str:
    """Return why the chat of a row gets nothing, or the findings of this chat alone."""
    why = "" if row.verdict == "already_sent" else row.why
    return clean(why or "; ".join(finding.message for finding in row.findings if finding not in common), 300)


def row_whom(row: PlanRow) -> str:
    """Name the recipient of a row: its chat, or what was typed where that names none."""
    chat = row.draft.chat
    is_name = isinstance(chat, str) and not is_uuid(chat)
    return recipient(chat, 80) if is_name else records.chat_whom(chat)
