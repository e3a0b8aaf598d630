"""The one line that says what a file is, why it cannot go, and what to do."""

from __future__ import annotations

from linq_nb.audio.formats import FORMATS

_LABELS = [facts.label for facts in FORMATS.values()]
TAKEN = f"Linq takes {', '.join(_LABELS[:-1])} and {_LABELS[-1]}"
INSTALL = "`pip install linq_nb[audio]`"


class Refusal(Exception):
    """Why bytes are no memo; ``measuring`` turns it into an AudioError on the way out."""

    def __init__(self, message: str, convertible: bool = False) -> None:
        super().__init__(message)
        self.convertible = convertible


def convertible(what: str) -> Refusal:
    """Audio that Linq refuses and that ``convert`` can turn into an M4A."""
    advice = f"load it with convert=True (--convert in a magic) for an M4A, which needs {INSTALL}"
    return Refusal(f"this is {what}; {TAKEN}; {advice}", convertible=True)


def other_audio(what: str) -> Refusal:
    """Audio that Linq refuses and that we cannot convert either."""
    return Refusal(f"this is {what}; {TAKEN}; export it as one of these")


def not_audio(what: str) -> Refusal:
    """Something that is no audio at all."""
    return Refusal(f"this is {what}; {TAKEN}; choose an audio file")


def cut_off(what: str) -> Refusal:
    """A file whose sound is missing, wholly or in part."""
    return Refusal(f"this {what}; get the file again")


def damaged(what: str) -> Refusal:
    """A file of a known format whose structure cannot be read."""
    return Refusal(f"this {what} file is damaged; get it again or export it anew")
