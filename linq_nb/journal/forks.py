"""Forks while journals are open: SQLite is not made for them.

A child inherits what SQLite remembers of its locks, but not the locks. A connection that the child then opens to the
same file would hold none, and what it writes could be lost. So a fork waits until no thread of this process is in a
transaction, and the child closes what it inherited before it does anything else. That neither ends the parent's locks
nor changes its files: those locks are the parent's own, and the last to close a file is found by them.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from typing import Any

from linq_nb.errors import JournalError

WAIT_S = 5.0
"""How long a fork waits for transactions to end, in seconds."""


opening = threading.Lock()
"""Held while a database is opened, so that no fork comes before it is in ``databases``."""

databases: weakref.WeakSet[Any] = weakref.WeakSet()
"""The databases that this process has opened."""

_held: list[Any] = []
_is_opening_held = False
_is_torn = False
"""Whether this process was forked in the middle of a transaction, so that it cannot use SQLite files."""


def check_whole(label: str) -> None:
    """Refuse to open an SQLite file in a child that was forked in the middle of a transaction."""
    if _is_torn:
        raise JournalError(
            f"this process was forked while its parent wrote to a journal, so {label} cannot be opened safely here; "
            "nothing was sent; fork again, or start the process by spawn"
        )


def _before() -> None:
    global _is_opening_held
    _is_opening_held = opening.acquire(timeout=WAIT_S)
    _held[:] = [database for database in list(databases) if database.hold(WAIT_S)]


def _after_in_parent() -> None:
    for database in _held:
        database.release()
    _held.clear()
    if _is_opening_held:
        opening.release()


def _after_in_child() -> None:
    global opening, _is_torn
    inherited = list(databases)
    _is_torn = _is_torn or not _is_opening_held or len(_held) < len(inherited)
    for database in inherited:
        if database in _held:
            database.abandon()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))  # never freed: that would end the parent's sessions
    databases.clear()
    _held.clear()
    opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
