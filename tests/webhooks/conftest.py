"""A journal in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linq_nb.journal import Journal


@pytest.fixture
def book() -> Iterator[Journal]:
    book = Journal("sqlite://")
    yield book
    book.close()
