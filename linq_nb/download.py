"""Fetching audio from a public https URL, to hear and check a memo that goes by its URL.

https only, also after redirects; never an address that is not public. The name is looked up once and the connection
is made to that very address, so that a second look-up cannot lead elsewhere. Nothing of Linq's is sent.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any
from urllib.parse import urljoin

import httpx

from linq_nb.audio import MAX_MEMO_BYTES
from linq_nb.client.transport import DirectTransport, without_path
from linq_nb.client.trust import SetupFault
from linq_nb.errors import AudioError, SettingsError
from linq_nb.hosts import is_private_host, is_public_address
from linq_nb.secret import HiddenUrl, Secret, StandIns
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

    Raises AudioError for anything else, SettingsError when this machine's setup is why; nothing was sent then.
    """
    url, deadline = HiddenUrl(url), time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        carrier = stack.enter_context(DirectTransport()) if transport is None else transport
        for _ in range(MAX_REDIRECTS + 1):
            where, path = _checked(url, allow_private)
            address = None if transport is not None else _public_address(where, allow_private)
            try:
                response = carrier.handle_request(_request(where, path, address, deadline))
                try:
                    if response.status_code not in REDIRECTS:
                        return _read(response, url, max_bytes, deadline)
                    url = _joined(url, response.headers.get("location", ""))
                finally:
                    response.close()
            except SetupFault as fault:
                raise SettingsError(f"{fault}; nothing was sent; {fault.todo}") from None
            except (httpx.HTTPError, httpx.StreamError) as error:
                why = "it took too long" if isinstance(error, httpx.TimeoutException) else type(error).__name__
                raise _refusal(f"{plain_url(url)} could not be downloaded ({why})") from None
    raise _refusal(f"{plain_url(url)} redirects more than {MAX_REDIRECTS} times")


def _refusal(problem: str) -> AudioError:
    return AudioError(f"{problem}; nothing was sent; give another URL, or upload the file")


def _joined(url: str, location: str) -> HiddenUrl:
    try:
        return HiddenUrl(urljoin(url, location))
    except ValueError:
        raise _refusal(f"{plain_url(url)} redirects to something that is not a URL") from None


def _checked(url: str, allow_private: bool) -> tuple[httpx.URL, Secret]:
    """Return where a URL leads, and its path, which may be signed."""
    try:
        where, path = without_path(url)
        plain_url(url)
    except (httpx.InvalidURL, ValueError):
        raise _refusal("this is not a URL, or it redirects to none") from None
    if where.scheme != "https" and not (allow_private and where.scheme == "http"):
        raise _refusal(f"{plain_url(url)} is {where.scheme or 'no URL'}, not https")
    if not allow_private and is_private_host(where.host):
        raise _refusal(f"{plain_url(url)} is not on the public internet")
    return where, path


def _public_address(where: httpx.URL, allow_private: bool) -> str:
    """Look the host up and return the address to connect to; refuses when any of its addresses is not public."""
    try:
        answers = socket.getaddrinfo(where.raw_host.decode("ascii"), where.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _refusal(f"the host {where.host} was not found") from None
    addresses = [str(answer[4][0]) for answer in answers]
    if not allow_private and not all(map(is_public_address, addresses)):
        raise _refusal(f"the host {where.host} has an address that is not public")
    return addresses[0]


def _request(where: httpx.URL, path: Secret, address: str | None, deadline: float) -> httpx.Request:
    """Make a request to the looked-up address, under the host's own name for HTTP and TLS.

    Without an address it is for a transport that is not ours, and has its path in its URL.
    """
    left_s = max(0.1, deadline - time.monotonic())
    extensions: dict[str, Any] = {"deadline": deadline, "timeout": httpx.Timeout(left_s).as_dict()}
    if address is None:
        target = where.copy_with(raw_path=b"/" + path.reveal().encode("ascii"))
    else:
        target, stand_ins = where.copy_with(host=address), StandIns()
        extensions["sni_hostname"] = where.raw_host.decode("ascii")
        extensions |= {"path": b"/" + stand_ins.add(path), "stand_ins": stand_ins}
    headers = {
        "Host": where.netloc.decode("ascii"),
        "User-Agent": "linq_nb",
        "Accept": "audio/*, */*;q=0.1",
        "Accept-Encoding": "identity",  # audio hardly shrinks, and a small packed answer may unpack without end
    }
    return httpx.Request("GET", target, headers=headers, extensions=extensions)


def _read(response: httpx.Response, url: str, max_bytes: int, deadline: float) -> bytes:
    if response.status_code != 200:
        raise _refusal(f"{plain_url(url)} answered HTTP {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise _refusal(f"{plain_url(url)} answers packed, though it was asked not to")
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > max_bytes:
            limit = max_bytes // 1_000_000
            raise _refusal(f"{plain_url(url)} is over {limit} MB, more than a voice memo may have")
        if time.monotonic() > deadline:  # another transport than ours knows no deadline
            raise _refusal(f"{plain_url(url)} took too long to download")
    return bytes(data)
