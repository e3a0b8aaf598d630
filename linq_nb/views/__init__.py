"""Records as text, HTML and pictures: what is shown is escaped, masked and the same on every front end.

``line`` is the repr of every record and ``mimebundle`` its rich display; the rest are ready blocks.
"""

from __future__ import annotations

import functools

from linq_nb.model import Draft, Findings, Plan, Reputation, Send, SendList, VoiceMemo
from linq_nb.views.blocks import findings, plan_line, planned, progress, repeated_line, sent
from linq_nb.views.card import PLAYER_JS, draft_card, memo_card, memo_html, with_player
from linq_nb.views.page import BOX, Shown, div, esc, fact_table, summary
from linq_nb.views.phrases import ago, duration, moment, people, size
from linq_nb.views.records import chat_whom, facts, kind_of, line, recipients, rows, send_whom
from linq_nb.views.reputation_card import reputation_card
from linq_nb.views.several import row_whom, several_card
from linq_nb.views.status_table import followed, followed_line, followed_rows, listed, status_note

__all__ = [
    "PLAYER_JS", "Shown", "ago", "chat_whom", "draft_card", "duration", "esc", "facts", "findings", "followed",
    "followed_line", "followed_rows", "line", "memo_card", "mimebundle", "moment", "people", "plan_line",
    "planned", "progress", "recipients", "repeated_line", "row_whom", "send_whom",
    "sent", "several_card", "size", "status_note", "summary",
]  # fmt: skip


def mimebundle(record: object) -> dict[str, str]:
    """Return the rich display of a record: the same facts as HTML and as plain text."""
    return _shown(record)._repr_mimebundle_()


@functools.singledispatch
def _shown(record: object) -> Shown:
    """Show a record as a table of its facts."""
    table = rows(record)
    title = kind_of(record) if table else line(record)
    return Shown(html=div(BOX, f"<b>{esc(title)}</b>", fact_table(table)), text=line(record))


@_shown.register
def _(draft: Draft) -> Shown:
    return with_player(div(BOX, memo_html(draft.memo), fact_table(rows(draft))), line(draft))


_shown.register(VoiceMemo, memo_card)
_shown.register(Plan, planned)
_shown.register(Send, sent)
_shown.register(Findings, findings)
_shown.register(SendList, listed)
_shown.register(Reputation, reputation_card)
