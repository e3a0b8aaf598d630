"""10,000 changed deliveries are refused in the same way everywhere, and leave nothing behind.

``LINQ_NB_SEED=7`` draws others; a failure names its seed and its number.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import pytest
from hook_samples import AT, SECRET, answered, payload, sending, signed, wanted
from mutations import CHANGES, Changed, changed
from shared import HANG_S

from linq_nb import Outbox, WebhookError, webhooks
from linq_nb.journal import Journal
from linq_nb.outbox import session_of
from linq_nb.receiver import Receiver

SEED = int(os.environ.get("LINQ_NB_SEED", "1"))
SCHEMES: list[Any] = ["standard", "legacy"]


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", SCHEMES)
def test_10_000_changed_deliveries_are_refused_and_nothing_else_is_raised(scheme: Any) -> None:
    refused: Counter[str] = Counter()
    for n, delivery in enumerate(changed(scheme, SEED, 10_000)):
        with _noted(f"seed {SEED}, number {n}: {delivery}"), pytest.raises(WebhookError) as caught:
            webhooks.verify(delivery.body, delivery.headers, SECRET, scheme=scheme, now=AT)
        assert SECRET not in str(caught.value)
        refused[delivery.how] += 1
    assert refused.total() == 10_000
    assert len(refused) == len(CHANGES)
    assert min(refused.values()) > 500


@contextmanager
def _noted(which: str) -> Iterator[None]:
    """Name the delivery that fails a test."""
    try:
        yield
    except BaseException as error:
        error.add_note(which)
        raise


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_unchanged_deliveries_are_accepted(scheme: Any) -> None:
    """Otherwise a verifier that refuses everything would pass the test above."""
    for kind in ("sent", "delivered", "read", "failed"):
        body, headers = signed(payload(kind))
        assert webhooks.verify(body, headers, SECRET, scheme=scheme, now=AT).status == kind


@pytest.mark.parametrize("scheme", SCHEMES)
def test_changed_deliveries_leave_no_row_by_ingest(outbox: Outbox, scheme: Any) -> None:
    answered(session_of(outbox).journal, sending(session_of(outbox).journal))
    before = outbox.sends()
    for delivery in changed(scheme, SEED + 1, 1000, session_of(outbox).now()):
        with pytest.raises(WebhookError):
            outbox.ingest(delivery.body, delivery.headers, SECRET, scheme=scheme)
    assert outbox.sends() == before
    assert session_of(outbox).journal.events() == []


def test_a_delivery_that_is_repeated_in_time_is_written_once(outbox: Outbox) -> None:
    answered(session_of(outbox).journal, sending(session_of(outbox).journal))
    for n in range(100):
        body, headers = signed(payload("delivered", n % 10), at=session_of(outbox).now())
        outbox.demo.advance(seconds=n)
        assert outbox.ingest(body, headers, SECRET).send_id == wanted().send_id
    assert len(session_of(outbox).journal.events()) == 10


@pytest.mark.parametrize("scheme", SCHEMES)
def test_changed_deliveries_get_401_from_the_receiver_and_leave_a_count_but_no_row(
    book: Journal, scheme: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: Counter[int] = Counter()
    with Receiver(book, SECRET, port=0, scheme=scheme, idle_s=int(HANG_S)) as hooks:
        link = HTTPConnection("127.0.0.1", hooks.port, timeout=HANG_S)
        for delivery in changed(scheme, SEED + 2, 700, datetime.now(UTC)):
            if (pairs := _over_http(delivery)) is not None:
                answers[_post(link, delivery.body, pairs)] += 1
        body, headers = signed(payload("sent"), at=datetime.now(UTC))
        assert _post(link, body, list(headers.items())) == 200
        link.close()
        health = hooks.health()
    assert set(answers) == {401}
    assert answers[401] > 450
    assert (health["refused"], health["not_ours"]) == (answers[401], 1)
    assert len(book.events()) == 1
    log = capsys.readouterr().err
    assert log.count("\n") == log.count(" 401 ") == answers[401]


def _over_http(delivery: Changed) -> list[tuple[str, str]] | None:
    """Return the headers as they go over the wire, None for what HTTP cannot carry."""
    items = list(delivery.headers.items()) if isinstance(delivery.headers, dict) else delivery.headers
    if not isinstance(delivery.body, bytes) or not isinstance(items, list):
        return None
    pairs = [(str(item[0]), str(item[1])) for item in items if isinstance(item, tuple) and len(item) == 2]
    is_sendable = len(pairs) == len(items) and all(
        value.isprintable() and len(value) < 60_000 and max(value, default="") < "\u0100" for _, value in pairs
    )
    return pairs if is_sendable else None


def _post(link: HTTPConnection, body: bytes, headers: list[tuple[str, str]]) -> int:
    link.putrequest("POST", "/")
    link.putheader("Content-Length", str(len(body)))
    for name, value in headers:
        link.putheader(name, value)
    link.endheaders(body)
    answer = link.getresponse()
    answer.read()
    return answer.status
