"""Loudness and outline: exact for plain samples, the same with and without PyAV."""

from __future__ import annotations

import importlib
import math

import pytest
from audio_makers import TAKEN, aiff, caf, data, floats, integers, tone, wav

from linq_nb import audio
from linq_nb.audio import Levels, codec, levels, peaks
from linq_nb.audio.measuring import measure
from linq_nb.errors import AudioError

TONE = tone(loud=0.8)
levels_module = importlib.import_module("linq_nb.audio.levels")
KINDS = {
    "WAV 16": wav(integers(TONE, 2, "little")),
    "WAV 8": wav(integers(TONE, 1, "little", signed=False), bits=8),
    "WAV 24": wav(integers(TONE, 3, "little"), bits=24),
    "WAV 32": wav(integers(TONE, 4, "little"), bits=32),
    "WAV float": wav(floats(TONE, "<f"), tag=3, bits=32),
    "WAV double": wav(floats(TONE, "<d"), tag=3, bits=64),
    "AIFF 16": aiff(integers(TONE, 2, "big"), frames=8000),
    "AIFF 8": aiff(integers(TONE, 1, "big"), bits=8, frames=8000),
    "AIFF-C sowt": aiff(integers(TONE, 2, "little"), kind=b"sowt", frames=8000),
    "AIFF-C fl64": aiff(floats(TONE, ">d"), kind=b"fl64", bits=64, frames=8000),
    "CAF 16": caf(integers(TONE, 2, "big")),
    "CAF float": caf(floats(TONE, "<f"), flags=3, width=4),
}


def by_pyav(view: memoryview) -> Levels:
    """The levels as for packed sound, whatever it is."""
    return levels_module._decoded_levels(view, measure(view), 40)


@pytest.fixture
def without_av(monkeypatch):
    """As if the audio extra were not installed."""
    monkeypatch.setattr(codec, "load", lambda: None)


@pytest.mark.usefixtures("without_av")
@pytest.mark.parametrize("kind", KINDS)
def test_plain_samples_need_no_extra(kind):
    found = levels(KINDS[kind], 50)
    assert found is not None
    top = max(map(abs, TONE))
    assert found.peak == pytest.approx(top, abs=0.01)
    assert found.rms == pytest.approx(math.sqrt(sum(x * x for x in TONE) / len(TONE)), abs=0.01)
    assert found.clipped_ratio == 0
    assert len(found.peaks) == 50
    wanted = [max(map(abs, TONE[i * 160 : (i + 1) * 160])) for i in range(50)]
    assert found.peaks == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_samples_by_hand_and_by_pyav_are_the_same(kind):
    pytest.importorskip("av", reason="needs the audio extra")
    own = levels(KINDS[kind], 40)
    view = memoryview(KINDS[kind])
    theirs = by_pyav(view)
    assert own is not None
    assert theirs.peaks == pytest.approx(own.peaks, abs=0.001)
    assert (theirs.peak, theirs.rms) == pytest.approx((own.peak, own.rms), abs=0.001)


@pytest.mark.parametrize("name", [name for name in TAKEN if "law" in TAKEN[name]["codec"]])
def test_logarithmic_samples_by_hand_and_by_pyav_are_the_same(name):
    pytest.importorskip("av", reason="needs the audio extra")
    view = memoryview(data(name))
    own = levels(view, 40)
    theirs = by_pyav(view)
    assert own is not None
    assert theirs.peaks == pytest.approx(own.peaks, abs=0.001)


@pytest.mark.usefixtures("without_av")
def test_compressed_sound_without_the_extra_is_none_and_refused_files_still_say_why():
    assert levels(data("cbr.mp3")) is None
    assert peaks(data("alac.caf")) is None
    with pytest.raises(AudioError, match="Ogg/Opus"):
        levels(data("opus.ogg"))


@pytest.mark.parametrize("name", TAKEN)
def test_every_compressed_kind_has_an_outline(name):
    pytest.importorskip("av", reason="needs the audio extra")
    found = levels(data(name), 20)
    assert found is not None
    assert 0.05 < found.rms < found.peak <= 1
    assert len(found.peaks) == 20
    assert max(found.peaks) == found.peak


def test_one_recording_in_all_formats_has_one_outline():
    pytest.importorskip("av", reason="needs the audio extra")
    wanted = peaks(data("hello.wav"), 25)
    assert wanted is not None
    for name in ("hello.m4a", "hello.mp3", "hello.caf", "hello.aiff", "hello.aac", "hello.amr"):
        found = peaks(data(name), 25)
        assert found is not None
        distance = sum(abs(a - b) for a, b in zip(found, wanted, strict=True)) / 25
        assert distance < 0.12, name


def test_peaks_are_normalised_and_silence_is_zero():
    found = peaks(wav(integers([x / 10 for x in TONE], 2, "little")), 30)
    assert found is not None
    assert max(found) == 1.0
    assert peaks(wav(bytes(8000)), 10) == [0.0] * 10


def test_a_file_shorter_than_its_outline():
    found = peaks(wav(integers([0.1, -0.5, 0.25], 2, "little")), 6)
    assert found is not None
    assert found == pytest.approx([0.2, 0.2, 1, 1, 0.5, 0.5], abs=0.01)


def test_both_channels_count():
    left_silent = [x for value in TONE for x in (0.0, value)]
    found = levels(wav(integers(left_silent, 2, "little"), channels=2), 10)
    assert found is not None
    assert found.peak == pytest.approx(max(map(abs, TONE)), abs=0.001)


@pytest.mark.parametrize(
    "made",
    [
        wav(floats([3 * x for x in TONE], "<f"), tag=3, bits=32),
        wav(integers([max(-1, min(1, 3 * x)) for x in TONE], 2, "little")),
        wav(integers([max(-1, min(1, 3 * x)) for x in TONE], 1, "little", signed=False), bits=8),
    ],
)
def test_clipped_samples_are_counted(made):
    found = levels(made)
    assert found is not None
    beyond = sum(abs(3 * x) >= 1 for x in TONE) / len(TONE)
    assert found.clipped_ratio == pytest.approx(beyond, abs=0.02)
    assert found.peak > 0.99


def test_numbers_that_are_none_are_silence():
    found = levels(wav(floats([float("nan"), 0.5, float("inf"), float("-inf")], "<f"), tag=3, bits=32), 4)
    assert found is not None
    assert found.peaks == pytest.approx([0, 0.5, 1, 1], abs=0.001)


def test_an_outline_has_at_least_one_part():
    with pytest.raises(AudioError, match="at least one part"):
        levels(KINDS["WAV 16"], 0)


def test_a_long_file_is_streamed(monkeypatch):
    pytest.importorskip("av", reason="needs the audio extra")
    whole = levels(data("hello.mp3"), 10)
    monkeypatch.setattr(levels_module, "_MOST_SAMPLES", 1000)
    thinned = levels(data("hello.mp3"), 10)
    assert whole is not None
    assert thinned is not None
    assert thinned.peaks == pytest.approx(whole.peaks, abs=0.1)


def test_a_long_memo_is_decoded_once_for_card_check_and_send() -> None:
    """The last looks are kept for long memos alone: what was measured comes back as the very same record."""
    long, short = (audio.wav_from_samples([0.5, -0.5] * number, 16_000) for number in (300_000, 300))
    assert audio.levels(long) is audio.levels(long)
    assert audio.preview(long) is audio.preview(long)
    assert audio.levels(short) is not audio.levels(short)
