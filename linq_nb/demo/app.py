"""From a request to a reply: hosts, routes, faults, headers, log; and the WSGI callable around it."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from . import attachments, chats, lines, media, memos, messages, rules, storage, subscriptions
from .call import Call
from .faults import Fault
from .state import State
from .wire import Logged, Refusal, Reply, Request, refusal_reply, xml_reply

API_HOST, UPLOAD_HOST, CDN_HOST = "demo.linq.invalid", "upload.linq.invalid", "cdn.linqapp.com"
HOSTS = (API_HOST, UPLOAD_HOST, CDN_HOST, media.HOST)
API_PREFIX = "/api/partner"
REPLY_KEY = "linq_nb.demo.reply"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Handler = Callable[[Call], Reply]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def _routes(table: str, handlers: Mapping[str, Handler]) -> None:
    for row in table.strip().splitlines():
        method, path, name = row.split()
        pattern = re.compile(re.sub(r"\{\w+\}", r"([^/]+)", path))
        _ROUTES.append((method, pattern, handlers[name]))


_routes(
    """
    POST   /v3/chats/{id}/voicememo            memo
    GET    /v3/chats                           chats
    POST   /v3/chats                           new_chat
    GET    /v3/chats/{id}                      chat
    PUT    /v3/chats/{id}                      rename
    POST   /v3/chats/{id}/leave                leave
    POST   /v3/chats/{id}/read                 note
    POST   /v3/chats/{id}/typing               note
    DELETE /v3/chats/{id}/typing               note
    GET    /v3/chats/{id}/messages             messages
    POST   /v3/chats/{id}/messages             send
    POST   /v3/messages                        send_anywhere
    GET    /v3/messages/{id}                   message
    DELETE /v3/messages/{id}                   forget
    GET    /v3/messages/{id}/thread            thread
    POST   /v3/attachments                     upload
    GET    /v3/attachments/{id}                attachment
    DELETE /v3/attachments/{id}                drop
    GET    /v3/phone_numbers                   lines
    PUT    /v3/phone_numbers/{id}              forward
    GET    /v3/phonenumbers                    old_lines
    GET    /v3/available_number                available
    POST   /v3/capability/check_imessage       imessage
    POST   /v3/capability/check_rcs            rcs
    GET    /v3/blocked_handles                 blocked
    POST   /v3/blocked_handles                 block
    DELETE /v3/blocked_handles                 unblock
    GET    /v3/webhook-events                  events
    GET    /v3/webhook-subscriptions           hooks
    POST   /v3/webhook-subscriptions           new_hook
    GET    /v3/webhook-subscriptions/{id}      hook
    PUT    /v3/webhook-subscriptions/{id}      change_hook
    DELETE /v3/webhook-subscriptions/{id}      drop_hook
    """,
    {
        "memo": memos.send,
        "chats": chats.list_all,
        "new_chat": chats.create,
        "chat": chats.get,
        "rename": chats.update,
        "leave": chats.leave,
        "note": chats.note,
        "messages": messages.list_of_chat,
        "send": messages.send,
        "send_anywhere": chats.send_anywhere,
        "message": messages.get,
        "forget": messages.delete,
        "thread": messages.thread,
        "upload": attachments.create,
        "attachment": attachments.get,
        "drop": attachments.delete,
        "lines": lines.list_all,
        "forward": lines.update,
        "old_lines": lines.list_old,
        "available": lines.available,
        "imessage": lines.check_imessage,
        "rcs": lines.check_rcs,
        "blocked": lines.list_blocked,
        "block": lines.block,
        "unblock": lines.unblock,
        "events": subscriptions.events,
        "hooks": subscriptions.list_all,
        "new_hook": subscriptions.create,
        "hook": subscriptions.get,
        "change_hook": subscriptions.update,
        "drop_hook": subscriptions.delete,
    },
)


@dataclass(frozen=True)
class Site:
    """Where this demo is: its key, and the address that upload links begin with."""

    api_key: str
    upload_base: str


def answer(state: State, site: Site, request: Request) -> Reply:
    """Answer one request to any of the demo's hosts, and log it."""
    with state.lock:
        if request.host == media.HOST:
            reply = media.get(request.path)
        elif request.host == CDN_HOST:
            reply = storage.cdn(state, request)
        elif request.path.startswith(storage.UPLOAD_PREFIX):
            reply = _upload(state, request)
        else:
            reply = _api(state, site, request)
        reply.headers.setdefault("Date", storage.http_date(state.clock.now()))
        has_auth = "authorization" in request.headers
        status = 0 if reply.cut else reply.status
        state.log.append(Logged(request.method, request.path, status, has_auth, request.host))
    return reply


def _upload(state: State, request: Request) -> Reply:
    fault = state.faults.take(request)
    if fault is None:
        return storage.put(state, request)
    failed = xml_reply(fault.status, "InternalError", "The demo was asked to fail.")
    if not fault.accepts:
        return failed if fault.kind == "status" else fault.apply(failed, "")
    done = storage.put(state, request)
    return failed if fault.kind == "status" else fault.apply(done, "")


def _api(state: State, site: Site, request: Request) -> Reply:
    trace_id = _trace_id(state, request)
    try:
        reply = _carried_out(state, site, request, trace_id)
    except Refusal as refusal:
        reply = refusal_reply(refusal, trace_id)
    reply.headers["X-Trace-ID"] = trace_id
    return reply


def _carried_out(state: State, site: Site, request: Request, trace_id: str) -> Reply:
    fault = state.faults.take(request)
    if fault is not None and not fault.accepts:
        return fault.apply(Reply(500), trace_id)
    rules.bearer(request, site.api_key)
    handler, ids = _find(request)
    call = Call(state, request, ids, trace_id, site.upload_base)
    return _with_faults(handler(call), call.fault, fault, trace_id)


def _with_faults(reply: Reply, own: Fault | None, ordered: Fault | None, trace_id: str) -> Reply:
    """Apply the chat's own fault, then the ordered one if the request was carried out."""
    carried_out = reply.status < 300
    if own is not None:
        reply = own.apply(reply, trace_id)
    return ordered.apply(reply, trace_id) if ordered is not None and carried_out else reply


def _find(request: Request) -> tuple[Handler, tuple[str, ...]]:
    path = request.path.removeprefix(API_PREFIX) if request.path.startswith(API_PREFIX + "/") else ""
    for method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None and method == request.method:
            return handler, match.groups()
    raise Refusal(404, 2001, f"The demo has no {request.method} {request.path}.")


def _trace_id(state: State, request: Request) -> str:
    """Give 32 hex digits from what was asked and how often, not from when.

    In a memo the file's hash stands for the attachment id, which depends on the order of uploads.
    """
    body = request.body
    if request.path.endswith("/voicememo"):
        body = _by_content(state, body)
    digest = sha256(body).hexdigest()
    key = ("trace", request.method, request.path, *sorted(request.query.items()), digest)
    return state.ids.hex(*key, state.count(*key))[:32]


def _by_content(state: State, body: bytes) -> bytes:
    try:
        data = json.loads(body)
        file = state.attachments[data["attachment_id"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return body
    return str(sorted({**data, "attachment_id": file.sha256}.items())).encode()


def request_from(environ: Mapping[str, Any]) -> Request:
    """Read a WSGI environment."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    length = headers.get("content-length", "0")
    body = environ["wsgi.input"].read(int(length)) if length.isascii() and length.isdigit() else b""
    return Request(
        method=environ["REQUEST_METHOD"],
        host=headers.get("host", "").rpartition(":")[0] or headers.get("host", ""),
        path=environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=body,
    )


def wsgi(
    handle: Callable[[Request], Reply],
) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Wrap a handler as a WSGI callable.

    The whole `Reply` is left in the environment under `REPLY_KEY`, so that a server that knows it can be
    late or cut the answer; WSGI itself has no word for that.
    """

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reply = environ[REPLY_KEY] = handle(request_from(environ))
        phrase = _PHRASES.get(reply.status, "Unknown")
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        if reply.status in (204, 304):
            del headers["Content-Length"]
        start_response(f"{reply.status} {phrase}", list(headers.items()))
        return [reply.body]

    return app
