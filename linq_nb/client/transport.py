"""The httpx transport for every request of linq_nb: directly to a host, or through the environment's proxy.

A request has in its extensions its ``deadline`` by the monotonic clock, which holds for the whole exchange, and may
have its ``path`` there instead of in its URL, and the ``stand_ins`` for its secrets. ``is_public`` there means that
the address that is connected to must be on the public internet; behind a proxy the proxy chooses it. A response has in
its extensions, as httpx's own have, its ``network_stream``: when that is closed before the response is, the connection
is not used again.
"""

from __future__ import annotations

import base64
import ssl
import threading
import time
import urllib.request
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from linq_nb.client.connection import KEEP_ALIVE_S, Connection, Origin, tls
from linq_nb.hosts import is_loopback
from linq_nb.process import Home
from linq_nb.secret import HiddenMapping, HiddenUrl, Secret, StandIns


class DirectTransport(httpx.BaseTransport):
    """Talks to hosts directly: one connection for each request under way; the next request uses it again."""

    def __init__(self, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._keep_alive_s = keep_alive_s
        self._lock = threading.Lock()
        self._idle: list[Connection] = []  # the most recently used comes last
        self._busy: set[Connection] = set()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._idle) + len(self._busy)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline: float = request.extensions["deadline"]
        connection = self._acquire(Origin.of(request), deadline)
        try:
            head = connection.exchange(request, deadline)
        except BaseException:
            self._release(connection)
            raise
        body = _Body(connection.read_body(deadline), lambda: self._release(connection))
        extensions = {"network_stream": connection}
        return httpx.Response(head.status_code, headers=list(head.headers), stream=body, extensions=extensions)

    def close(self) -> None:
        """Close idle connections and cut those in use; a later request opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for connection in idle:
            connection.close()
        for connection in busy:
            connection.cut()

    def _acquire(self, origin: Origin, deadline: float) -> Connection:
        while (connection := self._pop_idle(origin)) is not None:
            if time.monotonic() - connection.idle_since <= self._keep_alive_s and connection.is_quiet():
                return connection
            self._drop(connection)
        connection = Connection(origin, deadline)
        with self._lock:
            self._busy.add(connection)
        return connection

    def _pop_idle(self, origin: Origin) -> Connection | None:
        with self._lock:
            connection = next((idle for idle in reversed(self._idle) if idle.origin == origin), None)
            if connection is not None:
                self._idle.remove(connection)
                self._busy.add(connection)
            return connection

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def _release(self, connection: Connection) -> None:
        """Keep a connection for the next request or close it; the oldest is closed when nobody needed it for long."""
        if not connection.finish():
            self._drop(connection)
            return
        with self._lock:
            self._busy.discard(connection)
            self._idle.append(connection)
            is_stale = connection.idle_since - self._idle[0].idle_since > self._keep_alive_s
            stale = self._idle.pop(0) if is_stale else None
        if stale is not None:
            stale.close()


def without_path(url: str) -> tuple[httpx.URL, Secret]:
    """Return where a URL leads, and what follows the slash, which may be signed. Raises httpx.InvalidURL."""
    where = httpx.URL(url)
    return where.copy_with(raw_path=b"/", fragment=None), Secret(where.raw_path[1:].decode("ascii"))


class _Body(httpx.SyncByteStream):
    """The body of an answer; closing it gives the connection back."""

    def __init__(self, chunks: Iterator[bytes], release: Callable[[], None]) -> None:
        self._chunks, self._release = chunks, release

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._release()


class Transport(httpx.BaseTransport):
    """Goes through the proxy that the environment names for a host, else directly; never by proxy to this machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._direct = DirectTransport()
        self._routes: dict[tuple[str, str], httpx.BaseTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._route(request.url.scheme, request.url.host).handle_request(request)

    def close(self) -> None:
        for transport in (self._direct, *self._routes.values()):
            transport.close()

    def _route(self, scheme: str, host: str) -> httpx.BaseTransport:
        """Return the way to a host; the environment is read once for each."""
        with self._lock:
            if (scheme, host) not in self._routes:
                proxy = proxy_for(scheme, host)
                self._routes[scheme, host] = self._direct if proxy is None else ProxyTransport(proxy)
            return self._routes[scheme, host]


_homes: weakref.WeakKeyDictionary[httpx.BaseTransport, Home] = weakref.WeakKeyDictionary()


def home_of(transport: httpx.BaseTransport | None) -> Home:
    """Return the process that a caller's transport belongs to, which is this one for any other.

    One of httpx's that the parent made its requests through has the parent's connections also in a forked child.
    """
    if not isinstance(transport, httpx.HTTPTransport):
        return Home()
    return _homes.setdefault(transport, Home("transport"))


def proxy_for(scheme: str, host: str) -> HiddenUrl | None:
    """Return the URL of the proxy that the environment names for a host."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = HiddenMapping(urllib.request.getproxies())
    proxy = HiddenUrl(proxies.get(scheme) or proxies.get("all") or "")
    return None if not proxy else proxy if "://" in proxy else HiddenUrl(f"http://{proxy}")


class ProxyTransport(httpx.HTTPTransport):
    """httpx's own transport through a proxy, with the request's deadline for each read and write.

    Each request has a connection of its own: on one that is used again, httpx would read what came behind an answer
    as the answer to the next request.
    """

    def __init__(self, proxy: HiddenUrl) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        stand_ins = StandIns()
        try:
            named = _without_login(httpx.Proxy(proxy), stand_ins)
            super().__init__(verify=tls(), trust_env=False, limits=limits, proxy=named)
        except (ImportError, ValueError, httpx.InvalidURL):  # their text may show the login
            raise httpx.ProxyError("the proxy that the environment names cannot be used") from None
        self._pool._network_backend = _Backend(stand_ins)  # httpx has no argument for it

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _deadline.set(request.extensions["deadline"])
        _stand_ins.set(request.extensions.get("stand_ins"))
        if "path" in request.extensions:
            request.url = request.url.copy_with(raw_path=request.extensions["path"])
        return super().handle_request(request)


def _without_login(proxy: httpx.Proxy, stand_ins: StandIns) -> httpx.Proxy:
    """Return the proxy with a stand-in for its login, where that goes in a header."""
    if proxy.raw_auth is None or not proxy.url.scheme.startswith("http"):
        return proxy
    login = Secret("Basic " + base64.b64encode(b":".join(proxy.raw_auth)).decode())
    return httpx.Proxy(proxy.url, headers={"Proxy-Authorization": stand_ins.add(login).decode()})


_deadline: ContextVar[float] = ContextVar("deadline")
"""The deadline of the exchange that this thread makes through a proxy."""

_stand_ins: ContextVar[StandIns | None] = ContextVar("stand_ins")
"""The secrets of that exchange."""


WRITE_BYTES = 65_536
"""How much is written through a proxy before the time is looked at again."""


def _clamped(timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    """Return the seconds that a step of the exchange may take; raises ``error`` when its time is over."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise error("the exchange did not end in time")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.SyncBackend):
    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _clamped(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, seconds, local_address, socket_options), self._stand_ins)


class _Stream(httpcore.NetworkStream):
    """A network stream that reads and writes no longer than until the deadline, and puts the secrets in."""

    def __init__(self, stream: httpcore.NetworkStream, stand_ins: StandIns) -> None:
        self._stream, self._stand_ins = stream, stand_ins

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _clamped(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        data = self._filled(buffer)
        for start in range(0, len(data), WRITE_BYTES):
            piece, seconds = data[start : start + WRITE_BYTES], _clamped(timeout, httpcore.WriteTimeout)
            self._stream.write(piece, seconds)  # type: ignore[arg-type]  # a view is enough

    def _filled(self, buffer: bytes) -> memoryview:
        try:
            data = self._stand_ins.fill(buffer)
            own = _stand_ins.get()
            return data if own is None else own.fill(data)
        except ValueError:
            raise httpcore.LocalProtocolError("the request has a header that HTTP does not allow") from None

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _clamped(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._stand_ins)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
