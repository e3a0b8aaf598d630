"""Deliveries in the envelopes in which they are stored: API gateways, load balancers, queues, logs, request catchers.

{"headers": {...}, "body": "..."}                              headers as a mapping, pairs, objects, lines or JSON
{"multiValueHeaders": {...}, "body": "...", "isBase64Encoded": true}
{"Records": [{"body": "..."}]}                                 several, or one within another
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from linq_nb import storable
from linq_nb.errors import WebhookError

MAX_BODY_BYTES = 1_000_000
"""Longest body of a webhook: an event, which has no files in it, has some thousand bytes."""

_MAX_DEPTH = 5
"""Envelopes within envelopes that are opened."""

BODIES = ("body", "rawbody", "payload", "rawpayload", "content")
_BODIES_WITH_HEADERS = (*BODIES, "data", "text", "raw", "event", "json", "message", "webhook")
_HEADERS = ("headers", "multivalueheaders", "requestheaders", "header")
_ENVELOPES = ("request", "httprequest", "event", "webhook", "delivery", "detail", "sns", "message", "log", "data")
_LISTS = ("records", "messages", "deliveries", "events", "logevents", "items", "requests", "webhooks", "entries",
          "logs", "results", "data")  # fmt: skip
_NAMES, _VALUES = ("name", "key"), ("value", "values")


class Delivery(NamedTuple):
    """A stored delivery: its body as it was kept, raw or parsed, and its headers, None where they were not kept."""

    body: Any
    headers: Any = None


def deliveries(item: Any, depth: int = _MAX_DEPTH) -> Iterator[Delivery | WebhookError]:
    """Give the deliveries in a stored item, JSON or its text; what cannot be read is given as an error."""
    try:
        yield from _opened(item, depth)
    except WebhookError as error:
        yield error


def _opened(item: Any, depth: int) -> Iterator[Delivery | WebhookError]:
    value = _parsed(item)
    if isinstance(value, list) and value and depth:
        for part in value:
            yield from deliveries(part, depth - 1)
        return
    if not isinstance(value, Mapping):
        raise unreadable("not a JSON object")
    fields = {} if "event_type" in value else {_key(name): part for name, part in value.items()}
    bodies = _BODIES_WITH_HEADERS if {*_HEADERS} & {*fields} else BODIES
    body = next((name for name in bodies if name in fields), None)
    if body is not None:
        yield from _of_envelope(fields, fields[body], depth)
    elif depth and (inner := _inner(fields)) is not None:
        yield from deliveries(inner, depth - 1)
    else:
        yield Delivery(item)


def _of_envelope(fields: Mapping[str, Any], body: Any, depth: int) -> Iterator[Delivery | WebhookError]:
    """Give the delivery of an envelope, or those of the envelopes in its body, as a queue has them."""
    headers = _headers(fields)
    body = _decoded(body, is_base64=str(fields.get("isbase64encoded", "")).lower() == "true")
    if headers is None and depth and isinstance(body, str | bytes):
        inner = _parsed(body)
        if isinstance(inner, list) or (isinstance(inner, Mapping) and "event_type" not in inner):
            yield from deliveries(inner, depth - 1)
            return
    yield Delivery(body, headers)


def _inner(fields: Mapping[str, Any]) -> Any:
    """Return the envelopes within one that has no body itself."""
    for name in _LISTS:
        if isinstance(fields.get(name), list):
            return fields[name]
    for name in _ENVELOPES:
        value = fields.get(name)
        if isinstance(value, Mapping) or (isinstance(value, str) and "{" in value):
            return value if isinstance(value, Mapping) else value[value.index("{") :]
    return None


def _key(name: Any) -> str:
    return re.sub("[ _-]", "", str(name)).lower()


def _headers(fields: Mapping[str, Any]) -> Any:
    """Return the headers of an envelope as pairs, None without any; what cannot be read as it is."""
    kept = [_pairs(fields[name]) for name in _HEADERS if fields.get(name) is not None and fields[name] == fields[name]]
    if not kept:
        return None
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pairs in kept for pair in pairs):
        return kept[0]
    return [
        (_header_name(name), int(value) if isinstance(value, float) and value.is_integer() else value)
        for pairs in kept
        for name, values in pairs
        for value in (values if isinstance(values, list | tuple) else [values])  # each header as a list of its values
        if value is not None
    ]


def _header_name(name: Any) -> str:
    """Return the name of a header, also of one that a CGI server has renamed: HTTP_WEBHOOK_ID."""
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return text.lower().replace("_", "-").removeprefix("http-")


def _pairs(headers: Any) -> Any:
    """Return headers as a list of pairs: of a mapping, of objects with name and value, of JSON or of lines of text."""
    if isinstance(headers, bytes):
        headers = headers.decode("latin-1")
    if isinstance(headers, str):
        if headers.lstrip().startswith(("{", "[")):
            return _pairs(_written(headers))
        lines = (line.partition(":") for line in headers.splitlines())
        return [(name.strip(), value.strip()) for name, colon, value in lines if colon]
    if isinstance(headers, Mapping):
        return list(headers.items())
    if isinstance(headers, list) and all(isinstance(header, Mapping) for header in headers):
        return [(_first(header, _NAMES), _first(header, _VALUES)) for header in headers]
    return headers if isinstance(headers, list) else [headers]


def _written(headers: str) -> Any:
    """Return headers that were written as JSON, or as Python prints them, which pandas does in a CSV file."""
    try:
        return storable.loads(headers)
    except ValueError:
        pass
    try:
        return ast.literal_eval(headers.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise WebhookError(
            "its headers cannot be read; it was skipped; store them as they arrived", reason="headers"
        ) from None


def _first(header: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    fields = {_key(name): value for name, value in header.items()}
    return next((fields[name] for name in names if name in fields), "")


def _decoded(body: Any, *, is_base64: bool) -> Any:
    """Return a body as it was sent; raises WebhookError for an empty one, or one that is not base64 as was said."""
    if isinstance(body, bytearray | memoryview):
        body = bytes(body)
    if body is None or body != body or (isinstance(body, str | bytes) and not body.strip()):
        raise unreadable("no body")
    if not isinstance(body, str | bytes):
        return body
    text = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
    if text.lstrip()[:1] in (b"{", b"["):  # also where the gateway says base64 and the body was decoded
        return body
    try:
        data = base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        data = b""
    if data.lstrip().startswith((b"{", b"[")):
        return data
    if is_base64:
        raise unreadable("its body is said to be base64 and is not")
    return body


def _parsed(item: Any) -> Any:
    """Return JSON as it is, and text parsed; raises WebhookError."""
    if not isinstance(item, str | bytes):
        return item
    if len(item) > 4 * MAX_BODY_BYTES:  # JSON within JSON grows
        raise unreadable("too long")
    try:
        return storable.loads(item)
    except ValueError:
        raise unreadable("not JSON") from None


def spellings(body: Any) -> Iterator[Any]:
    """Give what the raw text of a body may have been: itself, or a parsed one as most programs write JSON."""
    if not isinstance(body, Mapping):
        yield body
        return
    for is_ascii in (False, True):
        for separators in ((",", ":"), (", ", ": ")):
            yield json.dumps(body, ensure_ascii=is_ascii, separators=separators)


def unreadable(reason: str) -> WebhookError:
    """Return the error for a stored delivery that cannot be read."""
    return WebhookError(
        f"a stored webhook cannot be read ({reason}); it was skipped; store the body as it arrived", reason="body"
    )
