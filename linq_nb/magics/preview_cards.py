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
    """The cards of drafts, shown together. ``outbox.send_draft(preview.drafts[0])`` sends the first draft."""

    drafts: tuple[Draft, ...]


def preview(outbox: Outbox, drafts: Sequence[Draft], accept: Collection[str]) -> Preview:
    """Return the cards of drafts as one display. Sends nothing."""
    cards = [outbox.card(draft, accept=accept) for draft in drafts]
    html = '<div style="height:10px"></div>'.join(card.html for card in cards)
    return Preview(html, "\n\n".join(card.text for card in cards), tuple(drafts))
