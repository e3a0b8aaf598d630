"""Webhooks of many sends by many writers at once on one server, beside the answers to their POSTs."""

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

ORDERS = 12


@pytest.mark.parametrize("name", SEQUENCES)
def test_events_by_many_writers_in_any_order_end_in_the_same_columns(books: Callable[..., Journal], name: str) -> None:
    """Each event is brought twice, and the answer is written down somewhere among them."""
    draw, both, told = random.Random(name), (books(), books()), SEQUENCES[name]
    jobs: list[Callable[[], object]] = []
    for n in range(ORDERS):
        claim = sending(both[0], wanted(copy=n + 1, send_id=f"send {n}"))
        jobs.append(partial(answered, both[0], claim, message_id=message_id(n), trace_id=f"{n:032x}"))
        jobs += [partial(book.ingest, nth(one, n)) for one in told for book in both]
    draw.shuffle(jobs)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(one) for one in jobs]:
            done.result()
    ends = set()
    for send in both[1].sends():
        assert len(both[1].events(send.send_id)) == len(told)
        ends.add(dataclasses.replace(send, send_id="", copy=1, message_id="", trace_id=""))
    (end,) = ends
    assert end.status == ENDS.get(name, "read")


def test_while_the_server_is_away_linq_shall_come_again(book: Journal, server: Server) -> None:
    answered(book, sending(book))
    body, headers = signed(payload("delivered"), at=datetime.now(UTC))
    with Receiver(book, SECRET, port=0) as hooks, httpx.Client(trust_env=False) as http:
        server.crash()
        try:
            assert http.post(hooks.url, content=body, headers=headers).status_code == 503
        finally:
            server.start()
        assert [http.post(hooks.url, content=body, headers=headers).status_code for _ in range(2)] == [200, 200]
        told = hooks.health()
    assert (told["unwritten"], told["new"], told["repeated"]) == (1, 1, 1)
    assert [one.status for one in book.sends()] == ["delivered"]
