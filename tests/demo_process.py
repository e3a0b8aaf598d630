"""A demo in a process of its own, and how to speak with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class Socket(NamedTuple):
    """A demo in a process of its own."""

    base_url: str
    api_key: str
    origin: str


@contextlib.contextmanager
def started() -> Iterator[Socket]:
    """Run a demo for as long as this lasts."""
    command = [sys.executable, "-m", "linq_nb.demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip().partition("=")[2] for _ in range(2)]
        yield Socket(lines[0], lines[1], lines[0].removesuffix("/api/partner"))
        process.terminate()


def ask(demo: Socket, method: str, path: str, **arguments: Any) -> Any:
    """Use the demo's own handles over its socket."""
    import httpx

    with httpx.Client(trust_env=False) as http:
        return http.request(method, f"{demo.origin}/demo/{path}", json=arguments or None).raise_for_status().json()
