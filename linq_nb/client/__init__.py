"""The HTTP adapter: every request to Linq, with its time limits, its retries and its errors.

A memo POST is repeated only where nothing can have been sent; what ``rules`` decides, this does. A connection for
each request that is under way, used again by the next, and one TLS context for all: see ``lane``.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx

from linq_nb import rules, wire
from linq_nb.client.direct import KEEP_ALIVE_S
from linq_nb.client.lane import FAULTS, Body, Headers, Lane, Reply
from linq_nb.client.throttle import Throttle
from linq_nb.errors import ApiError, NotSent, OutcomeUnknown
from linq_nb.hosts import is_loopback
from linq_nb.model import Attachment, Capability, Chat, Line, Message, Subscription
from linq_nb.secret import Secret
from linq_nb.text import clean
from linq_nb.wire import Answer, NoAnswer, Unreadable

T = TypeVar("T")

MAX_BARREN_PAGES = 20
"""A walk ends after so many pages in a row that bring nothing new, whatever cursor they give."""

_KEPT_HEADERS = ("x-trace-id", "retry-after", "date", "content-type", "location")


def utc_now() -> datetime:
    return datetime.now(UTC)


def _nothing() -> None:
    """What is done around a request unless the caller says more."""


class Client:
    """Linq's Partner API v3, the part that voice memos and their audit need.

    ``timeout`` is in seconds, for each request as a whole. Reads return records; ``voicememo`` returns the answer.
    Raises ApiError and its kinds when Linq says no, NotSent when a request never got an answer and nothing can
    have been sent, OutcomeUnknown when a memo left without a clear answer.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        throttle: Throttle | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.base_url, self.timeout = base_url, timeout
        self.throttle = throttle or Throttle(sleep)
        self._key, self._transport, self._now = api_key, transport, now
        self._lanes: set[Lane] = set()
        self._free: list[Lane] = []
        self._lock = threading.Lock()
        self.clock_ahead = timedelta()

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        with self._lock:
            lanes = list(self._lanes)
        for one in lanes:
            one.close()

    # --- the memo ---

    def voicememo(
        self,
        chat_id: str,
        *,
        voice_memo_url: str | None = None,
        attachment_id: str | None = None,
        override_optout: bool = False,
        chat_label: Callable[[], str] = lambda: "the chat",
        before: Callable[[], None] = _nothing,
        between: Callable[[], None] = _nothing,
        at_write: Callable[[], None] = _nothing,
        rest: Callable[[float], None] | None = None,
    ) -> Answer:
        """Send a memo and return Linq's 2xx, read well enough to know its message id (``wire.accepted``).

        Repeats itself only on a request that never left whole, 429 with a short Retry-After, 404/2007 and
        409/2009; ``before`` is called right before each request, ``at_write`` right before its body goes out,
        ``between`` when one is known to have sent nothing and a pause begins, which ``rest`` makes.
        Source: linq docs, endpoint page and error pages; see ``rules``.
        """
        body = wire.memo_body(
            voice_memo_url=voice_memo_url, attachment_id=attachment_id, override_optout=override_optout
        )
        path = f"/v3/chats/{_segment(chat_id)}/voicememo"
        try:
            answer = self._repeated("memo", "POST", path, before, between, rest, body=body, at_write=at_write)
        except NoAnswer as failure:
            doing = f"the voice memo for {chat_label()}"
            if not failure.left:
                raise NotSent(f"{doing} did not reach Linq ({failure}); nothing was sent; run it again") from None
            if failure.begun is None:
                raise no_answer(doing, failure) from None
            answer = failure.begun
        return taken(answer, chat_id, chat_label)

    def post_memo(
        self,
        chat_id: str,
        *,
        voice_memo_url: str | None = None,
        attachment_id: str | None = None,
        override_optout: bool = False,
        at_write: Callable[[], None] = _nothing,
    ) -> Answer:
        """Make one request that sends a memo, and return Linq's answer, whatever it is; nothing is repeated.

        ``at_write`` is called when the connection stands, right before the first byte goes out; when it raises,
        nothing is sent. Raises NoAnswer when no whole answer came. ``rules.steps("memo")`` says when to ask again,
        ``require_accepted`` what the last outcome means.
        """
        body = wire.memo_body(
            voice_memo_url=voice_memo_url, attachment_id=attachment_id, override_optout=override_optout
        )
        return self._once("POST", f"/v3/chats/{_segment(chat_id)}/voicememo", body=body, at_write=at_write)

    # --- attachments ---

    def create_attachment(self, filename: str, content_type: str, size_bytes: int) -> Attachment:
        """Announce an upload: ``POST /v3/attachments``; its ``upload_url`` lives 15 minutes."""
        body = wire.attachment_body(filename, content_type, size_bytes)
        made = self._one("POST", "/v3/attachments", wire.attachment, "the upload", body=body)
        if not made.upload_url or not self._may_upload_to(made.upload_url):
            raise ApiError("Linq gave no https address to upload to; nothing was sent; run it again")
        return made

    def upload(self, attachment: Attachment, data: bytes) -> None:
        """PUT the bytes to the address of the announcement, without the key.

        Repeated on faults, since a PUT before ``expires_at`` overwrites itself.
        """
        headers = [(name.encode(), value.encode()) for name, value in attachment.required_headers.items()]
        url = attachment.upload_url or ""
        try:
            answer = self._repeated("upload", "PUT", url, content=data, headers=headers, ours=False)
        except NoAnswer as failure:
            raise NotSent(f"the upload got no answer ({failure}); nothing was sent; run it again") from None
        if not answer.is_success:
            raise ApiError(
                f"the upload was refused by the file storage (HTTP {answer.http_status}); nothing was sent; "
                "run it again",
                status=answer.http_status,
                trace_id=answer.trace_id,
            )

    def attachment(self, attachment_id: str) -> Attachment:
        """Read an attachment: ``GET /v3/attachments/{attachmentId}``."""
        return self._one("GET", f"/v3/attachments/{_segment(attachment_id)}", wire.attachment, "the attachment")

    def delete_attachment(self, attachment_id: str) -> None:
        """Delete an attachment for good: ``DELETE /v3/attachments/{attachmentId}``."""
        self._read("DELETE", f"/v3/attachments/{_segment(attachment_id)}", "deleting the attachment")

    # --- chats, messages, lines ---

    def chats(self, *, from_: str | None = None, to: str | None = None, limit: int | None = None) -> Iterator[Chat]:
        """Walk the chats, page by page; each once, though pages may shift while they are read."""
        return self._walk("/v3/chats", "chats", wire.chat, "the chats", limit, from_=from_, to=to)

    def chat(self, chat_id: str) -> Chat:
        """Read a chat: ``GET /v3/chats/{chatId}``."""
        return self._one("GET", f"/v3/chats/{_segment(chat_id)}", wire.chat, "the chat")

    def messages(self, chat_id: str, *, limit: int | None = None) -> Iterator[Message]:
        """Walk the messages of a chat in Linq's order, which is not documented: sort by ``created_at``."""
        path = f"/v3/chats/{_segment(chat_id)}/messages"
        return self._walk(path, "messages", wire.message, "the chat's messages", limit)

    def message(self, message_id: str) -> Message:
        """Read a message: ``GET /v3/messages/{messageId}``."""
        return self._one("GET", f"/v3/messages/{_segment(message_id)}", wire.message, "the message")

    def message_answer(self, message_id: str) -> tuple[Message, Answer]:
        """Read a message, with the answer as it came, for the journal."""
        answer = self._read("GET", f"/v3/messages/{_segment(message_id)}", "the message")
        return self._parsed(answer, "the message", lambda a: wire.record(a, wire.message)), answer

    def phone_numbers(self) -> list[Line]:
        """List your lines: ``GET /v3/phone_numbers``."""
        answer = self._read("GET", "/v3/phone_numbers", "your lines")
        return self._parsed(answer, "your lines", lambda a: wire.page(a, "phone_numbers", wire.line)[0])

    # --- capability ---

    def check_imessage(self, address: str, *, from_: str | None = None) -> Capability:
        """Ask whether an address takes iMessage; Linq allows one check in 10 seconds."""
        return self._check("imessage", "iMessage", address, from_)

    def check_rcs(self, address: str, *, from_: str | None = None) -> Capability:
        """Ask whether a number takes RCS; ``available`` is None when Linq cannot tell (503/4004, 4009, 4010)."""
        try:
            return self._check("rcs", "RCS", address, from_)
        except ApiError as error:
            if error.status != 503 or error.code not in (4004, 4009, 4010):
                raise
            return Capability(address=address, service="RCS", available=None, reason=f"503/{error.code}")

    def _check(self, kind: str, service: str, address: str, from_: str | None) -> Capability:
        body = wire.query(address=address, from_=from_)
        path = f"/v3/capability/check_{kind}"
        return self._one("POST", path, lambda raw: wire.capability(raw, service), f"the {service} check", body=body)

    # --- webhook subscriptions ---

    def webhook_events(self) -> list[str]:
        """List the event types that Linq knows; the list is never closed."""
        answer = self._read("GET", "/v3/webhook-events", "the event types")
        events = answer.body.get("events")
        return [one for one in events if isinstance(one, str)] if isinstance(events, list) else []

    def subscriptions(self) -> list[Subscription]:
        """List the webhook subscriptions, active or not."""
        answer = self._read("GET", "/v3/webhook-subscriptions", "the webhook subscriptions")
        return self._parsed(
            answer, "the webhook subscriptions", lambda a: wire.page(a, "subscriptions", wire.subscription)[0]
        )

    def subscription(self, subscription_id: str) -> Subscription:
        """Read a webhook subscription."""
        path = f"/v3/webhook-subscriptions/{_segment(subscription_id)}"
        return self._one("GET", path, wire.subscription, "the webhook subscription")

    def create_subscription(
        self, target_url: str, events: list[str], *, phone_numbers: list[str] | None = None
    ) -> Subscription:
        """Create a webhook subscription; its ``signing_secret`` comes this once only, so it is not repeated."""
        body: dict[str, Any] = {"target_url": target_url, "subscribed_events": list(events)}
        body |= {"phone_numbers": list(phone_numbers)} if phone_numbers else {}
        path, doing = "/v3/webhook-subscriptions", "the webhook subscription"
        try:
            answer = self._once("POST", path, body=body)
        except NoAnswer as failure:
            raise NotSent(
                f"{doing} got no answer ({failure}); if it was made, its secret is lost: "
                "list the subscriptions, delete it and create it again"
            ) from None
        return self._parsed(self._success(answer, doing), doing, lambda a: wire.record(a, wire.subscription))

    def update_subscription(self, subscription_id: str, **fields: Any) -> Subscription:
        """Change a webhook subscription; what is not given stays (``is_active``, ``target_url``, ...)."""
        path = f"/v3/webhook-subscriptions/{_segment(subscription_id)}"
        return self._one("PUT", path, wire.subscription, "the webhook subscription", body=fields)

    def delete_subscription(self, subscription_id: str) -> None:
        """Delete a webhook subscription."""
        path = f"/v3/webhook-subscriptions/{_segment(subscription_id)}"
        self._read("DELETE", path, "deleting the webhook subscription")

    # --- how requests are made ---

    def _one(self, method: str, path: str, read: Callable[[wire.Raw], T], doing: str, *, body: Any = None) -> T:
        answer = self._read(method, path, doing, body=body)
        return self._parsed(answer, doing, lambda a: wire.record(a, read))

    def _walk(
        self,
        path: str,
        key: str,
        read: Callable[[wire.Raw], T],
        doing: str,
        limit: int | None,
        **params: Any,
    ) -> Iterator[T]:
        if limit is not None and limit < 1:
            return
        cursor: str | None = None
        seen: set[str] = set()
        barren = 0
        while barren < MAX_BARREN_PAGES:
            known = len(seen)
            page = wire.query(limit=min(limit or 100, 100), cursor=cursor, **params)
            answer = self._read("GET", path, doing, params=page)
            records, cursor = self._parsed(answer, doing, lambda a: wire.page(a, key, read))
            for record in records:
                name = getattr(record, "chat_id" if key == "chats" else "message_id")
                if name not in seen:
                    seen.add(name)
                    yield record
                if limit is not None and len(seen) >= limit:
                    return
            if cursor is None:
                return
            barren = barren + 1 if len(seen) == known else 0

    def _read(
        self, method: str, path: str, doing: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Make a request that sends nobody anything, repeated on faults that pass."""
        try:
            answer = self._repeated("read", method, path, params=params, body=body)
        except NoAnswer as failure:
            raise NotSent(
                f"Linq could not be asked for {doing} ({failure}); nothing was sent; check the network, run it again"
            ) from None
        return self._success(answer, doing)

    def _success(self, answer: Answer, doing: str) -> Answer:
        if answer.is_success:
            return answer
        if 300 <= answer.http_status < 400:
            raise wire.unreadable(answer, doing, "it is a redirect, which is not followed")
        raise wire.error_of(answer, doing)

    def _parsed(self, answer: Answer, doing: str, read: Callable[[Answer], T]) -> T:
        try:
            return read(answer)
        except Unreadable as error:
            raise wire.unreadable(answer, doing, str(error)) from None

    def _repeated(
        self,
        kind: rules.Kind,
        method: str,
        path: str,
        before: Callable[[], None] = _nothing,
        between: Callable[[], None] = _nothing,
        rest: Callable[[float], None] | None = None,
        **request: Any,
    ) -> Answer:
        """Make a request until it is answered for good or ``rules`` says that it is enough."""
        steps, rest = rules.steps(kind), rest or self.rest
        step: rules.Post | rules.Pause = next(steps)
        try:
            while True:
                if isinstance(step, rules.Pause):
                    between()
                    if step.is_rate_limit:
                        self.throttle.limit(step.seconds)
                    rest(step.seconds)
                    step = next(steps)
                    continue
                if wait := self.turn_in():
                    between()
                    rest(wait)
                before()
                step = steps.send(self._outcome(method, path, **request))
        except StopIteration as end:
            outcome: Answer | NoAnswer = end.value
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome

    def _outcome(self, method: str, path: str, **request: Any) -> Answer | NoAnswer:
        try:
            return self._once(method, path, **request)
        except NoAnswer as failure:
            return failure

    def rest(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Pause for so many seconds, or until ``is_over``, which is asked where time is real."""
        self.throttle.pause(seconds, is_over)

    def turn_in(self) -> float:
        return self.throttle.rate_limit_wait_s()

    def _once(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes = b"",
        headers: Headers = (),
        ours: bool = True,
        at_write: Callable[[], None] = _nothing,
    ) -> Answer:
        """Make one request, to Linq with the key, or not ``ours`` and without it; raises NoAnswer."""
        if body is not None:
            content = wire.to_bytes(body)
        deadline, sent = time.monotonic() + self.timeout, Body(content, at_write)
        reply, lane = None, self._taken_lane()
        try:
            if ours:
                reply = lane.to_linq(method, f"{path}?{urlencode(params)}" if params else path, sent, deadline)
            else:
                reply = lane.elsewhere(method, path, headers, sent)
                deadline = time.monotonic() + self.timeout  # what took long was the upload, not the answer
            answer = self._answer(reply, deadline)
        except FAULTS as error:
            raise NoAnswer(_reason(error, self.timeout), left=sent.left(error)) from None
        finally:
            if reply is not None:
                reply.close()
            self._give_back(lane)
        if ours and (server_time := answer.server_time):
            self.clock_ahead = server_time - answer.at
        return answer

    def _answer(self, reply: Reply, deadline: float) -> Answer:
        """Read an answer, but not more of it than is sensible and not for longer than the time limit."""
        chunks: list[bytes] = []
        size = 0
        try:
            for chunk in reply.chunks:
                chunks.append(chunk)
                size += len(chunk)
                if size > wire.MAX_ANSWER_BYTES:
                    break
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer did not end in time")
        except FAULTS as error:
            begun = self._read_answer(reply, chunks)
            raise NoAnswer(_reason(error, self.timeout), left=True, begun=begun) from None
        return self._read_answer(reply, chunks)

    def _read_answer(self, reply: Reply, chunks: list[bytes]) -> Answer:
        data = b"".join(chunks)
        return Answer(
            http_status=reply.status,
            text=self._without_key(data[: wire.MAX_ANSWER_BYTES].decode("utf-8", "replace")),
            at=self._now(),
            headers={
                name: self._without_key(value)
                for name in _KEPT_HEADERS
                if (value := reply.headers.get(name)) is not None
            },
            cut=len(data) > wire.MAX_ANSWER_BYTES,
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._key.reveal(), "[token]")

    def _may_upload_to(self, url: str) -> bool:
        """Whether bytes may go to this address: https, or this machine where Linq itself is on it."""
        try:
            where = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        here = is_loopback(httpx.URL(self.base_url).host)
        return where.scheme == "https" or (where.scheme == "http" and here and is_loopback(where.host))

    def _taken_lane(self) -> Lane:
        """Return a way to Linq that nobody else uses until it is given back: the one used last, or a new one."""
        with self._lock:
            if self._free:
                return self._free.pop()
            made = Lane(self.base_url, self._key, self.timeout, self._transport)
            self._lanes.add(made)
            return made

    def _give_back(self, lane: Lane) -> None:
        """Let others use a way to Linq; one that nobody needed for long is closed."""
        lane.rested_at = time.monotonic()
        with self._lock:
            self._free.append(lane)
            old = self._free.pop(0) if lane.rested_at - self._free[0].rested_at > KEEP_ALIVE_S else None
            if old is not None:
                self._lanes.discard(old)
        if old is not None:
            old.close()


def taken(answer: Answer, chat_id: str, chat_label: Callable[[], str]) -> Answer:
    """Return an answer to a memo that says that Linq took it; raises ApiError or OutcomeUnknown for any other."""
    outcome = rules.memo_outcome(answer.http_status)
    if outcome in ("rejected", "not_sent"):
        raise wire.error_of(answer, f"the voice memo for {chat_label()}")
    if outcome == "unknown":
        raise wire.unknown_of(answer, chat_label())
    try:
        wire.message_id(answer, chat_id)
    except Unreadable as error:
        raise wire.unknown_of(answer, chat_label(), f"the answer cannot be read, {error}") from None
    return answer


def require_accepted(outcome: Answer | NoAnswer, chat_id: str, label: str) -> Answer:
    """Return the answer to a memo when it says that Linq accepted it for this chat; ``label`` names the chat.

    Raises ApiError when Linq said no, NotSent when the request did not reach Linq, OutcomeUnknown for anything else.
    """
    if isinstance(outcome, NoAnswer):
        if not outcome.left:
            raise NotSent(f"the voice memo for {label} did not reach Linq ({outcome}); nothing was sent; run it again")
        if outcome.begun is None:
            raise no_answer(f"the voice memo for {label}", outcome)
        outcome = outcome.begun
    return taken(outcome, chat_id, lambda: label)


def no_answer(doing: str, why: object) -> OutcomeUnknown:
    """Make the exception for a memo that left and got no answer at all."""
    return OutcomeUnknown(
        f"{doing} left and no answer came ({why}): it may have been sent or not, and is not sent "
        "again; outbox.reconcile() reads the chat to find out"
    )


def _reason(error: Exception, timeout: float) -> str:
    """Say in a few words why there was no answer."""
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in {timeout:g} s"
    if isinstance(error, httpx.ConnectError):
        return clean(str(error), 120) or "no connection"
    return clean(str(error), 120) or type(error).__name__


def _segment(text: str) -> str:
    """Quote an id for a path, since a subscription's is a free string."""
    return text if _IS_PLAIN(text) else quote(text, safe="")


_IS_PLAIN = re.compile(r"[0-9A-Za-z-]+").fullmatch
