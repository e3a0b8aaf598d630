"""A plan: every row of a table validated before the first one is sent."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from linq_nb import preflight, views
from linq_nb.errors import LinqError, PreflightError, without_outcome
from linq_nb.model import BadDraft, Chat, Draft, Finding, Plan, PlanRow, Send, VoiceMemo, is_uuid, url_names_of
from linq_nb.outbox import recovery
from linq_nb.outbox.attempt import check_shape
from linq_nb.outbox.drafts import drafts_of_table
from linq_nb.session import Session
from linq_nb.status import UNCLEAR_STATUSES, is_resolved
from linq_nb.tables import is_table, of_value

PAIR_LIMIT = 30
"""Messages that one line may send one recipient in 60 seconds (linq docs, rate limits)."""

SANDBOX_LIMIT = 100
"""Messages that a sandbox account may send in a day (linq docs, rate limits)."""

_NO_DRAFTS = (
    "a plan takes Drafts, not a value of type {}; nothing was sent; Draft(memo=memo, chat=chat) makes one; "
    "a table with columns chat and audio is taken too"
)


def make_plan(session: Session, drafts: Any, accept: Collection[str] = (), *, strict: bool = False) -> Plan:
    """Validate every row of drafts or of a table; raises PreflightError when ``strict`` and a row is refused."""
    if is_table(drafts):
        drafts = drafts_of_table(of_value(drafts))
    if isinstance(drafts, str) or not isinstance(drafts, Iterable):
        raise PreflightError(_NO_DRAFTS.format(type(drafts).__name__))
    planner = _Planner(session, accept)
    rows = tuple(planner.row(number, draft) for number, draft in enumerate(drafts))
    bad = [row for row in rows if row.verdict == "refused"]
    if strict and bad:
        why = without_outcome(bad[0].why)
        raise PreflightError(
            f"{len(bad)} of {len(rows)} rows cannot be sent, the first is row {bad[0].row}: {why}; "
            "nothing was sent; correct these rows, or plan without strict",
            findings=[finding for row in bad for finding in row.findings],
        )
    send_ids = "\n".join(row.wanted.send_id for row in rows if row.verdict == "send" and row.wanted)
    return Plan(
        rows=rows,
        fingerprint=hashlib.sha256(send_ids.encode()).hexdigest()[:16],
        base_url=session.client.base_url,
        journal_id=session.journal.journal_id,
        notes=(*_notes(rows), *([session.live_note] if session.live_note else [])),
    )


def unsent(row: PlanRow, base_url: str, *, status: str, why: str | None) -> Send:
    """Return the Send of a row that is not in the journal, also of a row that names no chat or has no memo."""
    wanted, draft = row.wanted, row.draft
    if wanted is None:
        chat = draft.chat.chat_id if isinstance(draft.chat, Chat) else draft.chat
        chat_id, typed = (chat.lower(), None) if is_uuid(chat) else ("", str(chat) or None)
        name = draft.audio if isinstance(draft, BadDraft) else draft.memo.label
        wanted = Send(send_id="", base_url=base_url, content="", chat_id=chat_id, typed_chat=typed, filename=name)
    return dataclasses.replace(wanted, status=status, error_message=why)


_UrlKey = tuple[str, str, int]


def _url_key(draft: Draft, wanted: Send | None) -> _UrlKey | None:
    """Return what rows that may be of the same memo have in common: base of the URL, chat and copy."""
    url = url_names_of(draft.memo)
    return (url.base, wanted.chat_id, wanted.copy) if url and wanted else None


class _Planner:
    """Validates row after row, looking at each distinct memo and chat once."""

    def __init__(self, session: Session, accept: Collection[str]) -> None:
        self._session, self._accept = session, accept
        self._memo_findings: dict[int, tuple[VoiceMemo, list[Finding]]] = {}
        self._first_row: dict[str, int] = {}
        self._rows_by_url: defaultdict[_UrlKey, list[tuple[int, VoiceMemo]]] = defaultdict(list)
        self._listed_chats = False

    def row(self, number: int, draft: Draft | BadDraft) -> PlanRow:
        """Return the row of a draft with its verdict."""
        if isinstance(draft, Draft) and not isinstance(draft.memo, VoiceMemo):
            why = f"its memo is no VoiceMemo but a value of type {type(draft.memo).__name__}; VoiceMemo.load makes one"
            draft = BadDraft(chat=str(draft.chat), audio=str(draft.memo), why=why)
        if isinstance(draft, BadDraft):
            return PlanRow(row=number, draft=draft, verdict="refused", why=draft.why)
        if not isinstance(draft, Draft):
            raise PreflightError(_NO_DRAFTS.format(type(draft).__name__))
        try:
            row = self._validated(number, draft)
            if row.wanted is not None:  # only then can another row repeat it
                self._first_row.setdefault(row.wanted.send_id, number)
            if row.verdict == "send" and (key := _url_key(draft, row.wanted)):
                self._rows_by_url[key].append((number, draft.memo))
            return row
        except LinqError as error:
            findings = error.findings if isinstance(error, PreflightError) else ()
            return PlanRow(row=number, draft=draft, verdict="refused", why=str(error), findings=findings)

    def _validated(self, number: int, draft: Draft) -> PlanRow:
        chat, unread = self._chat(draft.chat)
        draft = dataclasses.replace(draft, chat=chat)
        check_shape(draft)
        wanted = self._session.wanted(draft)
        row = functools.partial(PlanRow, row=number, draft=draft, wanted=wanted)
        if (first := self._first_row.get(wanted.send_id)) is not None:
            return row(verdict="duplicate", why=f"the same memo, chat and copy as row {first}")
        recorded = self._session.recorded(draft)
        if recorded is not None and is_resolved(recorded.status):
            return row(verdict="already_sent", why=views.repeated_line(recorded, self._session.now()))
        if recorded is not None and recorded.status in UNCLEAR_STATUSES:  # another owner is sending it, or died then
            return row(verdict="unclear", why="it may have been sent before; it is looked for in the chat, not sent")
        if not unread and (trace := recovery.search(self._session, wanted)):
            adopted = "adopted, " if trace.message else ""
            return row(verdict="unclear", why=f"{trace.evidence}: it is {adopted}not sent")
        findings = self._findings(draft, wanted, chat) if isinstance(chat, Chat) else []
        why = unread or "; ".join(finding.message for finding in preflight.errors(findings))
        return row(verdict="refused" if why else "send", why=why, findings=tuple(findings))

    def _chat(self, chat: Chat | str) -> tuple[Chat | str, str]:
        """Return the chat of a row; its id and why, when Linq does not tell: the journal may have the send even so.

        Raises LinqError when there is not even an id.
        """
        self._session.check_chat(chat)
        chat = self._session.find_chat(chat)
        if isinstance(chat, Chat):
            return self._session.rated_now(chat), ""
        try:
            if not self._listed_chats:
                self._listed_chats = True
                self._session.chats()
            return self._session.rated_now(self._session.chat(chat)), ""
        except LinqError as error:
            return chat, str(error)

    def _findings(self, draft: Draft, wanted: Send, chat: Chat) -> list[Finding]:
        memo = draft.memo
        if id(memo) not in self._memo_findings:
            self._memo_findings[id(memo)] = (memo, preflight.check_memo(memo))  # keeps the memo, so that its id stays
        on_url = self._findings_on_url(draft, wanted)
        findings = [*on_url, *self._memo_findings[id(memo)][1], *preflight.check_chat(chat, memo)]
        return preflight.settle(findings, self._accept, optout=draft.override_optout is not None)

    def _findings_on_url(self, draft: Draft, wanted: Send) -> list[Finding]:
        """Return the finding that a row further up, or a send in the journal, may be of the same memo."""
        memo, key = draft.memo, _url_key(draft, wanted)
        for number, earlier in self._rows_by_url[key] if key else ():
            is_other = memo.sha256 and earlier.sha256 and memo.sha256 != earlier.sha256
            if not is_other and not set(memo.names) & set(earlier.names):
                return [preflight.may_repeat(memo, draft.copy, f"row {number}")]
        return self._session.url_findings(draft)


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
