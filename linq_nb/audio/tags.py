"""Title and artist of a file, mostly by mutagen; a broken tag never refuses a file."""

from __future__ import annotations

import importlib
import io
import re
from contextlib import suppress
from typing import Any

from linq_nb.audio import mpeg
from linq_nb.audio.boxes import boxes
from linq_nb.audio.sound import Sound

Names = tuple[str | None, str | None]

_MAX_FRAMES = 20
_MAX_BOXES = 5_000
_MAX_CHARACTERS = 200
_TAIL_BYTES = 100_000
_ID3_BYTES = 200_000
_ID3_NAMES = re.compile(rb"(?:TIT2|TPE1|TT2|TP1)(.{0,7})", re.DOTALL)
_CONTAINERS = frozenset((b"moov", b"udta", b"trak", b"mdia", b"meta", b"ilst", b"stbl", b"minf", b"moof", b"traf"))


def names(view: memoryview, sound: Sound) -> Names:
    """Return title and artist of a measured file, None where they are missing or the tag is broken."""
    title, artist = _mutagen_names(view, sound)
    own_title, own_artist = sound.names
    return _tidy(title) or _tidy(own_title), _tidy(artist) or _tidy(own_artist)


def _mutagen_names(view: memoryview, sound: Sound) -> Names:
    """Return what mutagen reads; no error, however the tag is broken."""
    with suppress(Exception):
        if sound.format == "m4a":
            return _mp4_names(view)
        if sound.id3 is not None:
            return _id3_names(sound.id3)
        if sound.format in ("mp3", "aac"):
            return _id3_names(view[: mpeg.id3_bytes(view)]) if bytes(view[:3]) == b"ID3" else _trailing_names(view)
    return None, None


def _mutagen(name: str) -> Any:
    """Load a module of mutagen, which has no types, at its first use."""
    return importlib.import_module(f"mutagen.{name}")


def _shortened(tag: memoryview) -> bytes:
    """Return the beginning of a tag as a complete tag: mutagen's time grows with the square of the size."""
    raw = bytearray(tag[:_ID3_BYTES])
    size = len(raw) - 10
    if len(raw) == _ID3_BYTES:
        raw[6:10] = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return bytes(raw)


def _id3_names(data: memoryview) -> Names:
    """Read title and artist from an ID3 tag, unless it is made to unpack or repeat without end."""
    id3 = _mutagen("id3")
    raw = _shortened(data)
    frames = _ID3_NAMES.findall(raw.replace(b"\xff\0", b"\xff"))
    may_be_packed = any(len(rest) > 5 and rest[5] & 0x88 for rest in frames)  # small frames unpack to gigabytes
    if len(frames) > _MAX_FRAMES or (raw[3:4] > b"\2" and may_be_packed):
        return None, None
    tag = id3.ID3(io.BytesIO(raw), known_frames={"TIT2": id3.TIT2, "TPE1": id3.TPE1})
    return _pair(tag, "TIT2", "TPE1")


def _trailing_names(view: memoryview) -> Names:
    """Read title and artist from an APE or ID3v1 tag at the end."""
    apev2 = _mutagen("apev2")
    try:
        tag = apev2.APEv2(io.BytesIO(view[-_TAIL_BYTES:]))
    except apev2.error:
        tag = _mutagen("id3").ID3(io.BytesIO(view[-128:]))
        return _pair(tag, "TIT2", "TPE1")
    return _pair(tag, "Title", "Artist")


def _mp4_names(view: memoryview) -> Names:
    """Read title and artist of an M4A, unless it has too many boxes."""
    if _too_many_boxes(view):
        return None, None
    return _pair(_mutagen("mp4").MP4(io.BytesIO(view)).tags or {}, "\xa9nam", "\xa9ART")


def _too_many_boxes(view: memoryview) -> bool:
    """Return whether there are more boxes than mutagen reads in good time."""
    ranges, count = [(0, len(view))], 0
    while ranges:
        start, end = ranges.pop()
        for box in boxes(view, start, end):
            count += 1
            if count > _MAX_BOXES:
                return True
            if box.name in _CONTAINERS:
                ranges.append((box.start + (4 if box.name == b"meta" else 0), box.end))
    return False


def _pair(tag: Any, title: str, artist: str) -> Names:
    """Return the first value of both keys."""
    titles, artists = tag.get(title), tag.get(artist)
    return str(titles[0]) if titles else None, str(artists[0]) if artists else None


def _tidy(text: str | None) -> str | None:
    """Return one line of at most 200 characters, None when nothing is left."""
    return " ".join((text or "").split())[:_MAX_CHARACTERS] or None
