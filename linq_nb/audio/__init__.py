"""Audio files and samples: format, length, waveform, preview and conversion.

Loads only the standard library; mutagen, NumPy and PyAV are imported by the functions that need them.
"""

from linq_nb.audio.codec import can_transcode, convert, fitting_bit_rate
from linq_nb.audio.formats import (
    FORMATS,
    MAX_FILENAME,
    MAX_MEMO_BYTES,
    MAX_PLAYER_BYTES,
    MAX_UPLOAD_BYTES,
    SUFFIXES,
    FormatFacts,
    extension_format,
    mime_format,
)
from linq_nb.audio.loudness import Levels, levels, peaks
from linq_nb.audio.measurement import AudioInfo, player_doubts, probe
from linq_nb.audio.playback import Preview, preview
from linq_nb.audio.wav import wav_from_samples

__all__ = [
    "FORMATS",
    "MAX_FILENAME",
    "MAX_MEMO_BYTES",
    "MAX_PLAYER_BYTES",
    "MAX_UPLOAD_BYTES",
    "SUFFIXES",
    "AudioInfo",
    "FormatFacts",
    "Levels",
    "Preview",
    "can_transcode",
    "convert",
    "extension_format",
    "fitting_bit_rate",
    "levels",
    "mime_format",
    "peaks",
    "player_doubts",
    "preview",
    "probe",
    "wav_from_samples",
]
