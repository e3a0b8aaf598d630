"""``probe``: what a memo's bytes are, how long they play, and who speaks."""

from __future__ import annotations

from dataclasses import dataclass

from linq_nb.audio import tags
from linq_nb.audio.formats import FORMATS
from linq_nb.audio.measuring import Bytes, measure, view_of


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a memo's bytes are, by their content; the rate in Hz, ``mime_type`` as Linq's upload takes it."""

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
    """Tell what the bytes are and how long they play; raises AudioError for all that Linq does not take.

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
