"""The requests and replies of the demo, on a socket or in process."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl

Json = dict[str, Any]

#: How an answer can go missing. `lost`: accepted, and the client's read times out (on a socket: the
#: connection closes). `stall`: accepted, then silence. `closed`: accepted, then closed. `half`: accepted,
#: then half of the answer. `reset`: reset, nothing accepted. `refused`: no byte left the client (a socket
#: that already listens can only reset).
Cut = Literal["lost", "stall", "closed", "half", "reset", "refused"]


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names in lower case."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def read(
        cls, method: str, path: str, query: str, headers: Mapping[str, str], read: Callable[[int], bytes]
    ) -> "Request":
        """Make a request of its parts; ``read`` gives as many bytes of the body as the headers name."""
        lower = {name.lower(): value for name, value in headers.items()}
        host, length = lower.get("host", ""), lower.get("content-length", "")
        return cls(
            method=method,
            host=host.rpartition(":")[0] or host,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=lower,
            body=read(int(length)) if length.isascii() and length.isdigit() else b"",
        )


@dataclass
class Reply:
    """One HTTP answer, with what happens to it on the way: `delay_s` seconds late, or cut."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: Cut | None = None


class Logged(NamedTuple):
    """One line of the request log; `status` is 0 when nothing was answered."""

    method: str
    path: str
    status: int
    has_auth: bool
    host: str


class Refusal(Exception):
    """A refusal, with an HTTP status and one of Linq's codes."""

    def __init__(
        self, status: int, code: int, message: str, *, retry_after: int | None = None, allow: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after, self.allow = status, code, message, retry_after, allow


def json_reply(status: int, data: object) -> Reply:
    body = json.dumps(data, ensure_ascii=False).encode()
    return Reply(status, body, {"Content-Type": "application/json"})


def refusal_reply(refusal: Refusal, trace_id: str) -> Reply:
    """Write an error as Linq does (linq docs, error model); `retry_after` only where it is known."""
    error: Json = {
        "status": refusal.status,
        "code": refusal.code,
        "message": refusal.message,
        "doc_url": f"https://docs.linqapp.com/error/codes/{refusal.code // 1000}xxx/{refusal.code}/",
    }
    if refusal.retry_after is not None:
        error["retry_after"] = refusal.retry_after
    reply = json_reply(refusal.status, {"success": False, "error": error, "trace_id": trace_id})
    if refusal.retry_after is not None:
        reply.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.allow:
        reply.headers["Allow"] = ", ".join(refusal.allow)
    return reply


def xml_reply(status: int, code: str, message: str) -> Reply:
    """Write an error as object storage does."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Reply(status, text.encode(), {"Content-Type": "application/xml"})
