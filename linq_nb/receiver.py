"""The receiver: a small WSGI app on waitress that writes Linq's webhooks into the journal, behind your own tunnel.

    LINQ_WEBHOOK_SECRET=whsec_... python -m linq_nb.webhooks --journal URL --port 8770

200: the delivery is in the journal. Linq repeats a delivery after a 5xx, a 429 or no answer within 10 s, and after
nothing else: so the answer is 503 while the journal cannot be written, and a delivery that was cut off gets no answer.
Final refusals: 401 (signature or age), 400 (no event), 413 (too long), 404 and 405. Needs ``linq_nb[receiver]``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from linq_nb import webhooks
from linq_nb.errors import JournalError, LinqError, SettingsError, WebhookError
from linq_nb.hosts import is_loopback
from linq_nb.journal import Journal
from linq_nb.outbox import ingest
from linq_nb.outbox.ingest import SECRET_VARIABLE
from linq_nb.process import Home, Unpicklable
from linq_nb.secret import Secret
from linq_nb.settings import find_journal
from linq_nb.webhooks.envelopes import MAX_BODY_BYTES
from linq_nb.webhooks.signature import hidden_secrets

PORT = 8770
HEALTH = "/health"
THREADS = 16
IDLE_S = 5
"""Time for a request to come as a whole, and for the next one to begin, in seconds."""

CLEANUP_S = 1
"""Seconds between two looks for connections whose time is over."""

CLOSE_S = 5.0
"""Time that closing leaves to the deliveries that are being written, in seconds."""


class Receiver(Unpicklable):
    """Receives webhooks on one port into one journal; a context manager that serves until it is left.

    Deliveries come to ``path``; GET ``/health`` shows the counts. Port 0 picks a free port (see ``url``). A connection
    is closed when no whole request has come on it for ``idle_s`` seconds; beyond ``max_connections`` a new one waits
    until another ends. So slow connections delay a delivery by less than the 10 s that Linq waits for its answer.
    Raises SettingsError when waitress is not installed, OSError when the address is not free.
    """

    def __init__(
        self,
        journal: Journal,
        secret: webhooks.Secrets,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        path: str = "/",
        scheme: webhooks.Scheme = "standard",
        max_connections: int = 256,
        idle_s: int = IDLE_S,
    ) -> None:
        self.journal, self.path, self.scheme, self._home = journal, path, scheme, Home("receiver")
        self._secret, self._lock = hidden_secrets(secret), threading.Lock()
        self._counts: Counter[str] = Counter()
        self._since = datetime.now(UTC)
        self._last_at: datetime | None = None
        self._sockets: dict[int, Any] = {}
        self._server = _listen(
            self._app, host, port, map=self._sockets, connection_limit=max_connections + 2, channel_timeout=idle_s
        )  # two sockets are the server's own
        self.port: int = int(self._server.effective_port)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}{path}"
        self._thread = threading.Thread(target=self._server.run, name="linq_nb receiver", daemon=True)

    def __enter__(self) -> Receiver:
        self._home.check()
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the deliveries that are being written and free the port; the journal stays open.

        A delivery that had not begun gets no answer, so Linq repeats it. In a forked child it does nothing.
        """
        if not self._home.is_here:
            return
        from waitress import wasyncore

        self._server.task_dispatcher.shutdown(timeout=CLOSE_S)
        if self._thread.is_alive():  # the sockets belong to its loop, which ends with the last of them
            with suppress(OSError):  # the loop may have seen the order, and closed the trigger, before it is pulled
                self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
            self._thread.join(CLOSE_S)
        else:
            wasyncore.close_all(self._sockets)

    def health(self) -> dict[str, Any]:
        """Return the counts so far: numbers only, since anybody who reaches the tunnel can ask."""
        self._home.check()
        with self._lock:
            last_at = self._last_at.isoformat() if self._last_at else None
            counts = {name: self._counts[name] for name in (*ingest.COUNTS, "unwritten")}
        return {"status": "ok", "since": self._since.isoformat(), "last_delivery_at": last_at, **counts}

    def receive(self, body: bytes, headers: Any) -> tuple[int, dict[str, Any]]:
        """Verify a delivery and write it into the journal; returns status and body of the answer."""
        self._home.check()
        try:
            event = webhooks.verify(body, headers, self._secret, scheme=self.scheme)
            (ingested,) = self.journal.ingest(event)
        except WebhookError as error:
            count = ingest.refusal(error)
            status = 400 if count == "unreadable" else 401
            self._count(count)
            _log(status, str(error))
            return status, {"error": str(error)}
        except JournalError as error:
            self._count("unwritten")
            _log(503, str(error))
            return 503, {"error": "the journal cannot be written now; send the delivery again"}
        self._count(ingested.result)
        return 200, {"status": "ok"}

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1
            if name in ("new", "not_ours", "repeated"):
                self._last_at = datetime.now(UTC)

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application: one request, one JSON answer."""
        status, answer, headers = self._answer(environ)
        body = json.dumps(answer).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        allowed = {HEALTH: ("GET", "HEAD"), self.path: ("POST",)}.get(path)
        if allowed is None:
            _log(404, "a request for another path")
            return 404, {"error": "nothing is received at this path"}, {}
        if method not in allowed:
            return 405, {"error": "this method is not allowed here"}, {"Allow": ", ".join(allowed)}
        if path == HEALTH:
            return 200, self.health(), {}
        try:
            return *self.receive(environ["wsgi.input"].read(), _headers(environ)), {}
        except Exception as error:  # noqa: BLE001 the message of an unexpected error may quote the delivery
            _log(500, f"a request failed: {type(error).__name__}")
            return 500, {"error": "the delivery was not written; send it again"}, {}


def _listen(app: Callable[..., Any], host: str, port: int, **limits: Any) -> Any:
    """Return a waitress server that listens on the address."""
    try:
        import waitress
    except ImportError:
        raise SettingsError(
            "receiving webhooks needs waitress, which is not installed; nothing was started; "
            'pip install "linq_nb[receiver]"'
        ) from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = waitress.create_server(
        app,
        sockets=[socket.create_server((host, port), family=family)],
        threads=THREADS,
        cleanup_interval=CLEANUP_S,
        max_request_body_size=MAX_BODY_BYTES + 1,  # waitress refuses a body of this size
        max_request_header_size=65_536,
        inbuf_overflow=2 * MAX_BODY_BYTES,  # a delivery is never spooled to the disk
        asyncore_use_poll=True,
        ident="linq_nb",
        **limits,
    )
    server.channel_class = _channel_class()
    return server


def _channel_class() -> type[Any]:
    """Return waitress' connection, with the time limit on a whole request instead of on each of its bytes."""
    from waitress.channel import HTTPChannel

    class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
        """A connection on which a byte now and then is no activity."""

        last_activity: float

        def handle_read(self) -> None:
            began_at = self.last_activity if self.request is not None else None
            super().handle_read()
            if began_at is not None and self.request is not None:
                self.last_activity = began_at

    return Channel


def _headers(environ: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the request's headers; WSGI joins one that came twice by a comma and a space, which no signed one has."""
    joined = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    return [(name, part) for name, value in joined for part in value.split(", ")]


def _log(status: int, text: str) -> None:
    """Write to stderr why a request was refused, for the person who runs the receiver."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {status} {text}", file=sys.stderr, flush=True)


# --- the command ----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and receive until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        _run(options, stop)
    except (LinqError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m linq_nb.webhooks",
        description="Receive Linq's webhooks into a journal, behind your own tunnel.",
        epilog=f"The signing secret comes from {SECRET_VARIABLE} (several separated by spaces) or from --secret-file.",
    )
    parser.add_argument("--journal", metavar="URL", help="a file or database URL (else as linq_nb.connect finds it)")
    parser.add_argument("--port", type=int, default=PORT, help="0 picks a free port (default %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    parser.add_argument("--path", default="/", help="the path that Linq posts to (default %(default)s)")
    parser.add_argument("--secret-file", metavar="FILE", help="a file with the signing secret")
    parser.add_argument("--scheme", choices=webhooks.SCHEMES, default="standard", help="default %(default)s")
    return parser


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    secret = _read_secrets(options.secret_file) if options.secret_file else ingest.secrets_of(None)
    webhooks.check_secret(secret, scheme=options.scheme)
    if not options.path.startswith("/") or options.path == HEALTH:
        raise SettingsError(
            f"--path begins with a slash and is not {HEALTH}; nothing was started; give another, such as /linq"
        )
    if not 0 <= options.port < 65_536:
        raise SettingsError(
            "--port is a number from 0 to 65535; nothing was started; give another, or 0 for a free one"
        )
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a burst that waits for a thread is no trouble
    with closing(Journal(find_journal(options.journal, os.environ, Path("~").expanduser())[0])) as journal:
        if journal.in_memory:
            raise SettingsError(
                "a journal in memory ends with the receiver; nothing was started; give --journal a file or a server"
            )
        address = {"host": options.host, "port": options.port, "path": options.path, "scheme": options.scheme}
        with Receiver(journal, secret, **address) as receiver:
            print(f"Receiving on {receiver.url} into {journal.label}; GET {HEALTH} shows the counts.", flush=True)
            if journal.warning:
                print(f"Warning: {journal.warning}.", flush=True)
            if not is_loopback(options.host):
                print(
                    "This address is open to the network, without encryption: put a proxy with TLS before it.",
                    flush=True,
                )
            while not stop.wait(1):
                pass
        counts = receiver.health()
        print(", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in ingest.COUNTS))


def _read_secrets(name: str) -> list[Secret]:
    try:
        return ingest.secrets_in(Path(name).expanduser().read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):
        raise SettingsError(
            f"the secret file {Path(name).name!r} cannot be read; nothing was started; check its path and permissions"
        ) from None
