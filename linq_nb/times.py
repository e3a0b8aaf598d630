"""Times and lengths of time as people write them: one parser for all arguments."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.text import one_line

Time = str | date | timedelta
"""What ``time_of`` reads; a datetime is a date."""

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = r"(\d{1,9}(?:\.\d{1,6})?)\s*(w(?:eeks?)?|d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)"
_SPAN = re.compile(rf"(?:{_PART}(?:\s*,?\s*(?:and\s+)?(?=\d)|\Z))+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?=\D|\Z)", re.ASCII)
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)\Z", re.IGNORECASE)
_HOUR = re.compile(r"(?<=[ T])(\d)(?=:\d\d)", re.ASCII)
_OFFSET = re.compile(r"(?<=:\d\d)\s+(?=[+-]\d)")


def horizon_of(value: str | float | timedelta | None) -> timedelta | None:
    """Read a length of time: ``"90s"``, ``"30m"``, ``"1h30m"``, ``"2 days"``, ``"1w"``, seconds, or a timedelta.

    Raises SettingsError for anything else.
    """
    if value is None:
        return None
    try:
        span = _span(_plain(value))
    except (ValueError, TypeError, OverflowError):
        span = timedelta()
    if span > timedelta():
        return span
    raise SettingsError(
        f"a horizon is a length of time such as 90s, 30m, 1h or 2d, not {_shown(value)}; nothing was asked; "
        "give it in one of these forms"
    )


def timeout_of(seconds: float) -> float:
    """Read a time limit in seconds, which may be 0 or infinite; raises SettingsError for anything else."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise SettingsError(
            f"timeout is a number of seconds, not {_shown(seconds)}; nothing was asked; give one such as 120"
        )
    return seconds


def time_of(value: Time | None, now: datetime, name: str = "since") -> datetime | None:
    """Read a time: a datetime, a date, ISO text (``"2026-03-01"``, ``"2026-03-01T10:00"``), or a length of time
    before ``now`` (``"7d"``, ``"1h30m"``, ``"2 weeks"``, a timedelta), also as pandas and NumPy have them. A time
    without a zone is in UTC, a date is its first moment. None and "all" are no limit.

    Raises SettingsError for anything else; ``name`` is the argument's.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() == "all"):
        return None
    try:
        return _time(_plain(value), now)
    except (ValueError, TypeError, OverflowError):
        raise SettingsError(
            f"{name} is a time such as 2026-03-01 or 2026-03-01T10:00, or a length of time before now such as 7d, "
            f"not {_shown(value)}; nothing was read; give it in one of these forms"
        ) from None


def _time(value: Any, now: datetime) -> datetime:
    if isinstance(value, str):
        text = value.strip()
        match = _SPAN.fullmatch(text.lower().removesuffix("ago").strip())
        value = _sum(match[0]) if match else datetime.fromisoformat(_iso(text))
    if isinstance(value, timedelta):
        return now - value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise TypeError
    at = datetime.combine(value.date(), value.timetz())  # pandas' Timestamp as a plain datetime
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)


def _plain(value: Any) -> Any:
    """Return a scalar of NumPy or Arrow as Python has it."""
    if hasattr(value, "as_py"):
        value = value.as_py()
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind in ("M", "m") and not getattr(value, "shape", ()):
        return value.astype(f"{value.dtype.str[1:3]}[us]").item()
    return value


def _iso(text: str) -> str:
    """Return the text of a time as ISO 8601 writes it: also 2026/3/1, and UTC at its end."""
    text = _DATE.sub(lambda at: f"{at[1]}-{at[3]:0>2}-{at[4]:0>2}", text, count=1)
    return _OFFSET.sub("", _ZONE.sub("+00:00", _HOUR.sub(r"0\1", text)))


def _span(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _SPAN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        return timedelta(seconds=0 if isinstance(value, bool) else float(value))
    return _sum(match[0])


def _sum(text: str) -> timedelta:
    parts = (timedelta(**{_UNITS[unit[0]]: float(number)}) for number, unit in _PARTS.findall(text))
    return sum(parts, timedelta())


def _shown(value: Any) -> str:
    return one_line(repr(value), 60)
