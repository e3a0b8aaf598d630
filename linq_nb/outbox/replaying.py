"""A month of the demo into the journal: what Linq answered, read as live answers are, written a day at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from linq_nb import audio, webhooks, wire
from linq_nb.client import no_answer, taken
from linq_nb.errors import LinqError, SettingsError
from linq_nb.model import Chat, Draft, Event, Send, VoiceMemo
from linq_nb.outbox import asking, sending
from linq_nb.text import mask_text

if TYPE_CHECKING:
    from linq_nb.demo.month import Day, Page, Posted
    from linq_nb.outbox.core import Outbox

ASKED_BEFORE = timedelta(milliseconds=5)
"""A send is asked for a moment before it is posted."""


def replay(outbox: Outbox, month: Iterable[Day]) -> int:
    """Write a month of the demo to the journal."""
    if outbox.demo is None:
        raise SettingsError("replay takes the demo's month, and this outbox is not the demo's; nothing was written")
    replaying = _Replay(outbox)
    return sum(outbox.journal.import_sends(*replaying.day(day)) for day in month)


class _Replay:
    """Reads day after day; chats and memos are looked up once."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._chats: dict[str, Chat] = {one.chat_id: one for one in outbox.chats()}
        self._memos: dict[str, VoiceMemo] = {}
        self._sends: dict[str, Send] = {}
        self._of_message: dict[str, str] = {}
        self._events: list[Event] = []

    def day(self, day: Day) -> tuple[list[Send], list[Event]]:
        """Return a day's sends as they stand at last, and all that was seen of them, in order."""
        self._sends, self._of_message, self._events = {}, {}, []
        for posted in day.posts:
            self._post(posted)
        for body in day.webhooks:
            self._told(webhooks.parse(body))
        for page in day.pages:
            self._read(page)
        return list(self._sends.values()), sorted(self._events, key=lambda one: one.at)

    def _post(self, posted: Posted) -> None:
        send = self._wanted(posted)
        try:
            answer = taken(_answered(posted, send), posted.chat_id, lambda: mask_text(send.chat_name or ""))
            send, event = sending.accepted(send, answer)
        except LinqError as error:
            send, event = sending.refused(send, error, posted.answered_at)
        self._sends[send.send_id] = send
        self._events.append(event)
        if send.message_id:
            self._of_message[send.message_id] = send.send_id

    def _wanted(self, posted: Posted) -> Send:
        """Return the send as it stood when it was posted."""
        draft = Draft(memo=self._memo(posted), chat=self._chats[posted.chat_id], copy=posted.copy)
        return self._outbox.wanted(draft, posted.posted_at - ASKED_BEFORE).but(
            status="sending",
            attempts=1,
            attachment_id=posted.file.id if posted.file else None,
            posted_at=posted.posted_at,
        )

    def _memo(self, posted: Posted) -> VoiceMemo:
        """Return the memo that was sent; its bytes are not here any more."""
        one = posted.recording
        if one.sha256 not in self._memos:
            by_url = one.url is not None
            self._memos[one.sha256] = (
                VoiceMemo.from_url(str(one.url))
                if by_url
                else VoiceMemo(
                    source="file",
                    filename=one.filename,
                    mime_type=one.content_type,
                    size_bytes=one.size_bytes,
                    duration_ms=one.duration_ms,
                    sha256=one.sha256,
                    format=audio.mime_format(one.content_type),
                )
            )
        return self._memos[one.sha256]

    def _told(self, told: Event) -> None:
        send_id = self._of_message.get(told.message_id or "", "")
        self._seen(dataclasses.replace(told, send_id=send_id))

    def _read(self, page: Page) -> None:
        answer = _answer(page.reply, page.at)
        for message in wire.page(answer, "messages", wire.message)[0]:
            send = self._sends[self._of_message[message.message_id]]
            self._seen(asking.listed(send, message, page.at))

    def _seen(self, event: Event) -> None:
        self._events.append(event)
        if event.send_id:
            self._sends[event.send_id] = self._sends[event.send_id].observed(event)


def _answered(posted: Posted, send: Send) -> wire.Answer:
    """Return the answer to a POST; raises OutcomeUnknown when none came."""
    if posted.reply is None:
        doing = f"the voice memo for {mask_text(send.chat_name or '')}"
        seconds = (posted.answered_at - posted.posted_at).total_seconds()
        raise no_answer(doing, f"no answer in {seconds:g} s")
    return _answer(posted.reply, posted.answered_at)


def _answer(reply: Any, at: Any) -> wire.Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return wire.Answer(http_status=reply.status, text=reply.body.decode(), at=at, headers=headers)
