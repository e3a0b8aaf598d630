"""Records as DataFrames: fixed columns, fixed dtypes, the same when there are none.

Sends have one row each, with seconds as floats (``*_s``) so that every engine can aggregate them. Handles are
masked unless asked for: "masked" (+1•••••5597), "hashed" (keyed, stable: to join on) or "full".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from linq_nb import catalog, views
from linq_nb.errors import SettingsError
from linq_nb.model import Chat, Event, Finding, Handle, Line, Message, Send

if TYPE_CHECKING:
    import pandas as pd

Handles = Literal["masked", "hashed", "full"]
Mask = Callable[[str], str]

TEXT, INT, FLOAT, BOOL, CATEGORY, TIME = "string", "Int64", "Float64", "boolean", "category", "datetime64[us, UTC]"

SEND_COLUMNS: Mapping[str, str] = {
    "send_id": TEXT, "chat_id": TEXT, "chat_name": TEXT, "is_group": BOOL, "from_handle": TEXT, "to_handles": TEXT,
    "memo_source": CATEGORY, "filename": TEXT, "format": CATEGORY, "mime_type": TEXT, "size_bytes": INT,
    "duration_ms": INT, "sha256": TEXT, "attachment_id": TEXT, "message_id": TEXT, "service": CATEGORY,
    "status": CATEGORY, "http_status": INT, "error_code": INT, "error_message": TEXT, "doc_url": TEXT,
    "trace_id": TEXT, "attempts": INT, "created_at": TIME, "posted_at": TIME, "accepted_at": TIME, "sent_at": TIME,
    "delivered_at": TIME, "read_at": TIME, "failed_at": TIME, "checked_at": TIME, "accept_s": FLOAT,
    "delivery_s": FLOAT, "read_s": FLOAT,
}  # fmt: skip
CHAT_COLUMNS: Mapping[str, str] = {
    "chat_name": TEXT, "is_group": BOOL, "people": INT, "service": CATEGORY, "health_status": CATEGORY,
    "to_handles": TEXT, "from_handle": TEXT, "is_active": BOOL, "is_archived": BOOL, "created_at": TIME,
    "updated_at": TIME, "chat_id": TEXT,
}  # fmt: skip
HANDLE_COLUMNS: Mapping[str, str] = {
    "handle": TEXT, "handle_id": TEXT, "is_me": BOOL, "service": CATEGORY, "status": CATEGORY, "line_type": CATEGORY,
    "joined_at": TIME, "left_at": TIME,
}  # fmt: skip
LINE_COLUMNS: Mapping[str, str] = {
    "line_id": TEXT, "phone_number": TEXT, "reputation": CATEGORY, "line_type": CATEGORY,
}  # fmt: skip
FINDING_COLUMNS: Mapping[str, str] = {"level": CATEGORY, "code": TEXT, "message": TEXT}
EVENT_COLUMNS: Mapping[str, str] = {
    "send_id": TEXT, "at": TIME, "source": CATEGORY, "status": CATEGORY, "http_status": INT, "error_code": INT,
    "error_message": TEXT, "doc_url": TEXT, "trace_id": TEXT, "message_id": TEXT, "service": CATEGORY,
    "sent_at": TIME, "delivered_at": TIME, "read_at": TIME, "failed_at": TIME, "reconcile_result": TEXT, "body": TEXT,
}  # fmt: skip
MESSAGE_COLUMNS: Mapping[str, str] = {
    "message_id": TEXT, "chat_id": TEXT, "is_from_me": BOOL, "delivery_status": CATEGORY, "service": CATEGORY,
    "created_at": TIME, "updated_at": TIME, "sent_at": TIME, "delivered_at": TIME, "read_at": TIME,
    "reconciled_at": TIME,
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


def to_frame(
    records: Any,
    handles: Handles = "masked",
    *,
    kind: str | None = None,
    key: bytes | None = None,
) -> pd.DataFrame:
    """Return records of one kind as a DataFrame, one row each, with the columns of ``frames.COLUMNS``.

    ``records``: sends, chats, handles, lines, findings, events or messages; one record or many. An empty list
    gives the columns of sends, or of ``kind`` ("chats", "findings", ...). ``handles``: "masked", "hashed" with
    ``key=outbox.hash_key()``, or "full". ``to_handles`` joins several with a space.
    Raises SettingsError for records of several kinds, or "hashed" without a key.
    """
    rows = [records] if type(records) in COLUMNS else list(records)
    columns = COLUMNS[_kind(rows, kind)]
    masked = _mask(handles, key)
    return _frame(columns, {name: [_cell(row, name, masked, handles) for row in rows] for name in columns})


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
    import pandas as pd

    made = {name: _column(pd, data[name], dtype) for name, dtype in columns.items()}
    return pd.DataFrame(made, columns=list(columns))


def _column(pd: Any, values: Sequence[Any], dtype: str) -> Any:
    if dtype == CATEGORY:
        return pd.Series(pd.Categorical(pd.array(values, dtype="string")))
    if dtype == TIME:
        return pd.Series(pd.DatetimeIndex(pd.to_datetime(values, utc=True)).as_unit("us"), dtype=TIME)
    return pd.Series(pd.array(values, dtype=dtype))


def _kind(rows: Sequence[Any], kind: str | None) -> type:
    found = {type(row) for row in rows}
    if kind is not None:
        if kind not in _KINDS:
            raise SettingsError(f"kind is one of {', '.join(_KINDS)}, not {kind!r}")
        found.add(_KINDS[kind])
    if len(found) > 1 or not found <= set(COLUMNS):
        names = ", ".join(sorted(one.__name__ for one in found))
        raise SettingsError(f"to_frame takes records of one kind ({', '.join(_KINDS)}); got {names}")
    return found.pop() if found else Send


def _mask(handles: str, key: bytes | None) -> Mask:
    if handles == "full":
        return str
    if handles == "masked":
        return views.mask
    if handles != "hashed":
        raise SettingsError(f'handles is "masked", "hashed" or "full", not {handles!r}')
    if not key:
        raise SettingsError('handles="hashed" needs key=outbox.hash_key(), so that hashes can be joined')
    return lambda handle: hmac.new(key, handle.casefold().encode(), hashlib.sha256).hexdigest()[:16]


def _cell(row: Any, name: str, masked: Mask, handles: str) -> Any:
    value: Any = len(row.others) if name == "people" else _value(row, name)
    if value is None:
        return None
    if name == "to_handles":
        return " ".join(masked(one) for one in value) or None
    if name in _HANDLE_COLUMNS:
        return masked(value)
    if name in _FREE_TEXT:
        text = json.dumps(value, ensure_ascii=False) if name == "body" and not isinstance(value, str) else value
        return text if handles == "full" else views.mask_text(text)
    return value


def _value(row: Any, name: str) -> Any:
    if isinstance(row, Chat) and name in ("from_handle", "to_handles"):
        return row.line if name == "from_handle" else tuple(one.handle for one in row.others)
    return getattr(row, name)
