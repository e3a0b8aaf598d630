"""Loudness and outline: exact for plain samples, the same with and without PyAV."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from audio_makers import ACCEPTED, aiff, caf, data, floats, integers, tone, wav

from linq_nb import audio
from linq_nb.audio import Levels, levels, loudness, peaks
from linq_nb.audio.measurement import measure
from linq_nb.errors import AudioError

TONE = tone(loud=0.8)
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
    """Measure any sound as if it were compressed."""
    return loudness._heard(view, replace(measure(view), pcm=None), 400).levels(40)


@pytest.mark.usefixtures("without_av")
@pytest.mark.parametrize("kind", KINDS)
def test_plain_samples_need_no_extra(kind):
    measured = levels(KINDS[kind], 50)
    assert measured is not None
    top = max(map(abs, TONE))
    assert measured.peak == pytest.approx(top, abs=0.01)
    assert measured.rms == pytest.approx(math.sqrt(sum(x * x for x in TONE) / len(TONE)), abs=0.01)
    assert measured.clipped_ratio == 0
    assert len(measured.peaks) == 50
    wanted = [max(map(abs, TONE[i * 160 : (i + 1) * 160])) for i in range(50)]
    assert measured.peaks == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_samples_by_hand_and_by_pyav_are_the_same(kind):
    pytest.importorskip("av", reason="needs the audio extra")
    own = levels(KINDS[kind], 40)
    view = memoryview(KINDS[kind])
    theirs = by_pyav(view)
    assert own is not None
    assert theirs.peaks == pytest.approx(own.peaks, abs=0.001)
    assert (theirs.peak, theirs.rms) == pytest.approx((own.peak, own.rms), abs=0.001)


@pytest.mark.parametrize("name", [name for name in ACCEPTED if "law" in ACCEPTED[name]["codec"]])
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


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_compressed_kind_has_an_outline(name):
    pytest.importorskip("av", reason="needs the audio extra")
    measured = levels(data(name), 20)
    assert measured is not None
    assert 0.05 < measured.rms < measured.peak <= 1
    assert len(measured.peaks) == 20
    assert max(measured.peaks) == measured.peak


def test_one_recording_in_all_formats_has_one_outline():
    pytest.importorskip("av", reason="needs the audio extra")
    wanted = peaks(data("hello.wav"), 25)
    assert wanted is not None
    for name in ("hello.m4a", "hello.mp3", "hello.caf", "hello.aiff", "hello.aac", "hello.amr"):
        measured = peaks(data(name), 25)
        assert measured is not None
        distance = sum(abs(a - b) for a, b in zip(measured, wanted, strict=True)) / 25
        assert distance < 0.12, name


def test_peaks_are_normalised_and_silence_is_zero():
    measured = peaks(wav(integers([x / 10 for x in TONE], 2, "little")), 30)
    assert measured is not None
    assert max(measured) == 1.0
    assert peaks(wav(bytes(8000)), 10) == [0.0] * 10


def test_a_file_shorter_than_its_outline():
    measured = peaks(wav(integers([0.1, -0.5, 0.25], 2, "little")), 6)
    assert measured is not None
    assert measured == pytest.approx([0.2, 0.2, 1, 1, 0.5, 0.5], abs=0.01)


def test_both_channels_count():
    left_silent = [x for value in TONE for x in (0.0, value)]
    measured = levels(wav(integers(left_silent, 2, "little"), channels=2), 10)
    assert measured is not None
    assert measured.peak == pytest.approx(max(map(abs, TONE)), abs=0.001)


@pytest.mark.parametrize(
    "content",
    [
        wav(floats([3 * x for x in TONE], "<f"), tag=3, bits=32),
        wav(integers([max(-1, min(1, 3 * x)) for x in TONE], 2, "little")),
        wav(integers([max(-1, min(1, 3 * x)) for x in TONE], 1, "little", signed=False), bits=8),
    ],
)
def test_clipped_samples_are_counted(content):
    measured = levels(content)
    assert measured is not None
    beyond = sum(abs(3 * x) >= 1 for x in TONE) / len(TONE)
    assert measured.clipped_ratio == pytest.approx(beyond, abs=0.02)
    assert measured.peak > 0.99


def test_nan_is_silence():
    measured = levels(wav(floats([float("nan"), 0.5, float("inf"), float("-inf")], "<f"), tag=3, bits=32), 4)
    assert measured is not None
    assert measured.peaks == pytest.approx([0, 0.5, 1, 1], abs=0.001)


def test_an_outline_has_at_least_one_part():
    with pytest.raises(AudioError, match="at least one part"):
        levels(KINDS["WAV 16"], 0)


def test_a_long_file_is_measured_at_a_lower_rate():
    pytest.importorskip("av", reason="needs the audio extra")
    short, long = data("hello.mp3"), data("hello.mp3") * 60
    assert audio.probe(long).duration_ms * 44_100 > 1000 * loudness._MOST_SAMPLES
    single, repeated = levels(short, 10), levels(long, 10)
    assert single is not None
    assert repeated is not None
    assert repeated.peaks == pytest.approx([single.peak] * 10, abs=0.01)
    assert repeated.rms == pytest.approx(single.rms, rel=0.05)


@pytest.mark.parametrize("number", [300, 300_000])
def test_a_memo_is_decoded_once_for_card_check_and_send(number: int) -> None:
    """The last results are kept by the content: the same record comes back, also for other bytes that are equal."""
    content = audio.wav_from_samples([0.5, -0.5] * number, 16_000)
    measured = loudness.listen(content, 3300)
    assert loudness.listen(bytearray(content), 3300) is measured
    assert audio.levels(content, 44) == measured.levels(44)
    if len(content) > audio.MAX_PLAYER_BYTES:
        assert audio.preview(content) is audio.preview(content)
