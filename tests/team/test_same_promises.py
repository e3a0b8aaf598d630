"""The tests of journal, sending once, URLs, batches and webhooks, run once more on PostgreSQL."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from postgres import Server
from team_samples import Wall, admin

from linq_nb.journal import Journal

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / name) for name in ("core", "batch", "webhooks")]

import test_batch  # noqa: E402
import test_journal  # noqa: E402
import test_once  # noqa: E402
import test_url_repeats  # noqa: E402
import test_webhook_journal  # noqa: E402

pytestmark = pytest.mark.thorough

ABOUT_SQLITE = ("PRAGMA", "sqlite", "pragma(", "tmp_path", "monkeypatch", "refusing(")
"""Words that mark the tests of SQLite or its file."""

stages, later, on_disk = test_once.stages, test_once.later, test_once.on_disk


_wall = Wall()


@pytest.fixture
def wall() -> Wall:
    """The clock of the one journal, set anew for each test."""
    _wall.now = Wall().now
    return _wall


@pytest.fixture(scope="module")
def emptied(server: Server) -> Iterator[Journal]:
    """One journal for many small tests: to empty it is faster than to make one."""
    journal = Journal(server.url(), wall=_wall)
    yield journal
    journal.close()


@pytest.fixture
def book(emptied: Journal, server: Server, wall: Wall) -> Journal:
    admin(server, "TRUNCATE sends, events, names, attachments RESTART IDENTITY")
    return emptied


def promises(module: ModuleType, fixture: str) -> dict[str, Any]:
    """Return the tests of a module that get their journal by this fixture."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_")
        and fixture in inspect.signature(test).parameters
        and not any(word in inspect.getsource(test) for word in ABOUT_SQLITE)
    }


globals().update(promises(test_journal, "book") | promises(test_once, "on_disk") | promises(test_batch, "connect"))
globals().update(promises(test_webhook_journal, "book") | promises(test_url_repeats, "on_disk"))
del globals()["test_all_orders_of_a_messages_events_end_in_the_same_columns"]  # hundreds: see test_team_webhooks


def test_many_tests_are_run_once_more() -> None:
    assert len([name for name in globals() if name.startswith("test_")]) > 35
