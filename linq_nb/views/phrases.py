"""Lengths, sizes and times in a few plain words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def duration(ms: int | None) -> str:
    """Return a length in milliseconds in whole seconds as a player counts them: ``0:15``; at least 0:01."""
    if ms is None:
        return "?:??"
    seconds = max((ms + 50) // 1000, 1 if ms > 0 else 0)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def size(size_bytes: int) -> str:
    """Return a size in decimal units, as Linq counts its limits: ``48.2 kB``."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 999_950:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def rate(hz: int, channels: int | None) -> str:
    """Return a sample rate and the channels: ``44.1 kHz stereo``."""
    names = {None: "", 1: " mono", 2: " stereo"}
    return f"{hz / 1000:g} kHz" + names.get(channels, f" {channels} channels")


def people(count: int) -> str:
    """Return a number of people: ``1 person``, ``3 people``. Counted are those who receive a memo, not the sender."""
    return f"{count:,} {'person' if count == 1 else 'people'}"


def more(total: int, shown: int) -> list[str]:
    """Say how many are left out, as a line: ``and 3 more``; no line where all are shown."""
    return [f"and {total - shown:,} more"] if total > shown else []


def some(texts: Sequence[str], most: int) -> str:
    """List the first of many texts: ``a, b and 3 more``."""
    return " ".join([", ".join(texts[:most]), *more(len(texts), most)])


def moment(at: datetime) -> str:
    """Return a time in UTC to the second: ``2026-11-23 20:42:10 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago ``then`` was: ``3 minutes ago``; a clock that runs ahead is ``just now``."""
    seconds = int((now - then).total_seconds())
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
