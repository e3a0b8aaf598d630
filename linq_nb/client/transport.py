"""The httpx transport for every request of linq_nb: directly to a host, or through the environment's proxy.

A request has in its extensions its ``deadline`` by the monotonic clock, which holds for the whole exchange, and may
have its ``path`` there instead of in its URL, and the ``stand_ins`` for its secrets. ``is_public`` there means that
the address that is connected to must be on the public internet; behind a proxy the proxy chooses it. A response has in
its extensions, as httpx's own have, its ``network_stream``: when that is closed before the response is, the connection
is not used again.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator

import httpx

from linq_nb.client.connection import KEEP_ALIVE_S, Connection, Origin
from linq_nb.client.proxy import ProxyTransport, proxy_for
from linq_nb.process import Home
from linq_nb.secret import Secret


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
        """Keep a connection for the next request or close it; the oldest idle one is closed when its time is over."""
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
        way = request.url.scheme, request.url.host
        try:
            return self._route(*way).handle_request(request)
        except (httpx.ConnectError, httpx.ProxyError):
            self._routes.pop(way, None)  # the environment may be corrected
            raise

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
