"""Samples from memory as a WAV."""

from __future__ import annotations

import re
from array import array

import pytest
from audio_makers import as_16_bit, tone

from linq_nb.audio import levels, peaks, probe, wav_from_samples
from linq_nb.errors import AudioError

np = pytest.importorskip("numpy")


def written(content: bytes) -> list[int]:
    return as_16_bit(content[44:]).tolist()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.0, 0.5, -1.0, 1.0], [0, 16384, -32767, 32767]),
        ([2.0, -2.0, float("inf"), float("-inf")], [32767, -32767, 32767, -32767]),
        (np.array([0.0, 0.5, -1.0, 9.0]), [0, 16384, -32767, 32767]),
        (np.array([0.0, 0.5, -1.0], dtype="f2"), [0, 16384, -32767]),
        (np.array([0.0, 0.5, -1.0], dtype=">f4"), [0, 16384, -32767]),
        (array("d", [0.0, 0.5, -1.0]), [0, 16384, -32767]),
        ([0, 1, -32768, 32767], [0, 1, -32768, 32767]),
        (np.array([0, 1, -32768, 32767]), [0, 1, -32768, 32767]),
        (np.array([0, -32768, 32767], dtype="i2"), [0, -32768, 32767]),
        (np.array([0, -32768, 32767], dtype=">i2"), [0, -32768, 32767]),
        (np.array([0, -128, 127], dtype="i1"), [0, -32768, 32512]),
        (np.array([128, 0, 255], dtype="u1"), [0, -32768, 32512]),
        (np.array([32768, 0, 65535], dtype="u2"), [0, -32768, 32767]),
        (np.array([0, -(2**31), 2**31 - 1], dtype="i4"), [0, -32768, 32767]),
        (np.array([2**31, 0, 2**32 - 1], dtype="u4"), [0, -32768, 32767]),
        (array("h", [0, -32768, 32767]), [0, -32768, 32767]),
        (array("B", [128, 0, 255]), [0, -32768, 32512]),
        (array("i", [0, -(2**31), 2**31 - 1]), [0, -32768, 32767]),
        (np.array([0.0, 0.25, 0.5, 0.75])[::2], [0, 16384]),
        ((0.0, 0.5), [0, 16384]),
    ],
)
def test_samples_may_be_of_every_number_type(samples, expected):
    assert written(wav_from_samples(samples, 8000)) == expected


@pytest.mark.parametrize(
    "samples",
    [np.array([[0.0, 0.5], [1.0, -1.0]]), [[0.0, 0.5], [1.0, -1.0]], np.asfortranarray([[0.0, 0.5], [1.0, -1.0]])],
)
def test_two_axes_are_frames_and_channels(samples):
    content = wav_from_samples(samples, 44100)
    assert written(content) == [0, 16384, 32767, -32767]
    assert (probe(content).channels, probe(content).sample_rate) == (2, 44100)


def test_a_wav_from_samples_is_read_back_with_the_same_length_and_outline():
    content = wav_from_samples(np.array(tone()), np.int64(8000))
    info = probe(content)
    assert (info.codec, info.duration_ms, info.channels) == ("PCM 16-bit", 1000, 1)
    assert peaks(content, 10) == pytest.approx([(i + 1) / 10 for i in range(10)], abs=0.02)
    assert content == wav_from_samples(tone(), 8000.0)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([], "no samples"),
        (np.zeros((0, 2)), "no samples"),
        (np.zeros((2, 2, 2)), "not the shape"),
        (np.zeros((2, 44100)), "transpose it"),
        (np.zeros((100, 0)), "not the shape"),
        (np.array(0.5), "not the shape"),
        ([[0.0, 1.0], [0.0]], "same number of channels"),
        ([[0.0, 1.0], 0.5], "plain numbers"),
        ([0.0, float("nan")], "NaN"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0, 100_000]), "do not fit into 16 bits"),
        ([0, 100_000], "do not fit into 16 bits"),
        (np.array([1j]), "floats or integers"),
        (np.array(["a"]), "floats or integers"),
        (np.array([True]), "floats or integers"),
        (["a", "b"], "plain numbers"),
        ([None], "plain numbers"),
        (None, "plain numbers"),
        (5, "plain numbers"),
        (b"RIFF", "numbers, not bytes"),
        ("abc", "numbers, not str"),
    ],
)
def test_values_that_are_no_samples_are_refused_with_the_reason(samples, words):
    with pytest.raises(AudioError, match=words):
        wav_from_samples(samples, 8000)


@pytest.mark.parametrize("rate", [0, -1, 1, 44100.5, "44100", None, 10_000_000, True, float("nan"), float("inf")])
def test_an_invalid_rate_is_refused_with_the_reason(rate):
    with pytest.raises(AudioError, match="sample rate"):
        wav_from_samples([0.0], rate)


INT16 = np.array([0, 12_000, -9_000, 20] * 50)
"""Speech as 16-bit whole numbers."""


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (INT16 * 0.2, "divide by 2**15"),
        ((INT16 * 0.2).astype("f4"), "divide by 2**15"),
        ((INT16 * 1.0).tolist(), "divide by 2**15"),
        (array("d", INT16 * 1.0), "divide by 2**15"),
        (INT16.reshape(-1, 2) * 1.0, "divide by 2**15"),
        (INT16 / 100, "divide by 2**7"),
        (INT16 * 256.0, "divide by 2**23"),
        (INT16 * 65_536.0, "divide by 2**31"),
        (INT16 * 1e9, "divide by 1.2e+13"),
        ((INT16 >> 8).astype("u1").astype(float), "subtract 2**7 and divide by 2**7"),
        (INT16 + 32_768.0, "subtract 2**15 and divide by 2**15"),
        (INT16.astype("i4"), "divide by 2**15"),
        (INT16.astype("i4") * 256, "divide by 2**23"),
        (array("i", INT16.tolist()), "divide by 2**15"),
        ((INT16 >> 8).astype("i2"), "divide by 2**7"),
        ((INT16 >> 8).tolist(), "divide by 2**7"),
        ((INT16 + 32_768).astype("u4"), "subtract 2**15 and divide by 2**15"),
        (INT16.astype("i8") * 256, "divide by 2**23"),
        ((INT16 / 32_768).round().astype("i2") + [1, 0, -1, 0] * 50, "floats of -1 to 1 that they were made of"),
    ],
)
def test_samples_of_another_scale_are_refused_and_the_advice_helps(samples, words):
    with pytest.raises(AudioError) as caught:
        wav_from_samples(samples, 8000)
    message = str(caught.value)
    assert words in message
    assert "nothing was sent" in message
    values = np.array(samples, dtype=float)
    if subtract := re.search(r"subtract (\S+)", message):
        values -= eval(subtract[1])
    if divide := re.search(r"divide by (\S+)", message):
        measured = levels(wav_from_samples(values / eval(divide[1]), 8000))
        assert measured is not None
        assert 0.05 < measured.peak <= 1
        assert not measured.clipped_ratio or "2**" not in words


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(100, dtype="i4"),
        np.full(100, 128, dtype="u1"),
        [0] * 100,
        np.array([1.4, -1.2, 0.3]),
        np.array([-9.5, 9.5]),
        np.array([1e-6, -1e-6]),
        np.array([2**29, -(2**29)], dtype="i4"),
        np.array([400, -400], dtype="i2"),
    ],
)
def test_silence_quiet_sound_and_a_little_overshoot_are_no_other_scale(samples):
    assert probe(wav_from_samples(samples, 8000)).format == "wav"
