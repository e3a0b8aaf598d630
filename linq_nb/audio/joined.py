"""Files joined end to end (``cat a.wav b.wav``): players play the first one, and nobody hears the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice

from linq_nb.audio import doubts
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound

_MOST_FILES = 1000

# format -> the bytes that begin a file, and how many stand before them
_STARTS: Mapping[str, tuple[re.Pattern[bytes], int]] = {
    "wav": (re.compile(rb"RIFF....WAVE", re.DOTALL), 0),
    "aiff": (re.compile(rb"FORM....AIF[FC]", re.DOTALL), 0),
    "caf": (re.compile(rb"caff\x00\x01\x00\x00desc"), 0),
    "m4a": (re.compile(rb"ftyp(?:M4A |M4B |mp4|iso|dash|qt  |3gp)"), 4),
    "amr": (re.compile(rb"#!AMR(?:-WB)?\n"), 0),
}


def parts(view: memoryview, sound: Sound, read: Callable[[memoryview], Sound]) -> Sound:
    """Return the sound of a container with the files that follow it, measured by ``read``, and the doubt about them."""
    pattern, before = _STARTS[sound.format]
    starts = [match.start() - before for match in islice(pattern.finditer(view, before + 1), _MOST_FILES)]
    if not starts and sound.goes_on:
        starts = [sound.goes_on]
    if not starts:
        return sound
    ranges, whole_s = [], 0.0
    for start, end in zip([0, *starts], [*starts, len(view)], strict=True):
        try:
            seconds = read(view[start:end]).seconds
        except (Refusal, ArithmeticError, LookupError, ValueError):
            continue
        ranges.append((start, end))
        whole_s += seconds
    if len(ranges) < 2:
        return sound
    what = f"the file is {len(ranges)} files joined end to end"
    return replace(
        sound,
        parts=tuple(ranges),
        whole_s=whole_s,
        goes_on=0,
        browser=False,
        doubts=doubts.unheard(what, sound.seconds, whole_s) or sound.doubts,
    )
