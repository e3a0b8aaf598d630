"""`Demo`: one world, for tests and notebooks."""

import os
import threading
import weakref
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from . import app, control, media, messages, webhooks
from .clock import Clock, RealClock, VirtualClock, stamp
from .faults import MEMO_PATH, MOST_S, USUAL_CODE, Fault, Mix
from .ids import Ids
from .month import Month
from .people import extra_person
from .state import Chat, Limits, State
from .webhooks import Delivery, Due
from .wire import Cut, Json, Logged, Reply, Request

if TYPE_CHECKING:
    import httpx

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_KEPT = 20_000

_demos: "weakref.WeakSet[Demo]" = weakref.WeakSet()


class Demo:
    """A whole small Linq with one account; thread-safe.

    `seed` decides ids, jitter and random faults, `start` is where the virtual clock begins. With
    `real_time=True` (for a socket) real time passes instead, and `start` is not used.
    """

    def __init__(self, *, seed: int = 1, start: datetime = START, real_time: bool = False) -> None:
        self._seed, self._start, self._real_time = seed, start, real_time
        self.base_url = f"https://{app.API_HOST}{app.API_PREFIX}"
        self._upload_base = f"https://{app.UPLOAD_HOST}"
        self.media_urls = dict(media.URLS)
        self.app = app.wsgi(self.handle)
        self._lock = threading.Lock()
        self.reset()
        self.api_key = self._state.api_key
        _demos.add(self)

    def __repr__(self) -> str:
        chats, now = len(self._state.chats), self.now()
        return f"<linq_nb demo at {self.base_url}: {chats} chats, {now:%Y-%m-%d %H:%M:%S} UTC>"

    def _renew_locks(self) -> None:
        """Forget in a forked child that threads of the parent may hold locks."""
        self._lock = threading.Lock()
        self._state.lock = threading.RLock()
        self._state.clock.renew_lock()

    def reset(self) -> None:
        """Start again: the seeded chats, no memo sent, no fault, the clock at its start."""
        clock: Clock = RealClock() if self._real_time else VirtualClock(self._start)
        self._state = State(Ids(self._seed), clock, self._upload_base)
        self._inbox: deque[Due] = deque(maxlen=_KEPT)
        self._to_post: deque[Due] = deque(maxlen=_KEPT)
        self._extra = 0
        self._month: Month | None = None
        for number, chat in enumerate(list(self._state.chats.values())):
            self._first_message(chat, number)

    def _first_message(self, chat: Chat, number: int) -> None:
        state, ago = self._state, timedelta(days=1, minutes=7 * number)
        if state.opted_out.get(chat.others[0]) == chat.id:
            messages.receive(state, chat, "STOP", ago)
        elif chat.is_group or chat.others[0] not in state.opted_out:
            messages.receive(state, chat, "Send me a voice memo when you can.", ago)

    # The API

    def handle(self, request: Request) -> Reply:
        """Answer one request to the API, the upload, CDN and media hosts, or `/demo/`."""
        if request.path.startswith("/demo/") and request.host not in app.HOSTS[1:]:
            return control.answer(self._controls(), request)
        return app.answer(self._state, request)

    def transport(self) -> "httpx.BaseTransport":
        """Give an httpx transport that reaches this demo in process, for any number of clients."""
        from .transport import DemoTransport

        return DemoTransport(self.handle, lambda: self._state.clock)

    def bind(self, address: str) -> None:
        """Say where the demo listens, such as `http://127.0.0.1:8765`."""
        self.base_url = address + app.API_PREFIX
        self._upload_base = self._state.upload_base = address

    def _controls(self) -> control.Actions:
        """Give what `/demo/` offers."""
        changes = (
            *(self.advance, self.fail_next, self.lose_next_answer, self.reset_next, self.refuse_next, self.slow_next),
            *(self.faults, self.receive, self.add_chats, self.reset),
        )
        return {
            ("GET", "bubbles"): lambda chat_id: {"bubbles": self.bubbles(chat_id or None)},
            ("GET", "chats"): lambda _: {"chats": self.chat_ids, "other_account": self.other_account_chat_id},
            ("GET", "memos"): lambda chat_id: {
                "memos": [{**memo, "created_at": stamp(memo["created_at"], 6)} for memo in self.memos(chat_id)]
            },
            ("GET", "requests"): lambda _: {"requests": [entry._asdict() for entry in self.requests]},
            ("GET", "deliveries"): lambda _: {
                "deliveries": [
                    {"url": url, "headers": headers, "body_base64": b64encode(body).decode()}
                    for url, headers, body in self.deliveries()
                ]
            },
            ("POST", "limits"): self._set_limits,
            **{("POST", change.__name__): self._control(change) for change in changes},
        }

    def _control(self, change: Callable[..., object]) -> Callable[..., Json]:
        @wraps(change)
        def action(**arguments: Any) -> Json:
            result = change(**arguments)
            return {"now": stamp(self.now(), 6), "result": result}

        return action

    def _set_limits(self, **values: float | None) -> Json:
        kinds = {limit.name: limit.type for limit in fields(Limits) if limit.name != "retention"}
        for name, value in values.items():
            if name not in kinds:
                raise KeyError(f"{name} is no limit; there are {', '.join(kinds)}")
            if not control.fits(value, kinds[name]) or (value is not None and not 0 <= value <= MOST_S):
                raise ValueError(f"{name} is a number from 0 up")
        for name, value in values.items():
            setattr(self.limits, name, value)
        return {"result": None}

    # Time

    def now(self) -> datetime:
        """Give the demo's time in UTC."""
        return self._state.clock.now()

    def sleep(self, seconds: float) -> None:
        """Let seconds pass: at once on the virtual clock, really on a socket."""
        self._state.clock.sleep(seconds)

    def timeline(self, start: datetime | None = None) -> AbstractContextManager[None]:
        """Give this thread its own time line from `start`, so that parallel tasks have stable times."""
        return self._state.clock.timeline(start)

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the clock; messages reach their next stages, and webhooks become due."""
        step = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if not abs(step) <= timedelta(seconds=100 * MOST_S) or (self.now() + step).year > 2200:
            raise ValueError("the clock moves by 36,500 days at most, and not beyond the year 2200")
        self._state.clock.advance(step)

    # What was sent

    @property
    def chat_ids(self) -> dict[str, str]:
        """Chat ids by name."""
        with self._state.lock:
            return {chat.name: chat.id for chat in self._state.chats.values()}

    @property
    def lines(self) -> list[str]:
        """The account's own numbers."""
        return [line.number for line in self._state.lines]

    @property
    def other_account_chat_id(self) -> str:
        """The id of a chat that belongs to another account (403/2005)."""
        return self._state.other_chat_id

    @property
    def limits(self) -> Limits:
        """Limits that a test may change: rate limits, processing time, lag of lists, retention."""
        return self._state.limits

    @overload
    def bubbles(self, chat_id: str) -> int: ...
    @overload
    def bubbles(self, chat_id: None = None) -> dict[str, int]: ...
    def bubbles(self, chat_id: str | None = None) -> int | dict[str, int]:
        """Count the memos that a chat really got, or those of every chat that got one, by id."""
        with self._state.lock:
            if chat_id is not None:
                return sum(item.is_memo for item in self._state.messages_of(chat_id))
            counts = {key: sum(m.is_memo for m in self._state.messages_of(key)) for key in self._state.by_chat}
        return {key: count for key, count in counts.items() if count}

    def memos(self, chat_id: str) -> list[Json]:
        """List the memos that a chat really got, oldest first."""
        with self._state.lock:
            kept = [m for m in self._state.messages_of(chat_id) if m.is_memo]
            return [_memo(m) for m in sorted(kept, key=lambda m: (m.created_at, m.id))]

    def memo_bytes(self, message_id: str) -> bytes:
        """Give the bytes of a memo as Linq kept them; raises KeyError if it has none."""
        with self._state.lock:
            if (message := self._state.find_message(message_id)) is None:
                raise KeyError(message_id)
            file = message.attachment
            return self._state.blobs[(file.sha256 if file else None) or ""]

    @property
    def requests(self) -> list[Logged]:
        """The last requests to every host of the demo, oldest first."""
        with self._state.lock:
            return list(self._state.log)

    # Faults and incoming messages

    def fail_next(
        self,
        status: int,
        code: int | None = None,
        *,
        times: int = 1,
        path: str = MEMO_PATH,
        after_accept: bool = False,
        retry_after: int | None = None,
        message: str | None = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next memo POST (or the next request whose path contains `path`) with this status.

        `after_accept` carries the request out first. `body` replaces Linq's error by anything, such as HTML;
        a 2xx with it is an answer that cannot be read.
        """
        code = code or USUAL_CODE.get(status, 3006)
        data = body.encode() if isinstance(body, str) else body
        self._order(Fault(after_accept, path, times, status, code, retry_after, message, data, headers or {}))

    def lose_next_answer(self, *, how: Cut = "lost", times: int = 1, path: str = MEMO_PATH) -> None:
        """Carry the next request out and lose its answer: `lost`, `stall`, `closed` or `half` (see `Cut`)."""
        self._order(Fault(True, path, times, cut=how))

    def reset_next(self, *, times: int = 1, path: str = MEMO_PATH) -> None:
        """Reset the next connection after the request was written; nothing is carried out."""
        self._order(Fault(False, path, times, cut="reset"))

    def refuse_next(self, *, times: int = 1, path: str = MEMO_PATH) -> None:
        """Refuse the next connection, so that no byte leaves the client."""
        self._order(Fault(False, path, times, cut="refused"))

    def slow_next(self, seconds: float, *, times: int = 1, path: str = MEMO_PATH) -> None:
        """Carry the next request out at once, and answer it late."""
        self._order(Fault(True, path, times, delay_s=seconds))

    def faults(self, **shares: Any) -> None:
        """Let memo POSTs fail at random, by a hash of (seed, chat, content, attempt); without arguments, none fails.

        Shares from 0 to 1: `lost`, `error_after_accept`, `reset_before`, `rate_limit`, `slow`. Also
        `slow_s`, how late a slow answer is in seconds, and `seed`.
        """
        mix = Mix(**shares)
        with self._state.lock:
            self._state.mix = mix

    def _order(self, fault: Fault) -> None:
        with self._state.lock:
            self._state.ordered_faults.append(fault)

    def receive(self, chat_id: str, text: str) -> str:
        """Receive a message from the other side; gives its id. `STOP` opts it out, any other text opts it in."""
        with self._state.lock:
            return messages.receive(self._state, self._state.chats[chat_id], text).id

    def add_chats(self, n: int) -> dict[str, str]:
        """Add `n` healthy iMessage chats `Customer 001` and on, up to 10,000 at a time; gives their ids by name."""
        if not 0 <= n <= 10_000:
            raise ValueError(f"add_chats takes 0 to 10,000, not {n}")
        with self._state.lock:
            people = [extra_person(self._extra + number) for number in range(1, n + 1)]
            self._extra += n
            return {person.name: self._state.add_person(person).id for person in people}

    def month(self, sends: int = 50_000) -> Month:
        """Let this world have sent `sends` memos to a few hundred chats last month; gives what their client saw.

        The month is the last whole one before the clock's start, which stands: February 2026. Iterating gives it day
        by day in Linq's own JSON: each POST with its answer, the webhooks of failures, a read of each chat at night;
        `outbox.replay(month)` writes that to the journal. Its chats, their lists and `bubbles` hold the messages,
        and some that the client does not know. What an analyst can find in it: a line that is flagged, chats that
        go dead, silent or opt out, a region that is slow, a format that SMS does not take, an hour of errors, a
        daily limit, a memo whose URL broke, the same memo twice. A world has one month; again gives the same one.
        Raises ValueError for less than 2,000 sends or more than a million, or for another number the second time.
        """
        if not 2_000 <= sends <= 1_000_000:
            raise ValueError(f"a month has 2,000 to 1,000,000 sends, not {sends}")
        with self._state.lock:
            if self._month is None:
                self._month = Month(self._state, sends)
            if len(self._month) != sends:
                raise ValueError(f"this demo had its month already, of {len(self._month)} sends; connect it fresh")
            return self._month

    # Webhooks

    def deliveries(self, *, signed_at: datetime | None = None) -> list[Delivery]:
        """Give the webhooks that became due since the last call, oldest event first.

        They are signed as if they left now: by the demo's clock, on a socket by the computer's, with which a receiver
        compares, however far the demo was advanced. `signed_at` sets another time.
        """
        return self._drain(self._inbox, signed_at)

    def to_post(self) -> list[Delivery]:
        """Give the webhooks that a server on a socket has to post now."""
        return self._drain(self._to_post, None)

    def _drain(self, queue: deque[Due], signed_at: datetime | None) -> list[Delivery]:
        with self._lock:
            with self._state.lock:
                due = webhooks.collect(self._state)
            self._inbox.extend(due)
            self._to_post.extend(due)
            drained = list(queue)
            queue.clear()
        at = signed_at or self._state.clock.signing_now()
        return [webhooks.sign(item, at) for item in drained]


def _memo(item: Any) -> Json:
    part, file = item.parts[0], item.attachment
    return {
        "message_id": item.id,
        "attachment_id": file.id,
        "filename": file.filename,
        "sha256": file.sha256,
        "size_bytes": part["size_bytes"],
        "mime_type": part["mime_type"],
        "created_at": item.created_at,
        "trace_id": item.trace_id,
        "options": dict(item.options),
    }


_world: Demo | None = None
_world_lock = threading.Lock()


def _leave_to_parent() -> None:
    """Let a forked child have a world of its own, and use copies of the parent's, which may be locked."""
    global _world, _world_lock
    _world, _world_lock = None, threading.Lock()
    for demo in list(_demos):
        demo._renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def world(*, fresh: bool = False) -> Demo:
    """Give the process's demo: the same one each time, or with `fresh` a new one from now on."""
    global _world
    with _world_lock:
        if _world is None or fresh:
            _world = Demo()
        return _world
