"""A fresh journal, a raw server and a demo on a socket, each for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from core_samples import TOKEN
from demo_process import Socket, ask, started
from raw_server import RawServer
from shared import HANG_S, connecting

from linq_nb.client import Client, Throttle
from linq_nb.journal import Journal
from linq_nb.outbox import Outbox
from linq_nb.secret import Secret


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(f"sqlite:///{tmp_path}/journal.sqlite")
    yield journal
    journal.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def client(server: RawServer) -> Iterator[Client]:
    """A client of the raw server; its pauses are noted in ``client.slept`` and not slept."""
    slept: list[float] = []
    client = Client(server.base_url, Secret(TOKEN), timeout=HANG_S, throttle=Throttle(slept.append))
    client.slept = slept  # type: ignore[attr-defined]
    yield client
    client.close()


@pytest.fixture
def live(server: RawServer, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Make outboxes of the raw server, which count as live, on one journal file."""
    journal = str(tmp_path / "live.sqlite")
    with connecting(
        api_key=TOKEN, base_url=server.base_url, journal=journal, timeout=HANG_S, sleep=lambda _: None
    ) as connect:
        yield connect


@pytest.fixture(scope="session")
def demo_process() -> Iterator[Socket]:
    with started() as process:
        yield process


@pytest.fixture
def demo_socket(demo_process: Socket) -> Socket:
    """The same process for all tests, its world begun anew for each."""
    ask(demo_process, "POST", "reset")
    return demo_process
