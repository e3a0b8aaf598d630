"""The options of a magic, and the parser of its line. Quick to load."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError
from linq_nb.magics.lexer import Token, Word, nearest, quote


class Option(NamedTuple):
    """One option. Without ``value`` it is a flag; ``many`` may be repeated; ``number`` takes a whole number."""

    name: str
    about: str
    value: str | None = None
    many: bool = False
    number: bool = False
    choices: tuple[str, ...] = ()

    @property
    def attribute(self) -> str:
        name = self.name.removeprefix("--").replace("-", "_")
        return "from_" if name == "from" else name

    @property
    def usage(self) -> str:
        return f"{self.name} {self.value}" if self.value else self.name


class Command(NamedTuple):
    """The line that a magic takes. ``sends``: its errors say that nothing was sent."""

    name: str
    about: str
    options: tuple[Option, ...] = ()
    operand: str | None = None
    operand_about: str = ""
    operand_needed: bool = False
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sends: bool = False

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


HELP = Option("--help", "show this help, as -h does")


def asks_help(tokens: Iterable[Token]) -> bool:
    """Whether a line asks for help, wherever in the line."""
    return any(token.plain in ("-h", HELP.name) and not token.quoted for token in tokens)


def parse(command: Command, words: Sequence[Word]) -> SimpleNamespace:
    """Return the values of the options by name, and the ``operand``, a Word. Raises SettingsError."""
    values: dict[str, Any] = {"operand": None}
    values |= {option.attribute: [] if option.many else None if option.value else False for option in command.options}
    value_before = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.is_option:
            value_before = _parse_option(command, values, word, rest)
        elif command.operand and values["operand"] is None:
            values["operand"] = word
        else:
            raise wrong(command, _unexpected(command, values["operand"], word, value_before))
    if command.operand_needed and values["operand"] is None:
        raise wrong(command, f"{command.operand} is missing")
    return SimpleNamespace(**values)


def wrong(command: Command, message: str) -> SettingsError:
    """Return the error for a line that cannot be read."""
    nothing_sent = "nothing was sent; " if command.sends else ""
    return SettingsError(f"%{command.name}: {message}; {nothing_sent}%{command.name} --help shows all options")


def is_variable_name(value: object) -> bool:
    """Whether a value can be the name of a variable."""
    return isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value)


def _parse_option(command: Command, values: dict[str, Any], word: Word, rest: list[Word]) -> str:
    """Store the value of an option, from the same word or the next one. Returns the value as it was written."""
    name, equals, text = word.text.partition("=")
    option = command.option(name)
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
    if option.number and (number := _whole_number(value)) is None:
        raise wrong(command, f"{name} takes a whole number from 1 up, not {value!r}")
    _store(command, values, option, number if option.number else value)
    return text


def _store(command: Command, values: dict[str, Any], option: Option, value: Any) -> None:
    present = values[option.attribute]
    if option.many:
        present.append(value)
    elif present is None or present is False:
        values[option.attribute] = value
    else:
        raise wrong(command, f"{option.name} is given twice")


def _whole_number(value: Any) -> int | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number >= 1 and number.is_integer() else None


def _unknown(command: Command, name: str) -> str:
    names = [option.name for option in (*command.options, HELP)]
    close = nearest(name, names, 0.5)
    return f"unknown option {name}; " + (f"did you mean {close}?" if close else f"it takes {' '.join(names)}")


def _unexpected(command: Command, operand: Word | None, word: Word, value_before: str) -> str:
    """Say that a word is one too many, and guess which words belong together in quotes."""
    problem = f"unexpected {word.value if isinstance(word.value, str) else word.text!r}"
    if operand is None:
        return f"{problem}; it takes only options"
    limit = "" if value_before else f"; it takes one {command.operand}"
    return f"{problem}{limit}; quotes keep words together, as in {quote(f'{value_before or operand.text} {word.text}')}"
