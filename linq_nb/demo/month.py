"""A month of memos as their client saw it: each POST with its answer, then reads and webhooks.

The world keeps the messages, so its lists and `bubbles` agree with the answers. They are made when somebody looks.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import NamedTuple

from . import messages, shapes, story, webhooks
from .clock import http_date, stamp
from .ids import as_uuid, stable_uuid
from .lifecycle import FINAL, LATE
from .people import Service
from .state import Attachment, Chat, Message, Stage, State
from .story import Fate, Member, Memo, Recording, Story
from .wire import Json, Refusal, Reply, json_reply, refusal_reply

DAY = timedelta(days=1)
_READ_AT = timedelta(hours=26)  # the next night at two
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_S = 1_000_000  # microseconds in a second
_ACCEPTED: tuple[Fate, ...] = ("accepted", "lost")


@dataclass(frozen=True, slots=True)
class Posted:
    """One memo POST and its answer; `reply` is None when none came. `file` is None for a memo by URL."""

    chat_id: str
    recording: Recording
    file: Attachment | None
    copy: int
    posted_at: datetime
    answered_at: datetime
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to `GET /v3/chats/{chatId}/messages` at a time, with the messages of that day."""

    at: datetime
    chat_id: str
    reply: Reply


class Course(NamedTuple):
    """When a message reached each status, in microseconds since 1970, and why it failed."""

    sent: int | None = None
    failed: int | None = None
    delivered: int | None = None
    read: int | None = None
    failure: tuple[int, str] | None = None

    @property
    def steps(self) -> list[tuple[str, int]]:
        """Each status that was reached, in order of time."""
        return [(name, at) for name, at in zip(self._fields[:4], self[:4], strict=True) if at is not None]

    @property
    def status(self) -> str:
        """The last status."""
        return (
            "read"
            if self.read
            else "delivered"
            if self.delivered
            else "failed"
            if self.failed
            else ("sent" if self.sent else "queued")
        )


class Sent(NamedTuple):
    """One memo POST in short: what its answer, its webhooks and a read at night say. Times are microseconds since 1970.

    A memo that Linq accepted has a message id and a `course`.
    """

    memo: Memo
    fate: Fate
    chat: Chat
    trace_id: str
    posted: int
    answered: int
    message_id: str | None = None
    created: int = 0
    carrier: Service = "iMessage"
    course: Course = Course()


class Day:
    """One day: its memos in short (`sent`), and in Linq's own JSON the POSTs, the webhooks and the reads at night."""

    def __init__(self, month: "Month", day: date, sent: list[Sent]) -> None:
        self.day, self.sent, self.month = day, sent, month
        self.night = datetime(day.year, day.month, day.day, tzinfo=UTC) + _READ_AT

    @property
    def accepted(self) -> list[Sent]:
        """The memos that Linq accepted with an answer."""
        return [sent for sent in self.sent if sent.fate == "accepted"]

    @cached_property
    def posts(self) -> list[Posted]:
        """The POSTs in order."""
        return [self.month.posted(sent) for sent in self.sent]

    @cached_property
    def webhooks(self) -> list[bytes]:
        """The bodies of the webhooks: of failures, and of the line that was flagged."""
        failures = [self.month.failed_event(sent)[1] for sent in self.accepted if sent.course.failure]
        return self.notices + failures

    @cached_property
    def notices(self) -> list[bytes]:
        """The webhooks that are about no memo."""
        return [self.month.flagged_event()] if self.day.day == story.FLAGGED[0] else []

    @cached_property
    def pages(self) -> list[Page]:
        """The read of each chat the next night."""
        return [self.month.page(self.night, chat_id, sent) for chat_id, sent in self.by_chat().items()]

    def by_chat(self) -> dict[str, list[Sent]]:
        """Give the accepted memos of each chat, newest first."""
        chats: dict[str, list[Sent]] = {}
        for sent in self.accepted:
            chats.setdefault(sent.chat.id, []).append(sent)
        return {chat_id: sent[::-1] for chat_id, sent in chats.items()}


class Month:
    """A month that the world has lived; iterating gives a `Day` at a time, the same ones each time."""

    def __init__(self, state: State, sends: int) -> None:
        """Add a month of `sends` memos to the world: the last whole one before its clock."""
        this = state.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self._state, self._story = state, Story(state.ids.seed, (this - DAY).replace(day=1), sends)
        self._chats = {member.number: self._add_chat(member) for member in self._story.members()}
        self._files: dict[tuple[int, int | str], Attachment] = {}
        self._frames: dict[str, list[str]] = {}
        with without_collections():
            self._days = [[self._send(memo) for memo in memos] for memos in self._story.memos_by_day()]
        self._add_foreign_messages()
        accepted = [sent for day in self._days for sent in day if sent.message_id]
        self._deleted = {sent.message_id for sent in accepted[5::1667]}
        self._leave_messages(accepted)

    def __repr__(self) -> str:
        return f"<{len(self):,} memos to {len(self._chats)} chats in {self._story.begin:%B %Y}, in the demo>"

    def __len__(self) -> int:
        return self._story.sends

    def __iter__(self) -> Iterator[Day]:
        for day, sent in zip(self._story.days, self._days, strict=True):
            yield Day(self, day, sent)

    # --- sending ---

    def _add_chat(self, member: Member) -> Chat:
        """Add a chat that existed before the month, with its opt-out."""
        state, born = self._state, self._story.begin - timedelta(days=20, seconds=61 * member.number)
        chat = state.add_chat(member.person, stable_uuid("chat", member.person.name), born, born)
        messages.receive(state, chat, "Send me a voice memo when you can.", state.clock.now() - born)
        if member.optout_at is not None:
            messages.receive(state, chat, "STOP", state.clock.now() - member.optout_at)
        return chat

    def _send(self, memo: Memo) -> Sent:
        """Send one memo: when it was posted and answered, and what becomes of it if Linq accepts it."""
        fate, chat = self._story.fate(memo), self._chats[memo.member.number]
        posted = (memo.at - _EPOCH) // _MICROSECOND
        answered = posted + (60 * _S if _is_unanswered(memo, fate) else memo.between(3, 80_000, 500_000))
        digits = self._state.ids.hex("month", chat.id, memo.recording.sha256, memo.copy)
        trace_id, message_id = digits[:32], as_uuid(digits[32:])
        if fate not in _ACCEPTED:
            return Sent(memo, fate, chat, trace_id, posted, answered)
        created = posted + 1000 * (40 + memo.dice[3] % 360)
        may_fall_back = chat.service == "iMessage" and not chat.is_group
        carrier: Service = "SMS" if may_fall_back and memo.share(6) > 0.99 else chat.carrier
        course = self._course(memo, chat, created, by_sms=carrier == "SMS")
        return Sent(memo, fate, chat, trace_id, posted, answered, message_id, created, carrier, course)

    def _course(self, memo: Memo, chat: Chat, created: int, *, by_sms: bool) -> Course:
        """Give what becomes of a message."""
        roll, between = memo.share(2), memo.between
        if roll > 0.9992:
            return Course()
        sent = created + (between(4, 5 * _S, 60 * _S) if by_sms else between(4, 600_000, 1_600_000))
        if failure := self._failure(memo, chat, roll):
            low, high = (60, 180) if failure == story.EXHAUSTED else (4, 8)
            failed = sent + between(5, low * _S, high * _S)
            delivered = failed + between(6, 90 * _S, 900 * _S) if failure == LATE else None
            return Course(sent, failed, delivered, None, failure)
        silent_since = memo.member.silent_since
        if by_sms or chat.is_group or roll > 0.993 or (silent_since is not None and memo.at >= silent_since):
            return Course(sent)
        is_slow = chat.carrier == "RCS"
        delivered = sent + (between(5, 45 * _S, 240 * _S) if is_slow else between(5, 400_000, 2_400_000))
        is_read = chat.person.reads and memo.share(6) <= 0.8
        return Course(sent, None, delivered, delivered + between(6, 20 * _S, 7_200 * _S) if is_read else None)

    def _failure(self, memo: Memo, chat: Chat, roll: float) -> tuple[int, str] | None:
        member = memo.member
        if member.dead_since is not None and memo.at >= member.dead_since:
            return story.EXHAUSTED
        if member.person.line == story.FLAGGED_LINE and memo.at >= self._story.flagged_at and roll < 0.35:
            return story.LINE_OFFLINE
        if chat.carrier == "SMS" and memo.recording.content_type == "audio/x-wav":
            return story.WRONG_TYPE
        if roll < 0.004:
            return FINAL
        return LATE if roll < 0.007 and not chat.is_group and chat.carrier != "SMS" else None

    # --- the world's messages ---

    def _leave_messages(self, accepted: list[Sent]) -> None:
        """Let the world make a chat's messages when somebody looks at the chat."""
        by_chat: dict[str, list[Sent]] = {}
        for sent in accepted:
            by_chat.setdefault(sent.chat.id, []).append(sent)
        for chat_id, of_chat in by_chat.items():
            chat = self._state.chats[chat_id]
            chat.updated_at = max(chat.updated_at, _time(max(sent.created for sent in of_chat)))
            self._state.unmade[chat_id] = partial(self._listed, of_chat)

    def _listed(self, of_chat: list[Sent]) -> Iterator[Message]:
        """Make the messages of a chat, but those that were deleted from Linq's record."""
        return (self._message(sent) for sent in of_chat if sent.message_id not in self._deleted)

    def _message(self, sent: Sent) -> Message:
        file = self.file(sent.memo)
        end, end_hour = story.OUTAGE_END
        return Message(
            id=str(sent.message_id),
            chat=sent.chat,
            created_at=_time(sent.created),
            parts=[shapes.media_part(file, file.content_type)],
            trace_id=sent.trace_id,
            stages=tuple(Stage(status, _time(at)) for status, at in [("queued", sent.created), *sent.course.steps]),
            sender=sent.chat.me,
            carrier=sent.carrier,
            attachment=file,
            failure=sent.course.failure,
            reconciled_at=self._story.on(end, end_hour + 2) if sent.fate == "lost" else None,
        )

    def file(self, memo: Memo) -> Attachment:
        """Give the upload of a memo, one for all chats, or the file that Linq fetched from its URL for this chat."""
        recording = memo.recording
        whose = memo.member.number if recording.url else "all"
        key = (recording.number, whose)
        if key in self._files:
            return self._files[key]
        file = Attachment(
            id=self._state.ids.uuid("month file", recording.sha256, whose),
            filename=recording.filename,
            content_type=recording.content_type,
            size_bytes=recording.size_bytes,
            created_at=recording.starts_at,
            expires_at=recording.starts_at,
            signature="",
            sha256=recording.sha256,
            uploaded_at=recording.starts_at,
            duration_ms=recording.duration_ms,
        )
        self._state.attachments[file.id] = self._files[key] = file
        return file

    def _add_foreign_messages(self) -> None:
        """Add messages that the journal will not know: memos of another tool, and texts typed in the app."""
        ids = self._state.ids
        for number, chat in enumerate(list(self._chats.values())[1::13]):
            at = self._story.on(3 + number % 25, 18) + timedelta(minutes=number)
            file_id, digest = ids.uuid("month", "by hand", chat.id), ids.hex("month", "by hand", chat.id)
            file = Attachment(file_id, "voice note.m4a", "audio/x-m4a", 61_440, at, at, "", digest, at, 7_680)
            self._state.attachments[file.id] = file
            self._add_by_hand(chat, at, shapes.media_part(file, file.content_type), file)
            self._add_by_hand(chat, at + timedelta(minutes=9), {"type": "text", "value": "On my way."})

    def _add_by_hand(self, chat: Chat, at: datetime, part: Json, file: Attachment | None = None) -> None:
        key = ("month", "by hand", chat.id, part["type"])
        message = Message(
            id=self._state.ids.uuid(*key),
            chat=chat,
            created_at=at,
            parts=[part],
            trace_id=self._state.ids.hex(*key)[:32],
            stages=(Stage("queued", at), Stage("sent", at + timedelta(seconds=1))),
            sender=chat.me,
            carrier=chat.carrier,
            attachment=file,
        )
        self._state.add_message(message)

    # --- answers, webhooks and reads ---

    def posted(self, sent: Sent) -> Posted:
        """Give a POST with Linq's answer."""
        memo, reply = sent.memo, None
        answered_at = _time(sent.answered)
        if sent.fate == "accepted":
            reply = json_reply(202, shapes.voice_memo(self._message(sent)))
        elif not _is_unanswered(memo, sent.fate):
            reply = refusal_reply(self._refusal(sent), sent.trace_id)
        if reply is not None:
            reply.headers |= {"X-Trace-ID": sent.trace_id, "Date": http_date(answered_at)}
        file = None if memo.recording.url else self.file(memo)
        return Posted(sent.chat.id, memo.recording, file, memo.copy, memo.at, answered_at, reply)

    def answer(self, sent: Sent, file_id: str) -> str:
        """Give the JSON of the answer to an accepted memo without spaces: of parts that are written once.

        One is the frame that all answers of a chat share, the other tells of the file.
        """
        chat_id, sha256 = sent.chat.id, sent.memo.recording.sha256
        if chat_id not in self._frames or sha256 not in self._frames:
            shape = shapes.voice_memo(self._message(sent))
            self._frames[sha256] = _compact(shape["voice_memo"]["voice_memo"]).split(file_id)
            shape["voice_memo"] |= {"id": _HOLE, "created_at": _HOLE, "voice_memo": _HOLE}
            self._frames[chat_id] = _compact(shape).split(f'"{_HOLE}"')
        start, at, media, end = self._frames[chat_id]
        created_at = _time(sent.created).isoformat(timespec="milliseconds").removesuffix("+00:00")
        return f'{start}"{sent.message_id}"{at}"{created_at}Z"{media}{file_id.join(self._frames[sha256])}{end}'

    def _refusal(self, sent: Sent) -> Refusal:
        match sent.fate:
            case "opted_out":
                return Refusal(403, 2024, "The recipient has opted out of your messages.")
            case "spoiled":
                return Refusal(400, 5006, "The file at this URL is not audio, its name says audio/mpeg.")
            case "capped":
                midnight = sent.memo.at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
                wait = -((sent.memo.at - midnight) // timedelta(seconds=1))
                return Refusal(429, 1007, "The daily limit of messages is reached.", retry_after=wait)
            case _:
                return Refusal(500, 3006, "Internal server error.")

    def failed_event(self, sent: Sent) -> tuple[str, bytes]:
        """Give the id and the body of the webhook of a failure."""
        at = _time(sent.course.failed or 0)
        event_id = self._state.ids.uuid("event", sent.message_id, "message.failed")
        data = webhooks.failure(self._message(sent), at)
        return event_id, webhooks.envelope(webhooks.NEW, "message.failed", event_id, at, sent.trace_id, data)

    def flagged_event(self) -> bytes:
        """Give the webhook of the line that was flagged."""
        number, at = self._state.lines[story.FLAGGED_LINE].number, self._story.flagged_at
        data = {
            "phone_number": number,
            "previous_status": "ACTIVE",
            "new_status": "FLAGGED",
            "previous_reputation": "HEALTHY",
            "new_reputation": "AT_RISK",
            "changed_at": stamp(at, 6),
        }
        ids = self._state.ids
        return webhooks.envelope(
            webhooks.NEW, "phone_number.status_updated", ids.uuid("flagged", number), at, ids.hex("flagged")[:32], data
        )

    def page(self, night: datetime, chat_id: str, sent: list[Sent]) -> Page:
        """Give the read of a chat in a night, with these messages."""
        with self._state.lock, self._state.clock.timeline(night):
            shown = [shapes.message(self._state, self._message(memo)) for memo in sent]
        return Page(night, chat_id, json_reply(200, {"messages": shown, "next_cursor": None}))


_HOLE = "to be filled"


def _compact(shape: Json) -> str:
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"))


def _is_unanswered(memo: Memo, fate: Fate) -> bool:
    return fate in ("lost", "down") and memo.share(1) < 0.15


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(0, 0, micros)


@contextmanager
def without_collections() -> Iterator[None]:
    """Collect no garbage meanwhile: of so many new records none is garbage, and looking takes a quarter longer."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
