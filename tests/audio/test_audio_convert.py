"""Conversion to M4A, and how PyAV treats broken bytes."""

from __future__ import annotations

import random
import sys
from contextlib import suppress

import pytest
from audio_makers import ACCEPTED, REFUSED, data, integers, tone, wav

from linq_nb.audio import can_transcode, convert, levels, peaks, preview, probe
from linq_nb.errors import AudioError

# Formats that Linq refuses and convert reads
SOUNDS = [name for name in REFUSED if name not in ("silent-film.mp4", "aac.wav", "g726.wav")]


def needs_av():
    pytest.importorskip("av", reason="needs the audio extra")


@pytest.mark.parametrize("name", [*ACCEPTED, "hello.amr", "hello.caf", "hello.mp3"])
def test_an_accepted_file_becomes_a_mono_m4a_of_the_same_length(name):
    needs_av()
    content = probe(convert(data(name)))
    assert (content.format, content.codec, content.channels) == ("m4a", "AAC-LC", 1)
    assert content.sample_rate <= 48000
    assert abs(content.duration_ms - probe(data(name)).duration_ms) <= 100


@pytest.mark.parametrize("name", SOUNDS)
def test_a_refused_format_becomes_an_m4a(name):
    needs_av()
    content = probe(convert(data(name)))
    assert (content.format, content.codec, content.channels) == ("m4a", "AAC-LC", 1)
    assert abs(content.duration_ms - (1600 if name in ("narrow.3gp", "wide.3gp") else 1200)) <= 130


def test_the_pauses_of_amr_are_silence_and_not_the_end():
    needs_av()
    converted = convert(data("hello.amr"))
    assert abs(probe(converted).duration_ms - 5040) < 100
    measured = peaks(converted, 10)
    assert measured is not None
    assert max(measured[7:]) > 0.2


def test_a_conversion_keeps_the_sound():
    needs_av()
    before, after = peaks(data("hello.wav"), 20), peaks(convert(data("hello.wav")), 20)
    assert before is not None
    assert after is not None
    assert sum(abs(a - b) for a, b in zip(before, after, strict=True)) / 20 < 0.05


@pytest.mark.parametrize(("rate", "expected"), [(8000, 8000), (11025, 11025), (18000, 22050), (96000, 48000)])
def test_a_conversion_uses_a_sample_rate_of_aac(rate, expected):
    needs_av()
    content = probe(convert(wav(integers(tone(rate, rate), 2, "little"), rate=rate)))
    assert content.sample_rate == expected
    assert abs(content.duration_ms - 1000) <= 50


def test_the_index_of_a_converted_file_comes_first():
    needs_av()
    content = convert(data("hello.wav"))
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_file_without_sound_is_refused_with_the_reason():
    for content, words in ((b"<html>", "a web page"), (b"", "is empty"), (data("silent-film.mp4"), "without sound")):
        with pytest.raises(AudioError, match=words):
            convert(content)


def test_a_container_without_sound_is_refused():
    needs_av()
    with pytest.raises(AudioError):
        convert(data("opus.ogg")[:60])


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert not can_transcode()
    with pytest.raises(AudioError, match=r"pip install linq_nb\[audio\]"):
        convert(data("hello.ogg"))


@pytest.mark.parametrize("name", ["hello.ogg", "hello.amr", "moov-in-front.m4a", "vbr.mp3", "aac.caf", "ima.wav"])
def test_broken_bytes_are_decoded_or_refused(name):
    needs_av()
    chance, whole = random.Random(name), data(name)
    for _ in range(8):
        broken = bytearray(whole)
        for _ in range(4):
            at = chance.randrange(len(broken))
            broken[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
        if chance.random() < 0.3:
            del broken[chance.randrange(len(broken)) :]
        for function in (convert, levels, preview):
            with suppress(AudioError):
                function(bytes(broken))
