"""The preview of a memo that a browser plays."""

from __future__ import annotations

import pytest
from audio_makers import ACCEPTED, aiff, caf, data, floats, id3, integers, tone, wav

from linq_nb.audio import preview, probe
from linq_nb.errors import AudioError

PLAYABLE = {"audio/mpeg", "audio/wav"}
"""Codecs that VS Code and a Chromium without Google's codecs play as well."""
LONG = integers(tone(8000 * 200, loud=0.9), 2, "little")


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (data("hello.mp3"), "audio/mpeg"),
        (data("hello.wav"), "audio/wav"),
        (wav(bytes(8000), tag=7, bits=8), "audio/wav"),
        (wav(floats(tone(), "<f"), tag=3, bits=32), "audio/wav"),
    ],
)
def test_a_file_that_browsers_play_is_not_changed(content, mime_type):
    shown = preview(content)
    assert shown is not None
    assert (shown.data, shown.mime_type, shown.is_original, shown.cut) == (content, mime_type, True, False)
    assert shown.seconds == pytest.approx(probe(content).duration_ms / 1000, abs=0.001)


@pytest.mark.parametrize(
    "content",
    [
        data("hello.m4a"),
        data("hello.aac"),
        data("hello.caf"),
        data("hello.aiff"),
        data("hello.amr"),
        data("fragmented.m4a"),
        data("alac.m4a"),
        data("quicktime.m4a"),
        data("ima.wav"),
        data("rf64.wav"),
        wav(integers(tone(), 2, "little"), size=0),
        wav(floats(tone(), "<d"), tag=3, bits=64),
        id3({b"TIT2": b"Hi"}) + data("adts.aac"),
    ],
)
def test_a_file_that_browsers_do_not_play_becomes_a_small_mp3(content):
    pytest.importorskip("av", reason="needs the audio extra")
    shown = preview(content)
    assert shown is not None
    info = probe(shown.data)
    assert (shown.mime_type, shown.is_original, shown.cut) == ("audio/mpeg", False, False)
    assert (info.format, info.channels, info.sample_rate) == ("mp3", 1, 22050)
    assert abs(info.duration_ms - probe(content).duration_ms) < 100
    assert len(shown.data) < 4000 * info.duration_ms / 1000 + 3000


def test_a_large_file_is_cut_and_marked_as_cut():
    pytest.importorskip("av", reason="needs the audio extra")
    content = wav(LONG)
    shown = preview(content, limit_bytes=100_000)
    assert shown is not None
    assert (shown.is_original, shown.cut) == (False, True)
    assert 20 < shown.seconds < 26
    assert len(shown.data) <= 100_000
    assert preview(content, limit_bytes=5_000_000).is_original  # type: ignore[union-attr]


def test_a_long_memo_is_cut_at_about_five_minutes():
    pytest.importorskip("av", reason="needs the audio extra")
    shown = preview(wav(bytes(8000 * 400), bits=8, tag=7))
    assert shown is not None
    assert shown.cut
    assert 240 < shown.seconds <= 300
    assert len(shown.data) <= 1_000_000


@pytest.mark.usefixtures("without_av")
@pytest.mark.parametrize(
    "content",
    [
        aiff(integers(tone(44100, 44100), 2, "big"), frames=44100, rate=44100),
        caf(floats(tone(48000, 48000), "<f"), flags=3, width=4, rate=48000),
        wav(integers(tone(), 2, "little"), size=0),
    ],
)
def test_plain_samples_become_a_small_wav_without_the_extra(content):
    shown = preview(content)
    assert shown is not None
    info = probe(shown.data)
    assert (shown.mime_type, shown.is_original, shown.cut) == ("audio/wav", False, False)
    assert (info.codec, info.channels) == ("PCM 16-bit", 1)
    assert info.sample_rate <= 16000
    assert info.duration_ms == probe(content).duration_ms == round(1000 * shown.seconds)
    again = preview(shown.data)
    assert again is not None
    assert again.is_original


@pytest.mark.usefixtures("without_av")
@pytest.mark.parametrize("channels", [1, 2])
def test_a_long_file_becomes_mu_law_and_is_cut(channels):
    content = wav(LONG, channels=channels)
    shown = preview(content, limit_bytes=300_000)
    assert shown is not None
    info = probe(shown.data)
    assert (info.codec, info.sample_rate, info.channels) == ("mu-law", 8000, 1)
    assert len(shown.data) <= 300_000
    assert shown.cut
    assert 30 < shown.seconds < 38
    assert info.duration_ms == round(1000 * shown.seconds)


@pytest.mark.usefixtures("without_av")
def test_the_small_wav_sounds_the_same():
    from linq_nb.audio import peaks

    content = aiff(integers(tone(44100, 44100), 2, "big"), frames=44100, rate=44100)
    for limit in (1_000_000, 11_000):
        shown = preview(content, limit_bytes=limit)
        assert shown is not None
        assert peaks(shown.data, 10) == pytest.approx(peaks(content, 10), abs=0.05)


@pytest.mark.usefixtures("without_av")
def test_without_the_extra_there_is_no_player_for_packed_sound():
    for name in ("hello.m4a", "hello.aac", "hello.caf", "hello.amr", "alac.m4a", "ima.wav"):
        assert preview(data(name)) is None
    shown = preview(data("hello.mp3"), limit_bytes=1000)
    assert shown is None


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_kind_has_a_player_with_the_extra(name):
    pytest.importorskip("av", reason="needs the audio extra")
    shown = preview(data(name))
    assert shown is not None
    assert shown.mime_type in PLAYABLE
    assert not shown.cut
    assert abs(probe(shown.data).duration_ms - ACCEPTED[name]["duration_ms"]) <= 130


def test_a_file_that_is_no_memo_is_refused_with_the_reason():
    with pytest.raises(AudioError, match="Ogg/Opus"):
        preview(data("hello.ogg"))
