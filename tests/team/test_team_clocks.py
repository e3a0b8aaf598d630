"""Machines whose clocks are minutes apart, with one journal: the server's clock decides on leases and waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from team_samples import AT, at_status, claimed, wanted

from linq_nb import LinqError, Outbox, OutcomeUnknown, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.journal import LEASE_S, Journal
from linq_nb.outbox import session_of

pytestmark = pytest.mark.thorough

Connect = Callable[..., Outbox]
Books = Callable[..., Journal]
SLOW, FAST = timedelta(minutes=-2), timedelta(minutes=2)


def sql(book: Journal, statement: str) -> Any:
    with book.database.write() as db:
        done = db.execute(sa.text(statement))
        return done.scalar() if done.returns_rows else None


NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


def test_leases_and_marks_are_in_the_servers_time(books: Books) -> None:
    book, other = books(), books()
    assert book.database.now() is None
    left_s = "SELECT (lease_until - " + NOW + ") / 1e6 FROM sends"
    claim = claimed(book)
    assert LEASE_S - 5 < sql(other, left_s) <= LEASE_S
    assert other.claim(wanted(), (), "other")[1:] == (None, "wait")
    sql(book, "UPDATE sends SET lease_until = lease_until - 19000000")
    book.renew("me")
    assert LEASE_S - 5 < sql(other, left_s) <= LEASE_S
    assert other.is_held(claim.send.send_id)
    sql(book, f"UPDATE sends SET lease_until = {NOW} - 1")
    assert not other.is_held(claim.send.send_id)
    assert other.claim(wanted(), (), "other")[2] == "send"


@pytest.mark.parametrize("status", ["preparing", "unknown", "queued"])
def test_only_a_mark_counts_the_time_of_a_request(books: Books, status: str) -> None:
    send = at_status(books(), status)
    assert books().seconds_since_mark(send.send_id) is None
    sending = at_status(books(), "sending", wanted(copy=2))
    assert 0 <= (books().seconds_since_mark(sending.send_id) or -1) < LEASE_S


def test_the_servers_clock_decides_what_is_an_orphan(books: Books) -> None:
    book = books()
    at_status(book, "sending", wanted(posted_at=AT))
    assert books().orphans() == []
    assert books().without_message_id(wanted().base_url, wanted().chat_id)[1] == {wanted().send_id}
    sql(book, f"UPDATE sends SET lease_until = {NOW} - 1")
    assert [send.send_id for send in books().orphans()] == [wanted().send_id]
    assert books().without_message_id(wanted().base_url, wanted().chat_id)[1] == set()


def test_the_clock_of_a_machine_moves_no_lease(books: Books) -> None:
    slow, fast = books(), books()
    slow.database.wall, fast.database.wall = lambda: 0.0, lambda: 4e9
    claimed(slow)
    assert fast.claim(wanted(), (), "other")[1:] == (None, "wait")
    assert not fast.orphans()


class Gate(httpx.BaseTransport):
    """The demo's transport; before the first memo ``act`` is called."""

    def __init__(self, demo: Demo) -> None:
        self.inner, self.act = demo.transport(), list[Callable[[], object]]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        while request.url.path.endswith("/voicememo") and self.act:
            self.act.pop()()
        return self.inner.handle_request(request)


@pytest.mark.parametrize(("mine", "theirs"), [(SLOW, FAST), (FAST, SLOW)], ids=["slow and fast", "fast and slow"])
def test_a_colleague_whose_clock_is_minutes_off_leaves_a_send_under_way_alone(
    demo: Demo, memo: VoiceMemo, connect: Connect, mine: timedelta, theirs: timedelta
) -> None:
    gate = Gate(demo)
    outbox = connect(transport=gate, clock=lambda: demo.now() + mine)
    colleague = connect(clock=lambda: demo.now() + theirs)

    def look() -> None:
        (send,) = colleague.reconcile(colleague.sends())
        assert send.status == "sending"
        with pytest.raises(LinqError, match="being sent right now"):
            colleague.resolve(send, "not_sent", reason="it is not there")

    gate.act.append(look)
    sent = outbox.send(memo, "Ada Lovelace")
    assert sent.status == "queued"
    assert colleague.send(memo, "Ada Lovelace").repeated
    assert demo.bubbles(sent.chat_id) == 1


@pytest.mark.parametrize("mine", [SLOW, FAST], ids=str)
@pytest.mark.parametrize("theirs", [SLOW, FAST], ids=str)
def test_a_colleague_whose_clock_is_minutes_off_reports_not_found_in_time_and_finds_an_existing_memo(
    demo: Demo, memo: VoiceMemo, connect: Connect, mine: timedelta, theirs: timedelta
) -> None:
    outbox = connect(clock=lambda: demo.now() + mine)
    colleague = connect(clock=lambda: demo.now() + theirs)
    results = []
    for lose, name in ((demo.lose_next_answer, "Ada Lovelace"), (demo.reset_next, "Grace Hopper")):
        lose()
        with pytest.raises(OutcomeUnknown):
            outbox.send(memo, name)
    for seconds in (0, 60, 600):
        demo.advance(seconds=seconds)
        results.append([send.reconcile_result for send in colleague.reconcile()])
    assert results == [["found", "ambiguous"], ["ambiguous"], ["not_found"]]


def test_too_early_is_judged_by_the_servers_clock(demo: Demo, memo: VoiceMemo, connect: Connect) -> None:
    """Our clock was put forward after the POST, and Linq's answers agree with it: the server's clock counts."""
    outbox = connect(clock=None)
    book = session_of(outbox).journal
    demo.reset_next()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo, "Ada Lovelace")
    demo.advance(minutes=10)
    sql(book, "UPDATE sends SET posted_at = posted_at - 600000000")
    (looked,) = outbox.reconcile()
    assert looked.reconcile_result == "ambiguous"
    assert "too early" in outbox.history(looked)[-1].body["evidence"]
    sql(book, "UPDATE sends SET marked_at = marked_at - 600000000")
    assert [send.reconcile_result for send in outbox.reconcile()] == ["not_found"]
