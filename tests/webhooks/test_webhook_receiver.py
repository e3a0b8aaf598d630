"""The receiver on a real socket: its answers, its records, and how it stops."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hook_samples import MESSAGE_ID, NEW, OLD, OTHER, SECRET, answered, payload, sending, signed, wanted
from shared import AUDIO, HANG_S, wait_for

import linq_nb
from linq_nb import Outbox, VoiceMemo, receiver
from linq_nb.journal import Ingested, Journal
from linq_nb.model import Event
from linq_nb.outbox import session_of
from linq_nb.receiver import Receiver

ROOT = Path(__file__).parents[2]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Journal]:
    disk = Journal(f"sqlite:///{tmp_path}/j.sqlite")
    yield disk
    disk.close()


@pytest.fixture
def hooks(disk: Journal) -> Iterator[Receiver]:
    with Receiver(disk, [OTHER, SECRET], port=0) as hooks:
        yield hooks


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=HANG_S) as client:
        yield client


def now_signed(event: dict[str, Any], **more: Any) -> tuple[bytes, dict[str, str]]:
    return signed(event, at=more.pop("at", datetime.now(UTC)), **more)


def counts(hooks: Receiver) -> dict[str, int]:
    return {name: value for name, value in hooks.health().items() if isinstance(value, int) and value}


def connect(hooks: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", hooks.port), timeout=HANG_S)


def raw(hooks: Receiver, *parts: bytes, is_cut_off: bool = False) -> bytes:
    """Write to the socket as it stands and read until it closes."""
    with connect(hooks) as link, contextlib.suppress(ConnectionError):
        for part in parts:
            link.sendall(part)
        if is_cut_off:
            with contextlib.suppress(OSError):  # closed by the receiver already
                link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(65536), b""))
    return b""


def request(body: bytes, headers: dict[str, str], *more: str) -> bytes:
    lines = [
        "POST / HTTP/1.1",
        "Host: x",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_delivery_is_written_down_before_it_is_answered(hooks: Receiver, disk: Journal, http: httpx.Client) -> None:
    answered(disk, sending(disk))
    for version in (NEW, OLD):
        body, headers = now_signed(payload("delivered", 2 if version == NEW else 3, version=version))
        for _ in range(2):
            assert http.post(f"{hooks.url}?version={version}", content=body, headers=headers).status_code == 200
    body, headers = now_signed(payload("received", direction="inbound", id="m2"))
    assert http.post(hooks.url, content=body, headers=headers).json() == {"status": "ok"}
    assert counts(hooks) == {"new": 2, "repeated": 2, "not_ours": 1}
    (send,) = disk.sends()
    assert (send.status, len(disk.events(send.send_id))) == ("delivered", 2)


def test_a_delivery_that_linq_did_not_sign_gets_401_and_leaves_a_count_but_no_row(
    hooks: Receiver, disk: Journal, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    body, headers = now_signed(payload("sent"))
    old = now_signed(payload("sent"), at=datetime.now(UTC) - timedelta(minutes=6))
    forged = now_signed(payload("sent"), secret="whsec_" + "B" * 32)
    for wrong in [(body + b" ", headers), (body, {}), old, forged]:
        assert http.post(hooks.url, content=wrong[0], headers=wrong[1]).status_code == 401
    assert counts(hooks) == {"refused": 4}
    assert disk.events() == []
    log = capsys.readouterr().err
    assert log.count(" 401 ") == 4
    assert "whsec" not in log


def no_event() -> tuple[bytes, dict[str, str]]:
    """A delivery that is signed and whose body is no event."""
    from standardwebhooks import Webhook

    at = datetime.now(UTC)
    headers = {"webhook-id": "e", "webhook-timestamp": str(int(at.timestamp()))}
    return b"[]", headers | {"webhook-signature": Webhook(SECRET).sign("e", at, "[]")}


def test_a_signed_body_that_is_no_event_gets_400(hooks: Receiver, disk: Journal, http: httpx.Client) -> None:
    body, headers = no_event()
    assert http.post(hooks.url, content=body, headers=headers).status_code == 400
    assert counts(hooks) == {"unreadable": 1}
    assert disk.events() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("HEAD", "/health", 200), ("GET", "/", 405), ("PUT", "/", 405), ("POST", "/health", 405),
     ("POST", "/x", 404), ("GET", "/favicon.ico", 404), ("DELETE", "/health", 405)],
)  # fmt: skip
def test_other_requests_get_their_http_status(
    hooks: Receiver, http: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = http.request(method, hooks.url.rstrip("/") + path, content=b"x" if method != "GET" else None)
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    if method == "HEAD":
        assert answer.text == ""
    elif status == 200:
        assert answer.json()["new"] == 0
        assert "j.sqlite" not in answer.text


def test_a_body_that_is_too_long_is_refused(hooks: Receiver, http: httpx.Client) -> None:
    assert http.post(hooks.url, content=b"x" * 1_000_000).status_code == 401
    assert http.post(hooks.url, content=b"x" * 1_000_001).status_code == 413
    answer = raw(hooks, request(b"", {}, "Content-Length: 999999999999"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    body = b"F4241\r\n" + b"x" * 1_000_001 + b"\r\n0\r\n\r\n"
    assert raw(hooks, request(body, {}, "Transfer-Encoding: chunked")).startswith(b"HTTP/1.1 413 ")
    assert counts(hooks) == {"refused": 1}


@pytest.mark.parametrize(
    "headers",
    [[], ["Content-Length: x"], ["Content-Length: -1"], ["Content-Length: 1", "Content-Length: 2"],
     ["Transfer-Encoding: gzip"], ["Transfer-Encoding: chunked", "Content-Length: 1"]],
)  # fmt: skip
def test_a_body_of_no_clear_length_is_not_written(hooks: Receiver, disk: Journal, headers: list[str]) -> None:
    body, signature = now_signed(payload("sent"))
    answer = raw(hooks, request(body + b"\r\n", signature, *headers))
    assert answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.0 5")
    assert disk.events() == []


@pytest.mark.parametrize(
    "junk", [b"", b"\r\n\r\n", b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"POST / HTTP/9\r\n\r\n", b"x" * 70_000]
)
def test_bytes_that_are_no_http_do_no_harm(hooks: Receiver, http: httpx.Client, junk: bytes) -> None:
    answer = raw(hooks, junk, is_cut_off=True)
    assert b" 200 " not in answer
    assert http.get(hooks.url + "health").status_code == 200


def test_a_chunked_body_is_written(hooks: Receiver) -> None:
    body, headers = now_signed(payload("sent"))
    half = len(body) // 2
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    answer = raw(hooks, request(b"", headers, "Transfer-Encoding: chunked"), chunks, b"0\r\nTrailer: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert counts(hooks) == {"not_ours": 1}


def test_a_delivery_that_was_cut_off_gets_no_answer_so_that_linq_repeats_it(hooks: Receiver) -> None:
    body, headers = now_signed(payload("sent"))
    length = f"Content-Length: {len(body)}"
    assert raw(hooks, request(body[:-5], headers, length), is_cut_off=True) == b""
    assert raw(hooks, request(b"ff\r\nabc", headers, "Transfer-Encoding: chunked"), is_cut_off=True) == b""
    assert counts(hooks) == {}


def test_slow_clients_keep_no_delivery_waiting(hooks: Receiver, http: httpx.Client) -> None:
    body, headers = now_signed(payload("sent"))
    with contextlib.ExitStack() as stack:
        for _ in range(receiver.THREADS + 4):
            stack.enter_context(connect(hooks)).sendall(request(b"{", {}, "Content-Length: 9"))
        assert http.post(hooks.url, content=body, headers=headers).status_code == 200
    assert counts(hooks) == {"not_ours": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("start", [b"", b"P", request(b"", {}, "Content-Length: 9")])
def test_a_silent_connection_is_closed(disk: Journal, start: bytes) -> None:
    with Receiver(disk, SECRET, port=0, idle_s=1) as hooks:
        assert raw(hooks, start) == b""
        assert counts(hooks) == {}


DRIPS = [
    b"P",
    request(b"", {}, "Content-Length: 900000"),
    request(b"", {}, "Transfer-Encoding: chunked") + b"fffff\r\n",
]
"""Beginnings of requests that never end: in the head, in the body and in a chunk."""


def drip(links: list[socket.socket], is_over: threading.Event) -> None:
    """Send a byte on each connection again and again until the receiver has closed them all, or the test is over."""
    while links and not is_over.wait(0.05):
        for link in list(links):
            try:
                link.send(b"x")
            except OSError:
                links.remove(link)


def test_64_idle_and_64_dripping_connections_do_not_keep_a_delivery_out(disk: Journal, http: httpx.Client) -> None:
    assert receiver.IDLE_S + receiver.CLEANUP_S + 2 < 10  # Linq waits 10 s; waitress looks around once a second
    body, headers = now_signed(payload("sent"))
    is_over = threading.Event()
    with contextlib.ExitStack() as stack, Receiver(disk, SECRET, port=0, idle_s=1, max_connections=128) as hooks:
        stack.callback(is_over.set)
        links = [stack.enter_context(connect(hooks)) for _ in range(128)]
        for number, link in enumerate(links[64:]):
            link.sendall(DRIPS[number % len(DRIPS)])
        dripping = threading.Thread(target=drip, args=(links[64:], is_over))
        dripping.start()
        stack.callback(dripping.join)
        assert http.post(hooks.url, content=body, headers=headers, timeout=HANG_S).status_code == 200
    assert counts(hooks) == {"not_ours": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("start", DRIPS)
def test_a_dripping_connection_is_closed(disk: Journal, start: bytes) -> None:
    is_over = threading.Event()
    with Receiver(disk, SECRET, port=0, idle_s=1) as hooks, connect(hooks) as link:
        link.sendall(start)
        dripping = threading.Thread(target=drip, args=([link], is_over))
        dripping.start()
        with contextlib.suppress(ConnectionError):
            assert link.recv(100) == b""
        is_over.set()
        dripping.join()
        assert counts(hooks) == {}


def test_beyond_the_limit_a_connection_waits_until_another_ends(disk: Journal) -> None:
    with Receiver(disk, SECRET, port=0, max_connections=2) as hooks:
        first, second = connect(hooks), connect(hooks)
        for link in (first, second):
            link.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            assert link.recv(10) == b"HTTP/1.1 2"
        third = connect(hooks)
        third.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert select.select([third], [], [], 0.3)[0] == []
        first.close()
        assert third.recv(10) == b"HTTP/1.1 2"
        for link in (second, third):
            link.close()


def test_while_the_journal_cannot_be_written_the_answer_is_503(
    hooks: Receiver, disk: Journal, http: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, headers = now_signed(payload("sent"))
    with contextlib.closing(sqlite3.connect(tmp_path / "j.sqlite")) as file:
        file.execute("ALTER TABLE events RENAME TO away")
        assert http.post(hooks.url, content=body, headers=headers).status_code == 503
        assert " 503 " in capsys.readouterr().err
        file.execute("ALTER TABLE away RENAME TO events")
    assert http.post(hooks.url, content=body, headers=headers).status_code == 200
    assert counts(hooks) == {"unwritten": 1, "not_ours": 1}


def test_while_the_journal_is_locked_other_requests_are_answered(
    hooks: Receiver, http: httpx.Client, tmp_path: Path
) -> None:
    body, headers = now_signed(payload("sent"))
    with ThreadPoolExecutor(1) as pool, contextlib.closing(sqlite3.connect(tmp_path / "j.sqlite")) as file:
        file.execute("BEGIN IMMEDIATE")
        delivery = pool.submit(httpx.post, hooks.url, content=body, headers=headers, trust_env=False, timeout=HANG_S)
        for _ in range(20):
            assert http.get(hooks.url + "health").json()["not_ours"] == 0
        assert not delivery.done()
        file.execute("COMMIT")
        assert delivery.result().status_code == 200


def test_sixteen_deliveries_at_once_write_each_event_once(hooks: Receiver, disk: Journal) -> None:
    answered(disk, sending(disk))
    deliveries = [now_signed(payload("sent", n / 7)) for n in range(20)] * 2

    def post(delivery: tuple[bytes, dict[str, str]]) -> int:
        return httpx.post(
            hooks.url, content=delivery[0], headers=delivery[1], trust_env=False, timeout=HANG_S
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(post, deliveries)) == {200}
    assert counts(hooks) == {"new": 20, "repeated": 20}
    assert len(disk.events(wanted().send_id)) == 20


class HeldJournal(Journal):
    """A journal that waits in the middle of a delivery until the test lets it go on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def ingest(self, *events: Event) -> list[Ingested]:
        self.begun.set()
        assert self.go_on.wait(HANG_S)
        return super().ingest(*events)


def test_closing_ends_idle_connections_and_finishes_a_delivery(tmp_path: Path, http: httpx.Client) -> None:
    journal = HeldJournal(f"sqlite:///{tmp_path}/j.sqlite")
    body, headers = now_signed(payload("sent"))
    with ThreadPoolExecutor(2) as pool:
        hooks = Receiver(journal, SECRET, port=0).__enter__()
        assert http.get(hooks.url + "health").status_code == 200  # its connection stays open
        delivery = pool.submit(httpx.post, hooks.url, content=body, headers=headers, trust_env=False, timeout=HANG_S)
        assert journal.begun.wait(HANG_S)
        closing = pool.submit(hooks.close)
        journal.go_on.set()
        closing.result(HANG_S)
        assert delivery.result(HANG_S).status_code == 200
    with pytest.raises(httpx.TransportError):
        http.get(hooks.url + "health")
    assert [event.message_id for event in journal.events("")] == [MESSAGE_ID]
    journal.close()


# --- the command ---


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Give the signals that the command takes over back to the tests."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def start(journal: str, *more: str, secret: str | None = SECRET) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LINQ_")}
    environ |= {"PYTHONPATH": str(ROOT)} | ({"LINQ_WEBHOOK_SECRET": secret} if secret else {})
    command = [sys.executable, "-W", "error", "-m", "linq_nb.webhooks", "--journal", journal, "--port", "0", *more]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.match(r"Receiving on (http://127\.0\.0\.1:\d+/\S*) into ", line)
    assert match, (line, process.communicate())
    return match.group(1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_receives_until_it_is_stopped(tmp_path: Path, http: httpx.Client, how: signal.Signals) -> None:
    file, secret = tmp_path / "j.sqlite", tmp_path / "linq.secret"
    secret.write_text(SECRET + "\n")
    process = start(str(file), "--secret-file", str(secret), "--path", "/linq", secret=None)
    url = url_of(process)
    event, unsigned = now_signed(payload("sent")), (b"{}", {})
    answers = [http.post(url, content=body, headers=headers) for body, headers in (event, event, unsigned, no_event())]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 400]
    process.send_signal(how)
    output, errors = process.communicate(timeout=HANG_S)
    assert (process.returncode, [line.split()[1] for line in errors.splitlines()]) == (0, ["401", "400"])
    assert output.splitlines()[-1] == "0 new, 1 not ours, 1 repeated, 1 refused, 1 unreadable"
    book = Journal(f"sqlite:///{file}")
    assert [event.message_id for event in book.events("")] == [MESSAGE_ID]
    book.close()


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        ([], None, "no webhook secret"),
        ([], "whsec_?", "not have Linq's form"),
        (["--secret-file", "/nowhere/x"], None, "'x' cannot be read"),
        (["--journal", ":memory:"], SECRET, "a journal in memory"),
        (["--journal", "mysql://x/y"], SECRET, "another database"),
        (["--path", "health"], SECRET, "--path begins with a slash"),
        (["--port", "70000"], SECRET, "port"),
        (["--host", "300.0.0.1"], SECRET, ""),
    ],
)
def test_a_wrong_setup_is_an_error_of_one_line_and_nothing_is_received(
    tmp_path: Path,
    arguments: list[str],
    secret: str | None,
    words: str,
    own_signals: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if secret:
        monkeypatch.setenv("LINQ_WEBHOOK_SECRET", secret)
    with pytest.raises(SystemExit) as ended:
        receiver.main(["--port", "0", "--journal", str(tmp_path / "j.sqlite"), *arguments])
    output = capsys.readouterr()
    assert (ended.value.code, output.out, output.err.count("\n")) == (2, "", 1)
    assert words in output.err
    assert "whsec_?" not in output.err


def test_without_waitress_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = "import runpy, sys; sys.modules['waitress'] = None; runpy.run_module('linq_nb.webhooks', None, '__main__')"
    environ = os.environ | {"PYTHONPATH": str(ROOT), "LINQ_WEBHOOK_SECRET": SECRET}
    arguments = [sys.executable, "-c", code, "--journal", str(tmp_path / "j.sqlite")]
    ended = subprocess.run(arguments, env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert 'pip install "linq_nb[receiver]"' in ended.stderr


# --- from send to delivered ---


@pytest.fixture
def demo_socket() -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "linq_nb.demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
        yield url, key
        process.terminate()


def test_three_processes_bring_a_memo_from_send_to_read(
    tmp_path: Path, demo_socket: tuple[str, str], http: httpx.Client
) -> None:
    """The demo posts to a receiver; a notebook on the same journal sees the events, without a request to Linq."""
    base_url, key = demo_socket
    file, secret = tmp_path / "j.sqlite", tmp_path / "linq.secret"
    with linq_nb.connect(base_url=base_url, api_key=key, journal=str(file)) as outbox:
        subscription = session_of(outbox).client.create_subscription("https://hooks.example.com/", [
            f"message.{event}" for event in ("sent", "delivered", "read", "failed")
        ])  # fmt: skip
        secret.write_text(subscription.signing_secret or "")
        process = start(str(file), "--secret-file", str(secret), secret=None)
        try:
            url = url_of(process)
            hook, login = f"{base_url}/v3/webhook-subscriptions/{subscription.subscription_id}", f"Bearer {key}"
            http.put(hook, json={"target_url": url}, headers={"Authorization": login}).raise_for_status()
            memo = VoiceMemo.from_file(AUDIO / "hello.amr")
            for name in ("Ada Lovelace", "Book Club", "Finn Fails"):
                outbox.send(memo, outbox.find_chat(name))
            ask(http, base_url, "advance", seconds=285)  # its clock signs, and may not be five minutes ahead
            wait_for(lambda: statuses(outbox) == ["read", "sent", "failed"])
            wait_for(lambda: sum(counted(http, url, "new", "not_ours")) == 5)  # the last one is written, then counted
            assert counted(http, url, "refused", "unwritten") == [0, 0]
            assert {event.source for send in outbox.sends() for event in outbox.history(send)} == {"post", "webhook"}
        finally:
            process.terminate()
            assert process.communicate(timeout=HANG_S)[1] == ""


def counted(http: httpx.Client, url: str, *names: str) -> list[int]:
    health = http.get(f"{url}health").json()
    return [health[name] for name in names]


def statuses(outbox: Outbox) -> list[str]:
    return [send.status for send in outbox.sends()]


def ask(http: httpx.Client, base_url: str, path: str, **arguments: Any) -> None:
    origin = base_url.removesuffix("/api/partner")
    http.post(f"{origin}/demo/{path}", json=arguments).raise_for_status()
