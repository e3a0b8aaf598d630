"""Wrong, corrected and misreported clocks: an existing message is never reported as missing and never sent again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from core_samples import a_send, memo

from linq_nb import LinqError, NotSent, Outbox, OutcomeUnknown, Send
from linq_nb.clocks import boot_id, steady_s
from linq_nb.demo import Demo
from linq_nb.journal import LEASE_S, Journal
from linq_nb.outbox import session_of

ADA, LOU = "Ada Lovelace", "Lou Lost Answer"
HOUR, NONE = timedelta(hours=1), timedelta()

Connect = Callable[..., Outbox]


class Linq(httpx.BaseTransport):
    """The demo's transport; ``date`` makes the Date header of the true time, ``acts`` are done before a request."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.inner = demo, demo.transport()
        self.date: Callable[[datetime], datetime | None] = lambda at: at
        self.headers: dict[str, str] = {}
        self.acts: dict[str, Callable[[], Any]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for part in [part for part in self.acts if part in f"{request.method} {request.url.path}"]:
            self.acts.pop(part)()
        response = self.inner.handle_request(request)
        date = self.date(self.demo.now())
        del response.headers["date"]
        response.headers.update(self.headers | ({"date": format_datetime(date, usegmt=True)} if date else {}))
        return response


@pytest.fixture
def linq(demo: Demo) -> Linq:
    return Linq(demo)


class Machine:
    """A notebook whose wall clock is off and is corrected; its steady clock goes on with the real time."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.off, self.stopped = demo, NONE, NONE

    def wall(self) -> datetime:
        return self.demo.now() + self.off

    def steady(self) -> float:
        return (self.demo.now() - self.stopped).timestamp()


@pytest.fixture
def notebook(connect: Connect, linq: Linq, demo: Demo) -> Callable[..., tuple[Outbox, Machine]]:
    """Open a notebook on a machine of its own, all with one journal."""

    def opened(off: timedelta = NONE, *, steady: bool = False) -> tuple[Outbox, Machine]:
        machine = Machine(demo)
        machine.off = off
        more: dict[str, Any] = {"steady": machine.steady} if steady else {}
        return connect(transport=linq, clock=machine.wall, **more), machine

    return opened


Notebook = Callable[..., tuple[Outbox, Machine]]
OFF = [timedelta(hours=-1), timedelta(minutes=-2), timedelta(minutes=2), HOUR]


def lose(outbox: Outbox, chat: str) -> Send:
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), chat)
    return outbox.sends()[-1]


def looked_for(outbox: Outbox) -> tuple[str | None, str]:
    (send,) = outbox.reconcile()
    return send.reconcile_result, str(outbox.history(send)[-1].body["evidence"])


# --- our clock is off ---


@pytest.mark.parametrize("later", ["another notebook", "the same one", "the same one, with a steady clock"])
@pytest.mark.parametrize("off", OFF, ids=str)
def test_an_existing_memo_is_found_after_our_clock_was_corrected(
    notebook: Notebook, off: timedelta, later: str
) -> None:
    outbox, machine = notebook(off, steady="steady" in later)
    lose(outbox, LOU)
    machine.off = NONE
    other = notebook()[0] if later == "another notebook" else outbox
    assert looked_for(other)[0] == "found"


@pytest.mark.parametrize("then", [NONE, *OFF], ids=str)
@pytest.mark.parametrize("now", [NONE, *OFF], ids=str)
def test_a_memo_is_not_reported_missing_before_it_can_have_arrived(
    notebook: Notebook, demo: Demo, then: timedelta, now: timedelta
) -> None:
    """Seconds after the POST, whatever the clocks were then and are now; hours later it is sure."""
    outbox, _ = notebook(then)
    demo.reset_next()
    lose(outbox, ADA)
    demo.advance(seconds=20)
    other, _ = notebook(now)
    result, why = looked_for(other)
    assert result == "ambiguous"
    assert "too early" in why
    demo.advance(minutes=123)
    assert looked_for(other)[0] == "not_found"


def test_a_clock_correction_between_the_last_answer_and_the_post_is_noticed(
    notebook: Notebook, demo: Demo, linq: Linq
) -> None:
    """A Date that was read long before the POST holds by the steady clock."""
    outbox, machine = notebook(-HOUR, steady=True)
    outbox.find_chat(LOU)
    linq.date = lambda at: None  # no later answer has a Date
    demo.advance(hours=3)
    machine.off = NONE
    lost = lose(outbox, LOU)
    assert lost.skew_min_ms is not None
    assert lost.skew_max_ms is not None
    assert (lost.skew_min_ms, lost.skew_max_ms) == pytest.approx((0, 0), abs=1000)
    linq.date = lambda at: at
    assert looked_for(notebook()[0])[0] == "found"


def test_a_memo_is_not_reported_missing_after_the_machine_slept_before_its_post(notebook: Notebook, demo: Demo) -> None:
    """Its wall clock and its steady clock both stood still, as those of a machine that was paused from outside."""
    outbox, machine = notebook(steady=True)
    outbox.find_chat(LOU)
    demo.advance(hours=1)
    machine.off, machine.stopped = -HOUR, HOUR
    lose(outbox, LOU)
    machine.off = NONE
    assert looked_for(notebook()[0])[0] != "not_found"


# --- Linq's clock is reported wrongly, or not at all ---

BEFORE = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
When = Literal["then", "now", "always"]
DATES: dict[str, Callable[[datetime], datetime | None]] = {
    "no Date": lambda at: None,
    "a Date that does not move": lambda at: BEFORE,
    "an hour old": lambda at: at - HOUR,
    "an hour ahead": lambda at: at + HOUR,
    "a minute old": lambda at: at - timedelta(minutes=1),
}


def lose_with_date(linq: Linq, notebook: Notebook, name: str, date: str, when: When) -> None:
    """Lose the answer to a memo; Linq's Date is wrong at the POST, in all later answers, or always."""
    linq.date = DATES[date] if when != "now" else linq.date
    lose(notebook()[0], name)
    linq.date = DATES[date] if when != "then" else lambda at: at


@pytest.mark.parametrize("when", ["then", "now", "always"])
@pytest.mark.parametrize("date", DATES)
def test_a_wrong_date_never_hides_a_memo(notebook: Notebook, linq: Linq, demo: Demo, date: str, when: When) -> None:
    lose_with_date(linq, notebook, LOU, date, when)
    for minutes in (0, 5, 120):
        demo.advance(minutes=minutes)
        result = looked_for(notebook()[0])[0]
        assert result != "not_found"
        if result == "found":
            break


@pytest.mark.parametrize("when", ["then", "now", "always"])
@pytest.mark.parametrize("date", DATES)
def test_a_wrong_date_never_makes_a_memo_missing_too_early(
    notebook: Notebook, linq: Linq, demo: Demo, date: str, when: When
) -> None:
    demo.reset_next()
    lose_with_date(linq, notebook, ADA, date, when)
    demo.advance(seconds=40)
    assert looked_for(notebook()[0])[0] == "ambiguous"


@pytest.mark.parametrize(
    ("date", "why"),
    [("no Date", "the difference between our clock and Linq's"), ("a Date that does not move", "too early")],
)
def test_the_reason_is_given_where_linqs_time_is_unknown(
    notebook: Notebook, linq: Linq, demo: Demo, date: str, why: str
) -> None:
    linq.date = DATES[date]
    demo.reset_next()
    lose(notebook()[0], ADA)
    demo.advance(hours=5)
    outbox = notebook()[0]
    result, evidence = looked_for(outbox)
    assert result == "ambiguous"
    assert why in evidence
    assert f"reconciled ambiguous · {evidence}" in repr(outbox.history(outbox.sends()[0])[-1])


@pytest.mark.parametrize("age", ["1", "3600", "soon"])
def test_a_cached_answer_is_no_evidence_of_linqs_clock(notebook: Notebook, linq: Linq, age: str) -> None:
    linq.headers, linq.date = {"age": age}, lambda at: at - HOUR
    lost = lose(notebook()[0], LOU)
    assert (lost.skew_min_ms, lost.skew_max_ms) == (None, None)
    linq.headers, linq.date = {"age": "0"}, lambda at: at
    assert looked_for(notebook()[0])[0] == "found"


# --- a mark and its memo ---


@pytest.mark.parametrize("off", [*OFF, NONE], ids=str)
def test_a_memo_does_not_leave_after_its_lease_whatever_the_wall_clock_says(
    notebook: Notebook, linq: Linq, demo: Demo, off: timedelta
) -> None:
    outbox, machine = notebook(steady=True)

    def sleep() -> None:
        demo.advance(seconds=LEASE_S)
        machine.off = off

    linq.acts["/voicememo"] = sleep
    with pytest.raises(NotSent, match="slept when it was about to send; nothing was sent"):
        outbox.send(memo(), ADA)
    assert demo.bubbles(demo.chat_ids[ADA]) == 0


# --- a send that is under way is not settled ---


@pytest.mark.parametrize("stage", ["POST /api/partner/v3/attachments", "PUT ", "/voicememo"])
@pytest.mark.parametrize("word", ["sent", "not_sent"])
def test_a_send_that_is_under_way_cannot_be_settled(
    notebook: Notebook, linq: Linq, demo: Demo, stage: str, word: Literal["sent", "not_sent"]
) -> None:
    outbox, other = notebook()[0], notebook(HOUR)[0]
    refusals: list[str] = []

    def settle() -> None:
        for person in (outbox, other):
            with pytest.raises(LinqError) as refused:
                person.resolve(person.sends()[0], word, reason="I am quick")
            refusals.append(str(refused.value))

    linq.acts[stage] = settle
    assert outbox.send(memo(), ADA).status == "queued"
    assert len(refusals) == 2
    assert all(
        "is being sent right now by another" in text and "nothing was changed; wait" in text for text in refusals
    )
    assert [event.source for event in outbox.history(outbox.sends()[0])] == ["post"]
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


@pytest.mark.parametrize("looked", [False, True], ids=["as it was left", "looked for"])
def test_the_send_of_a_dead_owner_is_settled_once_its_request_cannot_arrive(
    notebook: Notebook, linq: Linq, demo: Demo, looked: bool
) -> None:
    outbox = notebook(steady=True)[0]

    def die() -> None:
        _cut(outbox)
        raise SystemExit

    linq.acts["/voicememo"] = die
    with pytest.raises(SystemExit):
        outbox.send(memo(), ADA)
    other = notebook(steady=True)[0]
    demo.advance(seconds=LEASE_S)
    if looked:
        assert looked_for(other)[0] == "ambiguous"
    (send,) = other.sends()
    assert send.status == ("unknown" if looked else "sending")
    with pytest.raises(LinqError, match=r"may still be on its way.*nothing was changed; wait 70 s, then look"):
        other.resolve(send, "not_sent", reason="I am quick")
    demo.advance(seconds=70)
    assert other.resolve(send, "not_sent", reason="it is not there").status == "not_sent"


def _cut(outbox: Outbox) -> None:
    """Let the journal refuse all writes of this notebook, as if its process had been killed."""
    with session_of(outbox).journal.database.read() as db:
        db.exec_driver_sql("PRAGMA query_only = ON")


# --- leases on SQLite, by the machine's steady clock ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "leases.sqlite"


@pytest.fixture
def opened(file: Path) -> Iterator[Callable[[], Journal]]:
    journals: list[Journal] = []

    def made() -> Journal:
        journals.append(Journal(f"sqlite:///{file}"))
        return journals[-1]

    yield made
    for journal in journals:
        journal.close()


def set_clock(file: Path, boot: str | None, ahead: timedelta) -> None:
    """Set the journal's clock as if the wall clock had been ``ahead`` of its present time."""
    ahead_s = datetime.now().timestamp() - steady_s() + ahead.total_seconds()
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'clock'", (f"{boot} {ahead_s!r}",))
        db.commit()


@pytest.mark.skipif(boot_id() is None, reason="only Linux tells when the machine was started")
@pytest.mark.parametrize("off", [*OFF, NONE], ids=str)
def test_a_wall_clock_that_is_corrected_moves_no_lease(
    file: Path, opened: Callable[[], Journal], off: timedelta
) -> None:
    opened()
    set_clock(file, boot_id(), off)
    owner, other = opened(), opened()  # now the wall clock shows something else
    wanted = a_send(status="preparing", posted_at=None)
    assert owner.claim(wanted, (), "owner")[2] == "send"
    assert other.claim(wanted, (), "other")[1:] == (None, "wait")
    assert other.is_held(wanted.send_id)
    with closing(sqlite3.connect(file)) as db:
        (lease_until,) = db.execute("SELECT lease_until FROM sends").fetchone()
    assert 0 < lease_until / 1e6 - (other.database.now() or 0) / 1e6 <= LEASE_S


@pytest.mark.parametrize("off", [HOUR, timedelta(days=9000)], ids=str)
def test_a_lease_that_a_clock_ahead_of_ours_gave_before_the_machine_was_restarted_ends_soon(
    file: Path, opened: Callable[[], Journal], off: timedelta
) -> None:
    opened()
    set_clock(file, "the boot before", off)
    wanted = a_send(status="preparing", posted_at=None)
    before = Journal(f"sqlite:///{file}", wall=lambda: (datetime.now() + off).timestamp())
    assert before.claim(wanted, (), "dead")[2] == "send"
    before.close()
    now = opened()
    with closing(sqlite3.connect(file)) as db:
        (lease_until,) = db.execute("SELECT lease_until FROM sends").fetchone()
    assert lease_until / 1e6 - (now.database.now() or 0) / 1e6 <= LEASE_S
