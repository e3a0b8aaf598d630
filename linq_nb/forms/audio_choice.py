"""The audio that is chosen in the form: by a text, as a file or as a recording; and the files that are offered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from linq_nb.audio import SUFFIXES, can_transcode
from linq_nb.errors import AudioError
from linq_nb.model import VoiceMemo, source_of
from linq_nb.model.sources import same_looking
from linq_nb.text import clean, mask_text, whole_text

MAX_FILES = 200
MAX_ENTRIES = 5_000
"""Folder entries that are read at most to find files to offer: a home folder of a hub may hold millions."""

MAX_DEPTH = 3
_CUT = "?…"


class AudioChoice:
    """The chosen audio; the last choice counts.

    ``memo`` is what it loads as, None when nothing is chosen or it cannot be loaded; ``source`` is what the person
    typed, None for a file from the browser and for a recording.
    """

    def __init__(self) -> None:
        self.memo: VoiceMemo | None = None
        self.source: str | None = None
        self._loader: Callable[[bool], VoiceMemo] | None = None

    def choose_text(self, text: str) -> None:
        """Choose a path, an https URL or an attachment id; nothing with an empty text."""
        self._choose((lambda convert: _load(text, convert)) if text else None, text or None)

    def choose_file(self, name: str, data: bytes) -> None:
        """Choose a file that came from the browser."""
        self._choose(lambda convert: VoiceMemo.from_bytes(data, name, convert=convert))

    def choose_recording(self, memo: VoiceMemo | None) -> None:
        """Choose a take of the recorder; None when the last take was discarded."""
        self._choose(None if memo is None else lambda convert: memo.convert() if convert else memo)

    def load(self, *, convert: bool) -> None:
        """Load the memo, as M4A with ``convert``. Raises AudioError."""
        self.memo = None
        self.memo = self._loader(convert) if self._loader else None

    def may_convert(self) -> bool:
        """Whether the audio could not be loaded, and the ``audio`` extra may make an M4A of it."""
        has_bytes = self.source is None or os.path.isfile(_path(self.source))
        return self._loader is not None and self.memo is None and has_bytes and can_transcode()

    def _choose(self, loader: Callable[[bool], VoiceMemo] | None, source: str | None = None) -> None:
        self.memo, self._loader, self.source = None, loader, source


def _load(text: str, convert: bool) -> VoiceMemo:
    """Load the memo that a text names. Raises AudioError, also for a URL as ``shown`` cut it."""
    if source_of(text) == "url" and text.endswith(_CUT):
        raise AudioError("this address has lost its signature; nothing was sent; paste the whole address")
    return VoiceMemo.load(text, convert=convert)


def _path(text: str) -> Path:
    """Return the path that a text names, as the disk has it. Raises AudioError when several look the same."""
    return same_looking(Path(os.path.expanduser(text)))


def is_folder(text: str) -> bool:
    """Whether a text names an existing folder."""
    return source_of(text) == "file" and os.path.isdir(_path(text))


def audio_files(folder: str = "") -> list[str]:
    """Return the audio files in a folder and a little below it, nearest first, as paths that a person would type.

    Raises AudioError when a folder that is named has none.
    """
    start = _path(folder or ".")
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    paths = [f"{prefix}{file.relative_to(start).as_posix()}" for file in _files_below(start)]
    if folder and not paths:
        name = clean(Path(folder).name or folder)
        raise AudioError(f"there is no audio in the folder {name!r}; nothing was sent; type another path")
    return sorted(paths, key=lambda path: (path.count("/"), path.casefold()))[:MAX_FILES]


def shown(text: str) -> str:
    """Return what may stay in the field, and so in a saved notebook: no handle and no signature of a URL."""
    text = re.sub(r"(?s)[?#].*", _CUT, text) if source_of(text) == "url" else text
    return whole_text(mask_text(text, local=True))


def _files_below(start: Path) -> Iterator[Path]:
    entries = 0
    for root, folders, files in os.walk(start):
        depth = len(Path(root).relative_to(start).parts)
        folders[:] = sorted(name for name in folders if depth < MAX_DEPTH and not name.startswith((".", "_")))
        entries += len(folders) + len(files)
        yield from (Path(root, name) for name in files if Path(name).suffix.lower() in SUFFIXES and _is_showable(name))
        if entries > MAX_ENTRIES:
            return


def _is_showable(name: str) -> bool:
    """Whether a page may show a file name: on Linux it may be any bytes, and offered names are saved too."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return mask_text(name, local=True) == name


class FileUpload:
    """Puts the parts of one file together: a single large message would be lost with the connection."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def receive(self, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> tuple[str, bytes] | None:
        """Handle a message of the page; returns name and bytes of a file that is complete.

        Raises AudioError for a file that lost a part, or that the page refused for its size.
        """
        kind, name = content.get("what"), str(content.get("name", "")) or "memo"
        if kind == "begin":
            self._parts = []
        elif kind == "part":
            self._parts += map(bytes, buffers)
        elif kind == "end":
            data, self._parts = b"".join(self._parts), []
            if len(data) == content.get("size"):
                return name, data
            lost = f"{len(data)} of {content.get('size')} bytes of {clean(name)} arrived from the browser"
            raise AudioError(f"{lost}; nothing was sent; choose it again")
        elif kind == "refused":
            raise AudioError(f"{clean(name)} is larger than 100 MiB; nothing was sent; shorten it")
        return None
