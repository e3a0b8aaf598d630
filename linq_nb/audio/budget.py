"""The budget of decoding a memo, since a small file can hold hours of sound, and a card must not take minutes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_nb.audio.pcm import Samples

_LOOK_SECONDS, _LOOK_SAMPLES, _LOOK_CPU_S = 1800.0, 400_000_000, 3.0
CONVERT_S = 3600.0
_CONVERT_SAMPLES, _CONVERT_CPU_S = 2_000_000_000, 180.0


@dataclass(slots=True)
class Budget:
    """What is left: seconds of sound, samples of all channels, and seconds of this thread's processor time.

    The first two stop at the same place on each machine; the third is for sound that decodes slowly.
    ``heard_s`` is how much was decoded; ``was_cut`` is True when there may be more.
    """

    seconds: float
    samples: int
    cpu_s: float
    heard_s: float = 0.0
    was_cut: bool = False
    _began_at: float | None = None

    @classmethod
    def of_look(cls, seconds: float = _LOOK_SECONDS) -> Budget:
        """Return the budget for the loudness of a memo, or for a preview of so many seconds."""
        return cls(min(seconds, _LOOK_SECONDS), _LOOK_SAMPLES, _LOOK_CPU_S)

    @classmethod
    def of_convert(cls, seconds: float = CONVERT_S) -> Budget:
        """Return the budget for a conversion of at most so many seconds."""
        return cls(seconds, _CONVERT_SAMPLES, _CONVERT_CPU_S)

    def spend(self, frames: int, rate: int, channels: int) -> None:
        """Count decoded sound."""
        self.heard_s += frames / rate
        self.samples -= frames * channels

    @property
    def is_used_up(self) -> bool:
        """Whether no more may be decoded."""
        now = time.thread_time()
        if self._began_at is None:
            self._began_at = now
        is_over = self.heard_s >= self.seconds or self.samples <= 0 or now - self._began_at > self.cpu_s
        self.was_cut = self.was_cut or is_over
        return is_over

    def limit(self, blocks: Iterable[Samples], rate: int, channels: int) -> Iterator[Samples]:
        """Yield blocks of interleaved samples as long as the budget lasts."""
        for block in blocks:
            if self.is_used_up:
                return
            self.spend(len(block) // channels, rate, channels)
            yield block
