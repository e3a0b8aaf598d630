"""Errors of the database as one line of our own: what happened, that nothing was sent, what to do next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from linq_nb.errors import JournalError
from linq_nb.journal.place import Host, lock_advice, place_of, this_host
from linq_nb.text import mask_text

FAULTS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, ImportError, UnicodeError, OverflowError)
"""What opening, reading or writing a database can raise, beside the errors of its driver."""

_ADVICE = {
    "password": "correct the user or the password in its URL",
    "resolve host": "correct the host in its URL",
    "translate host": "correct the host in its URL",
    "'idna' codec": "correct the host in its URL",
    'database "': "have the database made, or correct its name in the URL",
    "Connection refused": "start the server, or correct host and port in its URL",
    "server closed the connection": "start the server, or wait until it runs again",
    "database system is": "wait until the server runs again",
    "permission denied": "have the right granted to its user",
    "too many": "close other connections",
    "Connection is closed": "connect again with linq_nb.connect()",
    "database is locked": "wake or end the notebook or program that holds it",
}
"""Words of a database's error, and what helps."""

_LOCK_TROUBLE = ("database is locked", "locking protocol", "disk I/O error", "unable to open database")
"""Words of SQLite's errors where a file system cannot give it locks or shared memory."""


@contextlib.contextmanager
def explained(action: str, label: str, *driver_errors: type[Exception]) -> Iterator[None]:
    """Raise JournalError for an error of the database; ``action`` says what could not be done to the journal."""
    try:
        yield
    except (*FAULTS, *driver_errors) as error:
        origin = getattr(error, "orig", None) or error
        text = mask_text(" ".join(str(origin).split())[:200])
        raise JournalError(
            f"the journal {label} could not be {action} ({text}); nothing was sent; {advice(origin, label)}"
        ) from error


def advice(error: object, label: str, host: Host | None = None) -> str:
    """Say what to do about an error of the journal at ``label``, the path of its file or a URL."""
    if isinstance(error, ImportError):
        return 'install what it needs with pip install "linq_nb[team]", or choose another with journal='
    text = str(error)
    todo = next((todo for words, todo in _ADVICE.items() if words in text), "free or repair it")
    if any(words in text for words in _LOCK_TROUBLE) and "://" not in label:
        place = place_of(label, host or this_host())
        todo = lock_advice(place.name) if place.is_shared else todo
    return f"{todo}, or choose another with journal="
