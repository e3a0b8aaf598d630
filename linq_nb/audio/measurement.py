"""From bytes to a measured sound, or to an AudioError."""

from __future__ import annotations

import struct

from linq_nb.audio import refusals, sniffer
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

Bytes = bytes | bytearray | memoryview


def view_of(data: Bytes) -> memoryview:
    """Return bytes as a flat view without a copy; raises AudioError for another type."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise AudioError(f"audio is given as bytes, not as {type(data).__name__}; read the file first") from None


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
        raise AudioError(str(result))
    return result
