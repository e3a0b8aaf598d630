"""One request and its answer: the key goes in here, and nothing secret comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import httpx

from linq_nb.client.connection import CONNECT_TIMEOUT_S
from linq_nb.client.transport import Transport
from linq_nb.process import Home
from linq_nb.secret import Secret
from linq_nb.text import clean
from linq_nb.wire import MAX_ANSWER_BYTES, Answer, NoAnswer

SLOWEST_UPLOAD_BYTES_S = 20_000
"""An upload gets the time that its bytes take at this rate, and then the time limit of any request."""

TRANSPORT_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    UnicodeError,
)
"""What a transport raises when no whole answer came."""

_BEFORE_THE_FIRST_BYTE: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)

_COMMON = [(b"User-Agent", b"linq_nb"), (b"Accept", b"application/json"), (b"Accept-Encoding", b"gzip")]
_KEPT_HEADERS = ("x-trace-id", "retry-after", "date", "content-type", "location")

Headers = Sequence[tuple[bytes, bytes]]


def utc_now() -> datetime:
    return datetime.now(UTC)


def nothing() -> None:
    """Do nothing, where a caller has nothing to do."""


class Body(httpx.SyncByteStream):
    """A request's body that notes how much of it was read: a server cannot act on a request without its end.

    ``at_write`` is called when the connection stands, right before the first byte; when it raises, nothing leaves.
    """

    def __init__(self, data: bytes, at_write: Callable[[], None], *, is_always_read: bool) -> None:
        self._data, self._at_write, self._is_always_read = data, at_write, is_always_read
        self._is_begun = self._is_ended = False

    def __iter__(self) -> Iterator[bytes]:
        self._is_begun = True
        if self._data:
            self._at_write()
            yield memoryview(self._data)  # type: ignore[misc]  # a traceback does not show what a view holds
        self._is_ended = True

    def may_have_left(self, error: Exception) -> bool:
        """Whether the whole request may have left, though the transport raised this error.

        Our own transport always reads the body; where another transport did not, the error alone tells.
        """
        if isinstance(error, _BEFORE_THE_FIRST_BYTE):
            return False
        return self._is_ended or not (self._is_begun or self._is_always_read)


class Exchanges:
    """Makes requests to Linq with the key, and to the file storage without it. Nothing is repeated here."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        transport: httpx.BaseTransport | None,
        now: Callable[[], datetime],
    ) -> None:
        self._base_url, self._base = base_url.rstrip("/"), httpx.URL(base_url)
        self._base_path = self._base.raw_path.decode("ascii").rstrip("/")
        self._key, self._now = key, now
        self._home, self._is_ours = Home(), transport is None
        self._transport = Transport() if transport is None else transport

    def close(self) -> None:
        """Close our connections; a later request opens new ones. A transport of the caller's stays open.

        In a forked child nothing is closed: the connections are the parent's.
        """
        if self._is_ours and self._home.is_here:
            self._transport.close()

    def to_linq(
        self, method: str, target: str, content: bytes, timeout: float, at_write: Callable[[], None] = nothing
    ) -> Answer:
        """Make a request to Linq; ``target`` follows the base URL, ``timeout`` is in seconds. Raises NoAnswer."""
        body = Body(content, at_write, is_always_read=self._is_ours)
        url = self._base if self._is_ours else httpx.URL(f"{self._base_url}{target}")
        request = _request(method, url, self._headers_with_key(content), body, timeout, timeout)
        if self._is_ours:  # parsing a URL would take a sixth of the time of all that is done here
            request.extensions["path"] = f"{self._base_path}{target}".encode("ascii")
        return self._answered(request, body)

    def to_storage(self, method: str, url: str, headers: Headers, content: bytes, timeout: float) -> Answer:
        """Make a request to another host, without the key. Raises NoAnswer."""
        where = httpx.URL(url)
        given = {name.lower() for name, _ in headers}
        common = [(name, value) for name, value in _common(where, content) if name.lower() not in given]
        body = Body(content, nothing, is_always_read=self._is_ours)
        in_all_s = timeout + len(content) / SLOWEST_UPLOAD_BYTES_S
        return self._answered(_request(method, where, [*common, *headers], body, timeout, in_all_s), body)

    def _headers_with_key(self, content: bytes) -> Headers:
        headers = [*_common(self._base, content), (b"Authorization", b"Bearer " + self._key.reveal().encode())]
        return [*headers, (b"Content-Type", b"application/json")] if content else headers

    def _answered(self, request: httpx.Request, body: Body) -> Answer:
        self._home.check()  # two processes on one connection would read each other's answers
        try:
            response = self._transport.handle_request(request)
        except TRANSPORT_ERRORS as error:
            raise NoAnswer(self._reason(error, request), left=body.may_have_left(error)) from None
        try:
            return self._read(response, request)
        finally:
            response.close()

    def _read(self, response: httpx.Response, request: httpx.Request) -> Answer:
        """Read an answer, but not more of it than is sensible and not for longer than the deadline."""
        chunks: list[bytes] = []
        size_bytes = 0
        try:
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > MAX_ANSWER_BYTES:
                    break
                if time.monotonic() > request.extensions["deadline"]:
                    raise httpx.ReadTimeout("the exchange did not end in time")
        except TRANSPORT_ERRORS as error:
            begun = self._answer(response, chunks)
            raise NoAnswer(self._reason(error, request), left=True, begun=begun) from None
        return self._answer(response, chunks)

    def _answer(self, response: httpx.Response, chunks: list[bytes]) -> Answer:
        data = b"".join(chunks)
        return Answer(
            http_status=response.status_code,
            text=self._without_key(data[:MAX_ANSWER_BYTES].decode("utf-8", "replace")),
            at=self._now(),
            headers={
                name: self._without_key(value)
                for name in _KEPT_HEADERS
                if (value := response.headers.get(name)) is not None
            },
            cut=len(data) > MAX_ANSWER_BYTES,
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._key.reveal(), "[token]")

    def _reason(self, error: Exception, request: httpx.Request) -> str:
        """Say in a few words why there was no answer."""
        if isinstance(error, httpx.ConnectTimeout):
            return "no connection in time"
        if isinstance(error, httpx.TimeoutException):
            return f"no answer in {request.extensions['timeout']['read']:g} s"
        text = clean(self._without_key(str(error)), 120)
        return text or ("no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__)


def _request(
    method: str, url: httpx.URL, headers: Headers, body: Body, timeout: float, in_all_s: float
) -> httpx.Request:
    """Make a request with httpx's time limits for each step, and our deadline for all of it."""
    steps = {"connect": min(CONNECT_TIMEOUT_S, timeout), "read": timeout, "write": timeout, "pool": timeout}
    extensions = {"timeout": steps, "deadline": time.monotonic() + in_all_s}
    return httpx.Request(method, url, headers=list(headers), stream=body, extensions=extensions)


def _common(url: httpx.URL, content: bytes) -> Headers:
    headers = [(b"Host", url.netloc), *_COMMON]
    return [*headers, (b"Content-Length", b"%d" % len(content))] if content else headers
