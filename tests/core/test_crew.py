"""Many workers in one thread: who waits lets the others work, and each gets what is its own."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from linq_nb import crew

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(autouse=True, params=["DefaultSelector", "SelectSelector", "PollSelector"])
def kind_of_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as this system does best, and as others do."""
    monkeypatch.setattr(selectors, "DefaultSelector", getattr(selectors, request.param))


@pytest.fixture
def pairs() -> Iterator[Callable[[], Pair]]:
    made: list[Pair] = []

    def pair() -> Pair:
        made.append(socket.socketpair())
        return made[-1]

    yield pair
    for one in made:
        for link in one:
            link.close()


def run(*works: Callable[[], None], apart: bool = False) -> None:
    """Let a crew do each of these once, and wait for it."""
    left = list(works)
    for thread in crew.start(len(works), lambda: left.pop(0)(), "test", apart=apart):
        thread.join(20)
        assert not thread.is_alive()


def soon() -> float:
    return time.monotonic() + 10


def test_a_crew_is_one_thread_and_apart_is_one_each() -> None:
    seen: list[int] = []
    gate = threading.Barrier(4)

    def note() -> None:
        seen.append(threading.get_ident())

    def meet() -> None:
        gate.wait(10)
        note()

    run(*[note] * 4)
    assert len(set(seen)) == 1
    seen.clear()
    run(*[meet] * 4, apart=True)
    assert len(set(seen)) == 4


def test_one_worker_has_its_thread_to_itself(pairs: Callable[[], Pair]) -> None:
    link, _ = pairs()
    seen = []
    run(lambda: seen.append(crew.ready(link, soon())))
    assert seen == [False]


def test_who_waits_for_a_connection_lets_the_others_work(pairs: Callable[[], Pair]) -> None:
    (a, to_a), (b, to_b) = pairs(), pairs()
    seen: list[object] = []

    def first() -> None:
        seen.append("waits")
        assert crew.ready(a, soon())
        seen.append(a.recv(9))
        to_b.send(b"over")

    def second() -> None:
        seen.append("works")
        to_a.send(b"come")
        assert crew.ready(b, soon())
        seen.append(b.recv(9))

    run(first, second)
    assert seen == ["waits", "works", b"come", b"over"]


def test_sixty_four_workers_get_each_its_own_answers_in_any_order(pairs: Callable[[], Pair]) -> None:
    links = [pairs() for _ in range(64)]
    got: list[list[bytes]] = [[] for _ in links]
    rng = random.Random(7)

    def serve() -> None:
        for turn in range(20):
            for number in rng.sample(range(64), 64):
                links[number][1].send(b"%02d%02d" % (number, turn))

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            while len(got[number]) < 20:
                crew.gather(4)
                assert crew.ready(links[number][0], soon())
                got[number].append(links[number][0].recv(4))
                if number % 7 == 0:
                    assert crew.aside(lambda: number) == number

        return work

    server = threading.Thread(target=serve)
    server.start()
    run(*[worker(number) for number in range(64)])
    server.join()
    assert got == [[b"%02d%02d" % (number, turn) for turn in range(20)] for number in range(64)]


def test_a_deadline_is_kept_by_each_worker_for_itself(pairs: Callable[[], Pair]) -> None:
    links = [pairs()[0] for _ in range(5)]
    waited: dict[int, float] = {}

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                crew.ready(links[number], begun + 0.1 * number)
            waited[number] = time.monotonic() - begun

        return work

    run(*[worker(number) for number in (3, 0, 4, 1, 2)])
    assert list(waited) == [0, 1, 2, 3, 4]
    assert all(0.1 * number <= seconds < 0.1 * number + 2 for number, seconds in waited.items())


def test_what_came_in_time_is_taken_though_the_crew_looks_too_late(pairs: Callable[[], Pair]) -> None:
    link, other = pairs()
    got = []

    def waits() -> None:
        assert crew.ready(link, time.monotonic() + 0.1)
        got.append(link.recv(9))

    def holds_all_up() -> None:
        other.send(b"here")
        time.sleep(0.3)

    run(waits, holds_all_up)
    assert got == [b"here"]


def test_room_to_write_is_waited_for(pairs: Callable[[], Pair]) -> None:
    link, other = pairs()
    link.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            link.send(b"x" * 65_536)
    seen = []

    def writes() -> None:
        assert crew.ready(link, soon(), to_write=True)
        seen.append("room")

    def reads() -> None:
        seen.append("full")
        while len(other.recv(65_536)) == 65_536:
            pass

    run(writes, reads)
    assert seen == ["full", "room"]


def test_what_blocks_is_done_in_another_thread_while_the_others_go_on() -> None:
    seen: list[str] = []
    others = threading.Event()
    idents: set[int] = set()

    def blocks() -> str:
        idents.add(threading.get_ident())
        assert others.wait(10)
        return "done"

    def first() -> None:
        seen.append(crew.aside(blocks))

    def second() -> None:
        idents.add(threading.get_ident())
        seen.append("meanwhile")
        others.set()

    run(first, second)
    assert seen == ["meanwhile", "done"]
    assert len(idents) == 2


def test_what_blocks_raises_where_it_was_asked_for() -> None:
    seen: list[str] = []

    def fails(word: str) -> None:
        raise ValueError(word)

    def asks() -> None:
        with pytest.raises(ValueError, match="no"):
            crew.aside(fails, "no")
        seen.append("told")

    run(asks, lambda: None)
    assert seen == ["told"]


def test_workers_gather_until_they_are_enough_or_nobody_else_can_go_on(pairs: Callable[[], Pair]) -> None:
    link, other = pairs()
    waiting: list[int] = []
    groups: list[list[int]] = []

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            if number == 6:  # it cannot go on: nobody waits for it
                assert crew.ready(link, soon())
            waiting.append(number)
            crew.gather(4)
            if number in waiting:  # the first to return does it for all
                groups.append(sorted(waiting))
                waiting.clear()
            if len(groups) == 2:
                other.send(b"now")

        return work

    run(*[worker(number) for number in range(7)])
    assert groups == [[0, 1, 2, 3], [4, 5], [6]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_one_worker_does_not_stop_the_others(pairs: Callable[[], Pair]) -> None:
    link, other = pairs()
    got = []

    def waits() -> None:
        assert crew.ready(link, soon())
        got.append(link.recv(9))

    def fails() -> None:
        other.send(b"on")
        raise ValueError("a fault")

    run(waits, fails)
    assert got == [b"on"]


def test_who_waits_for_a_connection_that_is_closed_finds_out(pairs: Callable[[], Pair]) -> None:
    link, _ = pairs()
    number = link.fileno()
    found: list[str] = []

    def waits() -> None:
        crew.ready(link, soon())
        try:
            link.recv(9)
        except OSError:
            found.append("closed")

    def takes_its_number() -> None:
        link.close()
        new, other = pairs()
        taken = next(one for one in (new, other) if one.fileno() == number)
        (other if taken is new else new).send(b"mine")
        assert crew.ready(taken, soon())
        found.append(taken.recv(9).decode())

    run(waits, takes_its_number)
    assert sorted(found) == ["closed", "mine"]


def test_a_connection_that_another_thread_closes_wakes_who_waits_for_it(pairs: Callable[[], Pair]) -> None:
    link, _ = pairs()
    other, _ = pairs()
    found: list[str] = []

    def waits() -> None:
        crew.ready(link, soon())
        with pytest.raises(OSError, match="descriptor"):
            link.recv(9)
        found.append("closed")

    def waits_for_nothing() -> None:
        with pytest.raises(TimeoutError):
            crew.ready(other, time.monotonic() + 3)
        found.append("nothing came")

    threading.Timer(0.2, link.close).start()
    run(waits, waits_for_nothing)
    assert found == ["closed", "nothing came"]


def test_who_sleeps_lets_the_others_work_and_wakes_in_time() -> None:
    woken: list[int] = []

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            crew.sleep(0.1 * number)
            woken.append(number)

        return work

    begun = time.monotonic()
    run(*[worker(number) for number in (4, 2, 3, 1)])
    assert woken == [1, 2, 3, 4]
    assert 0.4 <= time.monotonic() - begun < 2


def test_those_who_always_can_go_on_do_not_keep_the_others_waiting(pairs: Callable[[], Pair]) -> None:
    link, other = pairs()
    turns: list[int] = []

    def waits() -> None:
        assert crew.ready(link, soon())
        turns.append(-1)

    def busy() -> None:
        for turn in range(1000):
            if not turn:
                other.send(b"here")
            crew.gather(4)
            turns.append(turn)

    run(waits, *[busy] * 6)
    assert turns.index(-1) < 100


def test_a_crew_that_cannot_begin_says_so_before_anybody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> Pair:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none_left)
    worked: list[int] = []
    with pytest.raises(OSError, match="Too many"):
        crew.start(3, lambda: worked.append(1), "test")
    assert worked == []


ENDS = """
import socket, time
from linq_nb import crew

crew.END_S = 60
links = [socket.socketpair() for _ in range(3)]
left = list(links)
crew.start(3, lambda: crew.ready(left.pop()[0], time.monotonic() + 60), "test")
time.sleep(0.1)
"""


def test_python_ends_at_once_though_a_crew_waits() -> None:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 20
