"""The record that all parsers return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CODECS = {
    code: name
    for name, codes in {
        "AAC-LC": b"aac",
        "HE-AAC": b"aach aacp",
        "AAC-LD": b"aacl",
        "AAC-ELD": b"aace",
        "ALAC": b"alac",
        "MP3": b".mp3 mp3 ms\0U",
        "Opus": b"Opus opus",
        "FLAC": b"fLaC flac",
        "AC-3": b"ac-3",
        "E-AC-3": b"ec-3",
        "AC-4": b"ac-4",
        "AMR-NB": b"samr",
        "AMR-WB": b"sawb",
        "EVRC": b"sevc",
        "QCELP": b"sqcp Qclp",
        "QDesign Music": b"QDM2 QDMC",
        "IMA ADPCM": b"ima4",
        "MACE 3:1": b"MAC3",
        "MACE 6:1": b"MAC6",
        "GSM 6.10": b"GSM agsm",
        "iLBC": b"ilbc",
        "mu-law": b"ulaw",
        "A-law": b"alaw",
        "DTS": b"dtsc dtse dtsh",
        "MPEG-H": b"mha1 mhm1",
    }.items()
    for code in codes.split()
}
"""The codecs' names by the codes of Apple and MPEG-4, which are padded with spaces to four bytes."""


LAWS = ("mu-law", "A-law")
"""Kinds of samples that are numbers of one byte by a logarithmic law (ITU-T G.711)."""


class Pcm(NamedTuple):
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
        if self.kind in LAWS:
            return self.kind
        return f"PCM float {8 * self.width}-bit" if self.kind == "f" else f"PCM {8 * self.width}-bit"

    def frames(self, channels: int) -> int:
        """Return the number of samples in each of so many channels."""
        return (self.end - self.start) // (self.width * channels)


@dataclass(frozen=True, slots=True)
class Sound:
    """A measured audio file: length in seconds, rate in Hz.

    ``pcm`` is set when the samples need no codec, ``browser`` when every browser plays the file as it is (MP3, WAV);
    ``id3`` is an ID3v2 tag inside a chunk, ``names`` title and artist in the container itself. ``doubts`` say where
    players play another length; a decoder plays ``seconds`` by decoding the audio ``track`` of this number,
    without its edit list where ``ignores_edits``. A conversion keeps ``whole_s`` seconds: those of the ``parts``, byte
    ranges of files joined end to end, or those of a WAV that goes on, at ``goes_on``, behind the end in its header.
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
    doubts: tuple[str, ...] = ()
    track: int = 0
    ignores_edits: bool = False
    parts: tuple[tuple[int, int], ...] = ()
    goes_on: int = 0
    whole_s: float | None = None

    @property
    def all_s(self) -> float:
        """The seconds that a conversion keeps."""
        return self.seconds if self.whole_s is None else self.whole_s
