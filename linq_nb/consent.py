"""Consent to a live send: whether to ask first, and what the question says. The magics and the form both use this."""

from __future__ import annotations

from collections.abc import Sequence

from linq_nb import views
from linq_nb.model import Chat, Plan, VoiceMemo
from linq_nb.text import clean, names_of

_agreed: set[str] = set()
"""Accounts for which a person has said yes in this kernel."""


def must_ask(ask: str, mode: str, account: str) -> bool:
    """Whether a send needs a yes first, by the setting ``%config LinqMagics.ask``.

    "each" asks each time, "once" until the first yes for this account in this kernel, "never" not at all. The demo
    does not ask.
    """
    return mode == "LIVE" and ask != "never" and not (ask == "once" and account in _agreed)


def remember(account: str) -> None:
    """Record that a person said yes, for the setting "once"."""
    _agreed.add(account)


def question(memo: VoiceMemo, chats: Sequence[Chat], journal: str, note: str | None = None) -> str:
    """Return the question before a memo is sent to these chats.

    ``journal`` is the journal's label, ``note`` the warning about it.
    """
    length = f" ({views.duration(memo.duration_ms)})" if memo.duration_ms is not None else ""
    recipients = names_of([views.chat_whom(chat) for chat in chats])
    return f"send {clean(memo.label)}{length} to {recipients}? {_journal(journal, note)}"


def batch_question(plan: Plan, journal: str, note: str | None = None) -> str:
    """Return the question before a plan is sent; ``journal`` and ``note`` as in ``question``."""
    return f"{views.plan_line(plan)}; send? {_journal(journal, note)}"


def _journal(label: str, note: str | None) -> str:
    return f"Journal: {label}." + (f" Warning: {note}." if note else "")
