"""Reports: one definition, the same answers on every engine as plain Python gives, and the kind of frame as given."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import by_hand
import pytest
from engines import ENGINES, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_nb import reports, to_frame
from linq_nb.model import Attachment, Message, Send
from linq_nb.status import LINQ_STATUSES, OUR_STATUSES

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=2)
CHATS = [str(uuid.UUID(int=n, version=4)) for n in range(1, 5)]
FILES = tuple(f"{n:064x}".replace("0", "a") for n in range(3))
IDS = [str(uuid.UUID(int=n, version=4)) for n in range(100, 130)]

SETTINGS = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""Few long tables: the time of a report hardly depends on the number of rows."""

times = st.integers(0, 3 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
moments = st.none() | times
answers = st.sampled_from([None, 200, 202, 400, 403, 404, 408, 418, 422, 429, 500, 503])
types = st.sampled_from([None, "audio/mp4", "image/png"])
codes = st.sampled_from([None, 1002, 2024, 3006, 3007, 4001, 9999])


@st.composite
def a_send(draw: Any, number: int) -> Send:
    posted = draw(moments)
    return Send(
        send_id=f"send-{number:03}", base_url="https://linq.test", content=f"sha256:{number}",
        chat_id=draw(st.sampled_from(CHATS)), chat_name=draw(st.sampled_from([None, "Ada", "Book Club"])),
        is_group=draw(st.sampled_from([None, False, True])), from_handle=draw(st.sampled_from([None, "+12025550100"])),
        filename=draw(st.sampled_from([None, "a.m4a", "b.m4a"])),
        sha256=draw(st.none() | st.sampled_from(FILES)), attachment_id=draw(st.none() | st.sampled_from(IDS[:2])),
        message_id=IDS[number] if draw(st.booleans()) else None,
        service=draw(st.sampled_from([None, "iMessage", "RCS", "SMS"])),
        status=draw(st.sampled_from([*LINQ_STATUSES, *OUR_STATUSES, "on_hold"])),
        http_status=draw(answers), error_code=draw(codes), created_at=draw(times), posted_at=posted,
        accepted_at=draw(moments), sent_at=draw(moments), read_at=draw(moments), checked_at=draw(moments),
        delivered_at=posted and posted + timedelta(seconds=draw(st.integers(0, 90))),
    )  # fmt: skip


@st.composite
def some_sends(draw: Any) -> list[Send]:
    sends = [draw(a_send(number)) for number in range(draw(st.integers(0, len(IDS))))]
    seen: set[Any] = set()  # two names at one instant: either counts as the last
    return [s for s in sends if (s.chat_id, s.created_at) not in seen and not seen.add((s.chat_id, s.created_at))]


@st.composite
def some_messages(draw: Any) -> list[Message]:
    return [
        Message(
            message_id=message_id, chat_id=draw(st.sampled_from(CHATS)),
            is_from_me=draw(st.sampled_from([None, False, True])),
            delivery_status=draw(st.sampled_from(LINQ_STATUSES)), created_at=draw(times),
            media=(Attachment(attachment_id=IDS[0], mime_type=draw(types)),),
        )
        for message_id in IDS
        if draw(st.booleans())
    ]  # fmt: skip


def by_local_time(sends: Sequence[Send], name: str) -> list[dict[str, Any]]:
    return by_hand.by(sends, name)


ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
"""Behind UTC, ahead of it by 5:45, and by 11 hours."""

Case = tuple[str, Callable[[Any], Any], Callable[[Sequence[Send]], list[dict[str, Any]]]]
CASES: list[Case] = [
    ("by line and service", lambda f: reports.by(f, "from_handle", "service"),
     lambda s: by_hand.by(s, "from_handle", "service")),
    ("by chat", reports.by_chat, by_hand.by_chat),
    ("by day", reports.by_day, lambda s: by_hand.by(s, "day")),
    *((f"by {unit} in {zone}", partial(report, tz=zone), partial(by_local_time, name=f"{unit} {zone}"))
      for unit, report in (("day", reports.by_day), ("hour", reports.by_hour)) for zone in ZONES),
    ("funnel", reports.funnel, by_hand.funnel),
    ("latency", reports.latency, lambda s: by_hand.latency(s, ["service", "is_group"], "delivery_s")),
    ("latency of answers by chat", lambda f: reports.latency(f, by="chat_id", of="accept_s"),
     lambda s: by_hand.latency(s, ["chat_id"], "accept_s")),
    ("two quantiles", lambda f: reports.latency(f, q=(0.95, 0.5)),
     lambda s: by_hand.latency(s, ["service", "is_group"], "delivery_s", (95, 50))),
    ("errors", reports.errors, lambda s: by_hand.errors(s, [])),
    ("errors by chat", lambda f: reports.errors(f, by="chat_id"), lambda s: by_hand.errors(s, ["chat_id"])),
    ("errors by status and day", lambda f: reports.errors(f, by=["status", "day"]),
     lambda s: [{k: r[k] for k in ("status", "day", *r)} for r in errors_by_status_and_day(s)]),
    ("unconfirmed", lambda f: reports.unconfirmed(f, "6h", NOW),
     lambda s: by_hand.unconfirmed(s, timedelta(hours=6), NOW)),
    ("duplicates", reports.duplicates, by_hand.duplicates),
]  # fmt: skip


def errors_by_status_and_day(sends: Sequence[Send]) -> list[dict[str, Any]]:
    rows = by_hand.errors(sends, ["day"])
    order = ("status", "day", "http_status", "error_code")
    return sorted(rows, key=lambda row: (-row["sends"], *by_hand.nulls_last(*(row[name] for name in order))))


def same(rows: list[dict[str, Any]], wanted: list[dict[str, Any]], message: str) -> None:
    assert [list(row) for row in rows] == [list(row) for row in wanted], f"{message}: other columns"
    for actual, want in zip(rows, wanted, strict=True):
        for name, value in want.items():
            near = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
            assert actual[name] == near, f"{message}: {name} of {want}"


@pytest.mark.thorough
@given(some_sends())
@SETTINGS
def test_every_engine_answers_as_plain_python_does(sends: list[Send]) -> None:
    frame = to_frame(sends, "full")
    for engine, (kind, convert) in ENGINES.items():
        (table,) = convert(frame)
        for name, report, plain in CASES:
            answer = report(table)
            assert isinstance(answer, kind), f"{name} of {engine} is a {type(answer).__name__}"
            same(rows(answer), plain(sends), f"{name} on {engine}")


@given(some_sends(), some_messages())
@SETTINGS
def test_sends_and_linqs_messages_are_compared_alike(sends: list[Send], messages: list[Message]) -> None:
    ours, theirs = to_frame(sends, "full"), to_frame(messages, kind="messages")
    for engine, (kind, convert) in ENGINES.items():
        answer = reports.compare(*convert(ours, theirs))
        assert isinstance(answer, kind)
        same(rows(answer), by_hand.compare(sends, messages), f"compare on {engine}")
