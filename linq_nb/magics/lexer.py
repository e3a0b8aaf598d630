"""The words of a magic's line. Python values are filled in after the split, so a value with spaces stays one word.

Quotes work as in a shell. A backslash escapes only a space, a quote, a brace or a dollar sign, and nothing on Windows,
so that paths survive. ``{expression}`` and ``$name`` become their values, but not inside single quotes; a word that is
nothing else keeps the value's type. ``{{``, ``}}`` and ``$$`` are a literal brace or dollar sign. A word ``#`` starts
a comment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError

WINDOWS = os.name == "nt"

_LITERAL = "\0"
"""Stands before a character that is literal, until the values are filled in."""

_VALUES = re.compile(
    _LITERAL + r"(.)"
    r"|(\{\{|\}\}|\$\$)"
    r"|\{(?!\{)((?:[^{}]|\{[^{}]*\})+)\}"
    r"|\$([A-Za-z_][A-Za-z_0-9]*)",
    re.DOTALL,
)


class Token(NamedTuple):
    """One word as it stands in the line. ``open_quote`` is its quote if that is not closed."""

    start: int
    end: int
    text: str
    quoted: bool
    open_quote: str

    @property
    def plain(self) -> str:
        return self.text.replace(_LITERAL, "")


class Word(NamedTuple):
    """One word with its value. ``filled``: the word is nothing but one Python value.

    Of ``--option=value``, ``value`` is the part after the equals sign.
    """

    text: str
    value: Any
    quoted: bool = False
    filled: bool = False

    @property
    def is_option(self) -> bool:
        return not self.quoted and self.text.startswith("-") and self.text != "-"


def read(line: str, scope: Mapping[str, Any], *, windows: bool = WINDOWS) -> list[Word]:
    """Split a line and fill in Python values from ``scope``. Raises SettingsError as ``fill`` does."""
    return fill(split(line, windows=windows), scope)


def split(line: str, *, windows: bool = WINDOWS) -> list[Token]:
    """Split a line into words. Never raises, since Tab completion reads unfinished lines."""
    tokens: list[Token] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        token = _token(line, position, windows)
        if (token.text, token.quoted) == ("#", False):
            break
        tokens.append(token)
        position = token.end
    return tokens


def fill(tokens: Iterable[Token], scope: Mapping[str, Any]) -> list[Word]:
    """Fill in Python values. Raises SettingsError for an unknown name, a failing expression or an open quote."""
    return [_word(token, scope) for token in tokens]


def quote(text: str) -> str:
    """Write a text so that ``read`` gives it back as one word."""
    if text and text != "#" and not text.startswith("-") and not re.search(r"""[\s"'\\{}$;]""", text):
        return text
    if not re.search(r'["\\{}$]', text):
        return f'"{text}"'
    return '"\'"'.join(f"'{part}'" for part in text.split("'"))


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name that is most similar to ``name``, None when no name is."""
    import difflib  # slow to load, and only an error needs it

    return next(iter(difflib.get_close_matches(name, list(names), 1, cutoff)), None)


def _token(line: str, start: int, windows: bool) -> Token:
    """Read the word that starts here."""
    position, text, open_quote = start, "", ""
    while position < len(line) and not line[position].isspace():
        char = line[position]
        if char in "\"'":
            inside, position, open_quote = _quoted(line, position, windows)
            text += inside
        elif char == "{" and (end := _end_of_expression(line, position)):
            text, position = text + line[position:end], end
        elif escaped := _escaped(line, position, " \t\"'{}$", windows):
            text, position = text + _literal(escaped), position + 2
        else:
            text, position = text + char, position + 1
    return Token(start, position, text, line[start] in "\"'", open_quote)


def _quoted(line: str, position: int, windows: bool) -> tuple[str, int, str]:
    """Read what is in quotes. Returns it, the position after it, and the quote if that is not closed."""
    quote, text = line[position], ""
    position += 1
    while position < len(line):
        char = line[position]
        if char == quote:
            return text, position + 1, ""
        if quote == "'":
            char = _literal(char)
        elif escaped := _escaped(line, position, '"{}$', windows):
            char = _literal(escaped)
            position += 1
        text, position = text + char, position + 1
    return text, position, quote


def _escaped(line: str, position: int, characters: str, windows: bool) -> str:
    """Return the character that a backslash here escapes, if it is one of ``characters``."""
    escaped = line[position + 1 : position + 2] if line[position] == "\\" and not windows else ""
    return escaped if escaped in characters else ""


def _literal(char: str) -> str:
    return _LITERAL + char if char in "{}$" else char


def _end_of_expression(line: str, start: int) -> int | None:
    """Return where the ``{expression}`` that starts here ends, None when it does not. It may hold spaces."""
    depth = 0
    for position in range(start, len(line)):
        depth += {"{": 1, "}": -1}.get(line[position], 0)
        if depth == 0:
            return position + 1
    return None


def _word(token: Token, scope: Mapping[str, Any]) -> Word:
    if token.open_quote:
        raise SettingsError(f"the quote {token.open_quote} is not closed; nothing was sent")
    option = None if token.quoted else re.match(r"--[\w-]+=", token.text)
    text = token.text[option.end() :] if option else token.text
    expression = _expression(text)
    value = _VALUES.sub(_filler(scope), text) if expression is None else _evaluate(expression, scope)
    return Word(token.plain, value, token.quoted, expression is not None)


def _expression(text: str) -> str | None:
    """Return the expression of a text that is nothing but one."""
    match = _VALUES.fullmatch(text)
    return (match.group(3) or match.group(4)) if match else None


def _filler(scope: Mapping[str, Any]) -> Callable[[re.Match[str]], str]:
    def text_of(match: re.Match[str]) -> str:
        literal, doubled, expression, name = match.groups()
        if literal or doubled:
            return str(literal or doubled[0])
        return str(_evaluate(expression or name, scope))

    return text_of


def _evaluate(expression: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate the user's own expression with the user's own names, as IPython itself does."""
    try:
        return eval(expression.strip(), {**scope, "__builtins__": __builtins__})
    except NameError as error:
        name = getattr(error, "name", None) or expression
        close = nearest(name, (name for name in scope if not name.startswith("_")))
        hint = f"; did you mean {close!r}?" if close else ""
        raise SettingsError(f"the name {name!r} is not defined{hint}; nothing was sent") from None
    except Exception as error:  # noqa: BLE001  any error of the user's expression is shown in one line
        message = f"{{{expression}}} failed: {type(error).__name__}: {error}"
        raise SettingsError(f"{message}; nothing was sent") from None
