"""PCM samples of every kind as 16-bit numbers, block by block. Loads NumPy, so it is imported where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from linq_nb.audio.sound import LAWS, Pcm, Sound

Samples = NDArray[np.int16]
"""16-bit samples with their channels interleaved."""

_BLOCK_SAMPLES = 1 << 16
_MOST_FLOAT = 0.99998
"""The highest float that is not clipped: it becomes 32767."""


def blocks(view: memoryview, sound: Sound) -> Iterator[Samples]:
    """Yield the samples, some whole seconds at a time."""
    pcm = sound.pcm
    if pcm is None:
        return
    frame_bytes = pcm.width * sound.channels
    end = pcm.start + pcm.frames(sound.channels) * frame_bytes
    rate = max(1, sound.rate)
    step = rate * max(1, _BLOCK_SAMPLES // (rate * sound.channels)) * frame_bytes
    for pos in range(pcm.start, end, step):
        yield _to_16_bit(view[pos : min(pos + step, end)], pcm)


def cut(samples: Iterable[Samples], size: int) -> Iterator[Samples]:
    """Yield the samples of all blocks in parts of ``size``, the last one shorter."""
    rest = np.empty(0, np.int16)
    for block in samples:
        rest = np.concatenate((rest, block))
        whole = len(rest) // size * size
        yield from rest[:whole].reshape(-1, size)
        rest = rest[whole:]
    if len(rest):
        yield rest


def extremes(pcm: Pcm) -> tuple[int, int]:
    """Return the highest and lowest 16-bit number that samples of this kind can become."""
    if pcm.kind in LAWS:
        high = int(_law_table(pcm.kind).max())
        return high, -high
    return (0x7F00, -0x8000) if pcm.width == 1 else (0x7FFF, -0x8000)


def _to_16_bit(raw: memoryview, pcm: Pcm) -> Samples:
    """Convert whole samples: floats of -1 to 1 are clipped, NaN is silence, of wider numbers the top two bytes stay."""
    if pcm.kind == "f":
        floats = np.frombuffer(raw, f"{'>' if pcm.big_endian else '<'}f{pcm.width}")
        with np.errstate(invalid="ignore"):  # of a signalling NaN, of which NumPy warns
            values = np.nan_to_num(floats.astype(np.float64))
        clipped: Samples = np.rint(values.clip(-1, _MOST_FLOAT) * 32768).astype(np.int16)
        return clipped
    samples = np.frombuffer(raw, np.uint8).reshape(-1, pcm.width)
    if pcm.kind in LAWS:
        return _law_table(pcm.kind)[samples[:, 0]]
    if not pcm.big_endian:
        samples = samples[:, ::-1]
    high = samples[:, 0] ^ (0x80 if pcm.kind == "u" else 0)
    return high.astype(np.int16) << 8 | (samples[:, 1] if pcm.width > 1 else 0)


@cache
def _law_table(kind: str) -> Samples:
    """Return the 256 numbers of mu-law or A-law codes (ITU-T G.711)."""
    codes = np.arange(256) ^ (0xFF if kind == "mu-law" else 0x55)
    exponent, mantissa = codes >> 4 & 7, codes & 0x0F
    if kind == "mu-law":
        magnitude = ((mantissa << 3) + 0x84 << exponent) - 0x84
    else:
        magnitude = (mantissa << 4) + np.where(exponent == 0, 8, 0x108) << np.maximum(exponent - 1, 0)
    has_bit = (codes & 0x80) > 0
    is_negative = has_bit if kind == "mu-law" else ~has_bit
    return np.where(is_negative, -magnitude, magnitude).astype(np.int16)


def to_mu_law(samples: Samples) -> bytes:
    """Encode 16-bit numbers as mu-law bytes, by their top 14 bits (ITU-T G.711)."""
    magnitude = np.minimum(abs(samples.astype(np.int32) & ~3), 32635) + 0x84
    exponent = np.frexp(magnitude)[1] - 8
    codes = exponent << 4 | magnitude >> exponent + 3 & 0x0F
    return bytes(((codes | np.where(samples < 0, 0x80, 0)) ^ 0xFF).astype(np.uint8))


def thinned(view: memoryview, sound: Sound, rate: int, count: int) -> Samples:
    """Return ``count`` mono samples at a lower rate, each the mean of those that it replaces."""
    thin, done = [np.empty(0, np.int64)], 0
    for block in blocks(view, sound):
        mono = block.reshape(-1, sound.channels).sum(axis=1, dtype=np.int64) // sound.channels
        here = min(len(mono) * rate // sound.rate, count - done)
        cuts = np.arange(here + 1) * sound.rate // rate
        sums = np.concatenate(([0], mono.cumsum()))
        thin.append(np.diff(sums[cuts]) // np.diff(cuts))
        done += here
        if done >= count:
            break
    return np.concatenate(thin).astype(np.int16)
