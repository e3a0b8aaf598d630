"""A plan: every row of a table validated before the first one is sent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from linq_nb import preflight
from linq_nb.errors import AudioError, LinqError, PreflightError
from linq_nb.model import BadDraft, Chat, Draft, Finding, Plan, PlanRow, Send, Verdict, VoiceMemo
from linq_nb.outbox import sending
from linq_nb.status import is_resolved

if TYPE_CHECKING:
    from linq_nb.outbox.core import Outbox

PAIR_LIMIT = 30
"""Messages that one line may send one recipient in 60 seconds (linq docs, rate limits)."""

SANDBOX_LIMIT = 100
"""Messages that a sandbox account may send in a day (linq docs, rate limits)."""

_NO_DRAFTS = (
    "a plan takes Drafts, not a value of type {}; nothing was sent; Draft(memo=memo, chat=chat) makes one, "
    'df.linq.drafts(chat="chat", audio="path") those of a DataFrame'
)


def plan(
    outbox: Outbox, drafts: Iterable[Draft | BadDraft], accept: Collection[str] = (), *, strict: bool = False
) -> Plan:
    """Validate every row; raises PreflightError when ``strict`` and a row is refused."""
    if isinstance(drafts, str) or hasattr(drafts, "columns") or not isinstance(drafts, Iterable):
        raise PreflightError(_NO_DRAFTS.format(type(drafts).__name__))
    judge = _Judge(outbox, accept)
    rows = tuple(judge.row(number, one) for number, one in enumerate(drafts))
    bad = [row for row in rows if row.verdict == "refused"]
    if strict and bad:
        raise PreflightError(
            f"{len(bad)} of {len(rows)} rows cannot be sent, the first is row {bad[0].row}: {bad[0].why}; "
            "nothing was sent",
            findings=[one for row in bad for one in row.findings],
        )
    return Plan(rows=rows, fingerprint=_fingerprint(rows), notes=tuple(_notes(rows)))


class _Judge:
    """Judges row after row, looking at each distinct memo and chat once."""

    def __init__(self, outbox: Outbox, accept: Collection[str]) -> None:
        self._outbox, self._accept = outbox, accept
        self._memos: dict[int, tuple[VoiceMemo, list[Finding]]] = {}
        self._seen: dict[str, int] = {}
        self._listed = False

    def row(self, number: int, draft: Draft | BadDraft) -> PlanRow:
        if isinstance(draft, Draft) and not isinstance(draft.memo, VoiceMemo):
            why = f"its memo is no VoiceMemo but a value of type {type(draft.memo).__name__}; VoiceMemo.load makes one"
            draft = BadDraft(chat=str(draft.chat), audio=str(draft.memo), why=why)
        if isinstance(draft, BadDraft):
            return PlanRow(row=number, draft=draft, verdict="refused", why=draft.why)
        if not isinstance(draft, Draft):
            raise PreflightError(_NO_DRAFTS.format(type(draft).__name__))
        try:
            made = self._judged(number, draft)
            if made.wanted is not None:  # only then can another row repeat it
                self._seen.setdefault(made.wanted.send_id, number)
            return made
        except PreflightError as error:
            return PlanRow(row=number, draft=draft, verdict="refused", why=str(error), findings=error.findings)
        except (AudioError, LinqError) as error:
            return PlanRow(row=number, draft=draft, verdict="refused", why=str(error))

    def _judged(self, number: int, draft: Draft) -> PlanRow:
        chat, unread = self._chat(draft.chat)
        draft = Draft(memo=draft.memo, chat=chat, copy=draft.copy, override_optout=draft.override_optout)
        sending.check_shape(draft)
        wanted = self._outbox.wanted(draft)
        if (first := self._seen.get(wanted.send_id)) is not None:
            why = f"the same memo, chat and copy as row {first}"
            return PlanRow(row=number, draft=draft, verdict="duplicate", why=why, wanted=wanted)
        before = self._outbox.journal.find(wanted, draft.memo.names)
        if before is not None and (done := self._before(number, draft, before, wanted)):
            return done
        found = self._findings(draft, chat) if isinstance(chat, Chat) else []
        why = unread or "; ".join(one.message for one in preflight.errors(found))
        verdict: Verdict = "refused" if why else "send"
        return PlanRow(row=number, draft=draft, verdict=verdict, why=why, findings=tuple(found), wanted=wanted)

    def _before(self, number: int, draft: Draft, before: Send, wanted: Send) -> PlanRow | None:
        """Judge a row that the journal knows: sent, unclear, or free to go again (None)."""
        if is_resolved(before.status):
            why = sending.already(before, self._outbox.now())
            return PlanRow(row=number, draft=draft, verdict="already_sent", why=why, wanted=wanted)
        if before.status in ("unknown", "sending"):  # on its way from another notebook, or left there by one that died
            why = "it may have been sent before; it is looked for in the chat, not sent"
            return PlanRow(row=number, draft=draft, verdict="unclear", why=why, wanted=wanted)
        return None

    def _chat(self, chat: Chat | str) -> tuple[Chat | str, str]:
        """Return the chat of a row; its id and why, when Linq does not tell: the journal may know the send even so.

        Raises LinqError when there is not even an id.
        """
        if isinstance(chat, Chat):
            return chat, ""
        found = self._outbox.find_chat(chat)
        if isinstance(found, Chat):
            return found, ""
        try:
            if not self._listed:
                self._listed = True
                self._outbox.chats()
            return self._outbox.chat(found), ""
        except LinqError as error:
            return found, str(error)

    def _findings(self, draft: Draft, chat: Chat) -> list[Finding]:
        found = [*self._checked(draft.memo), *preflight.check_chat(chat, draft.memo)]
        return preflight.settle(found, self._accept, optout=draft.override_optout is not None)

    def _checked(self, memo: VoiceMemo) -> list[Finding]:
        if id(memo) not in self._memos:
            self._memos[id(memo)] = (memo, preflight.check_memo(memo))
        return self._memos[id(memo)][1]


def _fingerprint(rows: Iterable[PlanRow]) -> str:
    """Name what a plan would send, in its order."""
    told = "\n".join(row.wanted.send_id for row in rows if row.verdict == "send" and row.wanted)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _notes(rows: Iterable[PlanRow]) -> Iterable[str]:
    """Say what known limits of Linq mean for this plan."""
    going = [row.draft for row in rows if row.verdict == "send"]
    pairs = Counter(draft.chat_id for draft in going if isinstance(draft, Draft))
    most = max(pairs.values(), default=0)
    if most > PAIR_LIMIT:
        minutes = -(-most // PAIR_LIMIT)
        yield f"one chat gets {most}: Linq lets {PAIR_LIMIT} a minute through, so it takes at least {minutes} minutes"
    if len(going) > SANDBOX_LIMIT:
        yield f"a sandbox account may send {SANDBOX_LIMIT} a day: {len(going) - SANDBOX_LIMIT} would have to wait"
