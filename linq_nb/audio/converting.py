"""``convert``: an M4A out of whatever sounds."""

from __future__ import annotations

from linq_nb.audio import codec
from linq_nb.audio.measuring import Bytes, look, view_of
from linq_nb.audio.refusals import Refusal
from linq_nb.errors import AudioError


def convert(data: Bytes) -> bytes:
    """Make a mono AAC M4A; takes Ogg, FLAC, WebM and the sound of a video as well.

    Raises AudioError for what has no sound, and where the ``audio`` extra is not installed.
    """
    view = view_of(data)
    found = look(view)
    if isinstance(found, Refusal) and not found.convertible:
        raise AudioError(str(found))
    return codec.m4a(view)
