"""One HTTP/1.1 connection: h11 speaks the protocol, this module owns the socket and enforces the deadline.

httpx's own connections cannot promise what a memo needs: one deadline for the whole exchange, certainty whether the
last byte was handed over, and no second use after unread bytes or an answer that was not understood.
Errors are httpx's: ``ConnectError`` before a connection, ``WriteError`` before the last byte, others after it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import h11
import httpx

from linq_nb.client.trust import certificate_fault, tls
from linq_nb.hosts import is_public_address
from linq_nb.secret import HiddenBytes, StandIns
from linq_nb.text import clean

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 3.0
"""How long an idle connection may be used again, in seconds. Servers close theirs after 5 s or more, and the outcome of
a memo that is sent at that moment is unknown."""

MAX_HEAD_BYTES = 65_536
MAX_INTERIM_ANSWERS = 20
"""Heads of status 1xx before the answer; a server that sends more is not understood."""

READ_BYTES = 16_384
_NO_SECRETS = StandIns()
_NOT_HTTP = "the answer is not valid HTTP/1.1"


class Origin(NamedTuple):
    """Where a connection leads; ``tls_name`` is the name that the certificate must have, None without TLS.

    ``is_public``: the address that the connection is made to must be on the public internet.
    """

    host: str
    port: int
    tls_name: str | None
    is_public: bool = False

    @classmethod
    def of(cls, request: httpx.Request) -> Origin:
        url, name = request.url, request.extensions.get("sni_hostname")
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("the address is neither http nor https")
        host, is_tls = url.raw_host.decode("ascii"), url.scheme == "https"
        tls_name = (name or host) if is_tls else None
        return cls(host, url.port or (443 if is_tls else 80), tls_name, request.extensions.get("is_public", False))


class Connection:
    """A connection for one exchange at a time. Another thread may ``cut`` it, but only its user closes it."""

    def __init__(self, origin: Origin, deadline: float) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.is_kept = False  # whether an exchange came before the present one
        self._is_used = False  # whether there was any exchange
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        with _errors(httpx.ConnectTimeout, httpx.ConnectError):
            timeout = min(CONNECT_TIMEOUT_S, _left(deadline))
            self._socket = socket.create_connection((origin.host, origin.port), timeout)
            try:
                if origin.is_public and not is_public_address(self._socket.getpeername()[0]):
                    raise OSError("its address is not on the public internet")
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.settimeout(min(CONNECT_TIMEOUT_S, _left(deadline)))
                if origin.tls_name is not None:
                    self._socket = tls().wrap_socket(self._socket, server_hostname=origin.tls_name)
            except BaseException as error:
                self._socket.close()
                if fault := certificate_fault(error, origin.tls_name or origin.host):
                    raise fault from None
                raise

    def close(self) -> None:
        self._socket.close()

    def certificate(self) -> tuple[str, str]:
        """Return who issued the server's certificate, and the day until which it is valid; without TLS two blanks."""
        peer: Mapping[str, Any] = {}
        if isinstance(self._socket, ssl.SSLSocket):
            peer = self._socket.getpeercert() or {}
        issuer = dict(field[0] for field in peer.get("issuer", ()))
        until = time.gmtime(ssl.cert_time_to_seconds(peer["notAfter"])) if "notAfter" in peer else None
        name = issuer.get("organizationName") or issuer.get("commonName") or ""
        return clean(name, 80), time.strftime("%Y-%m-%d", until) if until else ""

    def cut(self) -> None:
        """End the connection under the thread that uses it, which gets an error and closes it.

        Closing it here would free its number for another connection while that thread may still read from it.
        """
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS, which would forget its keys first

    def finish(self) -> bool:
        """Prepare for the next exchange; returns False when there can be none on this connection."""
        is_done = self._http.our_state is self._http.their_state is h11.DONE
        is_closed = self._socket.fileno() == -1
        if is_closed or not is_done or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self.idle_since = time.monotonic()
        return True

    def has_next_answer(self, wait_s: float = 0.0) -> bool:
        """Whether another answer follows this one, so that it is not clear which request each of them answers.

        On a connection that was used before it is waited for, at most ``wait_s`` seconds; the connection cannot be used
        again after that.
        """
        more = self._http.trailing_data[0]
        if not more and wait_s and self.is_kept:
            with contextlib.suppress(OSError):
                self._socket.settimeout(wait_s)
                more = self._socket.recv(READ_BYTES)
        return more.lstrip().startswith(b"HTTP/")

    def is_quiet(self) -> bool:
        """Whether the server has neither closed the connection nor sent anything since the last answer."""
        try:
            self._socket.settimeout(0)
            if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                return False
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)  # below TLS
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    # --- an exchange ---

    def exchange(self, request: httpx.Request, deadline: float) -> h11.Response:
        """Write a request and read the head of its answer, until ``deadline`` by the monotonic clock.

        The request's body is asked for its end only after its last byte was handed over.
        """
        self.is_kept, self._is_used = self._is_used, True
        try:
            self._write(request, deadline)
        except httpx.WriteError:
            with contextlib.suppress(httpx.HTTPError):
                return self._read_head(deadline)  # a server may refuse a request before it has read it whole
            raise
        return self._read_head(deadline)

    def read_body(self, deadline: float) -> Iterator[bytes]:
        """Give the bytes of the answer as they come."""
        while isinstance(event := self._next_event(deadline), h11.Data):
            yield bytes(event.data)

    def _write(self, request: httpx.Request, deadline: float) -> None:
        unsent = self._encode_head(request)
        for chunk in request.stream:  # type: ignore[union-attr]  # ours are never asynchronous
            self._http.send(h11.Data(data=chunk))
            self._send(memoryview(b"".join((unsent, chunk))), deadline)
            unsent = memoryview(b"")
        self._send(unsent, deadline)
        self._http.send(h11.EndOfMessage())

    def _encode_head(self, request: httpx.Request) -> memoryview:
        """Return the first bytes of a request, with its secrets in them."""
        try:
            target = request.extensions.get("path", request.url.raw_path)
            head = h11.Request(method=request.method, target=target, headers=request.headers.raw)
            stand_ins: StandIns = request.extensions.get("stand_ins", _NO_SECRETS)
            return stand_ins.fill(self._http.send(head) or b"")
        except (h11.LocalProtocolError, ValueError):  # their text would show the header
            raise httpx.LocalProtocolError("the request has a header that HTTP does not allow") from None

    def _send(self, data: memoryview, deadline: float) -> None:
        with _errors(httpx.WriteTimeout, httpx.WriteError):
            while data:
                self._socket.settimeout(_left(deadline))
                data = data[self._socket.send(data) :]

    def _read_head(self, deadline: float) -> h11.Response:
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            event = self._next_event(deadline)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise httpx.RemoteProtocolError(_NOT_HTTP)

    def _next_event(self, deadline: float) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                with _errors(httpx.ReadTimeout, httpx.ReadError):
                    self._socket.settimeout(_left(deadline))
                    data = HiddenBytes(self._socket.recv(READ_BYTES))
                self._http.receive_data(data)
        except h11.RemoteProtocolError:  # its text would quote the answer, which may echo the key
            is_closed = self._http.trailing_data[1]
            why = "the connection was closed before the answer ended" if is_closed else _NOT_HTTP
            raise httpx.RemoteProtocolError(why) from None
        return event


@contextlib.contextmanager
def _errors(timeout: type[httpx.TransportError], failure: type[httpx.TransportError]) -> Iterator[None]:
    """Raise httpx's errors for those of a socket."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a host name that no certificate can have
        raise failure(str(error)) from error


def _left(deadline: float) -> float:
    """Return the seconds until a deadline; raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange did not end in time")
    return left
