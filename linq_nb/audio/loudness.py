"""The loudness of a memo, and the peaks that its waveform shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from linq_nb.audio import codec
from linq_nb.audio.budget import Budget
from linq_nb.audio.measurement import Bytes, measured, view_of
from linq_nb.audio.memo_cache import cached
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

_PARTS = 3300  # so many that 44, 60 and 100 peaks are each made of whole parts
_PARTS_PER_PEAK = 10
_MOST_SQUARES = 2_000_000
_MOST_SAMPLES = 12_000_000
_LONG_RATE = 16000


@dataclass(frozen=True, slots=True)
class Levels:
    """Loudness, where 1.0 is full scale: the highest peak, the root mean square, the share of clipped samples,
    and the highest peak of each of ``n`` equal parts.

    ``seconds`` is how much was decoded; ``is_whole`` is False when the sound is longer than the budget of a look.
    """

    peak: float
    rms: float
    clipped_ratio: float
    peaks: tuple[float, ...]
    seconds: float
    is_whole: bool

    @property
    def outline(self) -> list[float]:
        """The peaks with 1.0 for the highest; zeros in silence."""
        top = max(self.peaks)
        return [peak / top if top else 0.0 for peak in self.peaks]


def levels(data: Bytes, n: int = 100) -> Levels | None:
    """Measure the loudness in ``n`` parts; None when that needs the ``audio`` extra; raises AudioError.

    PCM in WAV, AIFF and CAF needs no extra. A memo is decoded once, whatever ``n`` is, and at most to the end of the
    budget of a look: 30 minutes, or 3 s of processor time.
    """
    if n < 1:
        raise AudioError(f"a waveform has at least one part, not {n}; nothing was sent; give 1 or more")
    sound = measured(data)
    if sound.pcm is None and not codec.can_transcode():
        return None
    return listen(data, max(_PARTS, n * _PARTS_PER_PEAK)).levels(n)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a memo: the highest sample of each of many parts, 32768 at most, and the sums of the rest."""

    tops: list[int]
    rms: float
    clipped_ratio: float
    seconds: float
    is_whole: bool

    def levels(self, n: int) -> Levels:
        """Return the loudness in ``n`` parts."""
        cuts = [i * len(self.tops) // n for i in range(n + 1)]
        peaks = tuple(max(self.tops[a : max(b, a + 1)]) / 32768 for a, b in pairwise(cuts))
        return Levels(max(self.tops) / 32768, self.rms, self.clipped_ratio, peaks, self.seconds, self.is_whole)


@cached()
def listen(data: Bytes, parts: int) -> Heard:
    """Decode a memo as far as its budget lasts; the last results are kept; raises AudioError."""
    return _heard(view_of(data), measured(data), parts)


def _heard(view: memoryview, sound: Sound, parts: int) -> Heard:
    """Hear PCM as it is and compressed sound by PyAV, a long memo of it in mono at a lower rate."""
    from linq_nb.audio import pcm

    budget = Budget.of_look()
    if sound.pcm is not None:
        rate, channels = sound.rate, sound.channels
        samples = budget.limit(pcm.blocks(view, sound), rate, channels)
        high, low = pcm.extremes(sound.pcm)
    else:
        is_long = sound.seconds * sound.rate * sound.channels > _MOST_SAMPLES
        rate, channels, samples = codec.blocks(view, sound, budget, _LONG_RATE if is_long else None)
        high, low = 32767, -32768
    frames = round(min(sound.seconds, budget.seconds) * rate)
    stride = frames * channels // _MOST_SQUARES | 1  # odd, so that it meets all channels
    total = clipped = squares = squared = 0
    tops = []
    for part in pcm.cut(samples, max(1, frames // parts) * channels):
        tops.append(max(int(part.max()), -int(part.min())))
        clipped += int(((part == high) | (part == low)).sum())
        sample = part[::stride].astype("int64")
        squares += int(sample @ sample)
        squared += len(sample)
        total += len(part)
    if not total:
        raise AudioError("this file has no sound that can be decoded; nothing was sent; get the file again")
    return Heard(tops, math.sqrt(squares / squared) / 32768, clipped / total, budget.heard_s, not budget.was_cut)


def peaks(data: Bytes, n: int = 100) -> list[float] | None:
    """Return the peaks of ``n`` parts, the highest 1.0 (zeros in silence); None and errors as for ``levels``."""
    measured_levels = levels(data, n)
    return None if measured_levels is None else measured_levels.outline
