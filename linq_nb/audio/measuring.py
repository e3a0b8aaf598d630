"""From bytes to a measured sound, or to one AudioError whatever is wrong with them."""

from __future__ import annotations

import struct

from linq_nb.audio import refusals, sniff
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

Bytes = bytes | bytearray | memoryview


def view_of(data: Bytes) -> memoryview:
    """The bytes as a flat view without a copy; raises AudioError for anything else."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise AudioError(f"audio is given as bytes, not as {type(data).__name__}; read the file first") from None


def look(view: memoryview) -> Sound | Refusal:
    """What the bytes are, or why they are no memo."""
    try:
        return sniff.read(view)
    except Refusal as refusal:
        return refusal
    except (ArithmeticError, LookupError, ValueError, struct.error):
        return refusals.damaged("audio")


def measure(view: memoryview) -> Sound:
    """What the bytes are and how long they play; raises AudioError."""
    found = look(view)
    if isinstance(found, Refusal):
        raise AudioError(str(found))
    return found
