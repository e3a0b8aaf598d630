"""The result of ``--preview``: the cards, with their drafts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from linq_nb.model import Draft
from linq_nb.outbox.drafts import card
from linq_nb.session import Session
from linq_nb.views import Shown


@dataclass(frozen=True, slots=True, repr=False)
class Preview(Shown):
    """The cards of drafts, shown together. ``outbox.send_all(outbox.plan(preview.drafts))`` sends the drafts."""

    drafts: tuple[Draft, ...]


def preview(session: Session, drafts: Sequence[Draft], accept: Collection[str]) -> Preview:
    """Return the cards of drafts as one display. Sends nothing."""
    cards = [card(session, draft, accept) for draft in drafts]
    html = '<div style="height:10px"></div>'.join(card.html for card in cards)
    return Preview(html, "\n\n".join(card.text for card in cards), tuple(drafts))
