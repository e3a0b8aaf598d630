"""The demo's month as rows of the journal, in bulk.

Most memos of the month were accepted, and their answers differ in ids and times alone: their rows are put together
here. The other answers, and the first for each recording, are read as live answers are. A test compares both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from linq_nb.clocks import EPOCH, to_micros
from linq_nb.journal import Journal, Rows
from linq_nb.model import Event, Send, send_id

if TYPE_CHECKING:
    from linq_nb.demo.month import Day, Posted, Sent

Row = tuple[Any, ...]

ASKED_BEFORE = timedelta(milliseconds=5)
"""A send is asked for a moment before it is posted."""

_OF_CHAT = ("base_url", "chat_id", "chat_name", "is_group", "from_handle", "to_handles", "chat_handles",
            "chat_is_active")  # fmt: skip
_OF_MEMO = (
    "content", "memo_source", "voice_memo_url", "filename", "format", "mime_type", "size_bytes", "duration_ms",
    "sha256", "attempts", "skew_min_ms", "skew_max_ms", "http_status",
    "has_cdn_url",
)  # fmt: skip
_SEEN_AT_NIGHT = ("send_id", "checked_at", "status", "service", "sent_at", "delivered_at", "read_at")
_OF_SEND = (
    "message_created_at", "copy", "attachment_id", "message_id", "trace_id", "created_at", "posted_at", "accepted_at",
    *_SEEN_AT_NIGHT, "failed_at", "error_code", "error_message", "doc_url",
)  # fmt: skip
_SEND = (*_OF_CHAT, *_OF_MEMO, *_OF_SEND)
_ITS_ID = _SEND.index("send_id")
_SEEN = slice(_ITS_ID, _ITS_ID + len(_SEEN_AT_NIGHT))
_OF_ERROR = (
    "error_code", "error_message", "doc_url", "service", "failed_at", "event_id", "event_type", "chat_id",
)  # fmt: skip
_BY_DAY = ("send_id", "at", "source", "status", "trace_id", "message_id", "body", "http_status", *_OF_ERROR)
_AT_NIGHT = (
    "send_id", "at", "status", "service", "sent_at", "delivered_at", "read_at", "source", "http_status", "message_id",
    "body",
)  # fmt: skip
_ASKED_BEFORE_US = ASKED_BEFORE // timedelta(microseconds=1)


class DayRows:
    """Makes the rows of day after day; ``read`` reads one answer as live ones are, ``notice`` such a webhook."""

    def __init__(
        self, journal: Journal, read: Callable[[Posted], tuple[Send, Event]], notice: Callable[[bytes], Event]
    ) -> None:
        self._read, self._notice = read, notice
        self._send_row, self._event_row = journal.row_maker(Send, _SEND), journal.row_maker(Event, _BY_DAY)
        self._chats: dict[str, Row] = {}  # what the sends of a chat share
        self._memos: dict[str, Row] = {}  # what the sends of a recording share, by SHA-256

    def of(self, day: Day) -> tuple[Rows, Rows, Rows]:
        """Return a day's sends as they stand at its end, what was observed of them by day, and what at night."""
        sends, by_day, failures, at_night = [], [], [], {}
        for sent in day.sent:
            if sent.fate != "accepted":
                send, event = self._read(day.month.posted(sent))
                sends.append(self._send_row(send))
                by_day.append(self._event_row(event))
                continue
            file_id = day.month.file(sent.memo).id
            row = self._accepted(day, sent, file_id)
            sends.append(row)
            its_id = row[_ITS_ID]
            by_day.append((
                its_id, sent.answered, "post", "queued", sent.trace_id, sent.message_id,
                day.month.answer(sent, file_id), 202,
            ))  # fmt: skip
            if sent.course.failure:
                failures.append(_failed(day, sent, its_id))
            at_night[sent.message_id] = (*row[_SEEN], "poll", 200, sent.message_id, _listed(sent))
        notices = [self._event_row(self._notice(body)) for body in day.notices]
        by_day = sorted([*by_day, *notices, *failures], key=itemgetter(1))
        in_order = [at_night[sent.message_id] for of_chat in day.by_chat().values() for sent in of_chat]
        return Rows(Send, _SEND, sends), Rows(Event, _BY_DAY, by_day), Rows(Event, _AT_NIGHT, in_order)

    def _accepted(self, day: Day, sent: Sent, file_id: str) -> Row:
        """Return the row of a send that Linq accepted; it ends before ``failed_at`` when it did not fail."""
        of_chat, of_memo = self._shared(day, sent)
        course, copy = sent.course, sent.memo.copy
        row = (
            *of_chat, *of_memo, _whole_ms(sent.created), copy, file_id, sent.message_id,
            sent.trace_id, sent.posted - _ASKED_BEFORE_US, sent.posted, sent.answered,
            send_id(of_chat[0], of_chat[1], of_memo[0], copy), to_micros(day.night), course.status,
            sent.carrier if course.sent else None, course.sent, course.delivered, _whole_ms(course.read),
        )  # fmt: skip
        if course.failed is None:
            return row
        return (*row, course.failed, *(course.failure if course.failure and course.status == "failed" else ()))

    def _shared(self, day: Day, sent: Sent) -> tuple[Row, Row]:
        """Return the values that this send shares with others of its chat, and with others of its recording."""
        sha256, chat_id = sent.memo.recording.sha256, sent.chat.id
        if sha256 not in self._memos or chat_id not in self._chats:
            row = self._send_row(self._read(day.month.posted(sent))[0])
            self._chats[chat_id], self._memos[sha256] = row[: len(_OF_CHAT)], row[len(_OF_CHAT) : -len(_OF_SEND)]
        return self._chats[chat_id], self._memos[sha256]


def _failed(day: Day, sent: Sent, its_id: str) -> Row:
    """Return the row of the webhook of a failure."""
    event_id, body = day.month.failed_event(sent)
    code, reason = sent.course.failure or (None, None)
    return (
        its_id, sent.course.failed, "webhook", "failed", sent.trace_id, sent.message_id, body.decode(), None, code,
        reason, None, sent.carrier, sent.course.failed, event_id, "message.failed", sent.chat.id,
    )  # fmt: skip


def _listed(sent: Sent) -> str:
    """Return the body of what a list says of a send, as ``poll.listed`` makes it."""
    course = sent.course
    updated = course.read or course.delivered or course.failed or course.sent or sent.created
    return (
        f'{{"listed":true,"created_at":"{_iso(sent.created // 1000 * 1000)}","updated_at":"{_iso(updated)}",'
        '"reconciled_at":null}'
    )


def _whole_ms(at: int | None) -> int | None:
    """Return a time as Linq writes it where it gives three digits of a second."""
    return None if at is None else at // 1000 * 1000


def _iso(at: int) -> str:
    return (EPOCH + timedelta(0, 0, at)).isoformat()
