"""From bytes to a measured sound and to the facts of a memo, or to an AudioError."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from linq_nb.audio import refusals, sniffer, tags
from linq_nb.audio.formats import FORMATS
from linq_nb.audio.memo_cache import cached
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

_MOST_S = 1e15
"""Seconds at most, also where a file claims an infinite length."""

Bytes = bytes | bytearray | memoryview


def view_of(data: Bytes) -> memoryview:
    """Return bytes as a flat view without a copy; raises AudioError for another type."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise AudioError(
            f"audio is given as bytes, not as {type(data).__name__}; nothing was sent; read the file first"
        ) from None


def sniff(view: memoryview) -> Sound | Refusal:
    """Return the measured sound, or the reason why the bytes are no memo."""
    try:
        return sniffer.read(view)
    except Refusal as refusal:
        return refusal
    except (ArithmeticError, LookupError, ValueError, struct.error):
        return refusals.damaged("audio")


def measure(view: memoryview) -> Sound:
    """Return the measured sound; raises AudioError when the bytes are no memo."""
    result = sniff(view)
    if isinstance(result, Refusal):
        raise AudioError(str(result), convertible=result.convertible)
    return result


@cached()
def measured(data: Bytes) -> Sound:
    """Return the measured sound without its tag, which holds the bytes; the last ones are kept; raises AudioError."""
    return replace(measure(view_of(data)), id3=None)


def player_doubts(data: Bytes) -> tuple[str, ...]:
    """Say where players play another length of a memo than its duration, each in one sentence; raises AudioError."""
    return measured(data).doubts


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The facts of an audio file, by its content; the rate in Hz, ``mime_type`` for Linq's upload."""

    format: str
    mime_type: str
    extension: str
    codec: str
    duration_ms: int
    sample_rate: int
    channels: int
    title: str | None = None
    artist: str | None = None


def probe(data: Bytes) -> AudioInfo:
    """Return the facts of an audio file; raises AudioError for a format that Linq does not accept.

    >>> probe(open("hello.m4a", "rb").read()).codec  # doctest: +SKIP
    'AAC-LC'
    """
    view = view_of(data)
    sound = measure(view)
    facts = FORMATS[sound.format]
    title, artist = tags.names(view, sound)
    return AudioInfo(
        format=sound.format,
        mime_type=facts.mime_type,
        extension=facts.extension,
        codec=sound.codec,
        duration_ms=max(1, round(1000 * min(sound.seconds, _MOST_S))),
        sample_rate=sound.rate,
        channels=sound.channels,
        title=title,
        artist=artist,
    )
