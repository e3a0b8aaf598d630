"""From a request to a reply: hosts, routes, faults, headers, log; and the WSGI callable around it."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from . import attachments, chats, faults, lines, media, memos, messages, reputation, rules, subscriptions
from .call import Call
from .clock import http_date
from .state import State
from .wire import Logged, Refusal, Reply, Request, refusal_reply, xml_reply

API_HOST, UPLOAD_HOST, CDN_HOST = "demo.linq.invalid", "upload.linq.invalid", "cdn.linqapp.com"
HOSTS = (API_HOST, UPLOAD_HOST, CDN_HOST, media.HOST)
API_PREFIX = "/api/partner"
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Handler = Callable[[Call], Reply]
ROUTES: dict[str, dict[str, Handler]] = {
    "/v3/chats/{id}/voicememo": {"POST": memos.send},
    "/v3/chats": {"GET": chats.list_all, "POST": chats.create},
    "/v3/chats/{id}": {"GET": chats.get, "PUT": chats.update},
    "/v3/chats/{id}/leave": {"POST": chats.leave},
    "/v3/chats/{id}/read": {"POST": chats.note},
    "/v3/chats/{id}/typing": {"POST": chats.note, "DELETE": chats.note},
    "/v3/chats/{id}/messages": {"GET": messages.list_of_chat, "POST": messages.send},
    "/v3/messages": {"POST": chats.send_anywhere},
    "/v3/messages/{id}": {"GET": messages.get, "DELETE": messages.delete},
    "/v3/messages/{id}/thread": {"GET": messages.thread},
    "/v3/attachments": {"POST": attachments.create},
    "/v3/attachments/{id}": {"GET": attachments.get, "DELETE": attachments.delete},
    "/v3/phone_numbers": {"GET": lines.list_all},
    "/v3/phone_numbers/{id}": {"PUT": lines.update},
    "/v3/phone_numbers/{id}/reputation_audit": {"POST": reputation.start},
    "/v3/phone_numbers/{id}/reputation_audit/{id}": {"GET": reputation.get},
    "/v3/phonenumbers": {"GET": lines.list_old},
    "/v3/available_number": {"GET": lines.available},
    "/v3/capability/check_imessage": {"POST": lambda call: lines.check(call, "iMessage")},
    "/v3/capability/check_rcs": {"POST": lambda call: lines.check(call, "RCS")},
    "/v3/blocked_handles": {"GET": lines.list_blocked, "POST": lines.block, "DELETE": lines.unblock},
    "/v3/webhook-events": {"GET": subscriptions.events},
    "/v3/webhook-subscriptions": {"GET": subscriptions.list_all, "POST": subscriptions.create},
    "/v3/webhook-subscriptions/{id}": {
        "GET": subscriptions.get,
        "PUT": subscriptions.update,
        "DELETE": subscriptions.delete,
    },
}
_PATTERNS = [(re.compile(path.replace("{id}", "([^/]+)")), handlers) for path, handlers in ROUTES.items()]


def answer(state: State, request: Request) -> Reply:
    """Answer one request to any of the demo's hosts, and log it."""
    with state.lock:
        if request.host == media.HOST:
            reply = media.get(request.path)
        elif request.host == CDN_HOST:
            reply = attachments.cdn(state, request)
        elif request.path.startswith(attachments.UPLOAD_PREFIX):
            reply = _upload(state, request)
        else:
            reply = _api(state, request)
        reply.headers.setdefault("Date", http_date(state.clock.now()))
        has_auth = "authorization" in request.headers
        status = 0 if reply.cut else reply.status
        state.log.append(Logged(request.method, request.path, status, has_auth, request.host))
    return reply


def _upload(state: State, request: Request) -> Reply:
    fault = faults.take(state.ordered_faults, request)
    if fault is None:
        return attachments.put(state, request)
    failed = xml_reply(fault.status, "InternalError", "The demo was asked to fail.")
    reply = attachments.put(state, request) if fault.accepts else failed
    is_other_answer = fault.cut is None and fault.delay_s is None
    return failed if is_other_answer else fault.apply(reply, "")


def _api(state: State, request: Request) -> Reply:
    trace_id = _trace_id(state, request)
    try:
        reply = _carry_out(state, request, trace_id)
    except Refusal as refusal:
        reply = refusal_reply(refusal, trace_id)
    reply.headers["X-Trace-ID"] = trace_id
    return reply


def _carry_out(state: State, request: Request, trace_id: str) -> Reply:
    fault = faults.take(state.ordered_faults, request)
    if fault is not None and not fault.accepts:
        return fault.apply(Reply(500), trace_id)
    rules.bearer(request, state.api_key)
    handler, path_id = _find(request)
    call = Call(state, request, path_id, trace_id)
    reply = handler(call)
    was_accepted = reply.status < 300
    if call.fault is not None:  # the chat's own
        reply = call.fault.apply(reply, trace_id)
    return fault.apply(reply, trace_id) if fault is not None and was_accepted else reply


def _find(request: Request) -> tuple[Handler, str]:
    path = request.path.removeprefix(API_PREFIX) if request.path.startswith(API_PREFIX + "/") else ""
    for pattern, handlers in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None and request.method in handlers:
            return handlers[request.method], (match.lastindex and match[1]) or ""
    raise _not_here(request, path)


def _not_here(request: Request, path: str) -> Refusal:
    """Give the refusal of what is not served: 501 for an unknown method, 405 where the path has others, else 404."""
    if request.method not in _METHODS:
        return Refusal(501, 1003, "This method is not known.")
    methods = [method for pattern, handlers in _PATTERNS if pattern.fullmatch(path) for method in handlers]
    if not methods:
        return Refusal(404, 2001, f"The demo has no {request.method} {request.path}.")
    return Refusal(405, 1003, f"{request.method} is not allowed here; {', '.join(methods)} is.", allow=methods)


def _trace_id(state: State, request: Request) -> str:
    """Give 32 hex digits from what was asked and how often, not from when.

    In a memo the file's hash stands for the attachment id, which depends on the order of uploads.
    """
    is_memo = request.path.endswith("/voicememo")
    digest = sha256(_by_content(state, request.body) if is_memo else request.body).hexdigest()
    key = ("trace", request.method, request.path, *sorted(request.query.items()), digest)
    return state.ids.hex(*key, state.count(*key))[:32]


def _by_content(state: State, body: bytes) -> bytes:
    try:
        data = json.loads(body)
        file = state.attachments[data["attachment_id"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return body
    return str(sorted({**data, "attachment_id": file.sha256}.items())).encode()


def status_and_headers(reply: Reply) -> tuple[str, dict[str, str]]:
    """Give the status line's text, and the headers with the length of the body where there may be one."""
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    if reply.status in (204, 304):
        del headers["Content-Length"]
    return f"{reply.status} {_PHRASES.get(reply.status, 'Unknown')}", headers


def wsgi(
    handle: Callable[[Request], Reply],
) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Wrap a handler as a WSGI callable, which cannot be late or cut an answer."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reply = handle(_request_from(environ))
        status, headers = status_and_headers(reply)
        start_response(status, list(headers.items()))
        return [reply.body]

    return app


def _request_from(environ: Mapping[str, Any]) -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    }
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    query, read = environ.get("QUERY_STRING", ""), environ["wsgi.input"].read
    return Request.read(environ["REQUEST_METHOD"], path, query, headers, read)
