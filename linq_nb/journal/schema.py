"""The tables of the journal, made from the columns that the records declare, and the migrations from older journals.

``sends`` has one row a send key, ``events`` every observation as it came (each webhook once), ``names`` the names that
stand for the same content, ``attachments`` the uploads, ``meta`` the schema version and the key of hashed handles.
Times are microseconds since 1970 in UTC.

To add a migration, append a function to ``MIGRATIONS``. It may only add tables, indexes and nullable columns, because
another process may have the journal open with the version before, which must stay correct. (It is refused when it
opens the journal anew.) A new journal is made by the first step with the tables of today, so each step adds only what
is missing; ``_add_columns`` does so for columns.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import operator
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from linq_nb.clocks import EPOCH, to_micros
from linq_nb.errors import JournalError
from linq_nb.model import BOOL, CATEGORY, INT, TEXT, TIME, Event, Send, columns_of
from linq_nb.text import writable

# --- types ---


class Micros(sa.TypeDecorator[datetime]):
    """An aware UTC time as microseconds since 1970: exact, small and the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Json(sa.TypeDecorator[Any]):
    """JSON as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else writable(_encode(value))

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


class Texts(Json):
    """Several texts as a JSON list, a tuple when read."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[str, ...]:
        return tuple(json.loads(value or "null") or ())


class CleanText(sa.TypeDecorator[str]):
    """Text from elsewhere: what no database stores is replaced, since a record must not be lost for it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return writable(value) if value else value


# --- tables ---

_TYPES: Mapping[str, Any] = {TEXT: CleanText, CATEGORY: CleanText, INT: sa.BigInteger, BOOL: sa.Boolean, TIME: Micros}
_OTHER_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("send_id", "base_url", "content", "chat_id"), sa.Text),
    **dict.fromkeys(("copy", "attempts"), sa.Integer),
    **dict.fromkeys(("to_handles", "chat_handles"), Texts),
    **dict.fromkeys(("body", "extra"), Json),
}
"""Columns whose type does not follow from their dtype. Rows are found by the first four, which are stored as they are,
or refused."""


def _columns(record: type) -> list[sa.Column[Any]]:
    """Return the table's columns for the fields of a record that the journal keeps."""
    kept = [column for column in columns_of(record).values() if column.is_stored]
    return [sa.Column(column.name, _OTHER_TYPES.get(column.name) or _TYPES[column.dtype]) for column in kept]


def _partial(name: str, *columns: sa.Column[Any], where: sa.ColumnElement[bool], unique: bool = False) -> sa.Index:
    """Return an index of some rows only: the others cost nothing to write."""
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


_metadata = sa.MetaData()
meta = sa.Table("meta", _metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
sends = sa.Table(
    "sends",
    _metadata,
    sa.Column("send_no", sa.Integer, primary_key=True, autoincrement=True),
    *_columns(Send),
    sa.Column("owner", sa.Text),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.BigInteger),
    sa.Column("url_base", sa.Text),
    sa.Column("marked_at", sa.BigInteger),
    sa.UniqueConstraint("send_id", name="send_name"),
    sa.UniqueConstraint("chat_id", "content", "copy", "base_url", name="send_key"),
    sa.Index("sends_status", "status"),
    sa.Index("sends_created", "created_at"),
)
"""``owner``, ``epoch`` and ``lease_until`` are the claim: each takeover increments the epoch. ``marked_at`` is when the
send was last marked ``sending``. Both times are microseconds by the journal's clock. ``url_base`` is the URL of a memo
without all that may sign it (``UrlNames.base``)."""

events = sa.Table(
    "events",
    _metadata,
    sa.Column("event_no", sa.Integer, primary_key=True, autoincrement=True),
    *_columns(Event),
    sa.Column("waits", sa.Integer),
    sa.Index("events_send", "send_id"),
)
"""``waits`` is 1 for a webhook event that may belong to a send whose answer is not written yet."""

names = sa.Table(
    "names",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Index("names_content", "content"),
)
attachments = sa.Table(
    "attachments",
    _metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("attachment_id", sa.Text, nullable=False),
    sa.Column("uploaded_at", Micros),
)

has_no_send, is_waiting = events.c.send_id == "", events.c.waits == 1
_by_url = _partial("sends_url", sends.c.chat_id, sends.c.url_base, where=sends.c.url_base.is_not(None))
_by_message = _partial("sends_message", sends.c.message_id, where=sends.c.message_id.is_not(None))
_of_webhooks = (
    _partial("events_once", events.c.event_id, where=events.c.event_id.is_not(None), unique=True),
    _partial("events_loose", events.c.message_id, where=has_no_send),
    _partial("events_waiting", events.c.waits, where=is_waiting),
)
_of_waiting = tuple(
    _partial(f"events_waiting_{column.name}", events.c.waits, column, where=is_waiting)
    for column in (events.c.message_id, events.c.trace_id, events.c.chat_id)
)
"""Many events may wait for a send of unknown outcome; these find those of one message, trace or chat."""


class RecordTable:
    """A kind of record with its table: ``number`` is the primary key, ``made_at`` the time by which it is dated."""

    def __init__(self, record: type, table: sa.Table, made_at: str) -> None:
        self.record, self.table, self.made_at = record, table, table.c[made_at]
        self.number = next(iter(table.primary_key))
        self.names = tuple(column.name for column in columns_of(record).values() if column.is_stored)
        self._fields = operator.attrgetter(*self.names)

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """The columns of the record's fields, in their order."""
        return [self.table.c[name] for name in self.names]

    def values(self, record: Any) -> dict[str, Any]:
        """Return the fields of a record as values of its row."""
        return dict(zip(self.names, self._fields(record), strict=True))

    def filled(self, record: Any) -> dict[str, Any]:
        """Return the fields of a record that are not None: in a new row the others are NULL by themselves."""
        fields = zip(self.names, self._fields(record), strict=True)
        return {name: value for name, value in fields if value is not None}

    def changed(self, record: Any, before: Any) -> dict[str, Any]:
        """Return the fields of a record that differ from those of ``before``."""
        fields = zip(self.names, self._fields(record), self._fields(before), strict=True)
        return {name: value for name, value, old in fields if value != old}

    def make(self, row: Iterable[Any]) -> Any:
        """Return the record of a row that begins with ``columns``."""
        return self.record(**dict(zip(self.names, row, strict=False)))

    def last(self, db: sa.Connection) -> int:
        """Return the number of the last row, 0 without any."""
        return db.execute(sa.select(sa.func.max(self.number))).scalar() or 0

    def select(self, db: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Any]:
        """Return the records that meet these conditions, in the order of their numbers."""
        rows = db.execute(sa.select(*self.columns).where(*conditions).order_by(self.number))
        return [self.make(row) for row in rows]


SENDS, EVENTS = RecordTable(Send, sends, "created_at"), RecordTable(Event, events, "at")
TABLES: Mapping[type, RecordTable] = {Send: SENDS, Event: EVENTS}


# --- migrations ---


def _add_columns(db: sa.Connection, table: sa.Table, *names: str) -> None:
    """Add those of these columns that the table does not have yet."""
    present = {column["name"] for column in sa.inspect(db).get_columns(table.name)}
    for name in names:
        if name not in present:
            kind = table.c[name].type.compile(db.dialect)
            db.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}")


def _add_webhooks(db: sa.Connection) -> None:
    """Version 2: webhook events have ids, and the index of message ids leaves out rows without one."""
    _add_columns(db, events, "event_id", "event_type", "chat_id", "waits")
    for index in _of_webhooks:
        index.create(db, checkfirst=True)
    _by_message.drop(db)
    _by_message.create(db)


def _add_safety(db: sa.Connection) -> None:
    """Version 3: the time of a POST by Linq's clock and the journal's, the base of a URL; events are found sooner."""
    _add_columns(db, sends, "url_base", "skew_min_ms", "skew_max_ms", "marked_at")
    for index in (*_of_waiting, _by_url):
        index.create(db, checkfirst=True)


def _add_answers(db: sa.Connection) -> None:
    """Version 4: more of Linq's answer to a memo, and what Linq added to the request."""
    facts = ("chat_handles", "chat_is_active", "has_cdn_url", "message_created_at")
    _add_columns(db, sends, *facts, "force_notify", "extra")


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (
    _metadata.create_all, _add_webhooks, _add_safety, _add_answers,
)  # fmt: skip
"""The steps from each schema version to the next; a journal's version is the number of steps done."""


def migrate(db: sa.Connection, label: str) -> None:
    """Bring a journal to the schema of today; raises JournalError for one of a newer version."""
    is_new = not sa.inspect(db).has_table("meta")
    version = 0 if is_new else int(read_meta(db, "schema_version") or 0)
    if version > len(MIGRATIONS):
        raise JournalError(
            f"the journal {label} was written by a newer linq_nb (schema {version}); nothing was sent; upgrade linq_nb"
        )
    for step in MIGRATIONS[version:]:
        step(db)
    if version < len(MIGRATIONS):
        write_meta(db, "schema_version", str(len(MIGRATIONS)))
    if read_meta(db, "hash_key") is None:
        write_meta(db, "hash_key", secrets.token_hex(32))


def read_meta(db: sa.Connection, name: str) -> str | None:
    """Return a value of the table ``meta``."""
    return db.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar()


def journal_id(db: sa.Connection) -> str:
    """Return the journal's id, the same whenever and wherever it is opened; it does not tell the hash key."""
    key = bytes.fromhex(str(read_meta(db, "hash_key")))
    return hmac.new(key, b"linq_nb journal id", hashlib.sha256).hexdigest()[:16]


def write_meta(db: sa.Connection, name: str, value: str) -> None:
    """Write a value of the table ``meta``."""
    db.execute(meta.delete().where(meta.c.name == name))
    db.execute(meta.insert().values(name=name, value=value))
