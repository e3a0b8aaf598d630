"""Times and lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from linq_nb.errors import SettingsError

Time = str | date | timedelta
"""What ``time_of`` reads; a datetime is a date."""

_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,9})s)?", re.ASCII)


def horizon_of(value: str | float | timedelta | None) -> timedelta | None:
    """Read a length of time: ``"90s"``, ``"30m"``, ``"1h"``, ``"1h30m"``, ``"2d"``, seconds, or a timedelta.

    Raises SettingsError for anything else.
    """
    if value is None:
        return None
    try:
        span = value if isinstance(value, timedelta) else _span(value)
    except (ValueError, TypeError, OverflowError):
        span = timedelta()
    if span > timedelta():
        return span
    raise SettingsError(f"a horizon is a length of time such as 90s, 30m, 1h or 2d, not {value!r}; nothing was asked")


def time_of(value: Time | None, now: datetime, name: str = "since") -> datetime | None:
    """Read a time: a datetime, a date, ISO text (``"2026-03-01"``, ``"2026-03-01T10:00"``), or a length of time
    before ``now`` (``"7d"``, ``"1h30m"``, a timedelta). A time without a zone is in UTC, a date is its first moment.

    Raises SettingsError for anything else; ``name`` is the argument's.
    """
    if value is None:
        return None
    try:
        return _time(value, now)
    except (ValueError, TypeError, OverflowError):
        raise SettingsError(
            f"{name} is a time such as 2026-03-01 or 2026-03-01T10:00, or a length of time before now such as 7d, "
            f"not {value!r}; nothing was read"
        ) from None


def _time(value: Any, now: datetime) -> datetime:
    if isinstance(value, str) and value.strip():
        match = _SPAN.fullmatch(value.strip().lower())
        value = _sum(match) if match else datetime.fromisoformat(value.strip())
    if isinstance(value, timedelta):
        return now - value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if hasattr(value, "astype"):  # numpy's datetime64
        value = datetime.fromisoformat(str(value))
    if not isinstance(value, datetime):
        raise TypeError
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return value.astimezone(UTC)  # type: ignore[no-any-return]


def _span(value: str | float) -> timedelta:
    match = _SPAN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        return timedelta(seconds=0 if isinstance(value, bool) else float(value))
    return _sum(match)


def _sum(match: re.Match[str]) -> timedelta:
    parts = zip(("days", "hours", "minutes", "seconds"), match.groups(), strict=True)
    return timedelta(**{unit: int(number) for unit, number in parts if number})
