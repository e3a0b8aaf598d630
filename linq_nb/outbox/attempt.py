"""One memo to one chat: claim, prepare, upload, mark, POST, record. The order is the promise.

The intent is in the journal before the network is touched; ``sending`` is in the journal right before the POST,
by an update that holds only for the claim's own epoch; the answer is in the journal before it is shown.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from linq_nb import preflight, proof, rules, storable, views, wire
from linq_nb.client import check_extra
from linq_nb.errors import (
    ApiError,
    JournalError,
    LinqError,
    NotFoundError,
    NotSent,
    OutcomeUnknown,
    PreflightError,
    SettingsError,
    problem_of,
    unmasked,
)
from linq_nb.journal import LEASE_S, Claim, MessageTaken
from linq_nb.model import Draft, Event, Finding, Send, is_uuid, url_names_of
from linq_nb.outbox import recovery
from linq_nb.outbox.reconcile import reconcile
from linq_nb.session import Session, chat_fields
from linq_nb.status import is_opt_out, is_resolved, status_of
from linq_nb.text import one_line, short_id

CLAIM_POLL_S = 0.1
"""Polling interval while another owner is sending the same, in seconds."""

MAX_COPY = 1_000_000
"""Our own limit: the journal's column holds 32 bits."""

_NOTHING_LEFT = (NotSent, SettingsError, JournalError)

_MS = timedelta(milliseconds=1)

with contextlib.suppress(ImportError):  # a Python in the browser may be without it
    import numpy  # noqa: F401  not in the middle of a send: an interrupt while it loads spoils it for the whole kernel

Sleep = Callable[[float], None]
"""Makes a pause of so many seconds; may raise NotSent."""


def send(session: Session, draft: Draft, accept: Collection[str] = ()) -> Send:
    """Check a draft and send it once, or report what became of it before."""
    check_shape(draft)
    refuse(preflight.check_memo(draft.memo), accept, draft)
    return send_checked(session, draft, accept)


def send_checked(session: Session, draft: Draft, accept: Collection[str] = (), sleep: Sleep | None = None) -> Send:
    """Send a draft whose memo was checked before, as in a plan."""
    draft.memo.unchanged()
    _refuse_opted_out(session, draft, accept)
    recorded, claim = _claim(session, draft, accept)
    if claim is None:
        return _report(session, recorded)
    with session.lease.holding(claim.send.send_id):
        return _Attempt(session, draft, claim, accept, sleep or session.throttle.pause).run()


def check_shape(draft: Draft) -> None:
    """Refuse what can be refused without looking at the memo or asking the network."""
    if isinstance(draft.copy, bool) or not isinstance(draft.copy, int) or not 1 <= draft.copy <= MAX_COPY:
        raise PreflightError(f"copy is a whole number from 1 to {MAX_COPY:,}; nothing was sent; correct the number")
    if draft.override_optout is not None and not draft.override_optout.strip():
        raise PreflightError("override_optout is empty; nothing was sent; give the reason as text, or leave it out")
    if draft.force_notify is not None and not isinstance(draft.force_notify, bool):
        raise PreflightError(
            f"force_notify is True or False, not {draft.force_notify!r}; nothing was sent; "
            "give True or False, or leave it out"
        )
    check_extra(draft.extra)
    if not is_uuid(draft.chat_id):
        raise PreflightError(
            f"{draft.chat_id!r} is not a chat id (a uuid); nothing was sent; outbox.chats() lists the ids"
        )


def refuse(findings: list[Finding], accept: Collection[str], draft: Draft) -> None:
    """Raise PreflightError when a finding stops the send."""
    findings = preflight.settle(findings, accept, optout=draft.override_optout is not None)
    stopping = preflight.errors(findings)
    if stopping:
        reasons = "; ".join(finding.message for finding in stopping)
        raise PreflightError(f"{draft.memo.label}: {reasons}; nothing was sent", findings=findings)


def _refuse_opted_out(session: Session, draft: Draft, accept: Collection[str]) -> None:
    """Refuse a recipient who opted out before the claim, so that the journal keeps the answer that said so."""
    if draft.override_optout is not None or session.optouts.refused_at(draft.chat) is None:
        return
    recorded = session.recorded(draft)
    if recorded is None or status_of(recorded.status).may_run_again:
        refuse(preflight.check_chat(session.chat_of(draft), draft.memo), accept, draft)


def _claim(session: Session, draft: Draft, accept: Collection[str]) -> tuple[Send, Claim | None]:
    """Claim the send, waiting for another owner who is sending it right now; without a claim it is recorded.

    Raises PreflightError when a send of another URL may be of the same memo.
    """
    deadline = time.monotonic() + session.client.timeout + 2 * LEASE_S
    url = url_names_of(draft.memo)
    session.journal.link(draft.memo.names)
    while True:
        recorded, claim, step = session.journal.claim(
            session.wanted(draft), draft.memo.names, session.owner, url, may_repeat="url_may_repeat" in accept
        )
        if step == "refuse":
            refuse([session.may_repeat(draft, recorded)], accept, draft)
        if claim is not None or step != "wait":
            return recorded, claim
        if time.monotonic() > deadline:
            raise OutcomeUnknown(
                "another notebook is sending this memo to this chat right now; nothing was sent from here; "
                "look again with outbox.sends()"
            )
        time.sleep(CLAIM_POLL_S)


def _report(session: Session, recorded: Send) -> Send:
    """Return a send that was made before; look for it in the chat first when its outcome is not clear."""
    if not is_resolved(recorded.status):
        recorded = reconcile(session, [recorded])[0]
    now = session.now()
    if is_resolved(recorded.status):
        return dataclasses.replace(recorded, repeated=True, repeated_at=now)
    raise OutcomeUnknown(
        f"this memo may have been sent to {_chat_label(recorded)} {views.ago(recorded.posted_at or now, now)}"
        f" and is not sent again ({recorded.reconcile_result or 'not looked for'} in the chat); "
        'outbox.reconcile() looks again; outbox.resolve(send, "not_sent", reason=...) lets it go once more; '
        f"copy={recorded.copy + 1} sends another, at the risk of two bubbles",
        status=recorded.http_status,
        code=recorded.error_code,
        trace_id=recorded.trace_id,
    )


def _chat_label(send: Send) -> str:
    return one_line(send.chat_name, 80) if send.chat_name else f"chat {short_id(send.chat_id)}"


class _Attempt:
    """One attempt at a claimed send: ``send`` is the journal's record of it, with what changed since."""

    def __init__(self, session: Session, draft: Draft, claim: Claim, accept: Collection[str], sleep: Sleep) -> None:
        self.session, self.draft, self.memo = session, draft, draft.memo
        self.claim, self.accept, self.sleep = claim, accept, sleep
        self.send = claim.send
        self.is_accepted = False
        self.marked_s = 0.0  # by the steady clock

    def run(self) -> Send:
        if (adopted := self._adopt()) is not None:
            return adopted
        try:
            self._prepare()
            self._post()
        except BaseException as error:
            if not self.is_accepted:
                self._record_failure(error)
            raise
        return self.send

    # --- before the POST: whatever happens, nothing was sent ---

    def _adopt(self) -> Send | None:
        """Look for the memo in its chat when the journal lost its last writes; returns the send that is there.

        Raises OutcomeUnknown when that is not clear.
        """
        if self.session.journal.recovery is None:
            return None
        with self.session.searching:
            try:
                trace = recovery.search(self.session, self.send)
            except BaseException as error:
                self._record_failure(error)
                raise
            if trace is None:
                return None
            event = trace.event(self.send, self.session.now())
            self._record(self.send.observed(event), event)
        if trace.message is not None:
            return dataclasses.replace(self.send, repeated=True, repeated_at=event.at)
        raise OutcomeUnknown(
            f"{trace.evidence}; it was not sent to {_chat_label(self.send)} now; look into the chat, then "
            'outbox.resolve(send, "not_sent", reason=...) lets it go, "sent" keeps it as sent; '
            f"copy={self.send.copy + 1} sends another, at the risk of two bubbles"
        )

    def _prepare(self) -> None:
        chat = self.session.chat_of(self.draft)
        self._change(**chat_fields(chat))
        refuse(preflight.check_chat(chat, self.memo), self.accept, self.draft)
        if self._is_upload:
            self._upload()

    @property
    def _is_upload(self) -> bool:
        """Whether the memo goes as an attachment of our own, not by its URL or as somebody's attachment."""
        return self.memo.data is not None and not self.memo.url

    def _upload(self) -> None:
        self._change(attachment_id=self.session.uploads.attachment_id(self.memo, str(self.send.filename)))

    @property
    def _attachment_id(self) -> str | None:
        """The attachment that the memo is sent as, None for one that is sent by its URL."""
        return None if self.memo.url else self.send.attachment_id

    # --- the POST: only while the journal says ``sending`` may something be under way ---

    def _post(self) -> None:
        """POST the memo; an attachment that Linq no longer has is uploaded again, once."""
        try:
            self._post_with_retries()
            return
        except NotFoundError as error:
            if error.code != 2003 or not self._is_upload:
                raise
        self._mark("preparing")
        self.session.uploads.forget(self.memo)
        self._upload()
        self._post_with_retries()

    def _post_with_retries(self) -> None:
        outcome, tries = self._post_once(), 1
        while (pause := rules.pause_after("memo", tries, outcome)) is not None:
            self._mark("preparing")  # nothing was sent, and nothing is under way
            if pause.is_rate_limit:
                self.session.throttle.limit(pause.seconds)
            self.sleep(pause.seconds)
            outcome, tries = self._post_once(), tries + 1
        if not self.is_accepted:  # no whole 2xx came: this raises, unless one that was cut off still names the message
            chat_id, label = self.draft.chat_id, _chat_label(self.send)
            self._record_answer(proof.require_accepted(outcome, chat_id, label, self._attachment_id))

    def _post_once(self) -> wire.Answer | wire.NoAnswer:
        """Mark the send and make one request, when the rate limit allows it; returns the answer, or that none came."""
        if wait_s := self.session.throttle.rate_limit_wait_s():
            self.sleep(wait_s)
        self._mark("sending", **self._post_times())
        try:
            return self.session.client.post_memo(
                self.draft.chat_id,
                voice_memo_url=self.memo.url,
                attachment_id=self._attachment_id,
                override_optout=self.draft.override_optout is not None,
                force_notify=self.draft.force_notify,
                extra=self.draft.extra,
                at_write=self._check_awake,
                at_accepted=self._record_answer,
            )
        except wire.NoAnswer as failure:
            return failure

    def _post_times(self) -> dict[str, Any]:
        """Return the time of the POST, and how far Linq's clock is ahead of ours by what is known of it."""
        self.marked_s, now = self.session.steady(), self.session.now()
        skew = self.session.client.skew(now)
        low_ms, high_ms = (math.floor(skew.low / _MS), math.ceil(skew.high / _MS)) if skew else (None, None)
        return {"posted_at": now, "skew_min_ms": low_ms, "skew_max_ms": high_ms}

    def _check_awake(self) -> None:
        """Send nothing when this process slept between its mark and now: others may have judged the send by then.

        The wall clock may be corrected meanwhile, so the steady clock counts too.
        """
        by_wall = (self.session.now() - (self.send.posted_at or self.session.now())).total_seconds()
        if max(by_wall, self.session.steady() - self.marked_s) >= LEASE_S:
            raise NotSent("this machine or notebook slept when it was about to send; nothing was sent; run it again")

    def _mark(self, status: str, **fields: Any) -> None:
        """Commit a status of this attempt; raises NotSent when another owner has taken the send over."""
        marked = dataclasses.replace(self.send, status=status, **fields)
        claim = self.session.journal.advance(self.claim, marked)
        if claim is None:
            raise NotSent("another notebook took this send over; nothing was sent from here; look at outbox.sends()")
        self.claim, self.send = claim, marked

    # --- recording ---

    def _change(self, **fields: Any) -> None:
        """Change the send; the journal gets it with the next status."""
        if any(getattr(self.send, name) != value for name, value in fields.items()):  # mostly the claim has them
            self.send = dataclasses.replace(self.send, **fields)

    def _record_failure(self, error: BaseException) -> None:
        """Record a refusal or an unknown outcome; after an interrupt in the middle of the POST it is unknown too."""
        failed, event = refused(self.send, error, self.session.now())
        try:
            self._record(failed, event)
        except JournalError as journal_error:
            if not isinstance(error, JournalError):
                error.add_note(f"The journal could not record this: {problem_of(journal_error)}")
        if is_opt_out(failed.status, failed.error_code):
            self.session.optouts.forget()

    def _record_answer(self, answer: wire.Answer) -> None:
        """Write down what Linq accepted, before its connection is used again.

        Raises OutcomeUnknown when the answer names a message that another send has.
        """
        sent, event = accepted(self.send, answer)
        try:
            is_recorded = self._record(sent, event)
        except MessageTaken:
            is_recorded = False
        except JournalError as error:
            self.is_accepted = True
            raise OutcomeUnknown(
                f"the memo for {_chat_label(sent)} was accepted as message {sent.message_id}, but the journal could "
                f"not record it ({problem_of(error)}); do not send it again; outbox.reconcile() adopts it when the "
                "journal is back"
            ) from None
        if not is_recorded:
            raise proof.of_another(answer, _chat_label(self.send), "it names a message that another send has")
        self.is_accepted = True

    def _record(self, send: Send, event: Event) -> bool:
        """Write the send under its claim; without the claim the event is kept, and only Linq's word changes the send.

        Returns False when the send cannot have the event's message, since another send has it.
        """
        if self.session.journal.advance(self.claim, send, event) is None:
            if not is_resolved(send.status):
                self.session.journal.note(dataclasses.replace(event, status=None))
            elif (current := self.session.journal.observe(event)) and current.message_id != event.message_id:
                return False
        self.send = send
        return True


def accepted(send: Send, answer: wire.Answer) -> tuple[Send, Event]:
    """Return a posted send with the facts of Linq's 2xx, and the event that records them."""
    fields = wire.accepted(answer)
    ours = ("filename", "mime_type", "size_bytes", "duration_ms", "attachment_id", "is_group")
    fields = {name: value for name, value in fields.items() if name not in ours or getattr(send, name) is None}
    sent = dataclasses.replace(
        send,
        **fields,
        http_status=answer.http_status,
        trace_id=answer.trace_id,
        accepted_at=answer.at,
        checked_at=answer.at,
    )
    event = Event(
        send_id=sent.send_id,
        at=answer.at,
        source="post",
        status=sent.status,
        http_status=answer.http_status,
        trace_id=answer.trace_id,
        message_id=sent.message_id,
        service=sent.service,
        body=storable.kept(answer.body),
    )
    return sent, event


def refused(send: Send, error: BaseException, at: datetime) -> tuple[Send, Event]:
    """Return a send as its error leaves it, and the event that records the error."""
    is_posting = send.status == "sending"
    facts: dict[str, Any] = {
        "http_status": getattr(error, "status", None),
        "error_code": None if isinstance(error, PreflightError) else getattr(error, "code", None),
        "error_message": unmasked(error) if isinstance(error, LinqError) else f"stopped by {type(error).__name__}",
        "doc_url": getattr(error, "doc_url", None),
        "trace_id": getattr(error, "trace_id", None),
    }
    if isinstance(error, ApiError):
        status = "rejected" if rules.memo_outcome(error.status or 0) == "rejected" else "not_sent"
    else:
        status = "unknown" if is_posting and not isinstance(error, _NOTHING_LEFT) else "not_sent"
    source, body = "post" if is_posting else "prepare", getattr(error, "response", None)
    failed = dataclasses.replace(send, status=status, checked_at=at, **facts)
    return failed, Event(send_id=send.send_id, at=at, source=source, status=status, body=body, **facts)
