"""Doubts: what a file says twice and not alike, so that players differ in how much of it they play."""

from __future__ import annotations

from linq_nb.audio import refusals

_SHARE, _LEAST_S = 0.02, 0.3
_LEAST_PART = 0.1
"""A file that holds less of what its header claims is refused as cut off."""

PLACEHOLDER_BYTES = 0x7F000000
"""From this size on a 32-bit size field is no size: programs that write to a pipe leave 2 or 4 GiB there, or 0."""

MEND = "memo.convert() makes an M4A that all play alike"


def differ(seconds: float, other_s: float) -> bool:
    """Return whether two lengths in seconds differ by more than the padding of encoders explains."""
    return abs(seconds - other_s) > max(_SHARE * max(seconds, other_s), _LEAST_S)


def length(seconds: float) -> str:
    """Return a length in words, with a unit."""
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def doubt(fault: str, seconds: float, other_s: float, verb: str = "play") -> str:
    """Return the doubt about a file: the ``fault``, the two lengths between which players choose, and the mend."""
    return f"{fault}: {length(seconds)} here, but some players {verb} {length(other_s)}; {MEND}"


def if_differ(fault: str, seconds: float, other_s: float, verb: str = "play") -> tuple[str, ...]:
    """Return the doubt as a tuple of one, or an empty one when the lengths agree."""
    return (doubt(fault, seconds, other_s, verb),) if differ(seconds, other_s) else ()


def shown(fault: str, seconds: float, shown_s: float) -> tuple[str, ...]:
    """Return the doubt about a file of which players play as much, but show another length."""
    return if_differ(fault, seconds, shown_s, "show")


def pieces(seconds: float, first_bytes: int, last_bytes: int) -> tuple[str, ...]:
    """Return the doubt about a file of several pieces of sound: FFmpeg plays the last one, others play the first."""
    return (doubt("the file has more than one piece of sound", seconds, seconds * first_bytes / last_bytes),)


def claimed(format_name: str, seconds: float, claimed_s: float, *, is_placeholder: bool) -> tuple[str, ...]:
    """Return the doubt about a header that claims another length than the sound in the file has.

    Raises Refusal where the file holds hardly anything of what it claims.
    """
    if is_placeholder:
        return shown("its header has no true size, as in a file written to a pipe", seconds, claimed_s)
    if seconds < _LEAST_PART * claimed_s and differ(seconds, claimed_s):
        kept = f"{length(seconds)} of {length(claimed_s)} of its sound are in the file"
        raise refusals.cut_off(f"{format_name} file is cut off: {kept}")
    return shown("its header claims more sound than the file holds", seconds, claimed_s) if seconds < claimed_s else ()


def unheard(fault: str, seconds: float, whole_s: float) -> tuple[str, ...]:
    """Return the doubt about a file of which players play the first part only; a conversion makes all of it heard."""
    if not differ(seconds, whole_s):
        return ()
    return (f"{fault}: players play {length(seconds)} of {length(whole_s)}; memo.convert() makes one M4A of all of it",)


def kind(rate: int, channels: int) -> str:
    """Return rate and channels in words."""
    return f"{rate} Hz {'mono' if channels == 1 else 'stereo' if channels == 2 else f'with {channels} channels'}"
