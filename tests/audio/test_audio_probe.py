"""probe reports format, codec, length, rate, channels and title of good files."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from audio_makers import (
    ACCEPTED,
    AUDIO,
    adts_frames,
    aiff,
    box,
    caf,
    chunk,
    data,
    floats,
    id3,
    integers,
    tone,
    wav,
)

from linq_nb.audio import FORMATS, probe
from linq_nb.audio.esds import aac_config
from linq_nb.errors import AudioError

TONE = tone()
S16 = integers(TONE, 2, "little")
S16_BE = integers(TONE, 2, "big")
MP3 = data("cbr.mp3")
MP3_FRAMES = MP3[MP3.index(b"\xff\xfb") :]
ADTS = data("adts.aac")
M4A = data("moov-behind.m4a")


def near(measured_ms: int, true_ms: int) -> bool:
    """Within one percent or a tenth of a second."""
    return abs(measured_ms - true_ms) <= max(0.01 * true_ms, 100)


@pytest.mark.parametrize("name", ACCEPTED)
def test_files_of_other_programs_are_measured_as_they_decode(name):
    facts, info = ACCEPTED[name], probe(data(name))
    assert (info.format, info.codec, info.sample_rate, info.channels) == (
        facts["format"],
        facts["codec"],
        facts["rate"],
        facts["channels"],
    )
    assert near(info.duration_ms, facts["duration_ms"])
    assert (info.mime_type, info.extension) == (FORMATS[info.format].mime_type, FORMATS[info.format].extension)


@pytest.mark.parametrize("extension", [".mp3", ".m4a", ".aac", ".caf", ".wav", ".aiff", ".amr"])
def test_the_samples_are_the_same_memo_in_every_format(extension):
    info = probe((AUDIO / f"hello{extension}").read_bytes())
    assert info.extension == extension
    assert info.channels == 1
    assert abs(info.duration_ms - 5020) < 60


@pytest.mark.parametrize(
    ("raw", "tag", "bits", "codec"),
    [
        (integers(TONE, 1, "little", signed=False), 1, 8, "PCM 8-bit"),
        (S16, 1, 16, "PCM 16-bit"),
        (integers(TONE, 3, "little"), 1, 24, "PCM 24-bit"),
        (integers(TONE, 4, "little"), 1, 32, "PCM 32-bit"),
        (floats(TONE, "<f"), 3, 32, "PCM float 32-bit"),
        (floats(TONE, "<d"), 3, 64, "PCM float 64-bit"),
        (bytes(8000), 6, 8, "A-law"),
        (bytes(8000), 7, 8, "mu-law"),
    ],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_a_wav_of_every_plain_kind_is_measured(raw, tag, bits, codec, extensible):
    info = probe(wav(raw, tag=tag, bits=bits, extensible=extensible))
    assert (info.format, info.codec, info.duration_ms) == ("wav", codec, 1000)
    assert (info.sample_rate, info.channels) == (8000, 1)


@pytest.mark.parametrize(
    ("case", "content", "length_ms"),
    [
        ("size 0", wav(S16, size=0), 1000),
        ("size of a stream", wav(S16, size=0xFFFFFFFF), 1000),
        ("size doubled", wav(S16, size=2 * len(S16)), 1000),
        ("half of it", wav(S16)[: 44 + 8000], 500),
        ("junk before fmt", wav(S16, before=chunk(b"JUNK", bytes(28)) + chunk(b"bext", bytes(602))), 1000),
        ("an odd chunk, padded", wav(S16, before=chunk(b"odd ", b"hello")), 1000),
        ("an odd chunk, not padded", wav(S16, before=b"odd " + struct.pack("<I", 5) + b"hello"), 1000),
        ("chunks after it", wav(S16, after=chunk(b"LIST", b"INFOIART\4\0\0\0Sam\0")), 1000),
        ("garbage after it", wav(S16, after=b"\xff" * 99), 1000),
        ("stereo", wav(S16, channels=2), 500),
        ("48 kHz", wav(S16, rate=48000), 167),
    ],
)
def test_a_wav_is_as_long_as_the_samples_that_are_there(case, content, length_ms):
    assert probe(content).duration_ms == length_ms


def test_a_big_endian_or_64_bit_wav_is_measured():
    plain = wav(S16_BE)
    fmt = struct.pack(">HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + chunk(b"fmt ", fmt, ">") + chunk(b"data", S16_BE, ">")
    assert probe(b"RIFX" + struct.pack(">I", len(body)) + body).duration_ms == 1000
    ds64 = chunk(b"ds64", struct.pack("<QQQI", len(plain), len(S16), 8000, 0))
    content = wav(S16, before=ds64, size=0xFFFFFFFF, after=chunk(b"LIST", bytes(4000)))
    for magic in (b"RF64", b"BW64"):
        assert probe(magic + content[4:]).duration_ms == 1000


@pytest.mark.parametrize(
    ("kind", "bits", "raw", "codec"),
    [
        (b"", 16, S16_BE, "PCM 16-bit"),
        (b"", 8, integers(TONE, 1, "big"), "PCM 8-bit"),
        (b"", 24, integers(TONE, 3, "big"), "PCM 24-bit"),
        (b"", 12, S16_BE, "PCM 16-bit"),
        (b"NONE", 16, S16_BE, "PCM 16-bit"),
        (b"twos", 16, S16_BE, "PCM 16-bit"),
        (b"sowt", 16, S16, "PCM 16-bit"),
        (b"in24", 24, integers(TONE, 3, "big"), "PCM 24-bit"),
        (b"42ni", 24, integers(TONE, 3, "little"), "PCM 24-bit"),
        (b"in32", 32, integers(TONE, 4, "big"), "PCM 32-bit"),
        (b"raw ", 8, integers(TONE, 1, "big", signed=False), "PCM 8-bit"),
        (b"fl32", 32, floats(TONE, ">f"), "PCM float 32-bit"),
        (b"FL32", 16, floats(TONE, ">f"), "PCM float 32-bit"),
        (b"fl64", 64, floats(TONE, ">d"), "PCM float 64-bit"),
        (b"ulaw", 16, bytes(8000), "mu-law"),
        (b"ALAW", 8, bytes(8000), "A-law"),
    ],
)
def test_an_aiff_of_every_plain_kind_is_measured(kind, bits, raw, codec):
    info = probe(aiff(raw, kind=kind, bits=bits, frames=8000))
    assert (info.format, info.codec, info.duration_ms, info.sample_rate) == ("aiff", codec, 1000, 8000)


@pytest.mark.parametrize(
    ("case", "content", "length_ms"),
    [
        ("half of it", aiff(S16_BE, frames=8000)[: 54 + 8000], 500),
        ("no frames claimed", aiff(S16_BE, frames=0), 1000),
        ("size 0", aiff(S16_BE, frames=8000, size=0), 1000),
        ("size of a stream", aiff(S16_BE, frames=0x7FFFFFFF, size=0xFFFFFFFF), 1000),
        ("fewer frames than bytes", aiff(S16_BE, frames=4000), 500),
        ("an odd chunk before", aiff(S16_BE, frames=8000, before=chunk(b"ANNO", b"odd", ">")), 1000),
    ],
)
def test_an_aiff_is_as_long_as_the_samples_that_are_there(case, content, length_ms):
    assert probe(content).duration_ms == length_ms


@pytest.mark.parametrize(
    ("content", "codec"),
    [
        (caf(S16_BE), "PCM 16-bit"),
        (caf(S16, flags=2), "PCM 16-bit"),
        (caf(floats(TONE, "<f"), flags=3, width=4), "PCM float 32-bit"),
        (caf(integers(TONE, 3, "big"), width=3), "PCM 24-bit"),
        (caf(bytes(8000), kind=b"alaw", width=1), "A-law"),
        (caf(S16_BE, size=-1), "PCM 16-bit"),
        (caf(S16_BE, before=struct.pack(">4sq", b"free", 50) + bytes(50)), "PCM 16-bit"),
        (caf(S16_BE, size=1 << 40), "PCM 16-bit"),
    ],
)
def test_a_caf_of_every_plain_kind_is_measured(content, codec):
    info = probe(content)
    assert (info.format, info.codec, info.duration_ms, info.sample_rate) == ("caf", codec, 1000, 8000)


def test_a_caf_that_is_cut_off_lasts_as_long_as_its_packets():
    whole = data("alac.caf")
    table = whole.index(b"pakt")
    head, sound, end = whole[: whole.index(b"data")], whole[whole.index(b"data") : table], whole[table:]
    assert near(probe(head + end + sound).duration_ms, 1200)
    half = head + end + sound[: len(sound) // 2]
    assert 300 < probe(half).duration_ms < 800


@pytest.mark.parametrize(
    ("case", "content"),
    [
        ("ID3v2", id3({b"TIT2": b"Hi"}) + MP3_FRAMES),
        ("two of them", id3({b"TIT2": b"Hi"}) + id3({b"TPE1": b"Sam"}) + MP3_FRAMES),
        ("with a footer", id3({b"TIT2": b"Hi"}, version=4, footer=True) + MP3_FRAMES),
        ("unsynchronised", id3({b"TIT2": b"Hi"}, flags=0x80) + MP3_FRAMES),
        ("a huge cover", id3({b"TIT2": b"Hi", b"APIC": bytes(range(256)) * 4000}) + MP3_FRAMES),
        ("zeros in front", bytes(20_000) + MP3_FRAMES),
        ("zeros behind the tag", id3({b"TIT2": b"Hi"}) + bytes(2048) + MP3_FRAMES),
        ("garbage in front", bytes(range(128, 256)) * 8 + MP3_FRAMES),
        ("a tag that says too little", id3({}) + bytes(range(128, 256)) * 4 + MP3_FRAMES),
        ("ID3v1 behind", MP3_FRAMES + b"TAG" + bytes(125)),
        ("APE behind", MP3_FRAMES + b"APETAGEX" + struct.pack("<IIII", 2000, 40, 1, 0) + bytes(16)),
        ("APE in front", b"APETAGEX" + struct.pack("<IIII", 2000, 40, 1, 0x20000000) + bytes(48) + MP3_FRAMES),
        ("garbage behind", MP3_FRAMES + bytes(range(256)) * 20),
        ("damage in the middle", MP3_FRAMES[:4000] + bytes(range(100)) * 3 + MP3_FRAMES[4000:]),
        ("a tag in the middle", MP3_FRAMES[:4000] + id3({b"TIT2": b"Hi"}) + MP3_FRAMES[4000:]),
    ],
)
def test_an_mp3_is_recognised_after_and_between_other_bytes(case, content):
    info = probe(content)
    assert (info.format, info.sample_rate) == ("mp3", 44100)
    assert near(info.duration_ms, 1200)


def test_a_cut_mp3_is_as_long_as_its_frames_whatever_its_header_claims():
    assert near(probe(MP3[: len(MP3) // 2]).duration_ms, 600)


def test_an_mp3_may_change_its_rate():
    assert near(probe(MP3_FRAMES + data("mpeg2.mp3")).duration_ms, 2450)


def test_a_free_format_mp3_is_measured():
    frames, pos = bytearray(data("mpeg2.mp3")), 0
    frames = frames[frames.index(b"\xff\xf3") :]
    while pos + 4 < len(frames):
        length = 72 * 32000 // 22050 + (frames[pos + 2] >> 1 & 1)
        frames[pos + 2] &= 0x0F
        pos += length
    info = probe(bytes(frames))
    assert (info.format, info.sample_rate) == ("mp3", 22050)
    assert near(info.duration_ms, 1250)


def with_crc(frame: bytes) -> bytes:
    """An ADTS frame with room for a checksum."""
    size = len(frame) + 2
    head = bytearray(frame[:7])
    head[1] &= 0xFE
    head[3] = head[3] & 0xFC | size >> 11
    head[4], head[5] = size >> 3 & 0xFF, head[5] & 0x1F | (size & 7) << 5
    return bytes(head) + b"\0\0" + frame[7:]


@pytest.mark.parametrize(
    ("case", "content"),
    [
        ("ID3 in front", id3({b"TIT2": b"Hi"}) + ADTS),
        ("MPEG-2", b"".join(bytes([f[0], f[1] | 8]) + f[2:] for f in adts_frames(ADTS))),
        ("checksums", b"".join(map(with_crc, adts_frames(ADTS)))),
        ("garbage in front", bytes(range(128, 256)) * 4 + ADTS),
        ("damage in the middle", ADTS[:2000] + bytes(range(200)) + ADTS[2000:]),
    ],
)
def test_an_adts_stream_of_every_kind_is_measured(case, content):
    info = probe(content)
    assert (info.format, info.codec, info.sample_rate, info.channels) == ("aac", "AAC-LC", 16000, 1)
    assert near(info.duration_ms, 1280)


def behind(brand: bytes) -> bytes:
    return M4A[:8] + brand + M4A[12:]


@pytest.mark.parametrize("brand", [b"M4A ", b"M4B ", b"isom", b"mp42", b"dash", b"3gp6", b"qt  "])
def test_brands_do_not_matter(brand):
    assert probe(behind(brand)).format == "m4a"


def test_a_quicktime_file_may_lack_ftyp():
    size = int.from_bytes(M4A[:4], "big")
    content = struct.pack(">I4s", size, b"free") + bytes(size - 8) + M4A[size:]
    assert near(probe(content).duration_ms, 1200)


def test_a_box_of_size_0_runs_to_the_end_and_one_of_size_1_is_64_bits_wide():
    front = data("moov-in-front.m4a")
    mdat = front.index(b"mdat") - 4
    assert near(probe(front[:mdat] + bytes(4) + front[mdat + 4 :]).duration_ms, 1200)
    free = M4A.index(b"free") - 4
    size = int.from_bytes(M4A[free + 8 : free + 12], "big")
    wide = M4A[:free] + struct.pack(">I4sQ", 1, b"mdat", size + 8) + M4A[free + 16 :]
    assert near(probe(wide).duration_ms, 1200)


def test_boxes_and_garbage_behind_do_not_matter():
    assert near(probe(M4A + box(b"uuid", bytes(16)) + bytes(50)).duration_ms, 1200)


def test_lying_sample_lengths_do_not_count():
    at = M4A.index(b"stts") + 12
    lying = M4A[: at + 4] + struct.pack(">I", 1024 * 600) + M4A[at + 8 :]
    assert near(probe(lying).duration_ms, 1200)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("1408", ("AAC-LC", 16000, 1)),
        ("1210", ("AAC-LC", 44100, 2)),
        ("2b920800", ("HE-AAC", 44100, 2)),
        ("139056e5a0", ("HE-AAC", 44100, 2)),
        ("eb098800", ("HE-AAC v2", 48000, 2)),
        ("1388", ("AAC-LC", 22050, 1)),
        ("", ("AAC-LC", 0, 0)),
    ],
)
def test_the_set_up_of_aac_is_read_to_its_last_extension(config, expected):
    aac = aac_config(bytes.fromhex(config))
    assert (aac.name, aac.rate, aac.channels) == expected


def test_amr_with_pauses_or_several_channels_is_measured():
    narrow = data("narrow.amr")
    no_data = narrow + b"\x7c" * 10
    assert probe(no_data).duration_ms == 1800
    multi = b"#!AMR_MC1.0\n\0\0\0\2" + narrow[6:]
    assert (probe(multi).channels, probe(multi).duration_ms) == (2, 800)


@pytest.mark.parametrize(
    "content",
    [
        id3({b"TIT2": b"Hello", b"TPE1": b"Sam"}) + MP3_FRAMES,
        id3({b"TIT2": b"Hello", b"TPE1": b"Sam"}) + ADTS,
        MP3_FRAMES + b"TAG" + b"Hello".ljust(30, b"\0") + b"Sam".ljust(30, b"\0") + bytes(65),
        data("hello.m4a"),
        data("hello.mp3"),
        wav(S16, after=chunk(b"LIST", b"INFOINAM\6\0\0\0Hello\0IART\4\0\0\0Sam\0")),
        wav(S16, after=chunk(b"id3 ", id3({b"TIT2": b"Hello", b"TPE1": b"Sam"}))),
        aiff(S16_BE, frames=8000, before=chunk(b"NAME", b"Hello", ">") + chunk(b"AUTH", b"Sam", ">")),
        aiff(S16_BE, frames=8000, before=chunk(b"ID3 ", id3({b"TIT2": b"Hello", b"TPE1": b"Sam"}), ">")),
        caf(S16_BE, before=struct.pack(">4sqI", b"info", 27, 2) + b"title\0Hello\0artist\0Sam\0"),
    ],
)
def test_probe_reads_title_and_artist(content):
    info = probe(content)
    assert (info.title, info.artist) == ("Hello", "Sam")


def test_a_title_is_one_short_line():
    info = probe(id3({b"TIT2": b"two\nlines " + b"x" * 500}) + MP3_FRAMES)
    assert info.title is not None
    assert info.title.startswith("two lines x")
    assert len(info.title) == 200
    assert probe(id3({b"TIT2": b" \n "}) + MP3_FRAMES).title is None


def test_probe_accepts_bytes_like_objects_only():
    content = wav(S16)
    assert probe(memoryview(content)) == probe(bytearray(content)) == probe(content)
    with pytest.raises(AudioError, match="as bytes, not as str"):
        probe("hello.m4a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        probe(content).format = "mp3"
