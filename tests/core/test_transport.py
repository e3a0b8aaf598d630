"""The transport: every form of an answer is read, one deadline ends an exchange, no doubtful connection is reused."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from core_samples import ATTACHMENT_ID, CHAT_ID, MESSAGE_ID, TOKEN, accepted_body, error_body
from raw_server import RawServer, answer, answer_bytes, close, drip, raw, silent
from shared import HANG_S, wait_for

from linq_nb.client import Client, Throttle
from linq_nb.client.transport import DirectTransport
from linq_nb.client.trust import tls
from linq_nb.errors import ApiError, NotSent
from linq_nb.model import Attachment
from linq_nb.secret import Secret
from linq_nb.wire import Answer, NoAnswer, Unreadable, message_id

BODY = json.dumps(accepted_body()).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
OK = b"HTTP/1.1 202 Accepted\r\n"


@pytest.fixture(scope="module", autouse=True)
def certificates() -> None:
    """Read the system's certificates before a request with a short deadline does it on its way to a proxy."""
    tls()


def chunked(data: bytes, size: int, more: bytes = b"", trailer: bytes = b"") -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%X%b\r\n%b\r\n" % (len(part), more, part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


def send(client: Client) -> str:
    """Send a memo once, and return its message id."""
    return message_id(client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID))


def bit_by_bit(server: RawServer, link: socket.socket) -> None:
    for byte in OK + LENGTH + b"\r\n" + BODY:
        link.sendall(bytes([byte]))


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\n"
PACKED = gzip.compress(BODY)
FORMS = {
    "a length": (raw(OK + LENGTH + b"\r\n" + BODY), True),
    "a length, said twice": (raw(OK + LENGTH + LENGTH + b"\r\n" + BODY), True),
    "names in any case": (raw(OK + LENGTH.lower() + b"\r\n" + BODY), True),
    "no reason": (raw(b"HTTP/1.1 202\r\n" + LENGTH + b"\r\n" + BODY), True),
    "byte by byte": (bit_by_bit, True),
    "chunks": (raw(CHUNKED + chunked(BODY, 100)), True),
    "chunks of one byte": (raw(CHUNKED + chunked(BODY, 1)), True),
    "chunks that say more": (raw(CHUNKED + chunked(BODY, 50, b";a=b", b"X-Sum: 1\r\n")), True),
    "packed": (raw(GZIP + b"Content-Length: %d\r\n\r\n" % len(PACKED) + PACKED), True),
    "packed chunks": (raw(GZIP + b"Transfer-Encoding: Chunked\r\n\r\n" + chunked(PACKED, 9)), True),
    "word before": (raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK + LENGTH + b"\r\n" + BODY), True),
    "until it closes": (raw(OK + b"\r\n" + BODY, then="close"), False),
    "HTTP/1.0": (raw(b"HTTP/1.0 202 OK\r\n" + LENGTH + b"\r\n" + BODY), False),
    "close": (raw(OK + LENGTH + b"Connection: Close\r\n\r\n" + BODY), False),
    "a folded header": (raw(OK + LENGTH + b"X: a\r\n b\r\n\r\n" + BODY), True),
    "a line that ends with a line feed alone": (raw(OK + LENGTH + b"X: a\nY: b\r\n\r\n" + BODY), True),
    "more than it said": (raw(OK + LENGTH + b"\r\n" + BODY + b"HTTP/1.1 202 OK\r\n"), False),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_answer_is_read_and_only_a_whole_one_keeps_the_connection(
    client: Client, server: RawServer, form: str
) -> None:
    act, stays = FORMS[form]
    server.will(act)
    assert [send(client) for _ in range(3)] == [MESSAGE_ID] * 3
    assert len({request.connection for request in server.requests}) == (1 if stays else 3)


NO_FORM = {
    "two lengths": OK + b"Content-Length: 5\r\n" + LENGTH + b"\r\n" + BODY,
    "no number": OK + b"Content-Length: many\r\n\r\n" + BODY,
    "less than nothing": OK + b"Content-Length: -1\r\n\r\n" + BODY,
    "a number in another script": OK + "Content-Length: ٣\r\n\r\n".encode() + BODY,
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(BODY, 9),
    "no chunk size": CHUNKED + b"x\r\n" + BODY,
    "a chunk that is longer": CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n",
    "a chunk size without end": CHUNKED + b"1" * 70_000,
    "no header": OK + LENGTH + b"nonsense\r\n\r\n" + BODY,
    "a header without end": OK + b"X: " + b"y" * 200_000,
    "another protocol": b"HTTP/1.1 101 Switching\r\n\r\n" + BODY,
    "another version": b"HTTP/2 202 Accepted\r\n" + LENGTH + b"\r\n" + BODY,
    "no status": b"HTTP/1.1 2020 OK\r\n" + LENGTH + b"\r\n" + BODY,
}


@pytest.mark.parametrize("form", NO_FORM)
def test_an_invalid_answer_is_an_error_after_the_request_left(client: Client, server: RawServer, form: str) -> None:
    server.will(raw(NO_FORM[form]), answer(202, accepted_body()))
    with pytest.raises(NoAnswer) as caught:
        send(client)
    assert caught.value.may_have_left
    assert str(caught.value) == "the answer is not valid HTTP/1.1"
    assert send(client) == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 2]


def test_an_overlong_answer_is_not_read_to_its_end_and_its_connection_not_used_again(
    client: Client, server: RawServer
) -> None:
    overlong = OK + b"Content-Length: 90000000\r\n\r\n" + b" " * 11_000_000
    server.will(raw(overlong, then="hang"), answer(202, accepted_body()))
    assert client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID).cut
    assert send(client) == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 2]


# --- the deadline ---

TRICKLED = {
    "no answer": silent,
    "a head in drops": drip(b"X-A: b\r\n" * 500, 0.05, head=OK),
    "a body in drops": drip(b" " * 900, 0.05, head=OK + b"Content-Length: 900\r\n\r\n"),
    "chunks in drops": drip(b"1\r\n \r\n" * 900, 0.05, head=CHUNKED),
    "words before the answer": drip(b"HTTP/1.1 102 Wait\r\n\r\n" * 90, 0.05),
}


@pytest.mark.parametrize("case", TRICKLED)
@pytest.mark.parametrize("way", ["directly", "by a proxy"])
def test_one_deadline_ends_an_exchange_however_often_a_byte_comes(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, case: str, way: str
) -> None:
    """Without the deadline, each case would go on for 20 s and more."""
    server.will(TRICKLED[case])
    if way == "by a proxy":
        monkeypatch.setenv("http_proxy", server.origin)
    base_url = server.base_url if way == "directly" else "http://linq.invalid/api"
    client, begun = Client(base_url, Secret(TOKEN), timeout=0.3), time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer in 0\.3 s") as caught:
        send(client)
    assert time.monotonic() - begun < 15
    assert caught.value.may_have_left
    client.close()


def flood(server: RawServer, link: socket.socket) -> None:
    """Send interim answers without a pause, so that no read ever waits."""
    while not server.stopping.is_set():
        link.sendall(b"HTTP/1.1 102 Wait\r\n\r\n" * 100)


def without_tls(then: bytes) -> Any:
    """Open the tunnel as a proxy does, then send these bytes, then nothing."""

    def act(server: RawServer, link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 Connected\r\n\r\n" + then)
        silent(server, link)

    return act


@pytest.mark.parametrize(
    ("address", "act"),
    [
        ("http://linq.invalid/api", flood),
        ("https://linq.invalid/api", silent),
        ("https://linq.invalid/api", drip(b"X-A: b\r\n" * 500, 0.05, head=b"HTTP/1.1 200 Connected\r\n")),
        ("https://linq.invalid/api", flood),
        ("https://linq.invalid/api", without_tls(b"")),
        ("https://linq.invalid/api", without_tls(b"\x16\x03\x03\x40\x00")),
    ],
    ids=["a flood", "no tunnel", "a tunnel in drops", "a flood for a tunnel", "no TLS", "half a TLS record"],
)
def test_one_deadline_ends_each_step_by_a_proxy(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, address: str, act: Any
) -> None:
    monkeypatch.setenv("http_proxy", server.origin)
    monkeypatch.setenv("https_proxy", server.origin)
    server.will(act)
    client, begun = Client(address, Secret(TOKEN), timeout=0.3), time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer in 0\.3 s|no connection in time|does not answer in time") as caught:
        send(client)
    assert time.monotonic() - begun < 15
    assert caught.value.may_have_left == address.startswith("http:")
    client.close()


def test_a_flood_of_interim_answers_is_no_answer(client: Client, server: RawServer) -> None:
    server.will(flood, answer(202, accepted_body()))
    with pytest.raises(NoAnswer, match=r"not valid HTTP/1\.1") as caught:
        send(client)
    assert caught.value.may_have_left
    assert send(client) == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("way", ["directly", "by a proxy"])
def test_an_upload_whose_answer_comes_in_drops_is_made_once(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Each try would take the time of its bytes, and the memo is at ``preparing`` all the while."""
    server.will(drip(b"X-A: b\r\n" * 500, 0.05, head=b"HTTP/1.1 200 OK\r\n"))
    host, base_url = server.origin, server.base_url
    if way == "by a proxy":
        monkeypatch.setenv("http_proxy", server.origin)
        host, base_url = "http://storage.invalid", "http://linq.invalid/api"
    client = Client(base_url, Secret(TOKEN), timeout=0.3)
    with pytest.raises(NotSent, match=r"no answer in 0\.3 s.*nothing was sent"):
        client.upload(Attachment(attachment_id="a", upload_url=f"{host}/put"), b"12345")
    assert [request.method for request in server.requests] == ["PUT"]
    client.close()


def test_a_server_that_reads_nothing_ends_an_upload_with_its_deadline() -> None:
    """The upload gets the time of its bytes at the slowest rate, and no more."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        request = httpx.Request("PUT", f"http://127.0.0.1:{deaf.getsockname()[1]}/", content=bytes(50_000_000))
        request.extensions["deadline"] = time.monotonic() + 0.3
        with DirectTransport() as transport, pytest.raises(httpx.WriteTimeout):
            transport.handle_request(request)


# --- writes ---


def test_a_request_is_complete_however_few_bytes_a_write_takes(
    client: Client, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.socket.send
    cut: list[int] = []

    def little(self: socket.socket, data: Any, *rest: Any) -> int:
        if len(data) < 8 or threading.current_thread() is not threading.main_thread():
            return real(self, data, *rest)
        cut.append(len(data))
        return real(self, data[:7], *rest)

    monkeypatch.setattr(socket.socket, "send", little, raising=False)
    server.will(answer(202, accepted_body()))
    assert send(client) == MESSAGE_ID
    assert server.requests[0].json == {"attachment_id": ATTACHMENT_ID}
    assert len(cut) > 20


def test_a_key_that_no_header_can_carry_is_not_sent_and_not_shown(server: RawServer) -> None:
    client = Client(server.base_url, Secret("a\r\nX-Evil: 1"), timeout=HANG_S)
    with pytest.raises(NoAnswer, match="a header that HTTP does not allow") as caught:
        send(client)
    assert not caught.value.may_have_left
    assert not server.requests
    client.close()


def test_a_refusal_that_comes_before_the_upload_ended_is_read(client: Client) -> None:
    def refuse() -> None:
        link, _ = listener.accept()
        link.recv(1000)
        link.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        link.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        where = f"http://127.0.0.1:{listener.getsockname()[1]}/put"
        with pytest.raises(ApiError, match="HTTP 403"):
            client.upload(Attachment(attachment_id="a", upload_url=where), bytes(20_000_000))
        thread.join()


# --- which connections are used again ---


def ask(transport: DirectTransport, server: RawServer) -> None:
    request = httpx.Request("GET", server.origin, extensions={"deadline": time.monotonic() + HANG_S})
    response = transport.handle_request(request)
    response.read()
    response.close()


def test_a_server_that_speaks_unasked_gets_no_request(client: Client, server: RawServer) -> None:
    speak, spoken = threading.Event(), threading.Event()

    def and_more(server: RawServer, link: socket.socket) -> None:
        answer(202, accepted_body())(server, link)
        speak.wait(HANG_S)
        link.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        spoken.set()

    server.will(and_more)
    assert send(client) == MESSAGE_ID
    speak.set()
    assert spoken.wait(HANG_S)
    assert send(client) == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 2]


LATE = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
IN_DOUBT = {
    "an error": answer(429),
    "a redirect": answer(302, location="/x"),
    "no JSON": answer(200, b"<html>"),
    "another chat": answer(202, accepted_body(chat={"id": MESSAGE_ID})),
    "another attachment": answer(202, accepted_body(voice_memo={"id": MESSAGE_ID})),
    "no content": answer(204),
    "a body where none may be": raw(b"HTTP/1.1 204 No Content\r\n\r\n" + LATE),
}


@pytest.mark.parametrize("case", IN_DOUBT)
@pytest.mark.parametrize("is_ours", [True, False])
def test_an_answer_that_does_not_name_its_request_closes_its_connection(
    server: RawServer, case: str, is_ours: bool
) -> None:
    """Also one of a transport that the caller gave."""
    server.will(IN_DOUBT[case], answer(202, accepted_body()))
    with httpx.HTTPTransport() as transport:
        client = Client(server.base_url, Secret(TOKEN), timeout=HANG_S, transport=None if is_ours else transport)
        client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID)
        assert [send(client), send(client)] == [MESSAGE_ID] * 2
        assert [request.connection for request in server.requests] == [1, 2, 2]
        client.close()


@pytest.mark.parametrize("status", [429, 403, 404])
def test_an_error_followed_by_another_answer_is_no_answer(client: Client, server: RawServer, status: int) -> None:
    """One of them is the answer to this memo, but it is unknown which: the memo is neither refused nor sent again."""
    server.will(raw(answer_bytes(status, error_body(status, 1007)) + OK + LENGTH + b"\r\n" + BODY))
    with pytest.raises(NoAnswer, match="two answers came") as caught:
        send(client)
    assert caught.value.may_have_left
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Unreadable, NotSent, KeyboardInterrupt])
def test_an_answer_that_could_not_be_recorded_closes_its_connection(
    client: Client, server: RawServer, fault: type[BaseException]
) -> None:
    def refuse(_: Answer) -> None:
        raise fault("no")

    server.will(answer(202, accepted_body()))
    with pytest.raises(fault) if fault is not Unreadable else nullcontext():
        client.post_memo(CHAT_ID, attachment_id=ATTACHMENT_ID, at_accepted=refuse)
    assert send(client) == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 2]


def test_behind_a_proxy_data_after_an_answer_is_not_read_as_the_next_answer(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.origin)
    body = json.dumps(accepted_body(id=ATTACHMENT_ID)).encode()
    stray = OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    server.will(raw(OK + LENGTH + b"\r\n" + BODY + stray), answer(202, accepted_body()))
    client = Client("http://linq.invalid/api", Secret(TOKEN), timeout=HANG_S)
    assert [send(client), send(client)] == [MESSAGE_ID] * 2
    assert [request.connection for request in server.requests] == [1, 2]
    client.close()


@pytest.mark.parametrize(("keep_alive_s", "connections"), [(HANG_S, [1, 1]), (-1.0, [1, 2])])
def test_a_connection_that_was_idle_for_long_is_not_used(
    server: RawServer, keep_alive_s: float, connections: list[int]
) -> None:
    server.will(answer(200))
    with DirectTransport(keep_alive_s) as transport:
        ask(transport, server)
        ask(transport, server)
    assert [request.connection for request in server.requests] == connections


def test_connections_that_were_long_unused_are_closed(server: RawServer) -> None:
    together = threading.Barrier(4)

    def when_all_are_there(server: RawServer, link: socket.socket) -> None:
        together.wait(HANG_S)
        answer(200)(server, link)

    server.will(when_all_are_there)
    with DirectTransport(keep_alive_s=-1.0) as transport:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: ask(transport, server), range(4)))
        server.will(answer(200))
        for _ in range(4):
            ask(transport, server)
        assert transport.connections <= 1
        wait_for(lambda: server.closed >= 7)


def test_a_connection_leads_to_one_host_only(server: RawServer) -> None:
    other = RawServer().will(answer(200))
    server.will(answer(200))
    with DirectTransport() as transport:
        for host in (server, other, server, other):
            ask(transport, host)
    assert [request.connection for request in server.requests] == [1, 1]
    assert [request.connection for request in other.requests] == [1, 1]
    other.close()


def test_closing_ends_a_request_of_another_thread_at_once(client: Client, server: RawServer) -> None:
    server.will(silent)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, client)
        wait_for(lambda: server.requests)
        client.close()
        failure = sending.exception(HANG_S / 2)
    assert isinstance(failure, NoAnswer)
    assert failure.may_have_left
    server.will(answer(202, accepted_body()))
    assert send(client) == MESSAGE_ID


# --- proxies ---


def test_behind_a_proxy_a_memo_is_sent_and_its_loss_is_seen(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.origin)
    client = Client("http://linq.invalid/api", Secret(TOKEN), timeout=HANG_S)
    server.will(answer(202, accepted_body()), answer(202, accepted_body()), close)
    assert [send(client), send(client)] == [MESSAGE_ID] * 2
    with pytest.raises(NoAnswer) as caught:
        send(client)
    assert caught.value.may_have_left
    assert [request.target.partition("/v3")[0] for request in server.requests] == ["http://linq.invalid/api"] * 3
    client.close()


def test_requests_to_a_host_that_the_environment_excepts_use_no_proxy(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.origin)
    monkeypatch.setenv("no_proxy", "linq.invalid")
    client = Client("http://linq.invalid/api", Secret(TOKEN), timeout=HANG_S)
    with pytest.raises(NoAnswer) as caught:
        send(client)
    assert not caught.value.may_have_left
    assert not server.requests
    client.close()


def test_a_memo_is_not_sent_by_a_proxy_of_an_unknown_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:1")
    client = Client("http://linq.invalid/api", Secret(TOKEN), timeout=HANG_S)
    with pytest.raises(NoAnswer) as caught:
        send(client)
    assert not caught.value.may_have_left
    client.close()


# --- TLS ---


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A raw server behind TLS; its certificate is made for the test and trusted."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    file = tmp_path / "tls.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", "-", "-out", "-"]
    file.write_bytes(subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True).stdout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = RawServer(tls=context)
    yield server
    server.close()


def test_tls_requests_share_one_connection_too(secure: RawServer) -> None:
    client = Client(secure.base_url, Secret(TOKEN), timeout=HANG_S)
    secure.will(answer(202, accepted_body()))
    assert [send(client) for _ in range(3)] == [MESSAGE_ID] * 3
    assert len({request.connection for request in secure.requests}) == 1
    secure.will(raw(OK + LENGTH + b"\r\n" + BODY[:-1], then="close"))
    with pytest.raises(NoAnswer) as caught:
        send(client)
    assert caught.value.may_have_left
    client.close()


def test_closing_ends_a_tls_request_too(secure: RawServer) -> None:
    secure.will(silent)
    client = Client(secure.base_url, Secret(TOKEN), timeout=HANG_S)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, client)
        wait_for(lambda: secure.requests)
        client.close()
        assert isinstance(sending.exception(HANG_S / 2), NoAnswer)


def test_a_memo_is_not_sent_to_a_host_with_an_untrusted_certificate(
    secure: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    client = Client(secure.base_url, Secret(TOKEN), timeout=HANG_S, throttle=Throttle(lambda _: None))
    with pytest.raises(NoAnswer, match="certificate") as caught:
        send(client)
    assert not caught.value.may_have_left
    assert not secure.requests
    client.close()
