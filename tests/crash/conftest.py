"""A journal for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def journal_url(tmp_path: Path) -> str:
    """The URL of an empty journal: SQLite on disk."""
    return f"sqlite:///{tmp_path / 'journal.sqlite'}"
