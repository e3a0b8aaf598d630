"""The options of a magic, read from its help, and the parser of its line. Quick to load."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError
from linq_nb.magics.lexer import Token, Word, nearest, quote

_NUMBERS = ("N", "S", "HZ")
"""Values that are whole numbers."""

_OPTION = re.compile(r"^  (--[\w-]+)(?: ([\w|]+)(\.\.\.)?)?  ", re.MULTILINE)
_OPERAND = re.compile(r"^  (\[?)([A-Z]+)\]?  ", re.MULTILINE)


class Option(NamedTuple):
    """One option. Without ``value`` it is a flag; ``many`` may be repeated."""

    name: str
    value: str | None
    many: bool

    @property
    def attribute(self) -> str:
        name = self.name.removeprefix("--").replace("-", "_")
        return "from_" if name == "from" else name

    @property
    def choices(self) -> list[str]:
        return self.value.split("|") if self.value and "|" in self.value else []


class Command(NamedTuple):
    """The line that a magic takes. ``instead``: hints for options that it does not have, by their names."""

    name: str
    help: str
    options: dict[str, Option]
    operand: str | None
    operand_needed: bool
    instead: dict[str, str]


def read_help(text: str, instead: dict[str, str] | None = None) -> Command:
    """Read a command from its help, which begins with ``%name: ``.

    Two spaces begin the line of an option or of the operand: ``--flag``, ``--option VALUE``, ``--option VALUE...`` for
    one that may be repeated, ``--option a|b`` for choices; ``OPERAND`` or ``[OPERAND]`` if it may be missing.
    """
    options = {name: Option(name, value or None, bool(many)) for name, value, many in _OPTION.findall(text)}
    bracket, operand = next(iter(_OPERAND.findall(text)), ("", None))
    return Command(text[1 : text.index(":")], text, options, operand, bool(operand) and not bracket, instead or {})


def asks_help(tokens: Iterable[Token]) -> bool:
    """Whether a line asks for help, wherever in the line."""
    return any(token.plain in ("-h", "--help") and not token.quoted for token in tokens)


def parse(command: Command, words: Sequence[Word]) -> SimpleNamespace:
    """Return the values of the options by name, and the ``operand``, a Word. Raises SettingsError."""
    args = SimpleNamespace(operand=None)
    for option in command.options.values():
        setattr(args, option.attribute, [] if option.many else None if option.value else False)
    value_before = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.is_option:
            value_before = _parse_option(command, args, word, rest)
        elif command.operand and args.operand is None:
            args.operand = word
        else:
            raise wrong(command, _unexpected(command, args.operand, word, value_before))
    if command.operand_needed and args.operand is None:
        raise wrong(command, f"{command.operand} is missing")
    return args


def wrong(command: Command, message: str) -> SettingsError:
    """Return the error for a line that cannot be read."""
    outcome = "nothing was sent" if command.name == "linq_voicememo" else "nothing was done"
    return SettingsError(f"%{command.name}: {message}; {outcome}; %{command.name} --help shows all options")


def is_variable_name(value: object) -> bool:
    """Whether a value can be the name of a variable."""
    return isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value)


def _parse_option(command: Command, args: SimpleNamespace, word: Word, rest: list[Word]) -> str:
    """Store the value of an option, from the same word or the next one. Returns the value as it was written."""
    name, equals, text = word.text.partition("=")
    option = command.options.get(name)
    if option is None:
        raise wrong(command, _unknown(command, name))
    if equals and not option.value:
        raise wrong(command, f"{name} takes no value")
    if option.value and not equals:
        if not rest or (rest[0].is_option and rest[0].text.startswith("--")):
            raise wrong(command, f"{name} needs a value ({option.value})")
        word = rest.pop(0)
        text = word.text
    value = word.value if option.value else True
    if option.choices and value not in option.choices:
        raise wrong(command, f"{name} takes {', '.join(option.choices)}, not {value!r}")
    if option.value in _NUMBERS:
        value = _whole_number(value)
        if value is None:
            raise wrong(command, f"{name} takes a whole number from 1 up, not {word.value!r}")
    present = getattr(args, option.attribute)
    if option.many:
        present.append(value)
    elif present is None or present is False:
        setattr(args, option.attribute, value)
    else:
        raise wrong(command, f"{name} is given twice")
    return text


def _unknown(command: Command, name: str) -> str:
    """Return the hint for an option that the command does not have."""
    if name in command.instead:
        return command.instead[name]
    close = nearest(name, command.options, 0.5)
    hint = f"did you mean {close}?" if close else f"it takes {' '.join(command.options)}"
    return f"unknown option {name}; {hint}"


def _whole_number(value: Any) -> int | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number >= 1 and number.is_integer() else None


def _unexpected(command: Command, operand: Word | None, word: Word, value_before: str) -> str:
    """Return the message about a surplus word, with a guess which words belong together in quotes."""
    problem = f"unexpected {word.value if isinstance(word.value, str) else word.text!r}"
    if operand is None:
        return f"{problem}; it takes only options"
    limit = "" if value_before else f"; it takes one {command.operand}"
    return f"{problem}{limit}; quotes keep words together, as in {quote(f'{value_before or operand.text} {word.text}')}"
