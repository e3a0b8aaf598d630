"""Takes: sound that came in parts from the page, checked, trimmed and made a VoiceMemo. Pure; in memory only."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass, field
from typing import Any

from linq_nb import audio, preflight, views
from linq_nb.audio.refusals import INSTALL
from linq_nb.audio.wav import wav_file
from linq_nb.errors import AudioError
from linq_nb.model import VoiceMemo
from linq_nb.text import clean

MOST_BYTES = 400_000_000
"""Sound that the page may send for one take: over an hour at 48 kHz, far above any limit of a memo."""

M4A_BYTES_PER_S = 9_000
"""What a second takes as M4A at the 64 kbit/s that ``convert`` asks for: 8,300 were measured, for noise."""

SHORTEST_MS = 100
"""A shorter take is a slip of the finger."""

BARS = 60
"""Bars of a take's waveform."""

_SAMPLE_BYTES = 2
_MIN_RATE, _MAX_RATE = 1000, 384_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Take:
    """One recording, or one file that was chosen instead; ``memo`` is what would be sent of it.

    ``recorded_ms`` is its whole length and ``start_ms`` to ``end_ms`` what is kept of it, in milliseconds; ``peaks``
    is the outline of all of it in percent of the loudest, ``notes`` what the checks found in the memo.
    """

    take_id: str
    name: str
    memo: VoiceMemo
    recorded_ms: int
    start_ms: int
    end_ms: int
    peaks: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    pcm: bytes | None = field(default=None, compare=False)
    rate_hz: int | None = None
    heard: audio.Preview | None = field(default=None, compare=False)

    @property
    def duration_ms(self) -> int:
        """How long the memo plays."""
        return self.memo.duration_ms or 0

    @property
    def sound(self) -> tuple[bytes, str]:
        """What a browser can play of it, and its MIME type: all of a recording, else the file or a preview of it."""
        if self.pcm is not None and self.rate_hz is not None:
            return wav_file(self.pcm, self.rate_hz, 1), "audio/wav"
        return (self.heard.data, self.heard.mime_type) if self.heard else (b"", "")

    def __repr__(self) -> str:
        return f"Take({', '.join(part for part in (self.name, told(self)) if part)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {**views.mimebundle(self.memo), "text/plain": repr(self)}


class Parcel:
    """Bytes that arrive in parts, in order, and count only when size and checksum are those that were announced."""

    def __init__(self, size_bytes: object, parts: object, crc32: object) -> None:
        size, count, checksum = _whole(size_bytes), _whole(parts), _whole(crc32)
        if size > MOST_BYTES:
            raise AudioError(f"{views.size(size)} is more than the recorder takes; nothing was kept; shorten it")
        self.size_bytes, self.parts, self.crc32 = size, count, checksum
        self._data = bytearray()
        self.next = 0

    @property
    def complete(self) -> bool:
        """Whether every part is here."""
        return self.next >= self.parts

    def add(self, part: object, data: bytes | memoryview) -> None:
        """Take the next part; one that is not the next is left, for the page is told which one is wanted."""
        if part == self.next and not self.complete:
            self._data += data
            self.next += 1

    def opened(self) -> bytes:
        """Return the whole; raises AudioError when it is not what was announced."""
        data = bytes(self._data)
        if len(data) != self.size_bytes or zlib.crc32(data) != self.crc32:
            got = f"{len(data):,} of {self.size_bytes:,} bytes came"
            damaged = ", damaged" if len(data) == self.size_bytes else ""
            raise AudioError(f"it did not arrive whole ({got}{damaged}); nothing was kept of it; send it again")
        return data


def recorded(take_id: str, name: str, pcm: bytes, rate_hz: object, limit_bytes: int) -> Take:
    """Make a take of 16-bit mono samples; raises AudioError when it is too short or too long to be sent."""
    rate = _whole(rate_hz)
    if not _MIN_RATE <= rate <= _MAX_RATE or len(pcm) % _SAMPLE_BYTES:
        raise AudioError("the page sent no sound that can be read; nothing was kept; record it again")
    length_ms = _milliseconds(len(pcm), rate)
    if length_ms < SHORTEST_MS:
        raise AudioError("this is shorter than a tenth of a second; nothing was kept; record it again")
    memo = _memo(name, pcm, rate, limit_bytes)
    return Take(
        take_id=take_id, name=name, memo=memo, recorded_ms=length_ms, start_ms=0, end_ms=length_ms,
        peaks=_outline(wav_file(pcm, rate, 1)), notes=_notes(memo), pcm=pcm, rate_hz=rate,
    )  # fmt: skip


def loaded(take_id: str, filename: str, data: bytes, limit_bytes: int) -> Take:
    """Make a take of a file; raises AudioError when it is not audio that Linq takes."""
    memo = fitting(VoiceMemo.from_bytes(data, filename), limit_bytes)
    length_ms = memo.duration_ms or 0
    heard = _heard(memo, limit_bytes)
    return Take(
        take_id=take_id, name=clean(filename, 60), memo=memo, recorded_ms=length_ms, start_ms=0, end_ms=length_ms,
        peaks=_outline(memo.data or b""), notes=(*_notes(memo), *_said_of(heard)), heard=heard,
    )  # fmt: skip


def trimmed(take: Take, start_ms: object, end_ms: object, limit_bytes: int) -> Take:
    """Keep of a recording what lies between two times; raises AudioError when that is too little or no recording."""
    if take.pcm is None or take.rate_hz is None:
        raise AudioError(f"{take.name} is a file and stays as it is; trim it before you choose it")
    start, end = max(0, _whole(start_ms)), min(_whole(end_ms), take.recorded_ms)
    if end - start < SHORTEST_MS:
        raise AudioError(f"{take.name}: the start must lie at least 0.1 s before the end; nothing was changed")
    a, b = (_SAMPLE_BYTES * round(ms * take.rate_hz / 1000) for ms in (start, end))
    kept = take.pcm[a:] if end == take.recorded_ms else take.pcm[a:b]
    memo = _memo(take.name, kept, take.rate_hz, limit_bytes)
    return dataclasses.replace(take, memo=memo, start_ms=start, end_ms=end, notes=_notes(memo))


def fitting(memo: VoiceMemo, limit_bytes: int) -> VoiceMemo:
    """Return the memo where it is small enough, else an M4A of it; raises AudioError when it stays too large."""
    size = memo.size_bytes or 0
    if size <= limit_bytes:
        return memo
    too_large = f"{views.size(size)} is over the {views.size(limit_bytes)} of a voice memo; nothing was kept"
    if not audio.can_transcode():
        raise AudioError(f"{too_large}; shorten it, or {INSTALL} for an M4A, which holds about ten times as much")
    made = memo.convert()
    if (made.size_bytes or 0) > limit_bytes:
        raise AudioError(f"{too_large}; it is {views.size(made.size_bytes or 0)} as an M4A too; shorten it")
    return made


def m4a_seconds(limit_bytes: int) -> int:
    """How long an M4A of so many bytes plays at least; 0 without the ``audio`` extra."""
    return limit_bytes // M4A_BYTES_PER_S if audio.can_transcode() else 0


def told(take: Take) -> str:
    """Tell length, size and format of a take in one line: ``0:03 · 288.0 kB · WAV``."""
    facts = audio.FORMATS.get(take.memo.format or "")
    cut = f" of {views.duration(take.recorded_ms)}" if take.end_ms - take.start_ms < take.recorded_ms else ""
    parts = (views.duration(take.memo.duration_ms) + cut, views.size(take.memo.size_bytes or 0))
    return " · ".join([*parts, *([facts.label] if facts else [])])


def card(take: Take, *, chosen: bool) -> dict[str, Any]:
    """Return what the page shows of a take; there is no sound in it, for it is saved with the notebook."""
    return {
        "id": take.take_id,
        "name": take.name,
        "told": told(take),
        "length": views.duration(take.memo.duration_ms),
        "recorded_ms": take.recorded_ms,
        "start_ms": take.start_ms,
        "end_ms": take.end_ms,
        "can_trim": take.pcm is not None,
        "can_play": take.pcm is not None or take.heard is not None,
        "filename": clean(take.memo.filename or take.name),
        "peaks": list(take.peaks),
        "notes": list(take.notes),
        "chosen": chosen,
    }


def _memo(name: str, pcm: bytes, rate_hz: int, limit_bytes: int) -> VoiceMemo:
    filename = f"{name.lower().replace(' ', '-')}.wav"
    return fitting(VoiceMemo.from_bytes(wav_file(pcm, rate_hz, 1), filename), limit_bytes)


def _outline(sound: bytes) -> tuple[int, ...]:
    """Return the loudness of each bar in percent of the loudest, nothing where it cannot be had."""
    try:
        found = audio.peaks(sound, BARS)
    except AudioError:
        found = None
    return tuple(round(100 * peak) for peak in found or ())


def _notes(memo: VoiceMemo) -> tuple[str, ...]:
    """Return what the checks found: silence, clipping, a name that does not fit."""
    found = [one.message for one in preflight.check_memo(memo) if one.level != "info"]
    shrunk = ["too large as it was: an M4A of it is sent"] if memo.origin_sha256 else []
    return tuple(clean(one, 300) for one in [*shrunk, *found])


def _heard(memo: VoiceMemo, limit_bytes: int) -> audio.Preview | None:
    """Return what browsers play of a file, None where that needs the ``audio`` extra or cannot be had."""
    try:
        return audio.preview(memo.data or b"", limit_bytes=limit_bytes)
    except AudioError:
        return None


def _said_of(heard: audio.Preview | None) -> list[str]:
    if heard is None:
        return [f"no player for this one; {INSTALL} to hear it"]
    return [] if heard.is_original else ["plays a preview; the file itself is sent"]


def _milliseconds(size_bytes: int, rate_hz: int) -> int:
    return size_bytes // _SAMPLE_BYTES * 1000 // rate_hz


def _whole(value: object) -> int:
    """Read a number that the page sent; raises AudioError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise AudioError("the page sent a number that is none; nothing was kept; run the cell again")
    return round(value)
