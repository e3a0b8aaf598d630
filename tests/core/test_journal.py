"""The journal: claims that hold for one owner, and rows that come back complete."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from core_samples import AT, BAD_VALUES, BASE, CHAT_ID, MESSAGE_ID, a_send, answer_with, webhook_with
from shared import AUDIO, HANG_S, wait_for

from linq_nb import reports, to_frame, webhooks
from linq_nb.errors import JournalError
from linq_nb.journal import LEASE_S, Claim, Journal, LeaseKeeper, MessageTaken
from linq_nb.model import Event, Send, send_id
from linq_nb.outbox.attempt import accepted
from linq_nb.status import LINQ_STATUSES, OUR_STATUSES

SHA, URL, ATTACHMENT = "sha256:" + "ab" * 32, "url:https://x.example/a.wav", "attachment:a1"


class Wall:
    """A wall clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def book(tmp_path: Path, wall: Wall) -> Iterator[Journal]:
    book = Journal(f"sqlite:///{tmp_path}/j.sqlite", wall=wall)
    yield book
    book.close()


def wanted(content: str = SHA, copy: int = 1, **fields: Any) -> Send:
    given = {"status": "preparing", "posted_at": None, "attempts": 0, "copy": copy}
    return a_send(content=content, **{**given, "send_id": send_id(BASE, CHAT_ID, content, copy), **fields})


def claimed(book: Journal, owner: str = "me", send: Send | None = None, names: tuple[str, ...] = ()) -> Claim:
    _, claim, step = book.claim(send or wanted(), names, owner)
    assert step == "send"
    assert claim is not None
    return claim


def at_status(book: Journal, status: str, owner: str = "me") -> Send:
    claim = claimed(book, owner)
    send = dataclasses.replace(claim.send, status=status)
    assert book.advance(claim, send)
    return send


# --- claims ---


def test_a_send_is_claimed_once(book: Journal) -> None:
    claim = claimed(book)
    assert (claim.epoch, claim.send.attempts, claim.send.status) == (1, 1, "preparing")
    send, other, step = book.claim(wanted(), (), "other")
    assert (other, step, send) == (None, "wait", claim.send)


def test_sixteen_threads_and_two_connections_make_one_claim(tmp_path: Path) -> None:
    books = [Journal(f"sqlite:///{tmp_path}/j.sqlite") for _ in range(2)]
    barrier = threading.Barrier(16)

    def take(n: int) -> bool:
        barrier.wait()
        return books[n % 2].claim(wanted(), (), f"owner {n}")[1] is not None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 1
    for book in books:
        book.close()


@pytest.mark.parametrize("status", [*LINQ_STATUSES, *OUR_STATUSES, "teleported"])
@pytest.mark.parametrize("lease_over", [False, True])
def test_each_status_decides_the_next_step_of_another_owner(
    book: Journal, wall: Wall, status: str, lease_over: bool
) -> None:
    before = at_status(book, status)
    wall.now += LEASE_S + 1 if lease_over else 1
    send, claim, step = book.claim(wanted(filename="new.wav"), (), "other")
    if status in ("not_sent", "rejected") or (status == "preparing" and lease_over):
        assert step == "send"
        assert claim is not None
        assert (claim.epoch, send.attempts, send.status, send.filename) == (2, 2, "preparing", "new.wav")
        assert (send.send_id, send.created_at, send.content) == (before.send_id, before.created_at, before.content)
    else:
        assert claim is None
        assert send == before
        open_ = {"preparing": "wait", "sending": "wait", "unknown": "reconcile"}
        expected = "reconcile" if (status, lease_over) == ("sending", True) else open_.get(status, "report")
        assert step == expected


def test_another_attempt_clears_the_error_of_the_last_one(book: Journal) -> None:
    claim = claimed(book)
    failed = dataclasses.replace(
        claim.send, status="rejected", http_status=404, error_code=2001, error_message="no", trace_id="t", posted_at=AT
    )
    book.advance(claim, failed)
    again = claimed(book).send
    facts = (again.http_status, again.error_code, again.error_message, again.trace_id, again.posted_at)
    assert facts == (None,) * 5


def test_an_owner_that_slept_past_its_lease_loses_its_claim_to_another(book: Journal, wall: Wall) -> None:
    slept = claimed(book, "slept")
    wall.now += LEASE_S + 1
    newer = claimed(book, "other")
    assert not book.advance(slept, dataclasses.replace(slept.send, status="sending"), event("sending"))
    assert book.get(slept.send.send_id) == newer.send
    assert book.events(slept.send.send_id) == []
    assert book.advance(newer, dataclasses.replace(newer.send, status="sending"))


def test_an_owner_that_slept_past_its_lease_goes_on_if_nobody_claimed_the_send(book: Journal, wall: Wall) -> None:
    slept = claimed(book)
    wall.now += 10 * LEASE_S
    assert book.advance(slept, dataclasses.replace(slept.send, status="sending"))


def test_a_claim_does_not_overwrite_an_outcome_that_a_webhook_decided(book: Journal) -> None:
    claim = claimed(book)
    book.observe(event("delivered"))
    assert not book.advance(claim, dataclasses.replace(claim.send, status="unknown"))
    assert status_of(book) == "delivered"


def test_the_decision_of_a_person_ends_the_claim(book: Journal) -> None:
    claim = claimed(book)
    book.advance(claim, dataclasses.replace(claim.send, status="unknown"))
    decided = dataclasses.replace(claim.send, status="not_sent")
    assert not book.replace(decided, event("not_sent"), was="sending")
    assert book.replace(decided, event("not_sent"), was="unknown")
    assert not book.advance(claim, dataclasses.replace(claim.send, status="queued"))
    assert status_of(book) == "not_sent"
    assert len(book.events(decided.send_id)) == 1


def test_a_renewal_extends_the_open_claims_of_one_owner(book: Journal, wall: Wall) -> None:
    mine, other = claimed(book, "me"), claimed(book, "other", wanted(copy=2))
    wall.now += LEASE_S - 1
    book.renew("me")
    wall.now += 2
    assert book.claim(mine.send, (), "third")[2] == "wait"
    assert book.claim(other.send, (), "third")[2] == "send"


def test_a_renewal_leaves_out_claims_that_are_not_held(book: Journal, wall: Wall) -> None:
    """As after an interrupt between a claim and its request, in a kernel that goes on sending other memos."""
    held, left = claimed(book, "me"), claimed(book, "me", wanted(copy=2))
    wall.now += LEASE_S - 1
    book.renew("me", [held.send.send_id])
    wall.now += 2
    assert book.claim(held.send, (), "third")[2] == "wait"
    assert book.claim(left.send, (), "third")[2] == "send"


def test_leases_are_renewed_while_a_send_is_held_and_no_longer() -> None:
    rounds: queue.Queue[set[str]] = queue.Queue()
    before = set(threading.enumerate())

    def renew(send_ids: Collection[str]) -> None:
        rounds.put(set(send_ids))
        if rounds.qsize() == 1:
            raise JournalError("locked for a moment")

    keeper = LeaseKeeper(renew, every_s=0.001)
    with keeper.holding("a"):
        with keeper.holding("b"):
            while rounds.get() != {"a", "b"}:
                pass
            assert rounds.get() == {"a", "b"}
        while rounds.get() != {"a"}:
            pass
        (thread,) = [new for new in set(threading.enumerate()) - before if new.name == "linq_nb lease"]
    thread.join()  # with nothing held it ends by itself
    with keeper.holding("c"):
        while rounds.get() != {"c"}:
            pass
    keeper.stop()


NO_LEASE_THREAD = """
import resource, sys, threading
import linq_nb

def leases():
    return [thread.name for thread in threading.enumerate() if thread.name == "linq_nb lease"]

outbox = linq_nb.connect(demo=True)
memo = linq_nb.VoiceMemo.from_file(sys.argv[1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
threading.stack_size(2**30)
print(outbox.send(memo, "Ada Lovelace").status, leases())
if sys.argv[2] == "again":
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    threading.stack_size(0)
    print(outbox.send(memo, "Ada Lovelace", copy=2).status, leases())
outbox.close()
print("closed", leases())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory by a call of Linux")
@pytest.mark.parametrize(
    ("then", "messages"),
    [("again", ["queued []", "queued ['linq_nb lease']", "closed []"]), ("close", ["queued []", "closed []"])],
)
def test_a_lease_thread_that_the_system_refuses_is_tried_again_with_the_next_claim(
    then: str, messages: list[str]
) -> None:
    command = [sys.executable, "-c", NO_LEASE_THREAD, str(AUDIO / "hello.amr"), then]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert (done.stdout.splitlines(), done.stderr) == (messages, "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lease_thread_that_died_is_replaced_with_the_next_claim() -> None:
    renewed: queue.Queue[Collection[str]] = queue.Queue()
    threads = []

    def renew(send_ids: Collection[str]) -> None:
        threads.append(threading.current_thread())
        renewed.put(set(send_ids))
        if send_ids == ("first",):
            raise SystemExit  # ends the thread without a message

    keeper = LeaseKeeper(renew, every_s=0.001)
    with keeper.holding("first"):
        assert renewed.get(timeout=HANG_S) == {"first"}
        wait_for(lambda: not threads[0].is_alive())
    with keeper.holding("second"):
        assert renewed.get(timeout=HANG_S) == {"second"}
    keeper.stop()


def test_a_send_at_sending_is_an_orphan_when_its_lease_is_over(book: Journal, wall: Wall) -> None:
    at_status(book, "sending")
    assert book.orphans() == []
    wall.now += LEASE_S + 1
    assert [send.status for send in book.orphans()] == ["sending"]


# --- names ---


@pytest.mark.parametrize(
    ("first", "linked", "second"),
    [
        ((SHA,), (), (SHA,)),
        ((SHA,), (SHA, ATTACHMENT), (ATTACHMENT,)),
        ((ATTACHMENT,), (SHA, ATTACHMENT), (SHA,)),
        ((URL,), (SHA, URL), (SHA,)),
        ((URL,), (SHA, URL), (SHA, URL)),
        ((SHA,), (SHA, URL), (URL,)),
        ((SHA, "sha256:cd"), (SHA, "sha256:cd"), ("sha256:cd",)),
    ],
)
def test_any_name_of_the_same_content_is_the_same_send(
    book: Journal, first: tuple[str, ...], linked: tuple[str, ...], second: tuple[str, ...]
) -> None:
    claim = claimed(book, send=wanted(first[0]), names=first)
    book.advance(claim, dataclasses.replace(claim.send, status="delivered"))
    book.link(linked)
    assert book.claim(wanted(second[0]), second, "other")[2] == "report"
    stored = book.find(wanted(second[0]), second)
    assert stored is not None
    assert stored.send_id == claim.send.send_id


def test_names_linked_in_any_order_become_one_group(book: Journal) -> None:
    for pair in (("a", "b"), ("c", "d"), ("e", "d"), ("b", "c")):
        book.link(pair)
    claim = claimed(book, send=wanted("e"), names=("e",))
    book.advance(claim, dataclasses.replace(claim.send, status="queued"))
    for name in "abcde":
        assert book.claim(wanted(name), (name,), "other")[2] == "report"
    assert book.claim(wanted("f"), ("f",), "other")[2] == "send"


@pytest.mark.parametrize("first", ["not_sent", "rejected", "preparing", "sending", "unknown"])
@pytest.mark.parametrize("second", ["preparing", "sending", "unknown", "queued"])
def test_the_stricter_of_two_sends_counts_when_their_names_are_linked_later(
    book: Journal, first: str, second: str
) -> None:
    """In neither order may a memo be sent while the same memo is under way by its other name."""
    for name, status in ((SHA, first), (URL, second)):
        claim = claimed(book, send=wanted(name), names=(name,))
        book.advance(claim, dataclasses.replace(claim.send, status=status))
    book.link((SHA, URL))
    for name in (SHA, URL):
        assert book.claim(wanted(name), (SHA, URL), "third")[2] != "send"


def test_copies_chats_and_hosts_are_different_sends(book: Journal) -> None:
    claimed(book)
    for fields in ({"copy": 2}, {"chat_id": "another"}, {"base_url": "https://another"}, {"content": "sha256:cd"}):
        send = dataclasses.replace(wanted(), **fields, send_id=str(fields))
        assert book.claim(send, (), "me")[2] == "send"


def test_uploads_are_kept_by_account_and_content(book: Journal) -> None:
    assert book.attachment("acc", "ab") is None
    book.keep_attachment("acc", "ab", "a1", AT)
    book.keep_attachment("acc", "ab", "a2", AT)
    assert book.attachment("acc", "ab") == "a2"
    assert book.attachment("another", "ab") is None
    book.forget_attachment("acc", "ab")
    assert book.attachment("acc", "ab") is None


# --- rows ---


def event(status: str | None, **fields: Any) -> Event:
    return Event(send_id=wanted().send_id, at=AT, source="webhook", status=status, **fields)


def status_of(book: Journal) -> str:
    stored = book.get(wanted().send_id)
    assert stored is not None
    return stored.status


def filled(record: type, **fields: Any) -> Any:
    """A record with something in every field, by its type."""
    kinds: dict[str, Any] = {
        "str": "text é 中 🎤", "str | None": "words", "int": 3, "int | None": 2**40, "bool | None": True, "bool": False,
        "tuple[str, ...]": ("+12025550111", "a@x.io"), "datetime": AT, "Any": {"a": [1, "é"]},
        "datetime | None": AT + timedelta(microseconds=123456),
    }  # fmt: skip
    values = {field.name: kinds[str(field.type)] for field in dataclasses.fields(record)}
    return record(**{**values, **fields})


def test_every_field_of_a_send_comes_back(book: Journal, tmp_path: Path) -> None:
    send = filled(Send, status="preparing", attempts=0, repeated=False, repeated_at=None)
    claim = claimed(book, send=send)
    done = dataclasses.replace(send, status="sent", attempts=1, http_status=202)
    assert book.advance(claim, done)
    for reader in (book, Journal(f"sqlite:///{tmp_path}/j.sqlite")):
        assert reader.get(send.send_id) == done
        assert reader.sends() == [done]
        assert reader.find(send, (send.content,)) == done
        if reader is not book:
            reader.close()


def test_every_field_of_an_event_comes_back_in_order(book: Journal) -> None:
    words = ("queued", "sent", "delivered")
    events = [filled(Event, send_id=wanted().send_id, status=word, event_id=word) for word in words]
    claimed(book)
    book.observe(*events)
    stored = book.events(wanted().send_id)
    assert stored == events
    assert stored[0].body == {"a": [1, "é"]}


def test_observing_follows_the_rank_rule_and_keeps_every_event(book: Journal) -> None:
    at_status(book, "queued")
    for status in ("delivered", "sent", "failed"):
        book.observe(event(status))
    assert status_of(book) == "delivered"
    assert [event.status for event in book.events(wanted().send_id)] == ["delivered", "sent", "failed"]
    assert book.observe(Event(send_id="nobody", at=AT, source="webhook")) is None


def test_a_note_changes_nothing(book: Journal) -> None:
    before = at_status(book, "queued")
    book.note(event(None, error_message="another owner has it"))
    assert book.get(before.send_id) == before
    assert len(book.events(before.send_id)) == 1


def test_sends_are_found_by_status_chat_and_time(book: Journal) -> None:
    for n, status in enumerate(("queued", "unknown", "delivered")):
        send = wanted(copy=n + 1, chat_id=f"chat {n}", created_at=AT + timedelta(hours=n))
        claim = claimed(book, send=send)
        book.advance(claim, dataclasses.replace(claim.send, status=status, message_id=f"m{n}"))
    assert [send.status for send in book.sends()] == ["queued", "unknown", "delivered"]
    assert [send.status for send in book.sends(status="unknown")] == ["unknown"]
    assert [send.status for send in book.sends(status=["queued", "delivered"])] == ["queued", "delivered"]
    assert [send.status for send in book.sends(chat_id="chat 2")] == ["delivered"]
    assert [send.status for send in book.sends(since=AT + timedelta(hours=1))] == ["unknown", "delivered"]
    assert [send.status for send in book.open_sends()] == ["queued"]
    assert book.message_ids("chat 1") == {"m1"}


def test_forgetting_a_chat_leaves_its_send_keys_alone(book: Journal) -> None:
    send = filled(Send, chat_id=CHAT_ID, status="preparing", attempts=0, to_handles=("+12025550111",))
    claim = claimed(book, send=send)
    done = dataclasses.replace(send, status="delivered", attempts=1)
    book.advance(claim, done, Event(send_id=send.send_id, at=AT, source="post", body={"to": "+12025550111"}))
    assert book.forget(CHAT_ID) == 1
    assert book.events(send.send_id) == []
    assert book.claim(send, (), "me")[2] == "report"
    stored = book.get(send.send_id)
    assert stored is not None
    assert (stored.to_handles, stored.chat_name, stored.filename, stored.from_handle) == ((), None, None, None)
    assert stored.status == "delivered"


# --- a message belongs to one send ---


def first_and_second(book: Journal, status: str = "sending", **fields: Any) -> tuple[Send, Claim]:
    """Return a send that has message m1, and the claim to another one."""
    first, second = (claimed(book, send=wanted(copy=copy)) for copy in (1, 2))
    sent = dataclasses.replace(first.send, status="queued", message_id="m1")
    assert book.advance(first, sent)
    posted = book.advance(second, dataclasses.replace(second.send, status=status, **fields))
    assert posted
    return sent, posted


def message_ids(book: Journal) -> list[str | None]:
    return [send.message_id for send in book.sends()]


def test_an_answer_with_the_message_of_another_send_is_refused_and_nothing_is_written(book: Journal) -> None:
    _, claim = first_and_second(book)
    answered = dataclasses.replace(claim.send, status="queued", message_id="m1")
    with pytest.raises(MessageTaken):
        book.advance(claim, answered, Event(send_id=answered.send_id, at=AT, source="post"))
    assert [send.status for send in book.sends()] == ["queued", "sending"]
    assert book.events(answered.send_id) == []
    mine = dataclasses.replace(answered, message_id="m2")
    claim = book.advance(claim, mine) or claim
    assert message_ids(book) == ["m1", "m2"]


def test_messages_of_two_base_urls_may_have_the_same_id(book: Journal) -> None:
    first_and_second(book)
    elsewhere = claimed(book, send=wanted(base_url="https://other.example", send_id="elsewhere"))
    assert book.advance(elsewhere, dataclasses.replace(elsewhere.send, status="queued", message_id="m1"))
    assert message_ids(book) == ["m1", None, "m1"]


@pytest.mark.parametrize("source", ["reconcile", "poll", "post", "webhook"])
@pytest.mark.parametrize("forgotten", [False, True])
def test_an_observation_with_the_message_of_another_send_changes_nothing_and_is_evidence(
    book: Journal, source: str, forgotten: bool
) -> None:
    first, claim = first_and_second(book, "unknown")
    if forgotten:
        book.forget(CHAT_ID)
    result = "found" if source == "reconcile" else None
    read = {"status": "read", "read_at": AT, "message_id": "m1", "reconcile_result": result, "body": {"raw": 1}}
    observed = book.observe(Event(send_id=claim.send.send_id, at=AT, source=source, **read))
    assert observed is not None
    assert (observed.status, observed.message_id, observed.read_at) == ("unknown", None, None)
    assert observed.reconcile_result == ("ambiguous" if result else None)
    (stored,) = book.events(claim.send.send_id)
    assert stored.body == {"refused": "another send has this message", "message_id": "m1", "body": {"raw": 1}}
    assert book.get(first.send_id).status == "queued"  # type: ignore[union-attr]


def test_a_webhook_found_by_its_trace_id_does_not_bring_the_message_of_another_send(book: Journal) -> None:
    first, _ = first_and_second(book, "unknown", trace_id="t1")
    fields = {"event_type": "message.sent", "status": "sent", "trace_id": "t1", "message_id": "m1"}
    (ingested,) = book.ingest(Event(send_id="", at=AT, source="webhook", event_id="e1", chat_id=CHAT_ID, **fields))
    assert ingested.event.send_id == first.send_id
    assert message_ids(book) == ["m1", None]


def test_a_webhook_about_a_message_in_another_chat_belongs_to_no_send(book: Journal) -> None:
    first, _ = first_and_second(book)
    fields = {"event_type": "message.failed", "status": "failed", "message_id": "m1", "event_id": "e1"}
    (ingested,) = book.ingest(Event(send_id="", at=AT, source="webhook", chat_id="another", **fields))
    assert ingested.result == "not_ours"
    assert book.get(first.send_id).status == "queued"  # type: ignore[union-attr]


def test_only_the_answer_to_its_own_request_changes_the_message_of_a_send(book: Journal) -> None:
    first, _ = first_and_second(book)
    for source, message_id in (("poll", "m1"), ("webhook", "m1"), ("reconcile", "m1"), ("post", "m2")):
        observed = book.observe(Event(send_id=first.send_id, at=AT, source=source, status="read", message_id="m2"))
        assert observed is not None
        assert (observed.message_id, observed.status) == (message_id, "queued" if message_id == "m1" else "read")


def test_imported_sends_get_no_message_that_another_send_has(book: Journal) -> None:
    first_and_second(book)
    sends = [wanted(copy=copy, status="delivered", message_id=name) for copy, name in ((1, "m1"), (3, "m1"), (4, "m4"))]
    sends += [wanted(copy=5, status="sent", message_id="m4"), wanted(copy=6, status="rejected")]
    assert book.import_sends(sends, []) == 4
    assert message_ids(book) == ["m1", None, None, "m4", None, None]
    assert [send.status for send in book.sends()][2:] == ["unknown", "delivered", "unknown", "rejected"]


def test_a_message_that_many_threads_observe_at_once_goes_to_one_send(book: Journal) -> None:
    claims = [claimed(book, send=wanted(copy=copy)) for copy in range(1, 17)]
    together = threading.Barrier(len(claims))

    def learn(number: int) -> None:
        claim = claims[number]
        together.wait(HANG_S)
        if number % 2:
            book.observe(Event(send_id=claim.send.send_id, at=AT, source="reconcile", status="sent", message_id="m1"))
            return
        with contextlib.suppress(MessageTaken):
            book.advance(claim, dataclasses.replace(claim.send, status="queued", message_id="m1"))

    with ThreadPoolExecutor(len(claims)) as pool:
        list(pool.map(learn, range(len(claims))))
    assert sorted(message_ids(book), key=str) == [None] * 15 + ["m1"]


def test_many_records_are_pickled_as_a_list_and_the_journal_stays_here(book: Journal) -> None:
    claimed(book)
    (records,) = book.by_day(Send).values()
    copied = pickle.loads(pickle.dumps(records))
    assert type(copied) is list
    assert copied == list(records) != []


def test_each_journal_has_its_own_hash_key(tmp_path: Path) -> None:
    keys = []
    for name in ("a", "a", "b"):
        book = Journal(f"sqlite:///{tmp_path}/{name}.sqlite")
        keys.append(book.hash_key())
        book.close()
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) == 32


def test_each_journal_has_its_own_id_and_a_copy_has_the_same(tmp_path: Path) -> None:
    with contextlib.closing(Journal(f"sqlite:///{tmp_path}/a.sqlite")) as book:
        journal_id, key = book.journal_id, book.hash_key().hex()
    shutil.copy(tmp_path / "a.sqlite", tmp_path / "copy.sqlite")
    ids = []
    for name in ("a", "copy", "other"):
        with contextlib.closing(Journal(f"sqlite:///{tmp_path}/{name}.sqlite")) as book:
            ids.append(book.journal_id)
    assert ids[0] == ids[1] == journal_id != ids[2]
    assert re.fullmatch("[0-9a-f]{16}", journal_id)
    assert journal_id not in key


# --- foreign values ---


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_bad_value_in_an_answer_and_in_webhooks_breaks_no_frame(book: Journal, name: str) -> None:
    bad = BAD_VALUES[name]
    claim = claimed(book)
    sent, answered = accepted(dataclasses.replace(claim.send, status="sending"), answer_with(bad))
    assert book.advance(claim, sent, answered)
    ingested = book.ingest(
        webhooks.parse(webhook_with(bad, "ours", ours=True), at=AT),
        webhooks.parse(webhook_with(bad, "of another", ours=False), at=AT),
    )
    assert [delivery.is_ours for delivery in ingested] == [True, False]
    (send,), events = book.sends(), book.events()
    assert (send.message_id, send.status, len(events)) == (MESSAGE_ID, "delivered", 3)
    assert events[0] == answered
    for handles in ("masked", "hashed", "full"):
        for records in (book.sends(), book.events(), *book.by_day(Send).values(), *book.by_day(Event).values()):
            frame = to_frame(records, handles, key=b"k")
            assert len(frame) == len(records)
            assert frame.to_csv().encode()
    assert len(reports.by_chat(to_frame(book.sends()))) == 1
    for record in (send, *events):
        assert all(text.encode() for text in record._repr_mimebundle_().values())


def test_rows_of_older_versions_with_bad_values_break_no_frame(book: Journal) -> None:
    """Older versions wrote such values unchanged; now they are made storable before they are written."""
    claimed(book)
    book.note(Event(send_id="first", at=AT, source="poll", body={"a": "?"}))
    with book.database.write() as db:
        db.exec_driver_sql('UPDATE events SET body = \'{"a": "\\ud800"}\', at = 253402300799000000')
        db.exec_driver_sql("UPDATE sends SET to_handles = '[\"\\ud800\"]', created_at = 253402300799000000")
    for handles in ("masked", "hashed", "full"):
        for records in (book.sends(), book.events(), *book.by_day(Send).values(), *book.by_day(Event).values()):
            frame = to_frame(records, handles, key=b"k")
            assert frame["created_at" if "created_at" in frame else "at"].dt.year.tolist() == [9999]
            assert frame.to_csv().encode()
