"""AIFF and AIFF-C, measured by the samples in the file."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import NamedTuple

from linq_nb.audio import doubts, refusals
from linq_nb.audio.riff import MAX_RATE, Chunk, id3_of, number, read_chunks, text_of
from linq_nb.audio.sound import CODECS, Pcm, Sound


def _extended(raw: bytes) -> int:
    """Return an 80-bit IEEE number as an integer, 0 where it cannot be a sample rate."""
    exponent = int.from_bytes(raw[:2], "big") - 16383
    mantissa = int.from_bytes(raw[2:], "big")
    return round(math.ldexp(mantissa, exponent - 63)) if 0 <= exponent < 32 else 0


# AIFF-C compression -> kind, bytes per sample (0: by the sample size), whether big-endian
_AIFC_PCM: Mapping[bytes, tuple[str, int, bool]] = {
    code: facts
    for codes, facts in (
        (b"NONE none twos", ("s", 0, True)),
        (b"sowt", ("s", 0, False)),
        (b"raw", ("u", 0, True)),
        (b"in24", ("s", 3, True)),
        (b"in32", ("s", 4, True)),
        (b"42ni", ("s", 3, False)),
        (b"23ni", ("s", 4, False)),
        (b"fl32 FL32", ("f", 4, True)),
        (b"fl64 FL64", ("f", 8, True)),
        (b"ulaw ULAW", ("mu-law", 1, True)),
        (b"alaw ALAW", ("A-law", 1, True)),
    )
    for code in codes.split()
}
# compression -> bytes of a packet per channel, samples in it
_AIFC_PACKED: Mapping[bytes, tuple[int, int]] = {
    b"ima4": (34, 64),
    b"MAC3": (2, 6),
    b"MAC6": (1, 6),
    b"GSM": (33, 160),
    b"agsm": (33, 160),
}


class _Common(NamedTuple):
    """The COMM chunk."""

    channels: int
    frames: int
    bits: int
    rate: int
    compression: bytes


def _common(view: memoryview, chunk: Chunk, is_aifc: bool) -> _Common:
    """Read the COMM chunk."""
    raw = bytes(view[chunk.start : min(chunk.end, chunk.start + 22)])
    if len(raw) < 18:
        raise refusals.cut_off("AIFF file ends in its header")
    compression = raw[18:].strip() if is_aifc and len(raw) == 22 else b"NONE"
    channels, frames, bits = struct.unpack_from(">HIH", raw)
    common = _Common(channels, frames, bits, _extended(raw[8:18]), compression)
    if not common.channels or not 0 < common.rate <= MAX_RATE:
        raise refusals.damaged("AIFF")
    return common


def _aiff_pcm(common: _Common, start: int, end: int) -> Pcm | None:
    """Return where the PCM samples of an AIFF are, None where they are compressed."""
    if common.compression not in _AIFC_PCM:
        return None
    kind, width, big = _AIFC_PCM[common.compression]
    width = width or (common.bits + 7) // 8
    if not 1 <= width <= 8:
        raise refusals.damaged("AIFF")
    pcm = Pcm(kind, width, big, start, end)
    frames = pcm.frames(common.channels)
    if 0 < common.frames < frames:
        frames = common.frames
    return pcm._replace(end=start + frames * width * common.channels)


def read(view: memoryview) -> Sound:
    """Measure an AIFF or AIFF-C by the bytes in the file; raises Refusal."""
    chunks = read_chunks(view, "big", b"SSND")
    ssnd = chunks.get(b"SSND")
    if b"COMM" not in chunks or ssnd is None or ssnd.end - ssnd.start <= 8:
        raise refusals.no_sound("AIFF")
    common = _common(view, chunks[b"COMM"], bytes(view[8:12]) == b"AIFC")
    offset = number(view, ssnd.start, 4, "big")
    start = ssnd.start + 8 + (offset if offset < ssnd.end - ssnd.start - 8 else 0)
    pcm = _aiff_pcm(common, start, ssnd.end)
    if pcm is not None:
        codec, samples = pcm.codec, pcm.frames(common.channels)
    elif common.compression in _AIFC_PACKED:
        packet, per_packet = _AIFC_PACKED[common.compression]
        codec = CODECS[common.compression]
        samples = (ssnd.end - start) // (packet * common.channels) * per_packet
    else:
        name = common.compression.decode("ascii", "replace")
        raise refusals.convertible(f"AIFF-C with a codec that phones do not play ({name!r})")
    names = (text_of(view, chunks.get(b"NAME")), text_of(view, chunks.get(b"AUTH")))
    seconds = samples / common.rate
    claimed_s = common.frames / common.rate  # of packed sound some count packets, so that this is the least
    is_placeholder = not common.frames or ssnd.claimed < 8 or ssnd.claimed >= doubts.PLACEHOLDER_BYTES
    doubted: tuple[str, ...] = ()
    if pcm is not None and common.frames:
        in_file_s = pcm._replace(end=ssnd.end).frames(common.channels) / common.rate
        doubted = doubts.if_differ("its header claims fewer samples than the file holds", seconds, in_file_s)
    if pcm is not None or common.frames:
        doubted += doubts.claimed("AIFF", seconds, claimed_s, is_placeholder=is_placeholder)
    return Sound(
        "aiff", codec, seconds, common.rate, common.channels, pcm,
        id3=id3_of(view, chunks), names=names, doubts=doubted,
    )  # fmt: skip
