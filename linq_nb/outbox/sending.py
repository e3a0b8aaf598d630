"""One memo to one chat: claim, prepare, upload, mark, POST, record. The order is the promise.

The intent is in the journal before the network is touched; ``sending`` is in the journal right before the POST,
by an update that holds only for the claim's own epoch; the answer is in the journal before it is shown.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from linq_nb import preflight, rules, views, wire
from linq_nb.errors import (
    ApiError,
    JournalError,
    LinqError,
    NotFoundError,
    NotSent,
    OutcomeUnknown,
    PreflightError,
)
from linq_nb.journal import LEASE_S, Claim
from linq_nb.model import Chat, Draft, Event, Finding, Send, is_uuid
from linq_nb.outbox import reading
from linq_nb.status import is_resolved
from linq_nb.text import mask_text, redact, short_id

if TYPE_CHECKING:
    from linq_nb.outbox.core import Outbox

WAIT_STEP_S = 0.1
MAX_COPY = 1_000_000


def send(outbox: Outbox, draft: Draft, accept: Collection[str] = ()) -> Send:
    """Send a draft once, or report what became of it before."""
    check_shape(draft)
    refuse(preflight.check_memo(draft.memo), accept, draft)
    return send_checked(outbox, draft, accept)


def send_checked(
    outbox: Outbox,
    draft: Draft,
    accept: Collection[str] = (),
    rest: Callable[[float], None] | None = None,
) -> Send:
    """Send a draft whose memo was checked before, as in a plan. ``rest`` makes the pauses; it may raise NotSent."""
    draft.memo.unchanged()
    rest = rest or outbox.client.rest
    if wait := outbox.client.turn_in():
        rest(wait)
    claim, recorded = _claim(outbox, draft)
    if claim is None:
        return _report(outbox, recorded)
    with outbox.lease.holding(claim.send.send_id):
        return _Attempt(outbox, draft, claim, accept, rest).run()


def already(send: Send, now: datetime) -> str:
    """Say that a send was made before, when, and how to ask for another."""
    when = views.ago(send.accepted_at or send.created_at or now, now)
    named = f" as message {short_id(send.message_id)}" if send.message_id else f" (status {send.status})"
    return f"already sent {when}{named}; nothing sent; --copy {send.copy + 1} for another bubble"


def check_shape(draft: Draft) -> None:
    """Refuse what can be refused without looking at the memo or asking the network."""
    if isinstance(draft.copy, bool) or not isinstance(draft.copy, int) or not 1 <= draft.copy <= MAX_COPY:
        raise PreflightError(f"copy is a whole number from 1 on, not {draft.copy!r}; nothing was sent")
    if draft.override_optout is not None and not draft.override_optout.strip():
        raise PreflightError("override_optout takes the reason for writing all the same; nothing was sent")
    if not is_uuid(draft.chat_id):
        raise PreflightError(f"{draft.chat_id!r} is not a chat id (a uuid); nothing was sent")


def refuse(findings: list[Finding], accept: Collection[str], draft: Draft) -> None:
    """Raise PreflightError when a finding stops the send."""
    found = preflight.settle(findings, accept, optout=draft.override_optout is not None)
    stopping = preflight.errors(found)
    if stopping:
        words = "; ".join(one.message for one in stopping)
        raise PreflightError(f"{draft.memo.label}: {words}; nothing was sent", findings=found)


def _claim(outbox: Outbox, draft: Draft) -> tuple[Claim | None, Send]:
    """Take the send, waiting for another owner who is at it right now."""
    deadline = time.monotonic() + outbox.client.timeout + 2 * LEASE_S
    outbox.journal.link(draft.memo.names)
    while True:
        recorded, claim, step = outbox.journal.claim(outbox.wanted(draft), draft.memo.names, outbox.owner)
        if claim is not None or step != "wait":
            return claim, recorded
        if time.monotonic() > deadline:
            raise OutcomeUnknown(
                "another notebook is sending this memo to this chat right now; nothing was sent from here; "
                "look again with outbox.sends()"
            )
        time.sleep(WAIT_STEP_S)


def _report(outbox: Outbox, recorded: Send) -> Send:
    """Return a send that was made before; look for it in the chat first when that is not sure."""
    if not is_resolved(recorded.status):
        recorded = reading.reconcile(outbox, [recorded])[0]
    if is_resolved(recorded.status):
        return recorded.but(repeated=True, repeated_at=outbox.now())
    now = outbox.now()
    raise OutcomeUnknown(
        f"this memo may have been sent to {_label(recorded)} {views.ago(recorded.posted_at or now, now)}"
        f" and is not sent again ({recorded.reconcile_result or 'not looked for'} in the chat); "
        'outbox.reconcile() looks again; outbox.resolve(send, "not_sent", reason=...) lets it go once more; '
        f"copy={recorded.copy + 1} sends another, at the risk of two bubbles",
        status=recorded.http_status,
        code=recorded.error_code,
        trace_id=recorded.trace_id,
    )


def _label(send: Send) -> str:
    return mask_text(send.chat_name) if send.chat_name else f"chat {short_id(send.chat_id)}"


class _Attempt:
    """One attempt at a claimed send."""

    def __init__(
        self,
        outbox: Outbox,
        draft: Draft,
        claim: Claim,
        accept: Collection[str],
        rest: Callable[[float], None],
    ) -> None:
        self.outbox, self.draft, self.claim, self.accept, self.rest = outbox, draft, claim, accept, rest
        self.now_send = claim.send
        self._is_marked = False

    def run(self) -> Send:
        try:
            self._prepare()
            answer = self._post()
        except BaseException as error:
            self._failed(error)
            raise
        return self._accepted(answer)

    # --- before the POST: whatever happens, nothing was sent ---

    def _prepare(self) -> None:
        chat = self.outbox.chat_of(self.draft)
        self._update(**_of_chat(chat))
        refuse(preflight.check_chat(chat, self.draft.memo), self.accept, self.draft)
        if self.draft.memo.data is not None and not self.draft.memo.url:
            self._update(attachment_id=self._uploaded())
        self.draft.memo.unchanged()

    def _uploaded(self) -> str:
        """Return an attachment id for the memo's bytes: of an earlier upload, or of one now."""
        memo, journal, account = self.draft.memo, self.outbox.journal, self.outbox.account
        digest, data = str(memo.sha256), memo.data or b""
        with self.outbox.upload_lock(digest):
            made = journal.attachment(account, digest)
            if made is None:
                made = self._upload(str(self.now_send.filename), str(memo.mime_type), data)
                journal.keep_attachment(account, digest, made, self.outbox.now())
            self.outbox.uploaded[digest] = made
        return made

    def _upload(self, filename: str, mime_type: str, data: bytes) -> str:
        client = self.outbox.client
        try:
            announced = client.create_attachment(filename, mime_type, len(data))
        except ApiError as error:
            if (error.code, mime_type) != (5004, "audio/x-wav"):
                raise
            mime_type = "audio/wav"  # the name in Linq's early spec
            announced = client.create_attachment(filename, mime_type, len(data))
        try:
            client.upload(announced, data)
        except ApiError:  # the address may have expired: a new one, once
            announced = client.create_attachment(filename, mime_type, len(data))
            client.upload(announced, data)
        return announced.attachment_id

    # --- the POST: only while the journal says ``sending`` may something be under way ---

    def _post(self) -> wire.Answer:
        try:
            return self._posted()
        except NotFoundError as error:
            if error.code != 2003 or self.draft.memo.data is None or self.draft.memo.url:
                raise
        self._mark("preparing")
        self.outbox.uploaded.pop(str(self.draft.memo.sha256), None)
        self.outbox.journal.forget_attachment(self.outbox.account, str(self.draft.memo.sha256))
        self._update(attachment_id=self._uploaded())
        return self._posted()

    def _posted(self) -> wire.Answer:
        memo = self.draft.memo
        return self.outbox.client.voicememo(
            self.draft.chat_id,
            voice_memo_url=memo.url,
            attachment_id=None if memo.url else self.now_send.attachment_id,
            override_optout=self.draft.override_optout is not None,
            chat_label=lambda: _label(self.now_send),
            before=self._before,
            between=lambda: self._mark("preparing"),
            at_write=self._check_awake,
            rest=self.rest,
        )

    def _before(self) -> None:
        if not self._is_marked:
            self._mark("sending", posted_at=self.outbox.now())

    def _check_awake(self) -> None:
        """Send nothing when this process slept between its mark and now: others may have judged the send by then."""
        marked_at = self.now_send.posted_at
        if marked_at is not None and self.outbox.now() - marked_at >= timedelta(seconds=LEASE_S):
            raise NotSent("this machine or notebook slept when it was about to send; nothing was sent; run it again")

    def _mark(self, status: str, **fields: Any) -> None:
        """Commit how far this attempt is; raises NotSent when another owner has taken the send over."""
        self._is_marked = False
        marked = self.now_send.but(status=status, **fields)
        held = self.outbox.journal.advance(self.claim, marked)
        if held is None:
            raise NotSent("another notebook took this send over; nothing was sent from here; look at outbox.sends()")
        self.claim, self.now_send = held, marked

    def _failed(self, error: BaseException) -> None:
        """Write down a no, or that it is not known; an interrupt in the middle of the POST is not known either."""
        failed, event = refused(self.now_send, error, self.outbox.now())
        try:
            self._write(failed, event)
        except JournalError as lost:
            if not isinstance(error, JournalError):
                error.add_note(f"The journal could not take this down: {lost}")

    def _accepted(self, answer: wire.Answer) -> Send:
        """Write what Linq has taken."""
        sent, event = accepted(self.now_send, answer)
        try:
            self._write(sent, event)
        except JournalError as error:
            raise OutcomeUnknown(
                f"the memo for {_label(sent)} was accepted as message {sent.message_id}, but the journal could not "
                f"take it down ({error}); do not send it again; outbox.reconcile() adopts it when the journal is back"
            ) from None
        return sent

    # --- writing ---

    def _update(self, **fields: Any) -> None:
        self.now_send = self.now_send.but(**fields)

    def _write(self, send: Send, event: Event) -> None:
        """Write under the claim; when that was lost, the event is kept, and only Linq's word changes the send."""
        self.now_send = send
        if self.outbox.journal.advance(self.claim, send, event):
            return
        if is_resolved(send.status):
            self.outbox.journal.observe(event)
        else:
            self.outbox.journal.note(dataclasses.replace(event, status=None))


def accepted(send: Send, answer: wire.Answer) -> tuple[Send, Event]:
    """Return a posted send with what Linq's 2xx tells, and the observation of it."""
    told = wire.accepted(answer)
    ours = ("filename", "mime_type", "size_bytes", "duration_ms", "attachment_id", "is_group")
    told = {k: v for k, v in told.items() if k not in ours or getattr(send, k) is None}
    sent = send.but(
        **told,
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
        body=redact(dict(answer.body)),
    )
    return sent, event


def refused(send: Send, error: BaseException, at: datetime) -> tuple[Send, Event]:
    """Return a send with what its error means for it, and the observation of that."""
    posting, facts = send.status == "sending", _facts(error)
    if isinstance(error, ApiError):
        status = "rejected" if rules.memo_outcome(error.status or 0) == "rejected" else "not_sent"
    else:
        status = "unknown" if posting and not isinstance(error, NotSent | JournalError) else "not_sent"
    source, body = "post" if posting else "prepare", getattr(error, "response", None)
    failed = send.but(status=status, checked_at=at, **facts)
    return failed, Event(send_id=send.send_id, at=at, source=source, status=status, body=body, **facts)


def _of_chat(chat: Chat) -> dict[str, Any]:
    return {
        "chat_name": chat.chat_name,
        "is_group": chat.is_group,
        "from_handle": chat.line,
        "to_handles": tuple(one.handle for one in chat.others),
    }


def _facts(error: BaseException) -> dict[str, Any]:
    """What an exception tells of a send, as fields."""
    words = str(error) if isinstance(error, LinqError) else f"stopped by {type(error).__name__}"
    return {
        "http_status": getattr(error, "status", None),
        "error_code": getattr(error, "code", None),
        "error_message": words,
        "doc_url": getattr(error, "doc_url", None),
        "trace_id": getattr(error, "trace_id", None),
    }
