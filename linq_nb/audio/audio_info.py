"""``probe``: format, length, title and artist of a memo."""

from __future__ import annotations

from dataclasses import dataclass

from linq_nb.audio import tags
from linq_nb.audio.formats import FORMATS
from linq_nb.audio.measurement import Bytes, measure, view_of


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
        duration_ms=max(1, round(1000 * sound.seconds)),
        sample_rate=sound.rate,
        channels=sound.channels,
        title=title,
        artist=artist,
    )
