"""PCM samples of every kind as 16-bit numbers, block by block, by the standard library."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from functools import cache

from linq_nb.audio.sound import Pcm, Sound

_BLOCK_SAMPLES = 1 << 16
_INVERT_SIGN = bytes(byte ^ 0x80 for byte in range(256))


def blocks(view: memoryview, sound: Sound) -> Iterator[array[int]]:
    """Yield the samples as signed 16-bit numbers, channels interleaved, some whole seconds at a time."""
    pcm = sound.pcm
    if pcm is None:
        return
    frame_bytes = pcm.width * sound.channels
    end = pcm.start + (pcm.end - pcm.start) // frame_bytes * frame_bytes
    rate = max(1, sound.rate)
    step = rate * max(1, _BLOCK_SAMPLES // (rate * sound.channels)) * frame_bytes
    for pos in range(pcm.start, end, step):
        yield _to_16_bit(bytes(view[pos : min(pos + step, end)]), pcm)


def extremes(pcm: Pcm) -> tuple[int, int]:
    """Return the highest and lowest 16-bit number that samples of this kind can become."""
    if pcm.kind in ("mu-law", "A-law"):
        high = max(_law_table(pcm.kind))
        return high, -high
    return (0x7F00, -0x8000) if pcm.width == 1 else (0x7FFF, -0x8000)


def _to_16_bit(raw: bytes, pcm: Pcm) -> array[int]:
    """Convert whole samples to signed 16-bit numbers in the byte order of the machine."""
    if pcm.kind == "f":
        return _from_floats(raw, pcm)
    if pcm.kind in ("mu-law", "A-law"):
        high, low = _law_bytes(pcm.kind)
        return _join(raw.translate(high), raw.translate(low))
    top = raw[0 if pcm.big_endian else pcm.width - 1 :: pcm.width]
    if pcm.kind == "u":
        top = top.translate(_INVERT_SIGN)
    if pcm.width == 1:
        return _join(top, bytes(len(top)))
    return _join(top, raw[1 if pcm.big_endian else pcm.width - 2 :: pcm.width])


def _join(high: bytes, low: bytes) -> array[int]:
    """Join high and low bytes to numbers."""
    mixed = bytearray(2 * len(high))
    little = sys.byteorder == "little"
    mixed[little::2] = high
    mixed[not little :: 2] = low
    return array("h", bytes(mixed))


def _from_floats(raw: bytes, pcm: Pcm) -> array[int]:
    """Convert floats of -1 to 1; others are clipped, NaN is silence."""
    values = array("f" if pcm.width == 4 else "d", raw)
    if pcm.big_endian == (sys.byteorder == "little"):
        values.byteswap()
    return array("h", [_clip(x) if x == x else 0 for x in values])


def _clip(x: float) -> int:
    return round(x * 32768) if -1 <= x < 0.99998 else 32767 if x > 0 else -32768


def _mu_law(code: int) -> int:
    code ^= 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _a_law(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = mantissa + 8 if not exponent else mantissa + 0x108 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


@cache
def _law_table(kind: str) -> tuple[int, ...]:
    """Return the 256 numbers of mu-law or A-law codes (ITU-T G.711)."""
    return tuple(map(_mu_law if kind == "mu-law" else _a_law, range(256)))


@cache
def _law_bytes(kind: str) -> tuple[bytes, bytes]:
    """Return high and low bytes of the table, for ``bytes.translate``."""
    table = _law_table(kind)
    return bytes(value >> 8 & 0xFF for value in table), bytes(value & 0xFF for value in table)


@cache
def _mu_law_codes() -> bytes:
    """Return the mu-law code of every 16-bit number, by its top 14 bits."""
    codes = bytearray()
    for step in range(16384):
        value = (step if step < 8192 else step - 16384) * 4
        magnitude = min(abs(value), 32635) + 0x84
        exponent = magnitude.bit_length() - 8
        code = exponent << 4 | magnitude >> exponent + 3 & 0x0F
        codes.append((code | (0x80 if value < 0 else 0)) ^ 0xFF)
    return bytes(codes)


def to_mu_law(samples: array[int]) -> bytes:
    """Encode 16-bit numbers as mu-law bytes."""
    codes = _mu_law_codes()
    return bytes([codes[value >> 2 & 0x3FFF] for value in samples])
