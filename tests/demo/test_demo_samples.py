"""The sample memos that come with the package, so that the README's ten lines need no other file."""

from __future__ import annotations

import pytest

import linq_nb
from linq_nb import AudioError, VoiceMemo


@pytest.mark.parametrize("suffix", ["aac", "aiff", "amr", "caf", "m4a", "mp3", "wav"])
def test_there_is_a_sample_of_every_format(suffix: str) -> None:
    memo = VoiceMemo.from_file(linq_nb.demo.sample(f"hello.{suffix}"))
    assert memo.format == suffix
    assert memo.duration_ms == pytest.approx(5000, abs=150)


def test_there_is_a_sample_that_is_refused() -> None:
    with pytest.raises(AudioError, match="this is Ogg"):
        VoiceMemo.from_file(linq_nb.demo.sample("hello.ogg"))


@pytest.mark.parametrize("name", ["hallo.m4a", "", ".", "../facade.py", "/etc/passwd"])
def test_a_wrong_name_lists_the_samples(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no sample .*hello\.aac, .*hello\.wav"):
        linq_nb.demo.sample(name)
