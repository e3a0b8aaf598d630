"""A cache for what is made of a memo's bytes: card, check and send each look at it, which takes seconds."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def cached(most: int = 256) -> Callable[[F], F]:
    """Keep the last results of a function of a memo's bytes, by their sha256: the bytes themselves are not held."""

    def decorate(function: F) -> F:
        results: OrderedDict[Any, Any] = OrderedDict()
        lock = threading.Lock()

        @functools.wraps(function)
        def call(data: Any, *args: Any) -> Any:
            key = (hashlib.sha256(data).digest(), *args)
            with lock:
                if key in results:
                    results.move_to_end(key)
                    return results[key]
            result = function(data, *args)
            with lock:
                results[key] = result
                while len(results) > most:
                    results.popitem(last=False)
            return result

        return call  # type: ignore[return-value]  # wraps keeps the signature, which Callable cannot say

    return decorate
