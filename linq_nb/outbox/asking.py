"""Asking Linq what became of many sends: by a few threads, a chat's messages in one list where that is fewer requests.

Each answer is in the journal before the next question. A bad one costs its own send only.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from linq_nb.errors import (
    ApiError,
    AuthenticationError,
    JournalError,
    LinqError,
    NotFoundError,
    RateLimitError,
)
from linq_nb.model import Event, Message, Send
from linq_nb.text import redact

if TYPE_CHECKING:
    from datetime import datetime

    from linq_nb.outbox.core import Outbox

WORKERS = 4
"""Questions at once; Linq documents no limit for reads, and slows down with 429."""

PAGE = 100
"""Messages of one list call: the most that Linq gives (linq docs, list messages)."""

STOP_AFTER = 5
"""Failures in a row after which nothing more is asked: the network or Linq is at fault, not the messages."""

GRACE_S = 2.0
"""How long an interrupt waits for the answers that are under way, in seconds."""

HOPELESS = (AuthenticationError, RateLimitError, JournalError)
"""Errors that the next question would meet too."""

Question = list[Send]
"""Sends that are asked for together: one message, or several of one chat."""


def questions(sends: Iterable[Send]) -> list[Question]:
    """Put sends of one chat together, in the order in which they came."""
    chats: defaultdict[str, Question] = defaultdict(list)
    for send in {one.send_id: one for one in sends}.values():
        chats[send.chat_id].append(send)
    return list(chats.values())


class Asking:
    """Asks for these sends. ``errors`` is what went wrong, by send id; ``asked`` counts the sends that were tried."""

    def __init__(self, outbox: Outbox, sends: Sequence[Send]) -> None:
        self.errors: dict[str, LinqError] = {}
        self.number = len(sends)
        self._outbox = outbox
        self._left = deque(questions(sends))
        self._in_a_row, self._stopped = 0, False
        self._lock = threading.Lock()
        self._crashed: BaseException | None = None

    @property
    def error(self) -> LinqError | None:
        """The error that says most: one that stopped all, else the first."""
        found = list(self.errors.values())
        return next((one for one in found if isinstance(one, HOPELESS)), found[0] if found else None)

    def run(self) -> Asking:
        """Ask everything and return; Ctrl-C stops it, and what was answered is in the journal."""
        workers = 1 if self._outbox.demo is not None else WORKERS  # the demo answers at once, and in one order
        threads = [
            threading.Thread(target=self._work, name=f"linq_nb asking {number}", daemon=True)
            for number in range(min(workers, len(self._left)))
        ]
        try:
            for thread in threads:
                thread.start()
            _join(threads)
        except BaseException:
            self._stopped = True
            _join(threads, GRACE_S)
            raise
        if self._crashed:
            raise self._crashed
        self._note_unasked()
        return self

    def stop(self) -> None:
        """Ask nothing more; what is under way is written down."""
        self._stopped = True

    def raise_error(self) -> None:
        """Raise the error, if there is one, so that it says how many of how many it cost."""
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
            while (question := self._take()) is not None:
                self._outbox.pace.wait()
                self._answered(question)
        except BaseException as error:  # noqa: BLE001  a fault of ours must reach whoever waits, not die in a thread
            self._crashed, self._stopped = error, True

    def _take(self) -> Question | None:
        with self._lock:
            return None if self._stopped or not self._left else self._left.popleft()

    def _answered(self, question: Question) -> None:
        """Ask one question; what a list does not tell is asked for one by one."""
        missing = {str(one.message_id): one for one in question}
        if len(missing) > 1:
            try:
                self._read_list(question[0].chat_id, missing)
            except LinqError as error:
                if not isinstance(error, ApiError) or isinstance(error, HOPELESS):
                    self._failed(list(missing.values()), error)
                    return  # an ApiError of the list alone: its messages may still be read
        for send in missing.values():
            if self._stopped:
                self._left.append([send])
                continue
            try:
                self._outbox.journal.observe(read(self._outbox, send))
                self._in_a_row = 0
            except LinqError as error:
                self._failed([send], error)

    def _read_list(self, chat_id: str, missing: dict[str, Send]) -> None:
        """Read a chat's messages as long as a page saves requests; what was found is ``missing`` no more."""
        for page in _pages(self._outbox, chat_id):
            found = [one for one in page if one.message_id in missing]
            told = [listed(missing[one.message_id], one, self._outbox.now()) for one in found]
            if told:
                self._outbox.journal.observe(*told)
            for one in found:
                del missing[one.message_id]
            if len(missing) < 2 or len(found) < 2 or self._stopped:
                return

    def _failed(self, sends: Sequence[Send], error: LinqError) -> None:
        with self._lock:
            self.errors |= {one.send_id: error for one in sends}
            self._in_a_row += 1
            if isinstance(error, HOPELESS) or self._in_a_row >= STOP_AFTER:
                self._stopped = True

    def _note_unasked(self) -> None:
        """Give the sends that were not asked any more the error that stopped it."""
        error = self.error
        if error is not None:
            self.errors |= {one.send_id: error for question in self._left for one in question}


def read(outbox: Outbox, send: Send) -> Event:
    """Read one message; one that Linq no longer has is ``expired``, not failed."""
    try:
        message, answer = outbox.client.message_answer(str(send.message_id))
    except NotFoundError as error:
        if error.code is None:  # not Linq's own words, as from a gateway
            raise
        return Event(
            send_id=send.send_id,
            at=outbox.now(),
            source="poll",
            status="expired",
            http_status=error.status,
            trace_id=error.trace_id,
            body=error.response,
        )
    body = redact(dict(answer.body))
    return event_of(send, message, "poll", answer.at, http_status=answer.http_status, body=body)


def event_of(send: Send, message: Message, source: str, at: datetime, **more: Any) -> Event:
    """Return what a message as it was read tells of a send, with ``more`` fields."""
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
    """Return what a list tells of a send: as its body the facts that an event has no place for."""
    told: dict[str, Any] = {"listed": True}
    for name in ("created_at", "updated_at", "reconciled_at"):
        when = getattr(message, name)
        told[name] = when.isoformat() if when else None
    return event_of(send, message, "poll", at, http_status=200, body=told)


def _pages(outbox: Outbox, chat_id: str) -> Iterator[list[Message]]:
    messages = outbox.client.messages(chat_id)
    while page := list(islice(messages, PAGE)):
        yield page


def _join(threads: Sequence[threading.Thread], seconds: float = float("inf")) -> None:
    """Wait for threads, at most so many seconds, so that Ctrl-C comes through on every system."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
            thread.join(min(left, 0.1))
