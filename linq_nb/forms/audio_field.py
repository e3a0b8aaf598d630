"""What a person types as audio, and the files that are offered for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from linq_nb.audio import SUFFIXES
from linq_nb.errors import AudioError
from linq_nb.model import VoiceMemo, source_of
from linq_nb.text import clean, mask_text

MOST_FILES = 200
MOST_LOOKED_AT = 5_000
"""So many entries of folders are looked at for files to offer: a home folder of a hub may hold millions."""

DEPTH = 3
_CUT = "?…"


def load(text: str, convert: bool) -> VoiceMemo:
    """Load the memo that a text stands for; raises AudioError, also for a URL as ``shown`` cut it."""
    if source_of(text) == "url" and text.endswith(_CUT):
        raise AudioError("the address is shown without what signs it; paste it whole; nothing was sent")
    return VoiceMemo.load(text, convert=convert)


def folder_of(text: str) -> str | None:
    """Return the folder that a text names, None where it names none."""
    try:
        return text if text and source_of(text) == "file" and Path(text).expanduser().is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, an unknown user, a null byte
        return None


def is_file(text: str) -> bool:
    """Whether a text names a file that is there."""
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # too long, an unknown user, a null byte
        return False


def audio_files(folder: str = "") -> list[str]:
    """Return paths of audio files in a folder and a little below it, the nearest first, written as one types them."""
    start = Path(folder or ".").expanduser()
    lead = f"{folder.rstrip('/')}/" if folder else ""
    found = [f"{lead}{one.relative_to(start).as_posix()}" for one in _below(start)]
    return sorted(found, key=lambda path: (path.count("/"), path.casefold()))[:MOST_FILES]


def shown(text: str) -> str:
    """Return what may stay in the field, and so in a saved notebook: no handle, nothing that may sign a URL."""
    return mask_text(re.sub(r"(?s)[?#].*", _CUT, text) if source_of(text) == "url" else text)


def none_there(text: str) -> AudioError:
    """Say that a folder holds nothing to send."""
    return AudioError(f"there is no audio in the folder {clean(Path(text).name or text)!r}; nothing was sent")


def _below(start: Path) -> Iterator[Path]:
    looked = 0
    for root, folders, files in os.walk(start):
        deep = len(Path(root).relative_to(start).parts)
        folders[:] = sorted(one for one in folders if deep < DEPTH and not one.startswith((".", "_")))
        looked += len(folders) + len(files)
        yield from (Path(root, one) for one in files if Path(one).suffix.lower() in SUFFIXES and _is_fit(one))
        if looked > MOST_LOOKED_AT:
            return


def _is_fit(name: str) -> bool:
    """Whether a page may be told this name: on Linux it may be any bytes, and what is offered is saved too."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return mask_text(name) == name
