"""Broken and hostile bytes: AudioInfo or AudioError, soon, and in little memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import pytest
from audio_makers import ACCEPTED, AUDIO, DATA, REFUSED, box, caf, data, id3, integers, m4a_boxes, table, tone, wav
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_nb.audio import AudioInfo, probe
from linq_nb.errors import AudioError

BIG = 150_000
HELLOS = sorted(file.name for file in AUDIO.glob("hello.*"))
FILES = {name: data(name) for name in (*ACCEPTED, *REFUSED, *HELLOS)}
WAV = wav(integers(tone(), 2, "little"))
MP3 = FILES["cbr.mp3"][FILES["cbr.mp3"].index(b"\xff\xfb") :]
BOMB = zlib.compress(bytes(50_000_000), 9)


def look(content: bytes) -> AudioInfo | None:
    """Return the result of probe, or None where it refuses; any other exception is a bug."""
    try:
        info = probe(content)
    except AudioError:
        return None
    assert info.duration_ms > 0
    assert info.sample_rate > 0
    assert info.channels > 0
    return info


def test_the_folder_and_the_table_of_files_agree():
    assert {file.name for file in DATA.iterdir()} == {*ACCEPTED, *REFUSED, "truth.json"}
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 1_500_000
    assert sum(file.stat().st_size for file in AUDIO.glob("hello.*")) < 1_000_000


@pytest.mark.parametrize("name", FILES)
def test_every_beginning_of_a_file_is_measured_or_refused(name):
    whole = FILES[name]
    ends = {*range(0, min(len(whole), 120)), *range(120, len(whole), max(1, len(whole) // 60))}
    for end in sorted(ends):
        look(whole[:end])


@pytest.mark.parametrize("name", FILES)
def test_every_end_of_a_file_is_measured_or_refused(name):
    whole = FILES[name]
    for start in range(1, len(whole), max(1, len(whole) // 40)):
        look(whole[start:])


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_are_measured_or_refused(name):
    chance, whole = random.Random(name), FILES[name]
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4))):
            at = chance.randrange(min(len(broken), chance.choice((64, 1000, len(broken)))))
            broken[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
        look(bytes(broken))


HEADS = [b"", b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFC", b"caff\0\1\0\0", b"#!AMR\n", b"ID3\3\0\0\0\0\0\0", MP3[:300]]


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck), database=None)
@given(st.sampled_from([*HEADS, FILES["moov-in-front.m4a"][:700], WAV[:60]]), st.binary(max_size=400))
def test_any_bytes_behind_any_beginning(head, rest):
    look(head + rest)


WORDS = st.sampled_from([b"moov", b"trak", b"mdia", b"stbl", b"stsz", b"stco", b"elst", b"moof", b"traf", b"trun"])


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck), database=None)
@given(st.lists(st.tuples(st.integers(0, 60), WORDS, st.binary(max_size=24)), max_size=12))
def test_any_boxes(parts):
    boxes = b"".join(struct.pack(">I4s", size, name) + body for size, name, body in parts)
    look(FILES["moov-in-front.m4a"][:32] + boxes)
    look(FILES["fragmented.m4a"][:900] + boxes)


def track(*tables: bytes) -> bytes:
    return m4a_boxes(b"".join(tables))


MOST = 0xFFFFFFFF
STTS = table(b"stts", 1, MOST, 1024)
STSC = table(b"stsc", 1, 1, MOST, 1)
HOSTILE = {
    "four billion sizes": track(STTS, table(b"stsz", 0, MOST), STSC, table(b"stco", 1, 40)),
    "four billion samples of one size": track(STTS, table(b"stsz", 1, MOST), STSC, table(b"stco", 1, 40)),
    "four billion of no size": track(STTS, table(b"stsz", 0, 0), STSC, table(b"stco", MOST)),
    "many chunks": track(
        STTS,
        table(b"stsz", 1, BIG // 4),
        table(b"stsc", 1, 1, 1, 1),
        box(b"stco", struct.pack(">II", 0, BIG // 4) + b"\0\0\0\x28" * (BIG // 4)),
    ),
    "many runs": track(
        STTS, table(b"stsz", 1, 8), box(b"stsc", struct.pack(">II", 0, BIG // 12) + bytes(BIG)), table(b"stco", 1, 40)
    ),
    "many edits": FILES["moov-behind.m4a"] + box(b"moov", box(b"elst", bytes(BIG))),
    "boxes of no size": box(b"ftyp", b"M4A \0\0\0\0") + struct.pack(">I4s", 0, b"moov") * 1000,
    "boxes without end": box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", box(b"free") * (BIG // 8)),
    "fragments without end": track(STTS, table(b"stsz", 0, 0)) + box(b"moof") * (BIG // 8),
    "tags without end": FILES["hello.m4a"] + box(b"moov", box(b"udta", box(b"free") * (BIG // 8))),
    "boxes in boxes": b"".join(struct.pack(">I4s", 8 * (50_000 - i), b"moov") for i in range(50_000)),
    "chunks of no size": b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * (BIG // 8),
    "chunks behind the sound": WAV + b"junk\0\0\0\0" * (BIG // 8),
    "IFF chunks of no size": b"FORM\0\0\0\0AIFF" + b"junk\0\0\0\0" * (BIG // 8),
    "CAF chunks of no size": b"caff\0\1\0\0" + (b"free" + bytes(8)) * (BIG // 12),
    "a CAF table that claims all": caf(
        bytes(100), kind=b"aac ", before=struct.pack(">4sqqqii", b"pakt", BIG, 1 << 62, 1 << 62, 0, 0) + bytes(BIG - 24)
    ),
    "a number that never ends": caf(
        bytes(100),
        kind=b"aac ",
        width=0,
        before=struct.pack(">4sqqqii", b"pakt", BIG, 1, 1, 0, 0) + b"\xff" * (BIG - 24),
    ),
    "syncs that lead nowhere": b"\xff\xfb\x92" * (BIG // 3),
    "ADTS syncs that lead nowhere": b"\xff\xf1\x50" * (BIG // 3),
    "free format that leads nowhere": b"\xff\xfb\x00" * (BIG // 3),
    "syncs behind good frames": MP3 + b"\xff\xfb\x92\xaa" * (BIG // 4),
    "empty tags": id3({}) * (BIG // 10) + MP3,
    "a title that unpacks to gigabytes (2.4)": b"ID3\4\0\0"
    + bytes(len(BOMB) + 14 >> shift & 0x7F for shift in (21, 14, 7, 0))
    + b"TIT2"
    + bytes(len(BOMB) + 4 >> shift & 0x7F for shift in (21, 14, 7, 0))
    + b"\0\x09"
    + bytes((0x17, 0x6B, 0x6C, 0))
    + BOMB
    + MP3,
    "a title that unpacks to gigabytes (2.3)": b"ID3\3\0\0"
    + bytes(len(BOMB) + 14 >> shift & 0x7F for shift in (21, 14, 7, 0))
    + struct.pack(">4sIHI", b"TIT2", len(BOMB) + 4, 0x80, 50_000_000)
    + BOMB
    + MP3,
    "titles without end": id3({b"TIT2": b"Hi"})[:6]
    + bytes(19 * 60_000 >> shift & 0x7F for shift in (21, 14, 7, 0))
    + b"".join(b"TIT2\0\0\0\x09\0\0\0%08d" % i for i in range(60_000))
    + MP3,
    "unknown frames without end": id3({b"TIT2": b"Hi"})[:6]
    + bytes(11 * 90_000 >> shift & 0x7F for shift in (21, 14, 7, 0))
    + b"TXXX\0\0\0\1\0\0\0" * 90_000
    + MP3,
    "pauses without end": b"#!AMR\n" + b"\x7c" * BIG,
    "a page without end": b"<html>" + b"a" * BIG,
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_claims_cost_little_memory(case):
    content = HOSTILE[case]
    look(content)
    tracemalloc.start()
    try:
        look(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(content) + 1_000_000


@pytest.mark.parametrize("name", ["cbr.mp3", "adts.aac", "narrow.amr"])
def test_a_long_file_is_counted_to_the_end_without_a_copy(name):
    whole = FILES[name]
    sound = whole[whole.index(b"\xff\xfb") :] if name == "cbr.mp3" else whole
    length_ms = probe(whole).duration_ms
    times = 1_000_000 // len(sound)
    content = sound * times if name != "narrow.amr" else whole + whole[6:] * (times - 1)
    tracemalloc.start()
    try:
        info = probe(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.95 < info.duration_ms / (length_ms * times) < 1.1
    assert peak < 300_000


def test_the_name_of_a_file_does_not_matter():
    assert {look(FILES[name]).format for name in ACCEPTED if name.endswith((".m4a", ".m4b", ".3gp"))} == {"m4a"}
