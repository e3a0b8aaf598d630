"""A magic's line becomes words; a Python value stays one word and keeps its type."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_nb import SettingsError
from linq_nb.magics.lexer import WINDOWS, Word, fill, quote, split


def read(line: str, scope: dict[str, object], windows: bool = WINDOWS) -> list[Word]:
    return [fill(token, scope) for token in split(line, windows=windows)]


def texts(line: str, windows: bool = False) -> list[str]:
    return [word.value for word in read(line, {}, windows=windows)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  a   b ", ["a", "b"]),
        ('"a b" c', ["a b", "c"]),
        ("'a b'c", ["a bc"]),
        ("a''b", ["ab"]),
        ("''", [""]),
        ('"it\'s"', ["it's"]),
        (r'"say \"hi\""', ['say "hi"']),
        (r"my\ memo.m4a", ["my memo.m4a"]),
        ("--chat=Ada", ["Ada"]),
        ('--chat="Ada Lovelace"', ["Ada Lovelace"]),
        ("{{a}} $$b", ["{a}", "$b"]),
        ("'{a} $b'", ["{a} $b"]),
        (r"\{a\} \$b", ["{a}", "$b"]),
        ("$5 {", ["$5", "{"]),
        ("Zoë 中文 \N{SMILING FACE WITH OPEN MOUTH}", ["Zoë", "中文", "\N{SMILING FACE WITH OPEN MOUTH}"]),
    ],
)
def test_line_is_split_as_in_a_shell(line: str, words: list[str]) -> None:
    assert texts(line) == words


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("path", [r"C:\Users\ada\hello.m4a", r"\\server\share\new.m4a", r"..\tape\a.wav"])
def test_windows_path_survives(path: str, windows: bool) -> None:
    assert texts(f"{path} --x", windows) == [path, "--x"]
    assert texts(f'"{path}" --x', windows) == [path, "--x"]


def test_backslash_before_a_quote_is_plain_on_windows() -> None:
    assert texts('"C:\\my files\\" --x', windows=True) == ["C:\\my files\\", "--x"]


@pytest.mark.parametrize("word", ["{memo}", "$memo", '"{memo}"', "{ memo }"])
def test_value_keeps_its_type(word: str) -> None:
    memo = Path("a b.m4a")
    assert read(word, {"memo": memo})[0].value is memo


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("{folder}/x.wav", "a b/x.wav"),
        ("$folder.wav", "a b.wav"),
        ('{d["k"]}', "v"),
        ("{[n for n in names if n in chosen]}", ["b"]),
        ("{{'x': 1}['x']}", 1),
        ("--copy={n}", 2),
    ],
)
def test_expression_is_one_word(word: str, value: object) -> None:
    scope = {"folder": "a b", "d": {"k": "v"}, "names": ["a", "b"], "chosen": ["b"], "n": 2}
    if word.startswith("{{"):
        word = word.replace("{{", "{ {", 1)
    assert [part.value for part in read(word, scope)] == [value]


def test_joined_option_keeps_the_type_of_its_value() -> None:
    assert read("--copy={n}", {"n": 2})[0] == Word("--copy={n}", 2, quoted=False, filled=True)


TODO = "correct the expression, or write it in single quotes as plain text"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{nix_}", "the name 'nix_' is not defined; nothing was sent; " + TODO),
        ("{mamo}", "the name 'mamo' is not defined; nothing was sent; did you mean 'memo'?"),
        ("$mamo", "the name 'mamo' is not defined; nothing was sent; did you mean 'memo'?"),
        ("{1/0}", "{1/0} failed: ZeroDivisionError: division by zero; nothing was sent; " + TODO),
        ('"a b', 'the quote " is not closed; nothing was sent; close it, or put it inside the other kind of quotes'),
        ("it's", "the quote ' is not closed; nothing was sent; close it, or put it inside the other kind of quotes"),
    ],
)
def test_a_wrong_line_is_an_error_with_the_reason(line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(line, {"memo": 1})
    assert str(caught.value) == words


ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)


@ANY_SPEED
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))), st.booleans())
def test_quoted_words_are_read_as_they_were(words: list[str], windows: bool) -> None:
    read_back = read(" ".join(quote(word) for word in words), {}, windows=windows)
    assert [word.value for word in read_back] == words


@ANY_SPEED
@given(st.text())
def test_split_never_raises_and_keeps_the_positions(line: str) -> None:
    tokens = split(line)
    assert all(0 <= token.start < token.end <= len(line) for token in tokens)
    assert [token.start for token in tokens] == sorted({token.start for token in tokens})
