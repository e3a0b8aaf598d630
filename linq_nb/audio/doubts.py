"""Doubts: what a file says twice and not alike, so that players differ in how much of it they play."""

from __future__ import annotations

from linq_nb.audio import refusals

_SHARE, _LEAST_S = 0.02, 0.3
_LEAST_PART = 0.1
"""A file that holds less of what its header claims is refused as cut off."""

PLACEHOLDER_BYTES = 0x7F000000
"""From this size on a 32-bit size field is no size: programs that write to a pipe leave 2 or 4 GiB there, or 0."""

MEND = "memo.convert() makes an M4A that all play alike"


def differ(one_s: float, other_s: float) -> bool:
    """Return whether two lengths in seconds differ by more than the padding of encoders explains."""
    return abs(one_s - other_s) > max(_SHARE * max(one_s, other_s), _LEAST_S)


def length(seconds: float) -> str:
    """Return a length in words, with a unit."""
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def doubt(what: str, told_s: float, other_s: float) -> str:
    """Return the doubt about a file: ``what`` is odd, the two lengths between which players choose, and the mend."""
    return f"{what}: {length(told_s)} here, but some players play {length(other_s)}; {MEND}"


def if_differ(what: str, told_s: float, other_s: float) -> tuple[str, ...]:
    """Return the doubt as a tuple of one, or an empty one when the lengths agree."""
    return (doubt(what, told_s, other_s),) if differ(told_s, other_s) else ()


def shown(what: str, told_s: float, shown_s: float) -> tuple[str, ...]:
    """Return the doubt about a file of which players play as much, but show another length."""
    if not differ(told_s, shown_s):
        return ()
    return (f"{what}: {length(told_s)} here, but some players show {length(shown_s)}; {MEND}",)


def claimed(format_name: str, told_s: float, claimed_s: float, *, is_placeholder: bool = False) -> tuple[str, ...]:
    """Return the doubt about a header that claims another length than the sound in the file has.

    Raises Refusal where the file holds hardly anything of what it claims.
    """
    if is_placeholder:
        return shown("its header has no true size, as in a file written to a pipe", told_s, claimed_s)
    if told_s < _LEAST_PART * claimed_s and differ(told_s, claimed_s):
        kept = f"{length(told_s)} of {length(claimed_s)} of its sound are in the file"
        raise refusals.cut_off(f"{format_name} file is cut off: {kept}")
    return shown("its header claims more sound than the file holds", told_s, claimed_s) if told_s < claimed_s else ()


def unheard(what: str, told_s: float, whole_s: float) -> tuple[str, ...]:
    """Return the doubt about a file of which players play the first part only; a conversion makes all of it heard."""
    if not differ(told_s, whole_s):
        return ()
    return (f"{what}: players play {length(told_s)} of {length(whole_s)}; memo.convert() makes one M4A of all of it",)


def kind(rate: int, channels: int) -> str:
    """Return rate and channels in words."""
    return f"{rate} Hz {'mono' if channels == 1 else 'stereo' if channels == 2 else f'with {channels} channels'}"
