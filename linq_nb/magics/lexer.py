"""Splitting a magic's line into words, and filling in Python values: after the splitting, so one stays one.

Quotes work as in a shell. A backslash escapes only a space, a quote, a brace or a dollar, and nothing at all on
Windows, so that paths survive. ``{expression}`` and ``$name`` are filled in, but not inside single quotes; a word
that is nothing but one of them keeps its type. ``{{``, ``}}`` and ``$$`` are the signs themselves. What follows a
``#`` that stands alone is a comment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError

WINDOWS = os.name == "nt"

_MARK = "\0"
"""Stands before a sign that is to be taken as it is, until the values are filled in."""

_SIGNS = re.compile(
    _MARK + r"(.)"
    r"|(\{\{|\}\}|\$\$)"
    r"|\{(?!\{)((?:[^{}]|\{[^{}]*\})+)\}"
    r"|\$([A-Za-z_][A-Za-z_0-9]*)",
    re.DOTALL,
)


class Piece(NamedTuple):
    """One word as it stands in the line; ``open`` is the quote that was not closed."""

    start: int
    end: int
    text: str
    quoted: bool
    open: str

    @property
    def plain(self) -> str:
        return self.text.replace(_MARK, "")


class Word(NamedTuple):
    """One word with its value filled in; ``filled`` when it is nothing but one Python value.

    The value of ``--option=value`` is that of the part behind the sign.
    """

    text: str
    value: Any
    quoted: bool = False
    filled: bool = False


def read(line: str, scope: Mapping[str, Any], *, windows: bool = WINDOWS) -> list[Word]:
    """Split a line and fill in Python values from ``scope``; raises SettingsError for a quote left open."""
    return fill(split(line, windows=windows), scope)


def split(line: str, *, windows: bool = WINDOWS) -> list[Piece]:
    """Split a line into words; never raises, as completion reads lines that are still being written."""
    found: list[Piece] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        piece, at = _piece(line, at, windows)
        if (piece.text, piece.quoted) == ("#", False):
            break
        found.append(piece)
    return found


def fill(pieces: Iterable[Piece], scope: Mapping[str, Any]) -> list[Word]:
    """Fill in Python values; raises SettingsError for an unknown name, a failing expression, an open quote."""
    return [_word(piece, scope) for piece in pieces]


def quote(text: str) -> str:
    """Write a text so that ``read`` gives it back as one word, as it is."""
    if text and text != "#" and not text.startswith("-") and not re.search(r"""[\s"'\\{}$;]""", text):
        return text
    if not re.search(r'["\\{}$]', text):
        return f'"{text}"'
    return '"\'"'.join(f"'{part}'" for part in text.split("'"))


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the one of ``names`` that is most like ``name``, None when none is."""
    import difflib  # slow to load, and only an error needs it

    return next(iter(difflib.get_close_matches(name, list(names), 1, cutoff)), None)


def _piece(line: str, at: int, windows: bool) -> tuple[Piece, int]:
    """Read the word that starts at ``at``; returns it and where it ends."""
    start, text, opened = at, "", ""
    while at < len(line) and not line[at].isspace():
        char = line[at]
        if char in "\"'":
            inside, at, opened = _quoted(line, at, windows)
            text += inside
        elif char == "{" and (end := _brace_end(line, at)):
            text, at = text + line[at:end], end
        elif char == "\\" and not windows and (sign := line[at + 1 : at + 2]) and sign in " \t\"'{}$":
            text, at = text + _marked(sign), at + 2
        else:
            text, at = text + char, at + 1
    return Piece(start, at, text, line[start] in "\"'", opened), at


def _quoted(line: str, at: int, windows: bool) -> tuple[str, int, str]:
    """Read what is quoted from ``at`` on; returns it, where it ends, and the quote if that was left open."""
    quote, text = line[at], ""
    at += 1
    while at < len(line):
        char = line[at]
        if char == quote:
            return text, at + 1, ""
        if quote == "'":
            char = _marked(char)
        elif char == "\\" and not windows and (sign := line[at + 1 : at + 2]) and sign in '"{}$':
            at += 1
            char = _marked(sign)
        text, at = text + char, at + 1
    return text, at, quote


def _marked(char: str) -> str:
    return _MARK + char if char in "{}$" else char


def _brace_end(line: str, at: int) -> int | None:
    """Return where the ``{expression}`` at ``at`` ends, so that it may hold spaces; None when it does not."""
    depth = 0
    for index in range(at, len(line)):
        depth += {"{": 1, "}": -1}.get(line[index], 0)
        if depth == 0:
            return index + 1
    return None


def _word(piece: Piece, scope: Mapping[str, Any]) -> Word:
    if piece.open:
        raise SettingsError(f"the quote {piece.open} is not closed; nothing was sent")
    joined = None if piece.quoted else re.match(r"--[\w-]+=", piece.text)
    text = piece.text[joined.end() :] if joined else piece.text
    return Word(piece.plain, fill_in(text, scope), piece.quoted, _expression(text) is not None)


def fill_in(text: str, scope: Mapping[str, Any]) -> Any:
    """Fill in ``{expression}`` and ``$name``; a text that is nothing else keeps the value's type."""
    expression = _expression(text)
    if expression is not None:
        return _value(expression, scope)
    return _SIGNS.sub(_filler(scope), text)


def _expression(text: str) -> str | None:
    """Return the expression of a text that is nothing but one."""
    whole = _SIGNS.fullmatch(text)
    return (whole.group(3) or whole.group(4)) if whole else None


def _filler(scope: Mapping[str, Any]) -> Callable[[re.Match[str]], str]:
    def fill_one(found: re.Match[str]) -> str:
        escaped, doubled, expression, name = found.groups()
        if escaped or doubled:
            return str(escaped or doubled[0])
        return str(_value(expression or name, scope))

    return fill_one


def _value(expression: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate the user's own expression in the user's own names, as IPython itself does."""
    try:
        return eval(expression.strip(), {**scope, "__builtins__": __builtins__})
    except NameError as error:
        name = getattr(error, "name", None) or expression
        close = nearest(name, (one for one in scope if not one.startswith("_")))
        hint = f"; did you mean {close!r}?" if close else ""
        raise SettingsError(f"the name {name!r} is not defined{hint}; nothing was sent") from None
    except Exception as error:  # noqa: BLE001  whatever the user's expression raises is shown in one line
        said = f"{{{expression}}} failed: {type(error).__name__}: {error}"
        raise SettingsError(f"{said}; nothing was sent") from None
