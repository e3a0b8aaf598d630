"""Events that wait for a send of unknown outcome: many of them slow nothing down, and none is forgotten."""

from __future__ import annotations

import dataclasses
import functools
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_samples import AT, CHAT_ID, answered, payload, sending, wanted
from shared import quick_first

from linq_nb import webhooks
from linq_nb.journal import Journal
from linq_nb.model import Event

OTHER_CHAT = "6b1f4e0a-1111-4a5b-9c1d-2f0000000000"


def event(message: str, kind: str = "sent", chat_id: str = CHAT_ID, seconds: float = 1, **more: Any) -> Event:
    raw = payload(kind, seconds, id=message, chat={"id": chat_id, "is_group": False}, **more)
    return webhooks.parse(raw, at=AT)


def waiting(journal: Journal, first: int, last: int) -> None:
    """Write that many events of other messages in the chat of the unknown send."""
    numbered = [event(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))) for number in range(first, last)]
    journal.ingest(*numbered)


def steps(journal: Journal, act: Callable[[], object]) -> int:
    """Return SQLite's work for an operation, in hundreds of its virtual machine's instructions."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with journal.database.read() as db:
        driver: Any = db.connection.driver_connection
    driver.set_progress_handler(count, 100)
    act()
    driver.set_progress_handler(None, 0)
    return counted


@pytest.mark.thorough
@pytest.mark.parametrize("act", ["webhook", "webhook of another chat", "read", "send"])
def test_waiting_events_make_no_operation_slower_however_many_they_are(tmp_path: Path, act: str) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/j.sqlite")
    answered(journal, sending(journal), "unknown", message_id=None, trace_id=None)

    def send(number: int) -> None:
        claim = sending(journal, wanted(content=f"c{number}", send_id=f"s{number}"))
        journal.get("s")
        answered(journal, claim, message_id=f"m{number}", trace_id=f"t{number}")
        journal.get("s")

    acts: dict[str, Callable[[int], object]] = {
        "webhook": lambda number: journal.ingest(event(f"of {number}")),
        "webhook of another chat": lambda number: journal.ingest(event(f"of {number}", chat_id=OTHER_CHAT)),
        "read": lambda number: journal.get("s"),
        "send": send,
    }
    counts = []
    for first, last in ((0, 100), (100, 3000)):
        waiting(journal, first, last)
        acts[act](10 * last)
        counts.append(steps(journal, functools.partial(acts[act], 10 * last + 1)))
    journal.close()
    assert counts[1] <= 2 * counts[0] + 5, counts


def test_events_that_waited_in_vain_are_released_together(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/j.sqlite")
    claim = sending(journal)
    answered(journal, claim, "unknown", message_id=None, trace_id=None)
    waiting(journal, 0, 500)
    observed = Event(send_id=claim.send.send_id, at=AT, source="reconcile", status="queued", message_id="m")
    journal.observe(observed)
    assert journal.get(claim.send.send_id)
    with journal.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM events WHERE waits = 1").scalar() == 0
    journal.close()


class Story:
    """Random steps of senders and webhooks on one journal, by two programs that have it open.

    With ``reopens`` the journal is opened anew for each step, so that it remembers nothing of the last.
    """

    def __init__(self, file: Path, seed: int, *, reopens: bool) -> None:
        self.url, self.draw, self.reopens = f"sqlite:///{file}", random.Random(seed), reopens
        self.journals = [Journal(self.url) for _ in range(2)]
        self.claims: list[Any] = []
        self.number = 0

    def step(self) -> None:
        which = self.draw.randrange(2)
        if self.reopens:
            self.journals[which].close()
            self.journals[which] = Journal(self.url)
        self.draw.choice([self.post, self.post, self.answer, self.answer, self.hook, self.hook, self.hook, self.read])(
            self.journals[which]
        )

    def post(self, journal: Journal) -> None:
        self.number += 1
        chat_id = self.draw.choice([CHAT_ID, OTHER_CHAT])
        send = wanted(content=f"c{self.number}", send_id=f"s{self.number}", chat_id=chat_id)
        self.claims.append((sending(journal, send), self.number, journal))

    def answer(self, journal: Journal) -> None:
        if not self.claims:
            return
        claim, number, _ = self.claims.pop(self.draw.randrange(len(self.claims)))
        outcome = self.draw.choice(["queued", "queued", "unknown", "unknown traced", "rejected"])
        facts: dict[str, Any] = {"message_id": f"m{number}", "trace_id": f"t{number}"}
        if outcome != "queued":
            facts |= {"message_id": None} | ({} if outcome.endswith("traced") else {"trace_id": None})
        answered(journal, claim, outcome.partition(" ")[0], **facts)
        if outcome == "unknown" and self.draw.random() < 0.5:
            event = Event(send_id=claim.send.send_id, at=AT, source="reconcile", message_id=f"m{number}", status="sent")
            journal.observe(event)

    def hook(self, journal: Journal) -> None:
        if not self.number:
            return
        number = self.draw.randint(1, self.number)  # no event comes before its message is posted
        kind = self.draw.choice(["sent", "delivered", "read"])
        chat_id = self.draw.choice([CHAT_ID, OTHER_CHAT])
        message_id = f"m{number}" if self.draw.random() < 0.8 else "of another program"
        received = event(message_id, kind, chat_id, seconds=self.draw.randrange(1, 4))
        if self.draw.random() < 0.5:
            received = dataclasses.replace(received, trace_id=f"t{number}")
        if self.draw.random() < 0.1:
            received = dataclasses.replace(received, message_id=None, chat_id=None)
        journal.ingest(received)

    def read(self, journal: Journal) -> None:
        journal.get("s1")

    def end(self) -> Any:
        for journal in self.journals:
            journal.get("s1")
        with self.journals[0].database.read() as db:
            waits = db.exec_driver_sql("SELECT event_no, waits FROM events ORDER BY event_no").all()
        ended = list(self.journals[0].sends()), list(self.journals[0].events()), waits
        for journal in self.journals:
            journal.close()
        return ended


@pytest.mark.parametrize("seed", quick_first(range(6)))
def test_the_memory_of_the_last_read_changes_no_outcome(tmp_path: Path, seed: int) -> None:
    ends = []
    for reopens in (False, True):
        story = Story(tmp_path / f"{reopens}.sqlite", seed, reopens=reopens)
        for _ in range(60):
            story.step()
        ends.append(story.end())
    assert ends[0] == ends[1]
