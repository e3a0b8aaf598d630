"""MPEG audio frames: finds, distinguishes and counts those of MP3 and ADTS AAC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from linq_nb.audio import doubts, refusals
from linq_nb.audio.sound import Sound

_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_SEARCH_BYTES = 1_000_000
_MOST_TRIES = 1_000_000
_AAC_SAMPLES = 1024  # in each block of a frame; players play the first block only
_LEAST_FRAMES = 2  # players find no sound in a single frame
_FREE_MAX_BYTES, _FREE_NEED = 12_000, 6
REFUSED_LAYERS = {2: "MPEG Layer II audio (MP2)", 3: "MPEG Layer I audio (MP1)"}
_KBITS_1 = {
    3: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBITS_2 = {
    3: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_CODECS = ("AAC Main", "AAC-LC", "AAC SSR", "AAC LTP")


class Frame(NamedTuple):
    """A frame header: length in bytes (0 in free format), samples, rate in Hz, and its family.

    Frames of one stream share their ``key``.
    """

    length: int
    samples: int
    rate: int
    layer: int  # 0 is ADTS, 1 is Layer III, 2 is Layer II, 3 is Layer I
    key: int


class Start(NamedTuple):
    """The start of a run of frames: position, first frame, and the length of a free-format frame."""

    pos: int
    frame: Frame
    free_length: int


@lru_cache(maxsize=8192)
def _mpeg_header(b1: int, b2: int) -> Frame | None:
    """Read bytes 1 and 2 of an MPEG audio header, None when they cannot be one."""
    version, layer = b1 >> 3 & 3, b1 >> 1 & 3
    kbit_index, rate_index, padding = b2 >> 4, b2 >> 2 & 3, b2 >> 1 & 1
    if b1 < 0xE0 or version == 1 or layer == 0 or kbit_index == 15 or rate_index == 3:
        return None
    rate = (44100, 48000, 32000)[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    table = _KBITS_1 if version == 3 else _KBITS_2
    bits = 1000 * table[layer][kbit_index - 1] if kbit_index else 0
    samples = 384 if layer == 3 else 576 if layer == 1 and version != 3 else 1152
    length = (12 * bits // rate + padding) * 4 if layer == 3 else samples // 8 * bits // rate + padding
    free = kbit_index == 0
    return Frame(0 if free else length, samples, rate, layer, (b1 & 0xFE) << 8 | b2 & 0x0C | free)


def _adts_header(view: memoryview, pos: int) -> Frame | None:
    """Read the ADTS header at ``pos``, None when there is none."""
    if pos + 7 > len(view):
        return None
    b1, b2, b3 = view[pos + 1], view[pos + 2], view[pos + 3]
    rate_index = b2 >> 2 & 15
    length = (b3 & 3) << 11 | view[pos + 4] << 3 | view[pos + 5] >> 5
    if rate_index > 12 or length < (7 if b1 & 1 else 9):
        return None
    return Frame(length, _AAC_SAMPLES, AAC_RATES[rate_index], 0, (b1 & 0xFE) << 8 | b2 & 0xFC)


def header(view: memoryview, pos: int) -> Frame | None:
    """Read the MPEG or ADTS frame header at ``pos``, None when there is none."""
    if pos + 4 > len(view) or view[pos] != 0xFF:
        return None
    b1 = view[pos + 1]
    return _adts_header(view, pos) if b1 & 0xF6 == 0xF0 else _mpeg_header(b1, view[pos + 2])


def _length(view: memoryview, pos: int, frame: Frame, free: int) -> int:
    """Return the bytes of the frame at ``pos``; ``free`` is the length of an unpadded frame in free format."""
    return frame.length or (free and free + (view[pos + 2] >> 1 & 1))


def free_length(view: memoryview, pos: int) -> int:
    """Return the length of an unpadded free-format MP3 frame, by the distance to the next frames; 0 if none."""
    frame = header(view, pos)
    if frame is None or frame.length or frame.layer != 1:
        return 0
    padding = view[pos + 2] >> 1 & 1
    for sync in _SYNC.finditer(view, pos + 24, min(len(view), pos + _FREE_MAX_BYTES)):
        length = sync.start() - pos - padding
        if run(view, pos, _FREE_NEED, length) is not None:
            return length
    return 0


def _ends_here(view: memoryview, pos: int) -> bool:
    """Return whether the sound may end at ``pos``: at the end of the file, or at a tag."""
    rest = bytes(view[pos : pos + 11])
    return not rest or rest.startswith((b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3"))


def run(view: memoryview, pos: int, need: int, free: int = 0) -> Start | None:
    """Return the start at ``pos`` if ``need`` whole frames of one kind follow there, or fewer up to the end.

    ``free`` is the length of an unpadded free-format frame; without it such frames do not count.
    """
    first = header(view, pos)
    if first is None:
        return None
    at = pos
    for count in range(need):
        if count and _ends_here(view, at):
            break
        frame = header(view, at)
        if frame is None or frame.key != first.key:
            return None
        length = _length(view, at, frame, free)
        if not length or (at + length > len(view) and count < 2):
            return None
        at += length
    return Start(pos, first, free)


def id3_bytes(tag: bytes | memoryview) -> int:
    """Return the length of an ID3v2 tag with its header, without a footer."""
    return 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])


def skip_tags(view: memoryview, pos: int) -> int:
    """Return the position after the ID3v2 and APE tags at ``pos``."""
    end = len(view)
    while pos < end:
        head = bytes(view[pos : pos + 32])
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
            pos += id3_bytes(head) + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32 and head[23] & 0x20:
            pos += 32 + int.from_bytes(head[12:16], "little")
        else:
            break
    return min(pos, end)


def find(view: memoryview, pos: int, need: int, wanted: Callable[[Frame], bool] | None = None) -> Start | None:
    """Find the first run of ``need`` frames within 1 MB of ``pos`` that fits ``wanted``; None if there is none."""
    return _find(view, pos, pos + _SEARCH_BYTES, need, wanted, _MOST_TRIES)[0]


def _find(
    view: memoryview, pos: int, end: int, need: int, wanted: Callable[[Frame], bool] | None, tries: int
) -> tuple[Start | None, int]:
    """Find a run as ``find`` does, by at most so many tries; returns also how many are left."""
    for sync in _SYNC.finditer(view, pos, min(len(view), end)):
        tries -= 1
        if tries < 0:
            break
        start = run(view, sync.start(), need)
        if start is not None and (wanted is None or wanted(start.frame)):
            return start, tries
    return None, tries


class Walk(NamedTuple):
    """A count: frames, their length in seconds, their bytes, and where and how the sound changes its kind first."""

    frames: int
    seconds: float
    used_bytes: int
    change: tuple[float, str, str] | None


def walk(view: memoryview, start: Start) -> Walk:
    """Count every frame of the stream from the start on; skips damage and tags.

    Rate, channels and layer may change on the way: players go on, as FFmpeg does, or stop there.
    """
    is_adts = start.frame.layer == 0

    def is_same(frame: Frame) -> bool:
        return (frame.layer == 0) == is_adts

    counts: dict[tuple[int, int, int, int], int] = {}  # samples by layer, key, rate and channels
    change: tuple[float, str, str] | None = None
    last = (start.frame.layer, start.frame.key, 0, 0)
    pos, end, tries = start.pos, len(view), _MOST_TRIES
    frames = used = 0
    while pos < end:
        frame = header(view, pos)
        length = _length(view, pos, frame, start.free_length) if frame is not None and is_same(frame) else 0
        if length and frame is not None and (frame.layer, frame.key) != last[:2] and not _goes_on(view, pos + length):
            length = 0
        if frame is None or not length:
            skipped = skip_tags(view, pos) if is_adts else pos  # FFmpeg skips no tag within an MP3
            again, tries = _find(view, max(pos + 1, skipped), end, 2 if is_adts else 3, is_same, tries)
            if again is None:
                break
            pos = again.pos
            continue
        kind = (frame.layer, frame.key, frame.rate, channels(view, pos, frame))
        pos += length
        if pos > end:
            break
        if kind != last:
            before, after = _kind_text(last), _kind_text(kind)
            if frames > 1 and change is None and before != after:  # the first frame may hold facts alone
                change = (_seconds(counts), before, after)
            last = kind
        used += length
        frames += 1
        counts[kind] = counts.get(kind, 0) + frame.samples
    return Walk(frames, _seconds(counts), used, change)


def channels(view: memoryview, pos: int, frame: Frame) -> int:
    """Return the channels of the frame at ``pos``; 0 in ADTS where only the sound itself says it."""
    if frame.layer:
        return 1 if view[pos + 3] >> 6 == 3 else 2
    count = (view[pos + 2] & 1) << 2 | view[pos + 3] >> 6
    return count + (count == 7)


def _goes_on(view: memoryview, pos: int) -> bool:
    """Return whether another frame begins at ``pos``, or the sound may end there."""
    return _ends_here(view, pos) or header(view, pos) is not None


def _seconds(counts: Mapping[tuple[int, int, int, int], int]) -> float:
    return sum(count / kind[2] for kind, count in counts.items())


def _kind_text(kind: tuple[int, int, int, int]) -> str:
    """Return the kind of a frame in words."""
    layer, _, rate, count = kind
    return f"{REFUSED_LAYERS[layer]} of {doubts.kind(rate, count)}" if layer > 1 else doubts.kind(rate, count)


def _doubts(walked: Walk, seconds: float) -> tuple[str, ...]:
    """Return the doubt about sound that changes its kind on the way."""
    if walked.change is None:
        return ()
    at, before, after = walked.change
    return doubts.if_differ(f"the sound changes from {before} to {after} on the way", seconds, at)


class _Info(NamedTuple):
    """A Xing, Info or VBRI frame: the frames that it claims, and the encoder's delay and padding in samples."""

    frames: int
    delay: int
    padding: int


def _info_frame(view: memoryview, start: Start) -> _Info | None:
    """Read the first frame as an info frame, None when it is sound."""
    frame = bytes(view[start.pos : start.pos + max(start.frame.length, 200)])
    if frame[36:40] == b"VBRI":
        return _Info(int.from_bytes(frame[50:54], "big"), 0, 0)
    mark = re.search(rb"Xing|Info", frame[9:42])
    if mark is None:
        return None
    at = 9 + mark.end()
    flags = int.from_bytes(frame[at : at + 4], "big")
    frames = int.from_bytes(frame[at + 4 : at + 8], "big") if flags & 1 else 0
    lame = at + 4 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags & 8) // 2
    if frame[lame : lame + 4] not in (b"LAME", b"Lavf", b"Lavc"):
        return _Info(frames, 0, 0)
    gap = int.from_bytes(frame[lame + 21 : lame + 24], "big")
    return _Info(frames, gap >> 12, gap & 0xFFF)


def read_mp3(view: memoryview, start: Start) -> Sound:
    """Measure an MP3 from its first frame on; raises Refusal when no sound follows."""
    frame = start.frame
    walked = walk(view, start)
    frames, seconds = walked.frames, walked.seconds
    info = _info_frame(view, start)
    if info is not None:
        frames -= 1
        gap = info.delay + (info.padding if frames >= info.frames else 0)
        seconds -= (frame.samples + min(gap, max(frames - 1, 0) * frame.samples)) / frame.rate
    claimed_s = info.frames * frame.samples / frame.rate if info else 0.0
    if frames < 1 or walked.frames < _LEAST_FRAMES:
        raise refusals.no_sound("MP3")
    doubted = _doubts(walked, seconds)
    if claimed_s and not doubted:
        doubted = doubts.shown("its Xing header claims another length", seconds, claimed_s)
    browser = not start.free_length and not doubted
    return Sound("mp3", "MP3", seconds, frame.rate, channels(view, start.pos, frame), browser=browser, doubts=doubted)


def read_adts(view: memoryview, start: Start) -> Sound:
    """Measure an ADTS stream from its first frame on; for HE-AAC the rate is that of the core."""
    walked = walk(view, start)
    if walked.frames < _LEAST_FRAMES:
        raise refusals.no_sound("AAC")
    frame = start.frame
    doubted = _doubts(walked, walked.seconds)
    blocks = view[start.pos + 6] & 3
    if blocks:
        others_s = walked.seconds * (blocks + 1)
        doubted += (doubts.doubt("its frames claim to hold several blocks of sound", walked.seconds, others_s),)
    codec, count = _AAC_CODECS[view[start.pos + 2] >> 6], channels(view, start.pos, frame) or 2
    return Sound("aac", codec, walked.seconds, frame.rate, count, doubts=doubted)
