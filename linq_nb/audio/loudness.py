"""The loudness of a memo, and the peaks that its waveform shows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import mul

from linq_nb.audio import codec, pcm
from linq_nb.audio.measurement import Bytes, measure, view_of
from linq_nb.audio.memo_cache import cached
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

_BLOCKS_PER_PEAK = 10
_MOST_SQUARES = 2_000_000
_MOST_SAMPLES = 12_000_000
_LONG_RATE = 16000


@dataclass(frozen=True, slots=True)
class Levels:
    """Loudness, where 1.0 is full scale: the highest peak, the root mean square, the share of clipped samples,
    and the highest peak of each of ``n`` equal parts."""

    peak: float
    rms: float
    clipped_ratio: float
    peaks: tuple[float, ...]


@cached
def levels(data: Bytes, n: int = 100) -> Levels | None:
    """Measure the loudness in ``n`` parts; None when that needs the ``audio`` extra; raises AudioError.

    PCM in WAV, AIFF and CAF needs no extra.
    """
    if n < 1:
        raise AudioError(f"a waveform has at least one part, not {n}")
    view = view_of(data)
    sound = measure(view)
    if sound.pcm is None and not codec.can_transcode():
        return None
    return _measured(view, sound, n)


def _measured(view: memoryview, sound: Sound, n: int) -> Levels:
    """Measure PCM as it is and compressed sound by PyAV, a long memo of it in mono at a lower rate."""
    if sound.pcm is not None:
        rate, channels, samples = sound.rate, sound.channels, pcm.blocks(view, sound)
        high, low = pcm.extremes(sound.pcm)
    else:
        is_long = sound.seconds * sound.rate * sound.channels > _MOST_SAMPLES
        rate, channels, samples = codec.blocks(view, _LONG_RATE if is_long else None)
        high, low = 32767, -32768
    frames = round(sound.seconds * rate)
    stride = frames * channels // _MOST_SQUARES | 1  # odd, so that it meets all channels
    total = clipped = squares = squared = 0
    tops = array("H")
    for part in _cut(samples, max(1, frames // (n * _BLOCKS_PER_PEAK)) * channels):
        top, bottom = max(part), min(part)
        tops.append(max(top, -bottom))
        if top >= high or bottom <= low:
            clipped += part.count(high) + part.count(low)
        sample = part[::stride]
        squares += sum(map(mul, sample, sample))
        squared += len(sample)
        total += len(part)
    if not total:
        raise AudioError("this file has no sound that can be decoded; get the file again")
    cuts = [i * len(tops) // n for i in range(n + 1)]
    parts = tuple(max(tops[a : max(b, a + 1)]) / 32768 for a, b in pairwise(cuts))
    return Levels(max(tops) / 32768, math.sqrt(squares / squared) / 32768, clipped / total, parts)


def _cut(blocks: Iterable[array[int]], size: int) -> Iterator[array[int]]:
    """Yield the samples of all blocks in parts of ``size``, the last one shorter."""
    rest = array("h")
    for block in blocks:
        rest += block
        whole = len(rest) // size * size
        yield from (rest[pos : pos + size] for pos in range(0, whole, size))
        rest = rest[whole:]
    if rest:
        yield rest


def peaks(data: Bytes, n: int = 100) -> list[float] | None:
    """Return the peaks of ``n`` parts, the highest 1.0 (zeros in silence); None and errors as for ``levels``."""
    measured = levels(data, n)
    if measured is None:
        return None
    top = max(measured.peaks)
    return [peak / top if top else 0.0 for peak in measured.peaks]
