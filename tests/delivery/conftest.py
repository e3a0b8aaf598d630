"""One demo, one journal on disk, and as many notebooks on them as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import linq_nb
from linq_nb import Outbox, VoiceMemo
from linq_nb.demo import Demo

AUDIO = Path(__file__).parents[2] / "notebooks" / "audio"


@pytest.fixture
def memo() -> VoiceMemo:
    return VoiceMemo.from_file(AUDIO / "hello.amr")


@pytest.fixture
def demo() -> Demo:
    return Demo()


@pytest.fixture
def connect(demo: Demo, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Connect to the demo as one connects to Linq; ``transport`` may stand in between."""
    opened: list[Outbox] = []

    def made(**more: Any) -> Outbox:
        given: dict[str, Any] = {
            "api_key": demo.api_key,
            "base_url": demo.base_url,
            "transport": demo.transport(),
            "journal": str(tmp_path / "journal.sqlite"),
            "clock": demo.now,
            "sleep": demo.sleep,
        }
        opened.append(linq_nb.connect(**{**given, **more}))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


@pytest.fixture
def outbox(connect: Callable[..., Outbox]) -> Outbox:
    return connect()
