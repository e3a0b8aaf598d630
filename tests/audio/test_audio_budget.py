"""Checking a memo takes seconds at most: decoding has a budget, and a finding names audio beyond it."""

from __future__ import annotations

import time

import pytest
from audio_makers import data, wav

from linq_nb import AudioError, VoiceMemo, audio, preflight
from linq_nb.audio import budget, codec, loudness
from linq_nb.audio.budget import Budget
from linq_nb.audio.measurement import measured
from linq_nb.views.card import memo_html

MINUTES_31 = 31 * 60
LONG = b"#!AMR\n" + b"\x7c" * (50 * MINUTES_31)
"""A memo of 93 kB that lasts a little over half an hour: a byte for each 20 ms."""


def test_check_peaks_and_card_of_a_long_memo_decode_it_once_and_within_the_budget() -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    memo = VoiceMemo.from_bytes(LONG)
    began_at = time.thread_time()
    findings = preflight.check_memo(memo)
    levels = audio.levels(LONG)
    first_look_s = time.thread_time() - began_at
    assert levels is not None
    assert not levels.is_whole
    assert levels.seconds <= budget._LOOK_SECONDS + 1
    assert first_look_s < budget._LOOK_CPU_S + 2  # processor time of this thread: a busy machine adds none
    (info,) = [finding for finding in findings if finding.code == "long"]
    assert info.level == "info"
    assert "only the first" in info.message
    began_at = time.thread_time()
    assert memo.peaks(44) == audio.levels(LONG, 44).outline  # type: ignore[union-attr]
    preflight.check_memo(memo)
    assert time.thread_time() - began_at < first_look_s / 4
    assert "the waveform shows the first" in memo_html(memo)


def test_a_memo_within_the_budget_is_decoded_to_its_end() -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    for name in ("hello.mp3", "hello.m4a", "hello.wav", "hello.amr"):
        memo = VoiceMemo.from_bytes(data(name))
        levels = audio.levels(data(name))
        assert levels is not None
        assert levels.is_whole
        assert levels.seconds == pytest.approx(memo.duration_ms / 1000, abs=0.1)
        assert "waveform shows" not in memo_html(memo)
        assert not {"long", "length", "players_differ"} & {finding.code for finding in preflight.check_memo(memo)}


@pytest.mark.parametrize(
    ("limits", "operation"),
    [
        ({"seconds": 0.5}, "seconds of sound"),
        ({"samples": 4000}, "samples"),
        ({"cpu_s": 0.0}, "processor time"),
    ],
)
def test_each_limit_ends_the_decoding(limits: dict[str, float], operation: str) -> None:
    av = pytest.importorskip("av", reason="needs the audio extra")
    budget = Budget(**{"seconds": 60.0, "samples": 10**9, "cpu_s": 60.0, **limits})  # type: ignore[arg-type]
    view = memoryview(data("hello.mp3"))
    decoder = codec.Decoder(av, view, budget, measured(view))
    decoded_s = sum(frame.samples / frame.sample_rate for frame in decoder.frames())
    decoder.close()
    assert budget.was_cut, operation
    assert decoded_s < 1


def test_a_conversion_beyond_its_budget_is_refused_and_never_cut() -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    with pytest.raises(AudioError, match=r"ended after 2.0. s of sound; nothing was sent; cut it into parts first"):
        audio.convert(data("hello.mp3"), most_s=2.0)
    assert audio.probe(audio.convert(data("hello.mp3"))).duration_ms > 4000


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (1, 1000), (10_000_000, 1), (8000, 60_000)])
def test_odd_rates_and_channels_of_plain_samples_cost_no_more(rate: int, channels: int) -> None:
    content = wav(bytes([128, 130]) * 120_000, bits=8, rate=rate, channels=channels)
    began_at = time.thread_time()
    assert audio.levels(content) is not None
    assert audio.preview(content) is not None
    assert time.thread_time() - began_at < 5


def test_an_outline_of_many_parts_is_measured_more_finely() -> None:
    content = audio.wav_from_samples([i / 20_000 for i in range(20_000)], 8000)
    levels = audio.levels(content, 1000)
    assert levels is not None
    assert levels.peaks == pytest.approx([(i + 1) / 1000 for i in range(1000)], abs=0.002)
    assert loudness.listen(content, 10_000).tops
