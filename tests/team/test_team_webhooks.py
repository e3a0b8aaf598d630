"""Webhooks of many sends by many writers at once on one server, beside the answers to their POSTs."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / "webhooks")]

from hook_samples import answered, sending, wanted
from test_webhook_journal import ENDS, SEQUENCES, message_id, nth

from linq_nb.journal import Journal

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
