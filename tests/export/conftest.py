"""A small month of the demo, in its journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import linq_nb
from linq_nb.outbox import Outbox

SENDS = 2_000


@pytest.fixture(scope="module")
def month() -> Iterator[Outbox]:
    """An outbox with the demo's month; tests only read it."""
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        assert outbox.replay(outbox.demo.month(SENDS)) == SENDS
        yield outbox
