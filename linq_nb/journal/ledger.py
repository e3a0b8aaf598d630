"""The few statements that every send needs, compiled once and run on the database's own driver.

SQLAlchemy writes the SQL for whichever database it is; running it through SQLAlchemy as well would cost more than the
request itself. Values go in and come out as the driver has them: microseconds, JSON text, integers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(value: datetime | None) -> int | None:
    """Return a time as microseconds since 1970."""
    return None if value is None else (value - EPOCH) // MICROSECOND


def from_micros(value: int | None) -> datetime | None:
    """Return the UTC time of microseconds since 1970."""
    return None if value is None else EPOCH + timedelta(microseconds=value)


def to_json(value: Any) -> str | None:
    """Return a value as JSON text."""
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if _is_utf8(text) else json.dumps(value, separators=(",", ":"))  # half a pair, as \\ud83d


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
        self._writers = tuple((one.name, None if one.name in KEYS else _WRITE.get(str(one.type))) for one in fields)
        self._readers = tuple((one.name, _READ.get(str(one.type))) for one in fields)

    def write(self, record: Any) -> dict[str, Any]:
        """Return a record as a row for the driver."""
        return {
            name: value if (value := getattr(record, name)) is None or to is None else to(value)
            for name, to in self._writers
        }

    def read(self, row: Any) -> Any:
        """Return the record of a row, whose first values are the fields in order."""
        return self.record(
            **{
                name: value if back is None else back(value)
                for (name, back), value in zip(self._readers, row, strict=False)
            }
        )


class Ledger:
    """Runs compiled statements in a transaction of its own, on the driver's connection."""

    def __init__(self, engine: sa.Engine, lock: threading.RLock | None) -> None:
        self._engine, self._lock = engine, lock
        named = "named" if engine.dialect.name == "sqlite" else "pyformat"
        dialect: Any = type(engine.dialect)
        self._dialect: sa.Dialect = dialect(paramstyle=named)
        self.errors: tuple[type[Exception], ...] = (engine.dialect.import_dbapi().Error,)

    def compiled(self, statement: Any, **more: Any) -> str:
        """Return a statement as SQL of this database, with named parameters."""
        return str(statement.compile(dialect=self._dialect, **more))

    def alone(self, cursor: Any, *names: str) -> None:
        """Wait until no other transaction works under these names; SQLite has one writer at a time anyway."""
        if self._lock is None:
            cursor.execute(LOCK, {"key": lock_key(*names)})

    def insert_or_leave(self, table: sa.Table, names: Iterable[str]) -> str:
        """Return the SQL of an insert that does nothing where the row is there already."""
        from sqlalchemy.dialects import postgresql, sqlite

        maker = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        return self.compiled(maker(table).on_conflict_do_nothing(), column_keys=list(names))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Give a cursor; what was done with it is committed together, or not at all."""
        if self._lock is None:
            with self._pooled() as cursor:
                yield cursor
            return
        with self._lock:
            driver: Any = self._engine.raw_connection().driver_connection
            cursor = driver.cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")  # inside: an interrupt right after it must not leave it open
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _pooled(self) -> Iterator[Any]:
        connection = self._engine.raw_connection()
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                yield cursor
            connection.commit()
        except BaseException:
            try:
                connection.rollback()
            except self.errors:  # the server is gone: the first error tells, and nobody gets this connection again
                connection.invalidate()
            raise
        finally:
            connection.close()
