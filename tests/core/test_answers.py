"""An answer to another request changes no send, selects no recipient and repeats no memo."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from core_samples import ATTACHMENT_ID, CHAT_ID, MESSAGE_ID, accepted_body, error_body, memo
from raw_server import RawServer, answer, answer_bytes, by_target
from shared import HANG_S, quick_first, wait_for

from linq_nb import ApiError, Draft, Outbox, OutcomeUnknown, VoiceMemo
from linq_nb.client import Client
from linq_nb.outbox import session_of

OTHER_CHAT = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
OTHER_MESSAGE = "0f0e0d0c-1111-4222-8333-444455556666"
LINE, ADA = "+12025550100", "+12025550111"


def chat_body(chat_id: str = CHAT_ID, name: str = "Ada", line: str = LINE, handle: str = ADA) -> dict[str, Any]:
    people = [{"handle": line, "is_me": True}, {"handle": handle, "is_me": False}]
    return {"id": chat_id, "display_name": name, "is_group": False, "service": "iMessage", "handles": people}


def message_body(**fields: Any) -> dict[str, Any]:
    part = {"type": "media", "id": ATTACHMENT_ID, "filename": "hello.wav", "mime_type": "audio/x-wav"}
    given = {"id": MESSAGE_ID, "chat_id": CHAT_ID, "is_from_me": True, "delivery_status": "delivered"}
    return {**given, "parts": [part | {"size_bytes": 8044}], **fields}


def announced_body(size_bytes: int) -> dict[str, Any]:
    headers = {"Content-Length": size_bytes}
    return {"attachment_id": ATTACHMENT_ID, "upload_url": "https://up.example/x", "required_headers": headers}


# --- each read ---

READS = {
    "a chat": (lambda c: c.chat(CHAT_ID), chat_body(OTHER_CHAT), chat_body(CHAT_ID.upper())),
    "a message": (
        lambda c: c.message_answer(MESSAGE_ID, CHAT_ID),
        message_body(id=OTHER_MESSAGE),
        message_body(id=MESSAGE_ID.upper(), chat_id=CHAT_ID.upper()),
    ),
    "a message of a chat": (
        lambda c: c.message_answer(MESSAGE_ID, CHAT_ID),
        message_body(chat_id=OTHER_CHAT),
        message_body(chat_id=None),
    ),
    "the messages of a chat": (
        lambda c: list(c.messages(CHAT_ID)),
        {"messages": [message_body(chat_id=OTHER_CHAT)]},
        {"messages": [message_body(chat_id=CHAT_ID.upper()), message_body(id="m2", chat_id=OTHER_CHAT)]},
    ),
    "the chats of a line": (
        lambda c: list(c.chats(from_="+1 (202) 555-0100")),
        {"chats": [chat_body(line="+12025550199")]},
        {"chats": [chat_body()]},
    ),
    "the chats with a person": (
        lambda c: list(c.chats(to="Ada@Example.com")),
        {"chats": [chat_body()]},
        {"chats": [chat_body(handle="ada@example.com")]},
    ),
    "an upload": (
        lambda c: c.create_attachment("a.wav", "audio/x-wav", 5),
        announced_body(6),
        announced_body(5),
    ),
    "a webhook subscription": (
        lambda c: c.create_subscription("https://me.example", ["message.sent"]),
        {"id": "s", "target_url": "https://you.example", "signing_secret": "whsec_x"},
        {"id": "s", "target_url": "https://me.example", "signing_secret": "whsec_x"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READS)
def test_an_answer_about_something_else_is_an_error_and_closes_its_connection(
    client: Client, server: RawServer, case: str
) -> None:
    read, of_another, of_this = READS[case]
    server.will(answer(200, of_another), answer(200, of_this))
    with pytest.raises(ApiError, match=r"cannot be read: it tells of .*nothing was sent"):
        read(client)
    assert read(client)
    assert read(client)
    assert [request.connection for request in server.requests] == [1, 2, 2]


@pytest.mark.parametrize("before", [0, 1])
def test_a_read_error_counts_at_once_on_a_new_connection_and_is_confirmed_on_a_reused_connection(
    client: Client, server: RawServer, before: int
) -> None:
    server.will(*[answer(200, chat_body())] * before, answer(401, error_body(401, 2004)))
    for _ in range(before):
        client.chat(CHAT_ID)
    with pytest.raises(ApiError, match="401/2004"):
        client.chat(CHAT_ID)
    assert [request.connection for request in server.requests] == [1] + [1, 2] * before


def test_no_other_request_uses_a_connection_while_its_error_is_being_confirmed(
    client: Client, server: RawServer
) -> None:
    server.will(answer(200, chat_body()), answer(429, error_body(429, 1007), Retry_After="1"), answer(200, chat_body()))
    client.chat(CHAT_ID)
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(client.post_memo, CHAT_ID, attachment_id=ATTACHMENT_ID)
        wait_for(lambda: len(server.requests) == 2)
        client.chat(CHAT_ID)
        assert posted.result().http_status == 429
    assert [request.connection for request in server.requests] == [1, 1, 2]


@pytest.mark.parametrize("spelling", ["+12025550111", "(202) 555-0111", "001 202 555 0111", " 1-202-555-0111"])
def test_a_person_is_found_in_a_chat_by_any_spelling_of_the_number(
    client: Client, server: RawServer, spelling: str
) -> None:
    server.will(answer(200, {"chats": [chat_body(), chat_body(OTHER_CHAT, handle="+12025550112")]}))
    assert [chat.chat_id for chat in client.chats(to=spelling)] == [CHAT_ID]


def test_only_the_requested_chats_of_a_page_are_returned(client: Client, server: RawServer) -> None:
    unnamed = {"id": "3", "handles": []}
    server.will(answer(200, {"chats": [chat_body("1"), chat_body("2", line="+12025550199"), unnamed]}))
    assert [chat.chat_id for chat in client.chats(from_=LINE)] == ["1", "3"]


# --- effects on a send ---


def linq(voicememo: Any = None, chat: Any = None, **others: Any) -> Any:
    """Answer as Linq does, but for the given calls."""
    answers = {
        "voicememo": voicememo or answer(202, accepted_body()),
        "messages": others.get("messages", answer(200, {"messages": []})),
        "phone_numbers": answer(200, {"phone_numbers": []}),
        "chats?": answer(200, {"chats": []}),
        "chats": chat or answer(200, chat_body()),
    }
    return by_target(**answers)


def uploaded(attachment_id: str = ATTACHMENT_ID) -> VoiceMemo:
    return VoiceMemo.from_attachment(attachment_id)


def test_a_memo_is_not_sent_to_a_chat_that_was_not_requested(live: Callable[..., Outbox], server: RawServer) -> None:
    outbox = live()
    server.will(linq(chat=answer(200, chat_body(OTHER_CHAT, "Bob"))))
    with pytest.raises(ApiError, match=r"another chat.*nothing was sent"):
        outbox.send(uploaded(), CHAT_ID)
    plan = outbox.plan([Draft(memo=uploaded(), chat=CHAT_ID)])
    assert [row.verdict for row in plan.rows] == ["refused"]
    assert "another chat" in plan.rows[0].why
    assert not server.memos
    server.will(linq())
    assert outbox.send(uploaded(), CHAT_ID).status == "queued"
    assert [request.target.split("/")[-2] for request in server.memos] == [CHAT_ID]


OF_ANOTHER = {
    "chat": accepted_body(chat={"id": OTHER_CHAT}),
    "attachment": accepted_body(voice_memo={"id": OTHER_MESSAGE}),
    "nothing": accepted_body(chat=None, voice_memo=None),
}


@pytest.mark.parametrize("case", OF_ANOTHER)
def test_a_memo_whose_answer_is_about_another_memo_is_unknown_and_the_answer_is_kept(
    live: Callable[..., Outbox], server: RawServer, case: str
) -> None:
    outbox = live()
    server.will(linq(answer(202, OF_ANOTHER[case], x_trace_id="t" * 32)))
    with pytest.raises(OutcomeUnknown, match="not sent again"):
        outbox.send(uploaded(), CHAT_ID)
    (send,) = outbox.sends()
    assert (send.status, send.message_id, send.http_status) == ("unknown", None, 202)
    (event,) = outbox.history(send)
    assert event.body["voice_memo"]["id"] == MESSAGE_ID
    if case != "nothing":
        assert send.trace_id is None, "a webhook of the other message would be taken for this one's"
    assert len(server.memos) == 1


def test_a_memo_whose_answer_names_the_message_of_another_send_is_unknown(
    live: Callable[..., Outbox], server: RawServer
) -> None:
    """As when Linq's answer to the first is delivered twice."""
    outbox = live()
    server.will(linq())
    first = outbox.send(uploaded(), CHAT_ID)
    with pytest.raises(OutcomeUnknown, match="names a message that another send has"):
        outbox.send(uploaded(), CHAT_ID, copy=2)
    again, second = outbox.sends()
    assert (again.message_id, second.message_id, second.status) == (first.message_id, None, "unknown")
    assert second.trace_id is None
    (event,) = outbox.history(second)
    assert event.body["voice_memo"]["id"] == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 1, 1]
    accepted = answer(202, accepted_body(id=OTHER_MESSAGE, chat={"id": OTHER_CHAT}))
    server.will(linq(accepted, answer(200, chat_body(OTHER_CHAT))))
    assert outbox.send(uploaded(), OTHER_CHAT).message_id == OTHER_MESSAGE
    assert server.requests[-1].connection == 2


def test_a_status_of_another_message_or_chat_changes_nothing(live: Callable[..., Outbox], server: RawServer) -> None:
    outbox = live()
    server.will(linq())
    send = outbox.send(uploaded(), CHAT_ID)
    for body in (message_body(id=OTHER_MESSAGE), message_body(chat_id=OTHER_CHAT)):
        server.will(answer(200, body))
        with pytest.raises(ApiError, match="it tells of"):
            outbox.refresh(send)
    (still,) = outbox.sends()
    assert (still.status, still.message_id) == ("queued", MESSAGE_ID)
    server.will(answer(200, message_body(id=MESSAGE_ID.upper())))
    assert [now.status for now in outbox.refresh(send)] == ["delivered"]


def test_a_message_is_expired_only_if_a_new_connection_confirms_it(
    live: Callable[..., Outbox], server: RawServer
) -> None:
    """A stray 404 on a reused connection is not enough."""
    outbox, none = live(), answer(404, error_body(404, 2002))
    server.will(linq())
    send = outbox.send(uploaded(), CHAT_ID)
    server.will(none, answer(200, message_body(delivery_status="sent")))
    assert [now.status for now in outbox.refresh(send)] == ["sent"]
    server.will(none)
    assert [now.status for now in outbox.refresh(send)] == ["expired"]


def test_a_listed_message_of_another_chat_changes_no_send(live: Callable[..., Outbox], server: RawServer) -> None:
    outbox = live()
    for number, name in enumerate((MESSAGE_ID, OTHER_MESSAGE)):
        server.will(linq(answer(202, accepted_body(id=name))))
        outbox.send(uploaded(), CHAT_ID, copy=number + 1)
    listed = [message_body(), message_body(id=OTHER_MESSAGE, chat_id=OTHER_CHAT)]
    not_there = answer(404, error_body(404, 2002))
    server.will(by_target(chats=answer(200, {"messages": listed}), messages=not_there))
    assert [send.status for send in outbox.refresh()] == ["delivered", "expired"]
    assert [message.message_id for message in outbox.messages(CHAT_ID)] == [MESSAGE_ID]


@pytest.mark.parametrize("mixed", [False, True])
def test_reconciling_ignores_messages_of_another_chat_and_does_not_report_not_found(
    live: Callable[..., Outbox], server: RawServer, mixed: bool
) -> None:
    outbox = live()
    server.will(linq(answer(500)))
    with pytest.raises(OutcomeUnknown):
        outbox.send(uploaded(), CHAT_ID)
    (send,) = outbox.sends()
    at = send.posted_at.isoformat()
    listed = [message_body(chat_id=OTHER_CHAT, created_at=at)]
    if mixed:
        old = "2020-01-01T00:00:00Z"
        listed.append(message_body(id="old", created_at=old, parts=[{"type": "text", "value": "hello"}]))
    server.will(linq(messages=answer(200, {"messages": listed})))
    session_of(outbox).client.timeout = -60.0  # so that the time in which the message can arrive is over
    (looked_for,) = outbox.reconcile()
    assert (looked_for.status, looked_for.message_id) == ("unknown", None)
    assert looked_for.reconcile_result == "ambiguous"
    server.will(linq(messages=answer(200, {"messages": [*listed, message_body(id=OTHER_MESSAGE, created_at=at)]})))
    session_of(outbox).client.timeout = HANG_S
    (reconciled,) = outbox.reconcile()
    assert (reconciled.reconcile_result, reconciled.message_id) == ("found", OTHER_MESSAGE)


def test_bytes_are_not_uploaded_over_those_of_another_memo(live: Callable[..., Outbox], server: RawServer) -> None:
    announced = {"attachment_id": ATTACHMENT_ID, "upload_url": f"{server.origin}/put/1"}
    server.will(
        by_target(put=answer(200), attachments=answer(200, announced), voicememo=answer(202, accepted_body()),
                  chats=answer(200, chat_body()))
    )  # fmt: skip
    first, second = live(), live()
    assert first.send(memo(330), CHAT_ID).status == "queued"
    for outbox in (first, second):
        with pytest.raises(ApiError, match=r"attachment of another file.*nothing was sent"):
            outbox.send(memo(440), CHAT_ID)
    assert sum(request.method == "PUT" for request in server.requests) == 1
    assert len(server.memos) == 1


@pytest.mark.parametrize("is_late", [False, True])
def test_a_429_that_another_answer_follows_is_not_repeated(
    live: Callable[..., Outbox], server: RawServer, is_late: bool
) -> None:
    """The 429 belongs to an earlier request, and comes while Linq is at work on the memo."""
    outbox = live()
    accepted, refused = answer_bytes(202, accepted_body()), answer_bytes(429, error_body(429, 1007), retry_after="0")

    def stray(server: RawServer, link: socket.socket) -> None:
        link.sendall(refused)
        server.stopping.wait(0.05 * is_late)
        link.sendall(accepted)

    server.will(linq(stray))
    with pytest.raises(OutcomeUnknown, match="two answers came"):
        outbox.send(uploaded(), CHAT_ID)
    assert len(server.memos) == 1
    assert [send.status for send in outbox.sends()] == ["unknown"]


# --- after a stray answer, every later answer on the connection belongs to the request before ---


@dataclass
class MixedUp:
    """A Linq behind something that delivers a stray answer once, and from then on each answer one request late.

    It remembers what it accepted, and refuses every fifth memo with a 429, of which it sends nothing.
    """

    origin: str
    stray: Callable[[MixedUp, str], bytes]
    every: int = 5
    """How many answers a connection delivers before a stray answer."""
    bubbles: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The chat and attachment of each message id."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._answers: defaultdict[socket.socket, deque[bytes]] = defaultdict(deque)
        self._served: Counter[socket.socket] = Counter()
        self.is_well = False

    def __call__(self, server: RawServer, link: socket.socket) -> None:
        request = server.current[link]
        with self._lock:
            answers = self._answers[link]
            self._served[link] += 1
            if self._served[link] % self.every == 0 and not self.is_well:
                answers.append(self.stray(self, request.target))
            answers.append(self._answer(request))
            data = answers.popleft()
        link.sendall(data)

    def _answer(self, request: Any) -> bytes:
        if request.method == "PUT":
            return answer_bytes(200)
        if request.target.endswith("/attachments"):
            name = str(uuid.uuid4())
            return answer_bytes(200, {"attachment_id": name, "upload_url": f"{self.origin}/put/{name}"})
        chat_id = next(iter(re.findall(r"/chats/([^/]+)", request.target)), "")
        if request.target.endswith("/voicememo"):
            if next(self._numbers) % 5 == 0:
                return answer_bytes(429, error_body(429, 1007), retry_after="0")
            message_id, attachment_id = str(uuid.uuid4()), request.json["attachment_id"]
            self.bubbles[message_id] = (chat_id, attachment_id)
            return self.accepted(message_id)
        if "/messages" in request.target:
            listed = [self._message(message_id) for message_id, where in self.bubbles.items() if where[0] == chat_id]
            return answer_bytes(200, {"messages": listed})
        if request.target.endswith("/phone_numbers"):
            return answer_bytes(200, {"phone_numbers": [{"phone_number": LINE}]})
        if chat_id == "":
            return answer_bytes(200, {"chats": [chat_body(chat_id) for chat_id in CHATS]})
        return answer_bytes(200, chat_body(chat_id))

    def accepted(self, message_id: str) -> bytes:
        chat_id, attachment_id = self.bubbles.get(message_id, (OTHER_CHAT, OTHER_MESSAGE))
        return answer_bytes(202, accepted_body(id=message_id, chat={"id": chat_id}, voice_memo={"id": attachment_id}))

    def _message(self, message_id: str) -> dict[str, Any]:
        chat_id, attachment_id = self.bubbles[message_id]
        part = {"type": "media", "id": attachment_id, "filename": "x.wav", "mime_type": "audio/x-wav"}
        return message_body(id=message_id, chat_id=chat_id, parts=[part], created_at=self.now())

    now: Callable[[], str] = lambda: "2026-03-02T09:00:00Z"


CHATS = [str(uuid.UUID(int=number, version=4)) for number in range(1, 9)]

STRAYS = {
    "accepted, of another chat": lambda linq, target: linq.accepted(OTHER_MESSAGE),
    "accepted, of the last memo": lambda linq, target: linq.accepted(next(reversed(linq.bubbles), OTHER_MESSAGE)),
    "a chat": lambda linq, target: answer_bytes(200, chat_body(OTHER_CHAT)),
    "the chat that comes next": lambda linq, target: answer_bytes(200, chat_body(CHATS[-1])),
    "an error": lambda linq, target: answer_bytes(500, error_body(500, 3006)),
    "no JSON": lambda linq, target: answer_bytes(200, b"<html>"),
    "an empty list": lambda linq, target: answer_bytes(200, {"messages": [], "chats": []}),
}  # fmt: skip


@pytest.mark.parametrize("workers", quick_first([1, 4]))
@pytest.mark.parametrize("case", quick_first(STRAYS))
def test_a_stray_answer_causes_no_second_bubble_and_assigns_no_message_to_another_send(
    live: Callable[..., Outbox], server: RawServer, case: str, workers: int
) -> None:
    mixed_up = MixedUp(server.origin, STRAYS[case])
    server.will(mixed_up)
    outbox = live()
    mixed_up.now = lambda: session_of(outbox).now().isoformat()
    memos = [memo(tone) for tone in (300, 400, 500)]
    drafts = [Draft(memo=voice_memo, chat=chat) for voice_memo in memos for chat in CHATS]
    mixed_up.is_well = True
    plan = outbox.plan(drafts)
    mixed_up.is_well = False
    outbox.send_all(plan, workers=workers, stop_after=0).wait()
    check(outbox, mixed_up)
    mixed_up.is_well = True
    for _ in range(3):
        for send in outbox.reconcile():
            if send.status == "unknown":  # Linq refused it, and the answer went astray
                outbox.resolve(send, "not_sent", reason="it is not in the chat")
        outbox.send_all(outbox.plan(drafts), workers=workers, stop_after=0).wait()
    check(outbox, mixed_up)
    assert {send.status for send in outbox.sends()} <= {"queued", "delivered"}
    assert len(outbox.sends()) == len(drafts)
    assert len(mixed_up.bubbles) == len(drafts)


def check(outbox: Outbox, mixed_up: MixedUp) -> None:
    """Check that no memo is in a chat twice, and that each send has its own message."""
    assert [where for where, number in Counter(mixed_up.bubbles.values()).items() if number > 1] == []
    sends = [send for send in outbox.sends() if send.message_id]
    assert len({send.message_id for send in sends}) == len(sends)
    assert {send.message_id: (send.chat_id, send.attachment_id) for send in sends}.items() <= mixed_up.bubbles.items()
    assert {send.status for send in outbox.sends()} <= {"queued", "delivered", "unknown", "not_sent", "rejected"}
