"""A batch on a team's server that is killed again and again: the harness of ``tests/crash``, which runs any number."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from postgres import Server

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "crash")]

from harness import crash  # noqa: E402

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("seed", [1, 2])
def test_a_batch_survives_kills_of_its_process_and_of_its_server(
    seed: int, server: Server, url: str, tmp_path: Path
) -> None:
    kills = 0

    def crash_server(*_: Any) -> None:
        nonlocal kills
        kills += 1
        if kills % 3 == 0:  # as the killed batch left it, without closing its connections
            server.crash()
            server.start()

    figures = crash(seed, url, tmp_path / "lives", kills=12, memos=60, meanwhile=crash_server)
    print(figures.line())
    assert figures.kills >= 2
    assert (figures.bubbles, figures.second, figures.missing) == (60, 0, 0)
