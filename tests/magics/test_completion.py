"""Tab completion as the front ends ask for it: the word, and the range that it replaces."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter, rectify_completions

from linq_nb import Outbox, VoiceMemo, connect
from linq_nb.demo import Demo
from linq_nb.magics.completion import complete
from linq_nb.model import is_uuid

CURSOR = "|"


def completed(shell: Any, cell: str) -> dict[str, str]:
    """Return the cell as it would read after each completion, with the type that is shown beside it."""
    at = cell.index(CURSOR)
    code = cell.replace(CURSOR, "")
    with provisionalcompleter():
        offers = list(rectify_completions(code, shell.ip.Completer.completions(code, at)))
    return {code[: offer.start] + offer.text + code[offer.end :]: offer.type for offer in offers}


@pytest.fixture
def audio(shell: Any, folder: Path) -> Path:
    """Audio files and others, in folders with and without spaces."""
    for name in (
        "new calls/one.m4a",
        "calls/two.mp3",
        "it's {odd}.wav",
        "Jose\u0301.wav",
        "O\u2019Brien.wav",
        "notes.txt",
        ".hidden.wav",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy("hello.wav", name)
    shell["memo"] = VoiceMemo.from_file("hello.wav")
    return folder


def test_only_unused_options_are_offered(shell: Any) -> None:
    assert completed(shell, "%linq_voicememo a.wav --c|") == {
        "%linq_voicememo a.wav --chat": "option",
        "%linq_voicememo a.wav --copy": "option",
        "%linq_voicememo a.wav --convert": "option",
    }
    again = completed(shell, "%linq_voicememo a.wav --chat x --copy=2 --c|")
    assert [line.split()[-1] for line in again] == ["--chat", "--convert"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%linq_connect |", ["--demo", "--fresh", "--profile"]),
        ("%linq_connect --de|", ["--demo"]),
        ("%linq_voicememo a.wav |", ["--chat", "--from", "--preview"]),
        ("%linq_chats --handles |", ["masked", "hashed", "full"]),
        ("%linq_chats --handles=ha|", ["--handles=hashed"]),
        ("%linq_voicememo a.wav --accept |", ["chat_critical", "too_large", "url_may_repeat"]),
        ("%linq_sends --status un|", ["unknown"]),
        ("%linq_status --status nee|", ["needs_me"]),
        ("%linq_sends --since 7|", ["7d"]),
        ("%linq_audit --since 7|", ["7d"]),
        ("%linq_audit --tz America/New_|", ["America/New_York"]),
        ("%linq_audit --x|", ["--xlsx"]),
        ("%linq_errors 200|", ["2001", "2002"]),
        ("x = %linq_connect --de|", ["--demo"]),
        ("for _ in ():\n    %linq_connect --de|", ["--demo"]),
        ("%linq_connect --fr| --demo", ["--fresh"]),
    ],
)
def test_words_are_offered_where_they_fit(shell: Any, cell: str, words: list[str]) -> None:
    head, tail = cell.split(CURSOR)
    start = head[: len(head) - len(head.split(" ")[-1])]
    assert list(completed(shell, cell))[: len(words)] == [start + word + tail for word in words]


def test_other_lines_are_left_to_ipython(shell: Any) -> None:
    shell["linq_number"] = 1
    assert "linq_number" in completed(shell, "linq_num|")
    assert not any("--demo" in line for line in completed(shell, "%timeit |"))
    assert complete("linq_connect --de", {}) == ("", [])
    assert complete("%linq_nothing --de", {}) == ("", [])


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("he|", ["hello.wav"]),
        ("./he|", ["./hello.wav"]),
        ("my|", ['"my memo.wav"']),
        ('"my|', ['"my memo.wav"']),
        ('"my|"', ['"my memo.wav"']),
        ("'my m|", ['"my memo.wav"']),
        ('"he|', ['"hello.wav"']),
        (r"my\ m|", ['"my memo.wav"']),
        ("it|", ["'it'\"'\"'s {odd}.wav'"]),
        ("ca|", ["calls/"]),
        ("calls/|", ["calls/two.mp3"]),
        ("ne|", ['"new calls/']),
        ('"new calls/|', ['"new calls/one.m4a"']),
        ("me|", ["memo"]),
        (".|", [".hidden.wav"]),
        ("José|", ["Jose\u0301.wav"]),
        ("Jos|", ["Jose\u0301.wav"]),
        ("Jose|", ["Jose\u0301.wav"]),
        ("O'|", ["O\u2019Brien.wav"]),
        ("\"O'|", ['"O\u2019Brien.wav"']),
    ],
)
def test_audio_files_folders_and_memos_are_offered(shell: Any, audio: Path, typed: str, read: list[str]) -> None:
    cells = completed(shell, f"%linq_voicememo {typed} --preview")
    assert list(cells) == [f"%linq_voicememo {source} --preview" for source in read]


def test_offered_file_can_be_read(shell: Any, audio: Path) -> None:
    for cell in completed(shell, "%linq_voicememo |"):
        if not cell.endswith("/"):
            assert isinstance(shell.run(f"{cell} --preview"), VoiceMemo)


def test_files_below_home_keep_the_tilde(shell: Any, audio: Path) -> None:
    assert list(completed(shell, "%linq_voicememo ~/wo|")) == ["%linq_voicememo ~/work/"]


def test_chats_with_a_name_of_their_own_are_offered_before_ids() -> None:
    outbox = connect(demo=True, fresh=True)
    offers = complete('%linq_voicememo x --chat "', {"outbox": outbox})[1]
    are_ids = [is_uuid(offer.text) for offer in offers]
    assert any(are_ids)
    assert are_ids == sorted(are_ids)


def test_type_of_each_offer_is_shown(shell: Any, audio: Path) -> None:
    assert set(completed(shell, "%linq_voicememo |").values()) == {"audio", "folder", "VoiceMemo"}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("--chat gra|", ['--chat "Grace Hopper"']),
        ('--chat "Gra|', ['--chat "Grace Hopper"']),
        ('--chat "Grace H|', ['--chat "Grace Hopper"']),
        ('--chat "Grace H|"', ['--chat "Grace Hopper"']),
        ("--chat hopper|", ['--chat "Grace Hopper"']),
        ("--chat=gra|", ['--chat="Grace Hopper"']),
        ('--chat="Gra|', ['--chat="Grace Hopper"']),
        ("--chat Ada --chat gra|", ['--chat Ada --chat "Grace Hopper"']),
        ("--chat 12025550112|", ['--chat "Grace Hopper"']),
        ('--chat "+1 (202) 555-0112|"', ['--chat "Grace Hopper"']),
        ("--chat 0012025550112|", ['--chat "Grace Hopper"']),
        ("--chat ＋１２０２５５５０１１２|", ['--chat "Grace Hopper"']),
        ("--chat 2025550112|", []),
        ("--chat Grác|", ['--chat "Grace Hopper"']),
    ],
)
def test_chats_are_offered_by_name(shell: Any, demo: Demo, typed: str, read: list[str]) -> None:
    cells = completed(shell, f"%linq_voicememo hello.wav {typed}")
    assert list(cells) == [f"%linq_voicememo hello.wav {options}" for options in read]


def test_chat_is_offered_by_the_start_of_its_id(shell: Any, demo: Demo) -> None:
    ada = demo.chat_ids["Ada Lovelace"]
    assert completed(shell, f"%linq_sends --chat {ada[:8]}|") == {f"%linq_sends --chat {ada}": "chat Ada Lovelace"}


def test_chat_whose_name_is_a_number_is_offered_by_id(shell: Any, demo: Demo) -> None:
    chat_id = demo.chat_ids["+12025550133"]
    assert completed(shell, "%linq_sends --chat +1|") == {f"%linq_sends --chat {chat_id}": "chat +1•••••0133"}


def test_offered_chat_can_be_read(shell: Any, demo: Demo) -> None:
    cells = completed(shell, "%linq_sends --chat |")
    assert len(cells) == 25
    for cell in cells:
        assert len(shell.run(cell)) == 0


def test_live_completion_never_calls_the_network(shell: Any, live: Demo) -> None:
    completed(shell, "%linq_voicememo a.wav --chat |")
    assert live.requests == []
    shell["outbox"].chats()
    before = len(live.requests)
    assert '%linq_voicememo a.wav --chat "Ada Lovelace"' in completed(shell, "%linq_voicememo a.wav --chat |")
    assert len(live.requests) == before


def test_outboxes_are_offered(shell: Any, demo: Demo) -> None:
    assert isinstance(shell["outbox"], Outbox)
    assert completed(shell, "%linq_sends --via |") == {"%linq_sends --via outbox": "Outbox"}
