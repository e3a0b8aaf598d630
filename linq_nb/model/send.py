"""One send, and the observations from which its status follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, SupportsIndex, overload

from linq_nb import status
from linq_nb.model.record import CATEGORY, FLOAT, TEXT, Column, Displayed, Record, column, derived

# Columns that sends and their events share.
_SEND_ID = column("name of the send: the same question has the same id", is_unique=True)
_CHAT_ID = column("Linq's id of the chat")
_MESSAGE_ID = column("Linq's id of the message, missing when none was made", is_unique=True)
_CHAT_HANDLES = column("all in the chat by Linq's answer, your line too, joined by a space", is_handle=True)
_CHAT_IS_ACTIVE = column("whether the chat was active, by Linq's answer")
_HAS_CDN_URL = column("whether Linq's answer gave a URL of the file on its CDN")
_MESSAGE_CREATED_AT = column("when Linq made the message, by its clock")
_FORCE_NOTIFY = column("force_notify as it was sent, missing when it was not")
_EXTRA = column("further fields of the request, missing when none were given", in_frame=False)
_SERVICE = column("iMessage, RCS or SMS", CATEGORY)
_HTTP_STATUS = column("HTTP status of the answer")
_ERROR_CODE = column("Linq's error code; its meaning depends on http_status")
_ERROR_MESSAGE = column("what went wrong, in words, handles masked", is_free_text=True)
_DOC_URL = column("Linq's page about the error")
_TRACE_ID = column("Linq's id of the request, for its support", is_unique=True)
_SENT_AT = column("when it left the line")
_DELIVERED_AT = column("when it reached the device")
_READ_AT = column("when it was read")
_FAILED_AT = column("when Linq gave it up")
_SKEW_MIN = column("at posted_at Linq's clock was ahead of ours by this at least", unit="ms", in_frame=False)
_SKEW_MAX = column("at posted_at Linq's clock was ahead of ours by this at most", unit="ms", in_frame=False)
_RESULT = "search in the chat: found, not_found or ambiguous"
_BODY = column("the raw answer, without tokens and signed URLs", is_free_text=True, is_unique=True)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event(Record):
    """One observation of a send: what an answer, a poll, a webhook or a person said, and when.

    ``source`` is post, upload, chat, poll, webhook, reconcile, resolve, accept or line; ``body`` is the raw answer
    without tokens and signed URLs. A webhook has an ``event_id`` and an ``event_type`` too, and an empty ``send_id`` as
    long as it belongs to no send that the journal knows. An audit of one of your lines is of no send either.
    """

    send_id: str = field(metadata=_SEND_ID)
    at: datetime = field(metadata=column("when it was seen"))
    source: str = field(
        metadata=column("post, upload, chat, poll, webhook, reconcile, resolve, accept or line", CATEGORY)
    )
    status: str | None = field(default=None, metadata=column("the status that was reported", CATEGORY))
    http_status: int | None = field(default=None, metadata=_HTTP_STATUS)
    error_code: int | None = field(default=None, metadata=_ERROR_CODE)
    error_message: str | None = field(default=None, metadata=_ERROR_MESSAGE)
    doc_url: str | None = field(default=None, metadata=_DOC_URL)
    trace_id: str | None = field(default=None, metadata=_TRACE_ID)
    message_id: str | None = field(default=None, metadata=_MESSAGE_ID)
    service: str | None = field(default=None, metadata=_SERVICE)
    sent_at: datetime | None = field(default=None, metadata=_SENT_AT)
    delivered_at: datetime | None = field(default=None, metadata=_DELIVERED_AT)
    read_at: datetime | None = field(default=None, metadata=_READ_AT)
    failed_at: datetime | None = field(default=None, metadata=_FAILED_AT)
    reconcile_result: str | None = field(default=None, metadata=column(_RESULT))
    event_id: str | None = field(default=None, metadata=column("Linq's id of the webhook event", is_unique=True))
    event_type: str | None = field(default=None, metadata=column("type of the webhook event", CATEGORY))
    chat_id: str | None = field(default=None, metadata=_CHAT_ID)
    body: Any = field(default=None, compare=False, metadata=_BODY)


SPANS: Mapping[str, tuple[str, str]] = {
    "accept_s": ("posted_at", "accepted_at"),
    "delivery_s": ("posted_at", "delivered_at"),
    "read_s": ("delivered_at", "read_at"),
}
"""The lengths of time of a send, in seconds: where each begins and ends."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Send(Record):
    """One memo to one chat: at once the return value, the journal's row and the DataFrame's row.

    ``status`` is Linq's word (pending queued sent delivered read failed, or a new one), or ours where Linq
    cannot speak: preparing, sending, not_sent, rejected, unknown, expired.
    ``repeated`` is True when this send was asked for before and nothing was sent now (``repeated_at``); neither
    is stored, nor is ``typed_chat``: a row that names no chat has no ``chat_id``, and goes nowhere.
    """

    send_id: str = field(metadata=_SEND_ID)
    base_url: str = field(metadata=column("address of the API that it was sent to", in_frame=False))
    content: str = field(metadata=column("name of the audio: SHA-256, else URL or attachment id", in_frame=False))
    copy: int = field(default=1, metadata=column("which copy of the memo to the chat it is, from 1", in_frame=False))
    chat_id: str = field(metadata=_CHAT_ID)
    chat_name: str | None = field(default=None, metadata=column("display name of the chat", is_free_text=True))
    is_group: bool | None = field(default=None, metadata=column("whether more than one other person is in the chat"))
    from_handle: str | None = field(default=None, metadata=column("your line", is_handle=True))
    to_handles: tuple[str, ...] = field(default=(), metadata=column("recipients, joined by a space", is_handle=True))
    chat_handles: tuple[str, ...] = field(default=(), metadata=_CHAT_HANDLES)
    chat_is_active: bool | None = field(default=None, metadata=_CHAT_IS_ACTIVE)
    memo_source: str = field(default="file", metadata=column("file, bytes, samples, url or attachment", CATEGORY))
    voice_memo_url: str | None = field(default=None, metadata=column("URL without its query", in_frame=False))
    filename: str | None = field(default=None, metadata=column("file name", is_free_text=True))
    format: str | None = field(default=None, metadata=column("mp3, m4a, aac, caf, wav, aiff or amr", CATEGORY))
    mime_type: str | None = field(default=None, metadata=column("type of the file"))
    size_bytes: int | None = field(default=None, metadata=column("size of the file", unit="bytes"))
    duration_ms: int | None = field(default=None, metadata=column("length of the memo", unit="ms"))
    sha256: str | None = field(default=None, metadata=column("SHA-256 of the file, as hex"))
    attachment_id: str | None = field(default=None, metadata=column("Linq's id of the uploaded file"))
    has_cdn_url: bool | None = field(default=None, metadata=_HAS_CDN_URL)
    message_id: str | None = field(default=None, metadata=_MESSAGE_ID)
    service: str | None = field(default=None, metadata=_SERVICE)
    status: str = field(default="preparing", metadata=column("Linq's word, or ours where Linq has none", CATEGORY))
    http_status: int | None = field(default=None, metadata=_HTTP_STATUS)
    error_code: int | None = field(default=None, metadata=_ERROR_CODE)
    error_message: str | None = field(default=None, metadata=_ERROR_MESSAGE)
    doc_url: str | None = field(default=None, metadata=_DOC_URL)
    trace_id: str | None = field(default=None, metadata=_TRACE_ID)
    attempts: int = field(default=0, metadata=column("number of attempts from here"))
    created_at: datetime | None = field(default=None, metadata=column("when it was asked for"))
    message_created_at: datetime | None = field(default=None, metadata=_MESSAGE_CREATED_AT)
    posted_at: datetime | None = field(default=None, metadata=column("when the request left"))
    skew_min_ms: int | None = field(default=None, metadata=_SKEW_MIN)
    skew_max_ms: int | None = field(default=None, metadata=_SKEW_MAX)
    accepted_at: datetime | None = field(default=None, metadata=column("when Linq accepted it"))
    sent_at: datetime | None = field(default=None, metadata=_SENT_AT)
    delivered_at: datetime | None = field(default=None, metadata=_DELIVERED_AT)
    read_at: datetime | None = field(default=None, metadata=_READ_AT)
    failed_at: datetime | None = field(default=None, metadata=_FAILED_AT)
    checked_at: datetime | None = field(default=None, metadata=column("when its status was last checked"))
    reconcile_result: str | None = field(default=None, metadata=column(_RESULT, in_frame=False))
    override_optout: str | None = field(default=None, metadata=column("why the opt-out was ignored", in_frame=False))
    typed_chat: str | None = field(default=None, compare=False)
    force_notify: bool | None = field(default=None, metadata=_FORCE_NOTIFY)
    extra: Any = field(default=None, compare=False, metadata=_EXTRA)
    repeated: bool = field(default=False, compare=False)
    repeated_at: datetime | None = field(default=None, compare=False)

    _short: ClassVar[tuple[str, ...]] = (
        "chat_name", "status", "service", "error_code", "meaning", "filename", "duration_ms", "created_at",
        "delivery_s", "read_s",
    )  # fmt: skip
    _derived: ClassVar[tuple[Column, ...]] = (
        derived("meaning", TEXT, "what error_code means, by the list of error codes", before="error_message"),
        derived("day", CATEGORY, "the day of created_at in UTC", before="created_at"),
        *(derived(name, FLOAT, f"from {start} to {end}", unit="s") for name, (start, end) in SPANS.items()),
        derived(
            "typed_chat",
            TEXT,
            "the chat as it was typed, of a row that names no chat",
            is_recipient=True,
            read=lambda send: send.typed_chat,
        ),
    )

    @property
    def accept_s(self) -> float | None:
        """Seconds from the POST to Linq's answer."""
        return _seconds(self, "accept_s")

    @property
    def delivery_s(self) -> float | None:
        """Seconds from the POST to the delivery on the device."""
        return _seconds(self, "delivery_s")

    @property
    def read_s(self) -> float | None:
        """Seconds from the delivery to the read receipt."""
        return _seconds(self, "read_s")

    @property
    def is_open(self) -> bool:
        """Whether Linq may report more of it."""
        return status.is_open(self.status, is_group=self.is_group, service=self.service)

    def observed(self, event: Event) -> Send:
        """Return this send with what ``event`` reports; events may come in any order.

        A status never goes back: pending < queued < sent < expired < failed < delivered < read. A late ``sent`` does
        not undo ``delivered``; ``failed`` may still become ``delivered`` (Linq documents it for 4001). A word that
        Linq added is kept until a known one comes. The error stays as long as the status is one of an error. Of
        several times for one step the earliest stands, of several failures the latest.
        """
        word = status.later(self.status, _reported(event), _reached(self))
        values = {name: value for name in _OBSERVED if (value := getattr(event, name)) is not None}
        for name in ("sent_at", "delivered_at", "read_at"):
            if name in values:
                values[name] = min(values[name], getattr(self, name) or values[name])
        is_old_failure = bool(self.failed_at and event.failed_at and event.failed_at < self.failed_at)
        if is_old_failure:
            del values["failed_at"]
        if status.is_going_well(word):
            values |= dict.fromkeys(_ERROR)
        elif (event.error_code is not None or event.error_message is not None) and not is_old_failure:
            values |= {name: getattr(event, name) for name in _ERROR}
        if self.trace_id is not None and event.source != "post":
            values.pop("trace_id", None)
        if self.service is not None and status.rank(word) > status.rank(event.status):
            values.pop("service", None)
        checked_at = max(event.at, self.checked_at or event.at)
        return dataclasses.replace(self, status=word, checked_at=checked_at, **values)


class SendList(list[Send], Displayed):
    """Sends as a list that a notebook shows as a table: how many have which status, what went wrong first.

    ``to_frame(sends)`` makes a DataFrame of them.
    """

    def __repr__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Send: ...
    @overload
    def __getitem__(self, index: slice) -> SendList: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Send | SendList:
        chosen = super().__getitem__(index)
        return SendList(chosen) if isinstance(chosen, list) else chosen


_ERROR = ("error_code", "error_message", "doc_url")
_OBSERVED = (
    "message_id", "service", "sent_at", "delivered_at", "read_at", "failed_at", "trace_id", "reconcile_result",
)  # fmt: skip


def accepted_time(send: Send) -> datetime | None:
    """Return when Linq accepted a send, or the nearest time that is known."""
    return send.accepted_at or send.posted_at or send.created_at


def _reached(send: Send) -> tuple[str, ...]:
    """Return the statuses that the times of a send prove."""
    return tuple(word for word in ("sent", "failed", "delivered", "read") if getattr(send, f"{word}_at") is not None)


def _reported(event: Event) -> str | None:
    """Read the status that an event reports, its times being evidence too: ``delivered_at`` outranks ``sent``."""
    word = None if event.status == "received" else event.status
    if event.read_at and (word is None or status.rank(word)):
        return "read"
    if event.delivered_at and word in (None, "pending", "queued", "sent"):
        return "delivered"
    if event.sent_at and word in (None, "pending", "queued"):
        return "sent"
    return word


def _seconds(send: Send, span: str) -> float | None:
    start, end = (getattr(send, name) for name in SPANS[span])
    return (end - start).total_seconds() if start and end else None
