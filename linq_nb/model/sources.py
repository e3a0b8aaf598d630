"""Sources of memos: a text as a URL, an attachment or a path, and the reading of files; and the ids of sends."""

from __future__ import annotations

import functools
import itertools
import os
import re
import uuid
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from linq_nb.audio import MAX_UPLOAD_BYTES
from linq_nb.errors import AudioError
from linq_nb.text import difference, visual_key, writable

_PART_BYTES = 1 << 20
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def send_id(base_url: str, chat_id: str, content: str, copy: int) -> str:
    """Name the send of ``content`` to a chat: the same question has the same id on every machine."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{base_url}\n{chat_id}\n{content}\n{copy}"))


def source_of(text: str) -> Literal["url", "attachment", "file"]:
    """Say what a text names: a scheme (``https://``) makes a URL, a uuid an attachment, all else is a path."""
    if _SCHEME.match(text):
        return "url"
    return "attachment" if is_uuid(text) else "file"


def is_uuid(text: object) -> bool:
    """Whether this is a uuid in its usual form with hyphens."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def split_url(url: str) -> Any:
    """Return the parts of a URL; raises AudioError for a text that is not a URL."""
    refusal = AudioError("this is not a URL; nothing was sent; give an https URL of an audio file")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise refusal from None
    if not parts.scheme or not parts.hostname or any(char.isspace() for char in url) or url != writable(url):
        raise refusal
    return parts


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` replaced by the home folder; raises AudioError when there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise AudioError(
            "the path begins with the home folder of an unknown user; nothing was sent; give the whole path"
        ) from None


def same_looking(path: Path) -> Path:
    """Return a path as it is on the disk: where nothing is there, the only one that looks the same.

    macOS, copies and pasted text write accents, quotes and spaces in several ways. Raises AudioError when several
    files look the same.
    """
    here = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        name = part
        if not os.path.lexists(here / part):
            names = [other for other in _names_in(here) if visual_key(other) == visual_key(part)]
            if len(names) > 1:
                differ = "; ".join(f"of one, {difference(other, part)}" for other in names)
                raise AudioError(f"{len(names)} files are called {part!r} ({differ}); nothing was sent; rename one")
            if not names:
                return path
            name = names[0]
        here /= name
    return here


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def read_file(file: Path) -> bytes:
    """Read a file of at most 100 MiB, the limit of an upload; raises AudioError.

    The messages name no folder of this machine: a relative path as it was given, else the file name alone.
    """
    shown = file.name if file.is_absolute() else os.fspath(file)
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            raise AudioError(
                f"{shown!r} is a device or a pipe, not an audio file; nothing was sent; choose an audio file"
            )
        with file.open("rb") as stream:
            parts = iter(functools.partial(stream.read, _PART_BYTES), b"")
            data = b"".join(itertools.islice(parts, MAX_UPLOAD_BYTES // _PART_BYTES + 1))
    except FileNotFoundError:
        where = " at that path" if file.is_absolute() else f", seen from the folder {Path.cwd().name!r}"
        raise AudioError(f"there is no file {shown!r}{where}; nothing was sent; check the path") from None
    except IsADirectoryError:
        raise AudioError(f"{shown!r} is a folder, not an audio file; nothing was sent; choose an audio file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not valid"
        raise AudioError(
            f"cannot read {shown!r}: {why}; nothing was sent; check its permissions, or choose another file"
        ) from None
    if len(data) > MAX_UPLOAD_BYTES:
        raise AudioError(
            f"{file.name!r} is larger than 100 MiB; Linq takes memos up to 10 MB; nothing was sent; shorten it"
        )
    return data
