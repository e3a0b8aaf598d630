"""Records as DataFrames: fixed columns, fixed dtypes, the same when there are none.

Sends have one row each, with seconds as floats (``*_s``) and the day in UTC (``day``, of ``created_at``), so that every
engine can aggregate them. Handles are masked unless asked for: "masked" (+1•••••5597), "hashed" (keyed, stable: to join
on) or "full". Columns are declared on the fields of the records (``model.columns_of``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from linq_nb import catalog
from linq_nb.errors import SettingsError
from linq_nb.frames import series
from linq_nb.frames.series import Read
from linq_nb.model import (
    BOOL,
    INT,
    SPANS,
    TEXT,
    Chat,
    Column,
    Event,
    Finding,
    Handle,
    Line,
    Message,
    Send,
    columns_of,
    frame_columns,
)
from linq_nb.text import mask, mask_text

if TYPE_CHECKING:
    import pandas as pd

Handles = Literal["masked", "hashed", "full"]
Mask = Callable[[str], str]
Chunk = Mapping[str, Sequence[Any]]
"""Some rows by column, as a database has them: times in microseconds, lists and bodies as JSON text."""

_RECORDS = {"sends": Send, "chats": Chat, "handles": Handle, "lines": Line, "findings": Finding, "events": Event,
            "messages": Message}  # fmt: skip
COLUMNS: Mapping[type, Mapping[str, str]] = {record: frame_columns(record) for record in _RECORDS.values()}
"""The columns of each kind of record with their dtypes."""

ERROR_COLUMNS: Mapping[str, str] = {
    "http_status": INT, "code": INT, "meaning": TEXT, "again_helps": BOOL, "again_safe": BOOL, "what_to_do": TEXT,
    "source": TEXT,
}  # fmt: skip


class KeyHolder(Protocol):
    """Holds the key of hashed handles, as an Outbox does."""

    def _hash_key(self) -> bytes: ...


@runtime_checkable
class Paged(Protocol):
    """Records that can be read column by column, as those of a large journal."""

    record: type

    def __len__(self) -> int: ...

    def chunks(self, names: Sequence[str]) -> Iterator[Chunk]: ...


def to_frame(
    records: Any,
    handles: Handles = "masked",
    *,
    kind: str | None = None,
    key: bytes | KeyHolder | None = None,
) -> pd.DataFrame:
    """Return records of one kind as a DataFrame, one row each, with the columns of ``frames.COLUMNS``.

    ``records``: sends, chats, handles, lines, findings, events or messages; one record or many. An empty list
    gives the columns of sends, or of ``kind`` ("chats", "findings", ...); chats with ``kind="handles"`` give one row
    a person and chat. ``handles``: "masked", "hashed" with ``key=outbox.hash_key()``, or "full". ``to_handles`` joins
    several with a space. ``frames.column_reference(kind)`` gives the meaning and unit of each column.
    Raises SettingsError for records of several kinds, or "hashed" without a key.
    """
    masked = _mask(handles, key)
    if isinstance(records, Paged):
        record = _kind({records.record}, kind)
        return from_chunks(record, records.chunks(stored(record)), len(records), handles, key=key)
    rows = [records] if type(records) in COLUMNS else list(records)
    types = {type(row) for row in rows}
    chat_ids = None
    if kind == "handles" and types == {Chat}:
        chat_ids = [chat.chat_id for chat in rows for _ in chat.handles]
        rows, types = [handle for chat in rows for handle in chat.handles], {Handle}
    columns = _frame_columns(_kind(types, kind))
    values: dict[str, Sequence[Any]] = {
        name: list(map(column.read or attrgetter(name), rows))
        for name, column in columns.items()
        if column.is_stored or column.read
    }
    if chat_ids is not None:
        values["chat_id"] = chat_ids
    return _frame(columns, len(rows), values.items(), masked, handles)


def from_chunks(
    record: type,
    chunks: Iterable[Chunk],
    length: int,
    handles: Handles = "full",
    *,
    key: bytes | KeyHolder | None = None,
    leave: Collection[str] = (),
) -> pd.DataFrame:
    """Return so many rows that come in chunks as the frame of ``to_frame``, without the columns to ``leave``."""
    columns = {name: column for name, column in _frame_columns(record).items() if name not in leave}
    values = ((name, some) for chunk in chunks for name, some in chunk.items())
    return _frame(columns, length, values, _mask(handles, key), handles, raw=True)


def stored(record: type) -> list[str]:
    """Return the columns of a kind of record that the journal keeps."""
    return [name for name, column in _frame_columns(record).items() if column.is_stored]


def column_reference(kind: str = "sends") -> pd.DataFrame:
    """Return the columns of a kind of records as a table: ``column``, ``dtype``, ``unit`` and ``meaning``."""
    declared = _frame_columns(_kind(set(), kind)).values()
    values: dict[str, Sequence[Any]] = {
        "column": [column.name for column in declared],
        "dtype": [column.dtype for column in declared],
        "unit": [column.unit or None for column in declared],
        "meaning": [column.meaning for column in declared],
    }
    return _frame({name: Column(name=name) for name in values}, len(declared), values.items(), str, "full")


def errors_frame(code: int | None = None) -> pd.DataFrame:
    """Return Linq's documented error codes, or those with one number.

    Columns: ``http_status`` (missing where it comes by webhook only), ``code``, ``meaning``, ``again_helps`` and
    ``again_safe`` (whether running the same again can help, and cannot make a second bubble), ``what_to_do``,
    ``source``.
    """
    codes = catalog.CODES if code is None else catalog.by_code(code)
    columns = {name: Column(name=name, dtype=dtype) for name, dtype in ERROR_COLUMNS.items()}
    values = (
        (name, [getattr(entry, "todo" if name == "what_to_do" else name) for entry in codes]) for name in ERROR_COLUMNS
    )
    return _frame(columns, len(codes), values, str, "full")


def _frame_columns(record: type) -> Mapping[str, Column]:
    return {name: column for name, column in columns_of(record).items() if column.in_frame}


def _frame(
    columns: Mapping[str, Column],
    length: int,
    values: Iterable[tuple[str, Sequence[Any]]],
    masked: Mask,
    handles: str,
    *,
    raw: bool = False,
) -> pd.DataFrame:
    """Fill the columns and return them as a frame; those that need other columns come last."""
    import pandas as pd

    builders = {
        name: series.builder(column, length, _reader(column, masked, handles, raw=raw), raw=raw)
        for name, column in columns.items()
        if column.is_stored or column.read
    }
    for name, some in values:
        builders[name].add(some)
    made = {name: builder.done() for name, builder in builders.items()}
    for name in columns:
        if name in SPANS and name not in made:
            start, end = SPANS[name]
            made[name] = series.seconds(made[start], made[end])
        elif name not in made:
            made[name] = series.day(made["created_at"])
    return pd.DataFrame({name: made[name] for name in columns}, copy=False)


def _reader(column: Column, masked: Mask, handles: str, *, raw: bool) -> Read | None:
    """Return the function that makes the shown text of a column's values, None where they are shown as they are."""
    parsed = json.loads if raw else lambda value: value
    if column.is_handle and column.is_json:
        return lambda value: " ".join(map(masked, parsed(value))) or None
    if column.is_handle:
        return masked
    if column.is_json:
        return lambda value: _free_text(_as_text(parsed(value)), handles)
    return mask_text if column.is_free_text and handles != "full" else None


def _free_text(text: str, handles: str) -> str:
    return text if handles == "full" else mask_text(text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(types: set[type], kind: str | None) -> type:
    """Return the one kind of record that these are; raises SettingsError for several, or for another one."""
    if kind is not None:
        if kind not in _RECORDS:
            raise SettingsError(f"kind is one of {', '.join(_RECORDS)}, not {kind!r}")
        types = types | {_RECORDS[kind]}
    if len(types) > 1 or not types <= set(COLUMNS):
        names = ", ".join(sorted(record.__name__ for record in types))
        raise SettingsError(f"to_frame takes records of one kind ({', '.join(_RECORDS)}); got {names}")
    return types.pop() if types else Send


def _mask(handles: str, key: bytes | KeyHolder | None) -> Mask:
    if handles == "full":
        return str
    if handles == "masked":
        return mask
    if handles != "hashed":
        raise SettingsError(f'handles is "masked", "hashed" or "full", not {handles!r}')
    if not key:
        raise SettingsError('handles="hashed" needs key=outbox, so that hashes can be joined')
    secret = key if isinstance(key, bytes) else key._hash_key()
    return lambda handle: hmac.new(secret, handle.casefold().encode(), hashlib.sha256).hexdigest()[:16]
