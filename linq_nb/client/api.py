"""Linq's Partner API v3, one method for each endpoint that voice memos and their audit need."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx

from linq_nb import answer_errors, proof, rules, wire
from linq_nb.client import bodies, diagnosis
from linq_nb.client.exchange import Check, Exchanges, nothing
from linq_nb.client.throttle import Throttle
from linq_nb.clocks import Skew, SkewMeter, steady_s, utc_now
from linq_nb.errors import ApiError
from linq_nb.hosts import is_loopback, is_private_host
from linq_nb.model import Attachment, Chat, Line, Message, Reputation, Subscription
from linq_nb.secret import HiddenBytes, Secret
from linq_nb.wire import Answer, NoAnswer, Unreadable

T = TypeVar("T")

_WEBHOOKS = "/v3/webhook-subscriptions"

SLOWEST_UPLOAD_BYTES_S = 20_000
"""An upload gets the time that its bytes take at this rate, and then the time limit of any request."""

MAX_PAGES_WITHOUT_NEWS = 20
"""A walk ends after so many pages in a row that bring nothing new, whatever cursor they give."""


class Client:
    """Linq's Partner API v3, the part that voice memos and their audit need.

    ``timeout`` is in seconds, for each request as a whole. Reads and uploads are repeated as ``rules`` allows, and
    after a refusal on a reused connection; they return records. ``post_memo`` makes one request and returns its
    answer. Raises ApiError and its kinds when Linq says no, NotSent when a request got no answer, SettingsError when
    this machine's setup is why. ``steady`` gives seconds that go on with the real time whatever happens to the wall
    clock ``now``; without it a ``now`` of the caller's is all the time there is.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        throttle: Throttle | None = None,
        now: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.base_url, self.timeout = base_url, timeout
        self.throttle = throttle or Throttle()
        self.steady = steady or (steady_s if now is utc_now else lambda: now().timestamp())
        self._meter = SkewMeter(self.steady)
        self._exchanges = Exchanges(base_url, api_key, transport=transport, now=now)

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._exchanges.close()

    def diagnose(self) -> list[tuple[str, str]]:
        """Return what was found for each part of the way to Linq: proxy, DNS, certificate. Sends no request."""
        if not self._exchanges.is_ours:
            return [("network", "not used: the transport is the demo's or the caller's")]
        return diagnosis.of_way(self.base_url)

    # --- the memo ---

    def post_memo(
        self,
        chat_id: str,
        *,
        voice_memo_url: str | None = None,
        attachment_id: str | None = None,
        override_optout: bool = False,
        force_notify: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        at_write: Callable[[], None] = nothing,
        at_accepted: Callable[[Answer], None] = nothing,
    ) -> Answer:
        """Make one request that sends a memo, and return Linq's answer, whatever it is; nothing is repeated.

        ``at_write`` is called when the connection stands, right before the first byte goes out; when it raises,
        nothing is sent. ``at_accepted`` is called with a 2xx that proves to be about this memo, before anything else
        may use the connection; when it raises, the connection is closed. Raises NoAnswer when no whole answer came.
        ``rules.pause_after`` says whether to ask again, ``require_accepted`` what the last outcome means.
        """

        def check(answer: Answer) -> None:
            proof.accepted_memo(answer, chat_id, attachment_id)
            at_accepted(answer)

        body = bodies.memo_body(
            voice_memo_url=voice_memo_url,
            attachment_id=attachment_id,
            override_optout=override_optout,
            force_notify=force_notify,
            extra=extra,
        )
        content = HiddenBytes(bodies.to_bytes(body))
        return self._ask_linq("POST", f"/v3/chats/{_segment(chat_id)}/voicememo", content, at_write, check)

    # --- attachments ---

    def create_attachment(
        self, filename: str, content_type: str, size_bytes: int, is_new: Callable[[str], bool] = lambda _: True
    ) -> Attachment:
        """Announce an upload: ``POST /v3/attachments``; its ``upload_url`` lives 15 minutes.

        ``is_new`` says whether an attachment id is not that of other bytes.
        """

        def announced_upload(raw: wire.Raw) -> Attachment:
            attachment = proof.upload(raw, size_bytes)
            if not is_new(attachment.attachment_id):
                raise Unreadable("it names the attachment of another file")
            return attachment

        body = bodies.attachment_body(filename, content_type, size_bytes)
        announced = self._read_one("POST", "/v3/attachments", announced_upload, "the upload", body=body)
        if not announced.upload_url or not self._may_upload_to(announced.upload_url):
            raise ApiError(
                "Linq gave no https address on the public internet to upload to; nothing was sent; run it again"
            )
        return announced

    def upload(self, attachment: Attachment, data: bytes) -> None:
        """PUT the bytes to the address of the announcement, without the key.

        Repeated on faults, since a PUT before ``expires_at`` overwrites itself; all tries have one deadline.
        """
        url, headers = attachment.upload_url or "", attachment.required_headers
        deadline = time.monotonic() + self.timeout + len(data) / SLOWEST_UPLOAD_BYTES_S
        outcome = self._repeat(
            "upload",
            lambda: self._exchanges.put(
                url, headers, data, self.timeout, deadline, is_public=not self._is_private_base
            ),
        )
        if isinstance(outcome, NoAnswer):
            raise outcome.not_sent(f"the upload got no answer ({outcome}); nothing was sent; run it again")
        if not outcome.is_success:
            raise ApiError(
                f"the upload was refused by the file storage (HTTP {outcome.http_status}); nothing was sent; "
                "run it again",
                status=outcome.http_status,
                trace_id=outcome.trace_id,
            )

    # --- chats, messages, lines ---

    def chats(self, *, from_: str | None = None, to: str | None = None, limit: int | None = None) -> Iterator[Chat]:
        """Walk the chats, page by page; each once, though pages may shift while they are read."""

        def read(answer: Answer) -> wire.Page[Chat]:
            chats, cursor = wire.page(answer, "chats", wire.chat)
            return proof.chats_of(chats, from_, to), cursor

        chats = self._walk("/v3/chats", read, "chat_id", "the chats", limit, {"from": from_, "to": to})
        return map(self._placed, chats)

    def chat(self, chat_id: str) -> Chat:
        """Read a chat: ``GET /v3/chats/{chatId}``."""
        path = f"/v3/chats/{_segment(chat_id)}"
        return self._placed(self._read_one("GET", path, lambda raw: proof.chat(raw, chat_id), "the chat"))

    def _placed(self, chat: Chat) -> Chat:
        return dataclasses.replace(chat, base_url=self.base_url)

    def messages(
        self,
        chat_id: str,
        *,
        limit: int | None = None,
        times: list[datetime | None] | None = None,
        others: list[Message] | None = None,
    ) -> Iterator[Message]:
        """Walk the messages of a chat in Linq's order, which is not documented: sort by ``created_at``.

        ``times`` gets the server's time of each page, None where the answer has none; ``others`` gets the messages in
        the list that name another chat, which are left out.
        """

        def read(answer: Answer) -> wire.Page[Message]:
            messages, cursor = wire.page(answer, "messages", wire.message)
            of_chat = proof.messages_of(messages, chat_id)
            if times is not None:
                times.append(answer.server_time)
            if others is not None:
                others.extend(message for message in messages if message not in of_chat)
            return of_chat, cursor

        return self._walk(f"/v3/chats/{_segment(chat_id)}/messages", read, "message_id", "the chat's messages", limit)

    def message_answer(self, message_id: str, chat_id: str | None = None) -> tuple[Message, Answer]:
        """Read a message, of this chat where it is known, with the answer as it came, for the journal."""
        path = f"/v3/messages/{_segment(message_id)}"
        return self._read(
            "GET", path, "the message", lambda answer: (proof.message(answer.json(), message_id, chat_id), answer)
        )

    def phone_numbers(self) -> list[Line]:
        """List your lines: ``GET /v3/phone_numbers``."""
        return self._read_list("/v3/phone_numbers", "phone_numbers", wire.line, "your lines")

    def start_reputation_audit(self, number: str) -> Answer:
        """Start an audit of a line, or pick up the one that runs; returns the answer, with its ``audit_id``.

        A 429 is not waited for: it says how long no new audit of this line may start.
        """

        def read(answer: Answer) -> Answer:
            wire.reputation(answer.json(), number)
            return answer

        return self._read("POST", _of_line(number), "the reputation audit", read, kind="start")

    def reputation_audit(self, number: str, audit_id: str) -> tuple[Reputation, Answer]:
        """Read an audit of a line, with the answer as it came, for the journal."""
        return self._read(
            "GET",
            f"{_of_line(number)}/{_segment(audit_id)}",
            "the reputation audit",
            lambda answer: (proof.reputation(answer.json(), number, audit_id), answer),
        )

    # --- webhook subscriptions ---

    def subscriptions(self) -> list[Subscription]:
        """List the webhook subscriptions, active or not."""
        return self._read_list(_WEBHOOKS, "subscriptions", wire.subscription, "the webhook subscriptions")

    def create_subscription(
        self,
        target_url: str,
        events: list[str],
        *,
        phone_numbers: list[str] | None = None,
        routing_key_header: str | None = None,
        routing_id_header: str | None = None,
    ) -> Subscription:
        """Create a webhook subscription; its ``signing_secret`` comes this once only, so it is not repeated."""
        body: dict[str, Any] = {"target_url": target_url, "subscribed_events": list(events)}
        body |= {"phone_numbers": list(phone_numbers)} if phone_numbers else {}
        headers = {"routing_key_header": routing_key_header, "routing_id_header": routing_id_header}
        body |= {name: value for name, value in headers.items() if value is not None}
        doing = "the webhook subscription"

        def read(answer: Answer) -> Subscription:
            return proof.subscription(answer.json(), target_url)

        try:
            answer = self._ask_linq("POST", _WEBHOOKS, bodies.to_bytes(body), check=read)
        except NoAnswer as failure:
            raise failure.not_sent(
                f"{doing} got no answer ({failure}); if it was made, its secret is lost: "
                "list the subscriptions, delete it and create it again"
            ) from None
        return _parsed(answer, doing, read)

    def delete_subscription(self, subscription_id: str) -> None:
        """Delete a webhook subscription."""
        path = f"{_WEBHOOKS}/{_segment(subscription_id)}"
        self._read("DELETE", path, "deleting the webhook subscription", nothing)

    # --- how requests are made ---

    def skew(self, now: datetime) -> Skew | None:
        """Return how far Linq's clock is ahead of one of ours that shows ``now``, None when no answer told."""
        return self._meter.skew(now)

    def _read_one(self, method: str, path: str, read: Callable[[wire.Raw], T], doing: str, *, body: Any = None) -> T:
        return self._read(method, path, doing, lambda answer: read(answer.json()), body=body)

    def _read_list(self, path: str, key: str, read: Callable[[wire.Raw], T], doing: str) -> list[T]:
        return self._read("GET", path, doing, lambda answer: list(wire.page(answer, key, read)[0]))

    def _walk(
        self,
        path: str,
        read: Callable[[Answer], wire.Page[T]],
        id_name: str,
        doing: str,
        limit: int | None,
        filters: Mapping[str, str | None] | None = None,
    ) -> Iterator[T]:
        if limit is not None and limit < 1:
            return
        cursor: str | None = None
        ids: set[str] = set()
        pages_without_news = 0
        while pages_without_news < MAX_PAGES_WITHOUT_NEWS:
            ids_before = len(ids)
            page = {"limit": min(limit or 100, 100), "cursor": cursor, **(filters or {})}
            query = urlencode({name: value for name, value in page.items() if value is not None})
            records, cursor = self._read("GET", f"{path}?{query}", doing, read)
            for record in records:
                if (record_id := getattr(record, id_name)) not in ids:
                    ids.add(record_id)
                    yield record
                if limit is not None and len(ids) >= limit:
                    return
            if cursor is None:
                return
            pages_without_news = pages_without_news + 1 if len(ids) == ids_before else 0

    def _read(
        self,
        method: str,
        target: str,
        doing: str,
        read: Callable[[Answer], T],
        *,
        body: Any = None,
        kind: rules.Kind = "read",
    ) -> T:
        """Make a request that sends no message, with retries; ``read`` reads its answer.

        The answer is read while its connection is held: what cannot be read, or is about something else, closes it.
        """
        content = b"" if body is None else bodies.to_bytes(body)
        results: list[T] = []

        def check(answer: Answer) -> None:
            results.append(read(answer))

        def ask() -> Answer:
            return self._ask_linq(method, target, content, check=check)

        outcome = self._repeat(kind, ask)
        while (  # it may be the late refusal of an earlier request: ask again on another connection
            isinstance(outcome, Answer)
            and outcome.is_on_reused_connection
            and rules.memo_outcome(outcome.http_status) == "rejected"
        ):
            outcome = self._repeat(kind, ask)
        if results:
            return results[-1]
        if isinstance(outcome, NoAnswer):
            raise outcome.not_sent(
                f"no answer from Linq for {doing} ({outcome}); nothing was sent; check the network and run it again"
            )
        return _parsed(outcome, doing, read)

    def _repeat(self, kind: rules.Kind, request: Callable[[], Answer]) -> Answer | NoAnswer:
        """Make a request as often as ``rules`` says; returns the last outcome."""
        tries = 0
        while True:
            self.throttle.wait_turn()
            try:
                outcome: Answer | NoAnswer = request()
            except NoAnswer as failure:
                outcome = failure
            tries += 1
            pause = rules.pause_after(kind, tries, outcome)
            if pause is None:
                return outcome
            wait = self.throttle.back_off if pause.is_rate_limit else self.throttle.pause
            wait(pause.seconds)

    def _ask_linq(
        self,
        method: str,
        target: str,
        content: bytes = b"",
        at_write: Callable[[], None] = nothing,
        check: Check = nothing,
    ) -> Answer:
        """Make one request to Linq, and note how far its clock is ahead of ours. Raises NoAnswer."""
        asked_at = self.steady()
        answer = self._exchanges.to_linq(method, target, content, self.timeout, at_write, check)
        is_from_cache = answer.headers.get("age", "0").strip() not in ("", "0")  # its Date is of an earlier time
        if not is_from_cache and (server_time := answer.server_time) is not None:
            self._meter.note(server_time, asked_at)
        return answer

    def _may_upload_to(self, url: str) -> bool:
        """Whether bytes may go to this address: https on the public internet; where Linq is private, private ones."""
        try:
            where = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        if self._is_private_base:
            is_local = is_loopback(httpx.URL(self.base_url).host)
            return where.scheme == "https" or (where.scheme == "http" and is_local and is_loopback(where.host))
        return where.scheme == "https" and not is_private_host(where.host)

    @property
    def _is_private_base(self) -> bool:
        """Whether Linq itself is not on the public internet, as a demo or a test is not."""
        return is_private_host(httpx.URL(self.base_url).host)


def _parsed(answer: Answer, doing: str, read: Callable[[Answer], T]) -> T:
    """Return what ``read`` makes of an answer; raises ApiError when it says no or cannot be read."""
    if 300 <= answer.http_status < 400:
        raise answer_errors.unreadable(answer, doing, "it is a redirect, which is not followed")
    if not answer.is_success:
        raise answer_errors.error_of(answer, doing)
    try:
        return read(answer)
    except Unreadable as error:
        raise answer_errors.unreadable(answer, doing, str(error)) from None


def _of_line(number: str) -> str:
    return f"/v3/phone_numbers/{_segment(number)}/reputation_audit"


def _segment(text: str) -> str:
    """Quote an id for a path, since a subscription's is a free string."""
    return text if _IS_PLAIN(text) else quote(text, safe="")


_IS_PLAIN = re.compile(r"[0-9A-Za-z-]+").fullmatch
