"""The send rules: the meaning of an answer, pauses, repeats of the same send, and matching of messages."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_samples import AT, ATTACHMENT_ID, a_message, a_send, an_answer

from linq_nb import rules
from linq_nb.clocks import Skew
from linq_nb.status import LINQ_STATUSES, OUR_STATUSES, is_resolved, precedence
from linq_nb.wire import NoAnswer

LATER = AT + timedelta(minutes=10)


def test_only_a_4xx_other_than_408_is_a_refusal_and_only_a_2xx_an_acceptance() -> None:
    expected = dict.fromkeys(range(100, 600), "unknown")
    expected |= dict.fromkeys(range(200, 300), "accepted") | dict.fromkeys(range(400, 500), "rejected")
    expected |= {408: "unknown", 429: "not_sent"}
    assert {status: rules.memo_outcome(status) for status in range(100, 600)} == expected


def repeated(kind: Any, outcomes: Iterable[Any]) -> tuple[list[float], Any]:
    """Repeat a request with these outcomes; returns the pauses, and the outcome it ended with."""
    pauses: list[float] = []
    for tries, outcome in enumerate(outcomes, 1):
        pause = rules.pause_after(kind, tries, outcome)
        if pause is None:
            return pauses, outcome
        pauses.append(pause.seconds)
    raise AssertionError("it was repeated more often than there are outcomes")


@pytest.mark.parametrize("kind", ["read", "memo", "upload"])
@pytest.mark.parametrize("retry_after", [None, 0, 1, 60, 61, 86_400])
@pytest.mark.parametrize("code", [None, 2007, 2009, 4001])
def test_repeats_are_few_and_their_pauses_bounded(kind: Any, code: int | None, retry_after: float | None) -> None:
    error = json.dumps({"error": {"code": code, "retry_after": retry_after}})
    for status in range(200, 600):
        answer = an_answer(status, error)
        pauses, last = repeated(kind, itertools.repeat(answer, 6))
        assert last is answer
        assert all(0 <= pause <= rules.MAX_SLEEP_S for pause in pauses)
        if retry_after and retry_after > rules.MAX_SLEEP_S and status == 429:
            assert pauses == []
        if kind == "memo" and pauses:
            assert status == 429 or (status, code) in {(404, 2007), (409, 2009)}


@pytest.mark.parametrize(
    ("kind", "left", "again"),
    [("memo", True, False), ("memo", False, True), ("read", True, True), ("read", False, True), ("upload", True, True)],
)
def test_a_memo_that_left_is_never_repeated(kind: Any, left: bool, again: bool) -> None:
    pauses, _ = repeated(kind, itertools.repeat(NoAnswer("cut", may_have_left=left), 4))
    assert bool(pauses) == again


YES, LATER_429, NOT_READY = an_answer(202), an_answer(429, retry_after="3"), an_answer(404, '{"error": {"code": 2007}}')
LOST, UNSENT = NoAnswer("cut", may_have_left=True), NoAnswer("refused", may_have_left=False)


def test_a_request_is_repeated_to_its_last_outcome() -> None:
    assert repeated("memo", [YES]) == ([], YES)
    assert repeated("memo", [LOST]) == ([], LOST)
    assert repeated("memo", [UNSENT, LATER_429, NOT_READY, LOST]) == ([0.5, 3.0, 4.0], LOST)
    assert repeated("memo", [UNSENT, UNSENT, UNSENT]) == ([0.5, 1.0], UNSENT)
    assert repeated("read", [LOST, an_answer(500), YES]) == ([0.5, 1.0], YES)


def test_only_a_429_is_a_pause_requested_by_linq() -> None:
    for outcome, is_rate_limit in ((LATER_429, True), (NOT_READY, False), (UNSENT, False)):
        pause = rules.pause_after("memo", 1, outcome)
        assert pause is not None
        assert pause.is_rate_limit == is_rate_limit


NEXT = {
    ("preparing", True): "send",
    ("preparing", False): "wait",
    ("sending", True): "reconcile",
    ("sending", False): "wait",
    **{(status, over): "send" for status in ("not_sent", "rejected") for over in (True, False)},
    **{("unknown", over): "reconcile" for over in (True, False)},
    **{("expired", over): "report" for over in (True, False)},
    **{(status, over): "report" for status in (*LINQ_STATUSES, "teleported") for over in (True, False)},
}


@pytest.mark.parametrize(("case", "step"), NEXT.items())
def test_each_status_decides_what_a_repeated_send_does(case: tuple[str, bool], step: str) -> None:
    status, lease_over = case
    assert rules.next_step(a_send(status=status), lease_over=lease_over) == step


def test_every_status_is_in_the_table() -> None:
    assert {status for status, _ in NEXT} >= {*LINQ_STATUSES, *OUR_STATUSES}


@pytest.mark.parametrize("status", OUR_STATUSES)
def test_expired_is_the_only_settled_status_of_ours(status: str) -> None:
    assert is_resolved(status) == (status == "expired")


def test_the_strictest_of_several_rows_counts() -> None:
    order = ["not_sent", "preparing", "sending", "unknown", "queued"]
    assert sorted(order, key=lambda status: precedence(status)) == order


SAME = Skew(timedelta(), timedelta())
READ = rules.ListRead(as_of=LATER, skew=SAME, seconds_since_post=600.0)
"""A list that was read to its end ten minutes after the POST, all clocks being right."""


def matched(
    send: Any, *messages: Any, other_ids: set[str] | None = None, read: rules.ListRead = READ, **more: Any
) -> tuple[str, str]:
    given = {"timeout_s": 60.0, **more}
    match = rules.match(send, messages, other_ids or set(), read=read, **given)
    assert (match.message is not None) == (match.result == "found")
    return match.result, match.evidence


BY_ID = {"attachment_id": ATTACHMENT_ID}


@pytest.mark.parametrize(
    ("send", "messages", "result", "evidence"),
    [
        (BY_ID, [{"part_id": ATTACHMENT_ID, "filename": "x", "size_bytes": 1}], "found", "attachment id"),
        (BY_ID, [{"part_id": ATTACHMENT_ID}, {"message_id": "other"}], "found", "attachment id"),
        (BY_ID, [{"part_id": ATTACHMENT_ID}, {"part_id": ATTACHMENT_ID, "message_id": "o"}], "ambiguous", "2 messages"),
        ({}, [{}], "found", "file name and size"),
        ({"size_bytes": None}, [{"size_bytes": 99}], "found", "same file name"),
        ({"filename": "José.wav"}, [{"filename": "Jose\u0301.wav"}], "found", "file name and size"),
        ({"filename": "Zoe\u0308\u2019s.wav"}, [{"filename": "Zo\u00eb's.wav"}], "found", "file name and size"),
        (
            {"filename": "a\u00a0\u2013\u00a0b.wav"},
            [{"filename": "a - b.wav", "size_bytes": 9}],
            "ambiguous",
            "1 audio",
        ),
        (
            {"filename": "José.wav"},
            [{"filename": "Jose\u0301.wav", "created_at": AT - timedelta(seconds=11)}],
            "ambiguous",
            "of another time",
        ),
        ({"filename": "José.wav"}, [{"filename": "Jose.wav"}], "ambiguous", "none proven"),
        ({}, [{}, {"message_id": "other"}], "ambiguous", "2 messages"),
        ({}, [{"size_bytes": 99}], "ambiguous", "1 audio messages"),
        ({}, [{"filename": "other.wav"}], "ambiguous", "none proven"),
        ({"filename": None}, [{"filename": None}], "ambiguous", "none proven"),
        ({}, [{"mime_type": "audio/mp4", "size_bytes": 4000}], "ambiguous", "1 audio"),
        ({}, [{"mime_type": None}], "found", "file name"),
        ({}, [], "not_found", "no such message"),
        ({}, [{"mime_type": "image/png"}], "not_found", "no such"),
        ({}, [{"is_from_me": False}], "not_found", "no such"),
        ({}, [{"is_from_me": None}], "found", "file name"),
        ({}, [{"media": (), "parts": 1}], "not_found", "no such"),
        ({}, [{"media": (), "parts": 0}], "ambiguous", "does not have enough fields"),
        ({}, [{"media": (), "parts": None}], "ambiguous", "does not have enough fields"),
        ({}, [{"media": (), "parts": 0}, {"message_id": "m2"}], "found", "file name"),
        ({}, [{"created_at": None}], "ambiguous", "does not have enough fields"),
        ({}, [{"created_at": AT - timedelta(seconds=11)}], "ambiguous", "of another time"),
        ({}, [{"created_at": AT - timedelta(seconds=11), "filename": "b.wav"}], "not_found", "no such"),
        ({}, [{"created_at": AT - timedelta(seconds=9)}], "found", "file name"),
        ({}, [{"created_at": AT + timedelta(seconds=99)}], "found", "file name"),
        ({}, [{"created_at": AT + timedelta(seconds=101)}], "ambiguous", "of another time"),
        ({}, [{"created_at": AT + timedelta(seconds=101), "size_bytes": 9}], "not_found", "no such"),
        ({}, [{"created_at": AT + timedelta(seconds=101), "is_from_me": False}], "not_found", "no such"),
        (BY_ID, [{"part_id": ATTACHMENT_ID, "created_at": AT - timedelta(hours=3)}], "ambiguous", "of another time"),
        (BY_ID, [{"part_id": ATTACHMENT_ID, "created_at": AT + timedelta(days=1)}], "ambiguous", "a clock may be off"),
        ({"posted_at": None}, [{}], "ambiguous", "time of the request"),
    ],
)
def test_a_message_is_matched_by_its_evidence(send: Any, messages: Any, result: str, evidence: str) -> None:
    answer = matched(a_send(**send), *(a_message(**fields) for fields in messages))
    assert answer[0] == result
    assert evidence in answer[1]


def test_a_message_of_another_send_is_not_matched() -> None:
    assert matched(a_send(), a_message(), other_ids={a_message().message_id})[0] == "not_found"
    both = (a_message(), a_message(message_id="other"))
    assert matched(a_send(), *both, other_ids={"other"})[0] == "found"


def rival(**fields: Any) -> Any:
    return a_send(**{"content": "sha256:" + "cd" * 32, **fields})


URL = {"content": "url:https://x.example/1/hello.wav", "size_bytes": None}
COPY = {"copy": 2, **BY_ID, "posted_at": AT + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("send", "rivals", "messages", "result", "evidence"),
    [
        # a message with a rival's attachment is the rival's, however similar
        ({}, [rival(attachment_id="b")], [{"part_id": "b"}], "not_found", "no such"),
        (URL, [rival(attachment_id="b")], [{"part_id": "b"}], "not_found", "no such"),
        ({}, [rival(attachment_id="b")], [{"part_id": "b"}, {"message_id": "o"}], "ambiguous", "another send"),
        # a message that a rival may have made as well is matched with no send
        ({}, [rival()], [{}], "ambiguous", "may be that of another send"),
        (URL, [rival(content="url:https://x.example/2/hello.wav", size_bytes=None)], [{}], "ambiguous", "another send"),
        # unless it is of another name, size or time, or ours carries our attachment
        ({}, [rival(filename="b.wav")], [{}], "found", "file name and size"),
        ({}, [rival(size_bytes=9)], [{}], "found", "file name and size"),
        ({}, [rival(posted_at=AT - timedelta(hours=1))], [{}], "found", "file name and size"),
        (BY_ID, [rival()], [{"part_id": ATTACHMENT_ID}], "found", "attachment id"),
        # copies share their messages in the order in which they were sent
        (BY_ID, [a_send(**COPY)], [{"part_id": ATTACHMENT_ID}], "found", "attachment id"),
        (COPY, [a_send(**BY_ID)], [{"part_id": ATTACHMENT_ID}], "not_found", "no such"),
        (BY_ID, [a_send(**COPY)], [{"part_id": ATTACHMENT_ID, "message_id": name} for name in "ab"], "found", "id"),
        (COPY, [a_send(**BY_ID)], [{"part_id": ATTACHMENT_ID, "message_id": name} for name in "ab"], "found", "id"),
        (COPY, [a_send(**BY_ID)], [{"part_id": ATTACHMENT_ID, "message_id": name} for name in "abc"], "ambiguous", "3"),
    ],
)
def test_a_message_that_may_be_of_another_send_is_not_matched(
    send: Any, rivals: Any, messages: Any, result: str, evidence: str
) -> None:
    answer = matched(a_send(**send), *(a_message(**fields) for fields in messages), rivals=rivals)
    assert answer[0] == result
    assert evidence in answer[1]


def test_each_copy_is_matched_with_its_own_message() -> None:
    first, second = a_send(**BY_ID), a_send(**COPY)
    times = {"late": AT + timedelta(seconds=5), "early": AT}
    listed = [a_message(part_id=ATTACHMENT_ID, message_id=name, created_at=at) for name, at in times.items()]
    evidence: Any = {"read": READ, "timeout_s": 60.0}
    matches = [
        rules.match(send, listed, set(), rivals=[other], **evidence)
        for send, other in ((first, second), (second, first))
    ]
    assert [send.message and send.message.message_id for send in matches] == ["early", "late"]


def test_no_message_is_matched_while_a_send_that_may_be_its_own_is_under_way() -> None:
    other = a_send(**COPY)
    mine = a_message(part_id=ATTACHMENT_ID)
    assert matched(a_send(**BY_ID), mine, rivals=[other], under_way={other.send_id})[0] == "ambiguous"
    assert matched(a_send(**BY_ID), mine, rivals=[other])[0] == "found"


def test_not_found_is_not_reported_before_it_is_certain() -> None:
    for seconds, result in ((89, "ambiguous"), (90, "not_found")):
        at = {"as_of": AT + timedelta(seconds=seconds), "seconds_since_post": seconds}
        assert matched(a_send(), read=replace(READ, **at))[0] == result
        for name, value in at.items():
            assert matched(a_send(), read=replace(READ, **{name: value}))[0] == result
    assert matched(a_send(), read=replace(READ, seconds_since_post=90.0), timeout_s=120.0)[0] == "ambiguous"


def test_not_found_is_not_reported_of_a_list_that_was_read_in_part() -> None:
    assert matched(a_send(), read=replace(READ, is_complete=False))[0] == "ambiguous"
    assert matched(a_send(), a_message(), read=replace(READ, is_complete=False))[0] == "found"


# --- clocks ---


def ahead(minutes: float) -> Skew:
    return SAME.shifted(timedelta(minutes=minutes))


def posted(then: float | None, **fields: Any) -> Any:
    """A send at whose POST Linq's clock was known to be ``minutes`` ahead of ours, or was not known."""
    ms = None if then is None else int(then * 60_000)
    return a_send(skew_min_ms=ms, skew_max_ms=ms, **fields)


@pytest.mark.parametrize("minutes", [-60, -30, -2, 0, 2, 30, 60])
@pytest.mark.parametrize("now", [-60, -2, 0, 2, 60])
def test_a_message_is_found_after_any_change_of_our_clock(minutes: int, now: int) -> None:
    """Our clock was off by ``minutes`` at the POST; it is off by ``now`` when the chat is read."""
    theirs = a_message(created_at=AT + timedelta(minutes=minutes))
    read = replace(READ, skew=ahead(now), as_of=AT + timedelta(minutes=minutes + 70))
    assert matched(posted(minutes), theirs, read=read)[0] == "found"


@pytest.mark.parametrize("then", [-60, -2, 0, 2, 60, None])
@pytest.mark.parametrize("now", [-60, -2, 0, 2, 60])
def test_an_existing_message_is_never_reported_as_not_found(now: int, then: int | None) -> None:
    """For any estimate of the clocks: a message that fits in name and size, or in time, forbids "not found"."""
    read = replace(READ, skew=ahead(now), as_of=AT + timedelta(hours=3), seconds_since_post=10_800.0)
    for minutes in (-60, -2, 0, 2, 60):
        at = AT + timedelta(minutes=minutes)
        assert matched(posted(then), a_message(created_at=at), read=read)[0] != "not_found"
        if minutes in (then, now):
            for unlike in ({"filename": "b.wav"}, {"size_bytes": 9}, {"media": (), "parts": 0}):
                assert matched(posted(then), a_message(created_at=at, **unlike), read=read)[0] != "not_found"


@pytest.mark.parametrize(
    ("then", "read", "why"),
    [
        (None, {}, "the difference between our clock and Linq's"),
        (0, {"as_of": None}, "no Date header"),
        (0, {"skew": None}, "no Date header"),
        # our clock was an hour slow at the POST, and is right: the request is still under way
        (60, {"as_of": AT + timedelta(minutes=61)}, "too early"),
        # it was right at the POST, or thought to be by an old Date, and is an hour slow now
        (0, {"skew": ahead(60), "as_of": AT + timedelta(minutes=61)}, "too early"),
        # the list is of a cache, and older than the POST
        (0, {"as_of": AT - timedelta(hours=1)}, "too early"),
        # our clock was put forward, so that an hour seems to have passed
        (0, {"seconds_since_post": 3600.0, "as_of": AT + timedelta(seconds=5)}, "too early"),
        # an old Date at the POST hid that our clock was slow; the journal's clock knows better
        (0, {"skew_then": ahead(60), "as_of": AT + timedelta(minutes=61)}, "too early"),
    ],
)
def test_not_found_is_not_reported_without_certainty_of_the_time(then: Any, read: Any, why: str) -> None:
    result, evidence = matched(posted(then), read=replace(READ, **read))
    assert result == "ambiguous"
    assert why in evidence


@pytest.mark.parametrize(
    ("then", "read"),
    [
        (60, {"as_of": AT + timedelta(minutes=62)}),
        (0, {"skew": ahead(60), "as_of": AT + timedelta(minutes=62)}),
        (-60, {"skew": ahead(-60), "as_of": AT - timedelta(minutes=58)}),
        (None, {"skew_then": SAME}),
    ],
)
def test_not_found_is_reported_once_the_time_is_certain(then: Any, read: Any) -> None:
    assert matched(posted(then), read=replace(READ, **read))[0] == "not_found"


def test_a_list_whose_answer_is_older_than_its_messages_proves_nothing() -> None:
    """A proxy puts an old time on every answer, at the POST and now."""
    read = replace(READ, skew=ahead(-60), as_of=AT - timedelta(minutes=58))
    newer = a_message(created_at=AT, filename="b.wav")
    assert matched(posted(-60), newer, read=read) == ("ambiguous", "the answers tell an older time than a message in "
                                                      "them: a cache or a proxy may have given them")  # fmt: skip


def test_the_time_window_of_a_rival_uses_the_clock_offset_at_its_own_post() -> None:
    slow = rival(posted_at=AT - timedelta(hours=1), skew_min_ms=3_600_000, skew_max_ms=3_600_000)
    assert matched(a_send(), a_message(), rivals=[slow])[0] == "ambiguous"
    assert matched(a_send(), a_message(), rivals=[replace(slow, skew_min_ms=0, skew_max_ms=0)])[0] == "found"
