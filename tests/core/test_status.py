"""The table of statuses: each status once, with its consequences."""

from __future__ import annotations

import itertools

import pytest

from linq_nb import status
from linq_nb.status import CLOSED_STATUSES, ERROR_STATUSES, LINQ_STATUSES, OUR_STATUSES, RUNNABLE_STATUSES, STATUSES


def test_linqs_words_and_ours_are_those_of_the_design() -> None:
    assert set(LINQ_STATUSES) == {"pending", "queued", "sent", "delivered", "read", "failed", "received"}
    assert set(OUR_STATUSES) == {"preparing", "sending", "not_sent", "rejected", "unknown", "expired"}


def test_only_a_send_that_cannot_have_arrived_may_run_again() -> None:
    assert set(RUNNABLE_STATUSES) == {"not_sent", "rejected"}
    assert not any(status.is_resolved(word) for word in RUNNABLE_STATUSES)


def test_the_reports_of_linq_have_one_order() -> None:
    order = ["pending", "queued", "sent", "expired", "failed", "delivered", "read"]
    assert sorted(order, key=status.rank) == order
    for before, after in itertools.product(order, repeat=2):
        assert status.later(before, after) == max(before, after, key=order.index)


@pytest.mark.parametrize("word", [*STATUSES, "teleported"])
def test_a_status_has_a_meaning_and_a_colour(word: str) -> None:
    described = status.status_of(word)
    assert described.word == word
    assert described.meaning
    assert described.colour in ("green", "blue", "amber", "red", "grey")


def test_an_unknown_status_of_linqs_counts_as_open_and_accepted() -> None:
    assert status.is_resolved("teleported")
    assert status.is_open("teleported", is_group=True, service="SMS")
    assert not status.is_settled("teleported", is_group=None, service=None)


@pytest.mark.parametrize(
    ("is_group", "service", "receipts"),
    [
        (None, None, True),
        (False, "iMessage", True),
        (False, "RCS", True),
        (True, "iMessage", False),
        (None, "SMS", False),
    ],
)
def test_groups_and_sms_give_no_receipt(is_group: bool | None, service: str | None, receipts: bool) -> None:
    assert (status.no_receipts(is_group=is_group, service=service) is None) == receipts
    assert status.is_open("sent", is_group=is_group, service=service) == receipts
    assert status.is_settled("sent", is_group=is_group, service=service) != receipts


@pytest.mark.parametrize("word", STATUSES)
def test_a_send_is_open_or_settled_or_not_yet_answered(word: str) -> None:
    is_open = status.is_open(word, is_group=None, service=None)
    is_settled = status.is_settled(word, is_group=None, service=None)
    assert is_open + is_settled + (word in ("preparing", "sending", "unknown")) == 1
    assert is_open == (word not in CLOSED_STATUSES)
    assert not (status.is_going_well(word) and word in ERROR_STATUSES)
