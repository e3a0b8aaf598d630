"""Foreign text made safe: to show (one line, visible, masked) and to keep (writable, without secrets)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

ELLIPSIS = "…"
HIDDEN = "•"

MAX_DEPTH = 40
"""JSON that is nested deeper than this is cut by ``redact``."""

_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links and other strings to a terminal
    r"|\x1b[ -/]*[0-~]"
)
_LOGIN = re.compile(r"(?i)(https?://)[^\s/?#]*@")
_QUERY = re.compile(r"(?i)(https?://[^\s?#]*)(\?[^\s#]*)?")
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+'%-]++@[^\W_][\w-]*+(?:\.[\w-]++)+")
_PHONE = re.compile(r"(?:\+|%2[Bb])[1-9](?:\d{6,}|\d{0,3}(?:[ ().-]{1,2}\d{1,4}){2,5})")
_COUNTRY_2 = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
"""Country calling codes of two digits; 1 and 7 have one, all others three."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of ordinary writing: Persian words and joined emoji."""

_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_UNWRITABLE = re.compile("[\ud800-\udfff\0]")
_SECRET_KEYS = frozenset({"upload_url", "signing_secret", "authorization", "required_headers"})
_ATOMS = frozenset({int, float, bool, type(None)})
_PORTS = {"https": 443, "http": 80}


# --- to show --------------------------------------------------------------------------------------------------


def clean(text: object, limit: int = 120) -> str:
    """Make foreign text fit to show: one line, visible, masked, at most ``limit`` characters."""
    shown = mask_text(visible(str(text)[: 20 * limit]))
    return shown if len(shown) <= limit else shown[: limit - 1] + ELLIPSIS


def visible(text: str) -> str:
    """Fold whitespace, drop terminal escapes and spell out every other character that cannot be seen."""
    folded = " ".join(_TERMINAL.sub("", text).split())
    if folded.isascii() and folded.isprintable():  # the common case, checked first for long lists
        return folded
    return "".join(char if _is_visible(char) else char.encode("unicode_escape").decode("ascii") for char in folded)


def mask(handle: str) -> str:
    """Hide most of a phone number or an email address: ``+1•••••5597``, ``l•••@example.com``."""
    text = "".join(char for char in _TERMINAL.sub("", handle).strip() if _is_visible(char))
    if HIDDEN in text:
        return mask_text(text)
    local, at, domain = text.rpartition("@")
    if at:
        return f"{local[:1]}{HIDDEN * 3}@{domain}"
    digits = "".join(char for char in text if char.isdigit())
    if len(digits) < 7:
        return f"{text[:1]}{HIDDEN * 3}"
    country = _country(digits) if text.startswith(("+", "%2")) else ""
    return f"{country}{HIDDEN * 5}{digits[-4:]}"


def mask_text(text: str) -> str:
    """Hide every phone number with a country code, email address and URL query inside a text."""
    shown = _LOGIN.sub(r"\1", text)
    shown = _QUERY.sub(lambda url: url[1] + (f"?{ELLIPSIS}" if url[2] else ""), shown)
    shown = _EMAIL.sub(lambda email: mask(email[0]), shown)
    return _PHONE.sub(lambda phone: _masked_phone(phone[0]), shown)


def short_id(identity: str | None) -> str:
    """Return the start of an id, enough to tell two ids apart by eye: ``69a3…``."""
    text = visible(identity or "?")
    return text if len(text) <= 5 else text[:4] + ELLIPSIS


def place(url: str) -> str:
    """Return host and path of a URL, ready to show: login and signature stay hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    return clean((parts.hostname or "") + parts.path)


def names_of(values: Sequence[str]) -> str:
    """Join names for a sentence: ``a, b and c``."""
    *most, last = values
    return f"{', '.join(most)} and {last}" if most else last


# --- to keep --------------------------------------------------------------------------------------------------


def writable(text: str) -> str:
    """Replace what neither UTF-8 nor every database can keep: lone surrogates and NUL."""
    return text if text.isascii() and "\0" not in text else _UNWRITABLE.sub("\ufffd", text)


def plain_url(url: str) -> str:
    """Return the URL without user, query and fragment: what may be shown and kept."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    host += f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme.lower()) else ""
    return f"{parts.scheme.lower()}://{host}{parts.path}"


def redact(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return JSON without secrets: no upload address, no signing secret, no query of any URL."""
    if isinstance(value, str):
        return _URL.sub(lambda url: _unsigned(url.group()), value) if "://" in value else value
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return "[too deep]"
    if isinstance(value, list):
        return [redact(item, depth - 1) for item in value]
    redacted = {}
    for name, item in value.items():
        is_plain = "://" not in item if type(item) is str else type(item) in _ATOMS  # saves a call for most values
        redacted[name] = "[removed]" if name.lower() in _SECRET_KEYS else item if is_plain else redact(item, depth - 1)
    return redacted


def _unsigned(url: str) -> str:
    """Drop what may sign a URL or log in with it: its query and its user; a link to a page keeps its fragment."""
    try:
        parts = urlsplit(url)
        return url if not parts.query and "@" not in parts.netloc and "=" not in parts.fragment else plain_url(url)
    except ValueError:
        return "[a URL]"


def _country(digits: str) -> str:
    """Return the country code of an E.164 number with its plus."""
    length = 1 if digits[0] in "17" else 2 if _COUNTRY_2.match(digits) else 3
    return f"+{digits[:length]}"


def _masked_phone(number: str) -> str:
    """Mask a text with enough digits for a phone number; its plus may be written for a URL."""
    plain = number.replace("%2B", "+").replace("%2b", "+")
    return mask(plain) if sum(char.isdigit() for char in plain) >= 7 else number


def _is_visible(char: str) -> bool:
    """Whether a character is no control, format, surrogate or unassigned one."""
    return unicodedata.category(char)[0] != "C" or char in _JOINERS
