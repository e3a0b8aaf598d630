"""Doubts: what a file says twice and not alike, so that players differ in how much of it they play."""

from __future__ import annotations

_SHARE, _LEAST_S = 0.02, 0.3


def differ(one_s: float, other_s: float) -> bool:
    """Return whether two lengths in seconds differ by more than the padding of encoders explains."""
    return abs(one_s - other_s) > max(_SHARE * max(one_s, other_s), _LEAST_S)


def length(seconds: float) -> str:
    """Return a length in words, with a unit."""
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def doubt(what: str, told_s: float, other_s: float) -> str:
    """Return the doubt about a file: ``what`` is odd, and the two lengths between which players choose."""
    return f"{what}: {length(told_s)} here, but some players play {length(other_s)}"


def if_differ(what: str, told_s: float, other_s: float) -> tuple[str, ...]:
    """Return the doubt as a tuple of one, or an empty one when the lengths agree."""
    return (doubt(what, told_s, other_s),) if differ(told_s, other_s) else ()


def kind(rate: int, channels: int) -> str:
    """Return rate and channels in words."""
    return f"{rate} Hz {'mono' if channels == 1 else 'stereo' if channels == 2 else f'with {channels} channels'}"
