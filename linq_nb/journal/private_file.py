"""The file of a journal belongs to its user alone: its mode, its owner, and those of what SQLite keeps beside it.

Nothing here opens a file that exists, and nothing else may, except SQLite: POSIX drops all locks that a process has on
a file as soon as the process closes any descriptor of it. Another process would then delete the WAL in use.
"""

from __future__ import annotations

import contextlib
import ntpath
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from linq_nb.errors import JournalError

_BESIDE = ("", "-wal", "-shm", "-journal")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create(file: Path) -> None:
    """Make the file and the folders that it needs, for their owner only; one that exists stays as it is.

    A link is followed, as SQLite does. Raises JournalError when the file is another user's, OSError when it cannot be
    made.
    """
    file = Path(os.path.realpath(file))
    new_folders = [folder for folder in file.parents if not folder.exists()]
    for folder in reversed(new_folders):
        folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        for folder in (file.parent, *(folder.parent for folder in new_folders)):
            _sync(folder)
    for part, facts in _parts(file):
        _check_owner(part, facts)


def make_private(file: Path) -> None:
    """Take the others' rights away from a file that exists, and from those beside it."""
    for part, facts in _parts(Path(os.path.realpath(file))):
        if facts.st_mode & _OTHERS:
            with contextlib.suppress(OSError):  # a file system without modes; is_private says so
                part.chmod(stat.S_IMODE(facts.st_mode) & ~_OTHERS)


def is_private(file: Path, *, platform: str = sys.platform, home: str = os.path.expanduser("~")) -> bool:
    """Whether other users are kept out: by the mode of the file, on Windows by the rights of the user's own folder.

    False where the file system has no modes, and on Windows outside that folder.
    """
    if platform == "win32":
        return PureWindowsPath(ntpath.normpath(file)).is_relative_to(PureWindowsPath(home))
    return not any(facts.st_mode & _OTHERS for _, facts in _parts(Path(os.path.realpath(file))))


def _sync(folder: Path) -> None:
    """Put the names in a folder onto the disk, where the system can do that: a power cut must not take a new file."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parts(file: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the file and those beside it, as far as they exist; another process may delete one meanwhile."""
    for ending in _BESIDE:
        part = file.with_name(file.name + ending)
        try:
            facts = part.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(facts.st_mode):
            yield part, facts


def _check_owner(file: Path, facts: os.stat_result) -> None:
    """Refuse a file of another user, also for root: its owner could make us send again, or read what we keep.

    Some file systems give every file to one user (CIFS, NFS for root). There a new file has the same owner.
    """
    if not hasattr(os, "geteuid") or facts.st_uid == os.geteuid() or facts.st_uid == _owner_of_new(file.parent):
        return
    raise JournalError(
        f"the journal's file {file} belongs to another user of this machine (uid {facts.st_uid}); nothing was sent; "
        "choose another with journal=, or have its owner give it to you"
    )


def _owner_of_new(folder: Path) -> int | None:
    """Return the owner that a file made here would have, None when none can be made."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_uid
    except OSError:
        return None
