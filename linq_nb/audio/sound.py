"""The record that all parsers return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pcm:
    """Where the PCM samples of a file are: a byte range of whole frames of one kind.

    ``kind`` is "s" (signed), "u" (unsigned), "f" (float), "mu-law" or "A-law";
    ``width`` is in bytes per sample.
    """

    kind: str
    width: int
    big_endian: bool
    start: int
    end: int

    @property
    def codec(self) -> str:
        """Return the name to show, e.g. "PCM 16-bit"."""
        if self.kind in ("mu-law", "A-law"):
            return self.kind
        return f"PCM float {8 * self.width}-bit" if self.kind == "f" else f"PCM {8 * self.width}-bit"


@dataclass(frozen=True, slots=True)
class Sound:
    """A measured audio file: length in seconds, rate in Hz.

    ``pcm`` is set when the samples need no codec, ``browser`` when Chromium and Firefox both play the file as it is;
    ``id3`` is an ID3v2 tag inside a chunk, ``names`` title and artist in the container itself.
    """

    format: str
    codec: str
    seconds: float
    rate: int
    channels: int
    pcm: Pcm | None = None
    browser: bool = False
    id3: memoryview | None = None
    names: tuple[str | None, str | None] = (None, None)
