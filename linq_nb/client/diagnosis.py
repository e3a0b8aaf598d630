"""The way to Linq, a sentence each for ``%linq_doctor``: proxy, DNS and certificate. Nothing is requested."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable

import httpx

from linq_nb.client.connection import CONNECT_TIMEOUT_S, Connection, Origin
from linq_nb.client.proxy import Proxy, proxy_for
from linq_nb.client.trust import SetupFault, sources, tls
from linq_nb.errors import SettingsError


def of_way(base_url: str) -> list[tuple[str, str]]:
    """Return what was found for each part of the way to a base URL, with its name."""
    where = httpx.URL(base_url)
    proxy = proxy_for(where.scheme, where.host)
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("proxy", lambda: _proxy(proxy)),
        ("DNS", lambda: _dns(where.host, proxy)),
        ("certificate", lambda: _certificate(where, proxy)),
    )
    rows = []
    for name, check in checks:
        try:
            rows.append((name, check()))
        except (SetupFault, SettingsError, httpx.HTTPError) as error:
            todo = f"; {error.todo}" if isinstance(error, SetupFault) else ""
            rows.append((name, f"not ready: {error}{todo}"))
    return rows


def _proxy(proxy: Proxy | None) -> str:
    if proxy is None:
        return "none"
    login = ", with a login" if proxy.has_login else ""
    return f"{proxy.place}{login}, by {proxy.variable}" if proxy.place else f"not ready: {proxy.variable} is no URL"


def _dns(host: str, proxy: Proxy | None) -> str:
    """Look up the name that this machine has to know: Linq's, or that of the proxy, which then looks up Linq's."""
    if proxy is not None:
        host = httpx.URL(proxy.place).host
    note = "; the proxy looks up Linq's name" if proxy is not None else ""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return f"not needed: {host} is an address{note}"
    try:
        addresses = {str(answer[4][0]) for answer in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return f"not ready: the name {host} was not found; check this machine's network, VPN and DNS"
    return f"{host} is found ({len(addresses)} {'address' if len(addresses) == 1 else 'addresses'}){note}"


def _certificate(where: httpx.URL, proxy: Proxy | None) -> str:
    """Make a TLS connection and read the certificate; behind a proxy only say what is trusted."""
    if where.scheme != "https":
        return "not needed: plain http on this machine"
    tls()
    trusted = f"trusted by {' and '.join(source.variable for source in sources()) or 'the list of certifi'}"
    if proxy is not None:
        return f"{trusted}; each request through the proxy checks it"
    connection = Connection(Origin.of(httpx.Request("GET", where)), time.monotonic() + CONNECT_TIMEOUT_S)
    try:
        issuer, until = connection.certificate()
    finally:
        connection.close()
    return f"valid until {until}, issued by {issuer}, {trusted}"
