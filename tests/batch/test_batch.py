"""A batch sends each row once, through failures, interrupts and restarts, and ends every row as a Send."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from shared import HANG_S, customers, wait_for

import linq_nb
from linq_nb import BadDraft, Draft, LinqError, Outbox, Plan, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.outbox import attempt, session_of
from linq_nb.outbox.threads import join


def test_every_row_ends_as_a_send_in_plan_order(memo: VoiceMemo) -> None:
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        drafts: list[Draft | BadDraft] = [Draft(memo=memo, chat=name) for name in outbox.demo.chat_ids]
        drafts += [BadDraft(chat="Ada", audio="x.ogg", why="this is Ogg/Opus"), drafts[0]]
        plan = outbox.plan(drafts)
        batch = outbox.send_all(plan, workers=4, stop_after=0)
        sends = list(batch)
        assert [send.chat_id for send in sends[:-2]] == list(outbox.demo.chat_ids.values())
        assert sends[-2].status == "not_sent"
        assert sends[-2].error_message == "this is Ogg/Opus"
        assert sends[-1].repeated
        assert sends[-1].message_id == sends[0].message_id
        assert len(batch.frame()) == len(plan) == len(batch)
        assert set(outbox.demo.bubbles().values()) == {1}


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_outcome_does_not_depend_on_the_number_of_workers(workers: int, memo: VoiceMemo) -> None:
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.demo.faults(lost=0.2, error_after_accept=0.1, rate_limit=0.2, slow=0.1)
        plan = outbox.plan(customers(outbox.demo, memo, 40))
        sends = list(outbox.send_all(plan, workers=workers, stop_after=0))
    outcomes = [(send.status, send.message_id, send.posted_at, send.accepted_at, send.trace_id) for send in sends]
    assert hash(tuple(outcomes)) == _REFERENCE.setdefault("outcomes", hash(tuple(outcomes)))
    assert {send.status for send in sends} == {"queued", "unknown"}


_REFERENCE: dict[str, int] = {}


def test_a_file_is_uploaded_once_for_all_rows(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    outbox.send_all(outbox.plan(customers(demo, memo, 30)), workers=16).wait()
    assert sum(request.method == "PUT" for request in demo.requests) == 1
    assert len(demo.bubbles()) == 30


def test_the_same_plan_again_sends_nothing(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    drafts, outbox = customers(demo, memo, 10), connect()
    plan = outbox.plan(drafts)
    first, again = list(outbox.send_all(plan)), list(outbox.send_all(plan))
    assert [send.message_id for send in first] == [send.message_id for send in again]
    assert all(send.repeated for send in again)
    assert set(demo.bubbles().values()) == {1}


def test_two_notebooks_with_one_journal_share_the_rows(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    drafts = customers(demo, memo, 40)
    plans: list[tuple[Outbox, Plan]] = [(outbox, outbox.plan(drafts)) for outbox in (connect(), connect())]
    batches = [outbox.send_all(plan, workers=4) for outbox, plan in plans]
    sends = [list(batch) for batch in batches]
    assert [send.message_id for send in sends[0]] == [send.message_id for send in sends[1]]
    assert set(demo.bubbles().values()) == {1}
    assert len(demo.bubbles()) == 40


def test_a_stopped_batch_sends_its_remaining_rows_when_run_again(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    drafts, outbox = customers(demo, memo, 30), connect()
    batch = outbox.send_all(outbox.plan(drafts), workers=2)
    batch.stop("enough")
    batch.wait()
    bubbles = len(demo.bubbles())
    assert {send.status for send in batch.results()} <= {"queued", "not_sent"}
    assert "stopped: enough" in batch.line()
    later = connect()
    plan = later.plan(drafts)
    assert plan.counts["send"] == 30 - bubbles
    later.send_all(plan).wait()
    assert len(demo.bubbles()) == 30
    assert set(demo.bubbles().values()) == {1}


def test_failures_in_a_row_stop_the_batch(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    drafts, outbox = customers(demo, memo, 30), connect()
    plan = outbox.plan(drafts)
    demo.refuse_next(times=1000)
    batch = outbox.send_all(plan, workers=1, stop_after=3).wait()
    assert [send.status for send in batch.results()] == ["not_sent"] * 30
    assert len(outbox.sends()) == 3
    assert "3 failures in a row" in batch.line()


def test_an_interrupt_stops_the_batch_and_is_raised_again(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    """Ctrl-C arrives in the waiting thread; requests under way are recorded, and no other row starts."""
    drafts, outbox = customers(demo, memo, 30), connect()

    def tick(batch: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outbox.send_all(outbox.plan(drafts), workers=2).wait(tick=tick)
    assert outbox.last_batch is not None
    assert outbox.last_batch.stopped_by == "interrupted"
    assert {send.status for send in outbox.sends()} <= {"queued"}
    assert len(outbox.last_batch.results()) <= 30
    outbox.send_all(outbox.plan(drafts)).wait()
    assert set(demo.bubbles().values()) == {1}
    assert len(demo.bubbles()) == 30


def test_closing_the_outbox_stops_its_batch(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    """Requests under way are recorded before the journal closes, and nothing is sent afterwards."""
    outbox = connect()
    batch = outbox.send_all(outbox.plan(customers(demo, memo, 40)), workers=2)
    outbox.close()
    bubbles = sum(demo.bubbles().values())
    assert "stopped: the outbox was closed" in batch.line() or batch.is_done
    assert sum(send.status == "queued" for send in batch.results()) == bubbles == sum(demo.bubbles().values())
    assert not [thread for thread in threading.enumerate() if "linq_nb batch" in thread.name]


def test_a_batch_leaves_no_thread(demo: Demo, memo: VoiceMemo, connect: Any) -> None:
    outbox = connect()
    outbox.send_all(outbox.plan(customers(demo, memo, 8)), workers=8).wait()
    assert not [thread for thread in threading.enumerate() if "linq_nb batch" in thread.name]


class Faulty(httpx.BaseTransport):
    """Passes requests on; the first memo raises an unexpected error, before or after it was sent."""

    def __init__(self, demo: Demo, after: bool) -> None:
        self._inner, self._after, self._memos = demo.transport(), after, itertools.count()
        self._both, self.go_on = threading.Barrier(2), threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/voicememo"):
            return self._inner.handle_request(request)
        is_first = next(self._memos) == 0
        self._both.wait(HANG_S)
        if is_first and not self._after:
            raise ZeroDivisionError("no such number")
        if not is_first:
            self.go_on.wait(HANG_S)
        answer = self._inner.handle_request(request)
        if is_first:
            raise ZeroDivisionError("no such number")
        return answer


@pytest.mark.parametrize("after", [False, True])
def test_an_unexpected_error_in_one_worker_ends_every_row_once(
    demo: Demo, memo: VoiceMemo, connect: Any, after: bool
) -> None:
    """The other worker must not end the row of the failed worker again: the batch would never count as done."""
    transport = Faulty(demo, after)
    outbox = connect(transport=transport)
    batch = outbox.send_all(outbox.plan(customers(demo, memo, 10)), workers=2)
    wait_for(lambda: len(batch.results()) >= 9)
    transport.go_on.set()
    with pytest.raises(ZeroDivisionError):
        batch.wait(HANG_S)
    join(batch._threads, HANG_S)
    assert (batch.done, batch.is_done) == (10, True)
    statuses = Counter(send.status for send in batch.results())
    assert statuses == {"unknown": 1, "queued": 1, "not_sent": 8}, "of the first nobody knows whether it left"
    assert sum(demo.bubbles().values()) == (2 if after else 1)


def test_an_earlier_send_is_reported_although_its_chat_cannot_be_read(
    demo: Demo, memo: VoiceMemo, connect: Any
) -> None:
    drafts = customers(demo, memo, 3)
    connect().send_all(connect().plan(drafts[:2]), workers=1).wait()
    demo.fail_next(403, times=50, path="/v3/chats")
    outbox = connect()
    plan = outbox.plan(drafts)
    assert [row.verdict for row in plan.rows] == ["already_sent", "already_sent", "refused"]
    done = list(outbox.send_all(plan, workers=1))
    assert [(send.status, send.repeated) for send in done] == [("queued", True), ("queued", True), ("not_sent", False)]


@pytest.mark.parametrize("stopped_by", ["a chat that cannot be read", "an opt-out"])
def test_a_memo_that_a_dead_notebook_may_have_sent_is_never_called_not_sent(
    stopped_by: str, demo: Demo, memo: VoiceMemo, connect: Any
) -> None:
    (draft,) = customers(demo, memo, 1)
    dead = connect()
    wanted = dataclasses.replace(
        session_of(dead).wanted(draft), status="sending", posted_at=session_of(dead).now(), attempts=1
    )
    assert session_of(dead).journal.claim(wanted, memo.names, "a notebook that died")[2] == "send"
    outbox = connect(steady=lambda: time.time() + 3600)
    if stopped_by == "an opt-out":
        demo.receive(draft.chat_id, "STOP")
    else:
        demo.fail_next(403, times=50, path="/v3/chats")
    plan = outbox.plan([draft])
    assert [row.verdict for row in plan.rows] == ["unclear"]
    (done,) = outbox.send_all(plan, workers=1)
    assert done.status == "unknown"
    assert "outbox.resolve(send" in str(done.error_message)
    assert demo.bubbles() == {}


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, 1000, "4"])
def test_workers_is_a_sensible_number(workers: Any, memo: VoiceMemo) -> None:
    with linq_nb.connect(demo=True, fresh=True) as outbox, pytest.raises(LinqError, match="whole number from 1 to 256"):
        outbox.send_all(outbox.plan([Draft(memo=memo, chat="Ada Lovelace")]), workers=workers)


# --- an answer is written before anything else is done ---


def refusing(outbox: Outbox, step: str, row: Any) -> None:
    """Let the journal refuse one step of one row, as a full disk would."""
    with session_of(outbox).journal.database.write() as db:
        db.exec_driver_sql(
            f"CREATE TRIGGER refusing BEFORE {step} ON sends WHEN NEW.chat_id = '{row.draft.chat_id}' AND "
            f"NEW.status = '{'preparing' if step == 'INSERT' else 'queued'}' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


def test_a_claim_that_cannot_be_written_fails_its_own_row_only(
    demo: Demo, connect: Callable[..., Outbox], memo: VoiceMemo
) -> None:
    outbox = connect()
    outbox.send(memo, next(iter(demo.chat_ids.values())))  # so that nothing is left to upload
    plan = outbox.plan([Draft(memo=memo, chat=outbox.chat(draft.chat_id)) for draft in customers(demo, memo, 4)])  # type: ignore[arg-type]
    refusing(outbox, "INSERT", plan.rows[1])
    sends = list(outbox.send_all(plan, workers=1))
    assert [send.status for send in sends] == ["queued", "not_sent", "queued", "queued"]
    assert "nothing was sent" in str(sends[1].error_message)
    assert [demo.bubbles(row.draft.chat_id) for row in plan.rows] == [1, 0, 1, 1]  # type: ignore[union-attr]
    stored = session_of(outbox).journal.get_many([send.send_id for send in sends])
    assert {stored[send.send_id].status for send in sends if send.status == "queued"} == {"queued"}
    assert [len(outbox.history(send)) for send in sends] == [1, 0, 1, 1]


def test_an_answer_that_cannot_be_written_is_unknown_and_the_next_row_goes_out(
    demo: Demo, connect: Callable[..., Outbox], memo: VoiceMemo
) -> None:
    outbox = connect()
    outbox.send(memo, next(iter(demo.chat_ids.values())))
    plan = outbox.plan([Draft(memo=memo, chat=outbox.chat(draft.chat_id)) for draft in customers(demo, memo, 3)])  # type: ignore[arg-type]
    refusing(outbox, "UPDATE OF status", plan.rows[0])
    sends = list(outbox.send_all(plan, workers=1))
    assert [send.status for send in sends] == ["unknown", "queued", "queued"]
    assert "do not send it again" in str(sends[0].error_message)
    assert [demo.bubbles(row.draft.chat_id) for row in plan.rows] == [1, 1, 1]  # type: ignore[union-attr]
    assert session_of(outbox).journal.get_many([sends[0].send_id])[sends[0].send_id].status == "sending"


def test_the_last_answer_is_written_before_a_row_that_sends_nothing(
    demo: Demo, connect: Callable[..., Outbox], memo: VoiceMemo
) -> None:
    outbox = connect()
    first, second = customers(demo, memo, 2)
    sent = attempt.send(session_of(outbox), second)
    drafts: list[Draft | BadDraft] = [first, first, BadDraft(chat="x", audio="y", why="no file"), second]
    sends = list(outbox.send_all(outbox.plan(drafts), workers=1))
    assert [(send.status, send.repeated) for send in sends] == [
        ("queued", False), ("queued", True), ("not_sent", False), (sent.status, True)
    ]  # fmt: skip
