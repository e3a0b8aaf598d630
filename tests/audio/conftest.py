"""The audio tests without the audio extra."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide PyAV, as if the audio extra were not installed."""
    monkeypatch.setitem(sys.modules, "av", None)
