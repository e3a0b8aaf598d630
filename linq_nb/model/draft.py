"""Drafts, the findings of the checks, and the plan that is made of many drafts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from linq_nb.model.memo import VoiceMemo
from linq_nb.model.record import CATEGORY, Displayed, Record, column
from linq_nb.model.resources import Chat
from linq_nb.model.send import Send


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Finding(Record):
    """A finding of the checks: an ``error`` stops the send, a ``warning`` and an ``info`` are shown."""

    level: Literal["error", "warning", "info"] = field(metadata=column("error, warning or info", CATEGORY))
    code: str = field(metadata=column("short name of the finding"))
    message: str = field(metadata=column("the finding, in words", is_free_text=True))


class Findings(list[Finding], Displayed):
    """Findings as a list that a notebook shows as a table; an empty one says that there are no problems."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Draft(Record):
    """One memo for one chat; ``copy`` is absolute, so asking for copy 2 twice sends it once.

    ``chat``: a Chat, its id, its name, or the handle of its only other person, in any usual spelling.
    ``force_notify`` and ``extra``, further fields of Linq's request, are sent only when given.
    ``other_columns`` are the further columns of its row in a table; the frame of the results shows them.
    """

    memo: VoiceMemo
    chat: Chat | str
    copy: int = 1
    override_optout: str | None = None
    force_notify: bool | None = None
    extra: Mapping[str, Any] | None = field(default=None, hash=False)
    other_columns: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def chat_id(self) -> str:
        """The chat's id in its one spelling, since the send key is made of it."""
        return (self.chat.chat_id if isinstance(self.chat, Chat) else str(self.chat)).lower()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BadDraft(Record):
    """A row of a table that could not even become a draft; ``chat`` and ``audio`` as they were written.

    ``convertible``: its audio can be sent as an M4A.
    """

    chat: str
    audio: str
    why: str
    convertible: bool = False
    other_columns: Mapping[str, Any] = field(default_factory=dict, compare=False)


Verdict = Literal["send", "already_sent", "unclear", "duplicate", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlanRow(Record):
    """One row of a plan and what will happen to it.

    ``verdict``: send; already_sent (by the journal); unclear (sent before without a clear answer: it will be
    looked for, not sent); duplicate (the same memo, chat and copy stands further up); refused (``why``).
    """

    row: int
    draft: Draft | BadDraft
    verdict: Verdict
    why: str = ""
    findings: tuple[Finding, ...] = ()
    wanted: Send | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Record):
    """A table of drafts, validated; nothing was sent. ``fingerprint`` names exactly what would be sent.

    It belongs to the ``base_url`` and the journal for which it was made, also in another process: elsewhere the rows
    may have been sent already, or may name other people.
    """

    rows: tuple[PlanRow, ...]
    fingerprint: str
    base_url: str
    journal_id: str
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict."""
        return {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in get_args(Verdict)}

    def __len__(self) -> int:
        return len(self.rows)
