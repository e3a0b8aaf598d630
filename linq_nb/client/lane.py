"""A way to Linq, for one request at a time: a connection that is used again and again, and httpx for all else.

A memo costs a fraction of the processor time that httpx takes for it: no pool, no redirects, no cookies, one write.
Where a proxy stands in between, the caller brought a transport, or bytes go to another host, httpx does the work.
"""

from __future__ import annotations

import functools
import ssl
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from linq_nb.client.direct import KEEP_ALIVE_S, Connection, opened
from linq_nb.hosts import is_loopback
from linq_nb.secret import Secret
from linq_nb.wire import MAX_ANSWER_BYTES

USER_AGENT = "linq_nb"
CONNECT_TIMEOUT_S = 10.0

_JSON = b"Content-Type: application/json\r\nContent-Length: %d\r\n"

Headers = Sequence[tuple[bytes, bytes]]

FAULTS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    zlib.error,
    UnicodeError,
)
"""What an exchange raises where no whole answer came."""

_BEFORE_BYTES: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)


class Body(httpx.SyncByteStream):
    """A request's body that knows how far it got: one whose end was never written cannot have been acted on.

    ``at_write`` is called at the last moment, when the connection stands; it may raise, and then nothing leaves.
    """

    def __init__(self, data: bytes = b"", at_write: Callable[[], None] = lambda: None) -> None:
        self.data, self.is_taken, self._began, self._ended = data, False, False, False
        self.at_write = at_write

    def __iter__(self) -> Iterator[bytes]:
        self._began = True
        if self.data:
            self.at_write()
            yield self.data
        self._ended = True

    def wrote(self) -> None:
        """Note that the last byte of the request was handed over."""
        self._ended = True

    def left(self, error: Exception) -> bool:
        """Whether the whole request may have left.

        A transport that is known to take the body from here (``is_taken``) is judged by that; another one that
        never did, by the error alone.
        """
        return (self._ended or not (self._began or self.is_taken)) and not isinstance(error, _BEFORE_BYTES)


@dataclass(slots=True)
class Reply:
    """The head of an answer, and its bytes as they come."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes]
    close: Callable[[], None]


class Lane:
    """A way out; not for several requests at once, but may be closed by any thread."""

    def __init__(self, base_url: str, key: Secret, timeout: float, transport: httpx.BaseTransport | None) -> None:
        self._base, self._key, self._transport = httpx.URL(base_url), key, transport
        self._timeout = {"connect": min(CONNECT_TIMEOUT_S, timeout), "read": timeout, "write": timeout, "pool": timeout}
        self._is_direct = is_direct(self._base, transport)
        self._connection: Connection | None = None
        self._http: httpx.Client | None = None
        self.rested_at = 0.0

    def close(self) -> None:
        """Close what is open; the next request opens anew."""
        connection, http = self._connection, self._http
        self._connection = self._http = None
        if connection is not None:
            connection.close()
        if http is not None:
            http.close()

    def to_linq(self, method: str, target: str, body: Body, deadline: float) -> Reply:
        """Make a request to Linq itself, with the key; ``target`` is what follows the base URL."""
        raw_target = self._base.raw_path.rstrip(b"/") + target.encode("ascii")
        body.is_taken = self._transport is None
        if not self._is_direct:
            return self._by_httpx(method, self._base.copy_with(raw_path=raw_target), self._with_key(body), body)
        request = self._written(method, raw_target, body)
        connection = self._connected(deadline)
        body.at_write()
        status, headers = connection.ask(request, body.wrote, deadline)
        chunks = _unpacked(connection.body(status, headers, deadline), headers)
        return Reply(status, headers, chunks, connection.settle)

    def _written(self, method: str, target: bytes, body: Body) -> memoryview:
        """Return a request's bytes, as a view: what a view holds is not shown in a traceback."""
        length = _JSON % len(body.data) if body.data else b""
        return memoryview(b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method.encode(), target, self._block, length, body.data))

    @functools.cached_property
    def _block(self) -> bytes:
        """The lines that every request has, with the key."""
        lines = [b": ".join(one) for one in self._with_key(Body())]
        if any(b"\r" in line or b"\n" in line for line in lines):
            raise httpx.LocalProtocolError("the key has a line break, which no header takes")
        return b"".join(line + b"\r\n" for line in lines)

    def elsewhere(self, method: str, url: str, headers: Headers, body: Body) -> Reply:
        """Make a request to another host, such as the file storage: without the key."""
        parsed = httpx.URL(url)
        known = {name.lower() for name, _ in headers}
        common = [one for one in _common(parsed, body) if one[0].lower() not in known]
        return self._by_httpx(method, parsed, [*common, *headers], body)

    def _connected(self, deadline: float) -> Connection:
        """Return the connection to Linq, a new one where the old one is closed, busy or too long idle."""
        known = self._connection
        if known is not None:
            if known.is_usable():
                return known
            known.close()
        made = self._connection = opened(
            self._base,
            tls() if self._base.scheme == "https" else None,
            min(CONNECT_TIMEOUT_S, max(deadline - time.monotonic(), 0.001)),
        )
        return made

    def _by_httpx(self, method: str, url: httpx.URL, headers: Headers, body: Body) -> Reply:
        if self._http is None:
            self._http = self._new_http()
        request = httpx.Request(method, url, headers=list(headers), stream=body, extensions={"timeout": self._timeout})
        answer = self._http.send(request, stream=True, auth=None, follow_redirects=False)
        return Reply(answer.status_code, answer.headers, answer.iter_bytes(), answer.close)

    def _new_http(self) -> httpx.Client:
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=KEEP_ALIVE_S)
        if self._transport is not None:
            return httpx.Client(transport=_Shared(self._transport), trust_env=False)
        return httpx.Client(verify=tls(), limits=limits, trust_env=not is_loopback(self._base.host))

    def _with_key(self, body: Body) -> Headers:
        known = _common(self._base, body)
        known.append((b"Authorization", b"Bearer " + self._key.reveal().encode()))
        if body.data:
            known.append((b"Content-Type", b"application/json"))
        return known


def _common(url: httpx.URL, body: Body) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"Host", url.netloc),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"gzip"),
    ]
    return headers + ([(b"Content-Length", b"%d" % len(body.data))] if body.data else [])


def _unpacked(chunks: Iterable[bytes], headers: Mapping[str, str]) -> Iterable[bytes]:
    """Give an answer's bytes as they come, unpacked where they came packed, in chunks of a sensible size."""
    if headers.get("content-encoding") != "gzip":
        return chunks
    unpack = zlib.decompressobj(wbits=31)
    return (unpack.decompress(chunk, MAX_ANSWER_BYTES + 1) for chunk in chunks)


def is_direct(base: httpx.URL, transport: httpx.BaseTransport | None) -> bool:
    """Whether nothing stands between us and Linq: no proxy, which none may be between us and ourselves."""
    if transport is not None or is_loopback(base.host):
        return transport is None
    proxies = urllib.request.getproxies()
    return base.scheme not in proxies and "all" not in proxies


@functools.cache
def tls() -> ssl.SSLContext:
    """Return the one TLS context of this process: reading the system's certificates takes longer than a request."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Shared(httpx.BaseTransport):
    """A transport that belongs to the caller: closing a client does not close it."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._transport.handle_request(request)
