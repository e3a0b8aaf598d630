"""A small MP3 or WAV, which every browser plays: the memo itself where it is one, else a preview of it."""

from __future__ import annotations

from dataclasses import dataclass

from linq_nb.audio import codec, wav
from linq_nb.audio.formats import FORMATS, MAX_PLAYER_BYTES
from linq_nb.audio.measurement import Bytes, measured, view_of
from linq_nb.audio.memo_cache import cached
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

_MP3_RATE, _MP3_BIT_RATE = 22050, 32_000
_MAX_SECONDS = 300.0
_WIDE_RATE, _NARROW_RATE = 16000, 8000
_HEADER_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Preview:
    """A file for a player and its type: ``seconds`` of sound; ``cut`` when the memo is longer."""

    data: bytes
    mime_type: str
    is_original: bool
    seconds: float
    cut: bool


def preview(data: Bytes, limit_bytes: int = MAX_PLAYER_BYTES) -> Preview | None:
    """Return the memo when it is a small MP3 or WAV that browsers play, else a mono one of at most ``limit_bytes``.

    None when a preview needs the ``audio`` extra; raises AudioError when the bytes are no memo.
    """
    view = view_of(data)
    sound = measured(data)
    if sound.browser and len(view) <= limit_bytes:
        raw = data if isinstance(data, bytes) else bytes(view)
        return Preview(raw, FORMATS[sound.format].player_type or "", True, sound.seconds, False)
    return _small(data, limit_bytes)


@cached(most=4)
def _small(data: Bytes, limit_bytes: int) -> Preview | None:
    """Make a preview; the last ones are kept."""
    view, sound = view_of(data), measured(data)
    room = max(0, limit_bytes - _HEADER_BYTES)
    if codec.can_transcode():
        most = min(_MAX_SECONDS, room * 8 / _MP3_BIT_RATE)
        try:
            mp3, seconds = codec.mp3_preview(view, sound, _MP3_RATE, _MP3_BIT_RATE, most)
            return Preview(mp3, "audio/mpeg", False, min(seconds, sound.seconds), seconds < sound.seconds - 0.2)
        except AudioError:
            if sound.pcm is None:
                raise
    return _plain_preview(view, sound, room) if sound.pcm else None


def _plain_preview(view: memoryview, sound: Sound, room: int) -> Preview:
    """Make a small WAV without PyAV: 16 kHz when all of it fits, else mu-law at 8 kHz, cut to fit."""
    from linq_nb.audio import pcm

    wide = sound.seconds * 2 * min(sound.rate, _WIDE_RATE) <= room
    rate = min(sound.rate, _WIDE_RATE if wide else _NARROW_RATE)
    most = sound.seconds if wide else min(sound.seconds, _MAX_SECONDS, room / rate)
    samples = pcm.thinned(view, sound, rate, round(most * rate))
    raw = samples.astype("<i2").tobytes() if wide else pcm.to_mu_law(samples)
    seconds = len(samples) / rate
    file = wav.wav_file(raw, rate, 1, mu_law=not wide)
    return Preview(file, "audio/wav", False, seconds, seconds < sound.seconds - 0.2)
