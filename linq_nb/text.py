"""Foreign text made safe: to show (one line, visible, masked), to compare, to keep (writable)."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

ELLIPSIS = "…"
HIDDEN = "•"

MAX_REASON = 300
"""Longest text of a server's in a message, in characters."""

MAX_DEPTH = 40
"""JSON that is nested deeper than this is cut by ``redact``."""

LEAST_PHONE_NUMBER = 1_000_000_000
"""A number in JSON that may be a phone number with its country code; sizes and durations are smaller."""

_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links and other strings to a terminal
    r"|\x1b[ -/]*[0-~]"
)
_LOGIN = re.compile(r"(?i)(https?:(?:\\?/){2})[^\s/?#]*@")
_QUERY = re.compile(r"(?i)(https?:(?:\\?/){2}[^\s?#\"'<>]*)(\?[^\s#\"'<>]*)?")
_SIGNED = re.compile(
    r"(?i)(?<![a-z])((?:x-(?:amz|goog)-)?(?:signature|credential|security-token)|sig)(=|%3d)[^\s&\"'<>]+"
)
_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+'%-]*?[\w.+'-](?:[@\uff20]|%40)[^\W_][\w-]*+(?:\.[\w-]++)+")

_INVISIBLE = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_GAP = rf"[\s.()\[\]\uff08\uff09\-\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d{_INVISIBLE}]"
_PLUS = r"(?:[+\uff0b]|%2[Bb])"
_PHONE = re.compile(
    rf"{_PLUS}\d{{7,15}}(?!\d)|\d{{10,15}}(?!\d)"
    r"|(?<![\d/])(?:\d{3,4}/\d{3}[-./ ]\d{4}|0\d{2,4}/\d{5,8})(?!\d)"
    rf"|(?:{_PLUS}{_GAP}{{0,2}})?\(?\d(?:{_GAP}{{0,4}}\d){{6,}}"
)
"""Seven digits or more, of any script, written as people write phone numbers."""

_WITH_PLUS = re.compile(r"(?:\+|%2[Bb])[1-9](?:\d{6,}|\d{0,3}(?:[ ().-]{1,2}\d{1,4}){2,5})")

_YEAR_TO_DAY = r"(?:19|20)\d\d{0}(?:0[1-9]|1[0-2]){0}(?:0[1-9]|[12]\d|3[01])"
_NO_PHONE = re.compile(
    r"(https?:(?:\\?/){2}[^\s\"'<>]+"
    r"|(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z%])(?=[0-9]*[A-Fa-f])(?:[0-9A-Fa-f]{16,}|(?!\w*\d{10})[0-9A-Fa-f]{12,15})(?![0-9A-Za-z])"
    r"|(?<=trace )[\w.:=-]{16,}|(?<=sha256 )[0-9a-f]{12}(?![0-9a-f])"
    rf"|(?<![\d+]){_YEAR_TO_DAY.format('-')}(?:[T ]\d\d[:.-]\d\d(?:[:.-]\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
    rf"|(?<![\d+]){_YEAR_TO_DAY.format('')}(?:T\d{{4,6}}Z?(?!\d)|[_-]\d{{4,6}}(?!\d)|(?=\.[A-Za-z]\w{{1,3}}\b))"
    r"|(?<![\d+])\d{7,12}(?= (?:bytes|samples|s|ms|Hz)\b)"
    r"|(?<![\d.+])(?:\d{1,3}\.){3}\d{1,3}(?![\d.-]))"  # an IPv4 address
)
"""What may hold many digits and is no phone number: URLs, ids, times, sizes, addresses."""

_COUNTRY_2 = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
"""Country calling codes of two digits; 1 and 7 have one, all others three."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of ordinary writing: Persian words and joined emoji."""

_CHAT_ID = re.compile(r"\s*(?=.*[A-Fa-f])[0-9A-Fa-f]{6,}(?:-[0-9A-Fa-f]+){2,}\s*")
"""An id of a chat, also a mistyped one."""

_DIGITS_AND_BETWEEN = re.compile(r"(?s)[+(]*\d.*\d")

_SIGNS = {char: plain for plain, chars in (
    ("'", "\u00b4\u2018\u2019\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bc\u02bd\u02c8"),
    ('"', "\u201c\u201d\u201e\u201f\u2033\u2036\u02ba\u02ee"),
    ("-", "\u2212\u2043\u02d7"),
) for char in chars}  # fmt: skip
_BLANKS = "\u2800\u3164\uffa0"
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAG = re.compile("[\U000e0020-\U000e007f]")  # of the flags of countries that are part of another
_SAME_LOOK = frozenset(["<wide", "<narrow", "<compat", "<noBreak", "<initial", "<medial", "<final", "<isolated"])
_LOOKALIKES = ("0O", "0o", "1lI|")
"""Signs that look the same in many typefaces."""

_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_UNWRITABLE = re.compile("[\ud800-\udfff\0]")
_SECRET_KEYS = frozenset({"upload_url", "signing_secret", "authorization", "required_headers"})
_ATOMS = frozenset({int, float, bool, type(None)})
PORTS = {"https": 443, "http": 80}


# --- to show --------------------------------------------------------------------------------------------------


def clean(text: object, limit: int = 120) -> str:
    """Make foreign text fit to show: one line, visible, masked, at most ``limit`` characters."""
    return _cut(visible(mask_text(str(text)[: 20 * limit])), limit)


def one_line(text: object, limit: int = 120) -> str:
    """Make foreign text fit for a message that is masked when it is shown: one line, visible, unsigned, bounded."""
    return _cut(visible(unsigned(str(text)[: 20 * limit])), limit)


def whole_text(text: str) -> str:
    """Return a text without half characters, which no message to a page can hold; a question mark stands for each."""
    return text.encode("utf-8", "replace").decode()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + ELLIPSIS


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
    local, at, domain = re.sub("%40|\uff20", "@", text).rpartition("@")
    if at:
        return f"{local[:1]}{HIDDEN * 3}@{domain}"
    digits = "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())
    if len(digits) < 7:
        return f"{text[:1]}{HIDDEN * 3}"
    length = 1 if digits[0] in "17" else 2 if _COUNTRY_2.match(digits) else 3
    country = f"+{digits[:length]}" if text.startswith(("+", "\uff0b")) else ""
    return f"{country}{HIDDEN * 5}{digits[-4:]}"


def mask_text(text: str, *, local: bool = False) -> str:
    """Hide every phone number, email address, login and URL query inside a text; terminal escapes are dropped.

    Any seven digits are a phone number, but not those of ids, times, URLs and addresses; in a ``local`` text, such as
    a path, only those after a plus are.
    """
    shown = _EMAIL.sub(lambda email: mask(email[0]), unsigned(text))
    if local:
        return _WITH_PLUS.sub(lambda phone: _masked_phone(phone[0]), shown)
    if not _PHONE.search(shown):  # the common case
        return shown
    parts = _NO_PHONE.split(shown)  # what is no phone number stands at the odd places
    for at, part in enumerate(parts):
        numbers = _PHONE if at % 2 == 0 else _WITH_PLUS if "://" in part or "/\\" in part else None
        parts[at] = numbers.sub(lambda phone: _masked_phone(phone[0]), part) if numbers else part
    return "".join(parts)


def unsigned(text: str) -> str:
    """Drop the logins, queries and signatures of URLs inside a text, and terminal escapes."""
    shown = _LOGIN.sub(r"\1", _TERMINAL.sub("", text))
    shown = _QUERY.sub(lambda url: url[1] + (f"?{ELLIPSIS}" if url[2] else ""), shown)
    return _SIGNED.sub(rf"\1\2{ELLIPSIS}", shown)


def recipient(text: object, limit: int = 120) -> str:
    """Make fit to show what stands where a recipient is expected: 7 digits or more are masked, with all between them.

    A name with fewer digits and a chat's id stay.
    """
    plain = unicodedata.normalize("NFKC", str(text)[: 20 * limit])
    if "@" in plain:
        return clean(mask(plain), limit)
    if sum(map(str.isdecimal, plain)) < 7 or _CHAT_ID.fullmatch(plain):
        return clean(text, limit)
    return clean(_DIGITS_AND_BETWEEN.sub(lambda number: mask(number[0]), plain), limit)


def mask_json(value: Any) -> Any:
    """Hide the handles in a JSON value; smaller numbers stay as they are."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, list):
        return [mask_json(item) for item in value]
    if isinstance(value, dict):
        return {mask_text(name): mask_json(item) for name, item in value.items()}
    return mask(str(value)) if type(value) is int and value >= LEAST_PHONE_NUMBER else value


def short_id(identity: str | None) -> str:
    """Return the start of an id, enough to tell two ids apart by eye: ``69a3…``."""
    text = visible(identity or "?")
    return text if len(text) <= 5 else text[:4] + ELLIPSIS


def chat_labels(names: Mapping[str, str]) -> dict[str, str]:
    """Return how chats are shown, by id: the name, and the start of the id where others look the same or it has none.

    ``names`` are fit to show, by id; a chat without a name has an empty one.
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for identity, name in names.items():
        alike[name_key(name)].append(identity)
    labels = dict(names)
    for key, ids in alike.items():
        if key and len(ids) == 1:
            continue
        longest = max(map(len, ids))
        sizes = range(4, longest, 4) if longest > 8 else ()
        size = next((size for size in sizes if len({identity[:size] for identity in ids}) == len(ids)), longest)
        for identity in ids:
            start = visible(identity[:size]) + (ELLIPSIS if len(identity) > size else "")
            labels[identity] = f"{names[identity] or 'chat'} {start}"
    return labels


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


# --- to compare -----------------------------------------------------------------------------------------------


@functools.lru_cache(100_000)
def visual_key(text: str) -> str:
    """Return the spelling that texts share which look the same.

    Composed letters (NFC), straight quotes, one kind of dash, single spaces, ligatures and wide letters taken apart;
    variation selectors and characters that cannot be seen are dropped. Letters of other scripts stay what they are.
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", "".join(map(look_of, unicodedata.normalize("NFC", text))))
    return " ".join(text.replace("`", "'").split())


def name_key(text: str) -> str:
    """Return the spelling that names share which look the same, in capital or small letters."""
    return unicodedata.normalize("NFC", visual_key(text).casefold())


def search_key(text: str) -> str:
    """Return a text without accents, for a search that begins with its letters; a space at its end stays."""
    letters = unicodedata.normalize("NFD", visual_key(f"{text}.")[:-1])
    return "".join(char for char in letters if not unicodedata.combining(char))


def difference(text: str, other: str) -> str:
    """Say where ``text`` differs from ``other``, which looks the same; empty where they are equal."""
    if unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", other):
        form = "composed" if unicodedata.is_normalized("NFC", text) else "decomposed"
        return "" if text == other else f"its accents are {form} (Unicode {'NFC' if form == 'composed' else 'NFD'})"
    place = next(at for at, (a, b) in enumerate(zip(text + "\0", other + "\0", strict=False)) if a != b)
    here, there = (_char_name(some[place : place + 1]) for some in (text, other))
    return f"its character {place + 1} is {here}, not {there}"


def looks_like(text: str, other: str) -> bool:
    """Whether two texts differ only in letters that look the same in two scripts, or in 0 and O, 1, l and I."""
    key, other_key = visual_key(text), visual_key(other)
    pairs = [pair for pair in zip(key, other_key, strict=False) if pair[0] != pair[1]]
    return key != other_key and len(key) == len(other_key) and all(map(_is_alike, pairs))


def look_of(char: str) -> str:
    """Return what a character looks like."""
    category = unicodedata.category(char)
    if char in _SIGNS:
        return _SIGNS[char]
    if category == "Pd":
        return "-"
    if category[0] == "Z" or char.isspace() or char in _BLANKS:
        return " "
    if category in ("Cc", "Cf") or _UNSEEN.fullmatch(char):
        return char if _TAG.fullmatch(char) else ""
    tag = unicodedata.decomposition(char).partition(">")[0]
    return unicodedata.normalize("NFKC", char) if tag in _SAME_LOOK else char


def _is_alike(pair: tuple[str, str]) -> bool:
    if any(set(pair) <= set(chars) for chars in _LOOKALIKES):
        return True
    scripts = {unicodedata.name(char, "?").partition(" ")[0] for char in pair}
    return len(scripts) == 2 and all(map(str.isalpha, pair))


def _char_name(char: str) -> str:
    return f"U+{ord(char):04X} ({unicodedata.name(char, 'a control character')})" if char else "the end"


# --- to keep --------------------------------------------------------------------------------------------------


def writable(text: str) -> str:
    """Replace what neither UTF-8 nor every database can keep: lone surrogates and NUL."""
    return text if text.isascii() and "\0" not in text else _UNWRITABLE.sub("\ufffd", text)


def plain_url(url: str) -> str:
    """Return the URL without user, query and fragment: what may be shown and kept."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    host += f":{parts.port}" if parts.port and parts.port != PORTS.get(parts.scheme.lower()) else ""
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


def _masked_phone(number: str) -> str:
    """Mask a text with enough digits for a phone number; its plus may be written for a URL."""
    return mask(re.sub("%2[Bb]", "+", number)) if sum(map(str.isdecimal, number)) >= 7 else number


def _is_visible(char: str) -> bool:
    """Whether a character is no control, format, surrogate or unassigned one."""
    return unicodedata.category(char)[0] != "C" or char in _JOINERS
