"""The connection to Linq: every form that HTTP/1.1 gives an answer is read, anything else is a fault, never a guess."""

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
from pathlib import Path
from typing import Any

import pytest
from core_samples import ATTACHMENT_ID, CHAT_ID, MESSAGE_ID, TOKEN, accepted_body
from raw_server import RawServer, answer, drip, raw

from linq_nb.client import Client, direct, lane
from linq_nb.errors import NotSent, OutcomeUnknown
from linq_nb.secret import Secret
from linq_nb.wire import message_id

BODY = json.dumps(accepted_body()).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
OK = b"HTTP/1.1 202 Accepted\r\n"


def chunked(data: bytes, size: int, more: bytes = b"", trailer: bytes = b"") -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%X%b\r\n%b\r\n" % (len(one), more, one) for one in parts) + b"0\r\n" + trailer + b"\r\n"


def send(client: Client) -> str:
    """Send a memo, and return its message id."""
    return message_id(client.voicememo(CHAT_ID, attachment_id=ATTACHMENT_ID))


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
    "more than it said": (raw(OK + LENGTH + b"\r\n" + BODY + b"HTTP/1.1 202 OK\r\n"), False),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_answer_is_read_and_only_a_whole_one_keeps_the_connection(
    client: Client, server: RawServer, form: str
) -> None:
    act, stays = FORMS[form]
    client.timeout = 5
    server.will(act)
    assert [send(client) for _ in range(3)] == [MESSAGE_ID] * 3
    assert len({one.connection for one in server.requests}) == (1 if stays else 3)


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
    "a folded header": OK + LENGTH + b"X: a\r\n b\r\n\r\n" + BODY,
    "half a line": OK + LENGTH + b"X: a\nY: b\r\n\r\n" + BODY,
    "a header without end": OK + b"X: " + b"y" * 200_000,
    "another protocol": b"HTTP/1.1 101 Switching\r\n\r\n" + BODY,
    "another version": b"HTTP/2 202 Accepted\r\n" + LENGTH + b"\r\n" + BODY,
    "no status": b"HTTP/1.1 2020 OK\r\n" + LENGTH + b"\r\n" + BODY,
}


@pytest.mark.parametrize("form", NO_FORM)
def test_what_is_no_answer_is_a_fault_and_the_memo_is_unknown(client: Client, server: RawServer, form: str) -> None:
    server.will(raw(NO_FORM[form]), answer(202, accepted_body()))
    with pytest.raises(OutcomeUnknown, match="not sent again"):
        send(client)
    assert len(server.requests) == 1
    assert send(client) == MESSAGE_ID
    assert [one.connection for one in server.requests] == [1, 2]


def test_a_head_that_drips_ends_with_the_time_limit(client: Client, server: RawServer) -> None:
    server.will(drip(OK + LENGTH, 0.05))
    start = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        send(client)
    assert time.monotonic() - start < 1.2


def test_a_server_that_speaks_unasked_gets_no_request(client: Client, server: RawServer) -> None:
    def and_more(server: RawServer, link: socket.socket) -> None:
        answer(202, accepted_body())(server, link)
        time.sleep(0.05)
        link.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    server.will(and_more)
    assert send(client) == MESSAGE_ID
    time.sleep(0.15)
    assert send(client) == MESSAGE_ID
    assert [one.connection for one in server.requests] == [1, 2]


def test_a_connection_that_was_idle_for_long_is_not_used(
    client: Client, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.will(answer(202, accepted_body()))
    send(client)
    monkeypatch.setattr(direct, "KEEP_ALIVE_S", 0.01)
    time.sleep(0.03)
    send(client)
    assert [one.connection for one in server.requests] == [1, 2]


def test_a_request_is_whole_however_little_a_write_takes(
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


def test_a_key_that_no_header_takes_is_not_sent(server: RawServer) -> None:
    client = Client(server.base_url, Secret("a\r\nX-Evil: 1"), timeout=1, sleep=lambda _: None)
    with pytest.raises(NotSent):
        send(client)
    assert not server.requests


# --- TLS ---


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[RawServer]:
    """A raw server behind TLS, its certificate made for the test; ``certificate`` is the file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    file = tmp_path / "tls.pem"
    what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
    what += ["-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", "-", "-out", "-"]
    file.write_bytes(subprocess.run(["openssl", "req", "-x509", *what], check=True, capture_output=True).stdout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = RawServer()
    plain = server._serve

    def serve(link: socket.socket, number: int) -> None:
        try:
            plain(context.wrap_socket(link, server_side=True), number)
        except OSError:  # the client did not trust it
            link.close()

    server._serve = serve  # type: ignore[method-assign]
    server.base_url = server.base_url.replace("http:", "https:")
    server.certificate = file  # type: ignore[attr-defined]
    yield server
    server.close()
    lane.tls.cache_clear()


def test_tls_goes_by_one_connection_too(secure: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.certificate))  # type: ignore[attr-defined]
    lane.tls.cache_clear()
    client = Client(secure.base_url, Secret(TOKEN), timeout=5)
    secure.will(answer(202, accepted_body()))
    assert [send(client) for _ in range(3)] == [MESSAGE_ID] * 3
    assert len({one.connection for one in secure.requests}) == 1
    secure.will(raw(OK + LENGTH + b"\r\n" + BODY[:-1], then="close"))
    with pytest.raises(OutcomeUnknown):
        send(client)
    client.close()


def test_a_certificate_that_nobody_trusts_is_not_sent(secure: RawServer) -> None:
    lane.tls.cache_clear()
    client = Client(secure.base_url, Secret(TOKEN), timeout=2, sleep=lambda _: None)
    with pytest.raises(NotSent, match="nothing was sent"):
        send(client)
    client.close()
    assert not secure.requests
