"""Linq's JSON to records, tolerant in what is read; ``client.bodies`` has what is written.

A field that is missing, null, unknown or of another type never raises. Only an answer that is no JSON object, or that
lacks its main field (such as the message id), raises ``Unreadable``. Pure: no IO.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard, TypeVar

from linq_nb import storable
from linq_nb.errors import NotSent, SettingsError
from linq_nb.model import (
    Attachment,
    Chat,
    Event,
    Handle,
    Line,
    Message,
    Reputation,
    ReputationChat,
    ReputationDriver,
    ReputationStep,
    Subscription,
    is_uuid,
)
from linq_nb.status import OUR_STATUSES
from linq_nb.text import MAX_REASON, one_line

Raw = Mapping[str, Any]
T = TypeVar("T")
Page = tuple[Sequence[T], str | None]

MAX_ANSWER_BYTES = 10_000_000
"""More than this of an answer is not read: a page of 100 messages is well under 1 MB."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_WITHOUT_FILE = frozenset({"text", "link", "imessage_app", "app_clip"})
"""The part types that carry no file; any other, also one that is new, may be a memo."""

_EVENT_STATUSES = {f"message.{word}": word for word in ("sent", "delivered", "read", "failed")}
"""The status that an event type reports of a message that went out."""


class Unreadable(ValueError):
    """An answer is not what was asked for; the message says what it is instead, as in "it is HTML"."""


def text_of(raw: Raw, key: str) -> str | None:
    value = raw.get(key)
    return storable.text(value) if isinstance(value, str) and value else None


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_header(name: str, value: object) -> bool:
    """Whether this can go into an HTTP request as a header."""
    is_value = isinstance(value, str) or is_number(value)
    return is_value and bool(_HEADER_NAME.fullmatch(name)) and bool(_HEADER_VALUE.fullmatch(str(value)))


def int_of(raw: Raw, key: str) -> int | None:
    return storable.whole(raw.get(key))


def length_of(raw: Raw, key: str) -> int | None:
    return storable.length(raw.get(key))


def bool_of(raw: Raw, key: str) -> bool | None:
    value = raw.get(key)
    return value if isinstance(value, bool) else None


def dict_of(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def dicts_of(raw: Raw, key: str) -> list[Raw]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts_of(raw: Raw, key: str) -> tuple[str, ...]:
    value = raw.get(key)
    return tuple(storable.text(item) for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def id_of(raw: Raw, key: str) -> str | None:
    """Return an id; a uuid in small letters, so that the ids of two answers can be compared."""
    value = text_of(raw, key)
    if value is None or len(value) > storable.MAX_ID:
        return None
    return value.lower() if is_uuid(value) else value


def required(raw: Raw, key: str, read: Callable[[Raw, str], str | None] = text_of) -> str:
    """Return a text; raises Unreadable without it."""
    value = read(raw, key)
    if value is None:
        raise Unreadable(f"it has no {key!r}")
    return value


def rating_of(raw: Raw, key: str) -> str | None:
    """Return a rating in upper case: the ``status`` of an object, or the text itself."""
    rating = text_of(dict_of(raw, key), "status") or text_of(raw, key)
    return rating.upper() if rating else None


def time_of(raw: Raw, name: str) -> datetime | None:
    return storable.time(raw.get(name))


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its text and the headers that are used.

    ``cut``: the text is longer than what is read of it. ``is_on_reused_connection``: such a connection may deliver the
    answer to an earlier request.
    """

    http_status: int
    text: str = field(repr=False)  # it may hold a signed URL
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cut: bool = False
    is_on_reused_connection: bool = False
    _parsed: Raw | str = field(init=False, repr=False, compare=False)
    """The JSON object, or the reason why there is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", self._parse())

    @property
    def is_success(self) -> bool:
        return 200 <= self.http_status < 300

    @property
    def trace_id(self) -> str | None:
        """The trace id, from the header that is on every answer, else from an error's body."""
        trace_id = self.headers.get("x-trace-id") or text_of(self.body, "trace_id")
        return trace_id and storable.text(trace_id)[: storable.MAX_ID]

    @property
    def body(self) -> Raw:
        """The JSON object of the answer, empty when there is none."""
        return {} if isinstance(self._parsed, str) else self._parsed

    @property
    def error(self) -> Raw:
        """The ``error`` object of the answer, empty when there is none."""
        return dict_of(self.body, "error")

    @property
    def code(self) -> int | None:
        return int_of(self.error, "code")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait: the Retry-After header (seconds or a date), else ``error.retry_after``."""
        header, number = self.headers.get("retry-after", "").strip(), self.error.get("retry_after")
        if re.fullmatch(r"\d+(\.\d+)?", header, re.ASCII):
            seconds = float(header)
        elif date := _http_date(header):
            seconds = max(0.0, (date - (self.server_time or self.at)).total_seconds())
        else:
            seconds = number if is_number(number) else -1
        return float(min(seconds, 1e12)) if seconds >= 0 else None  # a number of any length, or infinity

    @property
    def server_time(self) -> datetime | None:
        """The time by Linq's clock, from the Date header."""
        date = _http_date(self.headers.get("date", ""))
        return date and storable.moment(date)

    def json(self) -> Raw:
        """Return the answer's JSON object; raises Unreadable when it has none."""
        if isinstance(self._parsed, str):
            raise Unreadable(self._parsed)
        return self._parsed

    def _parse(self) -> Raw | str:
        if self.cut:
            return f"it is larger than {MAX_ANSWER_BYTES // 1_000_000} MB"
        try:
            body = storable.loads(self.text)
        except ValueError:
            return _not_json(self.text) if self.text.strip() else "it is empty"
        return body if isinstance(body, dict) else f"it is a JSON {type(body).__name__}, not an object"


class NoAnswer(Exception):
    """A request without a complete answer.

    ``may_have_left``: the whole request may have reached the server. ``partial_answer``: what came of the answer, None
    without a status. ``is_late``: the deadline had passed. ``todo``: what to change when a setting of this machine is
    the cause; then nothing was sent.
    """

    def __init__(
        self,
        why: str,
        *,
        may_have_left: bool,
        partial_answer: Answer | None = None,
        is_late: bool = False,
        todo: str = "",
    ) -> None:
        super().__init__(why)
        self.may_have_left, self.partial_answer = may_have_left, partial_answer
        self.is_late, self.todo = is_late, todo

    def not_sent(self, message: str) -> SettingsError | NotSent:
        """Return the exception for a request that did not reach its host: SettingsError when a setting is the cause."""
        return SettingsError(f"{self}; nothing was sent; {self.todo}") if self.todo else NotSent(message)


def _not_json(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "it is HTML, not JSON"
    if start.startswith("<"):
        return "it is XML, not JSON"
    return "its JSON is cut off or broken" if start.startswith(("{", "[")) else "it is not JSON"


@functools.lru_cache(maxsize=16)
def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _read(record: Callable[..., T], raw: Raw, **others: Any) -> T:
    """Make a record: each field from the JSON field of its name, by its type, but for the ``others``."""
    return record(**{name: read(raw, name) for name, read in _readers(record)} | others)


@functools.cache
def _readers(record: Any) -> list[tuple[str, Callable[[Raw, str], Any]]]:
    return [(field.name, _READERS[field.type]) for field in dataclasses.fields(record) if field.type in _READERS]


_READERS: Mapping[Any, Callable[[Raw, str], Any]] = {
    "str | None": text_of, "int | None": length_of, "bool | None": bool_of, "datetime | None": time_of,
    "tuple[str, ...]": texts_of,
}  # fmt: skip
"""How a field is read, by its type; fields of other types are not."""


def handle(raw: Raw) -> Handle:
    return _read(Handle, raw, handle=text_of(raw, "handle") or "", handle_id=text_of(raw, "id"))


def chat(raw: Raw) -> Chat:
    """Read a chat; raises Unreadable without an id."""
    return _read(
        Chat,
        raw,
        chat_id=required(raw, "id", id_of),
        chat_name=text_of(raw, "display_name"),
        health_status=rating_of(raw, "health_status"),
        handles=tuple(handle(person) for person in dicts_of(raw, "handles")),
    )


def line(raw: Raw) -> Line:
    ids = {"line_id": text_of(raw, "id"), "phone_number": required(raw, "phone_number")}
    return _read(Line, raw, reputation=rating_of(raw, "reputation"), **ids)


def reputation(raw: Raw, number: str) -> Reputation:
    """Read an audit of a line, which has no report yet or no more; raises Unreadable without an ``audit_id``."""
    report = dict_of(raw, "report")
    evidence = dict_of(report, "evidence")
    steps = [_read(ReputationStep, step) for step in dicts_of(report, "action_items")]
    return _read(
        Reputation,
        raw,
        audit_id=required(raw, "audit_id", id_of),
        phone_number=text_of(raw, "phone") or number,
        audit_status=text_of(raw, "status") or "pending",
        severity=rating_of(report, "severity"),
        primary_driver=text_of(report, "primary_driver"),
        drivers=tuple(_read(ReputationDriver, driver) for driver in dicts_of(report, "drivers")),
        steps=tuple(sorted(steps, key=lambda step: math.inf if step.priority is None else step.priority)),
        chats=tuple(
            _read(ReputationChat, chat, chat_id=required(chat, "chat_id", id_of))
            for name in ("opt_out_chats", "unhealthy_chats")
            for chat in dicts_of(evidence, name)
            if id_of(chat, "chat_id")
        ),
    )


def attachment(raw: Raw) -> Attachment:
    """Read an upload's announcement, an attachment or a media part; raises Unreadable without an id."""
    headers = {name: str(value) for name, value in dict_of(raw, "required_headers").items() if is_header(name, value)}
    return _read(
        Attachment,
        raw,
        attachment_id=id_of(raw, "attachment_id") or required(raw, "id", id_of),
        mime_type=text_of(raw, "content_type") or text_of(raw, "mime_type"),
        download_url=text_of(raw, "download_url") or text_of(raw, "url"),
        required_headers=headers,
    )


def message(raw: Raw) -> Message:
    """Read a message; its status falls back on the deprecated booleans. Raises Unreadable without an id."""
    parts = dicts_of(raw, "parts")
    files = [part for part in parts if text_of(part, "type") not in _WITHOUT_FILE]
    readable = [part for part in files if text_of(part, "id")]
    flag = "read" if bool_of(raw, "is_read") else "delivered" if bool_of(raw, "is_delivered") else None
    return _read(
        Message,
        raw,
        message_id=required(raw, "id", id_of),
        delivery_status=_status(raw, "delivery_status") or flag,
        media=tuple(attachment(part) for part in readable),
        parts=len(parts) if len(readable) == len(files) else None,
    )


def subscription(raw: Raw) -> Subscription:
    return _read(Subscription, raw, subscription_id=required(raw, "id"), target_url=text_of(raw, "target_url") or "")


def _status(raw: Raw, key: str) -> str | None:
    """Read Linq's word for a status; a word of ours in its place is not believed: only this machine can know it."""
    word = text_of(raw, key)
    return None if word in OUR_STATUSES else word and word[: storable.MAX_ID]


def accepted(answer: Answer) -> dict[str, Any]:
    """Read a 2xx to a voice memo as fields of a Send; raises Unreadable without a message id."""
    memo = dict_of(answer.json(), "voice_memo")
    chat, media = dict_of(memo, "chat"), dict_of(memo, "voice_memo")
    fields = {
        "message_id": message_id(answer),
        "status": _status(memo, "status") or "queued",
        "service": text_of(memo, "service"),
        "from_handle": text_of(memo, "from"),
        "to_handles": texts_of(memo, "to") or None,
        "chat_handles": tuple(person.handle for person in map(handle, dicts_of(chat, "handles")) if person.handle),
        "chat_is_active": bool_of(chat, "is_active"),
        "has_cdn_url": text_of(media, "url") is not None,
        "message_created_at": time_of(memo, "created_at"),
        "is_group": bool_of(chat, "is_group"),
        "attachment_id": id_of(media, "id"),
        "filename": text_of(media, "filename"),
        "mime_type": text_of(media, "mime_type"),
        "size_bytes": length_of(media, "size_bytes"),
        "duration_ms": length_of(media, "duration_ms"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def message_id(answer: Answer) -> str:
    """Return the message id in a 2xx to a voice memo; raises Unreadable when there is none."""
    identity = id_of(dict_of(answer.json(), "voice_memo"), "id")
    if identity is None:
        raise Unreadable("it has no voice_memo.id")
    return identity


def page(answer: Answer, key: str, read: Callable[[Raw], T]) -> Page[T]:
    """Read a page: its records (those without an id are skipped) and the cursor of the next page."""
    body = answer.json()
    if key not in body or not isinstance(body[key], list | None):
        raise Unreadable(f"it has no list {key!r}")
    records = []
    for raw in dicts_of(body, key):
        with contextlib.suppress(Unreadable):
            records.append(read(raw))
    return records, text_of(body, "next_cursor")


def webhook(raw: Raw, at: datetime) -> Event:
    """Read a webhook's payload of either version, as of ``created_at`` or else ``at``.

    Raises Unreadable without an event type; one that is not known is an event without a status.
    """
    kind, data = required(raw, "event_type"), dict_of(raw, "data")
    nested = dict_of(data, "message")  # the message itself in 2025-01-01; in 2026-02-03 it is the data
    of_message = nested or (data if kind.startswith("message.") else {})
    inbound = text_of(data, "direction") == "inbound" or bool_of(data, "is_from_me") is False
    reason = text_of(data, "reason") if kind == "message.failed" else None
    return Event(
        send_id="",
        at=time_of(raw, "created_at") or at,
        source="webhook",
        status=None if inbound else _EVENT_STATUSES.get(kind),
        error_code=int_of(data, "code") if kind == "message.failed" else None,
        error_message=one_line(reason, MAX_REASON) if reason else None,
        trace_id=text_of(raw, "trace_id"),
        message_id=id_of(data, "message_id") or id_of(of_message, "id"),
        service=text_of(data, "service") or text_of(nested, "service"),
        sent_at=time_of(data, "sent_at") or time_of(nested, "sent_at"),
        delivered_at=time_of(data, "delivered_at") or time_of(nested, "delivered_at"),
        read_at=time_of(data, "read_at") or time_of(nested, "read_at"),
        failed_at=time_of(data, "failed_at"),
        event_id=text_of(raw, "event_id"),
        event_type=kind,
        chat_id=(text_of(dict_of(data, "chat"), "id") or text_of(data, "chat_id") or "").lower() or None,
        body=storable.kept(raw),
    )
