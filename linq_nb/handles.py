"""Phone numbers as people write them, read as E.164: the one spelling by which Linq and the journal know a handle."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from linq_nb.errors import SettingsError, without_outcome
from linq_nb.storable import is_missing

_SCIENTIFIC = re.compile(r"\+?\d([.,]\d+)? ?e ?\+?\d+", re.IGNORECASE)
_WRAPPED = re.compile(
    r"""^(?:(?:tel|phone|mobile|cell|sms|imessage|callto|facetime|whatsapp|mailto)[:.]\ ?|=?["'`<“‘]*)  # before it
    (.*?)["'`>”’]*[,;]?$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What surrounds a number in exports: ``tel:``, Excel's ``="..."`` and leading quote."""

_WHOLE_FLOAT = re.compile(r"(\+?\d{7,})\.0|(\+?\d{10,})\.0+")
_FRACTION = re.compile(r"\+?\d{8,}\.\d*[1-9]\d*")
_THOUSANDS = re.compile(r"\d{1,3}(?:(?:,\d{3})+|(?:'\d{3})+)")
_WRITTEN = re.compile(r"\+? ?[\d(][\d ().\-/]*")
_MOST_DIGITS = 15
"""Limit of E.164 (ITU-T E.164, section 6)."""

LEAST_DIGITS = 7
"""A text with fewer digits is no phone number: the shortest international ones have seven."""

_LEAST_TYPED = 3
"""With fewer digits too many handles begin."""

_LEAST_INTERNATIONAL = 11
"""A number without plus and region counts as international from this length on; shorter ones look like local ones."""

_LEAST_SIGNIFICANT = 7
"""A float with fewer digits before its last zeros was read from a text such as 2.02556E+9, as spreadsheets show it."""

_SEPARATORS = "\u2212\u2043\u30fc\u00b7\u2219\u22c5~_[]"
_LOST = "the digits are lost"
_READ_AS_TEXT = "read the column as text"
_WITH_CODE = "write it with + and its country code"


def to_e164(value: Any, region: str | None = None) -> Any:
    """Return a phone number as E.164 (``+12025550112``), or a Series of numbers as a Series of them.

    Takes text in any usual spelling, and whole numbers, as spreadsheets make them of a column of numbers. ``region``
    (such as "US") is the country of numbers that are written without their country code. Missing values stay missing.
    In a Series (pandas, Polars, PyArrow) or in a list, what is not a phone number becomes missing too; a single value
    raises SettingsError, and the error says what is wrong with it.

    >>> linq_nb.to_e164("(202) 555-0112", region="US")
    '+12025550112'
    """
    region = _checked_region(region)
    return each(value, lambda number: _or_none(number, region), single=lambda number: _read(number, region))


def handle_key(value: Any, region: str | None = None) -> str | None:
    """Return the one spelling of a handle: E.164, or an email address in small letters; None for anything else."""
    if isinstance(value, str) and "@" in (text := _bare(value)):
        return text.casefold()
    return _or_none(value, region)


def exact_keys(text: str) -> set[str]:
    """Return the handles that a text can stand for: its key, and its digits as they are after a country code.

    The second is for numbers of ranges that the library does not know, or writes in another way.
    """
    key, plain = handle_key(text), _unwrapped(text)
    digits = "".join(filter(str.isdigit, plain)).removeprefix("00")
    is_whole = plain.startswith(("+", "00")) or len(digits) >= _LEAST_INTERNATIONAL
    is_number = _WRITTEN.fullmatch(plain) is not None and not _lost_digits(text)
    exact = "+" + digits if is_number and is_whole and digits[:1] != "0" else None
    return {handle for handle in (key, exact) if handle}


def is_start(text: str, handle: str) -> bool:
    """Whether a text is the beginning of a handle with its country code, in any usual spelling."""
    plain = _unwrapped(text)
    digits = "".join(filter(str.isdigit, plain)).removeprefix("00")
    is_number = _WRITTEN.fullmatch(plain) is not None and len(digits) >= _LEAST_TYPED
    return handle.startswith("+") and is_number and handle[1:].startswith(digits)


def refusal(text: str) -> str | None:
    """Return what is wrong with a text as a phone number, None where it is one."""
    try:
        _parsed(text, None)
    except SettingsError as error:
        return without_outcome(str(error))
    return None


def text_of(value: Any) -> str | None:
    """Return what names a recipient as text: a text, a phone number as a number, a uuid; None for anything else."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, Real | Decimal) and not is_missing(value) and abs(value) >= 10 ** (LEAST_DIGITS - 1)
    if is_number and _is_short_float(value):
        return f"{value:.5e}"  # numpy before 2.0 writes all digits, also those that were lost
    if is_number and isinstance(value, float):
        return f"{value:.1f}"
    return str(value) if is_number or isinstance(value, UUID) else None


def digit_count(text: str) -> int:
    """Count the digits of a text, in any script."""
    return sum(map(str.isdigit, unicodedata.normalize("NFKC", text)))


def described(text: str) -> str:
    """Describe a phone number that a person wrote, so that they see the fault: ``12 digits, no +, ends in 0112``."""
    plain = _unwrapped(text)
    digits = "".join(filter(str.isdigit, plain))
    if not digits:
        return "no digits"
    odd = next((char for char in plain if not _WRITTEN.fullmatch(f"1{char}") and char != "+"), "")
    letter = f", with {odd!r}" if odd else ""
    return f"{len(digits)} digits, {'a' if '+' in plain[:2] else 'no'} +, ends in {digits[-4:]}{letter}"


Read = Callable[[Any], str | None]


def each(values: Any, read: Read, single: Read | None = None) -> Any:
    """Return what ``read`` makes of each value of a Series (pandas, Polars, PyArrow) or list.

    A single value is read by ``single``, or without it by ``read``.
    """
    package = type(values).__module__.partition(".")[0]
    if package == "pandas" and hasattr(values, "map"):
        return values.map(read).astype("string")
    if package == "polars" and hasattr(values, "to_list"):
        return type(values)(values.name, [read(value) for value in values.to_list()], dtype=str)
    if package == "pyarrow" and hasattr(values, "to_pylist"):
        import pyarrow as pa  # installed, since the values are of it

        return pa.chunked_array([pa.array([read(value) for value in values.to_pylist()], pa.string())])
    if isinstance(values, list | tuple) or (package == "numpy" and getattr(values, "ndim", 0) == 1):
        return [read(value) for value in values]
    return (single or read)(values)


def is_empty(value: Any) -> bool:
    """Whether a cell of a table names nobody: it is missing, also as text, or blank."""
    return is_missing(value) or str(value).strip() in ("", "nan", "NaN", "<NA>", "NaT")


def _or_none(value: Any, region: str | None) -> str | None:
    try:
        return _read(value, region)
    except SettingsError:
        return None


def _read(value: Any, region: str | None) -> str | None:
    if is_empty(value):
        return None
    if hasattr(value, "dtype"):  # a number of numpy
        if _is_short_float(value):
            raise _refusal(_LOST)
        value = value.item()
    if isinstance(value, float | Decimal):
        is_exact = isinstance(value, Decimal) and "E" not in str(value)
        if not math.isfinite(value) or value != int(value) or (not is_exact and _has_lost(int(value))):
            raise _refusal(_LOST)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _refusal(f"a phone number is text, not a value of type {type(value).__name__}", "give it as text")
    if isinstance(value, int) and value <= 0:
        raise _refusal("a phone number is no negative number")
    return _parsed(str(value), region)


def _is_short_float(value: Any) -> bool:
    """Whether a number of numpy has too few digits for a phone number."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind == "f" and dtype.itemsize < 8


def _has_lost(number: int) -> bool:
    """Whether a float has lost digits: it is too large for them, or was written with six of them, as 2.02556E+9 is."""
    return number >= 10**_MOST_DIGITS or 0 < len(str(abs(number)).rstrip("0")) < _LEAST_SIGNIFICANT


def _lost_digits(text: str) -> bool:
    """Whether a text is a number as programs write it that has lost digits, or has some after the decimal point."""
    bare, plain = _bare(text), _unwrapped(text)
    if _SCIENTIFIC.fullmatch(bare) or _FRACTION.fullmatch(bare):
        return True
    return _WHOLE_FLOAT.fullmatch(bare) is not None and _has_lost(int(plain))


@functools.lru_cache(100_000)
def _parsed(text: str, region: str | None) -> str:
    """Return the E.164 number of a text; raises SettingsError."""
    plain = _unwrapped(text)
    if _lost_digits(text):
        raise _refusal(_LOST)
    digits = "".join(filter(str.isdigit, plain))
    if not _WRITTEN.fullmatch(plain) or not digits:
        raise _refusal(f"this is not a phone number ({described(text)})", _WITH_CODE)
    is_international = plain.startswith(("+", "00"))
    if len(digits.removeprefix("00")) > _MOST_DIGITS:
        raise _refusal(f"a phone number has {_MOST_DIGITS} digits at most (this has {described(text)})", "check it")
    if is_international:
        number = _number("+" + digits.removeprefix("00"), None, strictly=False)
    else:
        number = _number(plain, region, strictly=True) if region else None
        if number is None and len(digits) >= _LEAST_INTERNATIONAL:
            number = _number("+" + digits, None, strictly=True)
    if number is None:
        region_hint = '; linq_nb.to_e164(numbers, region="US") adds that of a country'
        hint = _WITH_CODE + ("" if region or is_international else region_hint)
        raise _refusal(f"this is not a phone number that can be called ({described(text)})", hint)
    return number


def _number(text: str, region: str | None, *, strictly: bool) -> str | None:
    """Parse a number; ``strictly`` demands that its range is in use, where a country code was only guessed."""
    import phonenumbers  # loaded when it is needed: that takes 150 ms

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    is_good = phonenumbers.is_valid_number(number) if strictly else phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if is_good else None


def _bare(text: str) -> str:
    """Return a plain text without what surrounds a number in exports, ``tel:`` and quotes alike."""
    return _WRAPPED.sub(r"\1", _WRAPPED.sub(r"\1", _plain(text)).strip()).strip()


@functools.lru_cache(100_000)
def _unwrapped(text: str) -> str:
    """Return a text without what surrounds a number in exports, the ``.0`` of a float, and separators of thousands."""
    plain = _bare(text)
    if whole := _WHOLE_FLOAT.fullmatch(plain):
        return whole[1] or whole[2]
    plain = re.sub("[,']", "", plain) if _THOUSANDS.fullmatch(plain) else plain
    return re.sub(r"^\( ?(\+|00) ?(\d+) ?\)", r"\1\2 ", plain)  # (+1) 202


def _plain(text: str) -> str:
    """Return a text with ordinary digits, hyphens and spaces, and without characters that cannot be seen."""
    chars = []
    for char in unicodedata.normalize("NFKC", unquote(text)):
        category = unicodedata.category(char)
        if category == "Nd":
            chars.append(str(unicodedata.digit(char)))
        elif category == "Pd" or char in _SEPARATORS:
            chars.append("-")
        elif category.startswith("Z") or char.isspace():
            chars.append(" ")
        elif category not in ("Cf", "Cc", "Mn", "Me", "So"):
            chars.append(char)
    return "".join(chars).strip()


def _checked_region(region: str | None) -> str | None:
    if region is None:
        return None
    import phonenumbers

    if not isinstance(region, str) or region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(
            f"region is the code of a country such as US or DE, not {region!r}; nothing was sent; give such a code"
        )
    return region.upper()


def _refusal(reason: str, todo: str = _READ_AS_TEXT) -> SettingsError:
    return SettingsError(f"{reason}; nothing was sent; {todo}")
