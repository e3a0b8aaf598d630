"""One request and its answer: the key is added to the request, and hidden in the answer."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from linq_nb.client.connection import CONNECT_TIMEOUT_S, Connection
from linq_nb.client.echoes import Echoes
from linq_nb.client.logs import hide_secrets_in_logs
from linq_nb.client.transport import Transport, home_of, without_path
from linq_nb.client.trust import SetupFault
from linq_nb.secret import HiddenBytes, HiddenText, Secret, StandIns
from linq_nb.text import clean
from linq_nb.wire import MAX_ANSWER_BYTES, Answer, NoAnswer, Unreadable

Check = Callable[[Answer], object]
"""Raises Unreadable for a 2xx that is not the answer to the request that was made."""

TRANSPORT_ERRORS: tuple[type[Exception], ...] = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError)
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

SECOND_ANSWER_S = 1.0
"""How long to wait for a second answer after a 429 on a connection that was used before, in seconds. The 429 may be the
late answer to an earlier request, and then the answer to this one follows. After a 429 there is a pause anyway."""

_COMMON = [(b"User-Agent", b"linq_nb"), (b"Accept", b"application/json"), (b"Accept-Encoding", b"gzip")]
_PLAIN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "expect"})
"""Headers that are no secrets, and that HTTP libraries read themselves."""

_KEPT_HEADERS = ("x-trace-id", "retry-after", "date", "age", "content-type", "location")

Headers = Sequence[tuple[bytes, bytes]]


def nothing(*_: object) -> None:
    """Do nothing, where a caller has nothing to do; as a check it accepts any 2xx."""


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
    """Makes requests to Linq with the key, and to the file storage without it. Nothing is repeated here.

    Our own transport gets stand-ins for the key and for what signs an upload; another one gets them as bytes that no
    repr shows. ``is_ours``: the transport is ours.
    """

    def __init__(
        self, base_url: str, key: Secret, *, transport: httpx.BaseTransport | None, now: Callable[[], datetime]
    ) -> None:
        self._base = httpx.URL(base_url)
        self._base_path = self._base.raw_path.decode("ascii").rstrip("/")
        self._now, self._echoes = now, Echoes(key)
        self._home, self.is_ours = home_of(transport), transport is None
        self._home.check()
        self._transport = Transport() if transport is None else transport
        self._stand_ins = StandIns()
        bearer = Secret(f"Bearer {key.reveal()}")
        self._bearer = self._stand_ins.add(bearer) if self.is_ours else HiddenBytes(bearer.reveal().encode())
        hide_secrets_in_logs()

    def close(self) -> None:
        """Close our connections; a later request opens new ones. A transport of the caller's stays open.

        In a forked child nothing is closed: the connections are the parent's.
        """
        if self.is_ours and self._home.is_here:
            self._transport.close()

    def to_linq(
        self, method: str, target: str, content: bytes, timeout: float, at_write: Callable[[], None], check: Check
    ) -> Answer:
        """Make a request to Linq; ``target`` follows the base URL, ``timeout`` is in seconds.

        ``check`` is given a 2xx while its connection is still held: when it raises, the connection is closed. An
        Unreadable of it is dropped, since reading the answer raises it again; any other exception is raised.
        Raises NoAnswer.
        """
        body = Body(content, at_write, is_always_read=self.is_ours)
        headers = [*_common(self._base, content), (b"Authorization", self._bearer)]
        headers += [(b"Content-Type", b"application/json")] if content else []
        path, deadline = f"{self._base_path}{target}".encode("ascii"), time.monotonic() + timeout
        request = self._request(method, self._base, path, headers, body, timeout, deadline, self._stand_ins)
        return self._answered(request, body, check)

    def put(
        self, url: str, headers: Mapping[str, str], content: bytes, timeout: float, deadline: float, *, is_public: bool
    ) -> Answer:
        """PUT bytes to another host, without the key, until ``deadline`` by the monotonic clock. Raises NoAnswer.

        ``is_public``: only to an address on the public internet.
        """
        stand_ins = StandIns()
        hidden = [
            (
                name.encode("ascii"),
                self._hidden(Secret(value), stand_ins) if name.lower() not in _PLAIN_HEADERS else value.encode("ascii"),
            )
            for name, value in headers.items()
        ]
        given = {name.lower() for name, _ in hidden}
        where, path_after_slash = without_path(url)
        path = HiddenBytes(b"/" + self._hidden(path_after_slash, stand_ins))
        common = [(name, value) for name, value in _common(where, content) if name.lower() not in given]
        body = Body(content, nothing, is_always_read=self.is_ours)
        request = self._request("PUT", where, path, [*common, *hidden], body, timeout, deadline, stand_ins)
        request.extensions["is_public"] = is_public
        return self._answered(request, body, nothing)

    def _request(
        self,
        method: str,
        where: httpx.URL,
        path: bytes,
        headers: Headers,
        body: Body,
        timeout: float,
        deadline: float,
        stand_ins: StandIns,
    ) -> httpx.Request:
        """Make a request with httpx's time limits for each step, and our deadline for all of it."""
        steps = {"connect": min(CONNECT_TIMEOUT_S, timeout), "read": timeout, "write": timeout, "pool": timeout}
        extensions: dict[str, Any] = {"timeout": steps, "deadline": deadline}
        if self.is_ours:  # parsing a URL would take a sixth of the time of all that is done here
            extensions |= {"path": path, "stand_ins": stand_ins}
        else:
            where = where.copy_with(raw_path=path)
        return _Request(method, where, headers=list(headers), stream=body, extensions=extensions)

    def _hidden(self, secret: Secret, stand_ins: StandIns) -> bytes:
        return stand_ins.add(secret) if self.is_ours else HiddenBytes(secret.reveal().encode("ascii"))

    def _answered(self, request: httpx.Request, body: Body, check: Check) -> Answer:
        """Make a request; its connection is used again only after a 2xx that passes ``check``.

        Nothing in an error says which request it answers. On a connection where one answer belongs to another request,
        all that follow do, and a 429 would let a memo be repeated that was accepted.
        """
        self._home.check()  # two processes on one connection would read each other's answers
        try:
            response = self._transport.handle_request(request)
        except TRANSPORT_ERRORS as error:
            raise self._no_answer(error, request, may_have_left=body.may_have_left(error)) from None
        except KeyboardInterrupt as interrupt:
            raise interrupt.with_traceback(None) from None  # the frames of a transport hold what it sends and reads
        stream, is_understood = response.extensions.get("network_stream"), False
        held = response.stream = _Held(response.stream)
        try:
            answer = self._read(response, request)
            if not answer.is_success and isinstance(stream, Connection):
                may_be_repeated = answer.http_status == 429 and request.method == "POST"
                if stream.has_next_answer(SECOND_ANSWER_S if may_be_repeated else 0.0):
                    raise NoAnswer("two answers came, and the first is an error", may_have_left=True)
            if answer.is_success and not answer.cut:
                with contextlib.suppress(Unreadable):
                    check(answer)
                    is_understood = True
            return answer
        except KeyboardInterrupt as interrupt:
            raise interrupt.with_traceback(None) from None
        finally:
            if not is_understood and stream is not None:
                stream.close()
            held.release()

    def _read(self, response: httpx.Response, request: httpx.Request) -> Answer:
        """Read an answer, but not more of it than is sensible and not for longer than the deadline."""
        chunks: list[bytes] = []
        size_bytes = 0
        try:
            for chunk in map(HiddenBytes, response.iter_bytes()):
                chunks.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > MAX_ANSWER_BYTES:
                    break
                if time.monotonic() > request.extensions["deadline"]:
                    raise httpx.ReadTimeout("the exchange did not end in time")
        except TRANSPORT_ERRORS as error:
            partial_answer = self._answer(response, chunks)
            raise self._no_answer(error, request, may_have_left=True, partial_answer=partial_answer) from None
        return self._answer(response, chunks)

    def _answer(self, response: httpx.Response, chunks: list[bytes]) -> Answer:
        data = b"".join(chunks)
        return Answer(
            http_status=response.status_code,
            text=HiddenText(self._echoes.hide(data[:MAX_ANSWER_BYTES].decode("utf-8", "replace"))),
            at=self._now(),
            headers={
                name: self._echoes.hide(value) for name, value in response.headers.items() if name in _KEPT_HEADERS
            },
            cut=len(data) > MAX_ANSWER_BYTES,
            is_on_reused_connection=getattr(response.extensions.get("network_stream"), "is_kept", False),
        )

    def _no_answer(
        self, error: Exception, request: httpx.Request, *, may_have_left: bool, partial_answer: Answer | None = None
    ) -> NoAnswer:
        is_late = time.monotonic() >= request.extensions["deadline"]
        todo = error.todo if isinstance(error, SetupFault) else ""
        return NoAnswer(
            self._reason(error, request),
            may_have_left=may_have_left,
            partial_answer=partial_answer,
            is_late=is_late,
            todo=todo,
        )

    def _reason(self, error: Exception, request: httpx.Request) -> str:
        """Say in a few words why there was no answer."""
        if isinstance(error, httpx.ConnectTimeout):
            return "no connection in time"
        if isinstance(error, httpx.TimeoutException):
            return f"no answer in {request.extensions['timeout']['read']:g} s"
        if isinstance(error, SetupFault):
            return clean(self._echoes.hide(str(error)), 500)
        if isinstance(error.__cause__, socket.gaierror):
            return f"the name {request.url.host} was not found"
        text = clean(self._echoes.hide(str(error)), 120)
        return text or ("no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__)


class _Held(httpx.SyncByteStream):
    """The body of an answer. httpx closes it at its end; its connection is given back by ``release`` alone, when the
    answer is understood: before, another thread could use it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def release(self) -> None:
        self._stream.close()


class _Request(httpx.Request):
    """A request whose repr does not show its path and query, which may be signed."""

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.host}>"


def _common(url: httpx.URL, content: bytes) -> Headers:
    headers = [(b"Host", url.netloc), *_COMMON]
    return [*headers, (b"Content-Length", b"%d" % len(content))] if content else headers
