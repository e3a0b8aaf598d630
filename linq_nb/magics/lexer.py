"""The words of a magic's line. Python values are filled in after the split, so a value with spaces stays one word.

Quotes work as in a shell. A backslash escapes only a space, a quote, a brace or a dollar sign, and nothing on Windows,
so that paths survive. ``{expression}`` and ``$name`` become their values, but not inside single quotes; a word that is
nothing else keeps the value's type. ``{{``, ``}}`` and ``$$`` are a literal brace or dollar sign. A word ``#`` starts
a comment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError

WINDOWS = os.name == "nt"

_PART = r"""
    '(?P<single>[^']*)(?:'|(?P<open_single>\Z))
    | "(?P<double>(?:BACKSLASH["{}$]|[^"])*)(?:"|(?P<open_double>\Z))
    | (?P<expression>\{(?:[^{}]|\{[^{}]*\})*\})
    | BACKSLASH(?P<escaped>[\ \t"'{}$])
    | (?P<char>\S)
"""
"""A part of a word. On Windows, BACKSLASH matches nothing, so a backslash is an ordinary character."""

_FLAVOURS = {windows: _PART.replace("BACKSLASH", "(?!)" if windows else r"\\") for windows in (False, True)}
_PARTS = {windows: re.compile(part, re.VERBOSE) for windows, part in _FLAVOURS.items()}
_WORDS = {windows: re.compile(f"(?:{part})+", re.VERBOSE) for windows, part in _FLAVOURS.items()}

_TODO = "correct the expression, or write it in single quotes as plain text"

_LITERAL = "\0"
"""Stands before a character that is literal, until the values are filled in."""

_VALUE = re.compile(
    _LITERAL + r"(?P<literal>.)"
    r"|(?P<doubled>\{\{|\}\}|\$\$)"
    r"|\{(?!\{)(?P<expression>(?:[^{}]|\{[^{}]*\})+)\}"
    r"|\$(?P<name>[A-Za-z_][A-Za-z_0-9]*)",
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


def split(line: str, *, windows: bool = WINDOWS) -> list[Token]:
    """Split a line into words. Never raises, since Tab completion reads unfinished lines."""
    tokens: list[Token] = []
    for word in _WORDS[windows].finditer(line):
        *_, last = parts = list(_PARTS[windows].finditer(word[0]))
        text = "".join(_text(part, windows) for part in parts)
        if text == "#" and word[0].startswith("#"):
            break
        open_quote = "'" if last["open_single"] is not None else '"' if last["open_double"] is not None else ""
        tokens.append(Token(word.start(), word.end(), text, word[0][0] in "\"'", open_quote))
    return tokens


def fill(token: Token, scope: Mapping[str, Any]) -> Word:
    """Fill in Python values. Raises SettingsError for an unknown name, a failing expression or an open quote."""
    if token.open_quote:
        raise SettingsError(
            f"the quote {token.open_quote} is not closed; nothing was sent; close it, or put it inside the other kind "
            "of quotes"
        )
    option = None if token.quoted else re.match(r"--[\w-]+=", token.text)
    text = token.text[option.end() :] if option else token.text

    def value_of(match: re.Match[str]) -> Any:
        literal = match["literal"] or (match["doubled"] or "")[:1]
        return literal or _evaluate(match["expression"] or match["name"], scope)

    whole = _VALUE.fullmatch(text)
    filled = whole is not None and not (whole["literal"] or whole["doubled"])
    value = value_of(whole) if whole else _VALUE.sub(lambda match: str(value_of(match)), text)
    return Word(token.plain, value, token.quoted, filled)


def quote(text: str) -> str:
    """Write a text so that ``split`` and ``fill`` give it back as one word."""
    if text and text != "#" and not text.startswith("-") and not re.search(r"""[\s"'\\{}$;]""", text):
        return text
    if not re.search(r'["\\{}$]', text):
        return f'"{text}"'
    return '"\'"'.join(f"'{part}'" for part in text.split("'"))


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name that is most similar to ``name``, None when no name is."""
    import difflib  # slow to load, and only an error needs it

    return next(iter(difflib.get_close_matches(name, list(names), 1, cutoff)), None)


def _text(part: re.Match[str], windows: bool) -> str:
    """Return the text of a part without its quotes and escapes."""
    if part["single"] is not None:
        return _literal(part["single"])
    if part["double"] is not None:
        return part["double"] if windows else re.sub(r'\\(["{}$])', lambda escape: _literal(escape[1]), part["double"])
    return _literal(part["escaped"]) if part["escaped"] else part[0]


def _literal(text: str) -> str:
    return re.sub(r"[{}$]", lambda sign: _LITERAL + sign[0], text)


def _evaluate(expression: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate the user's own expression with the user's own names, as IPython itself does."""
    try:
        return eval(expression.strip(), {**scope, "__builtins__": __builtins__})
    except NameError as error:
        name = getattr(error, "name", None) or expression
        close = nearest(name, (name for name in scope if not name.startswith("_")))
        todo = f"did you mean {close!r}?" if close else _TODO
        raise SettingsError(f"the name {name!r} is not defined; nothing was sent; {todo}") from None
    except Exception as error:  # noqa: BLE001  any error of the user's expression is shown in one line
        message = f"{{{expression}}} failed: {type(error).__name__}: {error}"
        raise SettingsError(f"{message}; nothing was sent; {_TODO}") from None
