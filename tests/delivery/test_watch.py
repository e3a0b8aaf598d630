"""A watch polls until all is settled or the time is over, and ends as one static output."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from shared import ROOT, executed
from slow_linq import Door, press_ctrl_c, reads

import linq_nb
from linq_nb import AuthenticationError, LinqError, NotSent, Outbox, Send, SettingsError, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.outbox import session_of


def test_a_watch_ends_when_all_are_settled(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    for name in ("Ada Lovelace", "Book Club", "Finn Fails"):
        outbox.send(memo, demo.chat_ids[name])
    began = demo.now()
    watched = outbox.watch()
    assert [send.status for send in watched] == ["delivered", "sent", "failed"]
    assert demo.now() - began < timedelta(seconds=20)
    assert outbox.last_watch is watched
    assert list(watched.frame()["status"]) == ["delivered", "sent", "failed"]
    assert repr(watched).startswith("3 of 3 settled after 0:")


def stay_sent(demo: Demo, send: Send) -> None:
    """Let the next 100 reads of a message say that it is sent, and nothing more."""
    body = f'{{"id": "{send.message_id}", "delivery_status": "sent"}}'
    demo.fail_next(200, path="/v3/messages/", body=body, times=100)


def test_a_watch_polls_after_2_7_17_37_and_77_seconds_and_at_the_end(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    """A message that stays as it is: Zoe's phone is off."""
    send = outbox.send(memo, demo.chat_ids["Zoe Zero Retention"])
    stay_sent(demo, send)
    (now,) = outbox.watch(send, timeout=120)
    polls = [event.at for event in outbox.history(send) if event.source == "poll"]
    began = send.accepted_at
    assert began is not None
    assert [round((at - began).total_seconds()) for at in polls] == [2, 7, 17, 37, 77, 120]
    assert now.status == "sent"
    assert "the time is over; 1 still open" in repr(outbox.last_watch)


def test_a_watch_without_time_polls_once(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, demo.chat_ids["Ada Lovelace"])
    before = len(demo.requests)
    outbox.watch(timeout=0)
    assert reads(demo, before) == ["one"]


def test_a_watch_without_open_sends_makes_no_request(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    before = len(demo.requests)
    assert list(outbox.watch()) == []
    assert len(demo.requests) == before


def test_a_send_past_the_horizon_is_unconfirmed_and_never_called_failed(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    send = outbox.send(memo, demo.chat_ids["Grace Hopper"])
    stay_sent(demo, send)
    demo.advance(hours=2)
    began = demo.now()
    watched = outbox.watch(horizon="1h")
    assert demo.now() == began
    assert watched.unconfirmed == {send.send_id}
    assert watched[0].status == "sent"
    assert "unconfirmed" in repr(watched)
    assert "it may have arrived" in repr(watched)
    assert "failed" not in repr(watched)


def test_a_webhook_in_between_ends_a_watch(demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]) -> None:
    """Statuses recorded by another notebook count: the journal is read again, not only Linq."""
    other = connect()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        demo.sleep(seconds)
        slept.append(seconds)
        if sum(slept) >= 7:
            other.refresh()

    outbox = connect(sleep=sleep)
    send = outbox.send(memo, demo.chat_ids["Grace Hopper"])
    body = f'{{"id": "{send.message_id}", "delivery_status": "queued"}}'
    demo.fail_next(200, path="/v3/messages/", body=body, times=2)
    outbox.watch()
    assert max(slept) <= 5
    polls = [event.status for event in outbox.history(send) if event.source == "poll"]
    assert polls == ["queued", "queued", "delivered"]


def test_an_interrupt_keeps_the_statuses_read_before_it_and_is_raised_again(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]
) -> None:
    outbox = connect(transport=Door(demo, on=lambda number: press_ctrl_c() if number == 4 else None))
    for name in ("Grace Hopper", "Ada Lovelace", "Fay Fails Then Delivers"):
        outbox.send(memo, demo.chat_ids[name])
    with pytest.raises(KeyboardInterrupt):
        outbox.watch()
    assert outbox.last_watch is not None
    assert [send.status for send in outbox.last_watch] == [send.status for send in outbox.sends()]
    assert "interrupted; what was learnt is in the journal" in repr(outbox.last_watch)
    assert "sent" in {send.status for send in outbox.sends()}


def test_a_watch_polls_again_after_a_temporary_fault(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.refuse_next(times=3, path="/v3/messages/")
    assert [send.status for send in outbox.watch()] == ["delivered"]


def test_a_lasting_fault_is_raised_when_the_time_is_over(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.refuse_next(times=1000, path="/v3/messages/")
    began = demo.now()
    with pytest.raises(NotSent):
        outbox.watch(timeout=60)
    assert timedelta(seconds=60) <= demo.now() - began < timedelta(seconds=70)
    assert [send.status for send in outbox.last_watch or ()] == ["queued"]


def test_a_refused_key_ends_a_watch_at_once(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, demo.chat_ids["Grace Hopper"])
    demo.fail_next(401, 2004, times=1000, path="/v3/messages/")
    began = demo.now()
    with pytest.raises(AuthenticationError):
        outbox.watch()
    assert demo.now() - began < timedelta(seconds=5)


@pytest.mark.parametrize("timeout", [-1, "120", None, True, float("nan")])
def test_timeout_is_a_number_of_seconds(outbox: Outbox, timeout: Any) -> None:
    with pytest.raises(LinqError, match="timeout is a number of seconds"):
        outbox.watch(timeout=timeout)
    with pytest.raises(SettingsError, match="a horizon is a length of time"):
        outbox.watch(horizon="soon")


def test_a_watch_of_the_demo_is_the_same_each_time(memo: VoiceMemo) -> None:
    runs = []
    for _ in range(2):
        with linq_nb.connect(demo=True, fresh=True) as outbox:
            for name in ("Ada Lovelace", "Book Club", "Fay Fails Then Delivers", "Rosa RCS"):
                outbox.send(memo, outbox.demo.chat_ids[name])
            watched, paths = repr(outbox.watch()), [request.path for request in outbox.demo.requests]
            runs.append((watched, session_of(outbox).now(), paths))
    assert runs[0] == runs[1]


# --- in a notebook ---

SETUP = """import linq_nb
from linq_nb import VoiceMemo
outbox = linq_nb.connect(demo=True)
memo = VoiceMemo.from_file(linq_nb.demo.sample("hello.amr"))
for chat in ("Ada Lovelace", "Book Club"):
    outbox.send(memo, chat)
None"""
SLOWLY = """import time
demo = outbox.demo
def sleep(seconds):
    time.sleep(0.3)
    demo.sleep(seconds)
outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, transport=demo.transport(),
                         journal=":memory:", clock=demo.now, sleep=sleep)
send = outbox.send(memo, demo.chat_ids["Fay Fails Then Delivers"])
demo.fail_next(200, path="/v3/messages/", body='{"id": "%s", "delivery_status": "sent"}' % send.message_id, times=5)
"""
INTERRUPTED = """import os, signal
from linq_nb.outbox import session_of
quiet = session_of(outbox).throttle.pause
def rest(seconds):
    quiet(seconds)
    os.kill(os.getpid(), signal.SIGINT)
session_of(outbox).throttle.pause = rest
outbox.watch()"""


def run(*cells: str, fails: bool = False) -> list[Any]:
    """Run cells as `jupyter execute` does; returns the outputs of each, as they would be saved."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    with pytest.raises(CellExecutionError) if fails else contextlib.nullcontext():
        executed(book, ROOT)
    return [cell.outputs for cell in book.cells]


def texts(outputs: list[Any]) -> list[str]:
    return ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]


@pytest.mark.thorough
def test_a_watch_in_a_notebook_ends_as_one_static_output_with_a_plain_twin() -> None:
    _, shown, again, live = run(SETUP, "watched = outbox.watch()\nwatched", "watched", SLOWLY + "outbox.watch()")
    for outputs, words in ((shown, "2 of 2 settled"), (again, "2 of 2 settled"), (live, "1 of 1 settled")):
        (text,) = texts(outputs)
        assert text.startswith(words)
        assert "Ada Lovelace" in outputs[0]["data"]["text/html"] or "Fay" in outputs[0]["data"]["text/html"]
        assert "model_id" not in str(outputs)


def test_an_interrupted_table_stays_as_it_was() -> None:
    outputs = run(SETUP, INTERRUPTED, fails=True)[1]
    table, error = outputs
    assert "interrupted; what was learnt is in the journal" in texts([table])[0]
    assert error["ename"] == "KeyboardInterrupt"
