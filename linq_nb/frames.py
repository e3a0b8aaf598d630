"""Records as DataFrames: fixed columns, fixed dtypes, the same when there are none.

Sends have one row each, with seconds as floats (``*_s``) and the day in UTC (``day``, of ``created_at``), so that every
engine can aggregate them. Handles are masked unless asked for: "masked" (+1•••••5597), "hashed" (keyed, stable: to join
on) or "full". Text that repeats from row to row is held once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from linq_nb import catalog
from linq_nb.errors import SettingsError
from linq_nb.model import Chat, Event, Finding, Handle, Line, Message, Send
from linq_nb.text import mask, mask_text

if TYPE_CHECKING:
    import pandas as pd

Handles = Literal["masked", "hashed", "full"]
Mask = Callable[[str], str]
Read = Callable[[Any], Any]
Chunk = Mapping[str, Sequence[Any]]
"""Some rows by column, as a database has them: times in microseconds, lists and bodies as JSON text."""

TEXT, INT, FLOAT, BOOL, CATEGORY, TIME = "string", "Int64", "Float64", "boolean", "category", "datetime64[us, UTC]"

SEND_COLUMNS: Mapping[str, str] = {
    "send_id": TEXT, "chat_id": TEXT, "chat_name": TEXT, "is_group": BOOL, "from_handle": TEXT, "to_handles": TEXT,
    "memo_source": CATEGORY, "filename": TEXT, "format": CATEGORY, "mime_type": TEXT, "size_bytes": INT,
    "duration_ms": INT, "sha256": TEXT, "attachment_id": TEXT, "message_id": TEXT, "service": CATEGORY,
    "status": CATEGORY, "http_status": INT, "error_code": INT, "error_message": TEXT, "doc_url": TEXT,
    "trace_id": TEXT, "attempts": INT, "day": CATEGORY, "created_at": TIME, "posted_at": TIME, "accepted_at": TIME,
    "sent_at": TIME, "delivered_at": TIME, "read_at": TIME, "failed_at": TIME, "checked_at": TIME, "accept_s": FLOAT,
    "delivery_s": FLOAT, "read_s": FLOAT,
}  # fmt: skip
CHAT_COLUMNS: Mapping[str, str] = {
    "chat_name": TEXT, "is_group": BOOL, "people": INT, "service": CATEGORY, "health_status": CATEGORY,
    "to_handles": TEXT, "from_handle": TEXT, "is_active": BOOL, "is_archived": BOOL, "created_at": TIME,
    "updated_at": TIME, "chat_id": TEXT,
}  # fmt: skip
HANDLE_COLUMNS: Mapping[str, str] = {
    "handle": TEXT, "handle_id": TEXT, "is_me": BOOL, "service": CATEGORY, "status": CATEGORY, "line_type": CATEGORY,
    "joined_at": TIME, "left_at": TIME, "chat_id": TEXT,
}  # fmt: skip
LINE_COLUMNS: Mapping[str, str] = {
    "line_id": TEXT, "phone_number": TEXT, "reputation": CATEGORY, "line_type": CATEGORY,
}  # fmt: skip
FINDING_COLUMNS: Mapping[str, str] = {"level": CATEGORY, "code": TEXT, "message": TEXT}
_DTYPE_OF = {"datetime": TIME, "datetime | None": TIME, "int | None": INT}
_EVENT_CATEGORIES = frozenset({"source", "status", "service", "event_type"})
EVENT_COLUMNS: Mapping[str, str] = {
    one.name: CATEGORY if one.name in _EVENT_CATEGORIES else _DTYPE_OF.get(str(one.type), TEXT)
    for one in dataclasses.fields(Event)
}
MESSAGE_COLUMNS: Mapping[str, str] = {
    "message_id": TEXT, "chat_id": TEXT, "is_from_me": BOOL, "delivery_status": CATEGORY, "service": CATEGORY,
    "created_at": TIME, "updated_at": TIME, "sent_at": TIME, "delivered_at": TIME, "read_at": TIME,
    "reconciled_at": TIME, "parts": INT, "attachment_id": TEXT, "filename": TEXT, "mime_type": TEXT, "size_bytes": INT,
}  # fmt: skip
ERROR_COLUMNS: Mapping[str, str] = {
    "http_status": INT, "code": INT, "meaning": TEXT, "again_helps": BOOL, "again_safe": BOOL, "what_to_do": TEXT,
    "source": TEXT,
}  # fmt: skip

COLUMNS: Mapping[type, Mapping[str, str]] = {
    Send: SEND_COLUMNS, Chat: CHAT_COLUMNS, Handle: HANDLE_COLUMNS, Line: LINE_COLUMNS, Finding: FINDING_COLUMNS,
    Event: EVENT_COLUMNS, Message: MESSAGE_COLUMNS,
}  # fmt: skip
"""The columns of each kind of record with their dtypes."""

_KINDS = {"sends": Send, "chats": Chat, "handles": Handle, "lines": Line, "findings": Finding, "events": Event,
          "messages": Message}  # fmt: skip
_HANDLE_COLUMNS = frozenset({"from_handle", "handle", "phone_number"})
_FREE_TEXT = frozenset({"chat_name", "filename", "error_message", "body", "message"})
ONCE = frozenset({"send_id", "message_id", "trace_id", "event_id", "handle_id", "line_id", "body"})
"""Text columns whose values hardly repeat; of all others each value is held once, and masked once."""

_SECONDS = {"accept_s": ("posted_at", "accepted_at"), "delivery_s": ("posted_at", "delivered_at"),
            "read_s": ("delivered_at", "read_at")}  # fmt: skip
_DERIVED = frozenset({*_SECONDS, "day"})
_DAY_US = 86_400_000_000
MISSING_TIME = -(2**63)
_REMEMBERED = 100_000
"""Distinct values of a column that are remembered at a time, so that a column without repeats costs no more."""


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
    key: bytes | None = None,
) -> pd.DataFrame:
    """Return records of one kind as a DataFrame, one row each, with the columns of ``frames.COLUMNS``.

    ``records``: sends, chats, handles, lines, findings, events or messages; one record or many. An empty list
    gives the columns of sends, or of ``kind`` ("chats", "findings", ...); chats with ``kind="handles"`` give one row
    a person and chat. ``handles``: "masked", "hashed" with ``key=outbox.hash_key()``, or "full". ``to_handles`` joins
    several with a space.
    Raises SettingsError for records of several kinds, or "hashed" without a key.
    """
    masked = _mask(handles, key)
    if isinstance(records, Paged):
        record = _kind({records.record}, kind)
        return from_chunks(record, records.chunks(stored(record)), len(records), handles, key=key)
    rows = [records] if type(records) in COLUMNS else list(records)
    if kind == "handles" and rows and {type(row) for row in rows} == {Chat}:
        return _of_chats(rows, masked)
    record = _kind({type(row) for row in rows}, kind)
    columns = _columns(COLUMNS[record], len(rows), masked, handles)
    return _finished(columns, ((name, _values(rows, record, name)) for name in stored(record)))


def from_chunks(
    record: type,
    chunks: Iterable[Chunk],
    length: int,
    handles: Handles = "full",
    *,
    key: bytes | None = None,
    leave: Collection[str] = (),
) -> pd.DataFrame:
    """Return so many rows that come in chunks as the frame of ``to_frame``, without the columns to ``leave``."""
    wanted = {name: dtype for name, dtype in COLUMNS[record].items() if name not in leave}
    columns = _columns(wanted, length, _mask(handles, key), handles, raw=True)
    return _finished(columns, ((name, values) for chunk in chunks for name, values in chunk.items()))


def stored(record: type) -> list[str]:
    """Return the columns of a kind of record that are not worked out from others."""
    return [name for name in COLUMNS[record] if name not in _DERIVED]


def errors_frame(code: int | None = None) -> pd.DataFrame:
    """Return Linq's documented error codes, or those with one number.

    Columns: ``http_status`` (missing where it comes by webhook only), ``code``, ``meaning``, ``again_helps`` and
    ``again_safe`` (whether running the same again can help, and cannot make a second bubble), ``what_to_do``,
    ``source``.
    """
    found = catalog.CODES if code is None else catalog.by_code(code)
    data = {name: [getattr(one, "todo" if name == "what_to_do" else name) for one in found] for name in ERROR_COLUMNS}
    return _frame(ERROR_COLUMNS, data)


def _frame(columns: Mapping[str, str], data: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    length = len(next(iter(data.values())))
    return _finished(_columns(columns, length, str, "full"), data.items())


def _columns(
    columns: Mapping[str, str], length: int, masked: Mask, handles: str, *, raw: bool = False
) -> dict[str, _Column]:
    return {
        name: _column(name, dtype, length, _reader(name, masked, handles, raw=raw), raw=raw)
        for name, dtype in columns.items()
        if name not in _DERIVED
    }


def _of_chats(chats: Sequence[Chat], masked: Mask) -> pd.DataFrame:
    """Return the handles of chats, one row each, with the chat that each is in."""
    rows = [(chat.chat_id, one) for chat in chats for one in chat.handles]
    data = {name: [getattr(one, name) for _, one in rows] for name in HANDLE_COLUMNS if name != "chat_id"}
    shown = [masked(one) for one in data["handle"]]
    return _frame(HANDLE_COLUMNS, {**data, "handle": shown, "chat_id": [chat_id for chat_id, _ in rows]})


def _finished(columns: dict[str, _Column], values: Iterable[tuple[str, Sequence[Any]]]) -> pd.DataFrame:
    """Fill the columns and return them as a frame."""
    import pandas as pd

    for name, some in values:
        columns[name].add(some)
    made = {name: column.done() for name, column in columns.items()}
    if list(made) == stored(Send):
        made["day"] = _day(made["created_at"])
        made |= {name: _seconds(made[start], made[end]) for name, (start, end) in _SECONDS.items()}
        made = {name: made[name] for name in SEND_COLUMNS}
    return pd.DataFrame(made, copy=False)


class _Column:
    """One column of a known length, filled by some values at a time."""

    def add(self, values: Sequence[Any]) -> None:
        raise NotImplementedError

    def done(self) -> Any:
        """Return the whole column."""
        raise NotImplementedError


class _Times(_Column):
    """Times as microseconds since 1970 in UTC; ``raw`` ones are that already."""

    def __init__(self, length: int, *, raw: bool) -> None:
        self._all, self._at, self._raw = _blank(length, "int64"), 0, raw

    def add(self, values: Sequence[Any]) -> None:
        self._at, here = _next(self._at, values)
        self._all[here] = self._micros(values)

    def _micros(self, values: Sequence[Any]) -> Any:
        import pandas as pd

        if values.count(None) == len(values):
            return MISSING_TIME
        if self._raw:
            return pd.array(values, dtype="Int64").to_numpy("int64", na_value=MISSING_TIME)
        return pd.DatetimeIndex(pd.to_datetime(values, utc=True, cache=False)).as_unit("us").asi8

    def done(self) -> Any:
        import pandas as pd

        return pd.Series(self._all.view("datetime64[us]"), copy=False).dt.tz_localize("UTC")


class _Numbers(_Column):
    """Whole numbers, or booleans, and which of them are missing."""

    def __init__(self, length: int, dtype: str) -> None:
        self._dtype, self._kind = dtype, "int64" if dtype == INT else "bool"
        self._all, self._missing, self._at = _blank(length, self._kind), _blank(length, "bool"), 0

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np
        import pandas as pd

        self._at, here = _next(self._at, values)
        missing = values.count(None)
        if missing == len(values):
            self._all[here], self._missing[here] = 0, True
        elif not missing:
            self._all[here], self._missing[here] = np.array(values, self._kind), False
        else:
            some = pd.array(values, dtype=self._dtype)  # type: ignore[call-overload]
            self._all[here], self._missing[here] = some.to_numpy(self._kind, na_value=0), some.isna()

    def done(self) -> Any:
        import pandas as pd

        made = pd.arrays.IntegerArray if self._dtype == INT else pd.arrays.BooleanArray
        return pd.Series(made(self._all, self._missing), copy=False)


class _Words(_Column):
    """Words of a small vocabulary, as a categorical."""

    def __init__(self, length: int) -> None:
        self._all, self._at = _blank(length, "int32"), 0
        self._codes = _Codes({None: -1})

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np

        self._at, here = _next(self._at, values)
        self._all[here] = np.fromiter(map(self._codes.__getitem__, values), "int32", len(values))

    def done(self) -> Any:
        import numpy as np
        import pandas as pd

        words = sorted(word for word in self._codes if word is not None)
        place = np.full(len(self._codes), -1, "int32")  # the last one is for code -1: missing
        for new, word in enumerate(words):
            place[self._codes[word]] = new
        index = pd.Index(pd.array(words, dtype="string"))
        return pd.Series(pd.Categorical.from_codes(place[self._all], categories=index))


class _Codes(dict[Any, int]):
    """A number for each word, in the order in which they come."""

    def __missing__(self, word: Any) -> int:
        self[word] = len(self) - 1
        return self[word]


class _Texts(_Column):
    """Text that repeats: each value is read, masked and held once."""

    def __init__(self, length: int, read: Read | None) -> None:
        self._all, self._at, self._shown = _blank(length, "object"), 0, _Shown(read)

    def add(self, values: Sequence[Any]) -> None:
        import numpy as np

        self._at, here = _next(self._at, values)
        self._all[here] = np.fromiter(map(self._shown.__getitem__, values), object, len(values))
        if len(self._shown) > _REMEMBERED:
            self._shown.clear()

    def done(self) -> Any:
        import pandas as pd

        return pd.Series(pd.array(self._all, dtype=pd.StringDtype("python"), copy=False))


class _Shown(dict[Any, Any]):
    """What is shown of each value, worked out once; missing for nothing."""

    def __init__(self, read: Read | None) -> None:
        self._read = read

    def __missing__(self, value: Any) -> Any:
        import pandas as pd

        shown = value if value is None or self._read is None else self._read(value)
        self[value] = pd.NA if shown is None else shown
        return self[value]


class _Strings(_Column):
    """Text that hardly repeats, as pandas holds it best."""

    def __init__(self, read: Read | None) -> None:
        self._parts: list[Any] = []
        self._read = read

    def add(self, values: Sequence[Any]) -> None:
        import pandas as pd

        read = self._read
        told = values if read is None else [None if one is None else read(one) for one in values]
        self._parts.append(pd.Series(pd.array(told, dtype="string"), copy=False))

    def done(self) -> Any:
        import pandas as pd

        return pd.concat(self._parts or [pd.Series([], dtype="string")], ignore_index=True)


def _column(name: str, dtype: str, length: int, read: Read | None, *, raw: bool) -> _Column:
    """Choose how a column is held."""
    if dtype == TIME:
        return _Times(length, raw=raw)
    if dtype in (INT, BOOL):
        return _Numbers(length, dtype)
    if dtype == CATEGORY:
        return _Words(length)
    return _Strings(read) if name in ONCE else _Texts(length, read)


def _blank(length: int, kind: str) -> Any:
    import numpy as np

    return np.empty(length, kind)


def _next(at: int, values: Sequence[Any]) -> tuple[int, slice]:
    """Return where the next values begin after these, and where these go."""
    return at + len(values), slice(at, at + len(values))


def _reader(name: str, masked: Mask, handles: str, *, raw: bool) -> Read | None:
    """Return what makes the shown text of a column's values, None where they are shown as they are."""
    if name == "to_handles":
        return lambda value: " ".join(masked(one) for one in (json.loads(value) if raw else value)) or None
    if name in _HANDLE_COLUMNS:
        return masked
    if name == "body":
        return lambda value: _free(_as_text(json.loads(value) if raw else value), handles)
    return (lambda value: _free(value, handles)) if name in _FREE_TEXT and handles != "full" else None


def _free(text: str, handles: str) -> str:
    return text if handles == "full" else mask_text(text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(start: Any, end: Any) -> Any:
    """Return the seconds between two columns of times, missing where one of them is."""
    import pandas as pd

    micros = (end - start).to_numpy("timedelta64[us]").view("int64")
    missing = micros == MISSING_TIME
    return pd.Series(pd.arrays.FloatingArray(micros / 1e6, missing))


def _day(at: Any) -> Any:
    """Return the day of each time in UTC, as 2026-03-02."""
    import numpy as np
    import pandas as pd

    micros = at.dt.tz_localize(None).to_numpy("datetime64[us]").view("int64")
    days, codes = np.unique(micros // _DAY_US, return_inverse=True)
    named = pd.array(np.datetime_as_string((days * _DAY_US).view("datetime64[us]"), unit="D"), dtype="string")
    has_none = len(days) > 0 and days[0] == MISSING_TIME // _DAY_US
    return pd.Series(pd.Categorical.from_codes(codes - has_none, categories=pd.Index(named[int(has_none) :])))


def _kind(found: set[type], kind: str | None) -> type:
    if kind is not None:
        if kind not in _KINDS:
            raise SettingsError(f"kind is one of {', '.join(_KINDS)}, not {kind!r}")
        found = found | {_KINDS[kind]}
    if len(found) > 1 or not found <= set(COLUMNS):
        names = ", ".join(sorted(one.__name__ for one in found))
        raise SettingsError(f"to_frame takes records of one kind ({', '.join(_KINDS)}); got {names}")
    return found.pop() if found else Send


def _mask(handles: str, key: bytes | None) -> Mask:
    if handles == "full":
        return str
    if handles == "masked":
        return mask
    if handles != "hashed":
        raise SettingsError(f'handles is "masked", "hashed" or "full", not {handles!r}')
    if not key:
        raise SettingsError('handles="hashed" needs key=outbox.hash_key(), so that hashes can be joined')
    return lambda handle: hmac.new(key, handle.casefold().encode(), hashlib.sha256).hexdigest()[:16]


def _values(rows: Sequence[Any], record: type, name: str) -> Sequence[Any]:
    """Return one column of records."""
    of = _WORKED_OUT.get((record, name))
    return list(map(of or attrgetter(name), rows))


_Worked = Callable[[Any], Any]


def _of_file(name: str) -> _Worked:
    """Return what reads a field of the only file of a message."""
    return lambda message: getattr(message.media[0], name) if len(message.media) == 1 else None


_WORKED_OUT: Mapping[tuple[type, str], _Worked] = {
    (Chat, "people"): lambda chat: len(chat.others),
    (Chat, "from_handle"): lambda chat: chat.line,
    (Chat, "to_handles"): lambda chat: tuple(one.handle for one in chat.others),
    (Handle, "chat_id"): lambda handle: None,
    **{(Message, name): _of_file(name) for name in ("attachment_id", "filename", "mime_type", "size_bytes")},
}
