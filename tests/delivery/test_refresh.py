"""Refresh polls the sends that may still change: several at once, in few requests; a bad answer affects one send."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from shared import wait_for
from slow_linq import Door, press_ctrl_c, reads, runs

import linq_nb
from linq_nb import (
    ApiError,
    AuthenticationError,
    LinqError,
    NotSent,
    Outbox,
    PreflightError,
    RateLimitError,
    Send,
    VoiceMemo,
)
from linq_nb.clocks import utc_now
from linq_nb.demo import Demo

SETTLED = {
    "Ada Lovelace": "read", "Grace Hopper": "delivered", "Book Club": "sent", "Sam SMS": "sent",
    "Drew Downgraded": "sent", "Rosa RCS": "read", "Finn Fails": "failed",
}  # fmt: skip
"""The status of a memo in each chat after some minutes; groups and SMS give no receipts."""


def send_to(outbox: Outbox, demo: Demo, memo: VoiceMemo, names: Any) -> dict[str, Send]:
    return {name: outbox.send(memo, demo.chat_ids[name]) for name in names}


def customers(outbox: Outbox, demo: Demo, memo: VoiceMemo, number: int) -> list[Send]:
    return [outbox.send(memo, chat_id) for chat_id in demo.add_chats(number).values()]


def test_a_send_in_every_kind_of_chat_is_followed_to_its_final_status(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    send_to(outbox, demo, memo, SETTLED)
    demo.advance(minutes=10)
    outbox.refresh()
    assert {send.chat_name or "": send.status for send in outbox.sends()} == SETTLED
    before = len(demo.requests)
    assert outbox.refresh() == []
    assert [send.status for send in outbox.refresh(outbox.sends())] == list(SETTLED.values())
    assert reads(demo, before) == []


def test_the_service_of_the_message_counts_and_not_that_of_the_chat(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    """A memo that went by SMS after all is settled when it is sent."""
    (sent,) = send_to(outbox, demo, memo, ["Drew Downgraded"]).values()
    assert sent.is_open
    demo.advance(minutes=10)
    (now,) = outbox.refresh()
    assert (now.status, now.service, now.is_open) == ("sent", "SMS", False)


def test_a_failed_send_may_be_delivered_later(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    (sent,) = send_to(outbox, demo, memo, ["Fay Fails Then Delivers"]).values()
    demo.advance(seconds=20)
    assert [send.status for send in outbox.refresh()] == ["failed"]
    demo.advance(minutes=5)
    assert outbox.refresh() == []
    assert [send.status for send in outbox.refresh(sent)] == ["failed"]
    assert [send.status for send in outbox.refresh(sent, settled=True)] == ["delivered"]
    assert [event.status for event in outbox.history(sent)] == ["queued", "failed", "delivered"]


def test_refreshing_settled_sends_too_finds_read_receipts(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    send_to(outbox, demo, memo, ["Ada Lovelace", "Grace Hopper"])
    demo.advance(seconds=10)
    assert {send.status for send in outbox.refresh()} == {"delivered"}
    demo.advance(minutes=10)
    assert sorted(send.status for send in outbox.refresh(settled=True)) == ["delivered", "read"]


def test_a_message_that_linq_no_longer_has_is_expired_and_not_polled_again(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    demo.limits.retention = timedelta(hours=24)
    (sent,) = send_to(outbox, demo, memo, ["Ada Lovelace"]).values()
    demo.advance(hours=25)
    (now,) = outbox.refresh()
    assert (now.status, now.delivered_at) == ("expired", None)
    event = outbox.history(sent)[-1]
    assert (event.status, event.http_status, event.body["error"]["code"]) == ("expired", 404, 2002)
    before = len(demo.requests)
    outbox.refresh()
    assert reads(demo, before) == []


def test_a_message_that_linq_recovered_later_keeps_its_times(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    """``reconciled_at`` stays in the history; the send gets its other times."""
    (sent,) = send_to(outbox, demo, memo, ["Grace Hopper"]).values()
    times = {"sent_at": "2026-03-02T09:00:01Z", "reconciled_at": "2026-03-02T12:00:00Z"}
    message = {"id": sent.message_id, "delivery_status": "sent", **times}
    demo.advance(hours=4)
    demo.fail_next(200, path="/v3/messages/", body=json.dumps(message))
    (now,) = outbox.refresh()
    assert (now.status, now.sent_at and now.sent_at.hour) == ("sent", 9)
    assert outbox.history(sent)[-1].body["reconciled_at"] == times["reconciled_at"]


def test_an_unknown_status_of_linqs_is_kept_and_polled_again(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    (sent,) = send_to(outbox, demo, memo, ["Grace Hopper"]).values()
    body = json.dumps({"id": sent.message_id, "delivery_status": "teleported"})
    demo.fail_next(200, path="/v3/messages/", body=body)
    assert [send.status for send in outbox.refresh()] == ["teleported"]
    demo.advance(minutes=1)
    assert [send.status for send in outbox.refresh()] == ["delivered"]


# --- few requests ---


def test_one_list_answers_for_all_messages_of_a_chat(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    for name, copies in (("Ada Lovelace", 25), ("Grace Hopper", 2), ("Rosa RCS", 1)):
        for copy in range(1, copies + 1):
            outbox.send(memo, demo.chat_ids[name], copy=copy)
    demo.advance(seconds=30)
    before = len(demo.requests)
    assert {send.status for send in outbox.refresh()} == {"delivered"}
    assert sorted(reads(demo, before)) == ["list", "list", "one"]
    event = outbox.history(outbox.sends()[0])[-1]
    assert (event.source, event.status, event.http_status) == ("poll", "delivered", 200)


def test_more_than_a_page_of_one_chat_is_listed_page_by_page(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    for copy in range(1, 106):
        demo.advance(seconds=3)  # 30 a minute and no more
        outbox.send(memo, demo.chat_ids["Grace Hopper"], copy=copy)
    demo.advance(seconds=30)
    before = len(demo.requests)
    assert [send.status for send in outbox.refresh()] == ["delivered"] * 105
    assert reads(demo, before) == ["list"] * 2


def test_a_message_that_a_list_does_not_have_is_read_by_itself(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    """The delay of a list is not documented, so a message that it does not have may still exist."""
    for copy in (1, 2, 3):
        demo.advance(seconds=20)
        outbox.send(memo, demo.chat_ids["Grace Hopper"], copy=copy)
    demo.limits.list_lag_s = 35
    demo.advance(seconds=10)
    before = len(demo.requests)
    assert {send.status for send in outbox.refresh()} == {"delivered"}
    assert reads(demo, before) == ["list", "one", "one"]


def test_a_chat_that_cannot_be_listed_has_its_messages_read_one_by_one(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    for copy in (1, 2):
        outbox.send(memo, demo.chat_ids["Grace Hopper"], copy=copy)
    demo.advance(seconds=30)
    demo.fail_next(409, 2013, path=f"{demo.chat_ids['Grace Hopper']}/messages")
    assert {send.status for send in outbox.refresh()} == {"delivered"}


def test_sends_of_another_linq_are_left_alone(demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]) -> None:
    """One journal may hold sends of the demo and live sends; polled at the wrong Linq, they would become expired."""
    here, other = connect(), Demo(seed=2)
    other.bind("http://127.0.0.1:9")
    send_to(here, demo, memo, ["Ada Lovelace"])
    there = connect(api_key=other.api_key, base_url=other.base_url, transport=Door(other))
    assert there.refresh() == []
    with pytest.raises(PreflightError, match=r"this send went to .*; nothing was asked or changed; use the outbox"):
        there.refresh(there.sends(), settled=True)
    assert here.sends()[0].status == "queued"
    assert here.refresh(there.sends()) == here.sends()


# --- several at once ---


def polling_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "linq_nb poll" in thread.name]


def test_a_few_reads_run_at_once_each_thread_on_its_own_connection(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]
) -> None:
    door = Door(demo, on=lambda number: number > 4 or wait_for(lambda: len(door.at) >= 4))
    outbox = connect(transport=door)
    customers(outbox, demo, memo, 20)
    demo.advance(seconds=30)
    assert {send.status for send in outbox.refresh()} == {"delivered"}
    assert door.most == 4
    assert len(door.threads) == 4
    assert not polling_threads()


def test_a_rate_limit_pauses_all_reads(demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]) -> None:
    """During a Retry-After of one second only requests under way arrive, and nothing is lost."""
    door = Door(demo, seconds=0.05)
    outbox = connect(transport=door, sleep=time.sleep, clock=utc_now)
    customers(outbox, demo, memo, 20)
    demo.advance(seconds=30)
    demo.fail_next(429, retry_after=1, path="/v3/messages/")
    outbox.refresh()
    first = door.at[0]
    assert sum(first < at < first + 1.0 for at in door.at) <= 3
    assert len(door.at) == 21
    assert {send.status for send in outbox.sends()} == {"delivered"}


# --- bad answers ---


def test_a_bad_answer_affects_its_own_send_only(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    sends = customers(outbox, demo, memo, 10)
    demo.advance(seconds=30)
    demo.fail_next(500, 3006, times=3, path=str(sends[4].message_id))
    with pytest.raises(ApiError, match=r"1 of 10 sends could not be asked for; the other 9 were.*500/3006"):
        outbox.refresh()
    assert [send.status for send in outbox.sends()] == ["delivered"] * 4 + ["queued"] + ["delivered"] * 5
    assert [send.status for send in outbox.refresh()] == ["delivered"]


@pytest.mark.parametrize(
    ("fault", "error", "most"),
    [
        ({"status": 401, "code": 2004}, AuthenticationError, 4),
        ({"status": 429, "retry_after": 7200}, RateLimitError, 4),
        ({"status": 503, "code": 4004}, ApiError, 27),
    ],
)
def test_an_error_that_every_read_would_meet_stops_the_refresh(
    outbox: Outbox, demo: Demo, memo: VoiceMemo, fault: Any, error: type[LinqError], most: int
) -> None:
    customers(outbox, demo, memo, 12)
    demo.fail_next(**fault, times=1000, path="/v3/messages/")
    before = len(demo.requests)
    with pytest.raises(error, match="12 of 12 sends could not be asked for"):
        outbox.refresh()
    assert len(reads(demo, before)) <= most
    assert {send.status for send in outbox.sends()} == {"queued"}


def test_a_network_failure_is_reported_and_changes_nothing(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    customers(outbox, demo, memo, 3)
    demo.refuse_next(times=1000, path="/v3/messages/")
    with pytest.raises(NotSent, match=r"no answer from Linq.*check the network"):
        outbox.refresh()
    assert {send.status for send in outbox.sends()} == {"queued"}


def test_an_interrupt_keeps_the_statuses_read_before_it(
    demo: Demo, memo: VoiceMemo, connect: Callable[..., Outbox]
) -> None:
    interrupted, main = threading.Event(), threading.main_thread().ident or 0

    def interrupt(*signalled: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def press(number: int) -> None:
        if number == 8:
            press_ctrl_c()
        if number >= 8:  # until the refresh has stopped and waits for the answers that are under way
            wait_for(lambda: interrupted.is_set() and runs(main, "run", "poll.py"))

    outbox = connect(transport=Door(demo, on=press))
    customers(outbox, demo, memo, 20)
    demo.advance(seconds=30)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            outbox.refresh()
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: not polling_threads())
    statuses = [send.status for send in outbox.sends()]
    assert 8 <= statuses.count("delivered") <= 11
    assert [event.status for event in outbox.history(outbox.sends()[0])] == ["queued", "delivered"]
    outbox.refresh()
    assert {send.status for send in outbox.sends()} == {"delivered"}


def test_a_refresh_trusts_the_journal_and_not_the_records_of_the_caller(
    outbox: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    (old,) = send_to(outbox, demo, memo, ["Grace Hopper"]).values()
    demo.advance(seconds=30)
    outbox.refresh()
    before = len(demo.requests)
    assert [send.status for send in outbox.refresh(old)] == ["delivered"]
    assert reads(demo, before) == []


def test_a_refresh_of_the_demo_is_the_same_each_time(memo: VoiceMemo) -> None:
    """Also with a 429 and a lost answer: the requests have one order."""
    runs = []
    for _ in range(2):
        with linq_nb.connect(demo=True, fresh=True) as outbox:
            customers(outbox, outbox.demo, memo, 12)
            outbox.demo.advance(seconds=3)
            outbox.demo.fail_next(429, retry_after=2, path="/v3/messages/")
            outbox.demo.lose_next_answer(path="/v3/messages/")
            outbox.refresh()
            runs.append([(send.status, send.checked_at, send.delivered_at) for send in outbox.sends()])
    assert runs[0] == runs[1]
