"""The players of cards: MP3 or WAV, which all front ends play; one for a sound in a cell, and a budget for all."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from shared import AUDIO, ROOT, executed

from linq_nb import AudioError, Draft, VoiceMemo, audio, views
from linq_nb.views import players

FIXTURES = ROOT / "tests" / "audio" / "data"
PLAYER = re.compile(r'<audio [^>]*src="data:([^;]+);base64,([^"]*)"')


def memos() -> dict[str, VoiceMemo]:
    """Every file of the tests that Linq takes."""
    files = [*AUDIO.glob("hello.*"), *FIXTURES.iterdir()]
    memos = {}
    for file in sorted(files):
        try:
            memos[file.name] = VoiceMemo.from_file(file)
        except AudioError:
            continue
    return memos


MEMOS = memos()


def sounds(html: str) -> list[tuple[str, bytes]]:
    return [(kind, base64.b64decode(text)) for kind, text in PLAYER.findall(html)]


def assert_plays_everywhere(sound: tuple[str, bytes]) -> None:
    kind, content = sound
    info = audio.probe(content)
    assert (info.format, kind) in {("mp3", "audio/mpeg"), ("wav", "audio/wav")}
    if info.format == "wav":
        assert info.codec in ("PCM 8-bit", "PCM 16-bit", "PCM 24-bit", "PCM float 32-bit", "mu-law", "A-law")


@pytest.mark.parametrize("name", MEMOS)
def test_each_card_plays_mp3_or_wav_and_says_which(name: str) -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    memo = MEMOS[name]
    draft = views.draft_card(Draft(memo=memo, chat="c"), None, [], mode="DEMO", line=None)
    for html in (views.mimebundle(memo)["text/html"], draft.html):
        (sound,) = sounds(html)
        assert_plays_everywhere(sound)
        is_preview = sound[1] != memo.data
        assert ("plays a preview (MP3), the memo itself is sent unchanged" in html) == is_preview
        assert is_preview or memo.format in ("mp3", "wav")


@pytest.mark.parametrize("name", MEMOS)
def test_without_the_extra_a_card_plays_mp3_or_wav_or_says_what_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    html = views.mimebundle(MEMOS[name])["text/html"]
    for sound in sounds(html):
        assert_plays_everywhere(sound)
    is_missing = "pip install linq_nb[audio] makes an MP3 of this one to hear it" in html
    assert is_missing != bool(sounds(html))


@pytest.mark.parametrize("file", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda file: file.stem)
def test_the_example_notebooks_play_everywhere(file: Path) -> None:
    for cell in nbformat.read(file, as_version=4).cells:
        for output in cell.get("outputs", []):
            for sound in sounds(output.get("data", {}).get("text/html", "")):
                assert_plays_everywhere(sound)


LOOP = """
from linq_nb import VoiceMemo, demo
memos = [VoiceMemo.from_file(demo.sample(f"hello.{kind}")) for kind in ("mp3", "wav")]
for _ in range(30):
    for memo in memos:
        display(memo)
"""


def run_cells(*cells: str) -> list[list[str]]:
    """The HTML of each cell's outputs, in a kernel of its own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    done = executed(notebook, ROOT)
    shown = [[output.get("data", {}) for output in cell.outputs] for cell in done.cells]
    return [[data["text/html"] for data in cell if "text/html" in data] for cell in shown]


def test_a_sound_has_one_player_in_a_cell() -> None:
    chats = """
%load_ext linq_nb
%linq_connect --demo --quiet
chats = ["Ada Lovelace", "Book Club", "Grace Hopper"]
for chat in chats:
    %linq_voicememo {memos[0]} --chat {chat}
"""
    loop, again, cards = run_cells(LOOP, "memos[0]", chats)
    assert [len(sounds(html)) for html in loop] == [1, 1, *[0] * 58]
    assert sum("the player of this sound is above, in this cell" in html for html in loop) == 58
    assert len(sounds(again[0])) == 1  # another cell
    assert sum(len(sounds(html)) for html in cards) == 1


def request(run: str, cell: str = "", kind: str = "execute_request") -> dict[str, Any]:
    return {"header": {"msg_type": kind, "msg_id": run}, "metadata": {"cellId": cell} if cell else {}}


def test_a_cell_that_runs_again_shows_its_players_again_and_gives_its_share_back() -> None:
    book, player = players.Players(), '<audio controls src="data:audio/wav;base64,{}"></audio>'.format
    half = player("A" * (players.MAX_NOTEBOOK_CHARS // 2))
    for run in ("1", "2", "3"):
        assert book.limited(half, request(run, "a")) == half
    assert book.limited(half, request("4", "b")) != half
    assert book.limited(half, request("5", "a")) == half


def test_a_notebook_has_a_budget_for_all_players_and_a_line_says_so() -> None:
    book = players.Players()
    html = [
        f'<audio controls src="data:audio/wav;base64,{letter * 1_300_000}"></audio>' for letter in "ABCDEFGHIJKLMNOPQ"
    ]
    shown = [book.limited(text, request(str(number))) for number, text in enumerate(html)]
    assert shown[:15] == html[:15]
    for text in shown[15:]:
        assert "<audio" not in text
        assert "no player: those of this notebook hold 20 MB already" in text
        assert "clear all outputs and restart the kernel to hear this one" in text


def test_a_widgets_callback_has_no_budget() -> None:
    book, player = players.Players(), '<audio controls src="data:audio/wav;base64,AAAA"></audio>'
    for _ in range(3):
        assert book.limited(player, request("1", kind="comm_msg")) == player
        assert book.limited(player, {}) == player
