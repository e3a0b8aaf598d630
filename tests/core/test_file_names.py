"""A file is found by a name that looks like its own, as macOS, a copy or pasted text writes it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from shared import AUDIO

from linq_nb import AudioError, Draft, VoiceMemo

SAME = [
    ("José.amr", "Jose\u0301.amr"), ("O\u2019Brien.amr", "O'Brien.amr"), ("O\u2019Brien.amr", "O`Brien.amr"),
    ("a \u2013 b.amr", "a - b.amr"), ("at 10.03\u202fAM.amr", "at 10.03 AM.amr"), ("two  spaces.amr", "two spaces.amr"),
    ("Love \u2764\ufe0f.amr", "Love \u2764.amr"), ("\u1112\u1161\u11ab.amr", "\ud55c.amr"),
    ("Zo\u00eb\u2026.amr", "Zoe\u0308....amr"),
    ("\u201cquoted\u201d.amr", '"quoted".amr'), ("hello.amr", "\ufeffhello.amr"), ("hello.amr", "hello.amr\u200b "),
    ("\uff76\uff9e.amr", "\u30ac.amr"), ("o\ufb03ce.amr", "office.amr"), ("\u212bsa.amr", "A\u030asa.amr"),
    ("soft\u00adhyphen.amr", "softhyphen.amr"), ("nb\u00a0space.amr", "nb space.amr"),
    ("\u202ahello\u202c.amr", "hello.amr"),
    ("Müller/José.amr", "Mu\u0308ller/Jose\u0301.amr"), ("../up/é.amr", "../up/e\u0301.amr"),
]  # fmt: skip
BOTH_WAYS = [*SAME, *((b, a) for a, b in SAME if "\ufeff" not in b and not b.endswith(" "))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def put(name: str) -> Path:
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    shutil.copy(AUDIO / "hello.amr", file)
    return file


@pytest.mark.parametrize(("name", "spelling"), BOTH_WAYS, ids=ascii)
def test_a_file_is_found_as_its_name_looks(folder: Path, name: str, spelling: str) -> None:
    file = put(name)
    for memo in (VoiceMemo.from_file(spelling), VoiceMemo.from_file(folder / spelling), VoiceMemo.load(spelling)):
        assert memo.path is not None
        assert os.path.samefile(memo.path, file)
        assert memo.filename == file.name
        memo.unchanged()
    (draft,) = pd.DataFrame({"chat": ["Ada"], "audio": [spelling]}).linq.drafts(folder=folder)
    assert isinstance(draft, Draft)
    with pytest.raises(AudioError, match="there is no file"):
        VoiceMemo.from_file(f"x{spelling}")


def test_an_exact_name_comes_first_and_several_similar_names_match_no_file(folder: Path) -> None:
    put("José.amr"), put("Jose\u0301.amr")
    for name in ("José.amr", "Jose\u0301.amr"):
        memo = VoiceMemo.from_file(name)
        assert memo.path is not None
        assert memo.path.name == name
    with pytest.raises(AudioError) as caught:
        VoiceMemo.from_file("Jos\u200bé.amr")
    message = str(caught.value)
    assert message.startswith("2 files are called 'Jos\\u200bé.amr' (")
    assert "its character 4 is U+00E9 (LATIN SMALL LETTER E WITH ACUTE), not U+200B (ZERO WIDTH SPACE)" in message
    assert message.endswith("nothing was sent; rename one")


@pytest.mark.parametrize("spelling", ["Jose.amr", "JOSÉ.AMR", "\u0410da.amr", "José", "x/José.amr", "a\0b", "n" * 300])
def test_a_name_that_looks_different_does_not_match(folder: Path, spelling: str) -> None:
    put("José.amr"), put("Ada.amr")
    with pytest.raises(AudioError, match=r"nothing was sent"):
        VoiceMemo.from_file(spelling)


@pytest.mark.parametrize("text", ["\ufeffhttps://x.example/a.m4a", " https://x.example/a.m4a\u200b"])
def test_a_url_and_an_attachment_are_recognised_despite_invisible_characters(text: str) -> None:
    assert VoiceMemo.load(text).url == "https://x.example/a.m4a"
    identity = "69a37c7d-af4f-4b5e-af42-e28e98ce1234"
    assert VoiceMemo.load(f"\ufeff{identity}\u00a0").attachment_id == identity
