"""Helpers for the tests of several folders: where the samples are, and how to wait for an event."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
AUDIO = ROOT / "notebooks" / "audio"

HANG_S = 60.0
"""A test that waits longer hangs: no promise depends on this time, which a busy machine does not reach."""


def wait_for(condition: Callable[[], object], hang_s: float = HANG_S) -> None:
    """Wait until ``condition`` holds, for what another thread, process or server does."""
    end = time.monotonic() + hang_s
    while not condition():
        assert time.monotonic() < end, f"still waiting after {hang_s:g} s"
        time.sleep(0.005)
