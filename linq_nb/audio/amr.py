"""AMR: narrowband and wideband speech in frames of 20 ms."""

from __future__ import annotations

from linq_nb.audio import refusals
from linq_nb.audio.sound import Sound

# Bytes of a frame with its header byte, by frame type; 0 is reserved and so damage (RFC 4867, 5.3).
_NARROW = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)

# magic -> codec, frame sizes, Hz, whether a channel count follows
_KINDS = (
    (b"#!AMR\n", "AMR-NB", _NARROW, 8000, False),
    (b"#!AMR-WB\n", "AMR-WB", _WIDE, 16000, False),
    (b"#!AMR_MC1.0\n", "AMR-NB", _NARROW, 8000, True),
    (b"#!AMR-WB_MC1.0\n", "AMR-WB", _WIDE, 16000, True),
)
MAGICS = tuple(kind[0] for kind in _KINDS)


def read(view: memoryview) -> Sound:
    """Count the frames of an AMR file; raises Refusal when there are none or too many bytes are damaged."""
    head = bytes(view[:16])
    magic, codec, sizes, rate, multi = next(kind for kind in _KINDS if head.startswith(kind[0]))
    start = len(magic)
    channels = 1
    if multi:
        channels = (view[start + 3] & 15) or 1
        start += 4
    good = bad = 0
    pos, end = start, len(view)
    while pos < end:
        toc = view[pos]
        size = 0 if toc & 0x80 else sizes[toc >> 3]
        if not size:
            bad += 1
            pos += 1
            continue
        pos += size
        good += pos <= end
    if bad * 10 > good + bad:
        raise refusals.damaged("AMR")
    return Sound("amr", codec, good // channels * 0.02, rate, channels)
