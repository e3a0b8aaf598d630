"""The command lines of the magics: what one takes, and one parser for all. Pure, and quick to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from linq_nb.errors import SettingsError
from linq_nb.magics.lexer import Piece, Word, nearest, quote


class Option(NamedTuple):
    """One option: a flag without ``value``; ``many`` may be given several times; ``number`` must be whole."""

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
    """What a magic takes; ``sends`` when its errors say that nothing was sent."""

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
        return next((one for one in self.options if name == one.name), None)


HELP = Option("--help", "show this, as -h does")


def asks_help(pieces: Iterable[Piece]) -> bool:
    """Whether a line asks for help, whatever else stands in it."""
    return any(one.plain in ("-h", HELP.name) and not one.quoted for one in pieces)


def parse(command: Command, words: Sequence[Word]) -> SimpleNamespace:
    """Return the options of a line and its ``operand``, a Word; raises SettingsError that says what is wrong."""
    found = _empty(command)
    operands: list[tuple[Word, str]] = []
    before = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if _is_operand(word):
            operands.append((word, before))
        else:
            before = _take(command, found, word, rest)
    found["operand"] = _operand(command, operands)
    return SimpleNamespace(**found)


def _empty(command: Command) -> dict[str, Any]:
    return {one.attribute: [] if one.many else None if one.value else False for one in command.options}


def _is_operand(word: Word) -> bool:
    return word.quoted or not word.text.startswith("-") or word.text == "-"


def _take(command: Command, found: dict[str, Any], word: Word, rest: list[Word]) -> str:
    """Take an option with its value, from the same word or the next; returns the value as it was written."""
    name, joined, _ = word.text.partition("=")
    option = command.option(name) or _unknown(command, name)
    if option.value is None:
        if joined:
            raise wrong(command, f"{name} takes no value")
        _set(command, found, option, True)
        return ""
    if joined:
        _set(command, found, option, word.value)
        return word.text.partition("=")[2]
    if not rest or (rest[0].text.startswith("--") and not rest[0].quoted):
        raise wrong(command, f"{name} wants a value ({option.value})")
    given = rest.pop(0)
    _set(command, found, option, given.value)
    return given.text


def _set(command: Command, found: dict[str, Any], option: Option, value: Any) -> None:
    if option.number:
        value = _whole(command, option, value)
    if option.choices and value not in option.choices:
        raise wrong(command, f"{option.name} is one of {', '.join(option.choices)}, not {value!r}")
    if option.many:
        found[option.attribute].append(value)
    elif found[option.attribute] not in (None, False):
        raise wrong(command, f"{option.name} is given twice")
    else:
        found[option.attribute] = value


def _whole(command: Command, option: Option, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1 or isinstance(value, bool) or (not isinstance(value, str) and number != value):
        raise wrong(command, f"{option.name} wants a whole number from 1 on, not {value!r}")
    return number


def _operand(command: Command, operands: list[tuple[Word, str]]) -> Word | None:
    if command.operand is None and operands:
        raise wrong(command, f"{_said(operands[0][0])} is too much: it takes options only")
    if len(operands) > 1:
        raise wrong(command, f"{_said(operands[1][0])} is too much: {_meant(command, operands)}")
    if not operands and command.operand_needed:
        raise wrong(command, f"{command.operand} is missing")
    return operands[0][0] if operands else None


def _meant(command: Command, operands: list[tuple[Word, str]]) -> str:
    """Guess which words belonged together: the value of an option and what came behind it, else the operands."""
    (first, _), (second, value) = operands[:2]
    if value:
        return f"quotes keep words together, as in {quote(f'{value} {second.text}')}"
    return f"it takes one {command.operand}; quotes keep words together, as in {quote(f'{first.text} {second.text}')}"


def _said(word: Word) -> str:
    return repr(word.value if isinstance(word.value, str) else word.text)


def _unknown(command: Command, name: str) -> Option:
    names = [one.name for one in (*command.options, HELP)]
    close = nearest(name, names, 0.5)
    hint = f"did you mean {close}?" if close else f"it takes {' '.join(names)}"
    raise wrong(command, f"there is no option {name}; {hint}")


def wrong(command: Command, words: str) -> SettingsError:
    """Return the error for a line that cannot be read."""
    tail = "nothing was sent; " if command.sends else ""
    return SettingsError(f"%{command.name}: {words}; {tail}%{command.name} --help shows all")
