"""Many workers in one thread: while one waits for an answer, another works on.

A worker's code is plain code, the same that runs in a thread alone. Where it has to wait it says so here: ``ready`` for
a connection, ``sleep``, ``aside`` for what blocks, ``gather`` for what is done for several at once. In a thread alone
these just wait or work. Nothing that another worker may want, a lock or what is a thread's own, may be held across one.

Why: 64 threads spend as much time on waiting for Python's lock as on sending (``tests/bench/bench_send.py``).
"""

from __future__ import annotations

import atexit
import contextlib
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

T = TypeVar("T")

LOOK_EVERY_S = 1.0
"""How often a crew that waits looks whether another thread has closed a connection: no system tells it."""

END_S = 2.0
"""How long the end of Python waits for a crew to come to rest, in seconds."""

_local = threading.local()


def start(number: int, work: Callable[[], None], name: str, *, apart: bool = False) -> list[threading.Thread]:
    """Let so many workers work until each has ended; returns their thread, or their threads where each works ``apart``.

    Apart is right where the work waits for what knows nothing of ``ready``, such as a database's server.
    """
    if apart or number == 1:
        made = [threading.Thread(target=work, name=f"{name} {one}", daemon=True) for one in range(number)]
    else:
        made = [threading.Thread(target=_Crew().run, args=(number, work), name=name, daemon=True)]
    for thread in made:
        thread.start()
    return made


def ready(link: socket.socket, deadline: float, *, to_write: bool = False) -> bool:
    """Wait until there is something to read or room to write, below TLS; raises TimeoutError at the deadline.

    ``deadline`` is by the monotonic clock. Returns False at once in a thread alone, which waits by its own means.
    """
    crew = _crew()
    if crew is None:
        return False
    crew.ready(link, deadline, selectors.EVENT_WRITE if to_write else selectors.EVENT_READ)
    return True


def sleep(seconds: float) -> None:
    """Wait so many seconds while the other workers go on."""
    crew = _crew()
    if crew is None:
        time.sleep(seconds)
    else:
        crew.sleep(seconds)


def aside(work: Callable[..., T], *given: Any) -> T:
    """Call what blocks, and return what it returns or raise what it raises, while the other workers go on."""
    crew = _crew()
    return work(*given) if crew is None else crew.aside(work, given)


def gather(most: int) -> None:
    """Wait until so many workers wait here or nobody else can go on, so that one can do something for all of them.

    The first to return is the one to do it.
    """
    crew = _crew()
    if crew is not None:
        crew.gather(most)


def _crew() -> _Crew | None:
    return getattr(_local, "crew", None)


_crews: weakref.WeakSet[_Crew] = weakref.WeakSet()


@atexit.register
def _rest() -> None:
    """Stop every crew between two workers: a thread that Python ends while a greenlet is at work takes all with it."""
    crews = list(_crews)
    for one in crews:
        one.end()
    for one in crews:
        one.is_at_rest.wait(END_S)


class _Crew:
    """The workers of one thread. Each is a greenlet, which keeps its place in the code while others work.

    A worker stands in exactly one place: at work, among those who can go on (``_can``), those who gather, those who
    sleep, at a connection, or aside.
    """

    def __init__(self) -> None:
        self._can: deque[tuple[greenlet, Any]] = deque()
        self._gathered: list[tuple[greenlet, Any]] = []
        self._waiting = selectors.DefaultSelector()
        self._asleep: dict[greenlet, float] = {}
        self._soonest = 0.0  # nobody who waits or sleeps is to be woken before this
        self._came_back: deque[tuple[greenlet, Any]] = deque()
        self._bell, self._rope = socket.socketpair()
        self._turns: greenlet
        self._left = 0
        self._is_over, self.is_at_rest = False, threading.Event()
        _crews.add(self)

    def end(self) -> None:
        """Let no worker go on; called by another thread."""
        self._is_over = True
        with contextlib.suppress(OSError):  # it has ended by itself
            self._rope.send(b"\0")

    def run(self, number: int, work: Callable[[], None]) -> None:
        """Let so many workers work until all have ended, then raise what one of them raised."""
        faults: list[BaseException] = []

        def worker(_: object) -> None:
            try:
                work()
            except BaseException as fault:  # noqa: BLE001  it must not take the others with it
                faults.append(fault)
            self._left -= 1

        self._turns, self._left = getcurrent(), number
        self._can.extend((greenlet(worker), None) for _ in range(number))
        self._waiting.register(self._bell, selectors.EVENT_READ)
        _local.crew = self
        try:
            while self._left:
                for _ in range(len(self._can)):
                    if self._is_over:
                        break
                    one, told = self._can.popleft()
                    one.switch(told)
                if self._is_over:
                    self.is_at_rest.set()
                    threading.Event().wait()  # for good: Python ends
                if self._gathered and not self._can:
                    self._go_on()
                elif self._left:
                    self._look()
        finally:
            _local.crew = None
            self.is_at_rest.set()
            self._waiting.close()
            self._bell.close()
            self._rope.close()
        if faults:
            raise faults[0]

    def _look(self) -> None:
        """Find out who can go on; where nobody can, wait for it."""
        patience = 0.0 if self._can else max(0.0, self._soonest - time.monotonic())
        for key in self._asked(patience):
            if key.data is None:
                self._bell.recv(4096)
            else:
                self._wake(key, in_time=True)
        while self._came_back:
            self._can.append(self._came_back.popleft())
        if self._soonest <= time.monotonic():
            self._expire()

    def _asked(self, patience: float) -> list[selectors.SelectorKey]:
        try:
            return [key for key, _ in self._waiting.select(patience)]
        except (OSError, ValueError):  # another thread closed a connection: each worker finds out whether it is its own
            return self._at_connections()

    def _at_connections(self) -> list[selectors.SelectorKey]:
        return [key for key in self._waiting.get_map().values() if key.data is not None]

    def _expire(self) -> None:
        """Wake those who have waited or slept for as long as they wanted, and those whose connection is closed."""
        now = time.monotonic()
        for key in self._at_connections():
            is_open = cast("socket.socket", key.fileobj).fileno() >= 0
            if key.data[1] <= now or not is_open:
                self._wake(key, in_time=not is_open)
        for one in [one for one, until in self._asleep.items() if until <= now]:
            del self._asleep[one]
            self._can.append((one, None))
        still = [key.data[1] for key in self._at_connections()]
        self._soonest = min([now + LOOK_EVERY_S, *still, *self._asleep.values()])

    def _wake(self, key: selectors.SelectorKey, *, in_time: bool) -> None:
        self._waiting.unregister(key.fileobj)
        self._can.append((key.data[0], in_time))

    def _go_on(self) -> None:
        """Let those who have gathered be the next."""
        self._can.extend(self._gathered)
        self._gathered.clear()

    # --- called by a worker ---

    def ready(self, link: socket.socket, deadline: float, events: int) -> None:
        me = (getcurrent(), deadline)
        try:
            self._waiting.register(link, events, me)
        except KeyError:  # another thread closed the connection that had its number: who waits for that finds out
            self._wake(self._waiting.get_key(link), in_time=True)
            self._waiting.register(link, events, me)
        self._soonest = min(self._soonest, deadline)
        if not self._turns.switch():
            raise TimeoutError("the answer did not end in time")

    def sleep(self, seconds: float) -> None:
        until = self._asleep[getcurrent()] = time.monotonic() + seconds
        self._soonest = min(self._soonest, until)
        self._turns.switch()

    def aside(self, work: Callable[..., T], given: tuple[Any, ...]) -> T:
        one = getcurrent()
        done: list[T] = []
        faults: list[BaseException] = []

        def call() -> None:
            try:
                done.append(work(*given))
            except BaseException as fault:  # noqa: BLE001  whatever it is, it is raised where it was asked for
                faults.append(fault)
            self._came_back.append((one, None))
            with contextlib.suppress(OSError):  # nobody is there any more
                self._rope.send(b"\0")

        thread = threading.Thread(target=call, name="linq_nb aside", daemon=True)
        thread.start()
        self._turns.switch()
        thread.join()
        if faults:
            raise faults.pop()  # not kept: it holds this frame
        return done[0]

    def gather(self, most: int) -> None:
        self._gathered.append((getcurrent(), None))
        if self._can and len(self._gathered) < most:
            self._turns.switch()
        else:
            self._gathered.pop()
            self._go_on()
