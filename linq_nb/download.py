"""Fetching audio from a public https URL, to hear and check a memo that goes by its URL.

https only, also after redirects; never to an address that is not public: the name is looked up once and the
connection made to that very address, so that a second look-up cannot lead elsewhere. Nothing of Linq's is sent.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

from linq_nb.audio import MAX_MEMO_BYTES
from linq_nb.errors import AudioError
from linq_nb.hosts import is_private_host, is_public_address
from linq_nb.text import plain_url

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
    with _Watch(timeout) as watch, httpx.Client(transport=transport, trust_env=False) as http:
        for _ in range(MAX_REDIRECTS + 1):
            where = _checked(url, allow_private)
            address = None if transport is not None else _public_address(where, allow_private)
            try:
                answer = http.send(_request(http, where, address, watch), stream=True, follow_redirects=False)
                try:
                    if answer.status_code not in REDIRECTS:
                        return _read(answer, url, max_bytes, watch)
                    url = _joined(url, answer.headers.get("location", ""))
                finally:
                    answer.close()
            except (httpx.HTTPError, httpx.StreamError) as error:
                slow = watch.is_over or isinstance(error, httpx.TimeoutException)
                why = "it took too long" if slow else type(error).__name__
                raise AudioError(f"{plain_url(url)} could not be downloaded ({why}); nothing was sent") from None
    raise AudioError(f"{plain_url(url)} redirects more than {MAX_REDIRECTS} times; nothing was sent")


class _Watch:
    """The time limit of a download as a whole: cuts the connection, since drop by drop no read ever times out."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._socket: socket.socket | None = None

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @property
    def left_s(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn from httpcore which connection is in use."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise AudioError(f"{plain_url(url)} redirects to what is no URL; nothing was sent") from None


def _checked(url: str, allow_private: bool) -> httpx.URL:
    try:
        where = httpx.URL(url)
        plain_url(url)
    except (httpx.InvalidURL, ValueError):
        raise AudioError("this is not a URL, or it redirects to none; nothing was sent") from None
    if where.scheme != "https" and not (allow_private and where.scheme == "http"):
        raise AudioError(f"{plain_url(url)} is {where.scheme or 'no URL'}, not https; nothing was sent")
    if not allow_private and is_private_host(where.host):
        raise AudioError(f"{plain_url(url)} is not on the public internet; nothing was sent")
    return where


def _public_address(where: httpx.URL, allow_private: bool) -> str:
    """Look the host up and return the address to connect to; refuses when any of its addresses is not public."""
    try:
        found = socket.getaddrinfo(where.raw_host.decode("ascii"), where.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AudioError(f"the host {where.host} was not found; nothing was sent") from None
    addresses = [str(one[4][0]) for one in found]
    if not allow_private and not all(is_public_address(one) for one in addresses):
        raise AudioError(f"the host {where.host} has an address that is not public; nothing was sent")
    return addresses[0]


def _request(http: httpx.Client, where: httpx.URL, address: str | None, watch: _Watch) -> httpx.Request:
    """Make a request to the looked-up address, under the host's own name for HTTP and TLS."""
    extensions: dict[str, Any] = {"timeout": httpx.Timeout(watch.left_s).as_dict(), "trace": watch.trace}
    target = where
    if address is not None:
        target = where.copy_with(host=address)
        extensions["sni_hostname"] = where.raw_host.decode("ascii")
    headers = {
        "Host": where.netloc.decode("ascii"),
        "User-Agent": "linq_nb",
        "Accept": "audio/*, */*;q=0.1",
        "Accept-Encoding": "identity",  # audio hardly shrinks, and what is packed small may unpack without end
    }
    return http.build_request("GET", target, headers=headers, extensions=extensions)


def _read(answer: httpx.Response, url: str, max_bytes: int, watch: _Watch) -> bytes:
    if answer.status_code != 200:
        raise AudioError(f"{plain_url(url)} answered HTTP {answer.status_code}; nothing was sent")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise AudioError(f"{plain_url(url)} answers packed, though it was asked not to; nothing was sent")
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > max_bytes:
            limit = max_bytes // 1_000_000
            raise AudioError(f"{plain_url(url)} is over {limit} MB, more than a voice memo may have; nothing was sent")
        if watch.is_over:
            break
    if watch.is_over:  # asked again after the last chunk: a cut connection may look like the end
        raise AudioError(f"{plain_url(url)} took too long to download; nothing was sent")
    return bytes(data)
