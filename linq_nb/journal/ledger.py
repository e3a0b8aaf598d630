"""The few statements that every send needs, compiled once and run on the database's own driver.

SQLAlchemy writes the SQL for whichever database it is; running it through SQLAlchemy as well would cost more than the
request itself. Values go in and come out as the driver has them: microseconds, JSON text, integers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import operator
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(value: datetime | None) -> int | None:
    """Return a time as microseconds since 1970."""
    return None if value is None else (value - EPOCH) // MICROSECOND


def from_micros(value: int | None) -> datetime | None:
    """Return the UTC time of microseconds since 1970."""
    return None if value is None else EPOCH + timedelta(microseconds=value)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode


def to_json(value: Any) -> str | None:
    """Return a value as JSON text."""
    if value is None:
        return None
    text = _encode(value)
    return text if _is_utf8(text) else _encode_ascii(value)  # half a pair, as \\ud83d


def _is_utf8(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def from_json(value: str | None) -> Any:
    """Return the value of JSON text."""
    return None if value is None else json.loads(value)


def to_words(value: str | None) -> str | None:
    """Return text that every database keeps: PostgreSQL has no NUL, and a record must not be lost for one."""
    return value.replace("\0", "\ufffd") if value and "\0" in value else value


def _to_bool(value: Any) -> Any:
    return None if value is None else bool(value)


_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "datetime | None": to_micros,
    "datetime": to_micros,
    "tuple[str, ...]": to_json,
    "Any": to_json,
    "str": to_words,
    "str | None": to_words,
}
KEYS = frozenset({"send_id", "base_url", "content", "chat_id"})
"""Fields that rows are found by: kept as they are, or refused."""

_READ: Mapping[str, Callable[[Any], Any]] = {
    "datetime | None": from_micros,
    "datetime": from_micros,
    "tuple[str, ...]": lambda value: tuple(from_json(value) or ()),
    "Any": from_json,
    "bool | None": _to_bool,
}


LOCK = "SELECT pg_advisory_xact_lock(%(key)s::BIGINT)"
"""PostgreSQL's lock by number, until the transaction ends; it holds also through a pooler such as PgBouncer."""


def lock_key(*names: str) -> int:
    """Return the number of a lock of ours."""
    told = "\0".join(("linq_nb", *names)).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), signed=True)


class Codec:
    """A record's fields as the driver has them, and back."""

    def __init__(self, record: type, leave: Iterable[str] = ()) -> None:
        fields = [one for one in dataclasses.fields(record) if one.name not in set(leave)]
        self.record, self.names = record, tuple(one.name for one in fields)
        self._values = operator.attrgetter(*self.names)
        self._writers = [None if one.name in KEYS else _WRITE.get(str(one.type)) for one in fields]
        self._readers = tuple((one.name, _READ.get(str(one.type))) for one in fields)

    def write(self, record: Any) -> dict[str, Any]:
        """Return a record as a row for the driver."""
        return dict.fromkeys(self.names) | self.write_told(record)

    def write_told(self, record: Any) -> dict[str, Any]:
        """Return what a record tells as a row, without the fields that are None."""
        columns = zip(self.names, self._writers, self._values(record), strict=True)
        return {name: to(value) if to else value for name, to, value in columns if value is not None}

    def write_changed(self, record: Any, since: Any) -> dict[str, Any]:
        """Return the fields of a record that are not as they were."""
        columns = zip(self.names, self._writers, self._values(record), self._values(since), strict=True)
        return {
            name: to(new) if to and new is not None else new
            for name, to, new, old in columns
            if new is not old and new != old
        }

    def read(self, row: Any) -> Any:
        """Return the record of a row, whose first values are the fields in order."""
        return self.record(
            **{
                name: value if back is None else back(value)
                for (name, back), value in zip(self._readers, row, strict=False)
            }
        )


class Statement:
    """A statement in the database's own words, and the values that it takes from a row by name, in its order."""

    __slots__ = ("_values", "sql")

    def __init__(self, sql: str, names: Sequence[str]) -> None:
        self.sql = sql
        one, *more = names
        self._values: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            operator.itemgetter(*names) if more else lambda row: (row[one],)
        )

    def run(self, cursor: Any, row: Mapping[str, Any]) -> None:
        cursor.execute(self.sql, self._values(row))

    def rows(self, cursor: Any, row: Mapping[str, Any]) -> list[Any]:
        cursor.execute(self.sql, self._values(row))
        return list(cursor.fetchall())


class Shapes:
    """One statement for each set of columns that rows come with: what is not written costs nothing."""

    def __init__(self, make: Callable[[tuple[str, ...]], Statement]) -> None:
        self._make, self._made = make, dict[tuple[str, ...], Statement]()

    def run(self, cursor: Any, row: Mapping[str, Any]) -> None:
        names = tuple(row)
        known = self._made.get(names)
        if known is None:
            known = self._made[names] = self._make(names)
        known.run(cursor, row)


class Ledger:
    """Runs compiled statements in a transaction of its own, on the driver's connection."""

    def __init__(self, engine: sa.Engine, lock: threading.RLock | None) -> None:
        self._engine, self._lock = engine, lock
        self._refused_at = 0.0
        self._refusal: Exception | None = None
        dialect: Any = type(engine.dialect)
        self._dialect: sa.Dialect = dialect(paramstyle="qmark" if engine.dialect.name == "sqlite" else "format")
        self.errors: tuple[type[Exception], ...] = (engine.dialect.import_dbapi().Error,)
        self._only: Any = engine.raw_connection().driver_connection if lock is not None else None

    def compiled(self, statement: Any, **more: Any) -> Statement:
        """Return a statement as SQL of this database, its values by position: binding by name takes twice as long."""
        made: Any = statement.compile(dialect=self._dialect, **more)
        return Statement(str(made), made.positiontup)

    def alone(self, cursor: Any, *names: str) -> None:
        """Wait until no other transaction works under these names; SQLite has one writer at a time anyway."""
        if self._lock is None:
            cursor.execute(LOCK, {"key": lock_key(*names)})

    def insert_or_leave(self, table: sa.Table, names: Iterable[str]) -> Statement:
        """Return an insert that does nothing where the row is there already."""
        from sqlalchemy.dialects import postgresql, sqlite

        maker = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        return self.compiled(maker(table).on_conflict_do_nothing(), column_keys=list(names))

    def run(self, work: Callable[..., T], *given: Any) -> T:
        """Call ``work`` with a cursor; what it does is committed before this returns, or not at all."""
        if self._lock is None:
            return self._run_pooled(work, *given)
        asked_at = time.monotonic()
        with self._lock:
            if self._refusal is not None and self._refused_at > asked_at:
                raise self._refusal  # the file was locked for as long as this thread waited: waiting again helps nobody
            return self._run_alone(work, *given)

    def _run_alone(self, work: Callable[..., T], *given: Any) -> T:
        cursor = self._only.cursor()
        try:
            self._begin(cursor)  # inside: an interrupt right after it must not leave it open
            result = work(cursor, *given)
            cursor.execute("COMMIT")
            return result
        finally:
            if self._only.in_transaction:
                cursor.execute("ROLLBACK")
            cursor.close()

    def _begin(self, cursor: Any) -> None:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except self.errors as error:
            self._refused_at, self._refusal = time.monotonic(), error
            raise
        self._refusal = None

    def _run_pooled(self, work: Callable[..., T], *given: Any) -> T:
        connection = self._engine.raw_connection()
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                done = work(cursor, *given)
            connection.commit()
            return done
        except BaseException:
            try:
                connection.rollback()
            except self.errors:  # the server is gone: the first error tells, and nobody gets this connection again
                connection.invalidate()
            raise
        finally:
            connection.close()
