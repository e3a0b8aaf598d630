"""What ``--preview`` gives back: the cards, with the drafts that they show."""

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
    """Cards that were looked at; ``outbox.send_draft(preview.drafts[0])`` sends one."""

    drafts: tuple[Draft, ...]


def preview(outbox: Outbox, drafts: Sequence[Draft], accept: Collection[str]) -> Preview:
    """Return the cards of drafts as one display; sends nothing."""
    cards = [outbox.card(draft, accept=accept) for draft in drafts]
    html = '<div style="height:10px"></div>'.join(one.html for one in cards)
    return Preview(html, "\n\n".join(one.text for one in cards), tuple(drafts))
