"""A process that sleeps (a closed laptop, SIGSTOP) at the worst moment: after its mark, before its memo was sent."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import httpx
import pytest
from shared import wait_for

from linq_nb import Draft, NotSent, Outbox, Send, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.journal import LEASE_S, Journal
from linq_nb.outbox import attempt, session_of

Connect = Callable[..., Outbox]


class Sleeper(httpx.BaseTransport):
    """The demo's transport; before the body of a memo is read, ``asleep`` is called once."""

    def __init__(self, demo: Demo) -> None:
        self.inner, self.asleep = demo.transport(), list[Callable[[], object]]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        while request.url.path.endswith("/voicememo") and self.asleep:
            self.asleep.pop()()
        return self.inner.handle_request(request)


@pytest.fixture
def transport(demo: Demo) -> Sleeper:
    return Sleeper(demo)


@pytest.fixture
def connect(connect: Callable[..., Outbox], demo: Demo, transport: Sleeper, journal_url: str) -> Connect:
    steady = lambda: demo.now().timestamp()  # noqa: E731
    return functools.partial(connect, transport=transport, journal=journal_url, steady=steady)


def alone(outbox: Outbox, draft: Draft) -> Send:
    with pytest.raises(NotSent, match="slept when it was about to send; nothing was sent; run it again"):
        attempt.send(session_of(outbox), draft)
    return outbox.sends()[-1]


def in_a_batch(outbox: Outbox, draft: Draft) -> Send:
    """When only the POST remains, the claim itself is the mark."""
    (send,) = outbox.send_all(outbox.plan([draft]))
    return send


@pytest.fixture
def draft(demo: Demo, connect: Connect) -> Draft:
    """A memo that needs no upload."""
    return Draft(memo=VoiceMemo.from_url(demo.media_urls["hello"]), chat=connect().find_chat("Ada Lovelace"))


@pytest.mark.parametrize("send", [alone, in_a_batch])
def test_a_process_that_slept_past_its_lease_does_not_send_and_says_so(
    demo: Demo, transport: Sleeper, connect: Connect, draft: Draft, send: Callable[[Outbox, Draft], Send]
) -> None:
    transport.asleep.append(lambda: demo.advance(seconds=LEASE_S))
    outbox = connect()
    slept = send(outbox, draft)
    assert (slept.status, "slept" in str(slept.error_message)) == ("not_sent", True)
    assert demo.bubbles(draft.chat_id) == 0
    assert attempt.send(session_of(outbox), draft).status == "queued"
    assert demo.bubbles(draft.chat_id) == 1


@pytest.mark.parametrize("send", [alone, in_a_batch])
def test_a_process_that_slept_while_another_looked_and_sent_does_not_send(
    demo: Demo, transport: Sleeper, connect: Connect, draft: Draft, send: Callable[[Outbox, Draft], Send]
) -> None:
    sleeper, other = connect(), connect()

    def let_go() -> None:
        demo.advance(minutes=5)
        (looked,) = other.reconcile()
        assert looked.reconcile_result == "not_found"
        other.resolve(looked, "not_sent", reason="it is not in the chat")
        assert attempt.send(session_of(other), draft).status == "queued"

    transport.asleep.append(let_go)
    send(sleeper, draft)
    assert demo.bubbles(draft.chat_id) == 1
    (row,) = other.sends()
    assert row.status == "queued"


def test_the_time_of_the_post_is_taken_after_the_wait_for_another_send(
    demo: Demo, connect: Connect, draft: Draft, journal_url: str
) -> None:
    """With an earlier time, reconcile would search the wrong window and report not_found."""
    outbox, other = connect(), Journal(journal_url, wall=lambda: demo.now().timestamp())
    _, claim, _ = other.claim(session_of(outbox).wanted(draft), draft.memo.names, "other")
    assert claim is not None
    plan, statements = outbox.plan([draft]), list[str]()
    with session_of(outbox).journal.database.read() as db:
        db.connection.driver_connection.set_trace_callback(statements.append)  # type: ignore[union-attr]
    batch, began = outbox.send_all(plan), demo.now()
    wait_for(lambda: sum(sql.startswith("BEGIN IMMEDIATE") for sql in statements) >= 3)  # it asks again and again
    demo.advance(seconds=LEASE_S / 2)
    assert other.advance(claim, dataclasses.replace(claim.send, status="not_sent"))
    (send,) = batch
    assert send.posted_at is not None
    assert (send.posted_at - began).total_seconds() >= LEASE_S / 2
    other.close()
