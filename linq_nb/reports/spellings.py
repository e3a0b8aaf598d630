"""Regular expressions, for every engine, that find a text in all its spellings that look the same."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping

from linq_nb.text import look_of, name_key

ODD = r"[^ -~]|  |`"
"""A regular expression of what only odd texts have: one without it has one spelling, apart from capitals."""

_SCANNED = (range(1, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x1F200), range(0xE0100, 0xE01F0))
"""Characters that may look like others or be unseen: all but Chinese and Korean ones, most emoji and private ones."""


def pattern(text: str) -> str:
    """Return a regular expression of every text that looks like this one (``text.name_key``), in any case.

    It has no group and no look-ahead, so Python, RE2 (DuckDB, PyArrow) and Rust (Polars) read it alike.
    """
    key = name_key(text)
    marks = [mark for mark in _accents() if len(unicodedata.normalize("NFC", key[-1:] + mark)) == 1]
    no_other_letter = f"(?:[^{''.join(marks)}]|$)" if marks else ""
    return "".join(map(_spelled, _units(_decomposed(key)))) + no_other_letter


def _units(key: str) -> Iterator[str]:
    """Split a key, whose accents stand alone, where it may be written with a single character.

    Up to three accents stay with their letter: another than the first may be part of that character.
    """
    longest = max(map(len, _characters()))
    while key:
        size = next((size for size in range(min(longest, len(key)), 1, -1) if _written(key[:size])), 1)
        while size < min(len(key), 4) and unicodedata.combining(key[size]):
            size += 1
        yield key[:size]
        key = key[size:]


@functools.cache
def _spelled(unit: str) -> str:
    """Return the pattern of a unit: written with a single character, or with several in all their orders."""
    unseen = _class(_written("")) + "*"
    if unit == " ":
        return f"{_class(_written(' '))}{_class(_written(' ') + _written(''))}*"
    ways = [_class(_written(unit)) + unseen] if _written(unit) else []
    letter = "" if unicodedata.combining(unit[0]) else unit[0]
    accents = unit[len(letter) :]
    for ordered in itertools.permutations(accents) if all(map(unicodedata.combining, accents)) else [accents]:
        order = letter + "".join(ordered)
        if _decomposed(order) == unit:
            sizes = (size for size in range(1, len(unit)) if _written(order[:size]))
            ways += [_spelled(_decomposed(order[:size])) + _spelled(_decomposed(order[size:])) for size in sizes]
    return f"(?:{'|'.join(dict.fromkeys(ways))})"


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _written(unit: str) -> str:
    """Return the characters that look like a unit; none where it needs several."""
    composed = unicodedata.normalize("NFC", unit)
    return _characters().get(unit, "") + (composed if len(composed) == 1 else "")


@functools.cache
def _characters() -> Mapping[str, str]:
    """Return the characters that look like a unit, by unit: two letters for a ligature, an empty text if unseen."""
    by_unit: defaultdict[str, str] = defaultdict(str)
    for char in map(chr, itertools.chain(*_SCANNED)):
        look = look_of(char).casefold().replace("`", "'")
        by_unit[_decomposed(look)] += char
    return by_unit


@functools.cache
def _accents() -> str:
    """Return the characters that compose with a letter before them."""
    parts = (unicodedata.decomposition(chr(code)).split() for code in itertools.chain(*_SCANNED))
    seconds = {chr(int(pair[1], 16)) for pair in parts if len(pair) == 2 and pair[0][0] != "<"}
    return "".join(sorted(seconds)) + "".join(map(chr, range(0x11A8, 0x11C3)))  # and the last letters of Korean


def _class(chars: str) -> str:
    """Return a class of characters, with ranges."""
    ranges = ""
    for _, run in itertools.groupby(enumerate(sorted(set(map(ord, chars)))), lambda item: item[1] - item[0]):
        codes = [code for _, code in run]
        ranges += _bound(codes[0]) + (f"-{_bound(codes[-1])}" if len(codes) > 1 else "")
    return f"[{ranges}]"


def _bound(code: int) -> str:
    return re.escape(chr(code)) if code != 0x20 else " "
