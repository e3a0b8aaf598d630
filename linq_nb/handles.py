"""Phone numbers as people write them, read as E.164: the one spelling by which Linq and the journal know a handle."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from linq_nb.errors import SettingsError

_SCIENTIFIC = re.compile(r"\d([.,]\d+)?e\+?\d+", re.IGNORECASE)
_WRAPPED = re.compile(r"""^(?:tel:|=?["'`]?)(.*?)["']?(?:\.0+)?["']?$""", re.IGNORECASE)
"""What surrounds a number in exports: ``tel:``, Excel's ``="..."`` and leading quote, the ``.0`` of a float."""

_WRITTEN = re.compile(r"\+?[\d ().\-/]+")
_MOST_DIGITS = 15
"""Limit of E.164 (ITU-T E.164, section 6)."""

_LEAST_INTERNATIONAL = 11
"""A number without plus and region counts as international from this length on; shorter ones look like local ones."""


def to_e164(value: Any, region: str | None = None) -> Any:
    """Return a phone number as E.164 (``+12025550112``), or a Series of numbers as a Series of them.

    Takes text in any usual spelling, and whole numbers, as spreadsheets make them of a column of numbers. ``region``
    (such as "US") is the country of numbers that are written without their country code. Missing values stay missing.
    In a pandas or Polars Series, or in a list, what is not a phone number becomes missing too; a single value raises
    SettingsError, and the error says what is wrong with it.
    """
    region = _checked_region(region)
    return each(value, lambda number: _or_none(number, region)) if _is_many(value) else _read(value, region)


def each(values: Any, read: Callable[[Any], str | None]) -> Any:
    """Return what ``read`` makes of each value of a pandas or Polars Series or of a list, or of a single value."""
    if not _is_many(values):
        return read(values)
    if isinstance(values, list | tuple):
        return [read(value) for value in values]
    if _package(values) == "pandas":
        return values.map(read).astype("string")
    return type(values)(values.name, [read(value) for value in values.to_list()], dtype=str)


def _is_many(values: Any) -> bool:
    method = {"pandas": "map", "polars": "to_list"}.get(_package(values), "")
    return isinstance(values, list | tuple) or bool(method and hasattr(values, method))


def _package(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, NaN, pandas' missing values or blank text."""
    return value is None or str(value).strip() in ("", "nan", "<NA>", "NaT")


def _or_none(value: Any, region: str | None) -> str | None:
    try:
        return _read(value, region)
    except SettingsError:
        return None


def _read(value: Any, region: str | None) -> str | None:
    if is_missing(value):
        return None
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer() or abs(value) >= 10**_MOST_DIGITS:
            raise _refusal("this number has lost digits; read the column as text")
        value = int(value)
    if hasattr(value, "dtype"):  # a number of numpy
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _refusal(f"a phone number is text, not a value of type {type(value).__name__}")
    return _parsed(str(value), region)


@functools.lru_cache(100_000)
def _parsed(text: str, region: str | None) -> str:
    """Return the E.164 number of a text; raises SettingsError."""
    plain = _WRAPPED.sub(r"\1", _plain(text))
    if _SCIENTIFIC.fullmatch(plain):
        raise _refusal("the digits are lost, since it is written as 2.0E+9; read the column as text")
    digits = "".join(char for char in plain if char.isdigit())
    described = f"{len(digits)} digits, {'a' if plain.startswith('+') else 'no'} +, ends in {digits[-4:]}"
    if not _WRITTEN.fullmatch(plain) or not digits:
        raise _refusal(f"this is not a phone number ({described if digits else 'no digits'})")
    is_international = plain.startswith(("+", "00"))
    if len(digits.removeprefix("00")) > _MOST_DIGITS:
        raise _refusal(f"a phone number has {_MOST_DIGITS} digits at most; this has more ({described})")
    if is_international:
        number = _number("+" + plain.removeprefix("+").removeprefix("00"), None, strictly=False)
    else:
        number = _number(plain, region, strictly=True) if region else None
        if number is None and len(digits) >= _LEAST_INTERNATIONAL:
            number = _number("+" + digits, None, strictly=True)
    if number is None:
        hint = "write it with + and its country code" + ("" if region or is_international else ', or give region="US"')
        raise _refusal(f"this is not a phone number that can be called ({described}); {hint}")
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


def _plain(text: str) -> str:
    """Return a text with ordinary digits, hyphens and spaces, and without characters that cannot be seen."""
    chars = []
    for char in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(char)
        if category == "Nd":
            chars.append(str(unicodedata.digit(char)))
        elif category == "Pd" or char == "\u2212":
            chars.append("-")
        elif category.startswith("Z") or char.isspace():
            chars.append(" ")
        elif category not in ("Cf", "Cc"):
            chars.append(char)
    return "".join(chars).strip()


def _checked_region(region: str | None) -> str | None:
    if region is None:
        return None
    import phonenumbers

    if not isinstance(region, str) or region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(f"region is the code of a country such as US or DE, not {region!r}; nothing was sent")
    return region.upper()


def _refusal(reason: str) -> SettingsError:
    return SettingsError(f"{reason}; nothing was sent")
