"""A month of the demo into the journal: what Linq answered, read as live answers are, written a day at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from linq_nb import audio, live, proof, views, webhooks, wire
from linq_nb.errors import LinqError, SettingsError
from linq_nb.journal import Rows
from linq_nb.model import Chat, Draft, Event, Send, VoiceMemo
from linq_nb.outbox.attempt import accepted, refused
from linq_nb.outbox.month_rows import ASKED_BEFORE, DayRows
from linq_nb.outbox.poll import listed
from linq_nb.session import Session
from linq_nb.text import one_line

if TYPE_CHECKING:
    from linq_nb.demo.month import Day, Page, Posted


def replay(session: Session, month: Iterable[Day]) -> int:
    """Write a month of the demo to the journal; returns how many sends were new."""
    if session.demo is None:
        raise SettingsError(
            "replay takes the demo's month, and this outbox is not the demo's; nothing was written; "
            "linq_nb.connect(demo=True) has one"
        )
    from linq_nb.demo.month import without_collections

    reader, progress = _MonthReader(session), live.Progress()
    rows = DayRows(session.journal, reader.read_post, webhooks.parse)
    number = 0

    def parts() -> Iterator[tuple[Rows, ...]]:
        nonlocal number
        for day in month:
            yield rows.of(day)
            number += len(day.sent)
            progress.show(views.progress(f"{number:,} sends read, up to {day.day:%d %B}"))

    with without_collections():
        new = session.journal.import_rows(parts())
    if new is None:
        new = sum(session.journal.import_sends(*reader.read(day)) for day in month)
    if progress.cell is not None:  # it was long enough for a person to wait
        progress.end(views.progress(f"{number:,} sends read, {new:,} of them new"))
    return new


class _MonthReader:
    """Reads day after day; chats and memos are looked up once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._chats: dict[str, Chat] = {chat.chat_id: chat for chat in session.chats()}
        self._memos: dict[str, VoiceMemo] = {}
        self._sends: dict[str, Send] = {}
        self._send_ids: dict[str, str] = {}  # by message id
        self._events: list[Event] = []

    def read(self, day: Day) -> tuple[list[Send], list[Event]]:
        """Return a day's sends as they stand at its end, and all observations of them, in order of time."""
        self._sends, self._send_ids, self._events = {}, {}, []
        for posted in day.posts:
            send, event = self.read_post(posted)
            self._sends[send.send_id] = send
            self._events.append(event)
            if send.message_id:
                self._send_ids[send.message_id] = send.send_id
        for body in day.webhooks:
            event = webhooks.parse(body)
            self._observe(dataclasses.replace(event, send_id=self._send_ids.get(event.message_id or "", "")))
        for page in day.pages:
            self._read_page(page)
        return list(self._sends.values()), sorted(self._events, key=lambda event: event.at)

    def read_post(self, posted: Posted) -> tuple[Send, Event]:
        """Return the send that a POST with its answer makes, and the observation of it."""
        send = self._posted_send(posted)
        try:
            answer = proof.require_accepted(_outcome_of(posted), posted.chat_id, one_line(send.chat_name or "", 80))
            return accepted(send, answer)
        except LinqError as error:
            return refused(send, error, posted.answered_at)

    def _posted_send(self, posted: Posted) -> Send:
        """Return the send as it stood when it was posted."""
        draft = Draft(memo=self._memo(posted), chat=self._chats[posted.chat_id], copy=posted.copy)
        return self._session.wanted(
            draft,
            posted.posted_at - ASKED_BEFORE,
            status="sending",
            attempts=1,
            attachment_id=posted.file.id if posted.file else None,
            posted_at=posted.posted_at,
            skew_min_ms=0,  # the demo's clock is ours
            skew_max_ms=0,
        )

    def _memo(self, posted: Posted) -> VoiceMemo:
        """Return the memo that was sent; its bytes are not here any more."""
        recording = posted.recording
        if recording.sha256 not in self._memos:
            self._memos[recording.sha256] = (
                VoiceMemo.from_url(str(recording.url))
                if recording.url is not None
                else VoiceMemo(
                    source="file",
                    filename=recording.filename,
                    mime_type=recording.content_type,
                    size_bytes=recording.size_bytes,
                    duration_ms=recording.duration_ms,
                    sha256=recording.sha256,
                    format=audio.mime_format(recording.content_type),
                )
            )
        return self._memos[recording.sha256]

    def _read_page(self, page: Page) -> None:
        answer = _answer(page.reply, page.at)
        for message in wire.page(answer, "messages", wire.message)[0]:
            send = self._sends[self._send_ids[message.message_id]]
            self._observe(listed(send, message, page.at))

    def _observe(self, event: Event) -> None:
        self._events.append(event)
        if event.send_id:
            self._sends[event.send_id] = self._sends[event.send_id].observed(event)


def _outcome_of(posted: Posted) -> wire.Answer | wire.NoAnswer:
    """Return the answer to a POST, or that none came."""
    if posted.reply is None:
        seconds = (posted.answered_at - posted.posted_at).total_seconds()
        return wire.NoAnswer(f"no answer in {seconds:g} s", may_have_left=True)
    return _answer(posted.reply, posted.answered_at)


def _answer(reply: Any, at: Any) -> wire.Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return wire.Answer(http_status=reply.status, text=reply.body.decode(), at=at, headers=headers)
