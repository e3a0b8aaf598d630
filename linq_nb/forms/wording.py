"""What the form says: what its button will do, and what is missing. Pure; every name is made fit to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from linq_nb import views
from linq_nb.model import Chat, Draft, Plan, Send, VoiceMemo
from linq_nb.status import is_going_well
from linq_nb.text import clean

Stand = Literal["empty", "ready", "unclear", "sent", "blocked"]
"""How things stand: nothing to judge yet, something to send, only to look up, all sent, nothing may go."""

_VERB = {"unclear": "Look for", "sent": "Already sent", "blocked": "Cannot send"}


def stand_of(plan: Plan | None) -> Stand:
    """Return how a plan stands; what may go decides."""
    counts = plan.counts if plan else {}
    verdicts: dict[str, Stand] = {"send": "ready", "unclear": "unclear", "already_sent": "sent", "refused": "blocked"}
    return next((stand for verdict, stand in verdicts.items() if counts.get(verdict)), "empty")


def press(plan: Plan | None) -> str:
    """Say what pressing the button does: ``Send 0:15 to Book Club · 4 people · iMessage``."""
    stand = stand_of(plan)
    if plan is None or stand == "empty":
        return "Send"
    verdict = {"ready": "send", "unclear": "unclear", "sent": "already_sent", "blocked": "refused"}[stand]
    drafts = [row.draft for row in plan.rows if row.verdict == verdict and isinstance(row.draft, Draft)]
    if not drafts:  # not even a chat could be read
        return "Cannot be sent"
    copy = f" as copy {drafts[0].copy}" if drafts[0].copy > 1 else ""
    whom = receivers([one.chat for one in drafts if isinstance(one.chat, Chat)])
    return f"{_VERB.get(stand, 'Send')} {what(drafts[0].memo)} {'in' if stand == 'unclear' else 'to'} {whom}{copy}"


def under_way(done: int, number: int) -> str:
    """Say how far a batch is: ``Sending 3 of 20 …``."""
    return f"Sending {min(done + 1, number)} of {number} …"


def what(memo: VoiceMemo) -> str:
    """Name a memo by its length, else by its name."""
    return views.duration(memo.duration_ms) if memo.duration_ms is not None else clean(memo.label, 40)


def receivers(chats: Sequence[Chat]) -> str:
    """Tell who gets it: one chat by name, several by number; people are counted once, you are not."""
    services = ", ".join(dict.fromkeys(clean(one.service, 20) for one in chats if one.service))
    if len(chats) == 1:
        chat = chats[0]
        name = clean(views.chat_whom(chat).partition(" · ")[0], 40)
        people = f"{len(chat.others) + 1} people" if chat.is_group and chat.others else ""
        return " · ".join(part for part in (name, people, services) if part)
    reached = {person.handle for chat in chats for person in chat.others}
    people = f"{len(reached)} {'person' if len(reached) == 1 else 'people'}" if reached else ""
    return " · ".join(part for part in (f"{len(chats)} chats", people, services) if part)


def next_step(plan: Plan | None, has_chat: bool, has_memo: bool, copy: int) -> str:
    """Say what to do next; empty where the button says it."""
    stand = stand_of(plan)
    if stand == "sent":
        return f"It is sent. Set Copy to {copy + 1} for another bubble."
    if stand == "unclear":
        return "It may have arrived before, so it is looked for in the chat and not sent again."
    if stand == "blocked":
        return "Nothing was sent: see above why."
    if plan is None:
        missing = [name for name, one in (("a chat", has_chat), ("audio", has_memo)) if not one]
        return f"Choose {' and '.join(missing)}." if missing else ""
    return ""


def ended(sends: Sequence[Send]) -> tuple[str, bool]:
    """Say how several sends ended, and whether all of them went."""
    counts: dict[str, int] = {}
    for one in sends:
        word = "already sent" if one.repeated and is_going_well(one.status) else one.status
        counts[word] = counts.get(word, 0) + 1
    told = ", ".join(f"{number} {clean(word, 40)}" for word, number in counts.items())
    return f"{len(sends)} chats: {told}.", all(is_going_well(one.status) for one in sends)
