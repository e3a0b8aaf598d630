"""``convert``: an M4A from any audio that FFmpeg decodes."""

from __future__ import annotations

from linq_nb.audio import codec
from linq_nb.audio.measurement import Bytes, sniff, view_of
from linq_nb.audio.refusals import Refusal
from linq_nb.errors import AudioError


def convert(data: Bytes) -> bytes:
    """Return the sound as a mono AAC M4A; accepts Ogg, FLAC, WebM and video as well.

    Raises AudioError when there is no sound, or the ``audio`` extra is not installed.
    """
    view = view_of(data)
    result = sniff(view)
    if isinstance(result, Refusal) and not result.convertible:
        raise AudioError(str(result))
    return codec.m4a(view)
