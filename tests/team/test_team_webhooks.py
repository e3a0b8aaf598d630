"""Webhooks of many sends, written by many writers at once on one server, while the answers are written too."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
from postgres import Server

sys.path += [str(Path(__file__).parents[1] / "webhooks")]

from hook_samples import SECRET, answered, payload, sending, signed, wanted
from test_webhook_journal import ENDS, SEQUENCES, message_id, nth

from linq_nb.journal import Journal
from linq_nb.receiver import Receiver

pytestmark = pytest.mark.thorough

ORDERS = 12


@pytest.mark.parametrize("name", SEQUENCES)
def test_events_by_many_writers_in_any_order_end_in_the_same_columns(books: Callable[..., Journal], name: str) -> None:
    """Each event is received twice, and the answer to the POST is written somewhere among them."""
    draw, both, payloads = random.Random(name), (books(), books()), SEQUENCES[name]
    jobs: list[Callable[[], object]] = []
    for n in range(ORDERS):
        claim = sending(both[0], wanted(copy=n + 1, send_id=f"send {n}"))
        jobs.append(partial(answered, both[0], claim, message_id=message_id(n), trace_id=f"{n:032x}"))
        jobs += [partial(book.ingest, nth(event, n)) for event in payloads for book in both]
    draw.shuffle(jobs)
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()
    ends = set()
    for send in both[1].sends():
        assert len(both[1].events(send.send_id)) == len(payloads)
        ends.add(dataclasses.replace(send, send_id="", copy=1, message_id="", trace_id=""))
    (end,) = ends
    assert end.status == ENDS.get(name, "read")


def test_while_the_server_is_down_the_receiver_asks_linq_to_repeat(book: Journal, server: Server) -> None:
    answered(book, sending(book))
    body, headers = signed(payload("delivered"), at=datetime.now(UTC))
    with Receiver(book, SECRET, port=0) as hooks, httpx.Client(trust_env=False) as http:
        server.crash()
        try:
            assert http.post(hooks.url, content=body, headers=headers).status_code == 503
        finally:
            server.start()
        assert [http.post(hooks.url, content=body, headers=headers).status_code for _ in range(2)] == [200, 200]
        health = hooks.health()
    assert (health["unwritten"], health["new"], health["repeated"]) == (1, 1, 1)
    assert [send.status for send in book.sends()] == ["delivered"]
