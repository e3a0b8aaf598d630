"""The client against a real server that answers well, badly or not at all."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from core_samples import ATTACHMENT_ID, CHAT_ID, MESSAGE_ID, TOKEN, accepted_body, an_answer, error_body
from raw_server import RawServer, answer, close, drip, raw, reset, silent
from shared import HANG_S, wait_for

from linq_nb import wire
from linq_nb.client import Client, Throttle
from linq_nb.clocks import utc_now
from linq_nb.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    LinqError,
    NotFoundError,
    NotSent,
    OutcomeUnknown,
    PermissionDeniedError,
    RateLimitError,
    SettingsError,
)
from linq_nb.model import Attachment
from linq_nb.proof import require_accepted
from linq_nb.secret import Secret
from linq_nb.wire import Answer, NoAnswer

OK = answer(202, accepted_body(), X_Trace_ID="a" * 32)


def send(client: Client, chat_id: str = CHAT_ID, label: str = "the chat", **memo: Any) -> Answer:
    """Send a memo with the repeats of the rules; returns the answer that accepts it."""
    fields = memo or {"attachment_id": ATTACHMENT_ID}
    return require_accepted(client._repeat("memo", lambda: client.post_memo(chat_id, **fields)), chat_id, label)


def refusal(status: int, code: int, **more: Any) -> Any:
    return answer(status, error_body(status, code, **more))


# --- a memo: accepted, refused, or unknown ---

UNCLEAR = {
    "reset before the answer": reset,
    "closed before the answer": close,
    "no answer in time": silent,
    "reset in the head": raw(b"HTTP/1.1 202 Acc", then="reset"),
    "closed in the head": raw(b"HTTP/1.1 202 Accepted\r\nContent-", then="close"),
    "half an answer": raw(b'HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"voice_memo":', then="close"),
    "half an answer, then silence": raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{", then="hang"),
    "drop by drop": drip(b" " * 500, 0.02, head=b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n"),
    "no HTTP": raw(b"hello\r\n\r\n", then="close"),
    "HTML": answer(200, b"<html>Sign in</html>"),
    "empty 202": answer(202),
    "204": answer(204),
    "202 without an id": answer(202, {"voice_memo": {"status": "queued"}}),
    "202 with an error in it": answer(202, error_body(400, 1001)),
    "202 of another chat": answer(202, accepted_body(chat={"id": MESSAGE_ID})),
    "301": answer(301, location="https://elsewhere.example/x"),
    "307": answer(307, location="/elsewhere"),
    "304": answer(304),
    "408": refusal(408, 1007),
    **{str(status): refusal(status, 3006) for status in (500, 501, 502, 503, 504, 599)},
    "503 with Retry-After": answer(503, error_body(503, 4004), retry_after="1"),
    "broken gzip": answer(202, b"no gzip at all", content_encoding="gzip"),
}

TIMED_OUT = ("no answer in time", "half an answer, then silence", "drop by drop")


@pytest.mark.parametrize("case", UNCLEAR)
def test_a_memo_without_a_clear_answer_is_unknown_and_posted_exactly_once(
    client: Client, server: RawServer, case: str
) -> None:
    server.will(UNCLEAR[case])
    if case in TIMED_OUT:
        client.timeout = 0.4
    with pytest.raises(OutcomeUnknown, match="not sent again") as caught:
        send(client)
    wait_for(lambda: server.requests)
    assert len(server.requests) == 1
    assert client.slept == []  # type: ignore[attr-defined]
    assert TOKEN not in shown(caught.value)


def test_a_second_answer_on_a_connection_is_not_read_as_the_next_memos(client: Client, server: RawServer) -> None:
    """A proxy answers a request twice: the second answer is not read, and the next memo uses another connection."""
    body = json.dumps(accepted_body()).encode()
    response = b"HTTP/1.1 202 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    server.will(raw(response + response), answer(202, accepted_body(id=ATTACHMENT_ID, chat={"id": MESSAGE_ID})))
    assert wire.message_id(send(client)) == MESSAGE_ID
    assert wire.message_id(send(client, MESSAGE_ID)) == ATTACHMENT_ID


def test_an_answer_about_another_chat_is_unclear(client: Client, server: RawServer) -> None:
    server.will(answer(202, accepted_body(chat={"id": ATTACHMENT_ID})))
    with pytest.raises(OutcomeUnknown, match="it tells of another chat"):
        send(client, MESSAGE_ID)


def test_the_error_for_a_cut_answer_has_its_status_and_trace_id(client: Client, server: RawServer) -> None:
    head = b"HTTP/1.1 202 Accepted\r\nX-Trace-ID: abc\r\nContent-Length: 500\r\n\r\n{"
    server.will(raw(head, then="close"))
    with pytest.raises(OutcomeUnknown) as caught:
        send(client)
    assert (caught.value.status, caught.value.trace_id) == (202, "abc")


def test_a_refusal_with_a_cut_body_is_a_refusal(client: Client, server: RawServer) -> None:
    server.will(raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n{", then="close"))
    with pytest.raises(PermissionDeniedError, match="nothing was sent"):
        send(client)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 1002, ApiError),
        (400, 1005, ApiError),
        (401, 2004, AuthenticationError),
        (403, 2005, PermissionDeniedError),
        (403, 2024, PermissionDeniedError),
        (404, 2001, NotFoundError),
        (404, 2003, NotFoundError),
        (409, 2013, ConflictError),
        (410, 9999, ApiError),
        (413, 5001, ApiError),
        (422, 1003, ApiError),
    ],
)
def test_a_refusal_carries_linqs_words_and_is_not_repeated(
    client: Client, server: RawServer, status: int, code: int, kind: type[ApiError]
) -> None:
    server.will(refusal(status, code, doc_url="https://docs.linqapp.com/x"))
    with pytest.raises(kind) as caught:
        send(client, label="Ada")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.doc_url, error.trace_id) == (
        status,
        code,
        "https://docs.linqapp.com/x",
        "f" * 32,
    )
    assert f"{status}/{code}" in str(error)
    assert "nothing was sent" in str(error)
    assert "Ada" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"{", b"[]", b"\xff\xfe"])
def test_a_refusal_with_any_body_is_a_refusal(client: Client, server: RawServer, body: bytes) -> None:
    server.will(answer(404, body))
    with pytest.raises(NotFoundError, match="HTTP 404"):
        send(client)


def test_at_most_10_mb_of_an_answer_are_read(client: Client, server: RawServer) -> None:
    server.will(raw(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"x":"' + b"y" * 11_000_000, then="close"))
    with pytest.raises(OutcomeUnknown, match="larger than 10 MB"):
        send(client)
    server.will(answer(200, gzip.compress(bytes(60_000_000)), content_encoding="gzip"))
    with pytest.raises(OutcomeUnknown, match="larger than 10 MB"):
        send(client)
    assert len(server.requests) == 2


def test_a_memo_without_a_connection_is_retried_a_few_times_and_not_sent(client: Client, server: RawServer) -> None:
    server.close()
    with pytest.raises(NotSent, match="nothing was sent; run it again"):
        send(client)
    assert client.slept == [0.5, 1.0]  # type: ignore[attr-defined]


def test_a_memo_for_a_host_that_does_not_exist_is_not_sent() -> None:
    client = Client("https://no-such-host.invalid", Secret(TOKEN), timeout=2, throttle=Throttle(lambda _: None))
    with pytest.raises(NotSent):
        send(client)
    client.close()


def test_a_memo_is_not_sent_if_tls_fails(server: RawServer) -> None:
    client = Client(
        server.base_url.replace("http:", "https:"), Secret(TOKEN), timeout=1, throttle=Throttle(lambda _: None)
    )
    with pytest.raises(NotSent):
        send(client)
    client.close()
    assert not server.memos


# --- repeats ---


@pytest.mark.parametrize(
    ("headers", "field", "slept"),
    [
        ({"retry_after": "2"}, None, [2.0]),
        ({"retry_after": "60"}, None, [60.0]),
        ({}, 3, [3.0]),
        ({}, None, [1.0]),
        ({"retry_after": "0"}, None, [0.0]),
    ],
)
def test_a_short_rate_limit_is_waited_out(
    client: Client, server: RawServer, headers: Any, field: Any, slept: Any
) -> None:
    server.will(answer(429, error_body(429, 1007, retry_after=field), **headers), OK)
    assert send(client).http_status == 202
    assert client.slept == slept  # type: ignore[attr-defined]
    assert len(server.requests) == 2


@pytest.mark.parametrize("seconds", ["61", "3600", "1000000000", "99999999999"])
@pytest.mark.parametrize("ask", [send, lambda client: client.phone_numbers()], ids=["a memo", "a read"])
def test_a_long_rate_limit_is_shown_and_not_slept_or_repeated(
    client: Client, server: RawServer, seconds: str, ask: Callable[[Client], Any]
) -> None:
    server.will(answer(429, error_body(429, 1007), retry_after=seconds), OK)
    with pytest.raises(RateLimitError, match=f"wait {seconds} s") as caught:
        ask(client)
    assert caught.value.retry_after == int(seconds)
    assert client.slept == []  # type: ignore[attr-defined]
    assert len(server.requests) == 1


def test_a_rate_limit_holds_back_every_thread(server: RawServer) -> None:
    client = Client(server.base_url, Secret(TOKEN), timeout=HANG_S)
    server.will(answer(429, error_body(429, 1007), retry_after="0.4"), OK)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, client)
        wait_for(lambda: client.throttle._limited_until)
        begun = client.throttle._limited_until
        assert send(client).http_status == first.result().http_status == 202
    assert time.monotonic() >= begun
    client.close()


@pytest.mark.parametrize(("status", "code", "tries"), [(429, 1007, 4), (429, 4001, 4), (404, 2007, 5), (409, 2009, 5)])
def test_a_passing_refusal_is_tried_again_a_bounded_number_of_times(
    client: Client, server: RawServer, status: int, code: int, tries: int
) -> None:
    server.will(refusal(status, code))
    with pytest.raises(ApiError) as caught:
        send(client)
    assert caught.value.status == status
    assert len(server.requests) == tries
    assert len(client.slept) == tries - 1  # type: ignore[attr-defined]
    server.will(refusal(status, code), OK)
    assert send(client).http_status == 202


def test_an_unclear_answer_after_a_pause_is_still_not_repeated(client: Client, server: RawServer) -> None:
    server.will(refusal(429, 1007), refusal(404, 2007), close)
    with pytest.raises(OutcomeUnknown):
        send(client)
    assert len(server.requests) == 3


def test_post_memo_makes_one_request_and_returns_any_answer(client: Client, server: RawServer) -> None:
    server.will(refusal(429, 1007), refusal(404, 2007), OK, close)
    answers = [client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID) for _ in range(3)]
    assert [answer.http_status for answer in answers] == [429, 404, 202]
    with pytest.raises(NoAnswer) as caught:
        client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID)
    assert caught.value.may_have_left
    assert len(server.memos) == 4
    assert client.slept == []  # type: ignore[attr-defined]


def test_nothing_is_sent_when_the_check_before_the_write_raises(client: Client, server: RawServer) -> None:
    def no() -> None:
        raise NotSent("slept")

    server.will(OK)
    with pytest.raises(NotSent, match="slept"):
        client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID, at_write=no)
    assert client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID).http_status == 202
    assert len(server.requests) == 1


def test_require_accepted_returns_the_answer_or_raises_the_reason() -> None:
    yes = an_answer(202, json.dumps(accepted_body()))
    assert require_accepted(yes, CHAT_ID, "Ada") is yes
    assert require_accepted(NoAnswer("cut", may_have_left=True, partial_answer=yes), CHAT_ID, "Ada") is yes
    for outcome, kind in (
        (NoAnswer("refused", may_have_left=False), NotSent),
        (NoAnswer("cut", may_have_left=True), OutcomeUnknown),
        (NoAnswer("cut", may_have_left=True, partial_answer=an_answer(403)), PermissionDeniedError),
        (an_answer(500), OutcomeUnknown),
        (an_answer(202, json.dumps(accepted_body(chat={"id": MESSAGE_ID}))), OutcomeUnknown),
    ):
        with pytest.raises(kind, match="Ada"):
            require_accepted(outcome, CHAT_ID, "Ada")


@pytest.mark.parametrize("fault", [reset, close, silent, refusal(500, 3006), refusal(408, 1007), refusal(429, 1007)])
def test_a_read_is_repeated(client: Client, server: RawServer, fault: Any) -> None:
    server.will(fault, answer(200, {"phone_numbers": []}))
    if fault is silent:
        client.timeout = 2
    assert client.phone_numbers() == []
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "kind"), [(close, NotSent), (refusal(500, 3006), ApiError), (answer(302, location="/x"), ApiError)]
)
def test_a_read_that_fails_for_good_is_an_error_of_ours(
    client: Client, server: RawServer, fault: Any, kind: type[LinqError]
) -> None:
    server.will(fault)
    with pytest.raises(kind, match="nothing was sent"):
        client.phone_numbers()
    assert len(server.requests) <= 3


# --- connections that were kept alive ---


def test_a_connection_that_the_server_closed_between_two_sends_is_not_used_again(
    client: Client, server: RawServer
) -> None:
    body = json.dumps(accepted_body()).encode()
    head = f"HTTP/1.1 202 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.will(raw(head + body, then="close"))
    for number in range(1, 6):
        assert send(client).http_status == 202
        wait_for(lambda number=number: server.closed == number)
    assert [request.connection for request in server.requests] == [1, 2, 3, 4, 5]


def test_a_connection_is_used_again_while_the_server_keeps_it(client: Client, server: RawServer) -> None:
    server.will(OK)
    for _ in range(3):
        send(client)
    assert len({request.connection for request in server.requests}) == 1


def test_a_request_whose_end_was_never_written_is_not_sent(
    client: Client, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails is a closed connection; a server cannot act on a request without its end."""
    server.will(OK)
    send(client)
    real, broken = socket.socket.send, {"left": 1}

    def fails(self: socket.socket, data: bytes, *rest: Any) -> int:
        if bytes(data[:4]) == b"POST" and broken["left"]:
            return real(self, data[:-1], *rest)
        if bytes(data) == b"}":
            broken["left"] -= 1
            self.shutdown(socket.SHUT_RDWR)
            raise BrokenPipeError(32, "Broken pipe")
        return real(self, data, *rest)

    monkeypatch.setattr(socket.socket, "send", fails, raising=False)
    assert send(client).http_status == 202
    assert len(server.memos) == 2
    broken["left"] = 9
    with pytest.raises(NotSent, match="nothing was sent"):
        send(client)
    assert len(server.memos) == 2


def test_a_request_that_left_whole_before_the_connection_broke_is_unknown(client: Client, server: RawServer) -> None:
    """The server may have acted on it: that it was a connection kept alive is no proof that it did not."""
    server.will(OK, close)
    send(client)
    with pytest.raises(OutcomeUnknown):
        send(client)
    assert len(server.memos) == 2


def test_a_client_can_be_closed_and_used_again(client: Client, server: RawServer) -> None:
    server.will(OK)
    send(client)
    client.close()
    client.close()
    assert send(client).http_status == 202
    assert len({request.connection for request in server.requests}) == 2


def test_each_of_sixteen_threads_gets_its_own_answer(client: Client, server: RawServer) -> None:
    def echo(server: RawServer, link: socket.socket) -> None:
        answer(200, {"id": server.current[link].target.rsplit("/", 1)[1]})(server, link)

    server.will(echo)
    with ThreadPoolExecutor(16) as pool:
        chat_ids = [f"chat-{n}" for n in range(160)]
        assert list(pool.map(lambda chat_id: client.chat(chat_id).chat_id, chat_ids)) == chat_ids
    assert len({request.connection for request in server.requests}) <= 16


def test_a_thread_reuses_the_connection_of_a_thread_that_ended(client: Client, server: RawServer) -> None:
    server.will(answer(200, {"phone_numbers": []}))
    for _ in range(5):
        thread = threading.Thread(target=client.phone_numbers)
        thread.start()
        thread.join()
    assert {request.connection for request in server.requests} == {1}


# --- the key ---


def shown(error: BaseException) -> str:
    """Every text of an exception, also with the locals of its frames outside of the tests."""
    shown: Any = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain = shown
    while chain is not None:
        ours = [frame for frame in chain.stack if not frame.filename.startswith(os.path.dirname(__file__))]
        chain.stack = traceback.StackSummary.from_list(ours)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return "\n".join([*shown.format(), repr(error), str(error), repr(error.args), repr(vars(error))])


@pytest.mark.parametrize(
    "fault",
    [reset, silent, refusal(401, 2004), refusal(500, 3006), answer(200, b"<html>"), answer(302, location="https://x/")],
)
def test_the_key_is_in_no_error(client: Client, server: RawServer, fault: Any) -> None:
    server.will(fault)
    client.timeout = 0.1
    for call in (lambda: send(client), client.phone_numbers):
        with pytest.raises(LinqError) as caught:
            call()
        assert TOKEN not in shown(caught.value)
        assert TOKEN not in repr(client) + str(vars(client))


def test_an_interrupt_in_a_request_shows_no_key(client: Client, server: RawServer) -> None:
    def interrupt(server: RawServer, link: socket.socket) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        silent(server, link)

    server.will(interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        send(client)
    assert TOKEN not in shown(caught.value)


def test_a_server_that_echoes_the_key_does_not_make_us_show_it(client: Client, server: RawServer) -> None:
    body = error_body(401, 2004)
    body["error"]["message"] = f"The token {TOKEN} is not valid."
    server.will(answer(401, body, X_Trace_ID=f"trace-{TOKEN}"))
    with pytest.raises(AuthenticationError, match=r"token \[token\] is not valid") as caught:
        send(client)
    assert TOKEN not in shown(caught.value)
    server.will(answer(500, f"<html>{TOKEN}</html>".encode()))
    with pytest.raises(OutcomeUnknown) as lost:
        send(client)
    assert TOKEN not in shown(lost.value)


def test_the_key_is_sent_to_linq_and_not_with_an_upload_nor_after_a_redirect(client: Client, server: RawServer) -> None:
    elsewhere = RawServer()
    elsewhere.will(answer(200))
    try:
        server.will(answer(307, location=f"{elsewhere.base_url}/v3/phone_numbers"))
        with pytest.raises(ApiError, match="redirect, which is not followed"):
            client.phone_numbers()
        assert not elsewhere.requests
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        for host in (server, elsewhere):  # the storage may even live on Linq's own host
            host.will(answer(200))
            client.upload(Attachment(attachment_id="a", upload_url=f"{host.origin}/put"), b"x")
            assert "authorization" not in host.requests[-1].headers
    finally:
        elsewhere.close()


def test_requests_to_loopback_use_no_proxy(server: RawServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = RawServer()
    proxy.will(answer(200, {"phone_numbers": []}))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.origin)
    server.will(answer(200, {"phone_numbers": []}))
    client.phone_numbers()
    assert len(server.requests) == 1
    assert not proxy.requests
    proxy.close()


@pytest.mark.parametrize("act", [close, answer(407), reset, raw(b"nonsense\r\n\r\n", then="close")])
def test_a_memo_is_not_sent_if_the_proxy_fails(server: RawServer, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """The request is sent only once the tunnel is open. ``test_setup_faults`` has the texts."""
    server.will(act)
    monkeypatch.setenv("HTTPS_PROXY", server.origin)
    client = Client("https://linq.invalid", Secret(TOKEN), timeout=HANG_S, throttle=Throttle(lambda _: None))
    with pytest.raises(SettingsError):
        send(client)
    client.close()
    assert {request.method for request in server.requests} == {"CONNECT"}
    assert TOKEN not in str(server.requests)


# --- requests ---

UUIDS = f"(?:{CHAT_ID}|{MESSAGE_ID}|{ATTACHMENT_ID})"
LONG_URL = "https://x.example/a.m4a?sig=%2Fa%2B"
EVENTS = ["message.sent", "message.failed"]
CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Any, Any]] = {
    "memo by id": (send, "POST", "/v3/chats/{}/voicememo", {}, {"attachment_id": ATTACHMENT_ID}, accepted_body()),
    "memo by URL": (
        lambda c: send(c, voice_memo_url=LONG_URL, override_optout=True),
        "POST",
        "/v3/chats/{}/voicememo",
        {},
        {"voice_memo_url": LONG_URL, "override_optout": True},
        accepted_body(),
    ),
    "announce": (
        lambda c: c.create_attachment("größe 中文 🎤.wav", "audio/x-wav", 10),
        "POST",
        "/v3/attachments",
        {},
        {"filename": "größe 中文 🎤.wav", "content_type": "audio/x-wav", "size_bytes": 10},
        {"attachment_id": ATTACHMENT_ID, "upload_url": "https://up.example/x"},
    ),
    "chats": (lambda c: list(c.chats()), "GET", "/v3/chats", {"limit": "100"}, None, {"chats": []}),
    "chats of": (
        lambda c: list(c.chats(from_="+12025550100", to="+12025550111", limit=5)),
        "GET",
        "/v3/chats",
        {"limit": "5", "from": "%2B12025550100", "to": "%2B12025550111"},
        None,
        {"chats": []},
    ),
    "chat": (lambda c: c.chat(CHAT_ID), "GET", "/v3/chats/{}", {}, None, {"id": CHAT_ID}),
    "messages": (
        lambda c: list(c.messages(CHAT_ID, limit=500)),
        "GET",
        "/v3/chats/{}/messages",
        {"limit": "100"},
        None,
        {"messages": []},
    ),
    "message and answer": (
        lambda c: c.message_answer(MESSAGE_ID)[1],
        "GET",
        "/v3/messages/{}",
        {},
        None,
        {"id": MESSAGE_ID},
    ),
    "lines": (lambda c: c.phone_numbers(), "GET", "/v3/phone_numbers", {}, None, {"phone_numbers": []}),
    "subscriptions": (
        lambda c: c.subscriptions(),
        "GET",
        "/v3/webhook-subscriptions",
        {},
        None,
        {"subscriptions": []},
    ),
    "subscribe": (
        lambda c: c.create_subscription("https://me.example", EVENTS, phone_numbers=["+12025550100"]),
        "POST",
        "/v3/webhook-subscriptions",
        {},
        {"target_url": "https://me.example", "subscribed_events": EVENTS, "phone_numbers": ["+12025550100"]},
        {"id": "s/1", "signing_secret": "whsec_x"},
    ),
    "unsubscribe": (lambda c: c.delete_subscription("s1"), "DELETE", "/v3/webhook-subscriptions/s1", {}, None, {}),
}


@pytest.mark.parametrize("case", CALLS)
def test_each_call_sends_the_documented_request_and_no_more(client: Client, server: RawServer, case: str) -> None:
    call, method, path, query, body, reply = CALLS[case]
    server.will(answer(200, reply))
    call(client)
    (request,) = server.requests
    target, _, asked = request.target.partition("?")
    assert request.method == method
    assert re.sub(UUIDS, "{}", target) == f"/api/partner{path}"
    assert dict(pair.split("=") for pair in asked.split("&") if pair) == query
    assert (request.json if request.body else None) == body
    assert ("content-type" in request.headers) == (body is not None)
    assert request.headers.get("content-type", "application/json") == "application/json"
    assert not {"idempotency-key", "cookie", "x-linq-integration-token"} & set(request.headers)


WRONG = [b"", b"<html>Sign in</html>", b"[]", b'{"id": null}', b'{"id": 7, "chats": {}}']
NEEDS_NOTHING = {"delete", "unsubscribe", "events"}


@pytest.mark.parametrize("case", [case for case in CALLS if case not in NEEDS_NOTHING])
@pytest.mark.parametrize("body", WRONG)
def test_an_unexpected_answer_is_an_error_of_ours(client: Client, server: RawServer, case: str, body: bytes) -> None:
    server.will(answer(200, body))
    with pytest.raises(LinqError, match=r"cannot be read|not clear"):
        CALLS[case][0](client)


def test_a_foreign_id_cannot_leave_its_place_in_the_path(client: Client, server: RawServer) -> None:
    evil = "../../x HTTP/1.1\r\nX-Evil: 1\r\n\r\n?a=b#c/ü"
    server.will(answer(200, {"id": evil}))
    client.chat(evil)
    (request,) = server.requests
    assert request.target.startswith("/api/partner/v3/chats/")
    assert request.target.count("/") == 5
    assert "x-evil" not in request.headers


def test_a_file_name_cannot_leave_its_json(client: Client, server: RawServer) -> None:
    name = 'a"},"x":{"\r\nX-Evil: 1\r\n\r\n.wav'
    server.will(answer(200, {"attachment_id": ATTACHMENT_ID, "upload_url": "https://up.example/x"}))
    client.create_attachment(name, "audio/x-wav", 1)
    assert server.requests[0].json["filename"] == name
    assert "x-evil" not in server.requests[0].headers


# --- uploads ---


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Credential=AKIA%2F20260302%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab12",
        "Signature=a%2Bb%2Fc%3D%3D&Expires=1&Key-Pair-Id=K~x_-.",
        "sig=a+b%20c&se=2026-03-02T09%3A00%3A00Z&sp=r&x=(1)!*'",
    ],
)
def test_an_upload_goes_to_the_address_as_it_was_given(client: Client, server: RawServer, query: str) -> None:
    server.will(answer(200))
    where = f"{server.origin}/bucket/file%20name%2Fx.wav?{query}"
    headers = {"Content-Type": "audio/x-wav", "Content-Length": "5", "x-amz-meta-a": "1"}
    client.upload(Attachment(attachment_id="a", upload_url=where, required_headers=headers), b"12345")
    (request,) = server.requests
    assert request.method == "PUT"
    assert request.target.replace("%27", "'") == where.removeprefix(server.origin)
    assert request.body == b"12345"
    assert {name: request.headers[name.lower()] for name in headers} == headers


def test_an_upload_is_repeated_on_faults_and_not_after_a_refusal(client: Client, server: RawServer) -> None:
    where = Attachment(attachment_id="a", upload_url=f"{server.origin}/put?X-Amz-Signature=s3cr3t")
    server.will(reset, answer(503, b"<Error/>"), answer(200))
    client.upload(where, b"12345")
    assert len(server.requests) == 3
    server.will(answer(403, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(ApiError, match=r"HTTP 403.*nothing was sent") as refused:
        client.upload(where, b"12345")
    server.will(close)
    with pytest.raises(NotSent, match="nothing was sent") as lost:
        client.upload(where, b"12345")
    assert "s3cr3t" not in str(refused.value) + str(lost.value)


def test_a_long_upload_is_not_a_slow_answer(client: Client, server: RawServer) -> None:
    """The time limit of the answer begins when the bytes are there."""

    def slow_then_ok(server: RawServer, link: socket.socket) -> None:
        time.sleep(0.35)
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.2)
        link.sendall(b"ok")

    server.will(slow_then_ok)
    client.timeout = 0.4
    client.upload(Attachment(attachment_id="a", upload_url=f"{server.origin}/put"), b"1" * 100_000)
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["http://up.example/x", "ftp://x", "", None, "http://127.0.0.1:1/x"])
def test_bytes_are_uploaded_to_https_only(url: str | None) -> None:
    body = json.dumps({"attachment_id": ATTACHMENT_ID, "upload_url": url})
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=body))
    client = Client("https://api.linqapp.com/api/partner", Secret(TOKEN), transport=transport)
    with pytest.raises(ApiError, match="no https address"):
        client.create_attachment("a.wav", "audio/x-wav", 1)


# --- pages ---


def test_pages_are_read_to_their_end_and_each_record_is_returned_once(client: Client, server: RawServer) -> None:
    pages = [["a", "b"], ["b", "c"], [], ["d"]]
    cursors = ["1", "2 &=#", "3", None]
    server.will(
        *(
            answer(200, {"chats": [{"id": chat_id} for chat_id in page], "next_cursor": cursor})
            for page, cursor in zip(pages, cursors, strict=True)
        )
    )
    assert [chat.chat_id for chat in client.chats()] == ["a", "b", "c", "d"]
    assert "cursor=2+%26%3D%23" in server.requests[2].target.replace("%20", "+")


@pytest.mark.parametrize("end", [None, "", 7, {}])
def test_reading_pages_ends_without_a_cursor(client: Client, server: RawServer, end: Any) -> None:
    server.will(answer(200, {"chats": [{"id": "a"}], "next_cursor": end}))
    assert len(list(client.chats())) == 1


def test_reading_pages_ends_although_each_page_has_a_cursor(client: Client, server: RawServer) -> None:
    count = iter(range(10_000))

    def endless(server: RawServer, link: socket.socket) -> None:
        answer(200, {"chats": [{"id": "a"}], "next_cursor": str(next(count))})(server, link)

    server.will(endless)
    assert len(list(client.chats())) == 1
    assert len(server.requests) < 50


def test_reading_pages_stops_at_the_limit(client: Client, server: RawServer) -> None:
    server.will(answer(200, {"messages": [{"id": str(n)} for n in range(100)], "next_cursor": "1"}))
    assert len(list(client.messages(CHAT_ID, limit=3))) == 3
    assert "limit=3" in server.requests[0].target
    assert list(client.messages(CHAT_ID, limit=0)) == []
    assert len(server.requests) == 1


# --- other requests and answers ---


def test_a_new_subscription_is_requested_once_because_its_secret_comes_once(client: Client, server: RawServer) -> None:
    server.will(close)
    with pytest.raises(NotSent, match="its secret is lost"):
        client.create_subscription("https://me.example", ["message.sent"])
    assert len(server.requests) == 1
    server.will(answer(200, {"id": "s1", "signing_secret": "whsec_x"}))
    assert "whsec_x" not in repr(client.create_subscription("https://me.example", ["message.sent"]))


def test_linqs_clock_is_read_from_its_answers_and_not_from_those_of_the_storage(
    client: Client, server: RawServer
) -> None:
    hour = timedelta(hours=1)
    theirs = utc_now() + hour
    assert client.skew(utc_now()) is None
    server.will(answer(200, {"phone_numbers": []}, date=format_datetime(theirs, usegmt=True)))
    client.phone_numbers()
    skew = client.skew(theirs - hour)
    assert skew is not None
    assert hour - timedelta(seconds=1) < skew.low <= skew.high < hour + timedelta(seconds=HANG_S)
    server.will(answer(200, date=format_datetime(theirs + 9 * hour, usegmt=True)))
    client.upload(Attachment(attachment_id="a", upload_url=f"{server.origin}/put"), b"x")
    now = client.skew(theirs - hour)
    assert now is not None
    assert abs((now.high - now.low) - (skew.high - skew.low)) < timedelta(milliseconds=1)


def test_an_error_of_the_socket_demo_reads_like_linqs(demo_socket: Any) -> None:
    client = Client(demo_socket.base_url, Secret("demo_wrong"), timeout=HANG_S)
    with pytest.raises(AuthenticationError, match="401/2004") as caught:
        client.phone_numbers()
    assert len(str(caught.value.trace_id)) == 32
    client.close()
