"""A journal in memory and a demo with a webhook subscription, each for one test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import linq_nb
from linq_nb import Outbox
from linq_nb.journal import Journal


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def book() -> Iterator[Journal]:
    made = Journal("sqlite://")
    yield made
    made.close()


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    """An outbox on a fresh demo in process."""
    with linq_nb.connect(demo=True, fresh=True) as made:
        yield made
