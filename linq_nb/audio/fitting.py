"""The bit rate at which sound fits into so many bytes as an M4A: chosen before anything is decoded."""

from __future__ import annotations

from linq_nb.audio import doubts, refusals

BEST_BIT_RATE = 64_000
LEAST_BIT_RATE = 24_000
"""Bits a second. Below it AAC of one voice begins to sound like a bad line."""

_HEADER_BYTES = 3000
_MARGIN = 1.1
"""FFmpeg's encoder writes up to 7 % more than it is asked for, at these rates; measured on speech, music and noise."""

_RATES = ((56_000, 48_000), (40_000, 32_000), (28_000, 24_000), (0, 16_000))
"""From a bit rate on: the highest sample rate in Hz, since few bits sound better on a narrower band."""


def longest_s(max_bytes: int) -> float:
    """Return the seconds of sound that fit into an M4A of so many bytes, at the lowest bit rate."""
    return max(0, max_bytes - _HEADER_BYTES) * 8 / (LEAST_BIT_RATE * _MARGIN)


def bit_rate(seconds: float | None, max_bytes: int) -> int:
    """Return the bit rate at which so many seconds fit, the best one where the length is not known.

    Raises Refusal, with the longest length that would fit.
    """
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise refusals.Refusal(
            f"max_bytes is a whole number from 1 on, not {max_bytes!r}; nothing was converted; "
            "leave it out for the 10 MB of a memo"
        )
    longest = longest_s(max_bytes)
    if seconds is not None and seconds > longest:
        raise too_long(seconds, max_bytes)
    return BEST_BIT_RATE if not seconds else min(BEST_BIT_RATE, int(LEAST_BIT_RATE * longest / seconds))


def most_rate(bits: int) -> int:
    """Return the highest sample rate in Hz that suits a bit rate."""
    return next(rate for least, rate in _RATES if bits >= least)


def too_long(seconds: float, max_bytes: int) -> refusals.Refusal:
    """Refuse to convert more sound than fits."""
    size = f"{max_bytes / 1e6:g} MB" if max_bytes >= 1_000_000 else f"{max_bytes / 1e3:g} kB"
    return refusals.Refusal(
        f"this is {doubts.length(seconds)} of sound, and an M4A of {size} has room for "
        f"{doubts.length(longest_s(max_bytes))}, at {LEAST_BIT_RATE // 1000} kbit/s, the least that sounds well; "
        "nothing was sent; cut it into parts first"
    )


def cut(heard_s: float, max_bytes: int) -> refusals.Refusal:
    """Refuse to convert sound that was not decoded to its end."""
    if heard_s >= longest_s(max_bytes):
        return too_long(heard_s, max_bytes)
    return refusals.Refusal(
        f"decoding took too long and was ended after {doubts.length(heard_s)} of sound; nothing was sent; "
        "cut it into parts first"
    )
