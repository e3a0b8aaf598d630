"""A small month of the demo, in its journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import linq_nb
from linq_nb.outbox import Outbox

SENDS = 2_000


@pytest.fixture(scope="module")
def month() -> Iterator[Outbox]:
    """An outbox whose demo lived a month; tests only read it."""
    with linq_nb.connect(demo=True, fresh=True) as made:
        assert made.replay(made.demo.month(SENDS)) == SENDS
        yield made
