"""The demo as an httpx transport: no socket, and slow, lost and refused answers as httpx's own errors."""

from collections.abc import Callable
from typing import NoReturn
from urllib.parse import parse_qsl

import httpx

from .app import HOSTS
from .clock import Clock
from .wire import Cut, Reply, Request

_ERRORS: dict[Cut, tuple[type[httpx.TransportError], str]] = {
    "refused": (httpx.ConnectError, "Connection refused."),
    "reset": (httpx.ReadError, "Connection reset by peer."),
    "closed": (httpx.RemoteProtocolError, "Server disconnected without sending a response."),
    "half": (httpx.RemoteProtocolError, "Server disconnected in the middle of the answer."),
}


class DemoTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Carries requests to the demo, for sync and async clients and any number of threads.

    A late answer moves the demo's clock. If it is later than the client's read timeout, the clock moves by
    that timeout and `httpx.ReadTimeout` is raised, after the demo has carried the request out.
    """

    def __init__(self, handle: Callable[[Request], Reply], clock: Callable[[], Clock]) -> None:
        self._handle, self._clock = handle, clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        if request.url.scheme != "https" or request.url.host not in HOSTS:
            raise httpx.ConnectError(f"The demo has no host {request.url.host}.", request=request)
        reply = self._handle(_read(request, body))
        read_s: float | None = request.extensions.get("timeout", {}).get("read")
        if reply.cut is not None:
            self._cut(request, reply.cut, read_s)
        if read_s is not None and reply.delay_s > read_s:
            self._cut(request, "stall", read_s)
        if reply.delay_s:
            self._clock().sleep(reply.delay_s)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body, request=request)

    def _cut(self, request: httpx.Request, cut: Cut, read_s: float | None) -> NoReturn:
        if cut in _ERRORS:
            error, text = _ERRORS[cut]
            raise error(text, request=request)
        if read_s is None:
            raise httpx.ReadError("Connection lost.", request=request)
        self._clock().sleep(read_s)
        raise httpx.ReadTimeout("The read operation timed out.", request=request)


def _read(request: httpx.Request, body: bytes) -> Request:
    return Request(
        method=request.method,
        host=request.url.host,
        path=request.url.path,
        query=dict(parse_qsl(request.url.query.decode(), keep_blank_values=True)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
