"""The parser of the magics: an error names the fault of a line and the most similar option."""

from __future__ import annotations

from typing import Any

import pytest

from linq_nb import SettingsError
from linq_nb.magics.commands import LinqMagics
from linq_nb.magics.commands_spec import BATCH, COMMANDS, CONNECT, ERRORS, SENDS, VOICEMEMO
from linq_nb.magics.help import Help
from linq_nb.magics.lexer import fill, split
from linq_nb.magics.options import Command, asks_help, parse


def parsed(line: str, command: Any = VOICEMEMO, **scope: Any) -> Any:
    return parse(command, [fill(token, scope) for token in split(line)])


def test_line_gives_options_and_operand() -> None:
    args = parsed('hello.m4a --chat "Ada Lovelace" --chat=Bo --copy 2 --yes --into send')
    assert args.operand.value == "hello.m4a"
    assert (args.chat, args.copy, args.yes, args.into) == (["Ada Lovelace", "Bo"], 2, True, "send")
    assert (args.quiet, args.via, args.accept) == (False, None, [])


def test_quoted_word_is_never_an_option() -> None:
    assert parsed('"--yes" --chat "--x"').operand.value == "--yes"


def test_value_may_be_of_any_type() -> None:
    chat = object()
    assert parsed("{memo} --chat {chat} --rate {rate}", memo=1, chat=chat, rate=16_000.0).chat == [chat]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "SOURCE is missing"),
        ("a.wav --chaat Ada", "unknown option --chaat; did you mean --chat?"),
        ("a.wav --zzz", "unknown option --zzz; it takes --chat --from --preview"),
        ("a.wav --yes --yes", "--yes is given twice"),
        ("a.wav --copy 2 --copy=2", "--copy is given twice"),
        ("a.wav --yes=1", "--yes takes no value"),
        ("a.wav --chat", "--chat needs a value (CHAT)"),
        ("a.wav --chat --yes", "--chat needs a value (CHAT)"),
        ("my memo.wav", "unexpected 'memo.wav'; it takes one SOURCE; quotes keep words together, as in \"my memo"),
        ("a.wav --chat Ada Lovelace", "unexpected 'Lovelace'; quotes keep words together, as in \"Ada Lovelace\""),
        ("a.wav --chat=Ada Lovelace", "unexpected 'Lovelace'; quotes keep words together, as in \"Ada Lovelace\""),
        ("a.wav -q", "unknown option -q"),
    ],
)  # fmt: skip
def test_the_error_for_a_wrong_line_names_the_fault_and_the_help(line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(line)
    message = str(caught.value)
    assert message.startswith(f"%linq_voicememo: {words}")
    assert message.endswith("; nothing was sent; %linq_voicememo --help shows all options")


@pytest.mark.parametrize(
    ("command", "line", "words"),
    [
        (BATCH, "--from df --chat Ada", "--chat: each row of the table names its chat: add a column"),
        (BATCH, "--from=df --preview", "--preview: --plan shows what would be sent"),
        (BATCH, "--from df --copy 2", "--copy: add a column"),
        (BATCH, "--from df --to Ada", "--to is an option of %linq_chats;"),
        (SENDS, "--to +12025550111", "--to is an option of %linq_chats;"),
        (VOICEMEMO, "a.wav --plan", "--plan is an option of %linq_voicememo --from;"),
        (VOICEMEMO, "a.wav --watch", "--watch is an option of %linq_status;"),
        (VOICEMEMO, "a.wav --zzz x", "unknown option --zzz; it takes"),
        (SENDS, "--colums all", "unknown option --colums; did you mean --columns?"),
    ],
)
def test_an_option_of_another_command_is_matched_with_it(command: Command, line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(line, command)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "{0}", "{1.5}", "{True}", "{None}", "''"])
def test_copy_is_a_whole_number_from_1_on(value: str) -> None:
    with pytest.raises(SettingsError, match="--copy takes a whole number from 1 up"):
        parsed(f"a.wav --copy {value}")


def test_choices_are_named() -> None:
    with pytest.raises(SettingsError, match="--handles takes masked, hashed, full, not 'maskd'"):
        parsed("--handles maskd", SENDS)


def test_the_error_of_a_magic_that_never_sends_does_not_mention_sending() -> None:
    with pytest.raises(
        SettingsError, match=r"^%linq_connect: unexpected 'demo'; it takes only options; nothing was done; %linq"
    ):
        parsed("demo", CONNECT)


@pytest.mark.parametrize("line", ["--help", "-h", "a.wav --help", "--nonsense -h", "{undefined} --help"])
def test_a_request_for_help_is_recognised_whatever_else_the_line_has(line: str) -> None:
    assert asks_help(split(line))


@pytest.mark.parametrize("line", ["", "'--help'", "a.wav --chat h"])
def test_a_line_without_the_help_option_is_no_request_for_help(line: str) -> None:
    assert not asks_help(split(line))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_help_names_every_option_and_an_example(command: Any) -> None:
    shown = Help(command, {"ask": "each"})
    for help_ in (repr(shown), shown._repr_html_()):
        assert all(f"{option.name} {option.value or ''}".strip() in help_ for option in command.options.values())
        assert {"--into", "--help"} <= set(command.options)
        assert f"%{command.name}" in help_
        assert "ask = each" in help_
        assert "Examples:" in help_


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_examples_can_be_read(command: Any) -> None:
    scope = dict.fromkeys(("memo", "chat", "samples"), "x")
    examples = command.help.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    for example in examples:
        name, _, line = example.strip().partition(" ")
        assert name == f"%{command.name}"
        parsed(line, command, **scope)


def test_every_magic_has_its_row_and_every_row_its_magic() -> None:
    assert set(LinqMagics.magics["line"]) == set(COMMANDS)
    assert set(LinqMagics.magics["cell"]) == {"linq_voicememo"}


def test_docstring_of_a_magic_is_its_help() -> None:
    assert LinqMagics.linq_errors.__doc__ == ERRORS.help
