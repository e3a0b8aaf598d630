"""Batches of several notebooks on one server, and a server that stops in the middle of a batch."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from demo_process import Socket, ask
from postgres import Server
from shared import HANG_S, customers, memo_posts

from linq_nb import JournalError, Outbox, OutcomeUnknown, VoiceMemo
from linq_nb.demo import Demo

pytestmark = pytest.mark.thorough

HERE = Path(__file__).parent
Connect = Callable[..., Outbox]


class Cut(httpx.BaseTransport):
    """The demo's transport; the server dies after the nth request whose method and path fit."""

    def __init__(self, demo: Demo, server: Server, part: str, nth: int) -> None:
        self.inner, self.server = demo.transport(), server
        self.part, self.left = part, nth
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self.lock:  # while the server dies no other request gets an answer
            return self._handled(request)

    def _handled(self, request: httpx.Request) -> httpx.Response:
        fits = self.part in f"{request.method} {request.url.path}"
        self.left -= fits
        response = self.inner.handle_request(request)
        if fits and self.left == 0:
            response.read()
            self.server.crash()
        return response


def an_hour_later() -> float:
    """The clock of the leases, when every lease of now has run out."""
    return time.time() + 3600


def test_a_server_that_stops_stops_the_batch_and_the_batch_resumes(
    demo: Demo, memo: VoiceMemo, connect: Connect, server: Server
) -> None:
    drafts = customers(demo, memo, 30)
    outbox = connect(transport=Cut(demo, server, "/voicememo", 10))
    try:
        batch = outbox.send_all(outbox.plan(drafts), workers=1, stop_after=3).wait()
    finally:
        server.start()
    assert memo_posts(demo) == 10
    assert [send.status for send in batch.results()[:9]] == ["queued"] * 9
    assert batch.results()[9].status == "unknown"
    assert [send.status for send in batch.results()[10:]] == ["not_sent"] * 20
    assert "failures in a row" in batch.line()
    (cut,) = outbox.sends(status="sending")
    assert cut.chat_id == drafts[9].chat_id
    later = connect(steady=an_hour_later)
    sends = list(later.send_all(later.plan(drafts)))
    assert all(send.message_id for send in sends)
    assert sends[9].reconcile_result == "found"
    assert sorted(demo.bubbles().values()) == [1] * 30
    assert memo_posts(demo) == 30


@pytest.mark.parametrize("workers", [4, 32])
def test_many_workers_lose_their_server_and_go_on(
    demo: Demo, memo: VoiceMemo, connect: Connect, server: Server, workers: int
) -> None:
    drafts = customers(demo, memo, 60)
    outbox = connect(transport=Cut(demo, server, "/voicememo", 20))
    try:
        outbox.send_all(outbox.plan(drafts), workers=workers, stop_after=0).wait()
        posts = memo_posts(demo)
    finally:
        server.start()
    assert 20 <= posts < 20 + workers
    later = connect(steady=an_hour_later)
    sends = list(later.send_all(later.plan(drafts), workers=workers))
    assert all(send.message_id for send in sends)
    assert sorted(demo.bubbles().values()) == [1] * 60
    assert memo_posts(demo) == 60


def test_a_send_whose_answer_cannot_be_written_is_unknown(
    demo: Demo, memo: VoiceMemo, connect: Connect, server: Server
) -> None:
    outbox = connect(transport=Cut(demo, server, "/voicememo", 1))
    try:
        with pytest.raises(OutcomeUnknown, match=r"accepted as message .*journal could not record it"):
            outbox.send(memo, "Ada Lovelace")
    finally:
        server.start()
    sent = connect(steady=an_hour_later).send(memo, "Ada Lovelace")
    assert (sent.repeated, sent.reconcile_result, memo_posts(demo)) == (True, "found", 1)


@pytest.mark.parametrize("part", ["GET /api/partner/v3/chats", "POST /api/partner/v3/attachments", "PUT "])
def test_a_send_that_cannot_be_recorded_first_is_not_sent(
    demo: Demo, memo: VoiceMemo, connect: Connect, server: Server, part: str
) -> None:
    outbox = connect(transport=Cut(demo, server, part, 1))
    try:
        with pytest.raises(JournalError, match="nothing was sent; start the server"):
            outbox.send(memo, "Ada Lovelace")
        assert memo_posts(demo) == 0
    finally:
        server.start()
    assert not connect(steady=an_hour_later).send(memo, "Ada Lovelace").repeated
    assert memo_posts(demo) == 1


def test_a_server_that_comes_back_before_the_answer_is_not_missed(
    demo: Demo, memo: VoiceMemo, connect: Connect, server: Server
) -> None:
    drafts = customers(demo, memo, 8)
    cut = Cut(demo, server, "/voicememo", 3)
    crash = server.crash

    def restart() -> None:
        crash()
        server.start()

    cut.server = type("Restart", (), {"crash": staticmethod(restart)})()  # type: ignore[assignment]
    outbox = connect(transport=cut)
    assert {send.status for send in outbox.send_all(outbox.plan(drafts), workers=1)} == {"queued"}


def test_two_processes_share_the_rows_of_a_batch(demo_socket: Socket, url: str) -> None:
    ask(demo_socket, "POST", "limits", list_lag_s=0)
    environ = {"LINQ_API_V3_BASE_URL": demo_socket.base_url, "LINQ_API_V3_API_KEY": demo_socket.api_key}
    chats = ask(demo_socket, "POST", "add_chats", n=40)["result"].values()
    running = [
        subprocess.Popen(
            [sys.executable, str(HERE / "batch_child.py"), url, *chats],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=HERE.parents[1],
            env={**_environ(), **environ},
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=HANG_S) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    rows = [out.split() for out, _ in outputs]
    assert len(rows[0]) == 40
    assert rows[0] == rows[1]
    bubbles: dict[str, Any] = ask(demo_socket, "GET", "bubbles")["bubbles"]
    assert [bubbles[chat] for chat in chats] == [1] * 40


def _environ() -> dict[str, str]:
    import os

    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return {**environment, "PYTHONPATH": str(HERE.parents[1])}
