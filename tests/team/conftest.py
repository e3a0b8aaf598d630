"""Journals of a team: a real PostgreSQL 15 for the session, and a fresh database for each test."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from demo_process import Socket, started
from postgres import Server, missing, running
from team_samples import Wall, admin

from linq_nb import Outbox
from linq_nb.journal import Journal

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    lacks = missing() or ("" if find_spec("psycopg") else 'no psycopg here; pip install "linq_nb[team]"')
    if lacks:
        if os.environ.get("LINQ_NB_REQUIRE_POSTGRES") == "1":
            pytest.fail(lacks)
        pytest.skip(lacks)
    with running() as server:
        yield server


@pytest.fixture
def database(server: Server) -> str:
    """The name of a fresh database."""
    name = f"journal_{next(_numbers)}"
    admin(server, f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def url(server: Server) -> str:
    """The URL of an empty journal."""
    return server.new_schema()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def books(url: str) -> Iterator[Callable[..., Journal]]:
    """Open the same journal as often as wanted."""
    opened: list[Journal] = []

    def made(**more: Any) -> Journal:
        opened.append(Journal(url, **more))
        return opened[-1]

    yield made
    for book in opened:
        book.close()


@pytest.fixture
def book(books: Callable[..., Journal], wall: Wall) -> Journal:
    return books(wall=wall)


@pytest.fixture
def connect(connect: Callable[..., Outbox], url: str) -> Callable[..., Outbox]:
    """Connect to one demo with one journal on the server, as often as wanted: each outbox is a notebook."""
    return functools.partial(connect, journal=url)


@pytest.fixture
def demo_socket() -> Iterator[Socket]:
    with started() as process:
        yield process
