"""The reputation of a phone line: Linq's audit of it, with the reasons, what to do, and the chats behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from linq_nb.model.record import CATEGORY, INT, TEXT, Column, Record, column, derived


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReputationDriver(Record):
    """One reason for a line's reputation: Linq's word for it, one sentence, and the figure behind it."""

    key: str | None = None
    summary: str | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReputationStep(Record):
    """One thing to do about it; ``priority`` 1 comes first, ``expected_impact`` is high, medium or low."""

    priority: int | None = None
    title: str | None = None
    detail: str | None = None
    expected_impact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReputationChat(Record):
    """One chat behind it: its rating with the reasons, or the number of messages after the person asked to stop."""

    chat_id: str
    status: str | None = None
    driver_keys: tuple[str, ...] = ()
    messages_after_stop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reputation(Record):
    """Linq's audit of one of your lines, as ``outbox.reputation(line)`` returns it.

    ``severity`` is HEALTHY, AT_RISK or CRITICAL. ``drivers`` are the reasons, the strongest first; ``steps`` what to
    do, the first first; ``chats`` the chats behind it, the worst first, 15 with a low rating at most. A healthy line
    has no ``primary_driver``, and one step that says so. Linq keeps an audit for 24 hours, the journal keeps it too.
    """

    phone_number: str = field(metadata=column("your line, in E.164", is_handle=True))
    severity: str | None = field(default=None, metadata=column("HEALTHY, AT_RISK or CRITICAL", CATEGORY))
    primary_driver: str | None = field(default=None, metadata=column("Linq's word for the main reason", CATEGORY))
    drivers: tuple[ReputationDriver, ...] = ()
    steps: tuple[ReputationStep, ...] = ()
    chats: tuple[ReputationChat, ...] = ()
    generated_at: datetime | None = field(default=None, metadata=column("when Linq made the report"))
    audit_id: str = field(metadata=column("Linq's id of the audit", is_unique=True))
    audit_status: str = field(default="complete", metadata=column("pending, complete or error", CATEGORY))
    error: str | None = field(default=None, metadata=column("why there is no report", is_free_text=True))

    _derived: ClassVar[tuple[Column, ...]] = (
        derived("reasons", TEXT, "the reasons, in Linq's words", is_free_text=True, before="generated_at",
                read=lambda audit: " ".join(driver.summary for driver in audit.drivers if driver.summary) or None),
        derived("what_to_do", TEXT, "the steps, in Linq's words", is_free_text=True, before="generated_at",
                read=lambda audit: "; ".join(step.title for step in audit.steps if step.title) or None),
        derived("chats", INT, "number of chats behind it", read=lambda audit: len(audit.chats), before="generated_at"),
    )  # fmt: skip
