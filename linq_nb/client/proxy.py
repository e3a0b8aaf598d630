"""The way through the proxy that the environment names: httpx's, with our deadline for each read and write.

A proxy that cannot be used, or that opens no way, is a ``SetupFault`` that names the variable.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
import time
import urllib.request
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpcore
import httpx

from linq_nb.client.trust import SetupFault, certificate_fault, tls
from linq_nb.hosts import is_loopback
from linq_nb.secret import HiddenMapping, HiddenUrl, Secret, StandIns


class Proxy(NamedTuple):
    """A proxy, and the variable of the environment (or what else) that names it."""

    url: HiddenUrl
    variable: str

    @property
    def place(self) -> str:
        """The proxy without its login: ``http://proxy.example:8080``; empty when it is no URL."""
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            return ""
        return f"{url.scheme}://{url.netloc.decode('ascii')}" if url.host else ""

    @property
    def has_login(self) -> bool:
        return "@" in self.url


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """Return the proxy that the environment names for a host, None where there is none."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = HiddenMapping(urllib.request.getproxies())
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind)), None)
    if kind is None:
        return None
    url = HiddenUrl(proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}")
    variables = sorted(name for name in os.environ if name.lower() == f"{kind}_proxy")
    return Proxy(url, variables[-1] if variables else "the proxy of the system's settings")  # lower case comes last


class ProxyTransport(httpx.HTTPTransport):
    """httpx's own transport through a proxy, with the request's deadline for each read and write.

    Each request has a connection of its own: on one that is used again, httpx would read what came behind an answer
    as the answer to the next request.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        stand_ins = StandIns()
        if not proxy.place:
            raise _no_url(proxy)
        try:
            # httpx before 0.28 knows no socks5h; its socks5 leaves names to the proxy too
            url = HiddenUrl(re.sub(r"^socks5h(?=:)", "socks5", proxy.url, flags=re.IGNORECASE))
            named = _without_login(httpx.Proxy(url), stand_ins)
            if named.url.scheme == "https":
                named.ssl_context = tls()
            super().__init__(verify=tls(), trust_env=False, limits=limits, proxy=named)
        except ImportError:
            raise SetupFault(
                f"{proxy.variable} names a SOCKS proxy, and the package for it is not installed",
                f"`pip install socksio` and restart the kernel, or set {proxy.variable} to an HTTP proxy, or unset it",
            ) from None
        except (ValueError, httpx.InvalidURL):  # their text may show the login
            raise _no_url(proxy) from None
        self._pool._network_backend = _Backend(stand_ins)  # httpx has no argument for it

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        way = _Way(request.extensions["deadline"], request.extensions.get("stand_ins"), request.url.raw_host.decode())
        _way.set(way)
        if "path" in request.extensions:
            request.url = request.url.copy_with(raw_path=request.extensions["path"])
        is_plain = request.url.scheme == "http"  # such a request is given to the proxy whole
        try:
            return super().handle_request(request)
        except (httpx.TransportError, UnicodeError) as error:
            if way.is_open or (is_plain and way.is_connected):
                raise certificate_fault(error, request.url.host) or error from None
            raise self._fault(error, request.url.host) from None

    def _fault(self, error: Exception, host: str) -> httpx.TransportError:
        """Return what is wrong with the proxy, which did not connect to ``host``."""
        variable, place = self._proxy.variable, self._proxy.place
        if fault := certificate_fault(error, httpx.URL(place).host):
            return fault
        status = str(error)[:3] if isinstance(error, httpx.ProxyError) else ""
        todo = f"correct {variable}, or unset it where no proxy is needed"
        if status == "407":
            why = "refuses the login in it" if self._proxy.has_login else "wants a login"
            return SetupFault(
                f"the proxy {place} that {variable} names {why} (HTTP 407)",
                f"write them into {variable} before the host, as USER:PASSWORD@HOST:PORT, an @ in them as %40",
            )
        if status.isdigit():
            why = f"does not connect to {host} (HTTP {status})"
            if status[0] == "5":  # it may pass
                return httpx.ProxyError(f"the proxy {place} that {variable} names {why}")
            todo = (
                f"ask the proxy's administrator to allow {host}, "
                f"or add {host} to NO_PROXY if it can be reached directly"
            )
        elif isinstance(error, httpx.TimeoutException):
            why = "does not answer in time"
        elif isinstance(error, httpx.ConnectError):
            why = "cannot be reached"
        elif isinstance(error, httpx.ProxyError):  # by SOCKS
            why = f"does not connect to {host}"
        else:
            why = "does not answer as a proxy does"
        return SetupFault(f"the proxy {place} that {variable} names {why}", todo)


def _no_url(proxy: Proxy) -> SetupFault:
    return SetupFault(
        f"{proxy.variable} is not the URL of a proxy that can be used",
        "set it to one such as http://proxy.example:8080 (http, https or socks5), or unset it",
    )


def _without_login(proxy: httpx.Proxy, stand_ins: StandIns) -> httpx.Proxy:
    """Return the proxy with a stand-in for its login, where that goes in a header."""
    if proxy.raw_auth is None or not proxy.url.scheme.startswith("http"):
        return proxy
    login = Secret("Basic " + base64.b64encode(b":".join(proxy.raw_auth)).decode())
    return httpx.Proxy(proxy.url, headers={"Proxy-Authorization": stand_ins.add(login).decode()})


@dataclass(slots=True)
class _Way:
    """An exchange through a proxy: ``host`` is its goal. ``is_open`` once the proxy leads there."""

    deadline: float
    stand_ins: StandIns | None
    host: str
    is_connected: bool = False
    is_open: bool = False


_way: ContextVar[_Way] = ContextVar("way")
"""The exchange that this thread makes."""


WRITE_BYTES = 65_536
"""How much is written through a proxy before the time is looked at again."""


def _clamped(timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
    """Return the seconds that a step of the exchange may take; raises ``error`` when its time is over."""
    left = _way.get().deadline - time.monotonic()
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
        stream = _Stream(super().connect_tcp(host, port, seconds, local_address, socket_options), self._stand_ins)
        _way.get().is_connected = True
        return stream


class _Stream(httpcore.NetworkStream):
    """A network stream that reads and writes no longer than until the deadline, and puts the secrets in."""

    def __init__(self, stream: httpcore.NetworkStream, stand_ins: StandIns) -> None:
        self._stream, self._stand_ins = stream, stand_ins

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _clamped(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            data = self._stand_ins.fill(buffer)
            own = _way.get().stand_ins
            data = data if own is None else own.fill(data)
        except ValueError:
            raise httpcore.LocalProtocolError("the request has a header that HTTP does not allow") from None
        for start in range(0, len(data), WRITE_BYTES):
            piece, seconds = data[start : start + WRITE_BYTES], _clamped(timeout, httpcore.WriteTimeout)
            self._stream.write(piece, seconds)  # type: ignore[arg-type]  # a view is enough

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _clamped(timeout, httpcore.ConnectTimeout)
        _way.get().is_open = server_hostname == _way.get().host  # else it is TLS with the proxy itself
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._stand_ins)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
