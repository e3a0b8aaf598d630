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
    return "".join(_unit(part) for part in _units(key)) + _no_more_accents(key[-1:])


@functools.cache
def _characters() -> Mapping[str, str]:
    """Return the characters that look like a key, by key: mostly of one character, two for a ligature; "" if unseen."""
    by_key = defaultdict(list)
    for char in map(chr, itertools.chain(*_SCANNED)):
        look = look_of(char)
        by_key[unicodedata.normalize("NFC", look.casefold().replace("`", "'"))].append(char)
    return {key: "".join(chars) for key, chars in by_key.items() if len(chars) > 1 or chars[0] != key}


def _units(key: str) -> Iterator[str]:
    """Split a key where it may be written with one character."""
    longest = max(map(len, _characters()))
    while key:
        size = next((size for size in range(min(longest, len(key)), 1, -1) if key[:size] in _characters()), 1)
        yield key[:size]
        key = key[size:]


@functools.cache
def _unit(key: str) -> str:
    """Return the pattern of a part of a key, with the unseen characters after it."""
    unseen = _class(_characters()[""])
    if key == " ":
        return f"{_class(_characters()[' '])}{_class(_characters()[' '] + _characters()[''])}*"
    if len(key) == 1:
        return f"(?:{'|'.join(_composed(key))}){unseen}*"
    splits = [
        _unit(key[:size]) + _unit(key[size:]) for size in range(1, len(key)) if size == 1 or key[:size] in _characters()
    ]
    whole = [_class(_characters()[key]) + unseen + "*"] if key in _characters() else []
    return f"(?:{'|'.join(whole + splits)})"


def _composed(char: str) -> Iterator[str]:
    """Give the patterns of a character: composed, decomposed, or in part."""
    letters = unicodedata.normalize("NFD", char)
    base, marks = letters[0], letters[1:]
    for order in dict.fromkeys(itertools.permutations(marks)):
        for size in range(len(marks) + 1):
            first, rest = unicodedata.normalize("NFC", base + "".join(order[:size])), "".join(order[size:])
            if len(first) == 1 and unicodedata.normalize("NFC", first + rest) == char:
                yield _class(_characters().get(first, "") + first) + rest


def _no_more_accents(char: str) -> str:
    """Return the pattern of what follows the last character: no accent that would make it another letter."""
    accents = [mark for mark in _accents() if len(unicodedata.normalize("NFC", char + mark)) == 1]
    return f"(?:[^{''.join(accents)}]|$)" if accents else ""


@functools.cache
def _accents() -> str:
    """Return the characters that compose with a letter before them."""
    parts = (unicodedata.decomposition(chr(code)).split() for code in itertools.chain(*_SCANNED))
    seconds = {chr(int(pair[1], 16)) for pair in parts if len(pair) == 2 and pair[0][0] != "<"}
    return "".join(sorted(seconds)) + "".join(map(chr, range(0x11A8, 0x11C3)))  # and the last letters of Korean


def _class(chars: str) -> str:
    """Return a class of characters, with ranges."""
    codes = sorted(set(map(ord, chars)))
    if len(codes) == 1:
        return re.escape(chars[0])
    ranges = []
    for _, run in itertools.groupby(enumerate(codes), lambda item: item[1] - item[0]):
        (_, first), *rest = run
        last = rest[-1][1] if rest else first
        ranges.append(_bound(first) + (f"-{_bound(last)}" if last > first else ""))
    return f"[{''.join(ranges)}]"


def _bound(code: int) -> str:
    return re.escape(chr(code)) if code != 0x20 else " "
