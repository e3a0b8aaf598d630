"""Audio files and samples: what they are, how long they play, how they look, and how to convert them.

Loads nothing but the standard library; mutagen and PyAV come in where a function first needs them.
"""

from linq_nb.audio.codec import can_transcode
from linq_nb.audio.converting import convert
from linq_nb.audio.formats import (
    FORMATS,
    MAX_FILENAME,
    MAX_MEMO_BYTES,
    MAX_UPLOAD_BYTES,
    SUFFIXES,
    FormatFacts,
    extension_format,
    mime_format,
)
from linq_nb.audio.levels import Levels, levels, peaks
from linq_nb.audio.previewing import Preview, preview
from linq_nb.audio.probing import AudioInfo, probe
from linq_nb.audio.wav import wav_from_samples

__all__ = [
    "FORMATS",
    "MAX_FILENAME",
    "MAX_MEMO_BYTES",
    "MAX_UPLOAD_BYTES",
    "SUFFIXES",
    "AudioInfo",
    "FormatFacts",
    "Levels",
    "Preview",
    "can_transcode",
    "convert",
    "extension_format",
    "levels",
    "mime_format",
    "peaks",
    "preview",
    "probe",
    "wav_from_samples",
]
