"""A month of memos as their client saw it: each POST with its answer, then reads and webhooks.

The world keeps the messages, so its lists and `bubbles` agree with the answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from . import messages, shapes, story, webhooks
from .clock import http_date, stamp
from .ids import stable_uuid
from .lifecycle import FINAL, LATE
from .state import Attachment, Chat, Message, Stage, State
from .story import Fate, Member, Memo, Recording, Story
from .wire import Json, Refusal, Reply, json_reply, refusal_reply

DAY = timedelta(days=1)
_READ_AT = timedelta(hours=26)  # the next night at two


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


@dataclass(frozen=True, slots=True)
class Day:
    """One day: the POSTs in order, the bodies of the webhooks, and the pages read the next night."""

    day: date
    posts: list[Posted]
    webhooks: list[bytes]
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A memo and its outcome, with the message that Linq made of it, if any."""

    memo: Memo
    fate: Fate
    message: Message | None


class Month:
    """A month that the world has lived; iterating gives a `Day` at a time, the same ones each time."""

    def __init__(self, state: State, sends: int) -> None:
        """Add a month of `sends` memos to the world: the last whole one before its clock."""
        this = state.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self._state, self._story = state, Story(state.ids.seed, (this - DAY).replace(day=1), sends)
        self._chats = {member.number: self._add_chat(member) for member in self._story.members()}
        self._files: dict[tuple[int, int | str], Attachment] = {}
        self._days = [[self._send(memo) for memo in memos] for memos in self._story.memos_by_day()]
        self._add_foreign_messages()
        accepted = [sent.message for day in self._days for sent in day if sent.message]
        for message in accepted[5::1667]:
            state.remove_message(message)

    def __repr__(self) -> str:
        return f"<{len(self):,} memos to {len(self._chats)} chats in {self._story.begin:%B %Y}, in the demo>"

    def __len__(self) -> int:
        return self._story.sends

    def __iter__(self) -> Iterator[Day]:
        for day, sends in zip(self._story.days, self._days, strict=True):
            night = datetime(day.year, day.month, day.day, tzinfo=UTC) + _READ_AT
            accepted = [sent.message for sent in sends if sent.message and sent.fate == "accepted"]
            with self._state.lock, self._state.clock.timeline(night):
                posts = [self._posted(sent) for sent in sends]
                yield Day(day, posts, list(self._webhooks(day, accepted)), list(self._pages(night, accepted)))

    # --- sending ---

    def _add_chat(self, member: Member) -> Chat:
        """Add a chat that existed before the month, with its opt-out."""
        state, born = self._state, self._story.begin - timedelta(days=20, seconds=61 * member.number)
        chat = state.add_chat(member.person, stable_uuid("chat", member.person.name), born, born)
        messages.receive(state, chat, "Send me a voice memo when you can.", state.clock.now() - born)
        if member.optout_at is not None:
            messages.receive(state, chat, "STOP", state.clock.now() - member.optout_at)
        return chat

    def _send(self, memo: Memo) -> _Sent:
        """Send one memo; if Linq accepts it, its message is in the chat from now on."""
        fate = self._story.fate(memo)
        message = self._message(memo, is_late=fate == "lost") if fate in ("accepted", "lost") else None
        return _Sent(memo, fate, message)

    def _message(self, memo: Memo, *, is_late: bool) -> Message:
        chat, file, ids = self._chats[memo.member.number], self._file(memo), self._state.ids
        created_at = memo.at + timedelta(milliseconds=40 + memo.dice[3] % 360)
        carrier = "SMS" if chat.service == "iMessage" and not chat.is_group and memo.share(6) > 0.99 else chat.carrier
        stages, failure = self._stages(memo, chat, created_at, by_sms=carrier == "SMS")
        message = Message(
            id=ids.uuid("month", chat.id, memo.recording.sha256, memo.copy),
            chat=chat,
            created_at=created_at,
            parts=[shapes.media_part(file, file.content_type)],
            trace_id=self._trace_id(chat, memo),
            stages=stages,
            sender=chat.me,
            carrier=carrier,
            attachment=file,
            failure=failure,
            reconciled_at=self._story.on(story.OUTAGE_END[0], story.OUTAGE_END[1] + 2) if is_late else None,
        )
        self._state.add_message(message)
        return message

    def _trace_id(self, chat: Chat, memo: Memo) -> str:
        return self._state.ids.hex("month", chat.id, memo.recording.sha256, memo.copy)[:32]

    def _stages(
        self, memo: Memo, chat: Chat, created_at: datetime, *, by_sms: bool
    ) -> tuple[tuple[Stage, ...], tuple[int, str] | None]:
        """Give the stages of a message and the reason of its failure, if it failed."""
        roll, queued = memo.share(2), Stage("queued", created_at)
        if roll > 0.9992:
            return (queued,), None
        sent = Stage("sent", created_at + (memo.between(4, 5, 60) if by_sms else memo.between(4, 0.6, 1.6)))
        if failure := self._failure(memo, chat, roll):
            wait = memo.between(5, 60, 180) if failure == story.EXHAUSTED else memo.between(5, 4, 8)
            failed = Stage("failed", sent.at + wait)
            late = (Stage("delivered", failed.at + memo.between(6, 90, 900)),) if failure == LATE else ()
            return (queued, sent, failed, *late), failure
        silent = memo.member.silent_since is not None and memo.at >= memo.member.silent_since
        if by_sms or chat.is_group or silent or roll > 0.993:
            return (queued, sent), None
        wait = memo.between(5, 45, 240) if chat.carrier == "RCS" else memo.between(5, 0.4, 2.4)
        delivered = Stage("delivered", sent.at + wait)
        if not chat.person.reads or memo.share(6) > 0.8:
            return (queued, sent, delivered), None
        return (queued, sent, delivered, Stage("read", delivered.at + memo.between(6, 20, 7_200))), None

    def _failure(self, memo: Memo, chat: Chat, roll: float) -> tuple[int, str] | None:
        member = memo.member
        if member.dead_since is not None and memo.at >= member.dead_since:
            return story.EXHAUSTED
        if member.person.line == story.FLAGGED_LINE and memo.at >= self._story.on(*story.FLAGGED) and roll < 0.35:
            return story.LINE_OFFLINE
        if chat.carrier == "SMS" and memo.recording.content_type == "audio/x-wav":
            return story.WRONG_TYPE
        if roll < 0.004:
            return FINAL
        return LATE if roll < 0.007 and not chat.is_group and chat.carrier != "SMS" else None

    def _file(self, memo: Memo) -> Attachment:
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

    def _posted(self, sent: _Sent) -> Posted:
        memo, by_url = sent.memo, sent.memo.recording.url is not None
        chat, wait = self._chats[memo.member.number], memo.between(3, 0.08, 0.5)
        trace_id = sent.message.trace_id if sent.message else self._trace_id(chat, memo)
        reply: Reply | None = None
        if sent.message is not None and sent.fate == "accepted":
            reply = json_reply(202, shapes.voice_memo(sent.message))
        elif sent.fate in ("lost", "down") and memo.share(1) < 0.15:
            wait = timedelta(seconds=60)
        else:
            reply = refusal_reply(self._refusal(sent), trace_id)
        at = memo.at + wait
        if reply is not None:
            reply.headers |= {"X-Trace-ID": trace_id, "Date": http_date(at)}
        return Posted(chat.id, memo.recording, None if by_url else self._file(memo), memo.copy, memo.at, at, reply)

    def _refusal(self, sent: _Sent) -> Refusal:
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

    def _webhooks(self, day: date, accepted: list[Message]) -> Iterator[bytes]:
        """Give the webhooks of failures, and of the line that was flagged."""
        if day.day == story.FLAGGED[0]:
            yield self._flagged()
        for message in accepted:
            for stage in message.stages:
                if stage.status == "failed":
                    event_id = self._state.ids.uuid("event", message.id, "message.failed")
                    data = webhooks.failure(message, stage.at)
                    yield webhooks.envelope(webhooks.NEW, "message.failed", event_id, stage.at, message.trace_id, data)

    def _flagged(self) -> bytes:
        number, at = self._state.lines[story.FLAGGED_LINE].number, self._story.on(*story.FLAGGED)
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

    def _pages(self, night: datetime, accepted: list[Message]) -> Iterator[Page]:
        """Give the read of each chat that night, with the day's messages, newest first."""
        by_chat: dict[str, list[Message]] = {}
        for message in accepted:
            by_chat.setdefault(message.chat.id, []).append(message)
        for chat_id, sent in by_chat.items():
            shown = [shapes.message(self._state, message) for message in reversed(sent)]
            reply = json_reply(200, {"messages": shown, "next_cursor": None})
            yield Page(night, chat_id, reply)
