"""The receiver on a real socket: what it answers, what it writes down, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hook_samples import MESSAGE_ID, NEW, OLD, OTHER, SECRET, answered, payload, sending, signed, wanted

import linq_nb
from linq_nb import Outbox, VoiceMemo, receiver
from linq_nb.journal import Journal
from linq_nb.receiver import Receiver

ROOT = Path(__file__).parents[2]
AUDIO = ROOT / "notebooks" / "audio" / "hello.amr"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(f"sqlite:///{tmp_path}/j.sqlite")
    yield made
    made.close()


@pytest.fixture
def hooks(disk: Journal) -> Iterator[Receiver]:
    with Receiver(disk, [OTHER, SECRET], port=0) as made:
        yield made


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def now_signed(told: dict[str, Any], **more: Any) -> tuple[bytes, dict[str, str]]:
    return signed(told, at=more.pop("at", datetime.now(UTC)), **more)


def counts(hooks: Receiver) -> dict[str, int]:
    return {name: value for name, value in hooks.health().items() if isinstance(value, int) and value}


def until(told: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def raw(hooks: Receiver, *parts: bytes, pause_s: float = 0) -> bytes:
    """Write to the socket as it stands and read until it closes."""
    with socket.create_connection(hooks.server_address[:2], timeout=10) as one:
        for part in parts:
            one.sendall(part)
            time.sleep(pause_s)
        one.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: one.recv(65536), b""))


def request(body: bytes, headers: dict[str, str], *more: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items()), *more]
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


def test_what_is_not_linqs_gets_401_and_leaves_a_count_never_a_row(
    hooks: Receiver, disk: Journal, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    body, headers = now_signed(payload("sent"))
    old = now_signed(payload("sent"), at=datetime.now(UTC) - timedelta(minutes=6))
    forged = now_signed(payload("sent"), secret="whsec_" + "B" * 32)
    for wrong in [(body + b" ", headers), (body, {}), old, forged]:
        assert http.post(hooks.url, content=wrong[0], headers=wrong[1]).status_code == 401
    assert counts(hooks) == {"refused": 4}
    assert disk.events() == []
    said = capsys.readouterr().err
    assert said.count(" 401 ") == 4
    assert "whsec" not in said


def test_no_event_gets_400(hooks: Receiver, disk: Journal, http: httpx.Client) -> None:
    from standardwebhooks import Webhook

    at = datetime.now(UTC)
    headers = {"webhook-id": "e", "webhook-timestamp": str(int(at.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("e", at, "[]")
    assert http.post(hooks.url, content=b"[]", headers=headers).status_code == 400
    assert counts(hooks) == {"unreadable": 1}
    assert disk.events() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("HEAD", "/health", 200), ("GET", "/", 405), ("PUT", "/", 405), ("POST", "/health", 405),
     ("POST", "/x", 404), ("GET", "/favicon.ico", 404), ("DELETE", "/health", 405)],
)  # fmt: skip
def test_other_requests(hooks: Receiver, http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, hooks.url.rstrip("/") + path, content=b"x" if method != "GET" else None)
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    if method == "HEAD":
        assert answer.text == ""
    elif status == 200:
        assert answer.json()["new"] == 0
        assert "j.sqlite" not in answer.text


def test_a_body_that_is_too_long_is_not_read(hooks: Receiver, http: httpx.Client) -> None:
    assert http.post(hooks.url, content=b"x" * 1_000_001).status_code == 413
    said = raw(hooks, request(b"", {}, "Content-Length: 999999999999"))
    assert said.startswith(b"HTTP/1.1 413 ")
    chunked = raw(hooks, request(b"F4241\r\n", {}, "Transfer-Encoding: chunked"))
    assert chunked.startswith(b"HTTP/1.1 413 ")
    assert counts(hooks) == {"too_long": 3}


@pytest.mark.parametrize(
    ("headers", "status"),
    [([], 411), (["Content-Length: x"], 411), (["Content-Length: -1"], 411),
     (["Content-Length: 1", "Content-Length: 2"], 411), (["Transfer-Encoding: gzip"], 400),
     (["Transfer-Encoding: chunked", "Content-Length: 1"], 400)],
)  # fmt: skip
def test_a_body_of_no_clear_length_is_refused(hooks: Receiver, headers: list[str], status: int) -> None:
    assert raw(hooks, request(b"ab", {}, *headers)).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    "junk", [b"", b"\r\n\r\n", b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"POST / HTTP/9\r\n\r\n", b"x" * 70_000]
)
def test_what_is_no_http_harms_nothing(hooks: Receiver, http: httpx.Client, junk: bytes) -> None:
    said = raw(hooks, junk)
    assert b" 200 " not in said
    assert http.get(hooks.url + "health").status_code == 200


def test_a_chunked_body_is_taken(hooks: Receiver) -> None:
    body, headers = now_signed(payload("sent"))
    half = len(body) // 2
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in (body[:half], body[half:]))
    said = raw(hooks, request(b"", headers, "Transfer-Encoding: chunked"), chunks, b"0\r\nTrailer: x\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")
    assert counts(hooks) == {"not_ours": 1}


def test_a_delivery_that_was_cut_off_gets_no_answer_so_that_it_comes_again(hooks: Receiver) -> None:
    body, headers = now_signed(payload("sent"))
    assert raw(hooks, request(body[:-5], headers, f"Content-Length: {len(body)}")) == b""
    assert raw(hooks, request(b"ff\r\nabc", headers, "Transfer-Encoding: chunked")) == b""
    assert counts(hooks) == {}


@pytest.mark.parametrize("first", [b"P", request(b"", {}, "Content-Length: 9")])
def test_who_drips_is_let_go(hooks: Receiver, monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(receiver, "READ_S", 0.3)
    monkeypatch.setattr(receiver, "IDLE_S", 0.3)
    before = time.monotonic()
    with pytest.raises(ConnectionError):
        raw(hooks, first, *[b"a"] * 600, pause_s=0.05)
    assert time.monotonic() - before < 20  # and not 30
    assert counts(hooks) == {}


def test_too_many_connections_are_told_to_come_again(
    hooks: Receiver, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "MAX_CONNECTIONS", 2)
    held = [socket.create_connection(hooks.server_address[:2]) for _ in range(2)]
    until(lambda: len(hooks._open) == 2)
    assert http.post(hooks.url, content=b"").status_code == 503
    for one in held:
        one.close()
    until(lambda: not hooks._open)
    assert http.get(hooks.url + "health").status_code == 200


def test_while_the_journal_cannot_be_written_linq_shall_come_again(
    hooks: Receiver, disk: Journal, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    driver: Any = disk._engine.raw_connection().driver_connection
    body, headers = now_signed(payload("sent"))
    driver.execute("PRAGMA query_only = 1")
    assert http.post(hooks.url, content=body, headers=headers).status_code == 503
    assert " 503 " in capsys.readouterr().err
    driver.execute("PRAGMA query_only = 0")
    assert http.post(hooks.url, content=body, headers=headers).status_code == 200
    assert counts(hooks) == {"unwritten": 1, "not_ours": 1}


def test_sixteen_at_once_write_each_event_once(hooks: Receiver, disk: Journal) -> None:
    answered(disk, sending(disk))
    deliveries = [now_signed(payload("sent", n / 7)) for n in range(20)] * 2

    def post(one: tuple[bytes, dict[str, str]]) -> int:
        return httpx.post(hooks.url, content=one[0], headers=one[1], trust_env=False).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(post, deliveries)) == {200}
    assert counts(hooks) == {"new": 20, "repeated": 20}
    assert len(disk.events(wanted().send_id)) == 20


def test_closing_ends_idle_connections_and_finishes_a_delivery(
    disk: Journal, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "CLOSE_S", 30.0)
    with Receiver(disk, SECRET, port=0) as hooks:
        assert http.get(hooks.url + "health").status_code == 200  # its connection stays open
        before = time.monotonic()
    assert time.monotonic() - before < receiver.CLOSE_S
    with pytest.raises(httpx.ConnectError):
        http.get(hooks.url + "health")


# --- the command ---


def start(journal: str, *more: str, secret: str | None = SECRET) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LINQ_")}
    environ |= {"PYTHONPATH": str(ROOT)} | ({"LINQ_WEBHOOK_SECRET": secret} if secret else {})
    command = [sys.executable, "-W", "error", "-m", "linq_nb.webhooks", "--journal", journal, "--port", "0", *more]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"Receiving on (http://127\.0\.0\.1:\d+/\S*) into ", line)
    assert found, (line, process.communicate())
    return found.group(1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_receives_until_it_is_stopped(tmp_path: Path, http: httpx.Client, how: signal.Signals) -> None:
    file, secret = tmp_path / "j.sqlite", tmp_path / "linq.secret"
    secret.write_text(SECRET + "\n")
    process = start(str(file), "--secret-file", str(secret), "--path", "/linq", secret=None)
    url = url_of(process)
    body, headers = now_signed(payload("sent"))
    assert http.post(url, content=body, headers=headers).status_code == 200
    process.send_signal(how)
    said, errors = process.communicate(timeout=15)
    assert (process.returncode, errors) == (0, "")
    assert said == "0 new, 1 not ours, 0 repeated, 0 refused\n"
    book = Journal(f"sqlite:///{file}")
    assert [one.message_id for one in book.events("")] == [MESSAGE_ID]
    book.close()


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        ([], None, "no webhook secret"),
        ([], "whsec_?", "not one of Linq's"),
        (["--secret-file", "/nowhere/x"], None, "'x' cannot be read"),
        (["--journal", ":memory:"], SECRET, "a journal in memory"),
        (["--journal", "mysql://x/y"], SECRET, "another database"),
        (["--path", "health"], SECRET, "--path begins with a slash"),
        (["--port", "70000"], SECRET, "port"),
        (["--host", "300.0.0.1"], SECRET, ""),
    ],
)
def test_a_wrong_setup_is_one_line_and_nothing_is_received(
    tmp_path: Path,
    arguments: list[str],
    secret: str | None,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    if secret:
        monkeypatch.setenv("LINQ_WEBHOOK_SECRET", secret)
    with pytest.raises(SystemExit) as ended:
        receiver.main(["--port", "0", "--journal", str(tmp_path / "j.sqlite"), *arguments])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert words in said.err
    assert "whsec_?" not in said.err


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
    """The demo posts to a receiver; a notebook on the same journal sees what came, without asking Linq."""
    base_url, key = demo_socket
    file, secret = tmp_path / "j.sqlite", tmp_path / "linq.secret"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with linq_nb.connect(base_url=base_url, api_key=key, journal=str(file)) as outbox:
        made = outbox.client.create_subscription(f"http://127.0.0.1:{port}/", [
            f"message.{what}" for what in ("sent", "delivered", "read", "failed")
        ])  # fmt: skip
        secret.write_text(made.signing_secret or "")
        process = start(str(file), "--port", str(port), "--secret-file", str(secret), secret=None)
        try:
            url = url_of(process)
            memo = VoiceMemo.from_file(AUDIO)
            for name in ("Ada Lovelace", "Book Club", "Finn Fails"):
                outbox.send(memo, outbox.find_chat(name))
            ask(http, base_url, "advance", seconds=285)  # its clock signs, and may not be five minutes ahead
            until(lambda: statuses(outbox) == ["read", "sent", "failed"])
            health = http.get(f"{url}health").json()
            assert (health["new"] + health["not_ours"], health["refused"], health["unwritten"]) == (5, 0, 0)
            assert {one.source for send in outbox.sends() for one in outbox.history(send)} == {"post", "webhook"}
        finally:
            process.terminate()
            assert process.communicate(timeout=15)[1] == ""


def statuses(outbox: Outbox) -> list[str]:
    return [one.status for one in outbox.sends()]


def ask(http: httpx.Client, base_url: str, what: str, **arguments: Any) -> None:
    origin = base_url.removesuffix("/api/partner")
    http.post(f"{origin}/demo/{what}", json=arguments).raise_for_status()
