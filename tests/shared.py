"""Helpers for the tests of several folders: samples, outboxes, drafts, and waiting for an event."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

import linq_nb
from linq_nb import Draft, Outbox, VoiceMemo
from linq_nb.demo import Demo, Server

ROOT = Path(__file__).parents[1]
AUDIO = ROOT / "linq_nb" / "demo" / "audio"

HANG_S = 120.0
"""A test that waits longer hangs: no promise depends on this time, which a busy machine does not reach."""


def quick_first(values: Iterable[Any]) -> list[Any]:
    """Return the values for ``parametrize``: the first runs always, the others are thorough."""
    first, *others = values
    return [first, *(pytest.param(value, marks=pytest.mark.thorough) for value in others)]


def executed(notebook: Any, folder: Path, **settings: Any) -> Any:
    """Run a notebook as ``jupyter execute`` does, and return it. Its own deadlines lose outputs on a busy machine."""
    from nbclient import NotebookClient

    hang_s = int(HANG_S)
    patience = {"timeout": 5 * hang_s, "startup_timeout": hang_s, "iopub_timeout": hang_s, "kernel_name": "python3"}
    return NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **patience, **settings).execute()


def wait_for(condition: Callable[[], object], hang_s: float = HANG_S) -> None:
    """Wait until ``condition`` holds, for what another thread, process or server does."""
    end = time.monotonic() + hang_s
    while not condition():
        assert time.monotonic() < end, f"still waiting after {hang_s:g} s"
        time.sleep(0.005)


class WatchedServer(Server):
    """A demo on a socket that knows which connections it still serves."""

    def __init__(self, demo: Demo) -> None:
        self.served = set[socket.socket]()
        super().__init__(demo)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.served.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.served.discard(request)

    def wait_until_quiet(self) -> None:
        """Wait until requests that clients gave up are carried out too; their connections are closed by then."""
        last = {"Connection": "close"}  # connections are accepted in turn: this one after all others
        httpx.get(f"{self.url}/demo/bubbles", headers=last, trust_env=False, timeout=HANG_S).raise_for_status()
        wait_for(lambda: not self.served)


@contextlib.contextmanager
def connecting(**settings: Any) -> Iterator[Callable[..., Outbox]]:
    """Connect with these settings, or others, as often as wanted; every outbox is closed at the end."""
    with contextlib.ExitStack() as opened:
        yield lambda **more: opened.enter_context(linq_nb.connect(**settings | more))


def outboxes(demo: Demo, journal: Path, **settings: Any) -> AbstractContextManager[Callable[..., Outbox]]:
    """Connect to a demo on a socket as often as wanted, with a journal in a file."""
    return connecting(**{"api_key": demo.api_key, "base_url": demo.base_url, "journal": str(journal)} | settings)


def customers(demo: Demo, memo: VoiceMemo, number: int) -> list[Draft]:
    """Draft a memo for each of this many new chats."""
    return [Draft(memo=memo, chat=chat_id) for chat_id in demo.add_chats(number).values()]


def memo_posts(demo: Demo) -> int:
    """Count the requests that send a memo."""
    return sum(request.method == "POST" and request.path.endswith("/voicememo") for request in demo.requests)
