"""Linq's JSON to records and back: strict in what is written, tolerant in what is read.

A field that is missing, null, of another type or unknown never raises; only an answer that is not JSON at all,
or that lacks the one thing it is for, does (``Unreadable``). Pure: no IO.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard, TypeVar

from linq_nb import catalog
from linq_nb.audio import MAX_FILENAME, MAX_UPLOAD_BYTES
from linq_nb.errors import BY_STATUS, ApiError, OutcomeUnknown, RateLimitError
from linq_nb.model import Attachment, Capability, Chat, Event, Handle, Line, Message, Subscription
from linq_nb.status import OUR_STATUSES
from linq_nb.text import clean, redact, writable

T = TypeVar("T")
Raw = Mapping[str, Any]

MAX_ANSWER_BYTES = 10_000_000
"""More than this of an answer is not read: a page of 100 messages is well under 1 MB."""


class Unreadable(ValueError):
    """An answer is not what was asked for; the message says what it is instead, as in "it is HTML"."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, the headers that matter, and its text; ``cut`` when more came than is read."""

    http_status: int
    text: str
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def is_success(self) -> bool:
        return 200 <= self.http_status < 300

    @property
    def trace_id(self) -> str | None:
        """The trace id, from the header that is on every answer, else from an error's body."""
        return self.headers.get("x-trace-id") or _str(self.body, "trace_id")

    @property
    def body(self) -> Raw:
        """The JSON object of the answer, empty when there is none."""
        return {} if isinstance(self._parsed, str) else self._parsed

    @property
    def error(self) -> Raw:
        """The ``error`` object of the answer, empty when there is none."""
        return _dict(self.body, "error")

    @property
    def code(self) -> int | None:
        return _int(self.error, "code")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait: the Retry-After header (seconds or a date), else ``error.retry_after``."""
        header = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d+)?", header):
            return float(header)
        date = _http_date(header)
        if date:
            return max(0.0, (date - (self.server_time or self.at)).total_seconds())
        number = self.error.get("retry_after")
        return float(number) if _is_number(number) and 0 <= number < 1e9 else None

    @property
    def server_time(self) -> datetime | None:
        """Linq's clock by the Date header, to know how far ours is off."""
        return _http_date(self.headers.get("date", ""))

    def json(self) -> Raw:
        """Return the answer's JSON object; raises Unreadable when it is none."""
        if isinstance(self._parsed, str):
            raise Unreadable(self._parsed)
        return self._parsed

    @property
    def _parsed(self) -> Raw | str:
        """The JSON object, read once, or why there is none."""
        known: Raw | str | None = self.__dict__.get("_known")
        if known is None:
            known = self.__dict__["_known"] = self._read()
        return known

    def _read(self) -> Raw | str:
        if self.cut:
            return f"it is larger than {MAX_ANSWER_BYTES // 1_000_000} MB"
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return _not_json(self.text) if self.text.strip() else "it is empty"
        return body if isinstance(body, dict) else f"it is a JSON {type(body).__name__}, not an object"


class NoAnswer(Exception):
    """A request that got no whole answer; ``left`` when all of it may have reached the server.

    ``begun`` is the answer as far as it came, None when not even its status did.
    """

    def __init__(self, why: str, *, left: bool, begun: Answer | None = None) -> None:
        super().__init__(why)
        self.left, self.begun = left, begun


def _not_json(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "it is HTML, not JSON"
    if start.startswith("<"):
        return "it is XML, not JSON"
    return "its JSON is cut off or broken" if start.startswith(("{", "[")) else "it is not JSON"


# --- what is written ------------------------------------------------------------------------------------------


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_bytes(body: Any) -> bytes:
    """Return the body of a request as it is sent."""
    return _encode(body).encode()


def memo_body(*, voice_memo_url: str | None, attachment_id: str | None, override_optout: bool) -> dict[str, Any]:
    """Return the body of ``POST /v3/chats/{chatId}/voicememo``: one source, nothing that Linq did not ask for."""
    if (voice_memo_url is None) == (attachment_id is None):
        raise ValueError("a voice memo takes exactly one of voice_memo_url and attachment_id")
    body: dict[str, Any] = (
        {"voice_memo_url": voice_memo_url} if voice_memo_url is not None else {"attachment_id": attachment_id}
    )
    return body | ({"override_optout": True} if override_optout else {})


def attachment_body(filename: str, content_type: str, size_bytes: int) -> dict[str, Any]:
    """Return the body of ``POST /v3/attachments``."""
    if not 1 <= len(filename) <= MAX_FILENAME or not 1 <= size_bytes <= MAX_UPLOAD_BYTES:
        raise ValueError("an upload takes a file name of 1 to 255 characters and 1 to 104857600 bytes")
    return {"filename": filename, "content_type": content_type, "size_bytes": size_bytes}


def query(**params: Any) -> dict[str, str]:
    """Return query parameters without those that are None."""
    return {name.rstrip("_"): str(value) for name, value in params.items() if value is not None}


# --- what is read ---------------------------------------------------------------------------------------------


def handle(raw: Raw) -> Handle:
    return Handle(
        handle=_str(raw, "handle") or "",
        handle_id=_str(raw, "id"),
        is_me=_bool(raw, "is_me"),
        service=_str(raw, "service"),
        status=_str(raw, "status"),
        line_type=_str(raw, "line_type"),
        joined_at=time_of(raw, "joined_at"),
        left_at=time_of(raw, "left_at"),
    )


def chat(raw: Raw) -> Chat:
    """Read a chat; raises Unreadable without an id."""
    return Chat(
        chat_id=_need(raw, "id"),
        chat_name=_str(raw, "display_name"),
        is_group=_bool(raw, "is_group"),
        service=_str(raw, "service"),
        health_status=_upper(_str(_dict(raw, "health_status"), "status") or _str(raw, "health_status")),
        is_active=_bool(raw, "is_active"),
        is_archived=_bool(raw, "is_archived"),
        handles=tuple(handle(one) for one in _dicts(raw, "handles")),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
    )


def line(raw: Raw) -> Line:
    return Line(
        line_id=_str(raw, "id"),
        phone_number=_need(raw, "phone_number"),
        reputation=_upper(_str(_dict(raw, "reputation"), "status")),
        line_type=_str(raw, "line_type"),
    )


def capability(raw: Raw, service: str) -> Capability:
    return Capability(
        address=_need(raw, "address"),
        service=service,
        available=_bool(raw, "available"),
        reason=_str(raw, "reason"),
        selected_service=_str(raw, "selected_service"),
    )


def attachment(raw: Raw) -> Attachment:
    """Read an upload's announcement, an attachment or a media part; raises Unreadable without an id."""
    headers = {name: str(value) for name, value in _dict(raw, "required_headers").items() if _is_header(name, value)}
    return Attachment(
        attachment_id=_str(raw, "attachment_id") or _need(raw, "id"),
        filename=_str(raw, "filename"),
        mime_type=_str(raw, "content_type") or _str(raw, "mime_type"),
        size_bytes=_int(raw, "size_bytes"),
        duration_ms=_int(raw, "duration_ms"),
        status=_str(raw, "status"),
        created_at=time_of(raw, "created_at"),
        expires_at=time_of(raw, "expires_at"),
        upload_url=_str(raw, "upload_url"),
        download_url=_str(raw, "download_url") or _str(raw, "url"),
        required_headers=headers,
        http_method=_str(raw, "http_method") or "PUT",
    )


def message(raw: Raw) -> Message:
    """Read a message; its status falls back on the deprecated booleans. Raises Unreadable without an id."""
    parts = _dicts(raw, "parts")
    files = [part for part in parts if _str(part, "type") not in _WITHOUT_FILE]
    readable = [part for part in files if _str(part, "id")]
    return Message(
        message_id=_need(raw, "id"),
        chat_id=_str(raw, "chat_id"),
        is_from_me=_bool(raw, "is_from_me"),
        delivery_status=_status(raw, "delivery_status") or _status_of_flags(raw),
        service=_str(raw, "service"),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
        sent_at=time_of(raw, "sent_at"),
        delivered_at=time_of(raw, "delivered_at"),
        read_at=time_of(raw, "read_at"),
        reconciled_at=time_of(raw, "reconciled_at"),
        media=tuple(attachment(part) for part in readable),
        parts=len(parts) if len(readable) == len(files) else None,
    )


_WITHOUT_FILE = frozenset({"text", "link", "imessage_app", "app_clip"})
"""The part types that carry no file; any other, also one that is new, may be a memo."""


def _status(raw: Raw, key: str) -> str | None:
    """Read Linq's word for a status; a word of ours in its place would say what only this machine can know."""
    word = _str(raw, key)
    return None if word in OUR_STATUSES else word


def _status_of_flags(raw: Raw) -> str | None:
    if _bool(raw, "is_read"):
        return "read"
    return "delivered" if _bool(raw, "is_delivered") else None


def subscription(raw: Raw) -> Subscription:
    return Subscription(
        subscription_id=_need(raw, "id"),
        target_url=_str(raw, "target_url") or "",
        subscribed_events=tuple(_strs(raw, "subscribed_events")),
        is_active=_bool(raw, "is_active"),
        phone_numbers=tuple(_strs(raw, "phone_numbers")),
        created_at=time_of(raw, "created_at"),
        updated_at=time_of(raw, "updated_at"),
        signing_secret=_str(raw, "signing_secret"),
    )


def accepted(answer: Answer) -> dict[str, Any]:
    """Read what a 2xx to a voice memo tells, as fields of a Send; raises Unreadable without a message id."""
    memo, message = _dict(answer.json(), "voice_memo"), message_id(answer)
    chat_raw, media = _dict(memo, "chat"), _dict(memo, "voice_memo")
    told = {
        "message_id": message,
        "status": _status(memo, "status") or "queued",
        "service": _str(memo, "service"),
        "from_handle": _str(memo, "from"),
        "to_handles": tuple(_strs(memo, "to")) or None,
        "is_group": _bool(chat_raw, "is_group"),
        "attachment_id": _str(media, "id"),
        "filename": _str(media, "filename"),
        "mime_type": _str(media, "mime_type"),
        "size_bytes": _int(media, "size_bytes"),
        "duration_ms": _int(media, "duration_ms"),
    }
    return {name: value for name, value in told.items() if value is not None}


def message_id(answer: Answer, chat_id: str | None = None) -> str:
    """Read the message id that a 2xx to a voice memo gives; raises Unreadable when there is none.

    With ``chat_id`` also when it tells of another chat: a connection that is kept open may bring an answer of before.
    """
    memo = _dict(answer.json(), "voice_memo")
    found, told = _str(memo, "id"), _str(_dict(memo, "chat"), "id")
    if not found:
        raise Unreadable("it has no voice_memo.id")
    if chat_id is not None and told is not None and told.lower() != chat_id.lower():
        raise Unreadable("it tells of another chat")
    return found


def one(answer: Answer, read: Callable[[Raw], T]) -> T:
    """Read one record of an answer; raises Unreadable."""
    return read(answer.json())


def many(answer: Answer, key: str, read: Callable[[Raw], T]) -> tuple[list[T], str | None]:
    """Read a page: its records (those without an id are passed over) and the cursor of the next page."""
    body = answer.json()
    if key not in body or not isinstance(body[key], list | None):
        raise Unreadable(f"it has no list {key!r}")
    found = []
    for raw in _dicts(body, key):
        try:
            found.append(read(raw))
        except Unreadable:
            continue
    return found, _str(body, "next_cursor") or None


_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)


def parse_time(text: object) -> datetime | None:
    """Read an RFC 3339 time with 0 to 9 fractional digits as UTC, to the microsecond; None for anything else."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    try:
        return datetime.fromisoformat(found.group().replace("z", "Z")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time_of(raw: Raw, name: str) -> datetime | None:
    return parse_time(raw.get(name))


# --- answers that say no --------------------------------------------------------------------------------------


def error_of(answer: Answer, doing: str, outcome: str = "nothing was sent") -> ApiError:
    """Make the exception for an answer that says no; ``doing`` names the request in words."""
    known = catalog.explain(answer.http_status, answer.code)
    said = f"{numbers(answer)}: {_message(answer) or known.meaning}"
    wait_s = answer.retry_after if answer.http_status == 429 else None
    todo = known.todo if wait_s is None else f"wait {wait_s:g} s, as Linq asks, then run it again"
    text = f"Linq refused {doing} ({said}); {outcome}; {todo}{trace(answer)}"
    kind = BY_STATUS.get(answer.http_status, ApiError)
    facts = facts_of(answer)
    if kind is RateLimitError:
        return RateLimitError(text, retry_after=wait_s, **facts)
    return kind(text, **facts)


def unreadable(answer: Answer, doing: str, why: str) -> ApiError:
    """Make the exception for an answer to a read that cannot be read."""
    return ApiError(
        f"Linq's answer to {doing} cannot be read: {why} (HTTP {answer.http_status}); nothing was sent; "
        f"run it again, and check the base URL{trace(answer)}",
        **facts_of(answer),
    )


def unknown_of(answer: Answer, chat_label: str, why: str | None = None) -> OutcomeUnknown:
    """Make the exception for a memo that left and got no clear answer."""
    said = f"{numbers(answer)}: {why or _message(answer) or catalog.explain(answer.http_status, answer.code).meaning}"
    return OutcomeUnknown(
        f"Linq's answer to the voice memo for {chat_label} is not clear ({said}): it may have been sent or not, "
        f"and is not sent again; outbox.reconcile() reads the chat to find out{trace(answer)}",
        **facts_of(answer),
    )


def facts_of(answer: Answer) -> dict[str, Any]:
    """The facts of an answer that an exception or an event carries: never a token or a signed URL."""
    return {
        "status": answer.http_status,
        "code": answer.code,
        "doc_url": redact(_str(answer.error, "doc_url")),
        "trace_id": answer.trace_id,
        "response": redact(dict(answer.body)) or clean(answer.text, 500),
    }


def message_of(answer: Answer) -> str | None:
    """Linq's own words of an error, on one line, handles masked."""
    return _message(answer)


def numbers(answer: Answer) -> str:
    """HTTP status and Linq's code as people quote them: ``404/2001``."""
    return f"{answer.http_status}/{answer.code}" if answer.code is not None else f"HTTP {answer.http_status}"


def trace(answer: Answer) -> str:
    return f"; trace {answer.trace_id}" if answer.trace_id else ""


def _message(answer: Answer) -> str | None:
    text = _str(answer.error, "message")
    return clean(text, 300).rstrip(".") if text else None


# --- small readers --------------------------------------------------------------------------------------------


def _str(raw: Raw, key: str) -> str | None:
    value = raw.get(key)
    return writable(value) if isinstance(value, str) and value else None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_header(name: str, value: object) -> bool:
    """Whether this can go into an HTTP request as a header."""
    fits = isinstance(value, str) or _is_number(value)
    return fits and bool(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)) and bool(_HEADER.fullmatch(str(value)))


_HEADER = re.compile(r"[\t -~]*")


def _int(raw: Raw, key: str) -> int | None:
    value = raw.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _bool(raw: Raw, key: str) -> bool | None:
    value = raw.get(key)
    return value if isinstance(value, bool) else None


def _dict(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _dicts(raw: Raw, key: str) -> list[Raw]:
    value = raw.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strs(raw: Raw, key: str) -> list[str]:
    value = raw.get(key)
    return [writable(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _need(raw: Raw, key: str) -> str:
    value = _str(raw, key)
    if value is None:
        raise Unreadable(f"it has no {key!r}")
    return value


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


@functools.lru_cache(maxsize=16)
def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


# --- webhooks -------------------------------------------------------------------------------------------------

_TOLD = {f"message.{word}": word for word in ("sent", "delivered", "read", "failed")}
"""The status that an event type tells of a message that went out."""


def webhook(raw: Raw, at: datetime) -> Event:
    """Read a webhook's payload of either version, as of ``created_at`` or else ``at``.

    Raises Unreadable without an event type; one that is not known is an event that tells no status.
    """
    kind, data = _need(raw, "event_type"), _dict(raw, "data")
    nested = _dict(data, "message")  # the message itself in 2025-01-01; in 2026-02-03 it is the data
    of_message = nested or (data if kind.startswith("message.") else {})
    inbound = _str(data, "direction") == "inbound" or _bool(data, "is_from_me") is False
    reason = _str(data, "reason") if kind == "message.failed" else None
    return Event(
        send_id="",
        at=time_of(raw, "created_at") or at,
        source="webhook",
        status=None if inbound else _TOLD.get(kind),
        error_code=_int(data, "code") if kind == "message.failed" else None,
        error_message=clean(reason, 300) if reason else None,
        trace_id=_str(raw, "trace_id"),
        message_id=_str(data, "message_id") or _str(of_message, "id"),
        service=_str(data, "service") or _str(nested, "service"),
        sent_at=time_of(data, "sent_at") or time_of(nested, "sent_at"),
        delivered_at=time_of(data, "delivered_at") or time_of(nested, "delivered_at"),
        read_at=time_of(data, "read_at") or time_of(nested, "read_at"),
        failed_at=time_of(data, "failed_at"),
        event_id=_str(raw, "event_id"),
        event_type=kind,
        chat_id=(_str(_dict(data, "chat"), "id") or _str(data, "chat_id") or "").lower() or None,
        body=redact(dict(raw)),
    )
