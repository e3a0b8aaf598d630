"""Files that players play differently: the reported length is that of FFmpeg; a finding names both."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from audio_makers import ACCEPTED, AUDIO, adts_frames, aiff, chunk, data, integers, tone, wav

from linq_nb import VoiceMemo, audio, preflight
from linq_nb.audio import mpeg
from linq_nb.audio.budget import Budget
from linq_nb.audio.codec import Decoder
from linq_nb.audio.measurement import measured

MONO, STEREO = adts_frames(data("adts.aac")), adts_frames(data("adts-stereo.aac"))
EIGHT_S = integers(tone(64_000), 2, "little")
EIGHT_S_BE = integers(tone(64_000), 2, "big")
M4A = data("moov-behind.m4a")
ALAC = data("alac.m4a")
CAF = data("aac.caf")


def mp3_frames(content: bytes) -> bytes:
    """An MP3 without its tags and its first frame, which may hold metadata only."""
    view = memoryview(content)
    start = mpeg.find(view, mpeg.skip_tags(view, 0), 3)
    assert start is not None
    return content[start.pos + start.frame.length :]


MP3, MP3_22K, LAYER_2 = (mp3_frames(data(name)) for name in ("cbr.mp3", "mpeg2.mp3", "layer2.mp2"))


ALTERNATE = [frame for pair in zip(MONO * 4, STEREO * 4, strict=False) for frame in pair]


def claims_blocks(frame: bytes) -> bytes:
    """An ADTS frame that claims to hold four blocks of sound."""
    return frame[:6] + bytes([frame[6] | 3]) + frame[7:]


# --- M4A and CAF, taken apart and put together again ---

Boxes = list[tuple[bytes, Any]]
_PARENTS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"))


def parted(content: bytes) -> Boxes:
    boxes: Boxes = []
    pos = 0
    while pos + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, pos)
        body = content[pos + 8 : pos + size]
        boxes.append((name, parted(body) if name in _PARENTS else body))
        pos += size
    return boxes


def joined(boxes: Boxes) -> bytes:
    bodies = ((name, joined(body) if isinstance(body, list) else body) for name, body in boxes)
    return b"".join(struct.pack(">I4s", len(body) + 8, name) + body for name, body in bodies)


def changed(boxes: Boxes, path: Sequence[bytes], change: Callable[[Any], Any]) -> Boxes:
    """The boxes with the first one at a path changed, made of nothing when it is not there."""
    name, *rest = path
    names = [box[0] for box in boxes]
    if name not in names:
        boxes, names = [*boxes, (name, [] if rest else b"")], [*names, name]
    at = names.index(name)
    body = boxes[at][1]
    return [*boxes[:at], (name, changed(body, rest, change) if rest else change(body)), *boxes[at + 1 :]]


TRAK = (b"moov", b"trak")
STBL = (*TRAK, b"mdia", b"minf", b"stbl")


def edited(*rows: tuple[int, int], speed: int = 0x10000) -> bytes:
    """An M4A with an edit list: durations in ms, and where in the sound each begins."""
    table = struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">Iii", *row, speed) for row in rows)
    return joined(changed(parted(M4A), (*TRAK, b"edts", b"elst"), lambda _: table))


def with_timescale(content: bytes, factor: float) -> bytes:
    def change(mdhd: bytes) -> bytes:
        scale = round(struct.unpack_from(">I", mdhd, 12)[0] * factor)
        return mdhd[:12] + struct.pack(">I", scale) + mdhd[16:]

    return joined(changed(parted(content), (*TRAK, b"mdia", b"mdhd"), change))


def enabled(trak: Boxes, number: int, is_enabled: bool) -> Boxes:
    def change(tkhd: bytes) -> bytes:
        return tkhd[:3] + bytes([tkhd[3] & ~1 | is_enabled]) + tkhd[4:12] + struct.pack(">I", number) + tkhd[16:]

    return changed(trak, [b"tkhd"], change)


def two_tracks(is_first_enabled: bool, is_second_enabled: bool = True) -> bytes:
    """An M4A whose second track has the first quarter of the samples of its first."""
    boxes = parted(M4A)
    trak = next(body for name, body in dict(boxes)[b"moov"] if name == b"trak")
    count = struct.unpack_from(">I", dict(dict(dict(dict(trak)[b"mdia"])[b"minf"])[b"stbl"])[b"stsz"], 8)[0] // 4
    stbl = (b"mdia", b"minf", b"stbl")
    short = changed(
        trak, (*stbl, b"stsz"), lambda stsz: stsz[:8] + struct.pack(">I", count) + stsz[12 : 12 + 4 * count]
    )
    short = changed(short, (*stbl, b"stts"), lambda _: struct.pack(">IIII", 0, 1, count, 1024))
    both = [(b"trak", enabled(trak, 1, is_first_enabled)), (b"trak", enabled(short, 2, is_second_enabled))]
    return joined(changed(boxes, [b"moov"], lambda moov: [box for box in moov if box[0] != b"trak"] + both))


def caf_chunks() -> Boxes:
    chunks: Boxes = []
    pos = 8
    while pos + 12 <= len(CAF):
        name, size = struct.unpack_from(">4sq", CAF, pos)
        size = len(CAF) - pos - 12 if size < 0 else size
        chunks.append((name, CAF[pos + 12 : pos + 12 + size]))
        pos += 12 + size
    return chunks


def caf(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"caff\0\1\0\0" + b"".join(name + struct.pack(">q", len(body)) + body for name, body in chunks)


def caf_with(name: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return caf(*changed(caf_chunks(), [name], change))


def plain_caf(*sounds: bytes) -> bytes:
    desc = struct.pack(">d4sIIIII", 8000.0, b"lpcm", 0, 2, 1, 1, 16)
    return caf((b"desc", desc), *((b"data", bytes(4) + sound) for sound in sounds))


def short_header(content: bytes, position: int, value: int) -> bytes:
    return content[:position] + struct.pack("<H", value) + content[position + 2 :]


ODD = {
    "AAC that turns from stereo to mono": b"".join(STEREO[:3] + MONO * 20),
    "AAC that turns from mono to stereo": b"".join(MONO[:3] + STEREO * 20),
    "AAC that turns again and again": b"".join(MONO[:3] + ALTERNATE),
    "AAC of several blocks a frame": b"".join(map(claims_blocks, MONO)),
    "MP3 of two rates": MP3[: len(MP3) // 3] + MP3_22K * 5,
    "MP3, then Layer II": MP3[: len(MP3) // 3] + LAYER_2 * 5,
    "WAV of two pieces": wav(EIGHT_S[:1000], after=chunk(b"data", EIGHT_S)),
    "WAV of 16 bits in 4 bytes": short_header(wav(EIGHT_S), 32, 4),
    "IMA ADPCM of a wrong block": short_header(data("ima.wav"), 38, 249),
    "MS ADPCM of a wrong block": short_header(data("ms-stereo.wav"), 38, 200),
    "IMA4 with a wrong packet": data("ima4.caf").replace(struct.pack(">II", 34, 64), struct.pack(">II", 340, 64), 1),
    "IMA4 with a wrong length": data("ima4.caf").replace(struct.pack(">II", 34, 64), struct.pack(">II", 34, 640), 1),
    "M4A at double speed": edited((1000, 1024), speed=0x20000),
    "CAF of two pieces": plain_caf(EIGHT_S_BE[:1000], EIGHT_S_BE),
    "CAF whose packet table trims it": caf_with(b"pakt", lambda pakt: pakt[:8] + struct.pack(">q", 3072) + pakt[16:]),
    "CAF with a wrong packet length": caf_with(b"desc", lambda desc: desc[:20] + struct.pack(">I", 64) + desc[24:]),
    "CAF with a wrong rate": caf_with(b"desc", lambda desc: struct.pack(">d", 64_000.0) + desc[8:]),
    "M4A whose first track is disabled": two_tracks(False),
    "M4A with two tracks": two_tracks(True),
    "M4A with a second track that is disabled": two_tracks(True, False),
    "M4A of which a part is played": edited((300, 1024)),
    "M4A that is played four times": edited(*[(1000, 1024)] * 4),
    "M4A with a pause": edited((5000, -1), (1000, 1024)),
    "M4A with an edit list of nothing": edited((1000, 10**7)),
    "M4A with an edit list of pauses": edited((1000, -1)),
    "M4A with a wrong timescale": with_timescale(M4A, 0.1),
    "ALAC with a wrong timescale": with_timescale(ALAC, 10),
}  # fmt: skip


def lengths_in(text: str) -> list[str]:
    """The lengths that a warning names."""
    return re.findall(r"([0-9.]+) s\b", text)


def decoded_s(content: bytes) -> float:
    av = pytest.importorskip("av", reason="needs the audio extra")
    view, budget = memoryview(content), Budget.of_look()
    decoder = Decoder(av, view, budget, measured(view))
    for _ in decoder.frames():
        pass
    decoder.close()
    return budget.heard_s


@pytest.mark.parametrize("name", ODD)
def test_where_players_differ_a_warning_names_both_lengths_also_without_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    memo = VoiceMemo.from_bytes(ODD[name])
    doubts = [finding for finding in preflight.check_memo(memo) if finding.code == "players_differ"]
    assert doubts, "no doubt"
    assert all(finding.level == "warning" for finding in doubts)
    assert memo.duration_ms is not None
    for finding in doubts:
        here, others = lengths_in(finding.message)
        assert float(here) == pytest.approx(memo.duration_ms / 1000, abs=0.05)
        assert float(here) != float(others)
    preview = audio.preview(ODD[name])
    assert preview is None or not preview.is_original  # the player of a card plays the reported length


@pytest.mark.parametrize("name", ODD)
def test_the_reported_length_is_the_decoded_length_and_a_conversion_keeps_it(name: str) -> None:
    reported_s = audio.probe(ODD[name]).duration_ms / 1000
    assert decoded_s(ODD[name]) == pytest.approx(reported_s, abs=0.2)
    memo = VoiceMemo.from_bytes(ODD[name]).convert()
    assert memo.duration_ms / 1000 == pytest.approx(reported_s, abs=0.2)  # type: ignore[operator]
    assert not {"players_differ", "length"} & {finding.code for finding in preflight.check_memo(memo)}


def test_an_aiff_that_claims_fewer_samples_than_it_holds_has_the_claimed_length() -> None:
    memo = VoiceMemo.from_bytes(aiff(EIGHT_S_BE, frames=560))
    assert memo.duration_ms == 70
    (doubt,) = audio.player_doubts(memo.data or b"")
    assert lengths_in(doubt) == ["0.07", "8.00"]


@pytest.mark.parametrize(
    "content",
    [
        MP3 + bytes(1_500_000) + MP3,
        MP3 + (bytes(900_000) + MP3) * 3,
        MP3 + b"ID3\3\0\0\0\x7f\x7f\x7f" + MP3,
        b"".join(MONO) + bytes(2_500_000) + b"".join(MONO),
    ],
)
def test_sound_after_long_damage_counts(content: bytes) -> None:
    assert audio.probe(content).duration_ms / 1000 == pytest.approx(decoded_s(content), abs=0.2)


@pytest.mark.parametrize("name", [*ACCEPTED, *(path.name for path in sorted(AUDIO.glob("hello.*")))])
def test_a_sound_file_gets_no_warning_about_its_length(name: str) -> None:
    if Path(name).suffix in (".ogg", ".flac"):
        pytest.skip("is not accepted")
    assert audio.player_doubts(data(name)) == ()
    memo = VoiceMemo.from_bytes(data(name))
    assert "length" not in {finding.code for finding in preflight.check_memo(memo)}


def test_a_length_that_only_decoding_shows_is_a_warning_with_both_lengths() -> None:
    """A wrong size in the index moves all samples behind it, which then cannot be decoded."""
    pytest.importorskip("av", reason="needs the audio extra")
    path = (*STBL, b"stsz")
    content = joined(changed(parted(M4A), path, lambda stsz: stsz[:20] + struct.pack(">I", 1) + stsz[24:]))
    memo = VoiceMemo.from_bytes(content)
    (finding,) = [finding for finding in preflight.check_memo(memo) if finding.code == "length"]
    claimed, played = lengths_in(finding.message)
    assert finding.level == "warning"
    assert float(claimed) == pytest.approx(1.2, abs=0.05)
    assert float(played) < 0.7
