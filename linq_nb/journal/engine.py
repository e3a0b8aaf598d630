"""The database of a journal: SQLite or PostgreSQL, its transactions and its locks.

SQLite has one connection for each journal, used by one thread at a time. PostgreSQL has a pool of connections.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from linq_nb.errors import JournalError
from linq_nb.journal import faults, forks
from linq_nb.journal.private_file import create, make_private
from linq_nb.journal.sqlite_file import BUSY_MS, WAL_BYTES, SqliteFile
from linq_nb.process import Home

POOL = 16
"""Connections to a server at most, shared by all threads: each is held for a moment, and servers allow about 100."""

PARAMETERS = 500
"""Values in one statement at most: an old SQLite takes 999."""

_LOCK = "SELECT pg_advisory_xact_lock(%(key)s::BIGINT)"
"""An advisory lock, held until the transaction ends; it works through a pooler such as PgBouncer too."""

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # one fsync a commit; ``write`` can do without
    "fullfsync=ON",  # on macOS, whose fsync leaves data in the disk's own memory; elsewhere it does nothing
    f"busy_timeout={BUSY_MS}",
    "wal_autocheckpoint=0",  # SqliteFile makes the checkpoints
    f"journal_size_limit={WAL_BYTES}",  # what is written over is synced faster than what is new
)

_IN_MEMORY = ("page_size=16384",)
"""Larger pages take less work for many rows; in a file each small commit would write them whole."""

_DURABLE = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
"""A commit is on the server's disk when it returns, whatever the default of user or database is."""


_SERVER_NOW = sa.literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", sa.BigInteger)


class Database:
    """The database at a URL of SQLAlchemy's form.

    ``wall`` gives the time in seconds since 1970, for leases and waits; without it a server gives its own. ``recover``
    opens a file whose WAL is lost. Raises JournalError when it cannot be opened, read or written.
    """

    def __init__(self, url: str, wall: Callable[[], float] | None = None, *, recover: bool = False) -> None:
        self.url, self.wall, self.home = _parsed(url), wall or time.time, Home("journal")
        self.own_wall: Callable[[], float] | None = None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._has_server_clock = not self.is_sqlite and wall is None
        self.in_memory = self.is_sqlite and not _file(self.url)
        self.label = _label(self.url)
        self._turn = threading.RLock()  # only SQLite has one user at a time
        self._locked_at = 0.0
        self._locked_error: Exception | None = None
        self._file: SqliteFile | None = None
        self._lost: JournalError | None = None
        self._is_synced = True
        with faults.explained("opened", self.label):
            self._open(recover)
        self._errors: tuple[type[Exception], ...] = (self.engine.dialect.loaded_dbapi.Error,)

    def _open(self, recover: bool) -> None:
        with forks.opening:
            if file := _file(self.url) if self.is_sqlite else None:
                forks.check_whole(self.label)
                for other in list(forks.databases):
                    other.close_if_lost()
                create(file)
                self._file = SqliteFile(file, self.label)
            try:
                if file is not None and self._file is not None:
                    self._file.refuse_other_kinds()
                    make_private(file)
                    if recover:
                        self._file.set_wal_aside()
                    else:
                        self._file.refuse_without_wal()
                self.engine = _sqlite(self.url) if self.is_sqlite else _server(self.url)
                self._connection = self.engine.connect() if self.is_sqlite else None
            except BaseException:
                if self._file is not None:
                    self._file.release()
                raise
            forks.databases.add(self)

    @property
    def is_real_time(self) -> bool:
        """Whether the journal's clock shows the real time, not one that a caller made."""
        return self._has_server_clock or self.wall is self.own_wall

    def now(self) -> int | None:
        """Return the time in microseconds since 1970 by the journal's clock, None where only the server knows it."""
        return None if self._has_server_clock else int(self.wall() * 1e6)

    def clock(self) -> sa.ColumnElement[int]:
        """Return the time by the journal's clock as SQL; a prepared statement gets ``now()`` as ``now_us``."""
        now = sa.bindparam("now_us", self.now(), type_=sa.BigInteger)
        return now if self.is_sqlite else sa.func.coalesce(now, _SERVER_NOW)

    def close(self) -> None:
        """Close the database; in a forked child do nothing, since it is the parent's."""
        if not self.home.is_here:
            return
        with self._turn:  # closing SQLite's connection while another thread uses it would crash the process
            self.shorten_wal()
            self._close_connection()

    def shorten_wal(self) -> None:
        """Copy the WAL into the main file, unless others are at work or the disk is full; nobody is waited for."""
        with self._turn, contextlib.suppress(SQLAlchemyError, OSError, *self._errors):
            if self._file is not None and (driver := self._driver()) is not None:
                self._file.shorten_wal(driver)

    def _driver(self) -> Any:
        """Return the driver's connection to SQLite, None when it is closed."""
        connection = self._connection
        return None if connection is None or connection.closed else connection.connection.driver_connection

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self.engine.dispose()
        if self._file is not None:
            self._file.release()

    # --- forks ---

    def hold(self, seconds: float) -> bool:
        """Let no transaction begin until ``release``; returns False when one goes on for longer than these seconds."""
        if not self.is_sqlite:
            return True
        if not self._turn.acquire(timeout=seconds):
            return False
        driver = None if self.in_memory else self._driver()
        if driver is not None and driver.in_transaction:  # of the thread that forks
            self._turn.release()
            return False
        return True

    def release(self) -> None:
        """Let transactions begin again."""
        if self.is_sqlite:
            self._turn.release()

    def abandon(self) -> None:
        """Close a file in a forked child, where it is the parent's."""
        if (driver := self._driver()) is not None:
            driver.close()

    # --- transactions ---

    @contextlib.contextmanager
    def opening(self) -> Iterator[sa.Connection]:
        """Begin the transaction that brings the schema up to date."""
        with self._transaction("opened", "schema") as db:
            if self._file is not None:
                self._file.clear(db.connection.driver_connection)
            yield db
            if self._file is not None:
                self._file.opened(db.connection.driver_connection)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction to read in."""
        return self._transaction("read")

    def write(self, *locks: str, is_synced: bool = True) -> AbstractContextManager[sa.Connection]:
        """Begin a transaction to write in, after taking these locks; an exception in it undoes what it wrote.

        Its commit is on the disk when it returns; without ``is_synced`` it may be there with a later one only. A crash
        of the process loses neither, a power cut only the latter.
        """
        return self._transaction("written", *locks, is_synced=is_synced)

    @contextlib.contextmanager
    def _transaction(self, action: str, *locks: str, is_synced: bool = True) -> Iterator[sa.Connection]:
        self.home.check()
        asked_at = time.monotonic()
        with faults.explained(action, self.label, *self._errors), self._turned(), self._connected() as db:
            self._check_file()
            try:
                self._roll_back(db)  # what an interrupt left open
                db.begin()
                self._begin(db, action, asked_at, is_synced)
                for lock in locks:
                    self.lock(db, lock)
                yield db
                db.commit()
            except BaseException:
                self._roll_back(db)
                raise

    def _turned(self) -> AbstractContextManager[object]:
        """Wait for this thread's turn: SQLite has one connection for all threads."""
        return self._turn if self.is_sqlite else contextlib.nullcontext()

    def _connected(self) -> AbstractContextManager[sa.Connection]:
        """Give the connection of SQLite, which stays open, or one of the server's pool."""
        if self._connection is not None:
            return contextlib.nullcontext(self._connection)
        try:
            return self.engine.connect()
        except KeyboardInterrupt as interrupt:
            raise interrupt.with_traceback(None) from None  # the frames of the driver hold the password

    def _roll_back(self, db: sa.Connection) -> None:
        try:
            db.rollback()
            if self.is_sqlite:  # after a commit that failed SQLAlchemy has no transaction, and SQLite still has one
                db.connection.driver_connection.rollback()  # type: ignore[union-attr]
        except SQLAlchemyError:  # the connection is lost or closed; the first error says so
            if not self.is_sqlite:
                db.invalidate()

    def close_if_lost(self) -> None:
        """Close a file that is not the one that was opened, before another is opened in its place."""
        if self._file is not None and self.home.is_here:
            with self._turn, contextlib.suppress(JournalError, OSError):
                self._check_file()

    def _check_file(self) -> None:
        """Raise JournalError when the journal's file is not the one that was opened, from then on each time."""
        if self._lost is None and self._file is not None and self._file.is_open:
            try:
                self._file.check()
            except JournalError as error:
                self._lost = error
                self._close_connection()  # with the file still there, SQLite saves into it what was in a deleted WAL
        if self._lost is not None:
            raise self._lost

    def _begin(self, db: sa.Connection, action: str, asked_at: float, is_synced: bool) -> None:
        driver: Any = db.connection.driver_connection
        if not self.is_sqlite:
            if action == "written" and is_synced:
                db.exec_driver_sql(_DURABLE)
        elif self._file is None or action != "written":
            self._become_writer(driver, asked_at)
        else:
            if is_synced != self._is_synced:
                driver.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
                self._is_synced = is_synced
            self._file.begin(driver, lambda: self._become_writer(driver, asked_at))

    def _become_writer(self, driver: Any, asked_at: float) -> None:
        """Begin a transaction on an SQLite file, as its one writer.

        When another process held the file during all the time that this thread waited for its turn, the error is the
        same at once: it would help nobody if one thread after the other waited again.
        """
        if self._locked_error is not None and self._locked_at > asked_at:
            raise self._locked_error
        self._locked_error = None
        try:
            driver.execute("BEGIN IMMEDIATE")
        except self._errors as error:
            self._locked_at, self._locked_error = time.monotonic(), error
            raise

    # --- locks, on a server ---

    def lock(self, db: sa.Connection, *names: str) -> None:
        """Wait until no other transaction holds the lock of this name; SQLite has one writer at a time anyway."""
        if not self.is_sqlite:
            text = "\0".join(("linq_nb", *names)).encode(errors="surrogatepass")
            key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)
            db.exec_driver_sql(_LOCK, {"key": key})

    def lock_rows(self, db: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> None:
        """Lock rows until the transaction ends, always in the same order, so that two writers cannot deadlock."""
        if not self.is_sqlite:
            number = next(iter(table.primary_key))
            db.execute(sa.select(number).where(condition).order_by(number).with_for_update()).all()

    # --- statements ---

    def insert_if_new(self, table: sa.Table) -> Any:
        """Return an insert that does nothing where the row is there already."""
        insert = sqlite.insert if self.is_sqlite else postgresql.insert
        return insert(table).on_conflict_do_nothing()

    def check_encoding(self, db: sa.Connection) -> None:
        """Refuse a database that cannot store every name: its error would come after a memo was sent."""
        if not self.is_sqlite and (encoding := db.exec_driver_sql("SHOW server_encoding").scalar()) != "UTF8":
            raise JournalError(
                f"the journal {self.label} is a database in {encoding}, which cannot keep every name; nothing was "
                "sent; make one with ENCODING 'UTF8'"
            )


def in_chunks(values: Iterable[str]) -> list[list[str]]:
    """Return the distinct values in lists that one statement takes."""
    distinct = list(dict.fromkeys(values))
    return [distinct[start : start + PARAMETERS] for start in range(0, len(distinct), PARAMETERS)]


class Room:
    """A part of the journal: what it reads and writes, over the database that all parts share."""

    def __init__(self, database: Database) -> None:
        self.database = database


# --- engines ---


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (SQLAlchemyError, ValueError):
        raise JournalError(
            "the journal's URL is not one of SQLAlchemy's form, such as sqlite:///file; nothing was sent; correct it"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise JournalError(
            "the journal's URL names another database than sqlite:///file or postgresql+psycopg://user@host/database; "
            "nothing was sent; choose one of these"
        )
    return parsed


def _file(url: sa.URL) -> Path | None:
    """Return the file of an SQLite URL, also of a ``file:`` URI; None for a journal in memory, which has many names."""
    database, query = url.database or ":memory:", url.query
    if database.startswith("file:"):
        database = unquote(urlsplit(database).path)
    is_memory = database == ":memory:" or query.get("mode") == "memory" or query.get("vfs") == "memdb"
    return None if is_memory else Path(database)


def _label(url: sa.URL) -> str:
    """Return the journal's place without a password."""
    if url.get_backend_name() != "sqlite":
        return url.set(query={}).render_as_string(hide_password=True)  # a query can hold a password too
    return str(_file(url) or "memory")


def _sqlite(url: sa.URL) -> sa.Engine:
    pragmas = _PRAGMAS if _file(url) else (*_IN_MEMORY, *_PRAGMAS)
    engine = sa.create_engine(
        url,
        poolclass=sa.StaticPool,
        paramstyle="named",  # as PostgreSQL's driver has it: a prepared statement takes its values by name
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
        hide_parameters=True,  # they are handles, and errors are shown
    )

    def connected(driver: Any, _: Any) -> None:
        driver.isolation_level = None  # we begin transactions ourselves, with BEGIN IMMEDIATE
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")

    def failed(context: sa.ExceptionContext) -> None:
        context.is_disconnect = False  # an interrupt must not close the connection, and with it a journal in memory

    sa_event.listen(engine, "connect", connected)
    sa_event.listen(engine, "handle_error", failed)
    return engine


def _server(url: sa.URL) -> sa.Engine:
    """Connect to PostgreSQL so that a dead server, a dead owner or a full pool is an error soon, never a hang."""
    defaults: dict[str, Any] = {
        "application_name": "linq_nb",
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    defaults = {name: value for name, value in defaults.items() if name not in url.query}
    engine = sa.create_engine(
        url,
        connect_args={**defaults, "prepare_threshold": None},  # a pooler such as PgBouncer mixes up prepared statements
        isolation_level="READ COMMITTED",  # our locks and conditions are made for it, whatever the server's default is
        pool_pre_ping=True,
        pool_size=POOL,
        max_overflow=0,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    def connected(driver: Any, _: Any) -> None:
        with driver.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'")
        driver.commit()

    sa_event.listen(engine, "connect", connected)
    return engine
