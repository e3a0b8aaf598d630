"""A real HTTP server on loopback that answers scripted bytes, well formed or not, and notes what reached it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[["RawServer", socket.socket], None]


def answer(status: int, body: bytes | dict[str, Any] = b"", reason: str = "", **headers: str) -> Answer:
    """A well-formed answer; the connection stays open. A dict goes as JSON."""
    return raw(answer_bytes(status, body, reason, **headers))


def answer_bytes(status: int, body: bytes | dict[str, Any] = b"", reason: str = "", **headers: str) -> bytes:
    kind = "application/json" if isinstance(body, dict) else headers.pop("content_type", "text/html")
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} {reason or 'X'}", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def raw(data: bytes, *, then: str = "stay") -> Answer:
    """These bytes; ``then`` is stay, close, reset or hang."""

    def act(server: RawServer, link: socket.socket) -> None:
        link.sendall(data)
        if then == "close":
            raise ConnectionError
        if then == "reset":
            reset(server, link)
        if then == "hang":
            silent(server, link)

    return act


def reset(server: RawServer, link: socket.socket) -> None:
    """Reset the connection."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionError


def close(server: RawServer, link: socket.socket) -> None:
    """Close the connection without an answer."""
    raise ConnectionError


def silent(server: RawServer, link: socket.socket) -> None:
    """Send nothing until the test is over."""
    server.stopping.wait(20)
    raise ConnectionError


def drip(data: bytes, every_s: float, head: bytes = b"") -> Answer:
    """Send the head, then byte by byte."""

    def act(server: RawServer, link: socket.socket) -> None:
        link.sendall(head)
        for number in range(len(data)):
            if server.stopping.wait(every_s):
                break
            link.sendall(data[number : number + 1])
        raise ConnectionError

    return act


def by_target(**answers: Answer) -> Answer:
    """Choose the answer by the first name that is in the request's target; ``other`` for the rest."""

    def act(server: RawServer, link: socket.socket) -> None:
        target = server.current[link].target
        chosen = next((act for name, act in answers.items() if name in target), answers.get("other"))
        assert chosen is not None, target
        chosen(server, link)

    return act


@dataclass
class RawServer:
    """Answers each request with the next of ``script``; the last one answers all that follow."""

    script: list[Answer] = field(default_factory=list)
    requests: list[ReceivedRequest] = field(default_factory=list)
    current: dict[socket.socket, ReceivedRequest] = field(default_factory=dict)
    """The request that each connection answers."""
    closed: int = 0
    """How many connections the server has closed."""
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections = 0
        self._links: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        self.base_url = f"{self.origin}/api/partner"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def will(self, *script: Answer) -> RawServer:
        self.script = list(script)
        return self

    @property
    def memos(self) -> list[ReceivedRequest]:
        """The voice memo requests that came whole."""
        return [
            request for request in self.requests if request.method == "POST" and request.target.endswith("/voicememo")
        ]

    def close(self) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=2)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(link)
            self._connections += 1
            thread = threading.Thread(target=self._serve, args=(link, self._connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, link: socket.socket, number: int) -> None:
        if self.tls:
            try:
                link = self.tls.wrap_socket(link, server_side=True)
            except OSError:  # the client did not trust the certificate
                link.close()
                return
        reader = link.makefile("rb")
        try:
            while (request := _read(reader, number)) is not None:
                with self._lock:
                    self.requests.append(request)
                    self.current[link] = request
                    act = self.script.pop(0) if len(self.script) > 1 else (self.script or [close])[0]
                act(self, link)
        except (OSError, ValueError):  # the other side went away, or never spoke HTTP
            pass
        finally:
            reader.close()
            link.close()
            with self._lock:
                self.closed += 1


def _read(reader: Any, number: int) -> ReceivedRequest | None:
    first = reader.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := reader.readline().strip().decode("latin-1"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    body = reader.read(length)
    if len(body) < length:
        return None
    return ReceivedRequest(first[0], first[1], headers, body, number)
