"""A conversion fits, or is refused before decoding; the tests follow the advice of each finding."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable

import pytest
from audio_makers import data, wav
from test_audio_joined import SHORT

from linq_nb import AudioError, VoiceMemo, audio, preflight
from linq_nb.audio import fitting

pytestmark = pytest.mark.usefixtures("with_av")

MINUTE = 8000 * 60


@pytest.fixture
def with_av() -> None:
    pytest.importorskip("av", reason="needs the audio extra")


def telephone(minutes: float) -> bytes:
    """A WAV of 8 kHz and 8 bits, half a megabyte a minute: a hum."""
    return wav((bytes(range(96, 160)) + bytes(range(160, 96, -1))) * round(minutes * MINUTE / 128), bits=8)


def too_large(memo: VoiceMemo) -> str:
    (finding,) = preflight.size(memo)
    assert finding.level == "error"
    return finding.message


@pytest.mark.parametrize(("minutes", "kilobits"), [(0.1, 64), (0.5, 64), (3, 64)])
def test_a_conversion_uses_the_best_bit_rate_where_there_is_room(minutes: float, kilobits: int) -> None:
    assert audio.fitting_bit_rate(telephone(minutes)) == 1000 * kilobits


@pytest.mark.parametrize(
    ("name", "share"),
    [("hello.wav", 0.55), ("hello.mp3", 0.55), ("hello.ogg", 0.55), ("stereo.m4a", 0.9), ("hello.amr", 0.97)],
)
def test_a_conversion_uses_a_lower_bit_rate_to_fit_the_given_size(name: str, share: float) -> None:
    best = audio.convert(data(name))
    smaller = audio.convert(data(name), max_bytes=round(share * len(best)))
    assert len(smaller) <= share * len(best)
    assert audio.probe(smaller).duration_ms == pytest.approx(audio.probe(best).duration_ms, abs=100)


def test_a_finding_names_the_bit_rate_at_which_a_long_recording_fits() -> None:
    """The cases of a user's report: 21 MB of telephone sound, and 25 minutes of MP3."""
    memo = VoiceMemo.from_bytes(telephone(44))
    assert "memo.convert() (--convert) makes an M4A of it that fits, at about 27 kbit/s" in too_large(memo)
    for seconds in (5, 1500, 2640, 3000):  # to their scale, at the bit rate that is chosen for them
        small = telephone(0.25)
        max_bytes = round(audio.MAX_MEMO_BYTES * 15 / seconds) + fitting._HEADER_BYTES
        assert len(audio.convert(small, max_bytes)) <= max_bytes


def test_a_file_that_is_too_large_fits_after_the_conversion_that_its_finding_advises() -> None:
    content = wav(bytes(range(256)) * 40_000, rate=384_000, channels=8)
    memo = VoiceMemo.from_bytes(content)
    assert "memo.convert() (--convert) makes an M4A of it that fits, at about 64 kbit/s" in too_large(memo)
    for mended in (memo.convert(), VoiceMemo.from_bytes(content, convert=True)):
        assert not preflight.errors(preflight.check_memo(mended))
        assert mended.content == memo.content


CONVERSIONS: dict[str, tuple[Callable[[], object], int]] = {
    "convert=True": (lambda: VoiceMemo.from_bytes(telephone(60), convert=True), audio.MAX_MEMO_BYTES),
    "convert()": (VoiceMemo.from_bytes(telephone(60)).convert, audio.MAX_MEMO_BYTES),
    "convert(max_bytes=)": (lambda: VoiceMemo.from_bytes(data("hello.wav")).convert(max_bytes=10_000), 10_000),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_recording_that_cannot_fit_is_refused_at_once_with_the_longest_length(name: str) -> None:
    convert, max_bytes = CONVERSIONS[name]
    began_at = time.thread_time()
    with pytest.raises(AudioError, match="nothing was sent; cut it into parts first") as caught:
        convert()
    assert time.thread_time() - began_at < 1
    advice = re.search(r"has room for ([0-9.]+) (s|min), at 24 kbit/s, the least that sounds well", str(caught.value))
    assert advice is not None
    longest_s = float(advice[1]) * (60 if advice[2] == "min" else 1)
    assert longest_s == pytest.approx(fitting.longest_s(max_bytes), rel=0.01)


def test_parts_of_the_longest_length_do_fit() -> None:
    part = wav(data("hello.wav")[44:][: 2 * 16_000 * 2], rate=16_000)
    max_bytes = round(fitting._HEADER_BYTES + 2.01 * 24_000 * 1.1 / 8)
    assert fitting.longest_s(max_bytes) == pytest.approx(2, abs=0.02)
    assert len(audio.convert(part, max_bytes)) <= max_bytes
    assert "has room for 50.5 min" in too_large(VoiceMemo.from_bytes(telephone(60)))


def test_a_length_that_only_decoding_shows_is_refused_too() -> None:
    """Without a header that names it, as in a stream of LATM, the sound is decoded up to what would fit."""
    with pytest.raises(AudioError, match="cut it into parts first"):
        audio.convert(data("loas.latm") * 20, max_bytes=12_000)


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, "10 MB", None, True])
def test_an_invalid_size_is_refused(max_bytes: object) -> None:
    with pytest.raises(AudioError, match="max_bytes is a whole number"):
        VoiceMemo.from_bytes(data("hello.wav")).convert(max_bytes=max_bytes)  # type: ignore[arg-type]


def test_without_the_extra_the_finding_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert "that fits, at about 64 kbit/s, which needs `pip install linq_nb[audio]`" in too_large(
        VoiceMemo.from_bytes(wav(bytes([100, 150]) * 5_100_000, bits=8, rate=16_000))
    )


@pytest.mark.parametrize(
    ("content", "is_converted"),
    [(data("hello.wav"), False), (data("hello.m4a"), False), (data("hello.ogg"), True), (SHORT * 3, True)],
)
def test_only_a_file_that_linq_refuses_is_converted(content: bytes, is_converted: bool) -> None:
    memo = VoiceMemo.from_bytes(content, "memo.bin", convert=True)
    assert (memo.origin_sha256 is not None) == is_converted
    assert (memo.data != content) == is_converted
