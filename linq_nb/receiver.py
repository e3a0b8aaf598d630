"""The receiver: Linq's webhooks over HTTP into the journal, behind a tunnel of your own.

    LINQ_WEBHOOK_SECRET=whsec_... python -m linq_nb.webhooks --journal URL --port 8770

200: written down (or there before). Linq brings again what gets 5xx, 429 or no answer in 10 s, and nothing else: so
503 when the journal cannot be written or too many come at once, and no answer to a delivery that was cut off. Not
taken for good: 401 (signature or age), 400 (no event), 413 (too long), 404 and 405.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from linq_nb import webhooks
from linq_nb.errors import JournalError, LinqError, SettingsError, WebhookError
from linq_nb.hosts import is_loopback
from linq_nb.journal import Journal
from linq_nb.outbox.ingesting import MAX_BODY_BYTES, SECRET_VARIABLE, secrets_of
from linq_nb.secret import Secret
from linq_nb.settings import find_journal

PORT = 8770
HEALTH = "/health"
IDLE_S, READ_S, CLOSE_S = 60.0, 10.0, 5.0
"""How long a connection may wait for its next request, a delivery take to arrive, and the closing to finish one."""

MAX_CONNECTIONS = 64


class _Broken(Exception):
    """A request that cannot be read; ``status`` is the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Until(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes drip."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self.deadline = connection, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after the other; what it means is the receiver's."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "linq_nb", ""
    disable_nagle_algorithm = True  # else an answer's second packet waits 40 ms for the other side's word
    server: Receiver

    def setup(self) -> None:
        super().setup()
        self._reader = _Until(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def log_message(self, *args: Any) -> None:
        """Keep quiet: the receiver tells what matters."""

    def handle_one_request(self) -> None:
        self._reader.deadline = time.monotonic() + IDLE_S
        super().handle_one_request()

    def _serve(self) -> None:
        self._reader.deadline = time.monotonic() + READ_S
        path = self.path.partition("?")[0]
        allowed = {HEALTH: ("GET", "HEAD"), self.server.path: ("POST",)}.get(path)
        if allowed is None:
            self.server.tell(404, "a request for another path")
            self._answer(404, {"error": "nothing is received here"}, close=True)
        elif self.command not in allowed:
            self._answer(405, {"error": "not by this method"}, close=True, Allow=", ".join(allowed))
        elif path == HEALTH:
            self._answer(200, self.server.health())
        else:
            self._receive()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _receive(self) -> None:
        try:
            body = self._body()
        except _Broken as error:
            self.server.count("too_long" if error.status == 413 else "unreadable")
            self.server.tell(error.status, str(error))
            self._answer(error.status, {"error": str(error)}, close=True)
            return
        if body is None:  # cut off: without an answer it comes again
            self.close_connection = True
            return
        status, told = self.server.take(body, self.headers.items())
        self._answer(status, told)

    def _body(self) -> bytes | None:
        """Read the body; None when the connection ended before it. Raises _Broken."""
        lengths, coding = set(self.headers.get_all("Content-Length", [])), self.headers.get("Transfer-Encoding")
        if coding is not None:
            if coding.strip().lower() != "chunked" or lengths:
                raise _Broken(400, "the body has no clear length")
            return self._chunks()
        length = lengths.pop() if len(lengths) == 1 else ""
        if not (length.isascii() and length.isdigit()) or lengths:
            raise _Broken(411, "the body has no length")
        return self._read(_within(length, 10, 0))

    def _read(self, size: int) -> bytes | None:
        data = self.rfile.read(size)
        return data if len(data) == size else None

    def _chunks(self) -> bytes | None:
        """Read a body in chunks, as some tunnels pass it on."""
        body = b""
        while True:
            line = self.rfile.readline(100)
            if not line.endswith(b"\n"):
                return None
            size = _within(line.split(b";")[0].strip().decode("latin-1"), 16, len(body))
            data = self._read(size)
            if data is None:
                return None
            body += data
            while (end := self.rfile.readline(1000)) not in (b"\r\n", b"\n"):
                if size or not end.endswith(b"\n"):  # only the last chunk may be followed by trailers
                    return None
            if not size:
                return body

    def _answer(self, status: int, told: dict[str, Any], *, close: bool = False, **headers: str) -> None:
        self.connection.settimeout(READ_S)
        data = json.dumps(told).encode()
        self.close_connection = self.close_connection or close
        self.send_response(status)
        named = {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}
        for name, value in (named | ({"Connection": "close"} if self.close_connection else {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)


class Receiver(ThreadingHTTPServer):
    """Takes webhooks on one port into one journal; a context manager that serves until it is left.

    ``path`` is where deliveries come to; GET ``/health`` tells the counts. Port 0 takes a free one (``url``).
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        journal: Journal,
        secret: webhooks.Secrets,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        path: str = "/",
        scheme: webhooks.Scheme = "standard",
    ) -> None:
        self.journal, self.path, self.scheme = journal, path, scheme
        self._secret, self._lock = secret, threading.Lock()
        self._counts: Counter[str] = Counter()
        self._since = datetime.now(UTC)
        self._last_at: datetime | None = None
        self._open: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{self.server_address[1]}{path}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections, finish what has come, and free the port; the journal stays open."""
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        until = time.monotonic() + CLOSE_S
        while waiting := self._connections():
            for one in waiting:
                _hear_no_more(one)
            if time.monotonic() > until:
                break
            time.sleep(0.02)

    # --- deliveries ---

    def take(self, body: bytes, headers: Any) -> tuple[int, dict[str, Any]]:
        """Verify a delivery and write it down; returns status and body of the answer."""
        try:
            event = webhooks.verify(body, headers, self._secret, scheme=self.scheme)
            (done,) = self.journal.ingest(event)
        except WebhookError as error:
            if error.reason == "body":
                self.count("unreadable")
                return self._no(400, str(error))
            self.count("refused")
            return self._no(401, str(error))
        except JournalError as error:
            self.count("unwritten")
            self.tell(503, str(error))
            return 503, {"error": "the journal cannot be written now; bring it again"}
        self.count("repeated" if not done.is_new else "new" if done.is_ours else "not_ours")
        return 200, {"status": "ok"}

    def _no(self, status: int, why: str) -> tuple[int, dict[str, Any]]:
        self.tell(status, why)
        return status, {"error": why}

    def count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
            if what in ("new", "not_ours", "repeated"):
                self._last_at = datetime.now(UTC)

    def health(self) -> dict[str, Any]:
        """Return what came so far, in numbers only: anybody who reaches the tunnel can ask."""
        names = ("new", "not_ours", "repeated", "refused", "unreadable", "too_long", "unwritten")
        with self._lock:
            last = self._last_at.isoformat() if self._last_at else None
            counts = {name: self._counts[name] for name in names}
        return {"status": "ok", "since": self._since.isoformat(), "last_taken_at": last, **counts}

    def tell(self, status: int, words: str) -> None:
        """Say what was not taken, to whoever runs this."""
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {status} {words}\n")
        sys.stderr.flush()

    # --- connections ---

    def _connections(self) -> set[socket.socket]:
        with self._lock:
            return set(self._open)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; of too many the last are told to come again."""
        with self._lock:
            is_room = len(self._open) < MAX_CONNECTIONS
            if is_room:
                self._open.add(request)
        if is_room:
            super().process_request(request, client_address)
            return
        self.tell(503, "too many connections")
        request.settimeout(1)
        with contextlib.suppress(OSError):
            request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell the kind of a fault, not its words: a connection that ended is none."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.tell(500, f"a request failed: {type(error).__name__}")


def _within(text: str, base: int, before: int) -> int:
    """Read a length that still fits into a body; raises _Broken."""
    try:
        size = int(text, base) if text.isascii() and text.isalnum() else -1
    except ValueError:
        size = -1
    if size < 0:
        raise _Broken(400, "the body has no clear length")
    if before + size > MAX_BODY_BYTES:
        raise _Broken(413, f"a webhook has at most {MAX_BODY_BYTES // 1_000_000} MB")
    return size


def _hear_no_more(connection: socket.socket) -> None:
    """End the waiting for a next request; an answer that is being written goes out."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


# --- the command ----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and receive until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stop.set())
    try:
        _run(options, stop)
    except (LinqError, OSError, OverflowError) as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m linq_nb.webhooks",
        description="Receive Linq's webhooks into a journal, behind your own tunnel.",
        epilog=f"The signing secret comes from {SECRET_VARIABLE} (several separated by spaces) or from --secret-file.",
    )
    parser.add_argument("--journal", metavar="URL", help="a file or database URL (else as linq_nb.connect finds it)")
    parser.add_argument("--port", type=int, default=PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    parser.add_argument("--path", default="/", help="where deliveries come to (default %(default)s)")
    parser.add_argument("--secret-file", metavar="FILE", help="a file with the signing secret")
    parser.add_argument("--scheme", choices=webhooks.SCHEMES, default="standard", help="default %(default)s")
    return parser


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    secret = _of_file(options.secret_file) if options.secret_file else secrets_of(None)
    webhooks.check_secret(secret, scheme=options.scheme)
    if not options.path.startswith("/") or options.path == HEALTH:
        raise SettingsError(f"--path begins with a slash and is not {HEALTH}")
    journal = Journal(find_journal(options.journal, os.environ, Path("~").expanduser())[0])
    try:
        if journal.in_memory:
            raise SettingsError("a journal in memory ends with the receiver; give --journal a file or a server")
        given = {"host": options.host, "port": options.port, "path": options.path, "scheme": options.scheme}
        with Receiver(journal, secret, **given) as receiver:
            _say(f"Receiving on {receiver.url} into {journal.label}; GET {HEALTH} tells the counts.")
            if not is_loopback(options.host):
                _say("This address is open to the network, without encryption: put a proxy with TLS before it.")
            while not stop.wait(1):
                pass
        told = receiver.health()
        _say(", ".join(f"{told[name]} {name.replace('_', ' ')}" for name in ("new", "not_ours", "repeated", "refused")))
    finally:
        journal.close()


def _of_file(name: str) -> list[Secret]:
    try:
        found = Path(name).expanduser().read_text("utf-8").split()
    except (OSError, ValueError, RuntimeError):
        raise SettingsError(f"the secret file {Path(name).name!r} cannot be read") from None
    return [Secret(one) for one in found]


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
