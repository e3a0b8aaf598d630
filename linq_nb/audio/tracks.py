"""An audio track of an M4A: its samples in tables or fragments, and whether their bytes are in the file."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from linq_nb.audio import refusals
from linq_nb.audio.boxes import Box, boxes, child, children, u32, words


@dataclass(slots=True)
class Track:
    """One audio track: its boxes, and what fragments add to it.

    ``change_at`` is the number of samples before the first that another description is for, 0 if there is none.
    """

    trak: Box
    stbl: Box
    number: int
    timescale: int
    entry: Box
    change_at: int
    enabled: bool
    frames: int = 0
    samples: int = 0
    default_frames: int = 0
    default_bytes: int = 0


def read_track(view: memoryview, trak: Box) -> Track | None:
    """Read a trak box, None when it does not describe its sound."""
    tkhd = child(view, trak, b"tkhd")
    mdhd = child(view, trak, b"mdia", b"mdhd")
    stbl = child(view, trak, b"mdia", b"minf", b"stbl")
    stsd = child(view, stbl, b"stsd")
    if stbl is None or stsd is None or mdhd is None:
        return None
    entry = next(boxes(view, stsd.start + 8, stsd.end), None)
    if entry is None:
        return None
    return Track(
        trak, stbl, number_after_times(view, tkhd), number_after_times(view, mdhd), entry, _change(view, stbl),
        is_enabled(view, trak),
    )  # fmt: skip


def is_enabled(view: memoryview, trak: Box) -> bool:
    """Return whether players play a track."""
    tkhd = child(view, trak, b"tkhd")
    return tkhd is None or bool(view[tkhd.start + 3] & 1)


def number_after_times(view: memoryview, box: Box | None) -> int:
    """Return the number after the two dates of a header: a timescale or a track's number; 0 without the box."""
    return u32(view, box.start + (20 if view[box.start] == 1 else 12)) if box else 0


def length_s(view: memoryview, header: Box | None) -> float:
    """Return the seconds that the header of a film or of a track's sound claims; 0.0 where it says none."""
    timescale = number_after_times(view, header)
    if header is None or not timescale:
        return 0.0
    at, size = (24, 8) if view[header.start] == 1 else (16, 4)
    duration = int.from_bytes(view[header.start + at : header.start + at + size], "big")
    return duration / timescale if duration + 1 < 1 << 8 * size else 0.0  # all ones stand for an unknown length


def _table(view: memoryview, stbl: Box, name: bytes, columns: int = 1, width: int = 4) -> array[int]:
    """Read the table of a box, row after row; empty without the box."""
    box = child(view, stbl, name)
    if box is None:
        return array("I")
    return words(view, box.start + 8, columns * u32(view, box.start + 4), box.end, width)


def _change(view: memoryview, stbl: Box) -> int:
    """Return the number of samples before the description changes, 0 if it does not."""
    table = _table(view, stbl, b"stsc", 3)
    runs = list(zip(table[::3], table[1::3], table[2::3], strict=False))
    samples = 0
    for (first, per_chunk, entry), (following, _, other) in pairwise(runs):
        samples += (following - first) * per_chunk
        if other != entry:
            return samples
    return 0


def time_to_sample(view: memoryview, track: Track) -> tuple[int, int]:
    """Return the number of samples and their total length in the track's units, by the time-to-sample table."""
    table = _table(view, track.stbl, b"stts", 2)
    counts, lengths = table[::2], table[1::2]
    return sum(counts), sum(n * length for n, length in zip(counts, lengths, strict=False))


class Extent(NamedTuple):
    """Number of samples, their bytes, and the bytes beyond the end of the file."""

    samples: int
    size_bytes: int
    missing_bytes: int


def extent(view: memoryview, track: Track) -> Extent:
    """Add up where the samples of a track are, chunk by chunk."""
    each, left, sizes = _sample_sizes(view, track.stbl)
    offsets = _table(view, track.stbl, b"stco") or _table(view, track.stbl, b"co64", width=8)
    runs = _table(view, track.stbl, b"stsc", 3)
    firsts, per_chunk = runs[::3], runs[1::3]
    total = each * left + sum(sizes)
    done = missing = run = 0
    for index, offset in enumerate(offsets, 1):
        while run + 1 < len(firsts) and firsts[run + 1] <= index:
            run += 1
        count = min(per_chunk[run] if per_chunk else 0, left)
        chunk_bytes = each * count + sum(sizes[done : done + count])
        missing += max(0, min(chunk_bytes, offset + chunk_bytes - len(view)))
        done += count
        left -= count
        if not left:
            break
    if left:
        raise refusals.damaged("M4A")
    return Extent(done, total, missing)


def _sample_sizes(view: memoryview, stbl: Box) -> tuple[int, int, array[int]]:
    """Return the size that all samples have or 0, their number, and the size of each where they differ."""
    stsz = child(view, stbl, b"stsz")
    if stsz is not None:
        each, count = u32(view, stsz.start + 4), u32(view, stsz.start + 8)
        if each:
            return each, count, array("I")
        sizes = words(view, stsz.start + 12, count, stsz.end)
    else:
        stz2 = child(view, stbl, b"stz2")
        if stz2 is None:
            return 0, 0, array("I")
        bits, count, start = view[stz2.start + 7], u32(view, stz2.start + 8), stz2.start + 12
        if bits == 4:
            pairs = view[start : min(stz2.end, start + (count + 1) // 2)]
            sizes = array("B", (nibble for pair in pairs for nibble in (pair >> 4, pair & 15)))[:count]
        else:
            sizes = words(view, start, count, stz2.end, 2 if bits == 16 else 1)
    if len(sizes) < count:
        raise refusals.cut_off("M4A file ends in its index")
    return 0, len(sizes), sizes


class Edits(NamedTuple):
    """What an edit list plays: frames in the track's units, those at the speed that it asks for, its pauses."""

    frames: int
    at_speed: int
    pause_s: float


def edits(view: memoryview, track: Track, frames: int, movie_timescale: int) -> Edits:
    """Return what the edit list of a track plays; all of its frames without one."""
    elst = child(view, track.trak, b"edts", b"elst")
    if elst is None or not movie_timescale:
        return Edits(frames, frames, 0.0)
    wide = view[elst.start] == 1
    row = struct.Struct(">Qqi" if wide else ">Iii")
    count = min(u32(view, elst.start + 4), (elst.end - elst.start - 8) // row.size)
    table = view[elst.start + 8 : elst.start + 8 + count * row.size]
    played = at_speed = pause = 0
    for duration, media_time, speed in row.iter_unpack(table):
        length = duration * track.timescale // movie_timescale
        if media_time < 0:
            pause += duration
        elif media_time < frames:
            is_open = not duration and bool(track.samples)  # 0 stands for the length that fragments give it
            part = frames - media_time if is_open else min(length, frames - media_time)
            played += part
            at_speed += part * 0x10000 // speed if speed > 0 else 0
    return Edits(played, at_speed, pause / movie_timescale) if count else Edits(frames, frames, 0.0)


def read_defaults(view: memoryview, moov: Box, track: Track) -> None:
    """Read the default values for the fragments of this track."""
    for trex in children(view, child(view, moov, b"mvex"), b"trex"):
        if u32(view, trex.start + 4) == track.number:
            track.default_frames = u32(view, trex.start + 12)
            track.default_bytes = u32(view, trex.start + 16)


def add_fragment(view: memoryview, moof: Box, track: Track) -> None:
    """Add the samples of a moof box to a track; raises Refusal when their bytes are not in the file."""
    for traf in children(view, moof, b"traf"):
        tfhd = child(view, traf, b"tfhd")
        if tfhd is None or u32(view, tfhd.start + 4) != track.number:
            continue
        flags = u32(view, tfhd.start) & 0xFFFFFF
        pos = tfhd.start + 8 + 8 * (flags & 1) + 2 * (flags & 2)
        frames, size = track.default_frames, track.default_bytes
        if flags & 8:
            frames = u32(view, pos)
            pos += 4
        if flags & 0x10:
            size = u32(view, pos)
        for trun in children(view, traf, b"trun"):
            _add_run(view, trun, track, frames, size, len(view) - moof.end)


def _add_run(view: memoryview, trun: Box, track: Track, frames: int, size: int, room: int) -> None:
    """Add the samples of one trun box, which lie in the next ``room`` bytes, to a track."""
    flags = u32(view, trun.start) & 0xFFFFFF
    count = u32(view, trun.start + 4)
    pos = trun.start + 8 + 4 * (flags & 1) + (flags & 4)
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    table = words(view, pos, count * len(fields), trun.end)
    if len(table) < count * len(fields):
        raise refusals.cut_off("M4A file ends in its index")
    total = count * frames
    if 0x100 in fields:
        total = sum(table[0 :: len(fields)])
    total_bytes = count * size
    if 0x200 in fields:
        total_bytes = sum(table[fields.index(0x200) :: len(fields)])
    if total_bytes > room:
        raise refusals.cut_off(f"M4A file is cut off: a fragment of {total_bytes} bytes is incomplete")
    if total_bytes >= count:
        track.frames += total
        track.samples += count
