"""An outbox on the demo, for each test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from linq_nb import Outbox


@pytest.fixture
def outbox(connect: Callable[..., Outbox]) -> Outbox:
    return connect()
