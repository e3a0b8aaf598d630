"""The result of ``--preview``: the cards, with their drafts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linq_nb.model import Draft
from linq_nb.views import Shown

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox


@dataclass(frozen=True, slots=True, repr=False)
class Preview(Shown):
    """The cards of drafts, shown together. ``preview.drafts`` are the drafts."""

    drafts: tuple[Draft, ...]


def preview(outbox: Outbox, drafts: Sequence[Draft], accept: Collection[str]) -> Preview:
    """Return the cards of drafts as one display. Sends nothing."""
    from linq_nb.outbox import session_of
    from linq_nb.outbox.drafts import card

    cards = [card(session_of(outbox), draft, accept) for draft in drafts]
    html = '<div style="height:10px"></div>'.join(card.html for card in cards)
    return Preview(html, "\n\n".join(card.text for card in cards), tuple(drafts))
