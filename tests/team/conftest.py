"""Journals of a team: a real PostgreSQL 15 for the session, and a fresh database for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from demo_process import Socket, started
from postgres import Server, missing, running
from team_samples import Wall, admin

import linq_nb
from linq_nb import Outbox, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.journal import Journal

ROOT = Path(__file__).parents[2]
AUDIO = ROOT / "notebooks" / "audio"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.lower().endswith("_proxy") or one.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    lacks = missing() or ("" if find_spec("psycopg") else 'no psycopg here; pip install "linq_nb[team]"')
    if lacks:
        if os.environ.get("LINQ_NB_REQUIRE_POSTGRES") == "1":
            pytest.fail(lacks)
        pytest.skip(lacks)
    with running() as made:
        yield made


@pytest.fixture
def database(server: Server) -> str:
    """The name of a fresh database."""
    name = f"journal_{next(_numbers)}"
    admin(server, f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def url(server: Server) -> str:
    """A journal of one's own, empty."""
    return server.new_schema()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def books(url: str) -> Iterator[Callable[..., Journal]]:
    """Open the same journal as often as is wanted."""
    opened: list[Journal] = []

    def made(**more: Any) -> Journal:
        opened.append(Journal(url, **more))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


@pytest.fixture
def book(books: Callable[..., Journal], wall: Wall) -> Journal:
    return books(wall=wall)


@pytest.fixture
def memo() -> VoiceMemo:
    return VoiceMemo.from_file(AUDIO / "hello.amr")


@pytest.fixture
def demo() -> Demo:
    return Demo()


@pytest.fixture
def connect(demo: Demo, url: str) -> Iterator[Callable[..., Outbox]]:
    """Connect to one demo with one journal on the server, as often as is wanted: each is a notebook."""
    opened: list[Outbox] = []

    def made(clock: Callable[[], datetime] = demo.now, transport: Any = None) -> Outbox:
        given: dict[str, Any] = {"api_key": demo.api_key, "base_url": demo.base_url, "sleep": demo.sleep}
        opened.append(linq_nb.connect(**given, transport=transport or demo.transport(), clock=clock, journal=url))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


@pytest.fixture
def demo_socket() -> Iterator[Socket]:
    with started() as made:
        yield made
