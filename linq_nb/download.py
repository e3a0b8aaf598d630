"""Fetching audio from a public https URL, to hear and check a memo that goes by its URL.

https only, also after redirects; never to an address that is not public: the name is looked up once and the
connection made to that very address, so that a second look-up cannot lead elsewhere. Nothing of Linq's is sent.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urljoin

import httpx

from linq_nb.errors import AudioError
from linq_nb.model import MAX_MEMO_BYTES, plain_url
from linq_nb.preflight import is_private_host

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def download(
    url: str,
    *,
    timeout: float,
    allow_private: bool = False,
    transport: httpx.BaseTransport | None = None,
    max_bytes: int = MAX_MEMO_BYTES,
) -> bytes:
    """Return the bytes that a URL gives: at most ``max_bytes``, within ``timeout`` seconds in all.

    Raises AudioError for anything else; nothing was sent then.
    """
    deadline = time.monotonic() + timeout
    with httpx.Client(transport=transport, trust_env=False, follow_redirects=False) as http:
        for _ in range(MAX_REDIRECTS + 1):
            where = _checked(url, allow_private)
            address = None if transport is not None else _public_address(where, allow_private)
            try:
                request = _request(http, where, address, deadline)
                answer = http.send(request, stream=True)
                try:
                    if answer.status_code in REDIRECTS:
                        url = urljoin(url, answer.headers.get("location", ""))
                        continue
                    return _read(answer, url, max_bytes, deadline)
                finally:
                    answer.close()
            except (httpx.HTTPError, httpx.StreamError) as error:
                why = "it took too long" if isinstance(error, httpx.TimeoutException) else type(error).__name__
                raise AudioError(f"{plain_url(url)} could not be downloaded ({why}); nothing was sent") from None
    raise AudioError(f"{plain_url(url)} redirects more than {MAX_REDIRECTS} times; nothing was sent")


def _checked(url: str, allow_private: bool) -> httpx.URL:
    try:
        where = httpx.URL(url)
    except httpx.InvalidURL:
        raise AudioError("this is not a URL, or it redirects to none; nothing was sent") from None
    if where.scheme != "https" and not (allow_private and where.scheme == "http"):
        raise AudioError(f"{plain_url(url)} is {where.scheme or 'no URL'}, not https; nothing was sent")
    if not allow_private and is_private_host(where.host):
        raise AudioError(f"{plain_url(url)} is not on the public internet; nothing was sent")
    return where


def _public_address(where: httpx.URL, allow_private: bool) -> str:
    """Look the host up and return the address to connect to; refuses when any of its addresses is not public."""
    try:
        found = socket.getaddrinfo(where.host, where.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise AudioError(f"the host {where.host} was not found; nothing was sent") from None
    addresses = [str(one[4][0]) for one in found]
    if not allow_private and not all(_is_public(one) for one in addresses):
        raise AudioError(f"the host {where.host} has an address that is not public; nothing was sent")
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_global and not ip.is_multicast)


def _request(http: httpx.Client, where: httpx.URL, address: str | None, deadline: float) -> httpx.Request:
    """Make a request to the looked-up address, under the host's own name for HTTP and TLS."""
    extensions: dict[str, Any] = {"timeout": httpx.Timeout(_left(deadline)).as_dict()}
    target = where
    if address is not None:
        target = where.copy_with(host=address)
        extensions["sni_hostname"] = where.host
    headers = {"Host": where.netloc.decode("ascii"), "User-Agent": "linq_nb", "Accept": "audio/*, */*;q=0.1"}
    return http.build_request("GET", target, headers=headers, extensions=extensions)


def _read(answer: httpx.Response, url: str, max_bytes: int, deadline: float) -> bytes:
    if answer.status_code != 200:
        raise AudioError(f"{plain_url(url)} answered HTTP {answer.status_code}; nothing was sent")
    data = bytearray()
    for chunk in answer.iter_bytes(65_536):
        data += chunk
        if len(data) > max_bytes:
            limit = max_bytes // 1_000_000
            raise AudioError(f"{plain_url(url)} is over {limit} MB, more than a voice memo may have; nothing was sent")
        if time.monotonic() > deadline:
            raise AudioError(f"{plain_url(url)} took too long to download; nothing was sent")
    return bytes(data)


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
