"""A journal in memory and a demo with a webhook subscription, each for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import linq_nb
from linq_nb import Outbox
from linq_nb.journal import Journal


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
