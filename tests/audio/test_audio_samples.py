"""Samples from memory as a WAV."""

from __future__ import annotations

from array import array

import pytest
from audio_makers import as_16_bit, tone

from linq_nb.audio import peaks, probe, wav_from_samples
from linq_nb.errors import AudioError

np = pytest.importorskip("numpy")


def written(made: bytes) -> list[int]:
    return as_16_bit(made[44:]).tolist()


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
def test_every_type_of_number(samples, expected):
    assert written(wav_from_samples(samples, 8000)) == expected


@pytest.mark.parametrize(
    "samples",
    [np.array([[0.0, 0.5], [1.0, -1.0]]), [[0.0, 0.5], [1.0, -1.0]], np.asfortranarray([[0.0, 0.5], [1.0, -1.0]])],
)
def test_two_axes_are_frames_and_channels(samples):
    made = wav_from_samples(samples, 44100)
    assert written(made) == [0, 16384, 32767, -32767]
    assert (probe(made).channels, probe(made).sample_rate) == (2, 44100)


def test_there_and_back():
    made = wav_from_samples(np.array(tone()), np.int64(8000))
    info = probe(made)
    assert (info.codec, info.duration_ms, info.channels) == ("PCM 16-bit", 1000, 1)
    assert peaks(made, 10) == pytest.approx([(i + 1) / 10 for i in range(10)], abs=0.02)
    assert made == wav_from_samples(tone(), 8000.0)


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
