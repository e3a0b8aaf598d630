"""A fresh journal, a raw server and a demo on a socket, each for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_samples import TOKEN
from demo_process import Socket, ask, started
from raw_server import RawServer
from shared import HANG_S

import linq_nb
from linq_nb.client import Client, Throttle
from linq_nb.journal import Journal
from linq_nb.outbox import Outbox
from linq_nb.secret import Secret


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    made = RawServer()
    yield made
    made.close()


@pytest.fixture
def client(server: RawServer) -> Iterator[Client]:
    """A client of the raw server; its pauses are noted in ``client.slept`` and not slept."""
    slept: list[float] = []
    made = Client(server.base_url, Secret(TOKEN), timeout=HANG_S, throttle=Throttle(slept.append))
    made.slept = slept  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def live(server: RawServer, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Make outboxes of the raw server, which count as live, on one journal file."""
    opened: list[Outbox] = []

    def connect(**more: Any) -> Outbox:
        given = {"api_key": TOKEN, "base_url": server.base_url, "timeout": 0.4, "sleep": lambda _: None}
        made = linq_nb.connect(**{**given, "journal": str(tmp_path / "live.sqlite"), **more})
        opened.append(made)
        return made

    yield connect
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def demo_process() -> Iterator[Socket]:
    with started() as made:
        yield made


@pytest.fixture
def demo_socket(demo_process: Socket) -> Socket:
    """The same process for all tests, its world begun anew for each."""
    ask(demo_process, "POST", "reset")
    return demo_process
