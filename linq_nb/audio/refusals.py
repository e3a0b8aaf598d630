"""Refusals of a file, in one line: what it is, why it cannot be sent, and what to do."""

from __future__ import annotations

from linq_nb.audio.formats import FORMATS

_LABELS = [facts.label for facts in FORMATS.values()]
ACCEPTED = f"Linq takes {', '.join(_LABELS[:-1])} and {_LABELS[-1]}"
INSTALL = "`pip install linq_nb[audio]`"


class Refusal(Exception):
    """The reason why bytes are no memo; ``measurement`` turns it into an AudioError."""

    def __init__(self, message: str, convertible: bool = False) -> None:
        super().__init__(message)
        self.convertible = convertible


def convertible(description: str) -> Refusal:
    """Refuse audio that ``convert`` can turn into an M4A."""
    advice = f"load it with convert=True (--convert in a magic) for an M4A, which needs {INSTALL}"
    return Refusal(f"this is {description}; {ACCEPTED}; nothing was sent; {advice}", convertible=True)


def other_audio(description: str) -> Refusal:
    """Refuse audio that ``convert`` cannot read either."""
    return Refusal(f"this is {description}; {ACCEPTED}; nothing was sent; export it as one of these")


def not_audio(description: str) -> Refusal:
    """Refuse a file that is no audio."""
    return Refusal(f"this is {description}; {ACCEPTED}; nothing was sent; choose an audio file")


def cut_off(description: str) -> Refusal:
    """Refuse a file whose sound is missing, wholly or in part."""
    return Refusal(f"this {description}; nothing was sent; get the file again")


def no_sound(format_name: str) -> Refusal:
    """Refuse a file of a known format that is all header."""
    return cut_off(f"{format_name} file has a header and no sound")


def damaged(description: str) -> Refusal:
    """Refuse a file of a known format whose structure cannot be read."""
    return Refusal(f"this {description} file is damaged; nothing was sent; get it again or export it anew")
