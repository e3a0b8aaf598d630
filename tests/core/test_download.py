"""Fetching a URL memo: https only, public hosts only, with limits of size and time."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from core_samples import TOKEN, wav
from raw_server import RawServer, answer, by_target, close, drip, raw, reset, silent
from shared import HANG_S

from linq_nb import AudioError, Outbox, VoiceMemo
from linq_nb.audio import MAX_MEMO_BYTES
from linq_nb.download import download


def fetch(server: RawServer, path: str = "/a.wav", **more: Any) -> bytes:
    return download(f"{server.origin}{path}", **{"timeout": HANG_S, "allow_private": True, **more})


def test_a_download_returns_the_servers_bytes_and_sends_no_header_for_linq(server: RawServer) -> None:
    server.will(answer(200, wav(), content_type="audio/wav"))
    assert fetch(server, "/a.wav?sig=1") == wav()
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("GET", "/a.wav?sig=1", b"")
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/a.wav", "is http, not https"),
        ("ftp://example.com/a.wav", "is ftp, not https"),
        ("file:///etc/passwd", "not https"),
        ("https://127.0.0.1/a.wav", "not on the public internet"),
        ("https://10.1.2.3/a.wav", "not on the public internet"),
        ("https://[::1]/a.wav", "not on the public internet"),
        ("https://[::ffff:127.0.0.1]/a.wav", "not on the public internet"),
        ("https://169.254.169.254/latest/meta-data", "not on the public internet"),
        ("https://localhost/a.wav", "not on the public internet"),
        ("https://printer/a.wav", "not on the public internet"),
        ("https://127.1/a.wav", "not on the public internet"),
        ("https://" + "a" * 64 + ".com/a.wav", "not found|not a URL"),
        ("https://x:99999/a.wav", "not a URL"),
        ("https://ex℀mple.com/a.wav", "not a URL"),
        ("hello", "not https"),
    ],
)
def test_a_url_that_is_not_public_https_is_not_requested(url: str, why: str) -> None:
    with pytest.raises(AudioError, match=why) as caught:
        download(url, timeout=1)
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "::1", "::ffff:127.0.0.1", "fe80::1%eth0"])
def test_a_public_name_with_a_private_address_is_not_requested(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    addresses = [(family, socket.SOCK_STREAM, 6, "", (host, 443)) for host in ("8.8.8.8", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    with pytest.raises(AudioError, match="an address that is not public"):
        download("https://rebind.example/a.wav", timeout=1)


def test_the_request_goes_to_the_checked_address(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look-up, which could lead elsewhere, is never made."""
    names: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        names.append(host)
        return real("127.0.0.1" if host == "audio.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    server.will(answer(200, wav()))
    assert download(f"http://audio.example:{server.port}/a.wav", timeout=HANG_S, allow_private=True) == wav()
    assert names.count("audio.example") == 1
    assert server.requests[0].headers["host"] == f"audio.example:{server.port}"


REDIRECTS = {
    "to plain http": ("http://example.com/a.wav", "is http, not https"),
    "to this machine": ("https://127.0.0.1/a.wav", "not on the public internet"),
    "to a file": ("file:///etc/passwd", "not https"),
    "to no URL": ("http://[x", "no URL|not a URL"),
    "to nowhere": ("", "redirects more than 5 times"),
    "in a circle": ("/a.wav", "redirects more than 5 times"),
}


@pytest.mark.parametrize("case", REDIRECTS)
def test_a_redirect_is_checked_like_the_url_itself(case: str) -> None:
    location, why = REDIRECTS[case]
    urls: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(302, headers={"location": location})

    with pytest.raises(AudioError, match=why):
        download("https://audio.example/a.wav", timeout=HANG_S, transport=httpx.MockTransport(redirect))
    assert set(urls) == {"https://audio.example/a.wav"}
    assert len(urls) <= 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_public_url_is_followed(server: RawServer, status: int) -> None:
    server.will(by_target(first=answer(status, location="/second.wav"), second=answer(200, wav())))
    assert fetch(server, "/first.wav") == wav()


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 500, 503])
def test_an_answer_other_than_200_is_an_audio_error(server: RawServer, status: int) -> None:
    server.will(answer(status, b"x" if status not in (204, 304) else b""))
    with pytest.raises(AudioError, match=f"answered HTTP {status}"):
        fetch(server)


BROKEN = {
    "reset": reset,
    "closed": close,
    "no HTTP": raw(b"SSH-2.0-x\r\n", then="close"),
    "half": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", then="close"),
    "half a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", then="close"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_not_whole_is_an_audio_error(server: RawServer, case: str) -> None:
    server.will(BROKEN[case])
    with pytest.raises(AudioError, match=r"could not be downloaded \(\w+Error\)") as caught:
        fetch(server, "/a.wav?sig=s3cr3t")
    assert "s3cr3t" not in str(caught.value)


ENDLESS = {
    "silent": silent,
    "drops of a body": drip(b"x" * 900, 0.05, head=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
    "drops of a head": drip(b"X-A: b\r\n" * 500, 0.05, head=b"HTTP/1.1 200 OK\r\n"),
    "drops without end": drip(b"x" * 900, 0.05, head=b"HTTP/1.1 200 OK\r\n\r\n"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_a_download_ends_with_its_deadline_however_often_a_byte_comes(server: RawServer, case: str) -> None:
    """Without the deadline, each case would go on for 20 s and more."""
    server.will(ENDLESS[case])
    start = time.monotonic()
    with pytest.raises(AudioError, match="too long"):
        fetch(server, timeout=0.3)
    assert time.monotonic() - start < 15


def test_at_most_10_mb_are_downloaded(server: RawServer) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_MEMO_BYTES + 100_000)
    server.will(raw(endless, then="close"))
    with pytest.raises(AudioError, match="over 10 MB"):
        fetch(server)
    server.will(answer(200, b"12345"))
    assert fetch(server, max_bytes=5) == b"12345"
    with pytest.raises(AudioError, match="over 0 MB"):
        fetch(server, max_bytes=4)


def test_a_compressed_answer_is_refused(server: RawServer) -> None:
    server.will(answer(200, gzip.compress(bytes(30_000_000)), content_encoding="gzip"))
    with pytest.raises(AudioError, match="answers packed"):
        fetch(server)
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_failed_connection_is_an_audio_error(server: RawServer) -> None:
    server.close()
    with pytest.raises(AudioError, match="could not be downloaded"):
        fetch(server)


def test_a_fetched_memo_has_its_audio_and_is_still_sent_by_its_url(outbox: Outbox) -> None:
    url = outbox.demo.media_urls["hello"]
    memo = VoiceMemo.from_url(url)
    fetched = outbox.fetch(memo)
    assert (fetched.url, fetched.source, fetched.format, fetched.duration_ms) == (url, "url", "wav", 1500)
    assert fetched.sha256
    assert fetched.data
    assert outbox.fetch(VoiceMemo.from_bytes(wav())).data == wav()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("large", "over 10 MB"),
        ("page", "HTML|not audio|web page"),
        ("downgrade", "is http, not https"),
        ("private", "not on the public internet"),
        ("missing", "HTTP 404"),
    ],
)
def test_a_faulty_download_of_the_demo_is_refused(outbox: Outbox, name: str, why: str) -> None:
    with pytest.raises(AudioError, match=why):
        outbox.fetch(VoiceMemo.from_url(outbox.demo.media_urls[name]))


def test_the_key_does_not_go_to_the_host_of_the_audio(server: RawServer, live: Callable[..., Outbox]) -> None:
    server.will(answer(200, wav()))
    live().fetch(VoiceMemo.from_url(f"{server.origin}/a.wav"), allow_private=True)
    assert "authorization" not in server.requests[0].headers
    assert TOKEN not in str(server.requests)
