"""Webhook events in the journal: each once, in any order, also before the send knows its message."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hook_samples import AT, CHAT_ID, MESSAGE_ID, NEW, OLD, TRACE, answered, payload, sending, wanted
from shared import HANG_S, quick_first

from linq_nb import Event, Send, webhooks
from linq_nb.journal import Journal

HERE = Path(__file__).parent
OTHER_ID = "00000000-0000-4000-8000-000000000001"
SENT, FAILED, DELIVERED, READ = payload("sent"), payload("failed", 5), payload("delivered", 120), payload("read", 180)
GIVEN_UP = payload("failed", 9, code=3007, reason="Attempts exhausted")
BOTH_SENT = [SENT, payload("sent", version=OLD) | {"event_id": "sent, old"}]
BOTH_DELIVERED = [DELIVERED, payload("delivered", 120, version=OLD) | {"event_id": "delivered, old"}]
SEQUENCES = {
    "plain": [SENT, DELIVERED, READ],
    "failed, then delivered": [SENT, FAILED, DELIVERED, READ],
    "fails twice": [SENT, FAILED, GIVEN_UP],
    "all, some twice": [SENT, FAILED, DELIVERED, payload("delivered", 121), READ],
    "both versions": [payload("sent", version=OLD), payload("failed", 5, version=OLD), payload("delivered", 9)],
    "each in both versions": [*BOTH_SENT, *BOTH_DELIVERED, FAILED],
    "of no message id": [SENT, payload("failed", 5, message_id=None, chat_id=None)],
}
ENDS = {
    "fails twice": "failed",
    "both versions": "delivered",
    "each in both versions": "delivered",
    "of no message id": "failed",
}


def event(raw: dict[str, Any]) -> Event:
    return webhooks.parse(raw)


def recorded(book: Journal) -> Send:
    send = book.get(wanted().send_id)
    assert send is not None
    return send


def nth(raw: dict[str, Any], n: int) -> Event:
    """The same event of the n-th message."""
    text = json.dumps(raw).replace(MESSAGE_ID, message_id(n)).replace(TRACE, f"{n:032x}")
    return event(json.loads(text) | {"event_id": f"{raw['event_id']} {n}"})


def message_id(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012}"


@pytest.mark.parametrize("name", quick_first(SEQUENCES))
def test_all_orders_of_a_messages_events_end_in_the_same_columns(book: Journal, name: str) -> None:
    """With the answer to the POST at each place among them: events may come before it was recorded."""
    ends, payloads, n = set(), SEQUENCES[name], 0
    places = range(len(payloads) + 1) if len(payloads) < 5 else (0, len(payloads))
    for order in permutations(payloads):
        for before in places:
            n += 1
            claim = sending(book, wanted(copy=n, send_id=f"send {n}"))
            for raw in order[:before]:
                book.ingest(nth(raw, n))
            answered(book, claim, message_id=message_id(n), trace_id=f"{n:032x}")
            for raw in order[before:]:
                book.ingest(nth(raw, n))
    for send in book.sends():
        assert len(book.events(send.send_id)) == len(payloads)
        ends.add(dataclasses.replace(send, send_id="", copy=1, message_id="", trace_id=""))
    (end,) = ends
    assert end.status == ENDS.get(name, "read")
    assert (end.error_code, end.error_message) == {
        "fails twice": (3007, "Attempts exhausted"),
        "of no message id": (4001, "Message delivery failed"),
    }.get(name, (None, None))


def test_polls_at_any_point_do_not_change_the_final_columns(book: Journal) -> None:
    payloads: list[dict[str, Any] | str] = [SENT, FAILED, DELIVERED, "sent", "delivered"]
    for n, order in enumerate(permutations(payloads), 1):
        send = answered(book, sending(book, wanted(copy=n, send_id=f"send {n}")), message_id=message_id(n))
        for observation in order:
            if isinstance(observation, dict):
                book.ingest(nth(observation, n))
            else:
                book.observe(Event(send_id=send.send_id, at=AT, source="poll", status=observation, service="iMessage"))
    ends = {(send.status, send.error_code, send.service, send.failed_at is not None) for send in book.sends()}
    assert ends == {("delivered", None, "iMessage", True)}


@pytest.mark.parametrize("read", ["get", "get_many", "sends", "open_sends", "events"])
def test_every_read_applies_the_webhooks_that_came_before_the_answer(book: Journal, read: str) -> None:
    claim = sending(book)
    (early,) = book.ingest(event(payload("sent")))
    assert (early.is_new, early.is_ours) == (True, False)
    assert recorded(book).status == "sending"
    answered(book, claim)
    records: Any = {
        "get": lambda: [recorded(book)],
        "get_many": lambda: list(book.get_many([wanted().send_id]).values()),
        "sends": book.sends,
        "open_sends": book.open_sends,
        "events": lambda: book.events(wanted().send_id),
    }[read]()
    assert [record.status for record in records] == ["sent"]


def test_events_of_another_attempt_are_not_applied(book: Journal) -> None:
    claim = sending(book)
    book.ingest(event(payload("delivered")))
    answered(book, claim, message_id=OTHER_ID, trace_id="b" * 32)
    assert recorded(book).status == "queued"
    assert book.events(wanted().send_id) == []


def test_reconciling_a_lost_answer_applies_the_webhooks_that_came_before(book: Journal) -> None:
    claim = sending(book)
    answered(book, claim, "unknown", message_id=None, trace_id=None)
    book.ingest(event(payload("failed", 5)), event(payload("delivered", 90)))
    assert recorded(book).status == "unknown"
    observed = Event(send_id=claim.send.send_id, at=AT, source="reconcile", status="queued", message_id=MESSAGE_ID)
    send = book.observe(observed)
    assert send == recorded(book)
    assert send is not None
    assert (send.status, send.failed_at is not None) == ("delivered", True)
    assert {event.source for event in book.events(send.send_id)} == {"webhook", "reconcile"}


def test_a_lost_answer_with_a_trace_is_found_by_the_webhook_of_that_trace(book: Journal) -> None:
    answered(book, sending(book), "unknown", message_id=None, http_status=500)
    (done,) = book.ingest(event(payload("sent")))
    assert done.is_ours
    send = recorded(book)
    assert (send.status, send.message_id, send.reconcile_result) == ("sent", MESSAGE_ID, "found")
    assert book.events(send.send_id)[-1].reconcile_result == "found"


@pytest.mark.parametrize("status", ["rejected", "not_sent"])
def test_a_trace_never_changes_a_send_that_was_refused(book: Journal, status: str) -> None:
    answered(book, sending(book), status, message_id=None)
    book.ingest(event(payload("sent")), event(payload("failed", message_id=None)))
    assert recorded(book).status == status


def test_a_trace_of_another_chat_changes_nothing(book: Journal) -> None:
    answered(book, sending(book), "unknown", message_id=None)
    book.ingest(event(payload("sent", chat={"id": OTHER_ID})))
    assert recorded(book).status == "unknown"


def test_an_event_is_written_once_whatever_its_type(book: Journal) -> None:
    answered(book, sending(book))
    payloads = [payload("sent"), {**payload("sent"), "event_type": "reaction.added", "event_id": "e1"},
            {"event_type": "never.heard.of", "event_id": "e2", "created_at": "2026-03-02T09:00:00Z", "data": [1]},
            {"event_type": "phone_number.status_updated", "event_id": "e3", "data": None}]  # fmt: skip
    events = [webhooks.parse(raw, at=AT) for raw in payloads]
    assert [(item.is_new, item.is_ours) for item in book.ingest(*events, *events)] == [
        (True, True), (True, False), (True, False), (True, False), *[(False, True)], *[(False, False)] * 3
    ]  # fmt: skip
    kept = book.events("")
    assert [stored.event_type for stored in kept] == ["reaction.added", "never.heard.of", "phone_number.status_updated"]
    assert kept[1].body == payloads[2]


def test_forgetting_a_chat_forgets_its_webhooks_too(book: Journal) -> None:
    answered(book, sending(book))
    inbound = payload("received", direction="inbound", id=OTHER_ID, parts=[{"type": "text", "value": "private"}])
    book.ingest(event(payload("sent")), event(inbound))
    assert len(book.events("")) == 1
    book.forget(CHAT_ID)
    assert (book.events(""), book.events(wanted().send_id)) == ([], [])


def test_an_inbound_message_has_no_status_of_a_send(book: Journal) -> None:
    for version in (NEW, OLD):
        raw = payload("read", version=version, direction="inbound", is_from_me=False)
        assert event(raw).status is None


def test_signed_urls_are_not_kept(book: Journal) -> None:
    part = {"type": "media", "id": OTHER_ID, "url": "https://cdn.linqapp.com/a.caf?Signature=s3cr3t"}
    answered(book, sending(book))
    book.ingest(event(payload("sent", parts=[part])))
    assert "s3cr3t" not in json.dumps(book.events(wanted().send_id)[0].body)


def test_ids_of_any_length_are_kept_apart(book: Journal) -> None:
    payloads = [payload("sent", id="m" * 9000 + end) | {"event_id": "e" * 9000 + end} for end in "abb"]
    assert [item.is_new for item in book.ingest(*map(event, payloads))] == [True, True, False]


# --- many at once ---


def test_two_processes_and_eight_threads_write_each_event_once(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/j.sqlite", tmp_path / "events.jsonl"
    book = Journal(url)
    answered(book, sending(book))
    payloads = [payload("sent", n / 7) for n in range(60)] + [payload("delivered", 99)]
    file.write_text("".join(json.dumps(raw) + "\n" for raw in payloads), "utf-8")
    command = [sys.executable, str(HERE / "hook_child.py"), url, str(file)]
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, env=environ, **pipes) for _ in range(2)]
    barrier = threading.Barrier(8)

    def ingest(n: int) -> int:
        barrier.wait()
        if n < 2:
            return int(children[n].communicate("go\n", timeout=HANG_S)[0])
        return sum(item.is_new for item in book.ingest(*map(event, payloads[n:] + payloads[:n])))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ingest, range(8))) == len(payloads)
    assert recorded(book).status == "delivered"
    assert len(book.events(wanted().send_id)) == len(payloads)
    book.close()
