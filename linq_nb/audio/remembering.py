"""Decoding a long memo takes seconds, and a card, a check and a send each look at it: the last few looks are kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

LONG_BYTES = 1_000_000
"""Shorter memos are looked at again: that is quick, and nothing need be held in memory for it."""

KEPT = 3
"""So many results are kept, and the memos they are of."""


def remembered(look: F) -> F:
    """Keep the last results of a function of a memo's bytes, where these are long and cannot change."""
    kept = functools.lru_cache(maxsize=KEPT)(look)

    @functools.wraps(look)
    def recall(data: Any, *args: Any, **options: Any) -> Any:
        long = isinstance(data, bytes) and len(data) > LONG_BYTES
        return kept(data, *args, **options) if long else look(data, *args, **options)

    return recall  # type: ignore[return-value]  # wraps keeps the signature, which Callable cannot say
