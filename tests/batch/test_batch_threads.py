"""A batch over a socket with its journal in a file: each worker has a thread, and none delays another."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from shared import AUDIO, HANG_S, WatchedServer, customers, outboxes, quick_first, wait_for
from slow_linq import press_ctrl_c, runs

import linq_nb
from linq_nb import Draft, Outbox, VoiceMemo
from linq_nb.clocks import utc_now
from linq_nb.demo import Demo
from linq_nb.outbox import session_of
from linq_nb.outbox.threads import Worker, join


@pytest.fixture
def server() -> Iterator[WatchedServer]:
    with WatchedServer(Demo()) as server:
        yield server


@pytest.fixture
def demo(server: WatchedServer) -> Demo:
    return server.demo


@pytest.fixture
def connect(demo: Demo, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    with outboxes(demo, tmp_path / "journal.sqlite", timeout=HANG_S) as connect:
        yield connect


def test_each_worker_has_a_thread_and_each_row_goes_out_once(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    batch = outbox.send_all(outbox.plan(customers(demo, memo, 100)), workers=32)
    assert len(batch._threads) == 32
    assert [send.status for send in batch] == ["queued"] * 100
    assert Counter(demo.bubbles().values()) == {1: 100}
    assert sum(request.method == "PUT" for request in demo.requests) == 1
    assert {send.message_id for send in batch} == {send.message_id for send in outbox.sends()}


def test_a_transport_of_the_callers_serves_all_workers(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    with httpx.HTTPTransport() as transport:
        outbox = connect(transport=transport)
        batch = outbox.send_all(outbox.plan(customers(demo, memo, 8)), workers=4)
        assert [send.status for send in batch] == ["queued"] * 8


@pytest.mark.parametrize("seed", quick_first(range(4)))
def test_every_row_has_its_true_status_when_many_requests_fail(
    server: WatchedServer, demo: Demo, memo: VoiceMemo, connect: Any, seed: int
) -> None:
    outbox = connect(timeout=1)
    demo.faults(lost=0.1, error_after_accept=0.1, reset_before=0.1, rate_limit=0.02, slow=0.05, slow_s=1.3, seed=seed)
    sends = list(outbox.send_all(outbox.plan(customers(demo, memo, 80)), workers=32, stop_after=0))
    client = session_of(outbox).client
    client.close()
    server.wait_until_quiet()  # a request that the outbox gave up may be carried out later
    bubbles = demo.bubbles()
    assert max(bubbles.values()) == 1
    possible_bubbles = {"queued": {1}, "unknown": {0, 1}, "not_sent": {0}}
    assert [send.status for send in sends if bubbles.get(send.chat_id, 0) not in possible_bubbles[send.status]] == []
    stored = {send.send_id: send for send in outbox.sends()}
    assert [stored[send.send_id].status for send in sends] == [send.status for send in sends]
    assert {"queued", "unknown"} <= {send.status for send in sends}
    demo.faults()
    client.timeout = HANG_S
    statuses = {send.status for send in outbox.reconcile()}
    assert statuses <= {"queued", "unknown"}
    assert sum(send.message_id is not None for send in outbox.sends()) == len(bubbles)


def test_a_missing_answer_delays_its_own_row_only(
    server: WatchedServer, demo: Demo, memo: VoiceMemo, connect: Any
) -> None:
    outbox = connect(timeout=2 * HANG_S)
    drafts = customers(demo, memo, 60)
    plan = outbox.plan(drafts)
    outbox.send(memo, drafts[0].chat_id)  # uploads the file
    demo.lose_next_answer(how="stall")
    batch = outbox.send_all(plan, workers=8, stop_after=0)
    wait_for(lambda: batch.done == 59)
    server.stopping.set()  # the demo closes the connection that it left waiting
    sends = list(batch)
    assert Counter(send.status for send in sends) == {"queued": 59, "unknown": 1}


def test_a_slow_upload_delays_no_other_row(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 20)
    outbox.send(memo, drafts[0].chat_id)
    other = VoiceMemo.from_file(AUDIO / "hello.mp3")
    mixed = [Draft(memo=other, chat=drafts[0].chat_id), *drafts[1:], Draft(memo=other, chat=drafts[1].chat_id)]
    with session_of(outbox).uploads.lock(str(other.sha256)):
        batch = outbox.send_all(outbox.plan(mixed), workers=4)
        wait_for(lambda: batch.done == 19)
    assert [send.status for send in batch] == ["queued"] * 21
    assert sum(request.method == "PUT" for request in demo.requests) == 2


def test_a_row_that_is_repeated_waits_for_the_first(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    first, *others = customers(demo, memo, 6)
    demo.slow_next(0.5)
    sends = list(outbox.send_all(outbox.plan([first, first, *others, first]), workers=3))
    assert [send.repeated for send in sends] == [False, True, *[False] * 5, True]
    assert len({send.message_id for send in sends}) == 6


def test_a_rate_limit_pauses_all_workers_and_the_batch_then_goes_on(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 30)
    outbox.send(memo, drafts[0].chat_id)
    demo.fail_next(429, retry_after=1)
    begun = time.monotonic()
    sends = list(outbox.send_all(outbox.plan(drafts), workers=8))
    assert time.monotonic() - begun >= 1
    assert [send.status for send in sends] == ["queued"] * 30
    assert Counter(demo.bubbles().values()) == {1: 30}


def test_two_notebooks_with_one_journal_share_the_rows(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    drafts = customers(demo, memo, 60)
    plans = [(outbox, outbox.plan(drafts)) for outbox in (connect(), connect())]
    batches = [outbox.send_all(plan, workers=16) for outbox, plan in plans]
    sends = [list(batch) for batch in batches]
    assert [send.message_id for send in sends[0]] == [send.message_id for send in sends[1]]
    assert Counter(demo.bubbles().values()) == {1: 60}


def test_a_server_that_is_gone_ends_every_row_as_not_sent(
    memo: VoiceMemo, connect: Any, demo: Demo, server: WatchedServer
) -> None:
    plan = connect().plan(customers(demo, memo, 12))
    server.close()
    batch = connect(sleep=lambda seconds: None).send_all(plan, workers=6, stop_after=0)
    assert {send.status for send in batch} == {"not_sent"}
    assert demo.bubbles() == {}


def test_closing_the_outbox_stops_the_batch_and_leaves_no_thread(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    batch = outbox.send_all(outbox.plan(customers(demo, memo, 200)), workers=4)
    outbox.close()
    assert not any(thread.name.startswith("linq_nb batch") for thread in threading.enumerate())
    sends = batch.results()
    assert len(sends) == 200
    assert {send.status for send in sends} <= {"queued", "not_sent"}
    assert sum(send.status == "queued" for send in sends) == len(demo.bubbles())


ENDS = """
import sys, time
import linq_nb
from linq_nb import Draft, VoiceMemo

base_url, key, journal, memo, chats, seconds = sys.argv[1:]
outbox = linq_nb.connect(api_key=key, base_url=base_url, journal=journal)
memo = VoiceMemo.from_file(memo)
drafts = [Draft(memo=memo, chat=chat) for chat in chats.split(",")]
batch = outbox.send_all(outbox.plan(drafts), workers=4)  # Python leaves them two seconds at its end
while sum(not send.repeated for send in batch.results()) < 5:
    time.sleep(0.001)
time.sleep(float(seconds))
"""


@pytest.mark.thorough
def test_a_script_that_does_not_wait_ends_well_with_a_message_and_loses_nothing(
    demo: Demo, connect: Any, tmp_path: Path
) -> None:
    chats, journal = ",".join(demo.add_chats(600).values()), str(tmp_path / "journal.sqlite")
    sent = 0
    for turn in range(5):
        arguments = [demo.base_url, demo.api_key, journal, str(AUDIO / "hello.amr"), chats, str(0.01 * turn)]
        done = subprocess.run([sys.executable, "-c", ENDS, *arguments], capture_output=True, text=True, timeout=HANG_S)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(
            r"linq_nb: \d+ of 600 rows: .*; stopped: Python ended; run it again to go on; .*\n", done.stderr
        )
        assert len(demo.bubbles()) > sent
        sent = len(demo.bubbles())
    outbox = connect()
    assert {send.status for send in outbox.sends()} == {"queued"}
    assert len(outbox.sends()) == sent
    assert max(demo.bubbles().values()) == 1


def test_after_a_stop_no_worker_in_a_rate_limit_pause_sends(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 40)
    outbox.send(memo, drafts[0].chat_id)
    demo.fail_next(429, retry_after=60)
    batch = outbox.send_all(outbox.plan(drafts), workers=8)
    wait_for(lambda: re.search(r"rows.*; Linq asks to wait \d+ s$", batch.line()))
    time.sleep(0.5)
    batch.stop("enough")
    join(batch._threads, HANG_S)
    assert batch.is_done
    bubbles = demo.bubbles()
    sends = list(batch)
    assert Counter(send.status for send in sends if not send.repeated)["not_sent"] == 40 - len(bubbles)
    assert all(bubbles.get(send.chat_id, 0) == (send.status == "queued") for send in sends)
    assert {send.status for send in outbox.sends()} <= {"queued", "not_sent"}
    assert batch.line().endswith("stopped: enough")


def test_closing_the_outbox_ends_every_batch_of_it(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 200)
    batches = [outbox.send_all(outbox.plan(drafts[at::2]), workers=4) for at in (0, 1)]
    outbox.close()
    assert [batch.is_done for batch in batches] == [True, True]
    sends = [send for batch in batches for send in batch.results()]
    assert {send.status for send in sends} <= {"queued", "not_sent"}
    assert sum(send.status == "queued" for send in sends) == len(demo.bubbles())


@contextlib.contextmanager
def locked(journal: Path) -> Iterator[None]:
    """Hold a journal as another program would."""
    with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


BUSY_S = 0.4


def impatient(outbox: Outbox) -> Outbox:
    """Let it wait for a locked journal for ``BUSY_S`` only."""
    with session_of(outbox).journal.database.read() as db:
        db.exec_driver_sql(f"PRAGMA busy_timeout={1000 * BUSY_S:.0f}")
    return outbox


def test_a_repeated_row_of_a_journal_that_cannot_be_read_ends_too(
    demo: Demo, memo: VoiceMemo, connect: Any, tmp_path: Path
) -> None:
    outbox = impatient(connect())
    (draft,) = customers(demo, memo, 1)
    outbox.chats()
    with locked(tmp_path / "journal.sqlite"):
        plan = outbox.plan([draft, draft])
    assert [row.verdict for row in plan.rows] == ["refused", "refused"]
    assert outbox.send_all(plan, workers=4).wait(timeout=HANG_S).is_done


def test_all_workers_share_one_wait_for_a_locked_journal(
    demo: Demo, memo: VoiceMemo, connect: Any, tmp_path: Path
) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 24)
    outbox.send(memo, drafts[0].chat_id)
    plan = outbox.plan(drafts)
    impatient(outbox)
    with locked(tmp_path / "journal.sqlite"):
        begun = time.monotonic()
        sends = list(outbox.send_all(plan, workers=24, stop_after=0))
        took = time.monotonic() - begun
    assert {send.status for send in sends} == {"not_sent", "unknown"}, "the first had been sent, and nobody can look"
    assert sends[0].status == "unknown"
    assert len(demo.bubbles()) == 1
    assert took < 24 * BUSY_S, "one by one it would take longer"


KILLED = """
import dataclasses, os, signal, sys
from pathlib import Path
import linq_nb
from linq_nb import Draft, VoiceMemo

base_url, key, journal, audio, first, second = sys.argv[1:]

class Deadly(type(Path())):
    def exists(self, *more, **options):
        os.kill(os.getpid(), signal.SIGKILL)

outbox = linq_nb.connect(api_key=key, base_url=base_url, journal=journal)
memo = VoiceMemo.from_file(audio)
next_memo = dataclasses.replace(memo, path=Deadly(audio))
outbox.send_all(outbox.plan([Draft(memo=memo, chat=first), Draft(memo=next_memo, chat=second)]), workers=1).wait()
"""


def test_an_answer_is_in_the_journal_before_the_worker_looks_at_its_next_row(
    demo: Demo, connect: Any, tmp_path: Path
) -> None:
    """The process is killed at the first step of a worker for its next row: reading the memo's file."""
    first, second = demo.add_chats(2).values()
    arguments = [demo.base_url, demo.api_key, str(tmp_path / "journal.sqlite"), str(AUDIO / "hello.amr"), first, second]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, timeout=HANG_S)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (send,) = connect().sends()
    (message,) = demo.memos(first)
    assert (send.chat_id, send.status, send.message_id) == (first, "queued", message["message_id"])
    assert demo.bubbles() == {first: 1}


NO_THREADS = """
import resource, sys, threading
import linq_nb
from linq_nb import Draft, VoiceMemo

outbox = linq_nb.connect(demo=True)
memo = VoiceMemo.from_file(sys.argv[1])
plan = outbox.plan([Draft(memo=memo, chat=name) for name in ("Ada Lovelace", "Book Club")])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
threading.stack_size(2**30)
batch = outbox.send_all(plan, workers=4)
print(threading.active_count(), batch.is_done, [send.status for send in batch])
print([send.status for send in outbox.refresh(batch.results())])
board = linq_nb.StatusBoard(outbox)
print(board.is_running, board.error)
outbox.demo.advance(seconds=300)
print([send.status for send in outbox.watch(timeout=0)])
board = linq_nb.StatusBoard(outbox, batch)
print(board.is_running, board.error, board)
form = linq_nb.SendForm(outbox)
form.choose("Grace Hopper", "Sam SMS")
form.load(sys.argv[1])
form.press()
print(form.batch, form.error, [send.status for send in form.sends], form.view["step"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory by a call of Linux")
def test_without_threads_the_rows_are_sent_and_followed_in_turn() -> None:
    command = [sys.executable, "-c", NO_THREADS, str(AUDIO / "hello.amr")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert done.stderr == ""
    sent, polled, board, followed, settled, form = done.stdout.splitlines()
    assert sent == "1 True ['queued', 'queued']"
    assert (polled, followed) == ("['queued', 'queued']", "['read', 'sent']")
    assert board.startswith("False this shows one look only: no thread can be started here")
    assert settled.startswith("False None StatusBoard(DEMO, 2 of 2 settled")
    assert form == "None None ['queued', 'queued'] follow"


def test_an_interrupt_while_a_batch_begins_stops_it(
    demo: Demo, memo: VoiceMemo, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = connect()
    drafts = customers(demo, memo, 40)
    outbox.send(memo, drafts[0].chat_id)
    plan = outbox.plan(drafts)
    demo.slow_next(0.3, times=40)
    begin = threading.Thread.start

    def begun(thread: threading.Thread) -> None:
        begin(thread)
        if thread.name.startswith("linq_nb batch"):
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", begun)
    with pytest.raises(KeyboardInterrupt):
        outbox.send_all(plan, workers=4)
    sent = len(demo.bubbles())
    assert outbox.last_batch.stopped_by == "interrupted"
    assert outbox.last_batch.wait(timeout=HANG_S).is_done
    assert len(demo.bubbles()) <= sent + 1  # the only worker that began may have been about to send


@pytest.mark.parametrize("kind", ["file", "url"])
def test_two_memos_of_one_name_are_distinguished_when_their_answers_are_lost(
    demo: Demo, connect: Any, tmp_path: Path, kind: str
) -> None:
    ahead = timedelta()
    outbox = connect(timeout=30, clock=lambda: utc_now() + ahead, steady=lambda: time.time() + ahead.total_seconds())
    (chat,) = demo.add_chats(1).values()
    tones = [np.sin(np.arange(16_000) * step).astype("float32") * 0.5 for step in (0.1, 0.2)]
    never, lost = (VoiceMemo.from_samples(tone, 16_000) for tone in tones)
    if kind == "url":
        never = VoiceMemo.from_url(f"https://files.example.com/1/{lost.filename}")
    assert never.filename == lost.filename
    for how, memo in ((demo.reset_next, never), (demo.lose_next_answer, lost)):
        how()
        with pytest.raises(linq_nb.OutcomeUnknown):
            outbox.send(memo, chat)
    ahead = timedelta(minutes=2)
    demo.advance(minutes=2)
    results = {send.content: (send.reconcile_result, send.message_id is None) for send in outbox.reconcile()}
    assert results == {never.content: ("not_found", True), lost.content: ("found", False)}
    (message,) = demo.memos(chat)
    assert message["sha256"] == lost.sha256


def test_ctrl_c_interrupts_a_join_which_can_be_called_again() -> None:
    main, door = threading.main_thread().ident or 0, threading.Event()

    def interrupt_and_go_on() -> None:
        wait_for(lambda: runs(main, "join", "outbox/threads.py"))
        press_ctrl_c()
        door.wait(HANG_S)

    worker = Worker(interrupt_and_go_on, "linq_nb test")
    worker.start()
    with pytest.raises(KeyboardInterrupt):
        join([worker])
    join([worker], 0.01)
    assert not worker.ended.is_set()
    door.set()
    join([worker])
    assert worker.ended.is_set()
