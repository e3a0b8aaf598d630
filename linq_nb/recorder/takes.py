"""Takes: sound that came from the page in chunks, checked, trimmed and made a VoiceMemo. Pure; in memory only."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass, field
from typing import Any

from linq_nb import audio, preflight, views
from linq_nb.audio.refusals import INSTALL
from linq_nb.audio.wav import wav_file
from linq_nb.errors import AudioError, problem_of
from linq_nb.model import VoiceMemo
from linq_nb.text import clean

MAX_TAKE_BYTES = 400_000_000
"""The largest take that the page may send: over an hour at 48 kHz, far above any limit of a memo."""

M4A_BYTES_PER_S = 9_000
"""Size of a second as M4A at the 64 kbit/s that ``convert`` asks for; noise was measured at 8,300."""

SHORTEST_MS = 100
"""A shorter take was pressed by mistake."""

BARS = 60
"""Bars of a take's waveform."""

_SAMPLE_BYTES = 2
_MIN_RATE, _MAX_RATE = 1000, 384_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Take:
    """One recording, or one file that was chosen instead; ``memo`` is what would be sent.

    ``recorded_ms`` is its whole length, ``start_ms`` to ``end_ms`` the part that is kept, in milliseconds; ``peaks`` is
    the outline of the whole in percent of the loudest, ``notes`` the findings of the checks.
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
    preview: audio.Preview | None = field(default=None, compare=False)

    @property
    def duration_ms(self) -> int:
        """How long the memo plays."""
        return self.memo.duration_ms or 0

    @property
    def sound(self) -> tuple[bytes, str]:
        """Sound that a browser can play, and its MIME type: the whole recording, or a file, or a preview of it."""
        if self.pcm is not None and self.rate_hz is not None:
            return wav_file(self.pcm, self.rate_hz, 1), "audio/wav"
        return (self.preview.data, self.preview.mime_type) if self.preview else (b"", "")

    def __repr__(self) -> str:
        return f"Take({', '.join(part for part in (self.name, facts(self)) if part)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {**views.mimebundle(self.memo), "text/plain": repr(self)}


class ChunkedUpload:
    """Bytes that arrive in chunks, in order. They count only when size and checksum are as announced."""

    def __init__(self, size_bytes: object, chunks: object, crc32: object) -> None:
        size, count, checksum = _whole(size_bytes), _whole(chunks), _whole(crc32)
        if size > MAX_TAKE_BYTES:
            raise AudioError(f"{views.size(size)} is too much for the recorder; nothing was kept; shorten it")
        self.size_bytes, self.chunks, self.crc32 = size, count, checksum
        self._data = bytearray()
        self.next = 0

    @property
    def is_complete(self) -> bool:
        """Whether every chunk has arrived."""
        return self.next >= self.chunks

    def add(self, chunk: object, data: bytes | memoryview) -> None:
        """Add the next chunk; any other is ignored, and the answer names the next one."""
        if chunk == self.next and not self.is_complete:
            self._data += data
            self.next += 1

    def content(self) -> bytes:
        """Return all bytes. Raises AudioError when they are not as announced."""
        data = bytes(self._data)
        if len(data) != self.size_bytes or zlib.crc32(data) != self.crc32:
            arrived = f"{len(data):,} of {self.size_bytes:,} bytes"
            damaged = ", damaged" if len(data) == self.size_bytes else ""
            raise AudioError(f"it did not arrive whole ({arrived}{damaged}); nothing was kept; send it again")
        return data


def recorded(take_id: str, name: str, pcm: bytes, rate_hz: object, limit_bytes: int) -> Take:
    """Make a take of 16-bit mono samples. Raises AudioError when it is too short or too long to be sent."""
    rate = _whole(rate_hz)
    if not _MIN_RATE <= rate <= _MAX_RATE or len(pcm) % _SAMPLE_BYTES:
        raise AudioError("the page sent sound that cannot be read; nothing was kept; record it again")
    length_ms = len(pcm) // _SAMPLE_BYTES * 1000 // rate
    if length_ms < SHORTEST_MS:
        raise AudioError("this take is shorter than a tenth of a second; nothing was kept; record it again")
    memo = _memo(name, pcm, rate, limit_bytes)
    return Take(
        take_id=take_id, name=name, memo=memo, recorded_ms=length_ms, start_ms=0, end_ms=length_ms,
        peaks=_outline(wav_file(pcm, rate, 1)), notes=_notes(memo), pcm=pcm, rate_hz=rate,
    )  # fmt: skip


def loaded(take_id: str, filename: str, data: bytes, limit_bytes: int) -> Take:
    """Make a take of a file. Raises AudioError when Linq does not take it."""
    memo = fitting(VoiceMemo.from_bytes(data, filename), limit_bytes)
    length_ms = memo.duration_ms or 0
    preview, notes = _preview(memo, limit_bytes), list(_notes(memo))
    if preview is None:
        notes.append(f"this file cannot be played here; {INSTALL} to hear it")
    elif not preview.is_original:
        notes.append("plays a preview; the file itself is sent")
    return Take(
        take_id=take_id, name=clean(filename, 60), memo=memo, recorded_ms=length_ms, start_ms=0, end_ms=length_ms,
        peaks=_outline(memo.data or b""), notes=tuple(notes), preview=preview,
    )  # fmt: skip


def trimmed(take: Take, start_ms: object, end_ms: object, limit_bytes: int) -> Take:
    """Keep a part of a recording. Raises AudioError when the part is too short, or the take is a file."""
    if take.pcm is None or take.rate_hz is None:
        raise AudioError(f"{take.name} is a file: it cannot be trimmed here; nothing was changed; trim the file itself")
    start, end = max(0, _whole(start_ms)), min(_whole(end_ms), take.recorded_ms)
    if end - start < SHORTEST_MS:
        raise AudioError(
            f"{take.name}: the start must lie at least 0.1 s before the end; nothing was changed; choose a longer part"
        )
    a, b = (_SAMPLE_BYTES * round(ms * take.rate_hz / 1000) for ms in (start, end))
    part = take.pcm[a:] if end == take.recorded_ms else take.pcm[a:b]
    memo = _memo(take.name, part, take.rate_hz, limit_bytes)
    return dataclasses.replace(take, memo=memo, start_ms=start, end_ms=end, notes=_notes(memo))


def fitting(memo: VoiceMemo, limit_bytes: int) -> VoiceMemo:
    """Return the memo where it is small enough, else an M4A of it. Raises AudioError when that is too large as well."""
    size = memo.size_bytes or 0
    if size <= limit_bytes:
        return memo
    too_large = f"{views.size(size)} is over the {views.size(limit_bytes)} of a voice memo"
    if not audio.can_transcode():
        raise AudioError(
            f"{too_large}; nothing was kept; shorten it, or {INSTALL} for an M4A, which holds about ten times as much"
        )
    try:
        return memo.convert(max_bytes=limit_bytes)
    except AudioError as error:
        raise AudioError(f"{too_large}, and {problem_of(error)}; nothing was kept; shorten it") from None


def m4a_seconds(limit_bytes: int) -> int:
    """Return the seconds that fit into an M4A of so many bytes; 0 without the ``audio`` extra."""
    return limit_bytes // M4A_BYTES_PER_S if audio.can_transcode() else 0


def facts(take: Take) -> str:
    """Return length, size and format of a take in one line: ``0:03 · 288.0 kB · WAV``."""
    form = audio.FORMATS.get(take.memo.format or "")
    cut = f" of {views.duration(take.recorded_ms)}" if take.end_ms - take.start_ms < take.recorded_ms else ""
    parts = (views.duration(take.memo.duration_ms) + cut, views.size(take.memo.size_bytes or 0))
    return " · ".join([*parts, *([form.label] if form else [])])


def card(take: Take, *, is_chosen: bool) -> dict[str, Any]:
    """Return what the page shows of a take; without the sound, since this is saved with the notebook."""
    return {
        "id": take.take_id,
        "name": take.name,
        "facts": facts(take),
        "length": views.duration(take.memo.duration_ms),
        "recorded_ms": take.recorded_ms,
        "start_ms": take.start_ms,
        "end_ms": take.end_ms,
        "can_trim": take.pcm is not None,
        "can_play": take.pcm is not None or take.preview is not None,
        "filename": clean(take.memo.filename or take.name),
        "peaks": list(take.peaks),
        "notes": list(take.notes),
        "chosen": is_chosen,
    }


def _memo(name: str, pcm: bytes, rate_hz: int, limit_bytes: int) -> VoiceMemo:
    filename = f"{name.lower().replace(' ', '-')}.wav"
    return fitting(VoiceMemo.from_bytes(wav_file(pcm, rate_hz, 1), filename), limit_bytes)


def _outline(sound: bytes) -> tuple[int, ...]:
    """Return the loudness of each bar in percent of the loudest; empty where it cannot be measured."""
    try:
        peaks = audio.peaks(sound, BARS)
    except AudioError:
        peaks = None
    return tuple(round(100 * peak) for peak in peaks or ())


def _notes(memo: VoiceMemo) -> tuple[str, ...]:
    """Return the findings of the checks: silence, clipping, a name that does not fit."""
    findings = [finding.message for finding in preflight.check_memo(memo) if finding.level != "info"]
    converted = ["too large as it was: an M4A of it is sent"] if memo.origin_sha256 else []
    return tuple(clean(note, 300) for note in [*converted, *findings])


def _preview(memo: VoiceMemo, limit_bytes: int) -> audio.Preview | None:
    """Return sound that browsers play, None where that needs the ``audio`` extra or cannot be made."""
    try:
        return audio.preview(memo.data or b"", limit_bytes=limit_bytes)
    except AudioError:
        return None


def _whole(value: object) -> int:
    """Read a number that the page sent; raises AudioError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise AudioError("the page sent an invalid number; nothing was kept; run the cell again")
    return round(value)
