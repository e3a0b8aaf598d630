"""Texts of the form: what its button will do, and what is missing. Pure; foreign text is cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linq_nb import preflight, views
from linq_nb.audio import can_transcode
from linq_nb.forms.choice import Choice
from linq_nb.model import BadDraft, Chat, Draft, Plan, PlanRow
from linq_nb.text import clean

_MENDED = ("too_large", "format", "players_differ")
"""Findings on the audio that an M4A does not have."""

UNCLEAR = "no clear answer came, so it may have arrived; it is not sent again"
"""What the form says of a send whose outcome is unknown; its button looks for it."""

_VERBS = {"send": "Send", "unclear": "Look for", "already_sent": "Already sent", "refused": "Cannot send"}
"""What the button does by verdict; the first of them that a row has is the verdict on the plan as a whole."""


def plan_verdict(plan: Plan | None) -> str | None:
    """Return the verdict on a plan as a whole; a row that may be sent decides. None where nothing is planned."""
    counts = plan.counts if plan else {}
    return next((verdict for verdict in _VERBS if counts.get(verdict)), None)


def may_set_copy(plan: Plan | None) -> bool:
    """Whether another copy number is a way on: something is sent already, or may be."""
    if plan is None:
        return False
    codes = {finding.code for row in plan.rows if row.verdict == "refused" for finding in row.findings}
    return plan_verdict(plan) in ("already_sent", "unclear") or "url_may_repeat" in codes


def acceptable(row: PlanRow) -> frozenset[str]:
    """Return the findings that a person may accept so that a refused row is sent; empty where that cannot be."""
    return preflight.acceptable(row.findings) if row.verdict == "refused" else frozenset()


def wants_m4a(plan: Plan | None) -> bool:
    """Whether converting the audio to M4A would mend something that was found in it."""
    for row in plan.rows if plan and can_transcode() else ():
        if isinstance(row.draft, BadDraft):
            if row.draft.convertible:
                return True
        elif row.draft.memo.data is not None and any(finding.code in _MENDED for finding in row.findings):
            return True
    return False


def acceptable_groups(plan: Plan | None) -> list[dict[str, Any]]:
    """Return the refused rows that a person may accept, those with the same reason together."""
    groups: dict[str, list[PlanRow]] = {}
    for row in plan.rows if plan else ():
        if acceptable(row):
            groups.setdefault(row.why, []).append(row)
    return [
        {
            "rows": [row.row for row in rows],
            "whom": views.row_whom(rows[0]) if len(rows) == 1 else f"{len(rows)} chats",
            "why": clean(why, 300),
        }
        for why, rows in groups.items()
    ]


def button_text(plan: Plan | None) -> str:
    """Return what the button will do: ``Send 0:15 to Book Club · 3 people · iMessage``."""
    verdict = plan_verdict(plan)
    if plan is None or verdict is None:
        return "Send"
    drafts = [row.draft for row in plan.rows if row.verdict == verdict and isinstance(row.draft, Draft)]
    if not drafts:  # not even a chat could be read
        return "Cannot be sent"
    copy = f" as copy {drafts[0].copy}" if drafts[0].copy > 1 else ""
    recipients = _recipients_text([draft.chat for draft in drafts if isinstance(draft.chat, Chat)])
    preposition = "in" if verdict == "unclear" else "to"
    return f"{_VERBS[verdict]} {_memo_text(drafts)} {preposition} {recipients}{copy}"


def _memo_text(drafts: Sequence[Draft]) -> str:
    """Return the length of the memo, its name where it has none, the number of several memos."""
    memo, number = drafts[0].memo, len({draft.memo.content for draft in drafts})
    if number > 1:
        return f"{number} memos"
    return views.duration(memo.duration_ms) if memo.duration_ms is not None else clean(memo.label, 40)


def _recipients_text(chats: Sequence[Chat]) -> str:
    """Return the recipients: one chat by name, several by number; a person counts once, the sender does not."""
    services = ", ".join(dict.fromkeys(clean(chat.service, 20) for chat in chats if chat.service))
    name, _, people = views.recipients(chats).partition(" · ")
    return " · ".join(part for part in (clean(name, 40), people, services) if part)


def next_step(choice: Choice) -> str:
    """Return what to do next; empty where the button says it."""
    match plan_verdict(choice.plan):
        case "already_sent":
            return f"It is sent. Set Copy to {choice.copy + 1} for another bubble."
        case "unclear":
            return "It may have arrived already. The button looks for it in the chat and sends nothing."
        case "refused":
            return "Nothing was sent; the card above says why."
    if choice.plan is not None:
        return ""
    has_chat = bool(choice.chats or choice.list.unmatched)
    missing = [name for name, is_there in (("a chat", has_chat), ("audio", choice.memo is not None)) if not is_there]
    return f"Choose {' and '.join(missing)}." if missing else ""
