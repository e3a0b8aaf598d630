"""The seven formats that Linq accepts, in one table: names, MIME types and extensions; and the limits of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MAX_MEMO_BYTES = 10_000_000
"""Linq's limit for a voice memo is written "10MB" (error 413/5001); this is the smaller reading."""

MAX_UPLOAD_BYTES = 104_857_600
"""Largest file that ``POST /v3/attachments`` accepts: 100 MiB."""

MAX_PLAYER_BYTES = 1_000_000
"""Largest file in the player of a card: about 1.34 MB as base64, so that a card stays below 1.5 MB."""

MAX_FILENAME = 255
"""Longest file name that ``POST /v3/attachments`` accepts, in characters."""


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """The names of one format.

    ``mime_type`` is the one for Linq's upload, ``label`` the one for a reader. ``player_type`` is the one for a player,
    of the two formats that all play: VS Code and a Chromium without Google's codecs play no AAC.
    """

    mime_type: str
    extension: str
    other_extensions: tuple[str, ...]
    mime_aliases: tuple[str, ...]
    label: str
    player_type: str | None = None


FORMATS: Mapping[str, FormatFacts] = MappingProxyType({
    "mp3": FormatFacts("audio/mpeg", ".mp3", (".mpga",), ("audio/mp3", "audio/x-mp3"), "MP3", "audio/mpeg"),
    "m4a": FormatFacts(
        "audio/x-m4a", ".m4a", (".mp4", ".m4b", ".m4r", ".m4p"), ("audio/mp4", "audio/m4a"), "M4A"
    ),
    "aac": FormatFacts(
        "audio/aac", ".aac", (".adts", ".adt"), ("audio/x-aac", "audio/aacp", "audio/x-hx-aac-adts"), "AAC"
    ),
    "caf": FormatFacts("audio/x-caf", ".caf", (".caff",), ("audio/caf",), "CAF"),
    "wav": FormatFacts(
        "audio/x-wav", ".wav", (".wave", ".bwf", ".rf64"), ("audio/wav", "audio/wave", "audio/vnd.wave"), "WAV",
        "audio/wav",
    ),
    "aiff": FormatFacts("audio/x-aiff", ".aiff", (".aif", ".aifc"), ("audio/aiff",), "AIFF"),
    "amr": FormatFacts("audio/amr", ".amr", (".awb",), ("audio/amr-wb",), "AMR"),
})  # fmt: skip

_BY_MIME = {mime: name for name, facts in FORMATS.items() for mime in (facts.mime_type, *facts.mime_aliases)}
_BY_EXTENSION = {
    extension: name for name, facts in FORMATS.items() for extension in (facts.extension, *facts.other_extensions)
}

SUFFIXES = frozenset(_BY_EXTENSION) | {".flac", ".oga", ".ogg", ".opus", ".webm"}
"""Extensions of the audio files that a user may choose: those that Linq accepts and those that ``convert`` reads."""


def mime_format(mime: str) -> str | None:
    """Return the format of a MIME type or of one of its aliases, None when unknown.

    >>> mime_format("audio/mp4; codecs=mp4a.40.2")
    'm4a'
    """
    return _BY_MIME.get(mime.partition(";")[0].strip().lower())


def extension_format(filename_or_ext: str) -> str | None:
    """Return the format of a filename or extension, None when unknown.

    >>> extension_format("Hello.AIFC"), extension_format("m4a"), extension_format("hello.ogg")
    ('aiff', 'm4a', None)
    """
    extension = filename_or_ext.strip().lower().rpartition(".")[2]
    return _BY_EXTENSION.get(f".{extension}")
