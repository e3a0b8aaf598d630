"""The file of a journal, seen from outside of SQLite: it is still the one that was opened, and its WAL is still there.

Committed writes are in the WAL first, so a journal that lost its WAL would open without them, and memos would go out
twice. Therefore the header of the main file carries a mark, ``user_version``: 1 says that writes are in the WAL. The
WAL itself holds a first page with 0. So the mark goes away when all of the WAL is copied into the main file, and only
then: SQLite does that when the last process closes the journal, also when Python ends without closing it, and also
when that process runs an older linq_nb.

A writer looks for the mark while it holds SQLite's write lock, and sets it when it is missing. Our checkpoints need
that lock too, so none can take the mark away between this look and the commit.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linq_nb.errors import JournalError

WAL_BYTES = 1_000_000
"""A WAL of this size is copied into the main file, so that it does not fill the disk."""

SPARE_BYTES = 250_000
"""With less space than this on the disk the WAL is copied before each write: it must not take the space that the copy
itself needs, or the journal would be locked until there is a larger disk."""

BUSY_MS = 30_000
"""How long SQLite waits for another process, in milliseconds."""

_USER_VERSION, _APPLICATION_ID = 60, 68
"""Where these stand in the first page of a database; 4 bytes each, big-endian."""

_MAGIC = b"SQLite format 3\0"
_WAL_HEAD, _FRAME_HEAD = 32, 24
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_TRIES = 5

_open_files: dict[tuple[int, int], tuple[int, int]] = {}
"""Descriptor and number of users of each journal file that is open in this process, by device and inode."""

_lock = threading.Lock()


class SqliteFile:
    """The main file of a journal with its WAL. The file exists; nothing of SQLite's has it open yet."""

    def __init__(self, file: Path, label: str) -> None:
        self.path, self.label = Path(os.path.abspath(file)), label
        real = os.path.realpath(file)  # SQLite follows links too
        self.wal, self._beside = f"{real}-wal", (f"{real}-wal", f"{real}-shm")
        self._key, self._fd = _opened(self.path)
        self.is_open = True
        self._seen: list[os.stat_result] = []
        self._has_wal_mode, self._is_clear, self._has_written, self._longest_wal = True, True, False, WAL_BYTES

    def release(self) -> None:
        """Close the descriptor, after SQLite closed the file: before, this would drop the locks of the process."""
        if not self.is_open:
            return
        key, self.is_open = self._key, False
        with _lock:
            descriptor, users = _open_files[key]
            if users > 1:
                _open_files[key] = descriptor, users - 1
            else:
                del _open_files[key]
                os.close(descriptor)

    # --- is it the file that was opened ---

    def opened(self, driver: Any) -> None:
        """Remember the files that SQLite keeps beside it; they stay as long as it is open.

        There is no WAL where the disk cannot have one: SQLite then writes into the main file.
        """
        self._has_wal_mode = driver.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        if self._has_wal_mode:
            self._seen = [os.stat(file) for file in self._beside]

    def check(self) -> None:
        """Raise JournalError when the file or its WAL was deleted, moved or replaced since it was opened."""
        if not _is_same(self.path, os.fstat(self._fd)):
            part = "file"
            advice = (
                "put it back, then connect again with linq_nb.connect(journal=...); where it is lost, with "
                "recover=True (--recover) too, which looks into each chat before it sends"
            )
        elif not all(map(_is_same, self._beside, self._seen)):  # one that is put back could be older than the file
            part, advice = "WAL", "connect again with linq_nb.connect(journal=...), which says so if writes are lost"
        else:
            return
        raise JournalError(
            f"the {part} of the journal {self.label} was deleted, moved or replaced while it was open; nothing was "
            f"sent; {advice}"
        )

    def refuse_other_kinds(self) -> None:
        """Raise JournalError for a file of another kind than SQLite's, before anything of it is changed."""
        if self._read(0, len(_MAGIC)) not in (b"", _MAGIC):
            raise JournalError(
                f"the file {self.label} is not a journal: it is no SQLite database; nothing was sent; choose another "
                "with journal="
            )

    # --- is its WAL there ---

    def refuse_without_wal(self) -> None:
        """Raise JournalError when the file says that it has a WAL, and the WAL is missing or is that of another file.

        Another process that opens or closes the journal right now may look like that for a moment.
        """
        for number in range(_TRIES):
            if self._has_wal() or not self.is_marked() or self._has_wal():
                break
            time.sleep(0.05 * (number > 0))
        else:
            raise JournalError(
                f"the journal {self.label} has lost its last writes: the file {self.wal} that holds them is missing or "
                "damaged; nothing was sent; put it back, or connect with recover=True (--recover), which looks into "
                "each chat before it sends"
            )
        if self._has_foreign_wal():
            raise JournalError(
                f"the journal {self.label} has the WAL of another journal; nothing was sent; put its own {self.wal} "
                "back, or connect with recover=True (--recover), which looks into each chat before it sends"
            )

    def set_wal_aside(self) -> None:
        """Rename a WAL that is not this journal's, and remove the index of one that is lost: SQLite would use them."""
        if self._has_foreign_wal():
            os.replace(self.wal, f"{self.wal}-set-aside")
        if self.is_marked() and not self._has_wal():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._beside[1])

    def is_marked(self) -> bool:
        """Whether the main file says that writes are in the WAL."""
        return self._header(_USER_VERSION) != bytes(4)

    def _header(self, offset: int) -> bytes:
        return self._read(offset, 4) or bytes(4)

    def _read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, size, offset)
        with _lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, size)

    def _has_wal(self) -> bool:
        return self._wal_page()[:4] in _WAL_MAGIC

    def _has_foreign_wal(self) -> bool:
        """Whether the WAL begins with the first page of another database, as a WAL of ours mostly does."""
        wal, mine = self._wal_page(), self._header(_APPLICATION_ID)
        frame, page = wal[_WAL_HEAD:], wal[_WAL_HEAD + _FRAME_HEAD :]
        is_first_page = wal[:4] in _WAL_MAGIC and frame[:4] == b"\0\0\0\1" and frame[8:16] == wal[16:24]
        its = page[_APPLICATION_ID : _APPLICATION_ID + 4]
        return is_first_page and mine != bytes(4) and its not in (mine, bytes(4))

    def _wal_page(self) -> bytes:
        """Return the WAL's head and the beginning of its first page."""
        with contextlib.suppress(OSError), open(self.wal, "rb") as wal:  # nobody holds locks on the WAL itself
            return wal.read(_WAL_HEAD + _FRAME_HEAD + 100)
        return b""

    # --- the mark, and the size of the WAL ---

    def begin(self, driver: Any, begin: Callable[[], None]) -> None:
        """Begin a transaction that writes, with the mark set; raises SQLite's error when others keep it from that."""
        if not self._has_wal_mode:
            begin()
            return
        if not self._is_clear:
            self.clear(driver)
            self._is_clear = True
        self._shorten_long_wal(driver)
        deadline = time.monotonic() + BUSY_MS / 1000
        while time.monotonic() < deadline:
            begin()
            if self.is_marked():
                self._has_written = True
                return
            driver.rollback()
            if not self._checkpoint(driver, BUSY_MS):
                time.sleep(0.01)  # others make one at the same time, and SQLite does not wait for that
        raise sqlite3.OperationalError("database is locked: another program reads it and does not end")

    def shorten_wal(self, driver: Any) -> None:
        """Copy the WAL into the main file; nobody is waited for. SQLite takes the mark away when it closes the file."""
        if self._has_written:
            self._has_written = not self._try_checkpoint(driver)
        if not self._is_clear:  # an interrupt: a file that is closed with the 1 in its WAL would keep the mark
            self.clear(driver)
            self._is_clear = True

    def clear(self, driver: Any) -> None:
        """Put the 0 into the WAL where it is missing: a process was killed in a checkpoint, or the WAL was lost."""
        if driver.execute("PRAGMA user_version").fetchone() != (0,):
            driver.execute("PRAGMA user_version = 0")

    def _shorten_long_wal(self, driver: Any) -> None:
        size = os.stat(self.wal).st_size
        if size > self._longest_wal:
            is_done = self._try_checkpoint(driver)
            self._longest_wal = WAL_BYTES if is_done else size + WAL_BYTES // 4
        elif self._has_written and shutil.disk_usage(self.path.parent).free < SPARE_BYTES:
            self._try_checkpoint(driver)

    def _try_checkpoint(self, driver: Any) -> bool:
        """Make a checkpoint unless somebody else is at work or the disk is full."""
        try:
            return self._checkpoint(driver, 0)
        except sqlite3.Error:
            return False

    def _checkpoint(self, driver: Any, busy_ms: int) -> bool:
        """Copy the WAL into the main file and leave the mark there; returns False when others kept it from that.

        Outside a transaction. The 0 goes into the WAL again in the end, and with it the WAL starts anew.
        """
        try:
            driver.execute(f"PRAGMA busy_timeout = {busy_ms}")
            if driver.execute("PRAGMA application_id").fetchone() == (0,):
                driver.execute(f"PRAGMA application_id = {secrets.randbelow(2**31 - 1) + 1}")
            self._is_clear = False  # before the statement: an interrupt may come right after it
            driver.execute("PRAGMA user_version = 1")
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            return not busy
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            if not self._is_clear:
                self.clear(driver)
                self._is_clear = True


def _is_same(file: str | Path, facts: os.stat_result) -> bool:
    """Whether the file that has this name now is the one that had these facts."""
    try:
        return os.path.samestat(os.stat(file), facts)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _opened(file: Path) -> tuple[tuple[int, int], int]:
    """Return device and inode of a file, and a descriptor that all journals of this process on it share."""
    with _lock:
        facts = os.stat(file)
        key = facts.st_dev, facts.st_ino
        if key not in _open_files:
            _open_files[key] = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0)), 0
        descriptor, users = _open_files[key]
        _open_files[key] = descriptor, users + 1
        return key, descriptor
