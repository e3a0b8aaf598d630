"""The board follows a batch from the journal, stops by itself, and leaves the kernel and Linq alone."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances as open_widgets
from shared import customers, wait_for
from slow_linq import Door, reads

import linq_nb
from linq_nb import Draft, Outbox, StatusBoard, VoiceMemo
from linq_nb.board import Intervals
from linq_nb.demo import Demo
from linq_nb.outbox import session_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


OFTEN = Intervals(look_s=0.01, say_s=0.01, keep_s=0.01)


@pytest.fixture
def open_board() -> Iterator[Callable[..., StatusBoard]]:
    boards: list[StatusBoard] = []

    def opened(*arguments: Any, intervals: Intervals = OFTEN) -> StatusBoard:
        boards.append(StatusBoard(*arguments, intervals=intervals))
        return boards[-1]

    yield opened
    for board in boards:
        board.close()


def ask(board: StatusBoard, kind: str, **more: Any) -> dict[str, Any]:
    """Send a message as the page does; returns the answer."""
    answers: list[dict[str, Any]] = []
    board.send = lambda content, buffers=None: answers.append(content)  # type: ignore[method-assign]
    board._receive({"kind": kind, "number": 1, **more}, ())
    return answers[-1]


def rows(board: StatusBoard) -> list[list[str]]:
    return [list(row["cells"]) for row in board._page["rows"]]


def table(board: StatusBoard) -> str:
    return "\n".join(" | ".join(cells) for cells in rows(board))


def test_board_follows_a_batch_from_waiting_to_delivered(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox], open_board: Callable[..., StatusBoard]
) -> None:
    door = threading.Event()
    outbox = connect(transport=Door(demo, path="/voicememo", on=lambda number: number > 3 and wait_for(door.is_set)))
    plan = outbox.plan(customers(demo, memo, 8))
    board = open_board(outbox)
    batch = outbox.send_all(plan, workers=1)
    wait_for(lambda: "3 queued" in board.line() and "waiting" in board.line())
    wait_for(lambda: board._head["is_sending"])  # drawn after the line has its counts
    assert not board._head["is_stopping"]
    door.set()
    batch.wait()
    wait_for(lambda: "8 queued" in board.line())
    assert board.is_running
    demo.advance(seconds=30)
    wait_for(lambda: not board.is_running)
    assert board.line().startswith("8 of 8 settled")
    assert "8 delivered" in board.record().text
    assert "ended: all is settled" in board.record().text
    assert board.error is None


def test_the_board_does_not_poll_when_all_is_settled(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    sends = [outbox.send(memo, demo.chat_ids[name]) for name in ("Book Club", "Sam SMS", "Finn Fails")]
    demo.advance(seconds=30)
    board = open_board(outbox, sends)
    wait_for(lambda: not board.is_running)
    before = len(demo.requests)
    again = open_board(outbox, sends)
    wait_for(lambda: not again.is_running)
    assert reads(demo, before) == []
    assert "3 of 3 settled" in again.line()


def test_a_webhook_updates_the_board_without_a_request(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    subscription = session_of(outbox).client.create_subscription(
        "https://hooks.example/in", ["message.delivered", "message.failed"]
    )
    send = outbox.send(memo, demo.chat_ids["Grace Hopper"])
    body = f'{{"id": "{send.message_id}", "delivery_status": "queued"}}'
    demo.fail_next(200, path="/v3/messages/", body=body, times=1000)
    board = open_board(outbox)
    wait_for(lambda: "1 queued" in board.line())
    demo.advance(seconds=30)
    for delivery in demo.deliveries():
        outbox.ingest(delivery.body, delivery.headers, secret=subscription.signing_secret)
    wait_for(lambda: not board.is_running)
    assert "1 delivered" in board.line()


def test_the_reason_of_a_failure_comes_by_webhook(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    subscription = session_of(outbox).client.create_subscription("https://hooks.example/in", ["message.failed"])
    outbox.send(memo, demo.chat_ids["Finn Fails"])
    demo.advance(seconds=30)
    for delivery in demo.deliveries():
        outbox.ingest(delivery.body, delivery.headers, secret=subscription.signing_secret)
    board = open_board(outbox, outbox.sends())
    wait_for(lambda: not board.is_running)
    assert "4001" in table(board)
    assert "Message send failed" in table(board)


def test_sending_is_stopped_on_the_board(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox], open_board: Callable[..., StatusBoard]
) -> None:
    stopped = threading.Event()
    outbox = connect(transport=Door(demo, path="/voicememo", on=lambda number: number > 3 and wait_for(stopped.is_set)))
    batch = outbox.send_all(outbox.plan(customers(demo, memo, 30)), workers=1)
    board = open_board(outbox)
    wait_for(lambda: "queued" in board.line())
    ask(board, "stop sending")
    stopped.set()
    batch.wait()
    assert batch.stopped_by == "stopped on the board"
    wait_for(lambda: "not_sent" in board.line() and not board._head["is_sending"])
    assert sum(demo.bubbles().values()) <= 4
    ask(board, "stop watching")
    wait_for(lambda: not board.is_running)
    assert "ended: stopped on the board" in board.record().text


def test_a_fault_is_shown_and_the_poll_repeated(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.advance(seconds=30)
    demo.refuse_next(times=3, path="/v3/messages/")
    board = open_board(outbox)
    wait_for(lambda: board.error is not None)
    wait_for(lambda: "check the network" in board._error)
    demo.advance(seconds=10)
    wait_for(lambda: not board.is_running)
    assert board.error is None
    assert board._error == ""
    assert "1 delivered" in board._words


def test_a_refused_key_ends_the_board(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.advance(seconds=30)
    demo.fail_next(401, 2004, times=1000, path="/v3/messages/")
    board = open_board(outbox)
    wait_for(lambda: not board.is_running)
    assert "401/2004" in board._error
    assert "ended: Linq refused" in board.record().text
    assert len(reads(demo)) == 1


def test_a_send_past_the_horizon_is_unconfirmed_and_the_board_ends(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    send = outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.fail_next(200, path="/v3/messages/", times=100, body=f'{{"id": "{send.message_id}"}}')
    demo.advance(hours=2)
    board = open_board(outbox)
    wait_for(lambda: not board.is_running)
    assert board.line().endswith("1 unconfirmed")
    assert "ended: nothing more to ask for" in board.record().text
    assert reads(demo) == ["one"]


def test_the_outbox_ends_its_boards_before_the_journal_closes(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox], open_board: Callable[..., StatusBoard]
) -> None:
    requested = threading.Event()
    boards: list[StatusBoard] = []

    def hold(number: int) -> None:
        requested.set()
        wait_for(lambda: boards and "the outbox was closed" in boards[0].record().text)

    outbox = connect(transport=Door(demo, on=hold))
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.advance(seconds=3)
    board = open_board(outbox)
    boards.append(board)
    wait_for(requested.is_set)
    outbox.close()
    assert not board.is_running
    assert board.error is None
    assert "ended: the outbox was closed" in board.record().text


def test_close_leaves_no_thread_and_no_widget(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    before = set(open_widgets)
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    board = StatusBoard(outbox)
    board.close()
    board.close()
    open_now = [open_widgets[model_id] for model_id in set(open_widgets) - before]
    assert {type(widget).__name__ for widget in open_now} <= {"Layout"}
    assert not [thread for thread in threading.enumerate() if "linq_nb board" in thread.name]


def test_names_are_text_and_handles_are_masked(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    ada = demo.chat_ids["Ada Lovelace"]
    demo._state.chats[ada].name = HOSTILE
    outbox.send(memo, outbox.chat(ada))
    demo.advance(seconds=30)
    board = open_board(outbox)
    wait_for(lambda: not board.is_running)
    shown = board.record().html
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown
    detail = ask(board, "open", send_id=board._page["rows"][0]["id"])
    state = str([board._head, board._page, board._words, detail])
    assert "2025550111" not in shown + board.record().text + repr(board) + state


def finished(
    open_board: Callable[..., StatusBoard], outbox: Outbox, demo: Demo, memo: VoiceMemo, *names: str
) -> StatusBoard:
    """Send a memo to the chats of these names, and return the board after its last poll."""
    rows = [Draft(memo=memo, chat=demo.chat_ids[name]) for name in names]
    outbox.send_all(outbox.plan(rows)).wait()
    demo.advance(seconds=30)
    board = open_board(outbox)
    wait_for(lambda: not board.is_running)
    return board


def test_rows_that_cannot_be_sent_are_on_the_board(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    board = finished(open_board, outbox, demo, memo, "Book Club", "Kim Opted Out", "Book Club")
    assert board.line().endswith(": 1 sent, 1 not_sent")
    assert "opted out" in table(board)


def test_an_unclear_send_is_not_counted_as_settled(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    board = finished(open_board, outbox, demo, memo, "Book Club", "Lou Lost Answer")
    assert board.line().startswith("1 of 2 settled")
    assert "outbox.reconcile()" in table(board)


def test_a_long_board_shows_the_rows_that_need_attention(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    chats = [*demo.add_chats(60).values(), demo.chat_ids["Finn Fails"]]
    sends = [outbox.send(memo, chat_id) for chat_id in chats]
    demo.advance(seconds=30)
    board = open_board(outbox, sends)
    wait_for(lambda: not board.is_running)
    assert board.line().endswith("60 delivered, 1 failed")
    assert rows(board)[0][0].startswith("Finn Fails")
    assert board._page["total"] == 61
    assert board.record().text.splitlines()[1].startswith("failed     Finn Fails")
    assert "and 11 more" in board.record().text


def test_the_page_chooses_sorts_turns_opens_and_acts(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    names = ("Ada Lovelace", "Book Club", "Kim Opted Out", "Lou Lost Answer")
    drafts_ = [Draft(memo=memo, chat=demo.chat_ids[name]) for name in names]
    outbox.send_all(outbox.plan([*drafts_, *customers(demo, memo, 30)]), workers=1).wait()
    demo.advance(seconds=40)
    board = open_board(outbox)
    wait_for(lambda: not board.is_running)
    assert [cells[1] for cells in rows(board)[:3]] == ["not_sent", "unknown", "sent"]
    assert [state["count"] for state in board._head["states"]] == [31, 1, 1, 1]
    assert (len(rows(board)), board._page["total"]) == (25, 34)
    ask(board, "page", offset=25)
    assert len(rows(board)) == 9
    ask(board, "page", offset=10**9)
    assert board._page["offset"] == 25
    ask(board, "sort", column="to", descending=True)
    assert rows(board) == sorted(rows(board), key=lambda cells: cells[0].casefold(), reverse=True)
    assert board._page["offset"] == 0
    ask(board, "choose", state="unknown")
    assert [cells[0] for cells in rows(board)] == ["Lou Lost Answer · +1•••••0123"]
    send_id = board._page["rows"][0]["id"]
    detail = ask(board, "open", send_id=send_id)
    assert [action["name"] for action in detail["actions"]] == ["reconcile", "resolve sent", "resolve not_sent"]
    ask(board, "act", send_id=send_id, action="resolve sent", reason="seen on the phone")
    assert (rows(board), board._head["total"]) == ([], 34)
    assert {state["word"] for state in board._head["states"]} == {"delivered", "sent", "not_sent"}
    assert "not known; nothing was changed" in ask(board, "dance")["why"]
    assert "not on the board" in ask(board, "open", send_id="none")["why"]


def test_a_board_that_is_opened_late_shows_the_present_state_at_once(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    board = open_board(outbox, intervals=Intervals(look_s=3600.0))
    assert "1 queued" in board.record().text
    assert "nothing to follow" not in board.record().text
    assert rows(board)[0][0].startswith("Grace Hopper")


def test_the_remaining_time_is_estimated_from_the_sending(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox], open_board: Callable[..., StatusBoard]
) -> None:
    door = threading.Event()

    def slow(number: int) -> None:
        if number == 1:
            wait_for(lambda: board._head["is_sending"])  # the pace is counted from the board's first look
        demo.advance(seconds=10)
        if number > 4:
            wait_for(door.is_set)

    outbox = connect(transport=Door(demo, path="/voicememo", on=slow))
    plan = outbox.plan(customers(demo, memo, 8))
    board = open_board(outbox)
    batch = outbox.send_all(plan, workers=1)
    wait_for(lambda: board._head["left"])
    assert board._head["left"].startswith("about ")
    assert board._head["left"].endswith(" left to send")
    door.set()
    batch.wait()
    demo.advance(seconds=60)
    wait_for(lambda: not board.is_running)
    assert board._head["left"] == ""


def test_a_screen_reader_does_not_speak_every_second(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    sends = [outbox.send(memo, chat_id) for chat_id in demo.add_chats(5).values()]
    board = open_board(outbox, sends, intervals=dataclasses.replace(OFTEN, say_s=3600.0))
    wait_for(lambda: board._words)
    spoken: list[str] = []
    board.observe(lambda change: spoken.append(change["new"]), "_words")
    for seconds in range(2, 14, 2):
        demo.advance(seconds=2)
        wait_for(lambda: f"after 0:{seconds:02}" in board.line() or not board.is_running)  # noqa: B023  called at once
    wait_for(lambda: not board.is_running)
    assert len(spoken) == 1
    assert "ended: all is settled" in spoken[0]


def test_in_the_demo_time_goes_on_while_a_board_is_open(
    memo: VoiceMemo, open_board: Callable[..., StatusBoard]
) -> None:
    """Otherwise its clock would stand still, and nothing would be delivered."""
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.send(memo, "Book Club")
        before, began = outbox.demo.now(), time.monotonic()
        board = open_board(outbox, intervals=Intervals(look_s=0.1))
        wait_for(lambda: not board.is_running)
        assert board.line().startswith("1 of 1 settled")
        assert 2 <= (outbox.demo.now() - before).total_seconds() <= time.monotonic() - began
