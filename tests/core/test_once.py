"""Once: after repeats, kills, lost answers and failures a chat has one bubble, and the journal is true."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from core_samples import CHAT_ID, TOKEN, memo, wav
from demo_process import ROOT, Socket, ask
from raw_server import RawServer, answer
from shared import AUDIO, HANG_S, memo_posts

import linq_nb
from linq_nb import (
    ApiError,
    AudioError,
    AuthenticationError,
    ConflictError,
    Draft,
    JournalError,
    LinqError,
    NotFoundError,
    NotSent,
    Outbox,
    OutcomeUnknown,
    PermissionDeniedError,
    PreflightError,
    RateLimitError,
    Send,
    SettingsError,
    VoiceMemo,
    audio,
)
from linq_nb.demo import Demo
from linq_nb.journal import Journal
from linq_nb.outbox import attempt, session_of
from linq_nb.status import LINQ_STATUSES

ADA, LOU = "Ada Lovelace", "Lou Lost Answer"
HOUR_S = 3600


class Stages(httpx.BaseTransport):
    """The demo's transport, with actions before or after the requests whose method and path fit."""

    def __init__(self, demo: Demo) -> None:
        self.inner = demo.transport()
        self.before: dict[str, Callable[[], Any]] = {}
        self.after: dict[str, Callable[[], Any]] = {}
        self.bodies: list[Any] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        named = f"{request.method} {request.url.path}"
        if request.url.path.endswith("/voicememo"):
            self.bodies.append(json.loads(request.read()))
        for part, act in list(self.before.items()):
            if part in named:
                act()
        response = self.inner.handle_request(request)
        for part, act in list(self.after.items()):
            if part in named:
                act()
        return response


@pytest.fixture
def stages(demo: Demo) -> Stages:
    return Stages(demo)


@pytest.fixture
def on_disk(connect: Callable[..., Outbox], stages: Stages) -> Callable[..., Outbox]:
    """Make outboxes on one demo and one journal, one for each notebook."""
    return functools.partial(connect, transport=stages)


class Later:
    """A clock of the leases that tests put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    def run_out(self) -> None:
        """Let every lease run out, as after a kill and a while."""
        self.ahead_s = HOUR_S


@pytest.fixture
def later() -> Later:
    return Later()


def bubbles(demo: Demo, name: str = ADA) -> int:
    return demo.bubbles(demo.chat_ids[name])


def force(outbox: Outbox, send: Send, status: str) -> None:
    """Set a send to this status in the journal, as if its owner was gone."""
    now = session_of(outbox).journal.get(send.send_id)
    assert now is not None
    assert session_of(outbox).journal.replace(dataclasses.replace(now, status=status), was=now.status)


# --- the same send again ---


@pytest.mark.parametrize("status", [*LINQ_STATUSES, "teleported", "expired"])
def test_a_send_that_linq_has_is_reported_without_a_request(outbox: Outbox, status: str) -> None:
    first = outbox.send(memo(), ADA)
    force(outbox, first, status)
    before = len(outbox.demo.requests)
    again = outbox.send(memo(), first.chat_id)
    assert (again.status, again.repeated, again.message_id) == (status, True, first.message_id)
    assert again.repeated_at == session_of(outbox).now()
    assert len(outbox.demo.requests) == before
    assert bubbles(outbox.demo) == 1


@pytest.mark.parametrize("status", ["not_sent", "rejected", "preparing"])
def test_a_memo_that_was_not_sent_is_sent_in_the_same_row(outbox: Outbox, status: str) -> None:
    outbox.demo.fail_next(400)
    with pytest.raises(ApiError):
        outbox.send(memo(), ADA)
    (failed,) = outbox.sends()
    force(outbox, failed, status)
    sent = outbox.send(memo(), ADA)
    assert (sent.send_id, sent.attempts, sent.repeated, sent.status) == (failed.send_id, 2, False, "queued")
    assert (sent.error_code, sent.error_message, sent.http_status) == (None, None, 202)
    assert len(outbox.sends()) == 1
    assert bubbles(outbox.demo) == 1


@pytest.mark.parametrize("status", ["unknown", "sending"])
def test_a_memo_of_unknown_outcome_is_looked_for_and_found(outbox: Outbox, status: str) -> None:
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), LOU)
    (lost,) = outbox.sends()
    assert (lost.status, lost.message_id) == ("unknown", None)
    force(outbox, lost, status)
    send = outbox.send(memo(), LOU)
    assert send.repeated
    assert send.reconcile_result == "found"
    assert send.message_id == outbox.demo.memos(send.chat_id)[0]["message_id"]
    assert send.status in LINQ_STATUSES
    assert (memo_posts(outbox.demo), bubbles(outbox.demo, LOU)) == (1, 1)


@pytest.mark.parametrize("status", ["unknown", "sending"])
def test_a_memo_of_unknown_outcome_that_is_not_found_stays_unknown(outbox: Outbox, status: str) -> None:
    outbox.demo.reset_next()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), ADA)
    force(outbox, outbox.sends()[0], status)
    for minutes, result in ((0, "ambiguous"), (5, "not_found")):
        outbox.demo.advance(minutes=minutes)
        with pytest.raises(OutcomeUnknown, match=f"not sent again .{result}"):
            outbox.send(memo(), ADA)
        (still,) = outbox.sends()
        assert (still.status, still.reconcile_result) == ("unknown", result)
    assert (memo_posts(outbox.demo), bubbles(outbox.demo)) == (1, 0)


def test_a_copy_number_names_the_same_copy_each_time(outbox: Outbox) -> None:
    for _ in range(3):
        assert outbox.send(memo(), ADA, copy=2).copy == 2
    assert bubbles(outbox.demo) == 1
    assert not outbox.send(memo(), ADA).repeated
    assert bubbles(outbox.demo) == 2
    assert outbox.send(memo(), ADA).repeated


@pytest.mark.parametrize("copy", [0, -1, 1.0, "1", None, True, 1_000_001, 10**30])
def test_a_copy_is_a_whole_number_from_1_on(outbox: Outbox, copy: Any) -> None:
    with pytest.raises(PreflightError, match="copy is a whole number from 1 to 1,000,000; nothing was sent"):
        outbox.send(memo(), ADA, copy=copy)
    assert memo_posts(outbox.demo) == 0


def test_a_kernel_that_starts_again_sends_nothing_again(on_disk: Callable[..., Outbox], demo: Demo) -> None:
    first = on_disk().send(memo(), ADA)
    again = on_disk().send(memo(), ADA)
    assert again.repeated
    assert again == first
    assert bubbles(demo) == 1


def test_another_name_for_the_file_makes_no_other_memo(outbox: Outbox) -> None:
    outbox.send(memo(filename="one.wav"), ADA)
    assert outbox.send(memo(filename="two.wav"), ADA).repeated
    assert not outbox.send(memo(tone=440), ADA).repeated


# --- other names of the same content ---


def same_chat(outbox: Outbox) -> list[Any]:
    chat = outbox.find_chat(ADA)
    assert isinstance(chat, linq_nb.Chat)
    return [chat, chat.chat_id, chat.chat_id.upper(), ADA, "ada  lovelace", dataclasses.replace(chat, chat_name="x")]


def test_a_chat_by_any_name_is_the_same_chat(outbox: Outbox) -> None:
    first = outbox.send(memo(), ADA)
    for chat in same_chat(outbox):
        assert outbox.send(memo(), chat) == first
    assert [send.send_id for send in outbox.sends(chat=first.chat_id.upper())] == [first.send_id]
    assert bubbles(outbox.demo) == 1


def test_the_attachment_of_an_upload_is_the_same_memo_as_its_file(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    assert outbox.send(VoiceMemo.from_attachment(str(sent.attachment_id).upper()), ADA).repeated
    other = outbox.send(VoiceMemo.from_attachment(str(sent.attachment_id)), "Grace Hopper")
    assert not other.repeated
    assert outbox.send(memo(), "Grace Hopper").repeated
    assert outbox.demo.bubbles() == {sent.chat_id: 1, other.chat_id: 1}


def test_a_url_is_the_same_under_another_signature(outbox: Outbox) -> None:
    url = outbox.demo.media_urls["hello"]
    sent = outbox.send(VoiceMemo.from_url(f"{url}?Expires=1&Signature=a&Key-Pair-Id=k"), ADA)
    assert outbox.send(VoiceMemo.from_url(f"{url}?Expires=2&Signature=b&Key-Pair-Id=k"), ADA).repeated
    assert not outbox.send(VoiceMemo.from_url(f"{url}?id=2"), ADA).repeated
    assert sent.voice_memo_url == url


@pytest.mark.parametrize("order", ["url first", "fetched first", "file first"])
def test_a_fetched_url_is_the_same_memo_as_its_file(outbox: Outbox, order: str) -> None:
    by_url = VoiceMemo.from_url(outbox.demo.media_urls["hello"])
    if order == "url first":
        outbox.send(by_url, ADA)
    fetched = outbox.fetch(by_url)
    assert fetched.data is not None
    file = VoiceMemo.from_bytes(fetched.data, "hello.wav")
    if order == "file first":
        outbox.send(file, ADA)
    for voice_memo in (fetched, by_url, file):
        outbox.send(voice_memo, ADA)
    assert bubbles(outbox.demo) == 1


def test_a_converted_memo_is_the_same_memo_as_its_source_also_when_loaded_anew(outbox: Outbox) -> None:
    source, other = memo(), memo(tone=440)
    converted = dataclasses.replace(other, origin_sha256=source.sha256)
    outbox.send(converted, ADA)
    for voice_memo in (converted, source, other):
        assert outbox.send(voice_memo, ADA).repeated
    assert bubbles(outbox.demo) == 1


# --- the file itself ---


def test_a_file_that_changed_since_it_was_loaded_is_not_sent(outbox: Outbox, tmp_path: Path) -> None:
    file = tmp_path / "hello.wav"
    file.write_bytes(wav())
    loaded = VoiceMemo.from_file(file)
    file.write_bytes(wav(tone=440))
    with pytest.raises(AudioError, match="changed since it was loaded; nothing was sent"):
        outbox.send(loaded, ADA)
    assert memo_posts(outbox.demo) == 0


def test_a_file_that_changes_during_the_upload_is_not_sent(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, tmp_path: Path
) -> None:
    file = tmp_path / "hello.wav"
    file.write_bytes(wav())
    stages.before["PUT "] = lambda: file.write_bytes(wav(tone=440))
    outbox = on_disk()
    with pytest.raises(AudioError, match="nothing was sent"):
        outbox.send(VoiceMemo.from_file(file), ADA)
    assert memo_posts(demo) == 0
    assert [send.status for send in outbox.sends()] == ["not_sent"]


def test_the_bytes_that_were_loaded_are_the_bytes_that_arrive(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    assert outbox.demo.memo_bytes(str(sent.message_id)) == wav()
    assert sent.sha256 == memo().sha256 == outbox.demo.memos(sent.chat_id)[0]["sha256"]


def test_a_name_that_is_no_text_can_still_be_sent(outbox: Outbox, tmp_path: Path) -> None:
    file = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    Path(file).write_bytes(wav())
    assert outbox.send(VoiceMemo.from_file(file), ADA).status == "queued"


# --- at the same time ---


def test_threads_that_send_the_same_memo_at_once_make_one_bubble(on_disk: Callable[..., Outbox], demo: Demo) -> None:
    boxes, barrier = [on_disk(), on_disk()], threading.Barrier(8)
    ada = demo.chat_ids[ADA]

    def send(n: int) -> Send:
        barrier.wait()
        return boxes[n % 2].send(memo(), ada)

    with ThreadPoolExecutor(8) as pool:
        sends = list(pool.map(send, range(8)))
    assert sorted(send.repeated for send in sends) == [False] + [True] * 7
    assert len({send.message_id for send in sends}) == 1
    assert (memo_posts(demo), bubbles(demo)) == (1, 1)


def test_threads_that_send_to_many_chats_send_each_once(outbox: Outbox) -> None:
    chats = list(outbox.demo.add_chats(24).values())
    same_memo = memo()
    with ThreadPoolExecutor(8) as pool:
        sends = list(pool.map(lambda chat: outbox.send(same_memo, chat), chats * 2))
    assert outbox.demo.bubbles() == dict.fromkeys(chats, 1)
    assert sum(send.repeated for send in sends) == 24
    assert sum(request.path.endswith("/v3/attachments") for request in outbox.demo.requests) == 1


def child(demo: Socket, journal: Path, chat: str, stage: str = "") -> subprocess.Popen[str]:
    """Start a process that sends, and dies at a stage."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(journal.parent),
        "PYTHONPATH": str(ROOT),
        "LINQ_API_V3_BASE_URL": demo.base_url,
        "LINQ_API_V3_API_KEY": demo.api_key,
    }
    command = [sys.executable, str(Path(__file__).parent / "child.py"), str(journal), chat, stage]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


@pytest.fixture
def parent(demo_socket: Socket, tmp_path: Path, later: Later) -> Iterator[Outbox]:
    """An outbox of this process on the socket demo, with the journal of the children."""
    journal = str(tmp_path / "j.sqlite")
    given = {"base_url": demo_socket.base_url, "api_key": demo_socket.api_key, "timeout": HANG_S, "steady": later}
    with linq_nb.connect(**given, journal=journal) as outbox:
        yield outbox


def test_two_processes_on_one_journal_make_one_bubble(demo_socket: Socket, tmp_path: Path, parent: Outbox) -> None:
    ada = ask(demo_socket, "GET", "chats")["chats"][ADA]
    running = [child(demo_socket, tmp_path / "j.sqlite", ada) for _ in range(3)]
    outputs = [process.communicate(timeout=HANG_S) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    assert sorted(out.split()[2] for out, _ in outputs) == ["False", "True", "True"]
    assert len({out.split()[1] for out, _ in outputs}) == 1
    assert ask(demo_socket, "GET", f"bubbles/{ada}")["bubbles"] == 1


KILLED = {
    "before GET /v3/chats": ("preparing", 0, "sent"),
    "before POST /v3/attachments": ("preparing", 0, "sent"),
    "after PUT /upload": ("preparing", 0, "sent"),
    "before POST /voicememo": ("sending", 0, "unknown"),
    "after POST /voicememo": ("sending", 1, "found"),
}


@pytest.mark.parametrize("stage", KILLED)
def test_a_process_that_is_killed_leaves_a_true_journal(
    demo_socket: Socket, tmp_path: Path, parent: Outbox, later: Later, stage: str
) -> None:
    status, there, then = KILLED[stage]
    ada = ask(demo_socket, "GET", "chats")["chats"][ADA]
    killed = child(demo_socket, tmp_path / "j.sqlite", ada, stage)
    _, stderr = killed.communicate(timeout=HANG_S)
    assert killed.returncode == -9, stderr
    (send,) = parent.sends()
    assert send.status == status
    assert ask(demo_socket, "GET", f"bubbles/{ada}")["bubbles"] == there
    later.run_out()
    if then == "unknown":
        with pytest.raises(OutcomeUnknown):
            parent.send(memo(), ada)
        assert parent.sends()[0].status == "unknown"
        parent.resolve(parent.sends()[0], "not_sent", reason="it is not in the chat")
        assert not parent.send(memo(), ada).repeated
    else:
        assert parent.send(memo(), ada).repeated == (then == "found")
    assert ask(demo_socket, "GET", f"bubbles/{ada}")["bubbles"] == 1
    assert len(parent.sends()) == 1


# --- interrupts ---


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        ("before GET /api", "not_sent"),
        ("before POST /api/partner/v3/attachments", "not_sent"),
        ("after PUT ", "not_sent"),
        ("before POST /api/partner/v3/chats", "unknown"),
        ("after POST /api/partner/v3/chats", "unknown"),
    ],
)
def test_an_interrupt_leaves_the_journal_true_and_is_raised_again(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, stage: str, status: str
) -> None:
    outbox, ada = on_disk(), demo.chat_ids[ADA]
    when, _, part = stage.partition(" ")
    (stages.before if when == "before" else stages.after)[part] = interrupt
    with pytest.raises(KeyboardInterrupt):
        outbox.send(memo(), ada)
    assert [send.status for send in outbox.sends()] == [status]
    stages.before.clear()
    stages.after.clear()
    if status == "not_sent":
        assert not outbox.send(memo(), ada).repeated
    elif when == "after":
        assert outbox.send(memo(), ada).repeated
    else:
        with pytest.raises(OutcomeUnknown):
            outbox.send(memo(), ada)
    assert bubbles(demo) == (0 if stage.startswith("before POST /api/partner/v3/chats") else 1)


def test_an_interrupt_in_the_pause_after_a_rate_limit_sent_nothing(on_disk: Callable[..., Outbox], demo: Demo) -> None:
    outbox = on_disk(sleep=lambda _: interrupt())
    demo.fail_next(429, retry_after=30)
    with pytest.raises(KeyboardInterrupt):
        outbox.send(memo(), ADA)
    assert [send.status for send in outbox.sends()] == ["not_sent"]
    assert not outbox.send(memo(), ADA).repeated
    assert bubbles(demo) == 1


# --- a journal that cannot be written ---


def pragma(outbox: Outbox, text: str) -> None:
    session_of(outbox).journal.database.engine.raw_connection().driver_connection.execute(f"PRAGMA {text}")  # type: ignore[union-attr]


def test_nothing_is_sent_with_a_journal_that_cannot_be_written(on_disk: Callable[..., Outbox], demo: Demo) -> None:
    outbox = on_disk()
    pragma(outbox, "query_only = 1")
    with pytest.raises(JournalError, match="nothing was sent"):
        outbox.send(memo(), demo.chat_ids[ADA])
    assert demo.requests == []


@pytest.mark.parametrize("stage", ["GET /api/partner/v3/chats", "POST /api/partner/v3/attachments", "PUT "])
def test_with_a_journal_that_fails_before_the_post_nothing_is_sent(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, later: Later, stage: str
) -> None:
    outbox, ada = on_disk(steady=later), demo.chat_ids[ADA]
    stages.after[stage] = lambda: pragma(outbox, "query_only = 1")
    with pytest.raises(JournalError, match="nothing was sent"):
        outbox.send(memo(), ada)
    assert memo_posts(demo) == 0
    stages.after.clear()
    pragma(outbox, "query_only = 0")
    later.run_out()
    assert not outbox.send(memo(), ada).repeated
    assert bubbles(demo) == 1


def test_a_journal_failure_after_the_accept_is_reported_and_the_memo_is_found_again(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, later: Later
) -> None:
    outbox, ada = on_disk(steady=later), demo.chat_ids[ADA]
    stages.after["/voicememo"] = lambda: pragma(outbox, "query_only = 1")
    with pytest.raises(OutcomeUnknown, match=r"was accepted as message .* could not record it"):
        outbox.send(memo(), ada)
    stages.after.clear()
    pragma(outbox, "query_only = 0")
    assert [send.status for send in outbox.sends()] == ["sending"]
    later.run_out()
    assert outbox.send(memo(), ada).repeated
    assert (memo_posts(demo), bubbles(demo)) == (1, 1)


def test_a_journal_failure_after_a_refusal_does_not_hide_the_refusal(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo
) -> None:
    outbox = on_disk()
    demo.fail_next(403, 2024)
    stages.after["/voicememo"] = lambda: pragma(outbox, "query_only = 1")
    with pytest.raises(PermissionDeniedError, match="2024") as caught:
        outbox.send(memo(), demo.chat_ids[ADA])
    assert "could not record this" in caught.value.__notes__[0]


# --- fencing ---


@pytest.mark.parametrize("stage", ["POST /api/partner/v3/attachments", "PUT "])
def test_an_owner_whose_claim_was_taken_over_does_not_send(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, tmp_path: Path, stage: str
) -> None:
    outbox, ada = on_disk(), demo.chat_ids[ADA]
    after_takeover: list[Send] = []

    def take_over() -> None:
        stages.after.clear()
        other = Journal(f"sqlite:///{tmp_path}/journal.sqlite", wall=lambda: time.time() + HOUR_S)
        _, claim, step = other.claim(session_of(outbox).wanted(Draft(memo=memo(), chat=ada)), memo().names, "other")
        assert (step, claim is not None) == ("send", True)
        after_takeover.extend(other.sends())
        other.close()

    stages.after[stage] = take_over
    with pytest.raises(NotSent, match="another notebook took this send over; nothing was sent"):
        outbox.send(memo(), ada)
    assert memo_posts(demo) == 0
    assert outbox.sends() == after_takeover, "the new owner's row is left alone"
    assert outbox.history(after_takeover[0])[-1].error_message is not None


def test_an_owner_whose_claim_was_taken_over_in_a_pause_does_not_send(
    on_disk: Callable[..., Outbox], demo: Demo, tmp_path: Path
) -> None:
    ada = demo.chat_ids[ADA]

    def sleep(_: float) -> None:
        other = Journal(f"sqlite:///{tmp_path}/journal.sqlite", wall=lambda: time.time() + HOUR_S)
        assert other.claim(session_of(outbox).wanted(Draft(memo=memo(), chat=ada)), memo().names, "other")[2] == "send"
        other.close()

    outbox = on_disk(sleep=sleep)
    demo.fail_next(429, retry_after=30)
    with pytest.raises(NotSent, match="took this send over"):
        outbox.send(memo(), ada)
    assert (memo_posts(demo), bubbles(demo)) == (1, 0)


def test_an_answer_that_comes_after_the_claim_was_lost_is_still_written_down(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo, later: Later
) -> None:
    outbox, ada = on_disk(steady=later), demo.chat_ids[ADA]

    def settle() -> None:
        later.run_out()  # its memo had left when the machine went to sleep
        (now,) = outbox.sends()
        outbox.resolve(now, "not_sent", reason="I was too quick")

    stages.before["/voicememo"] = settle
    sent = outbox.send(memo(), ada)
    (row,) = outbox.sends()
    assert (row.status, row.message_id) == ("queued", sent.message_id)
    assert outbox.send(memo(), ada).repeated
    assert bubbles(demo) == 1


# --- refusals, and the journal after them ---


@pytest.mark.parametrize(
    ("chat", "kind", "status", "http", "code"),
    [
        ("Lee Blocked", PermissionDeniedError, "rejected", 403, 2026),
        ("Kim Second Line", PermissionDeniedError, "rejected", 403, 2024),
        ("Ivy Line Paused", PermissionDeniedError, "rejected", 403, 2027),
        ("Dee Daily Cap", RateLimitError, "not_sent", 429, 1007),
        ("Eve Server Error", OutcomeUnknown, "unknown", 500, 3006),
        ("Dan Server Down", OutcomeUnknown, "unknown", 500, 3006),
        (LOU, OutcomeUnknown, "unknown", None, None),
    ],
)
def test_the_journal_has_the_failure_of_a_send(
    outbox: Outbox, chat: str, kind: type[LinqError], status: str, http: int | None, code: int | None
) -> None:
    with pytest.raises(kind):
        outbox.send(memo(), chat, accept=["chat_critical"])
    (send,) = outbox.sends()
    assert (send.status, send.http_status, send.error_code) == (status, http, code)
    assert send.error_message
    assert send.posted_at
    last = outbox.history(send)[-1]
    assert (last.status, last.http_status, last.source) == (status, http, "post")


@pytest.mark.parametrize("times", [1, 2])
def test_an_attachment_that_is_gone_is_uploaded_again_once(outbox: Outbox, times: int) -> None:
    first = outbox.send(memo(), ADA)
    with httpx.Client(
        transport=outbox.demo.transport(), headers={"Authorization": f"Bearer {outbox.demo.api_key}"}
    ) as http:
        assert http.delete(f"{outbox.demo.base_url}/v3/attachments/{first.attachment_id}").is_success
    if times == 2:
        outbox.demo.fail_next(404, 2003, times=2)
        with pytest.raises(NotFoundError, match="2003"):
            outbox.send(memo(), "Grace Hopper")
        assert outbox.sends()[-1].status == "rejected"
    else:
        sent = outbox.send(memo(), "Grace Hopper")
        assert sent.attachment_id != first.attachment_id
        assert outbox.demo.bubbles(sent.chat_id) == 1
    assert memo_posts(outbox.demo) == 3


UPLOADS = {
    "401": ({"status": 401, "path": "/v3/attachments"}, AuthenticationError, "rejected"),
    "500": ({"status": 500, "path": "/v3/attachments", "times": 9}, ApiError, "not_sent"),
    "429": ({"status": 429, "path": "/v3/attachments", "retry_after": 999}, RateLimitError, "not_sent"),
    "400/5004": ({"status": 400, "code": 5004, "path": "/v3/attachments", "times": 2}, ApiError, "rejected"),
    "PUT 500": ({"status": 500, "path": "/upload/", "times": 9}, ApiError, "not_sent"),
    "PUT 403": ({"status": 403, "path": "/upload/", "times": 2}, ApiError, "rejected"),
    "HTML": ({"status": 200, "body": "<html>", "path": "/v3/attachments"}, ApiError, "not_sent"),
    "chat 404": ({"status": 404, "path": "/v3/chats/"}, NotFoundError, "rejected"),
    "chat 409": ({"status": 409, "path": "/v3/chats/"}, ConflictError, "rejected"),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_a_failure_before_the_post_sends_nothing_and_may_be_run_again(outbox: Outbox, case: str) -> None:
    fault, kind, status = UPLOADS[case]
    outbox.demo.fail_next(**fault)
    ada = outbox.demo.chat_ids[ADA]
    with pytest.raises(kind, match="nothing was sent"):
        outbox.send(memo(), ada)
    (send,) = outbox.sends()
    assert send.status == status
    assert send.posted_at is None
    assert outbox.history(send)[-1].source == "prepare"
    assert memo_posts(outbox.demo) == 0
    for _ in range(4):  # use up the rest of the fault
        try:
            assert not outbox.send(memo(), ada).repeated
            break
        except ApiError:
            continue
    assert bubbles(outbox.demo) == 1


@pytest.mark.parametrize("how", ["reset", "refused", "lost"])
def test_an_upload_whose_connection_breaks_is_made_again(outbox: Outbox, how: Any) -> None:
    outbox.demo.lose_next_answer(how=how, path="/upload/")
    assert outbox.send(memo(), ADA).status == "queued"
    assert bubbles(outbox.demo) == 1


def test_a_connection_that_is_refused_is_tried_again_and_else_not_sent(outbox: Outbox) -> None:
    outbox.demo.refuse_next(times=2)
    assert outbox.send(memo(), ADA).status == "queued"
    outbox.demo.refuse_next(times=3)
    with pytest.raises(NotSent):
        outbox.send(memo(), "Grace Hopper")
    assert outbox.sends()[-1].status == "not_sent"


def test_a_wav_that_the_upload_does_not_know_is_announced_by_its_other_name(outbox: Outbox) -> None:
    outbox.demo.fail_next(400, 5004, path="/v3/attachments")
    outbox.demo.fail_next(400, 5004, path="/v3/attachments")
    with pytest.raises(ApiError, match="5004"):
        outbox.send(memo(), ADA)
    assert sum(request.path.endswith("/v3/attachments") for request in outbox.demo.requests) == 2


@pytest.mark.parametrize(
    ("chat", "code"), [("Kim Opted Out", "opted out"), ("Cora Critical", "CRITICAL"), ("Left Group", "no longer in")]
)
def test_a_memo_that_preflight_refuses_is_recorded_after_reads_only(outbox: Outbox, chat: str, code: str) -> None:
    chat_id, before = outbox.demo.chat_ids[chat], len(outbox.demo.requests)
    with pytest.raises(PreflightError, match=f"{code}.*nothing was sent") as caught:
        outbox.send(memo(), chat_id)
    assert caught.value.findings[0].level == "error"
    assert {request.method for request in outbox.demo.requests[before:]} <= {"GET"}
    assert [send.status for send in outbox.sends()] == ["not_sent"]


def test_an_invalid_memo_or_chat_is_refused_before_any_write(outbox: Outbox) -> None:
    before = len(outbox.demo.requests)
    ada = outbox.demo.chat_ids[ADA]
    for bad in (
        VoiceMemo.from_url("http://x.example/a.wav"),
        dataclasses.replace(memo(), size_bytes=10_000_001),
        VoiceMemo(source="bytes"),
    ):
        with pytest.raises(PreflightError, match="nothing was sent"):
            outbox.send(bad, ada)
    for chat in ("not-a-chat", "", CHAT_ID[:-1]):
        with pytest.raises(PreflightError, match="no chat is called"):
            outbox.send(memo(), chat)
    assert {request.method for request in outbox.demo.requests[before:]} <= {"GET"}
    assert outbox.sends() == []


def test_an_opt_out_is_overridden_only_when_asked_and_with_a_reason(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo
) -> None:
    outbox = on_disk()
    outbox.send(memo(), ADA)
    assert "override_optout" not in stages.bodies[-1]
    with pytest.raises(PermissionDeniedError, match="2024"):
        outbox.send(memo(), "Kim Second Line")
    assert "override_optout" not in stages.bodies[-1]
    with pytest.raises(PreflightError, match="override_optout is empty; nothing was sent; give the reason"):
        outbox.send(memo(), "Kim Second Line", override_optout=" ")
    sent = outbox.send(memo(), "Kim Second Line", override_optout="she asked by phone")
    assert stages.bodies[-1]["override_optout"] is True
    assert sent.override_optout == "she asked by phone"
    stored = session_of(outbox).journal.get(sent.send_id)
    assert stored is not None
    assert stored.override_optout == "she asked by phone"
    assert outbox.send(memo(), "Kim Opted Out", override_optout="she asked").status == "queued"
    outbox.send(memo(), "Grace Hopper")
    assert "override_optout" not in stages.bodies[-1]


# --- reconciling ---


def test_an_answer_lost_after_a_long_pause_is_still_found(outbox: Outbox) -> None:
    """The search begins at the time of the last request, not of the first."""
    outbox.demo.fail_next(429, retry_after=55, times=3)
    outbox.demo.lose_next_answer()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), ADA)
    assert outbox.send(memo(), ADA).repeated
    assert bubbles(outbox.demo) == 1


def test_a_machine_whose_clock_is_off_finds_its_message_all_the_same(
    on_disk: Callable[..., Outbox], demo: Demo
) -> None:
    outbox = on_disk(clock=lambda: demo.now() - timedelta(minutes=7))
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), LOU)
    assert outbox.send(memo(), LOU).repeated
    assert bubbles(demo, LOU) == 1


def test_a_memo_in_a_chat_that_keeps_nothing_is_never_reported_as_not_found(outbox: Outbox) -> None:
    name = "Zoe Zero Retention"
    outbox.demo.lose_next_answer()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), name)
    outbox.demo.advance(minutes=10)
    (looked,) = outbox.reconcile()
    assert (looked.status, looked.reconcile_result) in {("unknown", "ambiguous"), ("delivered", "found")}
    assert bubbles(outbox.demo, name) == 1


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_a_memo_is_not_reported_as_not_found_in_a_chat_that_was_read_in_part(
    live: Callable[..., Outbox], server: RawServer, order: str
) -> None:
    """The order of the list is not documented: old messages on the first pages prove nothing about the others."""
    outbox = live()
    server.will(answer(500, b"x"))
    wanted = session_of(outbox).wanted(Draft(memo=memo(), chat=CHAT_ID))
    _, claim, _ = session_of(outbox).journal.claim(wanted, (), "gone")
    assert claim is not None
    sent_at = session_of(outbox).now() - timedelta(hours=1)
    lost = dataclasses.replace(claim.send, status="unknown", posted_at=sent_at, skew_min_ms=0, skew_max_ms=0)
    session_of(outbox).journal.advance(claim, lost)
    times = [sent_at - timedelta(minutes=n) for n in range(1, 1101)]
    times = times if order == "newest first" else times[::-1]
    listed = [
        {"id": str(n), "is_from_me": True, "created_at": at.isoformat(), "parts": [{"type": "text"}]}
        for n, at in enumerate(times)
    ]
    now = format_datetime(session_of(outbox).now(), usegmt=True)
    pages = [
        answer(200, {"messages": listed[n : n + 100], "next_cursor": str(n) if n < 1000 else None}, Date=now)
        for n in range(0, 1100, 100)
    ]
    server.will(*pages)
    (looked,) = outbox.reconcile()
    assert looked.reconcile_result == ("not_found" if order == "newest first" else "ambiguous")


def test_reconciling_again_does_not_undo_a_resolution(outbox: Outbox) -> None:
    outbox.demo.reset_next()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), ADA)
    (old,) = outbox.sends()
    outbox.resolve(old, "not_sent", reason="it is not there")
    (now,) = outbox.reconcile(old)
    assert now.status == "not_sent"
    assert outbox.sends()[0].status == "not_sent"


def test_a_send_that_is_under_way_is_not_called_unknown(
    on_disk: Callable[..., Outbox], stages: Stages, demo: Demo
) -> None:
    outbox = on_disk()
    sends: list[Send] = []

    def look() -> None:
        stages.before.clear()
        sends.extend(outbox.reconcile(outbox.sends()))

    stages.before["/voicememo"] = look
    outbox.send(memo(), demo.chat_ids[ADA])
    assert [send.status for send in sends] == ["sending"]


def test_a_person_settles_an_unknown_send_either_way(outbox: Outbox) -> None:
    for name, word in ((ADA, "sent"), ("Grace Hopper", "not_sent")):
        outbox.demo.reset_next()
        with pytest.raises(OutcomeUnknown):
            outbox.send(memo(), name)
        lost = outbox.sends()[-1]
        settled = outbox.resolve(lost, word, reason="I looked at the phone")  # type: ignore[arg-type]
        assert settled.status == word
        assert outbox.send(memo(), name).repeated == (word == "sent")
        last = outbox.history(lost)[-1 if word == "sent" else -2]
        assert (last.source, last.status, last.body) == ("resolve", word, {"reason": "I looked at the phone"})
    assert outbox.demo.bubbles() == {outbox.demo.chat_ids["Grace Hopper"]: 1}


@pytest.mark.parametrize(("word", "reason", "why"), [("maybe", "x", "takes"), ("sent", " ", "needs the reason")])
def test_resolve_takes_one_of_two_statuses_and_a_reason(outbox: Outbox, word: Any, reason: str, why: str) -> None:
    outbox.demo.reset_next()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), ADA)
    with pytest.raises(LinqError, match=f"{why}.*nothing was changed"):
        outbox.resolve(outbox.sends()[0], word, reason=reason)
    assert outbox.sends()[0].status == "unknown"


def test_only_an_unknown_send_can_be_settled(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    with pytest.raises(LinqError, match="only an unknown send"):
        outbox.resolve(sent, "not_sent", reason="I want it again")


def test_a_status_is_followed_to_its_end(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    outbox.demo.advance(minutes=10)
    (now,) = outbox.refresh()
    assert now.status == "read"
    assert (now.delivery_s or 0) > 0
    assert [event.status for event in outbox.history(sent)] == ["queued", "read"]
    assert outbox.refresh() == []
    assert outbox.refresh(sent)[0].message_id == sent.message_id


def test_a_message_that_linq_no_longer_has_is_expired_and_not_sent_again(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    outbox.demo.fail_next(404, 2002, path="/v3/messages/")
    assert outbox.refresh(sent)[0].status == "expired"
    assert outbox.send(memo(), ADA).repeated
    assert bubbles(outbox.demo) == 1


@pytest.mark.parametrize("fault", [{"status": 404, "body": "<html>gateway"}, {"status": 200, "body": "<html>sign in"}])
def test_an_answer_of_a_gateway_does_not_change_the_status(outbox: Outbox, fault: Any) -> None:
    sent = outbox.send(memo(), ADA)
    outbox.demo.fail_next(**fault, path="/v3/messages/")
    with pytest.raises(ApiError):
        outbox.refresh(sent)
    assert outbox.sends()[0].status == "queued"


def test_an_unknown_status_of_linqs_is_polled_again(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    force(outbox, sent, "teleported")
    outbox.demo.advance(minutes=10)
    assert [send.status for send in outbox.refresh()] == ["read"]


# --- contents of the journal ---


def test_a_check_and_the_question_before_a_send_know_earlier_sends(outbox: Outbox) -> None:
    draft = Draft(memo=memo(), chat=outbox.demo.chat_ids[ADA])
    assert not session_of(outbox).is_sent(draft)
    attempt.send(session_of(outbox), draft)
    assert session_of(outbox).is_sent(draft)
    assert [finding.code for finding in outbox.check(memo(), ADA)] == ["already_sent"]
    assert outbox.check(memo(), ADA, copy=2) == []
    outbox.demo.reset_next()
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo(), ADA, copy=2)
    assert outbox.check(memo(), ADA, copy=2) == []
    outbox.resolve(outbox.sends()[-1], "sent", reason="Ada has heard it")
    assert [finding.code for finding in outbox.check(memo(), ADA, copy=2)] == ["already_sent"]
    assert outbox.check(memo(tone=440), ADA) == []


@pytest.mark.parametrize("wrong", [5, 1.5, True, b"read", {"a": 1}, ["Ada", 5], "read", object()])
def test_what_is_no_send_is_refused_before_anything_is_asked(outbox: Outbox, wrong: Any) -> None:
    requests = len(outbox.demo.requests)
    calls: list[Callable[[Any], Any]] = [outbox.refresh, outbox.watch, outbox.reconcile]
    calls.append(lambda send: outbox.resolve(send, "sent", reason="I saw it"))
    for call in calls:
        with pytest.raises(PreflightError, match=r"a send is a Send, not a value of type \w+; nothing was asked"):
            call(wrong)
    assert len(outbox.demo.requests) == requests


@pytest.mark.parametrize("status", [5, True, b"read", ["read", 5], [None]])
def test_a_status_that_is_no_word_is_refused(outbox: Outbox, status: Any) -> None:
    with pytest.raises(SettingsError, match="a status is a word, or a list of words; nothing was read"):
        outbox.sends(status)


def test_sends_can_be_selected_since_a_time_without_a_zone(outbox: Outbox) -> None:
    outbox.send(memo(), ADA)
    assert len(outbox.sends(since=datetime(2026, 1, 1))) == 1
    assert outbox.sends(since=datetime(2027, 1, 1)) == []


def test_the_journal_file_holds_no_key_and_no_signed_url(
    on_disk: Callable[..., Outbox], demo: Demo, tmp_path: Path
) -> None:
    outbox = on_disk()
    outbox.send(memo(), ADA)
    outbox.send(VoiceMemo.from_url(f"{demo.media_urls['hello']}?X-Amz-Signature=s3cr3t&id=7"), ADA)
    for name in (LOU, "Eve Server Error", "Lee Blocked"):
        with pytest.raises(LinqError):
            outbox.send(memo(), name)
    demo.fail_next(401, message=f"The token {demo.api_key} is not valid, see https://x.example/a?sig=s3cr3t")
    with pytest.raises(AuthenticationError):
        outbox.send(memo(tone=440), ADA)
    outbox.reconcile()
    demo.advance(minutes=10)
    outbox.refresh()
    data = b"".join(file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))
    assert b"hello.wav" in data
    for secret in (demo.api_key, "s3cr3t", "Signature=", "X-Amz", "Bearer"):
        assert secret.encode() not in data, secret


def test_nothing_that_is_shown_holds_a_key_or_a_full_handle(live: Callable[..., Outbox], server: RawServer) -> None:
    numbers = [{"id": "1", "phone_number": "+12025550100"}]
    server.will(answer(200, {"phone_numbers": numbers}))
    outbox = live()
    outbox.lines()
    shown = [
        repr(outbox),
        outbox.summary().text,
        outbox.summary().html,
        repr(session_of(outbox).client),
        repr(session_of(outbox).journal),
    ]
    assert not [text for text in shown if TOKEN in text or "2025550100" in text]
    assert "LIVE" in repr(outbox)


def test_the_whole_request_and_answer_are_in_the_history(outbox: Outbox) -> None:
    sent = outbox.send(memo(), ADA)
    (event,) = outbox.history(sent)
    assert event.body["voice_memo"]["id"] == sent.message_id
    assert (event.source, event.http_status, event.trace_id) == ("post", 202, sent.trace_id)
    assert sent.accepted_at is not None


def test_a_closed_outbox_of_the_demo_keeps_its_journal_in_memory() -> None:
    with linq_nb.connect(demo=True, fresh=True) as first:
        first.send(memo(), ADA)
    with linq_nb.connect(demo=True) as second:
        assert second.send(memo(), ADA).repeated
    with linq_nb.connect(demo=True, fresh=True) as third:
        assert not third.send(memo(), ADA).repeated


def test_uploads_are_kept_between_chats_and_made_anew_for_another_account(
    on_disk: Callable[..., Outbox], demo: Demo
) -> None:
    outbox = on_disk()
    first, second = outbox.send(memo(), ADA), outbox.send(memo(), "Grace Hopper")
    assert first.attachment_id == second.attachment_id
    assert sum(request.method == "PUT" for request in demo.requests) == 1


@pytest.mark.skipif(not audio.can_transcode(), reason="needs the audio extra")
def test_a_file_that_was_converted_at_loading_is_sent(outbox: Outbox) -> None:
    """Its file is the source and not the audio that is sent; a file that was changed meanwhile is still refused."""
    assert outbox.send(VoiceMemo.from_file(AUDIO / "hello.ogg", convert=True), "Ada Lovelace").status == "queued"


@pytest.mark.parametrize("memo", ["own.m4a", b"bytes", None, Path("own.m4a")])
def test_a_value_that_is_no_memo_is_an_error_of_one_line(outbox: Outbox, memo: Any) -> None:
    with pytest.raises(PreflightError, match=r"takes a VoiceMemo.*nothing was sent; VoiceMemo.from_file"):
        outbox.send(memo, "Ada Lovelace")
    with pytest.raises(PreflightError, match="takes a VoiceMemo"):
        outbox.check(memo, "Ada Lovelace")


@pytest.mark.parametrize("chat", [["Ada Lovelace", "Book Club"], None, 1])
def test_a_value_that_is_no_chat_is_an_error_of_one_line(outbox: Outbox, chat: Any) -> None:
    with pytest.raises(PreflightError, match=r"a chat is a Chat, its id or its name.*nothing was sent"):
        outbox.send(memo(), chat)
