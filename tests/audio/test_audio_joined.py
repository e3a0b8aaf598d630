"""Sound behind the end of a file, lengths that players do not show, and headers that claim more than the file holds."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import pytest
from audio_makers import aiff, caf, chunk, data, integers, tone, wav
from test_audio_players import M4A, changed, decoded_s, joined, parted

from linq_nb import AudioError, Finding, VoiceMemo, audio, preflight
from linq_nb.audio.measurement import measured

EIGHT_S = integers(tone(64_000), 2, "little")
EIGHT_S_BE = integers(tone(64_000), 2, "big")
SHORT = wav(EIGHT_S[: len(EIGHT_S) // 2])
PIPED = 0x7FFFF000
"""The size that sox writes when it cannot seek back to the header."""


def with_size(content: bytes, size: int) -> bytes:
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def with_film_of(seconds: float) -> bytes:
    """An M4A whose pictures would last so long, by its header."""

    def change(mvhd: bytes) -> bytes:
        return mvhd[:16] + struct.pack(">I", round(struct.unpack_from(">I", mvhd, 12)[0] * seconds)) + mvhd[20:]

    return joined(changed(parted(M4A), (b"moov", b"mvhd"), change))


UNHEARD = {
    "8 WAVs": (SHORT * 8, 4, 32),
    "2 M4As": (data("hello.m4a") * 2, 5.02, 10.04),
    "8 M4As with the index behind": (data("moov-behind.m4a") * 8, 1.2, 9.6),
    "3 CAFs of AAC": (data("aac.caf") * 3, 1.22, 3.65),
    "3 CAFs of ALAC": (data("hello.caf") * 3, 5.02, 15.06),
    "3 AIFFs": (data("hello.aiff") * 3, 5.02, 15.06),
    "3 AIFF-Cs": (data("ima4.aifc") * 3, 1.2, 3.6),
    "2 WAVs of different rates": (SHORT + wav(EIGHT_S, rate=16_000), 4, 8),
    "a WAV and an M4A": (SHORT + data("hello.m4a"), 4, 9.02),
    "a WAV and an MP3": (SHORT + data("hello.mp3"), 4, 9.02),
    "a WAV and samples without a header": (SHORT + EIGHT_S, 4, 12),
    "a WAV whose header names half": (wav(EIGHT_S, size=len(EIGHT_S) // 2), 4, 8),
}


def players_differ(memo: VoiceMemo) -> Finding:
    """Return the warning that players differ about a memo."""
    (finding,) = [finding for finding in preflight.check_memo(memo) if finding.code == "players_differ"]
    assert finding.level == "warning"
    return finding


@pytest.mark.parametrize("name", UNHEARD)
def test_sound_behind_the_end_is_a_warning_and_a_conversion_makes_it_audible(name: str) -> None:
    content, reported_s, whole_s = UNHEARD[name]
    memo = VoiceMemo.from_bytes(content)
    finding = players_differ(memo)
    assert memo.duration_ms == pytest.approx(1000 * reported_s, abs=50)
    assert [float(text) for text in re.findall(r"([0-9.]+) s\b", finding.message)] == pytest.approx(
        [reported_s, whole_s], abs=0.05
    )
    assert "memo.convert() makes one M4A of all of it" in finding.message
    assert decoded_s(content) == pytest.approx(reported_s, abs=0.1)  # skips without the audio extra
    mended = memo.convert()
    assert mended.duration_ms == pytest.approx(1000 * whole_s, abs=150)
    assert not {"players_differ", "length"} & {finding.code for finding in preflight.check_memo(mended)}
    assert mended.content == memo.content
    assert VoiceMemo.from_bytes(content, convert=True).duration_ms == mended.duration_ms


SHOWN: dict[str, tuple[bytes, float, str]] = {
    "5 MP3s": (data("vbr.mp3") * 5, 6.2, "1.25 s"),
    "3 MP3s of one bit rate": (data("hello.mp3") * 3, 15.2, "5.07 s"),
    "WAV of 4 GiB": (wav(EIGHT_S, size=0xFFFFFFFF), 8, "74.6 h"),
    "WAV of 2 GiB": (wav(EIGHT_S, size=PIPED), 8, "37.3 h"),
    "WAV of nothing": (wav(EIGHT_S, size=0), 8, "0.00 s"),
    "WAV of twice as much": (wav(EIGHT_S, size=2 * len(EIGHT_S)), 8, "16.0 s"),
    "WAV of ADPCM of 4 GiB": (with_size(data("ima.wav"), 0xFFFFFFFF), 1.28, "148.6 h"),
    "AIFF of no samples": (aiff(EIGHT_S_BE, frames=0), 8, "0.00 s"),
    "AIFF of 2 GiB": (aiff(EIGHT_S_BE, frames=0x7F000000 // 2, size=0x7F000008), 8, "37.0 h"),
    "AIFF of twice as much": (aiff(EIGHT_S_BE, frames=2 * 64_000), 8, "16.0 s"),
    "CAF of twice as much": (caf(EIGHT_S_BE, size=2 * len(EIGHT_S)), 8, "16.0 s"),
    "M4A with longer pictures": (with_film_of(30), 1.2, "30.0 s"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_length_that_players_do_not_show_is_a_warning_with_both_lengths_and_a_conversion_corrects_it(
    name: str,
) -> None:
    content, reported_s, others = SHOWN[name]
    memo = VoiceMemo.from_bytes(content)
    finding = players_differ(memo)
    assert f"but some players show {others}; memo.convert() makes an M4A that all play alike" in finding.message
    assert memo.duration_ms == pytest.approx(1000 * reported_s, abs=100)
    assert decoded_s(content) == pytest.approx(reported_s, abs=0.15)
    mended = memo.convert()
    assert mended.duration_ms == pytest.approx(1000 * reported_s, abs=150)
    assert not {"players_differ", "length"} & {finding.code for finding in preflight.check_memo(mended)}


@pytest.mark.parametrize(
    "content",
    [
        SHORT + b"TAG" + bytes(125),
        SHORT + bytes(50_000),
        wav(EIGHT_S, after=chunk(b"LIST", b"INFO" + chunk(b"INAM", b"hello"))),
        wav(EIGHT_S, after=chunk(b"bext", bytes(60_000))),
        caf(EIGHT_S_BE, size=-1),
        data("adts.aac") * 3,
        with_film_of(1.3),
    ],
)
def test_permitted_data_after_the_sound_gives_no_warning(content: bytes) -> None:
    assert audio.player_doubts(content) == ()


def test_pieces_with_placeholder_sizes_are_joined_without_their_headers() -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    sound = measured(wav(EIGHT_S, size=0xFFFFFFFF) * 3)
    assert len(sound.parts) == 3
    assert sound.whole_s == pytest.approx(24)


CUT_OFF: dict[str, Callable[[], bytes]] = {
    "AIFF-C of 100 bytes that claims 25 minutes": lambda: aiff(EIGHT_S_BE[:40], kind=b"sowt", frames=1500 * 8000),
    "AIFF-C of ADPCM that claims 25 minutes": lambda: aiff(EIGHT_S_BE[:68], kind=b"ima4", frames=1500 * 8000),
    "AIFF that claims 25 minutes": lambda: aiff(EIGHT_S_BE[:40], frames=1500 * 8000),
    "WAV that claims 13 minutes": lambda: wav(EIGHT_S[:1000], size=100 * len(EIGHT_S)),
    "CAF that claims 16 seconds": lambda: caf(EIGHT_S_BE[:1000], size=2 * len(EIGHT_S)),
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_header_that_claims_far_more_than_the_file_holds_is_refused(name: str) -> None:
    with pytest.raises(
        AudioError, match=r"cut off: 0\.0\d s of .* of its sound are in the file; nothing was sent; get the file again"
    ):
        VoiceMemo.from_bytes(CUT_OFF[name]())


@pytest.mark.parametrize(
    ("brand", "description"), [(b"3g2a", "3GPP2"), (b"3g2b", "3GPP2"), (b"KDDI", "3GPP2"), (b"F4A ", "Flash audio")]
)
def test_a_brand_that_linq_does_not_list_is_refused_and_converted(brand: bytes, description: str) -> None:
    content = data("hello.m4a")[:8] + brand + data("hello.m4a")[12:]
    with pytest.raises(AudioError, match=f"this is {description}; Linq takes .* load it with convert=True"):
        VoiceMemo.from_bytes(content)
    pytest.importorskip("av", reason="needs the audio extra")
    assert VoiceMemo.from_bytes(content, convert=True).format == "m4a"


@pytest.mark.parametrize("brand", [b"M4A ", b"M4B ", b"mp42", b"isom", b"3gp4", b"qt  "])
def test_the_brands_of_phones_stay_m4a(brand: bytes) -> None:
    assert audio.probe(data("hello.m4a")[:8] + brand + data("hello.m4a")[12:]).format == "m4a"
