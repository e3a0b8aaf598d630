"""Polling: asking Linq what became of sends, by a few threads, a chat's messages in one list where that saves requests.

Each answer is in the journal before the next request. A bad answer costs its own send only.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any

from linq_nb import rules, storable
from linq_nb.errors import ApiError, AuthenticationError, JournalError, LinqError, NotFoundError, RateLimitError
from linq_nb.model import Chat, Event, Message, Send
from linq_nb.outbox.threads import Worker, join, start
from linq_nb.session import Session

WORKERS = 4
"""Requests at once; Linq documents no limit for reads, and slows down with 429."""

PAGE = 100
"""Messages of one list request: the most that Linq gives (linq docs, list messages)."""

STOP_AFTER = 5
"""Failures in a row after which no more is asked: the network or Linq is at fault, not the messages."""

GRACE_S = 2.0
"""How long an interrupt waits for answers that are under way, in seconds."""

HOPELESS = (AuthenticationError, RateLimitError, JournalError)
"""Errors that the next request would meet too."""


def refresh(session: Session, sends: Sequence[Send] | None, *, settled: bool = False) -> list[Send]:
    """Ask for the status of each send that Linq may still tell more of; the others are returned as they are."""
    wanted = open_sends(session, settled=settled) if sends is None else current(session, sends)
    Poll(session, pollable(session, wanted, settled=settled)).run().raise_error()
    return current(session, wanted)


def open_sends(session: Session, *, settled: bool = False) -> list[Send]:
    """Return the journal's sends of which Linq may still tell more."""
    return pollable(session, session.journal.sends() if settled else session.journal.open_sends(), settled=settled)


def current(session: Session, sends: Sequence[Send]) -> list[Send]:
    """Return these sends as the journal has them now: webhooks and other notebooks write to it too."""
    now = session.journal.get_many(send.send_id for send in sends)
    return [now.get(send.send_id, send) for send in sends]


def pollable(session: Session, sends: Iterable[Send], *, settled: bool = False) -> list[Send]:
    """Return the sends that this outbox may ask for."""
    return [send for send in session.own(sends) if rules.may_be_asked(send, settled=settled)]


def read_messages(session: Session, chats: Iterable[Chat | str | float] | None) -> list[Message]:
    """Read the messages of chats, several chats at a time; of all chats in the journal by default."""
    if chats is None:
        chats = session.journal.chat_ids(session.client.base_url)
    chats = list(chats)
    for chat in chats:
        session.check_chat(chat)
    chat_ids = list(dict.fromkeys(map(session.chat_id, chats)))
    if session.demo is not None:
        lists = [list(session.client.messages(chat_id)) for chat_id in chat_ids]
    else:
        pool = ThreadPoolExecutor(WORKERS, "linq_nb messages")
        try:
            lists = list(pool.map(lambda chat_id: list(session.client.messages(chat_id)), chat_ids))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    messages = {message.message_id: message for listed in lists for message in listed}
    return sorted(messages.values(), key=lambda item: (item.created_at is None, item.created_at, item.message_id))


class Poll:
    """Asks for these sends once. ``errors`` says what went wrong, by send id."""

    def __init__(self, session: Session, sends: Sequence[Send]) -> None:
        self.errors: dict[str, LinqError] = {}
        self.number = len(sends)
        self._session = session
        by_chat: defaultdict[str, list[Send]] = defaultdict(list)
        for send in {send.send_id: send for send in sends}.values():
            by_chat[send.chat_id].append(send)
        self._groups = deque(by_chat.values())
        self._failures_in_a_row, self._stopped = 0, False
        self._lock = threading.Lock()
        self._crash: BaseException | None = None

    @property
    def error(self) -> LinqError | None:
        """The error to raise: the error that stopped all requests, else the first."""
        errors = list(self.errors.values())
        return next((error for error in errors if isinstance(error, HOPELESS)), errors[0] if errors else None)

    def run(self) -> Poll:
        """Ask for all sends and return; Ctrl-C stops it, and every answer is in the journal."""
        threads: list[Worker] = []
        workers = 1 if self._session.demo is not None else WORKERS  # the demo answers at once, and in one order
        try:
            start(threads, self._work, "linq_nb poll", min(workers, len(self._groups)))
            join(threads)
        except BaseException:
            self._stopped = True
            join(threads, GRACE_S)
            raise
        if self._crash:
            raise self._crash
        if (error := self.error) is not None:  # it is that of the sends too that were not asked for any more
            self.errors |= {send.send_id: error for group in self._groups for send in group}
        return self

    def stop(self) -> None:
        """Make no further request; what is under way is written down."""
        self._stopped = True

    def raise_error(self) -> None:
        """Raise the error, if there is one, with the number of sends that it cost."""
        error = self.error
        if error is None:
            return
        if self.number > 1:
            missed, others = len(self.errors), self.number - len(self.errors)
            rest = f"; the other {others} were, and are in the journal" if others else ""
            error.args = (f"{missed} of {self.number} sends could not be asked for{rest}: {error}",)
        raise error

    # --- the threads ---

    def _work(self) -> None:
        try:
            while (group := self._next_group()) is not None:
                self._session.throttle.wait_turn()
                self._ask(group)
        except BaseException as error:  # noqa: BLE001  a fault of ours is raised by run(), not lost in a thread
            self._crash, self._stopped = error, True

    def _next_group(self) -> list[Send] | None:
        with self._lock:
            return None if self._stopped or not self._groups else self._groups.popleft()

    def _ask(self, group: list[Send]) -> None:
        """Ask for the sends of a chat; what the chat's list does not show is asked for send by send."""
        missing = {str(send.message_id): send for send in group}
        if len(missing) > 1:
            try:
                self._read_list(group[0].chat_id, missing)
            except LinqError as error:
                if not isinstance(error, ApiError) or isinstance(error, HOPELESS):
                    self._failed(list(missing.values()), error)
                    return  # an ApiError of the list alone: its messages may still be read
        for send in missing.values():
            if self._stopped:
                self._groups.append([send])
                continue
            try:
                self._session.journal.observe(read_status(self._session, send))
                self._failures_in_a_row = 0
            except LinqError as error:
                self._failed([send], error)

    def _read_list(self, chat_id: str, missing: dict[str, Send]) -> None:
        """Read a chat's messages as long as a page saves requests; removes from ``missing`` what they show."""
        messages = self._session.client.messages(chat_id)
        for page in iter(lambda: list(islice(messages, PAGE)), []):
            ours = [message for message in page if message.message_id in missing]
            now = self._session.now()
            if ours:
                self._session.journal.observe(*(listed(missing[item.message_id], item, now) for item in ours))
            for message in ours:
                del missing[message.message_id]
            if len(missing) < 2 or len(ours) < 2 or self._stopped:
                return

    def _failed(self, sends: Sequence[Send], error: LinqError) -> None:
        with self._lock:
            self.errors |= {send.send_id: error for send in sends}
            self._failures_in_a_row += 1
            if isinstance(error, HOPELESS) or self._failures_in_a_row >= STOP_AFTER:
                self._stopped = True


def read_status(session: Session, send: Send) -> Event:
    """Read the message of a send; a message that Linq no longer has is ``expired``, not failed."""
    try:
        message, answer = session.client.message_answer(str(send.message_id), send.chat_id)
    except NotFoundError as error:
        if error.code is None:  # not Linq's own words, as from a gateway
            raise
        return Event(
            send_id=send.send_id,
            at=session.now(),
            source="poll",
            status="expired",
            http_status=error.status,
            trace_id=error.trace_id,
            body=error.response,
        )
    return event_of(send, message, "poll", answer.at, http_status=answer.http_status, body=storable.kept(answer.body))


def event_of(send: Send, message: Message, source: str, at: datetime, **more: Any) -> Event:
    """Return the event that a message read from Linq is for a send; ``more`` are further fields."""
    return Event(
        send_id=send.send_id,
        at=at,
        source=source,
        status=message.delivery_status,
        message_id=message.message_id,
        service=message.service,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
        read_at=message.read_at,
        **more,
    )


def listed(send: Send, message: Message, at: datetime) -> Event:
    """Return the event for a message in a chat's list; its body holds the facts that an event has no field for."""
    body: dict[str, Any] = {"listed": True}
    for name in ("created_at", "updated_at", "reconciled_at"):
        when = getattr(message, name)
        body[name] = when.isoformat() if when else None
    return event_of(send, message, "poll", at, http_status=200, body=body)
