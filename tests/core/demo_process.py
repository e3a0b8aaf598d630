"""A demo in a process of its own, and how to speak with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Socket(NamedTuple):
    """A demo in a process of its own."""

    base_url: str
    api_key: str
    origin: str


def ask(demo: Socket, method: str, what: str, **arguments: Any) -> Any:
    """Use the demo's own handles over its socket."""
    import httpx

    with httpx.Client(trust_env=False) as http:
        return http.request(method, f"{demo.origin}/demo/{what}", json=arguments or None).raise_for_status().json()
