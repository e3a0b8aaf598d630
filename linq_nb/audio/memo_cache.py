"""A cache for functions of a memo's bytes: card, check and send each decode it, which takes seconds if it is long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

LONG_BYTES = 1_000_000
"""Shorter memos are computed again: that is quick and holds nothing in memory."""

MAX_RESULTS = 3
"""Results that are kept, with their memos."""


def cached(function: F) -> F:
    """Keep the last results of a function of a memo's bytes, when these are long and immutable."""
    cached_function = functools.lru_cache(maxsize=MAX_RESULTS)(function)

    @functools.wraps(function)
    def call(data: Any, *args: Any, **options: Any) -> Any:
        is_long = isinstance(data, bytes) and len(data) > LONG_BYTES
        return (cached_function if is_long else function)(data, *args, **options)

    return call  # type: ignore[return-value]  # wraps keeps the signature, which Callable cannot say
