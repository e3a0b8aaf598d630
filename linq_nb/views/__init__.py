"""Records as text, HTML and pictures: what is shown is escaped, masked and the same on every front end.

``line`` is the repr of every record and ``bundle`` its rich display; the rest are ready blocks.
"""

from __future__ import annotations

from typing import Any

from linq_nb.views.blocks import findings, plan_line, planned, progress, sent
from linq_nb.views.card import draft_card, memo_card, memo_html
from linq_nb.views.following import followed, followed_line, followed_rows
from linq_nb.views.page import BOX, Shown, div, esc, facts, summary
from linq_nb.views.records import chat_whom, kind_of, line, rows
from linq_nb.views.several import outcomes, several_card
from linq_nb.views.words import ago, duration, moment, size

__all__ = [
    "Shown",
    "ago",
    "bundle",
    "chat_whom",
    "draft_card",
    "duration",
    "esc",
    "findings",
    "followed",
    "followed_line",
    "followed_rows",
    "line",
    "moment",
    "outcomes",
    "plan_line",
    "planned",
    "progress",
    "sent",
    "several_card",
    "size",
    "summary",
]


def bundle(record: Any) -> dict[str, str]:
    """Return the rich display of a record: the same facts as HTML and as plain text."""
    shown = _shown(record)
    return {"text/html": shown.html, "text/plain": shown.text}


def _shown(record: Any) -> Shown:
    """Choose the block for a kind of record: a card, a send, a finding, else a table of its facts."""
    kind = kind_of(record)
    if kind == "VoiceMemo":
        return memo_card(record)
    if kind == "Plan":
        return planned(record)
    if kind == "Send":
        return sent(record)
    text, told = line(record), rows(record)
    head = memo_html(record.memo) if kind == "Draft" else f"<b>{esc(kind if told else text)}</b>"
    return Shown(html=div(BOX, head, facts(told)), text=text)
