"""Numbers, times, handles and foreign text in a few plain words that are safe to publish."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import urlsplit

ELLIPSIS = "…"
HIDDEN = "•"

_COUNTRY_2 = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
"""Country calling codes of two digits; 1 and 7 have one, all others three."""

_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links and other strings to a terminal
    r"|\x1b[ -/]*[0-~]"
)
_LOGIN = re.compile(r"(?i)(https?://)[^\s/?#]*@")
_QUERY = re.compile(r"(?i)(https?://[^\s?#]*)(\?[^\s#]*)?")
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+'%-]++@[^\W_][\w-]*+(?:\.[\w-]++)+")
_PHONE = re.compile(r"(?:\+|%2[Bb])[1-9](?:\d{6,}|\d{0,3}(?:[ ().-]{1,2}\d{1,4}){2,5})")
_JOINERS = "\u200c\u200d"
"""Invisible, but part of ordinary writing: Persian words and joined emoji."""


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


def short_id(identity: str | None) -> str:
    """Return the start of an id, enough to tell one from another by eye: ``69a3…``."""
    text = visible(identity or "?")
    return text if len(text) <= 5 else text[:4] + ELLIPSIS


def mask(handle: str) -> str:
    """Hide most of a phone number or an email address: ``+1•••••5597``, ``l•••@example.com``."""
    text = "".join(c for c in _TERMINAL.sub("", handle).strip() if _is_seen(c))
    if HIDDEN in text:
        return mask_text(text)
    local, at, domain = text.rpartition("@")
    if at:
        return f"{local[:1]}{HIDDEN * 3}@{domain}"
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) < 7:
        return f"{text[:1]}{HIDDEN * 3}"
    country = _country(digits) if text.startswith(("+", "%2")) else ""
    return f"{country}{HIDDEN * 5}{digits[-4:]}"


def mask_text(text: str) -> str:
    """Hide every phone number with a country code, email address and URL query inside a text."""
    shown = _LOGIN.sub(r"\1", text)
    shown = _QUERY.sub(lambda url: url[1] + (f"?{ELLIPSIS}" if url[2] else ""), shown)
    shown = _EMAIL.sub(lambda email: mask(email[0]), shown)
    return _PHONE.sub(lambda phone: _hidden_number(phone[0]), shown)


def visible(text: str) -> str:
    """Fold whitespace, drop terminal escapes and spell out every other character that cannot be seen."""
    folded = " ".join(_TERMINAL.sub("", text).split())
    if folded.isascii() and folded.isprintable():  # nearly all there is, and a list of chats is long
        return folded
    return "".join(c if _is_seen(c) else c.encode("unicode_escape").decode("ascii") for c in folded)


def clean(text: object, limit: int = 120) -> str:
    """Make foreign text fit to show: one line, visible, masked, at most ``limit`` characters."""
    shown = mask_text(visible(str(text)[: 20 * limit]))
    return shown if len(shown) <= limit else shown[: limit - 1] + ELLIPSIS


def place(url: str) -> str:
    """Return host and path of a URL: what signs it and who logs in stay hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    return clean((parts.hostname or "") + parts.path)


def _country(digits: str) -> str:
    """Return the country code of an E.164 number with its plus."""
    length = 1 if digits[0] in "17" else 2 if _COUNTRY_2.match(digits) else 3
    return f"+{digits[:length]}"


def _hidden_number(number: str) -> str:
    """Mask what has enough digits for a phone number; a plus may be written for a URL."""
    plain = number.replace("%2B", "+").replace("%2b", "+")
    return mask(plain) if sum(c.isdigit() for c in plain) >= 7 else number


def _is_seen(char: str) -> bool:
    """Whether a character is no control, format, surrogate or unassigned one."""
    return unicodedata.category(char)[0] != "C" or char in _JOINERS
