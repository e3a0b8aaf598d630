"""Single values of Linq's JSON: missing, null and of another type are alike, and no value raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from linq_nb.text import writable

Raw = Mapping[str, Any]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)


class Unreadable(ValueError):
    """An answer is not what was asked for; the message says what it is instead, as in "it is HTML"."""


def text_of(raw: Raw, key: str) -> str | None:
    value = raw.get(key)
    return writable(value) if isinstance(value, str) and value else None


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_header(name: str, value: object) -> bool:
    """Whether this can go into an HTTP request as a header."""
    is_value = isinstance(value, str) or is_number(value)
    return is_value and bool(_HEADER_NAME.fullmatch(name)) and bool(_HEADER_VALUE.fullmatch(str(value)))


def int_of(raw: Raw, key: str) -> int | None:
    value = raw.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def bool_of(raw: Raw, key: str) -> bool | None:
    value = raw.get(key)
    return value if isinstance(value, bool) else None


def dict_of(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def dicts_of(raw: Raw, key: str) -> list[Raw]:
    value = raw.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts_of(raw: Raw, key: str) -> list[str]:
    value = raw.get(key)
    return [writable(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []


def required(raw: Raw, key: str) -> str:
    """Return a text; raises Unreadable without it."""
    value = text_of(raw, key)
    if value is None:
        raise Unreadable(f"it has no {key!r}")
    return value


def upper_of(raw: Raw, key: str) -> str | None:
    """Return a text in upper case."""
    text = text_of(raw, key)
    return text.upper() if text else None


def parse_time(text: object) -> datetime | None:
    """Read an RFC 3339 time with 0 to 9 fractional digits as UTC, to the microsecond; None for anything else."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace("z", "Z")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time_of(raw: Raw, name: str) -> datetime | None:
    return parse_time(raw.get(name))
