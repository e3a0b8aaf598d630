"""Rules of polling: when a send is polled, when it is unconfirmed, and how long a horizon is."""

from __future__ import annotations

import dataclasses
import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from linq_nb import Send, rules
from linq_nb.demo import Demo
from linq_nb.outbox import session_of
from linq_nb.outbox.follow import StatusPolls

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def a_send(**fields: Any) -> Send:
    given = {"send_id": "s", "base_url": "https://x", "content": "c", "chat_id": "k", "message_id": "m"}
    return Send(**{**given, "status": "queued", "accepted_at": NINE, **fields})


def after(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


def test_a_message_is_polled_at_longer_and_longer_intervals() -> None:
    send, last, times = a_send(), None, []
    for polls in range(10):
        last = rules.ask_at(send, polls, last, NINE)
        times.append((last - NINE).total_seconds())
    assert times == [2, 7, 17, 37, 77, 137, 257, 557, 857, 1157]


def test_an_old_message_is_polled_at_once() -> None:
    assert rules.ask_at(a_send(), 0, None, after(3600)) < after(3600)
    unknown = a_send(accepted_at=None)
    assert rules.ask_at(unknown, 0, None, after(3600)) == after(3600)


@pytest.mark.parametrize(
    ("fields", "now", "settled"),
    [
        ({"status": "queued"}, True, True),
        ({"status": "pending"}, True, True),
        ({"status": "teleported"}, True, True),
        ({"status": "sent"}, True, True),
        ({"status": "sent", "service": "RCS"}, True, True),
        ({"status": "sent", "is_group": True}, False, True),
        ({"status": "sent", "service": "SMS"}, False, True),
        ({"status": "delivered"}, False, True),
        ({"status": "failed"}, False, True),
        ({"status": "expired"}, False, True),
        ({"status": "read"}, False, False),
        ({"status": "rejected"}, False, False),
        ({"status": "unknown"}, False, False),
        ({"status": "queued", "message_id": None}, False, False),
    ],
)
def test_only_sends_with_a_status_that_may_change_are_polled(fields: dict[str, Any], now: bool, settled: bool) -> None:
    send = a_send(**fields)
    assert (rules.may_be_asked(send), rules.may_be_asked(send, settled=True)) == (now, settled)


@pytest.mark.parametrize(
    ("fields", "seconds", "unconfirmed"),
    [
        ({}, 3599, False),
        ({}, 3600, True),
        ({"status": "sent"}, 7200, True),
        ({"status": "failed"}, 7200, False),
        ({"status": "sent", "is_group": True}, 7200, False),
        ({"status": "expired"}, 7200, False),
        ({"accepted_at": None}, 7200, False),
        ({"accepted_at": None, "posted_at": NINE}, 7200, True),
    ],
)
def test_unconfirmed_is_open_for_longer_than_the_horizon(
    fields: dict[str, Any], seconds: float, unconfirmed: bool
) -> None:
    assert rules.is_unconfirmed(a_send(**fields), after(seconds), timedelta(hours=1)) == unconfirmed
    assert not rules.is_unconfirmed(a_send(**fields), after(seconds), None)
    sends = [a_send(send_id="this", **fields), a_send(status="read")]
    late = rules.unconfirmed_ids(sends, after(seconds), timedelta(hours=1))
    assert late == ({"this"} if unconfirmed else set())
    assert rules.unconfirmed_ids(sends, after(seconds), None) == set()


def test_sends_that_are_due_about_the_same_time_are_polled_together(demo: Demo, connect: Any) -> None:
    times = iter([after(1.9), after(2), NINE, NINE])
    session = session_of(connect(clock=lambda: next(times)))
    sends = [a_send(send_id=str(n), accepted_at=after(n * 0.4)) for n in range(6)]
    polls = StatusPolls(session)
    assert polls.due(sends) == []
    assert [send.send_id for send in polls.due(sends)] == ["0", "1", "2"]
    assert polls.seconds_until_due(sends) == 2
    assert polls.seconds_until_due([]) == math.inf


@pytest.mark.parametrize("put_back", [0, 60, 7200])
def test_a_clock_that_was_put_back_delays_no_request(connect: Any, put_back: float) -> None:
    """A send accepted by a colleague's clock, which is ahead of ours, delays no request either."""
    polls = StatusPolls(session_of(connect(clock=lambda: NINE)))
    assert polls.seconds_until_due([a_send(accepted_at=after(put_back))]) == rules.ASK_PAUSES_S[0]


def test_a_send_past_the_horizon_is_polled_once_and_then_left_alone(demo: Demo, connect: Any) -> None:
    polls = StatusPolls(session_of(connect(clock=lambda: after(7200))), timedelta(hours=1))
    send = a_send(base_url=demo.base_url, message_id=str(uuid.uuid4()))
    assert polls.waiting([send]) == [send]
    assert polls.ask([send])
    assert polls.waiting([send]) == []
    assert polls.waiting([dataclasses.replace(send, accepted_at=after(7000))])
