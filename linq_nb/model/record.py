"""What all records share: their display, and the declaration of their columns.

A column is declared once, on the record's field: ``field(metadata=column("size of the file", unit="bytes"))``. Frames,
journal, Parquet files and the column reference are made from ``columns_of(record)``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

TEXT, INT, FLOAT, BOOL, CATEGORY, TIME = "string", "Int64", "Float64", "boolean", "category", "datetime64[us, UTC]"
"""The dtypes of columns, as pandas names them."""

_DTYPES = {"int": INT, "float": FLOAT, "bool": BOOL, "datetime": TIME}


class Displayed:
    """Rich display in a notebook."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return _views().mimebundle(self)  # type: ignore[no-any-return]


class Record(Displayed):
    """A record: its text and its rich display say the same."""

    __slots__ = ()
    _derived: ClassVar[tuple[Column, ...]] = ()
    _short: ClassVar[tuple[str, ...]] = ()  # the columns that a person looks for, which come first in a frame

    def __repr__(self) -> str:
        return _views().line(self)  # type: ignore[no-any-return]


def _views() -> Any:
    from linq_nb import views  # the only import that goes up a floor: a record asks for its display

    return views


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a kind of record.

    ``dtype`` is pandas' name of it. ``is_handle``: phone numbers or email addresses, masked as a whole;
    ``is_free_text``: text in which some may stand; ``is_recipient``: text that a person wrote as a recipient.
    ``is_unique``: its values hardly repeat. ``is_json``: lists and other JSON, kept as text. ``is_stored``: the journal
    keeps it. ``in_frame``: frames and exports have it. ``read`` works a derived column out of one record; without it
    frames work it out of other columns. A derived column stands before the column ``before``, or at the end.
    """

    name: str = ""
    dtype: str = TEXT
    meaning: str = ""
    unit: str = ""
    is_handle: bool = False
    is_free_text: bool = False
    is_recipient: bool = False
    is_unique: bool = False
    is_json: bool = False
    is_stored: bool = True
    in_frame: bool = True
    read: Callable[[Any], Any] | None = None
    before: str = ""


def column(meaning: str, dtype: str = TEXT, **declared: Any) -> Mapping[str, Column]:
    """Declare the column of a field, as its ``metadata``; the dtype, unless CATEGORY, follows from the field's type."""
    return {"column": Column(meaning=meaning, dtype=dtype, **declared)}


def derived(name: str, dtype: str, meaning: str, **declared: Any) -> Column:
    """Declare a column that is worked out of the record or of other columns."""
    return Column(name=name, dtype=dtype, meaning=meaning, is_stored=False, **declared)


@functools.cache
def columns_of(record: type) -> Mapping[str, Column]:
    """Return the columns that a record type declares, by name, in order; derived ones stand among them."""
    columns = [_complete(field) for field in dataclasses.fields(record) if "column" in field.metadata]
    for extra in record._derived:  # type: ignore[attr-defined]
        names = [column.name for column in columns]
        columns.insert(names.index(extra.before) if extra.before else len(columns), extra)
    return {column.name: column for column in columns}


def frame_columns(record: type) -> Mapping[str, Column]:
    """Return the columns of a record's frame, by name, in order: those that a person looks for come first."""
    columns = {name: column for name, column in columns_of(record).items() if column.in_frame}
    return {name: columns[name] for name in record._short} | columns  # type: ignore[attr-defined]


def short_columns(record: type) -> tuple[str, ...]:
    """Return the columns that a person looks for, as tables in a notebook show them."""
    return record._short or tuple(frame_columns(record))  # type: ignore[attr-defined]


def _complete(field: dataclasses.Field[Any]) -> Column:
    """Add to a field's declaration what its name and type say; times are in UTC."""
    declared: Column = field.metadata["column"]
    kind = str(field.type).removesuffix(" | None")
    dtype = CATEGORY if declared.dtype == CATEGORY else _DTYPES.get(kind, TEXT)
    unit = "UTC" if dtype == TIME else declared.unit
    is_json = kind in ("tuple[str, ...]", "Any")
    return dataclasses.replace(declared, name=field.name, dtype=dtype, unit=unit, is_json=is_json)
