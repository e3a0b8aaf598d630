"""Records as DataFrames: fixed columns, fixed dtypes, the same when there are none.

Sends have one row each, with seconds as floats (``*_s``) and the day in UTC (``day``, of ``created_at``), so that every
engine can aggregate them. Handles are masked unless asked for: "masked" (+1•••••5597), "hashed" (keyed, stable: to join
on) or "full". Columns are declared on the fields of the records (``model.columns_of``).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from linq_nb import catalog, storable
from linq_nb.clocks import to_micros
from linq_nb.errors import SettingsError
from linq_nb.model import (
    BOOL,
    CATEGORY,
    INT,
    SPANS,
    TEXT,
    TIME,
    Chat,
    Column,
    Event,
    Finding,
    Handle,
    Line,
    Message,
    Reputation,
    Send,
    frame_columns,
)
from linq_nb.text import mask, mask_json, mask_text, recipient, writable

if TYPE_CHECKING:
    import pandas as pd

Handles = Literal["masked", "hashed", "full"]
Mask = Callable[[str], str]
Read = Callable[[Any], Any]
"""Returns the shown text of a value."""

Chunk = Mapping[str, Sequence[Any]]
"""Some rows by column, as a database has them: times in microseconds, lists and bodies as JSON text."""

MISSING_TIME = -(2**63)
_REMEMBERED = 100_000
"""Distinct values of a column that are remembered at a time, so that a column without repeats costs no more."""

_RECORDS = {"sends": Send, "chats": Chat, "handles": Handle, "lines": Line, "findings": Finding, "events": Event,
            "messages": Message, "reputations": Reputation}  # fmt: skip
COLUMNS: Mapping[type, Mapping[str, str]] = {
    record: {name: column.dtype for name, column in frame_columns(record).items()} for record in _RECORDS.values()
}
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

    ``records``: sends, chats, handles, lines, findings, events, messages or reputations; one record or many. An empty
    list gives the columns of sends, or of ``kind`` ("chats", "findings", ...); chats with ``kind="handles"`` give one
    row a person and chat. ``handles``: "masked", "hashed" with ``key=outbox``, or "full". ``to_handles`` joins
    several with a space. ``frames.column_reference(kind)`` gives the meaning and unit of each column.
    Raises SettingsError for records of several kinds, or "hashed" without a key.

    >>> linq_nb.to_frame(outbox.sends())[["chat_name", "status"]].values.tolist()
    [['Ada Lovelace', 'queued']]
    """
    masked = _mask(handles, key)
    if isinstance(records, Paged):
        record = _kind({records.record}, kind)
        return from_chunks(record, records.chunks(stored(record)), handles, key=key)
    rows = [records] if type(records) in COLUMNS else list(records)
    types = {type(row) for row in rows}
    chat_ids = None
    if kind == "handles" and types == {Chat}:
        chat_ids = [chat.chat_id for chat in rows for _ in chat.handles]
        rows, types = [handle for chat in rows for handle in chat.handles], {Handle}
    columns = frame_columns(_kind(types, kind))
    values: dict[str, Sequence[Any]] = {
        name: list(map(column.read or attrgetter(name), rows))
        for name, column in columns.items()
        if column.is_stored or column.read
    }
    if chat_ids is not None:
        values["chat_id"] = chat_ids
    return _frame(columns, values.items(), masked, handles)


def from_chunks(
    record: type,
    chunks: Iterable[Chunk],
    handles: Handles = "full",
    *,
    key: bytes | KeyHolder | None = None,
    leave: Collection[str] = (),
) -> pd.DataFrame:
    """Return rows that come in chunks as the frame of ``to_frame``, without the columns to ``leave``."""
    columns = {name: column for name, column in frame_columns(record).items() if name not in leave}
    values = ((name, some) for chunk in chunks for name, some in chunk.items())
    return _frame(columns, values, _mask(handles, key), handles, raw=True)


def stored(record: type) -> list[str]:
    """Return the columns of a kind of record that the journal keeps."""
    return [name for name, column in frame_columns(record).items() if column.is_stored]


def column_reference(kind: str = "sends") -> pd.DataFrame:
    """Return the columns of a kind of records as a table: ``column``, ``dtype``, ``unit`` and ``meaning``."""
    import pandas as pd

    declared = frame_columns(_kind(set(), kind)).values()
    rows = [(column.name, column.dtype, column.unit or None, column.meaning) for column in declared]
    return pd.DataFrame(rows, columns=["column", "dtype", "unit", "meaning"], dtype="string")


def errors_frame(code: int | None = None) -> pd.DataFrame:
    """Return Linq's documented error codes, or those with one number.

    Columns: ``http_status`` (missing where it comes by webhook only), ``code``, ``meaning``, ``again_helps`` and
    ``again_safe`` (whether running the same again can help, and cannot make a second bubble), ``what_to_do``,
    ``source``.

    >>> linq_nb.errors_frame().query("code == 2024")["meaning"].item()
    'the recipient opted out; refused before queueing'
    """
    import pandas as pd

    rows = [
        (entry.http_status, entry.code, entry.meaning, entry.again_helps, entry.again_safe, entry.todo, entry.source)
        for entry in (catalog.CODES if code is None else catalog.by_code(code))
    ]
    return pd.DataFrame(rows, columns=list(ERROR_COLUMNS)).astype(dict(ERROR_COLUMNS))


def meanings(http_status: pd.Series, error_code: pd.Series) -> pd.Series:
    """Return what each error code means, by the list of error codes; missing where there is no code."""
    import pandas as pd

    def meaning(numbers: tuple[Any, Any]) -> str | None:
        status, code = (None if pd.isna(number) else int(number) for number in numbers)
        return None if code is None else catalog.explain(status, code).meaning

    texts = _Texts(meaning)
    texts.add(list(zip(http_status, error_code, strict=True)))
    return texts.done()  # type: ignore[no-any-return]


def _frame(
    columns: Mapping[str, Column],
    values: Iterable[tuple[str, Sequence[Any]]],
    masked: Mask,
    handles: str,
    *,
    raw: bool = False,
) -> pd.DataFrame:
    """Fill the columns and return them as a frame; those that need other columns come last."""
    import pandas as pd

    builders = {
        name: _builder(column, _reader(column, masked, handles, raw=raw), raw=raw)
        for name, column in columns.items()
        if column.is_stored or column.read
    }
    rows: Counter[str] = Counter()
    for name, some in values:
        builders[name].add(some)
        rows[name] += len(some)
    for name in builders.keys() - rows.keys():  # the journal does not keep it
        builders[name].add([None] * max(rows.values(), default=0))
    made = {name: builders.pop(name).done() for name in list(builders)}
    for name in columns:
        if name in SPANS and name not in made:
            start, end = SPANS[name]
            made[name] = _seconds(made[start], made[end])
        elif name == "meaning":
            made[name] = meanings(made["http_status"], made["error_code"])
        elif name not in made:
            made[name] = _day(made["created_at"])
    return pd.DataFrame({name: made[name] for name in columns}, copy=False)


def _reader(column: Column, masked: Mask, handles: str, *, raw: bool) -> Read | None:
    """Return the function that makes the shown text of a column's values, None where they are shown as they are."""
    parsed = json.loads if raw else lambda value: value
    if column.is_handle and column.is_json:
        return lambda value: " ".join(map(masked, parsed(value))) or None
    if column.is_handle:
        return masked
    is_full = handles == "full"
    if column.is_json:
        return lambda value: writable(_as_text(parsed(value) if is_full else mask_json(parsed(value))))
    if column.is_recipient and not is_full:
        return lambda text: recipient(writable(text))
    if column.is_free_text and not is_full:
        return lambda text: mask_text(writable(text))
    return None if raw else writable


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind(types: set[type], kind: str | None) -> type:
    """Return the one kind of record that these are; raises SettingsError for several, or for another one."""
    if kind is not None:
        if kind not in _RECORDS:
            raise SettingsError(
                f"kind is one of {', '.join(_RECORDS)}, not {kind!r}; nothing was made; give one of these"
            )
        types = types | {_RECORDS[kind]}
    if len(types) > 1 or not types <= set(COLUMNS):
        names = ", ".join(sorted(record.__name__ for record in types))
        raise SettingsError(
            f"to_frame takes records of one kind ({', '.join(_RECORDS)}), not {names}; nothing was made; "
            "give records of one of these"
        )
    return types.pop() if types else Send


def _mask(handles: str, key: bytes | KeyHolder | None) -> Mask:
    if handles == "full":
        return writable
    if handles == "masked":
        return mask
    if handles != "hashed":
        raise SettingsError(
            f'handles is "masked", "hashed" or "full", not {handles!r}; nothing was made; give one of these'
        )
    if not key:
        raise SettingsError(
            'handles="hashed" needs a key, so that hashes can be joined; nothing was made; give key=outbox'
        )
    return hasher(key)


def hasher(key: bytes | KeyHolder) -> Mask:
    """Return the function that hashes a handle."""
    secret = key if isinstance(key, bytes) else key._hash_key()
    return lambda handle: hmac.new(secret, writable(handle).casefold().encode(), hashlib.sha256).hexdigest()[:16]


class _Builder:
    """One column, filled by some values at a time; ``read`` makes what the column holds of a value."""

    def __init__(self, dtype: str, read: Read | None) -> None:
        self._parts: list[Any] = []
        self._dtype, self._read = dtype, read

    def add(self, values: Sequence[Any]) -> None:
        import pandas as pd

        is_blank = bool(values) and values[0] is None and values.count(None) == len(values)
        # many columns are blank, and one missing value is read faster than all of them
        array = self._array(values[:1]).repeat(len(values)) if is_blank else self._array(values)
        self._parts.append(pd.Series(array, copy=False))

    def _array(self, values: Sequence[Any]) -> Any:
        import pandas as pd

        read = self._read
        held = values if read is None else [None if value is None else read(value) for value in values]
        return pd.array(held, dtype=self._dtype)  # type: ignore[call-overload]

    def done(self) -> Any:
        """Return the whole column."""
        import pandas as pd

        return pd.concat(self._parts or [pd.Series(self._array([]))], ignore_index=True)


class _Times(_Builder):
    """Times in UTC, of any year also with pandas 2, made of microseconds since 1970."""

    def _array(self, values: Sequence[Any]) -> Any:
        import pandas as pd

        micros = super()._array(values).to_numpy("int64", na_value=MISSING_TIME)
        return pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")


class _Texts(_Builder):
    """Texts that repeat: each is read, masked and held once."""

    def __init__(self, read: Read | None) -> None:
        import pandas as pd

        @functools.lru_cache(_REMEMBERED)
        def text_of(value: Any) -> Any:
            text = value if value is None or read is None else read(value)
            return pd.NA if text is None else text

        super().__init__(TEXT, read)
        self._text_of = text_of

    def _array(self, values: Sequence[Any]) -> Any:
        import numpy as np
        import pandas as pd

        texts = np.fromiter(map(self._text_of, values), object, len(values))
        return pd.array(texts, dtype=pd.StringDtype("python"), copy=False)


class _Categories(_Builder):
    """Words of a small vocabulary, as a categorical: first numbered in the order in which they come, then sorted."""

    def __init__(self) -> None:
        super().__init__(CATEGORY, None)
        self._codes: dict[Any, int] = {None: -1}
        self._words: dict[str, int] = {}

    def _array(self, values: Sequence[Any]) -> Any:
        import numpy as np

        for word in set(values) - self._codes.keys():
            self._codes[word] = self._words.setdefault(writable(word), len(self._words))
        return np.fromiter(map(self._codes.__getitem__, values), "int32", len(values))

    def done(self) -> Any:
        import pandas as pd

        words = pd.Index(pd.array(list(self._words), dtype="string"))
        numbered = pd.Categorical.from_codes(super().done(), categories=words)
        return pd.Series(numbered.reorder_categories(words.sort_values()))


def _builder(column: Column, read: Read | None, *, raw: bool) -> _Builder:
    """Return the builder for a column; ``raw`` values are as a database has them."""
    if column.dtype == TIME:
        return _Times(INT, None if raw else _micros)
    if column.dtype in (INT, BOOL):  # a number beyond 64 bits is missing
        return _Builder(column.dtype, storable.whole if column.dtype == INT and not raw else None)
    if column.dtype == CATEGORY:
        return _Categories()
    return _Builder(TEXT, read) if column.is_unique else _Texts(read)


def _micros(at: datetime) -> int:
    """Return a time as microseconds since 1970; one without a zone is in UTC."""
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def _seconds(start: Any, end: Any) -> Any:
    """Return the seconds between two columns of times, missing where one of them is."""
    import pandas as pd

    micros = (end - start).to_numpy("timedelta64[us]").view("int64")
    missing = micros == MISSING_TIME
    return pd.Series(pd.arrays.FloatingArray(micros / 1e6, missing))


def _day(at: Any) -> Any:
    """Return the day of each time in UTC, as 2026-03-02."""
    import pandas as pd

    days = pd.Categorical(at.dt.tz_localize(None).dt.floor("D"))
    names = pd.DatetimeIndex(days.categories).strftime("%Y-%m-%d").astype("string")
    return pd.Series(pd.Categorical.from_codes(days.codes, categories=names))
