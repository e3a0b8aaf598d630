"""The loudness of a memo, and the peaks that its waveform shows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
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


class _Meter:
    """Keeps one peak a block of the samples that it is fed."""

    def __init__(self, block: int, stride: int, high: int, low: int) -> None:
        self.block, self.stride, self.high, self.low = block, stride, high, low
        self.peaks = array("H")
        self.samples = self.clipped = self.squares = self.squared = 0
        self._open = 0  # samples in the last block so far

    def feed(self, samples: array[int]) -> None:
        """Add interleaved 16-bit samples."""
        sample = samples[:: self.stride]
        self.squares += sum(map(mul, sample, sample))
        self.squared += len(sample)
        self.samples += len(samples)
        pos = 0
        while pos < len(samples):
            part = samples[pos : pos + self.block - self._open]
            self._add(part)
            pos += len(part)

    def _add(self, part: array[int]) -> None:
        """Add samples that all belong to the block under way."""
        top, bottom = max(part), min(part)
        if top >= self.high or bottom <= self.low:
            self.clipped += part.count(self.high) + part.count(self.low)
        peak = max(top, -bottom)
        if self._open:
            self.peaks[-1] = max(self.peaks[-1], peak)
        else:
            self.peaks.append(peak)
        self._open = (self._open + len(part)) % self.block

    def levels(self, n: int) -> Levels:
        """Return the measured levels in ``n`` parts."""
        total = len(self.peaks)
        cuts = [i * total // n for i in range(n + 1)]
        parts = tuple(max(self.peaks[a : max(b, a + 1)]) / 32768 for a, b in pairwise(cuts))
        rms = math.sqrt(self.squares / self.squared) / 32768
        return Levels(max(self.peaks) / 32768, rms, self.clipped / self.samples, parts)


@cached
def levels(data: Bytes, n: int = 100) -> Levels | None:
    """Measure the loudness in ``n`` parts; None when that needs the ``audio`` extra; raises AudioError.

    PCM in WAV, AIFF and CAF needs no extra.
    """
    if n < 1:
        raise AudioError(f"a waveform has at least one part, not {n}")
    view = view_of(data)
    sound = measure(view)
    if sound.pcm is not None:
        high, low = pcm.extremes(sound.pcm)
        frames = round(sound.seconds * sound.rate)
        block, stride = _steps(frames, sound.channels, n)
        return _measured(pcm.blocks(view, sound, block), _Meter(block * sound.channels, stride, high, low), n)
    if not codec.can_transcode():
        return None
    return _decoded_levels(view, sound, n)


def _steps(frames: int, channels: int, n: int) -> tuple[int, int]:
    """Return the frames of a block, and the step between squared samples: odd, so that it meets all channels."""
    return max(1, frames // (n * _BLOCKS_PER_PEAK)), frames * channels // _MOST_SQUARES | 1


def _decoded_levels(view: memoryview, sound: Sound, n: int) -> Levels:
    """Measure compressed sound by PyAV; a long memo in mono at a lower rate."""
    is_long = sound.seconds * sound.rate * sound.channels > _MOST_SAMPLES
    rate, channels, samples = codec.blocks(view, _LONG_RATE if is_long else None)
    block, stride = _steps(round(sound.seconds * rate), channels, n)
    return _measured(samples, _Meter(block * channels, stride, 32767, -32768), n)


def _measured(samples: Iterable[array[int]], meter: _Meter, n: int) -> Levels:
    for block in samples:
        if block:
            meter.feed(block)
    if not meter.samples:
        raise AudioError("this file has no sound that can be decoded; get the file again")
    return meter.levels(n)


def peaks(data: Bytes, n: int = 100) -> list[float] | None:
    """Return the peaks of ``n`` parts, the highest 1.0 (zeros in silence); None and errors as for ``levels``."""
    measured = levels(data, n)
    if measured is None:
        return None
    top = max(measured.peaks)
    return [peak / top if top else 0.0 for peak in measured.peaks]
