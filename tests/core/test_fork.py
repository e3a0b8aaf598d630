"""After a fork the outbox stays the parent's: in the child every call says so, and a child connects for itself."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from forked import Child, in_child
from shared import AUDIO, HANG_S, outboxes

import linq_nb
from linq_nb import Draft, Outbox, SettingsError, VoiceMemo
from linq_nb.demo import Demo, Server
from linq_nb.errors import JournalError
from linq_nb.journal import Journal
from linq_nb.outbox import session_of
from linq_nb.receiver import Receiver

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

FORK = "fork"
NAMES = ("Ada Lovelace", "Book Club")

Make = Callable[..., Outbox]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Demo()) as server:
        yield server


@pytest.fixture
def demo(server: Server) -> Demo:
    return server.demo


@pytest.fixture
def connect(demo: Demo, tmp_path: Path) -> Iterator[Make]:
    """Connect over a socket, with a journal in a file."""
    with outboxes(demo, tmp_path / "journal.sqlite", timeout=HANG_S) as connect:
        yield connect


def refusals(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """Return what each call says in a forked child."""

    def call(work: Callable[[], Any]) -> str:
        try:
            return f"no error: {work()!r}"
        except SettingsError as error:
            return str(error)

    return in_child(lambda: {name: call(work) for name, work in calls.items()})


def refused(pid: int) -> str:
    return f"this outbox belongs to process {pid}; nothing was sent; call linq_nb.connect() here"


def calls_of(outbox: Outbox, memo: VoiceMemo, chat_id: str) -> dict[str, Callable[[], Any]]:
    """Every public name of an outbox, used."""
    plan, send = outbox.plan([Draft(memo=memo, chat=chat_id)]), outbox.sends()[0]
    return {
        "lines": outbox.lines,
        "reputation": lambda: outbox.reputation("+12025550100"),
        "chats": outbox.chats,
        "chat": lambda: outbox.chat(chat_id),
        "find_chat": lambda: outbox.find_chat(chat_id),
        "known_chats": outbox.known_chats,
        "line": lambda: outbox.line,
        "mode": lambda: outbox.mode,
        "demo": lambda: outbox.demo,
        "summary": outbox.summary,
        "check": lambda: outbox.check(memo, chat_id),
        "fetch": lambda: outbox.fetch(VoiceMemo.from_url("https://example.com/a.m4a")),
        "plan": lambda: outbox.plan([]),
        "send": lambda: outbox.send(memo, chat_id),
        "send_all": lambda: outbox.send_all(plan),
        "sends": outbox.sends,
        "history": lambda: outbox.history(send),
        "messages": outbox.messages,
        "refresh": outbox.refresh,
        "watch": lambda: outbox.watch(send),
        "reconcile": outbox.reconcile,
        "resolve": lambda: outbox.resolve(send, "sent", reason="seen"),
        "ingest": lambda: outbox.ingest(b"{}", {}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "ingest_stored": lambda: outbox.ingest_stored([{}]),
        "replay": lambda: outbox.replay([]),
        "to_parquet": lambda: outbox.to_parquet("/nowhere"),
        "forget": lambda: outbox.forget(chat_id),
        "with": outbox.__enter__,
        "hash_handles": lambda: outbox.hash_handles(["+12025550112"]),
        "hashed": lambda: linq_nb.to_frame([send], "hashed", key=outbox),
        "form": lambda: linq_nb.SendForm(outbox),
        "board": lambda: linq_nb.StatusBoard(outbox),
    }


@pytest.mark.parametrize("place", ["socket and file", "in memory"])
def test_in_a_child_every_call_of_an_outbox_is_refused(place: str, connect: Make, memo: VoiceMemo) -> None:
    outbox = linq_nb.connect(demo=True, fresh=True) if place == "in memory" else connect()
    chat_id = outbox.chats()[0].chat_id
    outbox.send(memo, chat_id)
    calls = calls_of(outbox, memo, chat_id)
    public = {name for name in dir(outbox) if not name.startswith("_")}
    assert public - set(calls) == {"close", "last_batch", "last_watch"}
    assert refusals(calls) == dict.fromkeys(calls, refused(os.getpid()))
    assert [send.status for send in outbox.sends()] == ["queued"]
    outbox.close()


@pytest.mark.thorough
def test_in_a_child_batch_board_and_form_are_refused_while_the_batch_goes_on(
    connect: Make, demo: Demo, memo: VoiceMemo
) -> None:
    outbox = connect()
    chat_ids = list(demo.add_chats(24).values())
    plan = outbox.plan([Draft(memo=memo, chat=chat_id) for chat_id in chat_ids])
    batch, board, form = outbox.send_all(plan, workers=4), linq_nb.StatusBoard(outbox), linq_nb.SendForm(outbox)
    rows = iter(batch)
    next(rows)
    calls: dict[str, Callable[[], Any]] = {
        "done": lambda: batch.done,
        "is_done": lambda: batch.is_done,
        "iterate": lambda: list(batch),
        "go on iterating": lambda: next(rows),
        "wait": batch.wait,
        "stop": batch.stop,
        "line": batch.line,
        "results": batch.results,
        "frame": batch.frame,
        "board.line": board.line,
        "board.record": board.record,
        "board.is_running": lambda: board.is_running,
        "board.stop": board.stop,
        "board display": board._ipython_display_,
        "form.wait": form.wait,
        "form.record": form.record,
        "form display": form._ipython_display_,
    }
    for _ in range(3):
        assert refusals(calls) == dict.fromkeys(calls, refused(os.getpid()))
    assert batch.wait(HANG_S).is_done
    assert demo.bubbles() == dict.fromkeys(chat_ids, 1)
    assert {send.status for send in batch} == {"queued"}
    board.close()
    form.close()


@pytest.mark.thorough
def test_closing_and_showing_in_a_child_neither_fail_nor_touch_the_parents(
    connect: Make, demo: Demo, memo: VoiceMemo
) -> None:
    outbox = connect()
    chat_ids = list(demo.add_chats(12).values())
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat_id) for chat_id in chat_ids]), workers=2)
    board, form = linq_nb.StatusBoard(outbox), linq_nb.SendForm(outbox)

    def work() -> list[str]:
        shown = [repr(batch), repr(board), repr(form), repr(outbox)]
        batch._repr_mimebundle_(), outbox._repr_mimebundle_()
        outbox.__exit__(None, None, None)
        for value in (board, form, outbox, outbox._any_session.client, outbox._any_session.journal):
            value.close()
        gc.collect()
        return shown

    here = f"of process {os.getpid()}"
    assert in_child(work) == [f"Batch({here})", f"StatusBoard({here})", f"SendForm({here})", repr(outbox)]
    assert batch.wait(HANG_S).is_done
    assert demo.bubbles() == dict.fromkeys(chat_ids, 1)
    assert outbox.refresh() == outbox.sends()
    board.close()
    form.close()


@pytest.mark.thorough
def test_locks_that_a_thread_holds_at_the_fork_do_not_hold_up_the_child(connect: Make, memo: VoiceMemo) -> None:
    outbox = connect()
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=outbox.chats()[0])])).wait()
    transport = session_of(outbox).client._exchanges._transport
    release = threading.Event()
    locked = threading.Barrier(2)

    def hold() -> None:
        with batch._changed, transport._lock, session_of(outbox).lease._lock, session_of(outbox).throttle._lock:
            locked.wait()
            release.wait(HANG_S)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait()
    calls = {"stop": batch.stop, "wait": batch.wait, "list": lambda: list(batch), "chats": outbox.chats}
    try:
        assert refusals(calls) == dict.fromkeys(calls, refused(os.getpid()))
        assert in_child(outbox.close) is None
    finally:
        release.set()
        thread.join()


# --- a child that connects for itself ---


@pytest.mark.thorough
def test_a_child_connects_for_itself_on_the_same_journal(connect: Make, demo: Demo, memo: VoiceMemo) -> None:
    outbox = connect()
    first, second = list(demo.add_chats(2).values())
    mine = outbox.send(memo, first)

    def work() -> list[Any]:
        own = connect()
        sends = [own.send(memo, first), own.send(memo, second)]
        own.close()
        return [(send.status, send.repeated, send.message_id) for send in sends]

    again, new = in_child(work)
    assert again == ("queued", True, mine.message_id)
    assert new[:2] == ("queued", False)
    assert demo.bubbles() == {first: 1, second: 1}
    assert outbox.send(memo, second).repeated


@pytest.mark.thorough
@pytest.mark.parametrize("outboxes", [1, 2])
def test_the_writes_of_a_child_stay_when_the_parent_closes_first(
    connect: Make, demo: Demo, memo: VoiceMemo, tmp_path: Path, outboxes: int
) -> None:
    """SQLite's locks are the process's: a child that inherited an open file would hold none, and lose its WAL."""
    first, second, third = list(demo.add_chats(3).values())
    opened = [connect() for _ in range(outboxes)]
    opened[0].send(memo, first)
    sent, closed = os.pipe(), os.pipe()

    def work() -> str:
        own = connect()
        own.send(memo, second)
        os.write(sent[1], b"1")
        os.read(closed[0], 1)
        return own.send(memo, third).status  # and does not close it, as a child that is killed

    child = Child(work)
    os.read(sent[0], 1)
    for outbox in opened:
        outbox.close()
    other = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    os.write(closed[1], b"1")
    assert child.result() == "queued"
    for end in (*sent, *closed):
        os.close(end)
    assert [send.chat_id for send in other.sends()] == [first, second, third]
    other.close()
    book = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    assert [send.chat_id for send in book.sends()] == [first, second, third]
    book.close()


def test_children_of_a_running_batch_send_on_the_same_journal(connect: Make, demo: Demo, memo: VoiceMemo) -> None:
    outbox = connect()
    chat_ids = list(demo.add_chats(40).values())
    drafts = [Draft(memo=memo, chat=chat_id) for chat_id in chat_ids]
    batch = outbox.send_all(outbox.plan(drafts), workers=4)

    def work(mine: list[str]) -> list[tuple[str, str | None]]:
        with connect() as own:
            return [(send.chat_id, send.message_id) for send in (own.send(memo, chat_id) for chat_id in mine)]

    children = [Child(lambda number=number: work(chat_ids[number::3])) for number in range(3)]
    reported = dict(pair for child in children for pair in child.result())
    assert batch.wait(HANG_S).is_done
    truth = {chat_id: demo.memos(chat_id)[0]["message_id"] for chat_id in chat_ids}
    assert demo.bubbles() == dict.fromkeys(chat_ids, 1)
    assert {send.chat_id: send.message_id for send in outbox.sends()} == truth == reported
    assert {send.chat_id: send.message_id for send in batch} == truth


@pytest.mark.thorough
def test_the_demo_in_a_child_is_a_world_of_its_own(memo: VoiceMemo) -> None:
    outbox = linq_nb.connect(demo=True, fresh=True)
    chat = outbox.find_chat("Ada Lovelace")
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat, copy=number) for number in range(1, 30)]))

    def work() -> tuple[str, bool, int, int]:
        own = linq_nb.connect(demo=True)
        send = own.send(memo, "Ada Lovelace", copy=2)
        same = linq_nb.connect(demo=True)
        return send.status, send.repeated, own.demo.bubbles(send.chat_id), len(same.sends())

    for _ in range(3):
        assert in_child(work) == ("queued", False, 1, 1)
    assert batch.wait(HANG_S).is_done
    assert outbox.demo.bubbles(chat.chat_id) == 29
    outbox.close()


@pytest.mark.thorough
def test_the_childs_copy_of_a_demo_is_not_locked_by_a_thread_of_the_parent(tmp_path: Path, memo: VoiceMemo) -> None:
    demo = Demo()
    chat_ids = list(demo.add_chats(2).values())

    def connect(name: str) -> Outbox:
        given = {"api_key": demo.api_key, "base_url": demo.base_url, "transport": demo.transport()}
        return linq_nb.connect(**given, journal=str(tmp_path / name), clock=demo.now, sleep=demo.sleep)

    outbox = connect("parent")
    outbox.send(memo, chat_ids[0])
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with demo._lock, demo._state.lock, demo._state.clock._lock:
            locked.set()
            release.wait(HANG_S)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(HANG_S)
    try:
        assert in_child(lambda: connect("child").send(memo, chat_ids[1]).status) == "queued"
        assert in_child(lambda: demo.advance(minutes=1) or demo.bubbles()) == {chat_ids[0]: 1}
    finally:
        release.set()
        thread.join()
    outbox.close()


@pytest.mark.thorough
def test_httpx_connections_of_the_parent_are_not_used_in_a_child(connect: Make, demo: Demo, tmp_path: Path) -> None:
    transport = httpx.HTTPTransport()
    outbox = connect(transport=transport)
    outbox.chats()
    with pytest.raises(
        SettingsError, match=f"this transport belongs to process {os.getpid()}; nothing was sent; call linq_nb"
    ):
        in_child(lambda: connect(transport=transport, journal=str(tmp_path / "child")))
    assert in_child(lambda: len(connect(transport=httpx.HTTPTransport()).chats())) == len(outbox.chats())
    transport.close()


@pytest.mark.thorough
def test_a_receiver_in_a_child_is_refused_and_goes_on_in_the_parent(tmp_path: Path) -> None:
    book = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    with Receiver(book, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", port=0) as hooks:
        calls = {"health": hooks.health, "receive": lambda: hooks.receive(b"{}", {}), "with": hooks.__enter__}
        message = f"this receiver belongs to process {os.getpid()}; nothing was sent; call linq_nb.connect() here"
        assert refusals(calls) == dict.fromkeys(calls, message)
        assert in_child(hooks.close) is None
        health = hooks.url.rstrip("/") + "/health"
        assert httpx.get(health, trust_env=False).json()["status"] == "ok"
    book.close()


# --- a pool of processes ---

_outbox: Outbox | None = None


def _send_by_the_parents(chat_id: str) -> str:
    assert _outbox is not None
    return _outbox.send(VoiceMemo.from_file(AUDIO / "hello.amr"), chat_id).status


def _send_by_its_own(settings: dict[str, Any], chat_id: str) -> tuple[str, str | None]:
    with linq_nb.connect(**settings) as own:
        send = own.send(VoiceMemo.from_file(AUDIO / "hello.amr"), chat_id)
        return send.chat_id, send.message_id


def _mode_of(outbox: Outbox) -> str:
    return outbox.mode


@pytest.mark.thorough
def test_a_pool_of_forked_processes_is_refused_and_sends_when_each_connects(
    connect: Make, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = connect()
    monkeypatch.setattr(sys.modules[__name__], "_outbox", outbox)
    chat_ids = list(demo.add_chats(12).values())
    outbox.chats()
    given = {"api_key": demo.api_key, "base_url": demo.base_url, "journal": str(tmp_path / "journal.sqlite")}
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context(FORK)) as pool:
        tried = [pool.submit(_send_by_the_parents, chat_id) for chat_id in chat_ids]
        assert {str(future.exception(HANG_S)) for future in tried} == {refused(os.getpid())}
        assert demo.bubbles() == {}
        sent = [pool.submit(_send_by_its_own, given, chat_id) for chat_id in chat_ids]
        reported = dict(future.result(HANG_S) for future in sent)
    assert demo.bubbles() == dict.fromkeys(chat_ids, 1)
    assert reported == {chat_id: demo.memos(chat_id)[0]["message_id"] for chat_id in chat_ids}
    assert {send.chat_id: send.message_id for send in outbox.sends()} == reported


@pytest.mark.thorough
def test_an_outbox_cannot_be_pickled_for_another_process(connect: Make, demo: Demo, memo: VoiceMemo) -> None:
    outbox = connect()
    chat_id = next(iter(demo.add_chats(1).values()))
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat_id)])).wait()
    for value in (outbox, batch, linq_nb.SendForm(outbox)):
        for use in (pickle.dumps, copy.deepcopy):
            with pytest.raises(SettingsError, match=r"cannot be pickled or copied; nothing was sent; call linq_nb\."):
                use(value)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(FORK)) as pool:
        error = pool.submit(_mode_of, outbox).exception(HANG_S)
    assert isinstance(error, SettingsError)


# --- the ends of a child ---

ENDS_BY_ITSELF = """
import os, sys
import linq_nb
from linq_nb import Draft, VoiceMemo

base_url, key, journal, audio = sys.argv[1:5]
outbox = linq_nb.connect(base_url=base_url, api_key=key, journal=journal)
memo = VoiceMemo.from_file(audio)
batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat_id) for chat_id in sys.argv[5:]]), workers=2)
if os.fork() == 0:
    sys.exit(7)  # runs what is registered for the end of Python
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
print({send.status for send in batch}, batch.stopped_by)
outbox.close()
"""


@pytest.mark.thorough
def test_a_child_that_ends_by_itself_leaves_the_batch_of_its_parent_alone(demo: Demo, tmp_path: Path) -> None:
    chat_ids = list(demo.add_chats(20).values())
    arguments = [demo.base_url, demo.api_key, str(tmp_path / "journal.sqlite"), str(AUDIO / "hello.amr"), *chat_ids]
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", ENDS_BY_ITSELF, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert (done.stdout.splitlines(), done.stderr) == (["7", "{'queued'} "], "")
    assert demo.bubbles() == dict.fromkeys(chat_ids, 1)


# --- forks and transactions ---


@pytest.mark.thorough
def test_a_fork_waits_for_the_transaction_of_another_thread(tmp_path: Path) -> None:
    book = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    inside, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with book.database.write() as db:
            inside.set()
            go_on.wait(HANG_S)
            db.exec_driver_sql("INSERT INTO names VALUES ('a', 'a')")

    thread = threading.Thread(target=write)
    thread.start()
    inside.wait(HANG_S)
    threading.Timer(0.05, go_on.set).start()
    assert in_child(lambda: Journal(f"sqlite:///{tmp_path}/journal.sqlite").journal_id) == book.journal_id
    thread.join()
    book.close()


@pytest.mark.thorough
def test_a_child_that_was_forked_in_a_transaction_is_refused_the_files(tmp_path: Path) -> None:
    book = Journal(f"sqlite:///{tmp_path}/journal.sqlite")

    def work() -> list[str]:
        messages = []
        for url in (f"sqlite:///{tmp_path}/journal.sqlite", "sqlite://"):
            try:
                Journal(url).close()
                messages.append("opened")
            except JournalError as error:
                messages.append(str(error))
        return messages

    with book.database.write():
        torn, in_memory = in_child(work)
    assert torn.startswith("this process was forked while its parent wrote to a journal")
    assert torn.endswith("nothing was sent; fork again, or start the process by spawn")
    assert (in_memory, in_child(work)) == ("opened", ["opened", "opened"])
    book.close()


def test_a_child_of_a_child_is_refused_by_the_number_of_the_first(connect: Make) -> None:
    outbox, pid = connect(), os.getpid()
    with pytest.raises(SettingsError, match=f"belongs to process {pid};"):
        in_child(lambda: in_child(outbox.chats))
    outbox.close()
