"""Your own table of people, such as the export of a CRM, joined by handle to the frames of sends and chats."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from linq_nb import storable
from linq_nb.errors import SettingsError
from linq_nb.frames import KeyHolder, hasher
from linq_nb.handles import each, handle_key, is_empty, to_e164
from linq_nb.tables import Table, in_pandas, is_table
from linq_nb.text import HIDDEN

if TYPE_CHECKING:
    import pandas as pd

_NOTHING_MATCHED = "nothing was matched"
_HASH = re.compile("[0-9a-f]{16}")
_HANDLE_COLUMNS = ("to_handles", "handle")
"""Columns of handles in frames of sends, chats, and people of chats."""


def match(
    frame: pd.DataFrame,
    contacts: Any,
    on: str = "phone",
    region: str | None = None,
    *,
    key: bytes | KeyHolder | None = None,
) -> pd.DataFrame:
    """Join your own table of people to a frame of sends or chats: a row for each send or chat and person that match.

    ``contacts``: a table (pandas, Polars, DuckDB, Arrow, a list of rows); its column ``on`` has phone numbers in any
    usual spelling, or email addresses. ``region`` (such as "US") is the country of numbers without their country code.
    A group has a row for each of its people that is in ``contacts``. The result has the frame's columns, then those of
    ``contacts``, with ``_contact`` added to a name that both have; ``result.attrs["matched"]`` says how many matched.
    The frame must show its handles: make it with ``handles="full"``, or with ``handles="hashed"`` and give
    ``key=outbox`` here too. Raises SettingsError for a masked frame, or a table without the column.
    """
    import pandas as pd

    to_e164(None, region)  # refuses what is no region
    frame, (people, column_on) = storable.table(frame), _table(contacts, on)
    column = next((name for name in _HANDLE_COLUMNS if name in frame.columns), None)
    if column is None:
        raise SettingsError("match takes a frame of sends or chats; nothing was matched; give one with to_handles")
    handles = frame[column].astype("string").reset_index(drop=True).str.split().explode().dropna()
    normal = functools.cache(_reader(set(handles), key))
    ours = pd.DataFrame({"row": handles.index, "handle": each(handles, lambda value: normal(value, None)).array})
    theirs = pd.DataFrame(
        {"person": range(len(people)), "handle": each(people[column_on], lambda value: normal(value, region)).array}
    )
    pairs = ours.dropna().merge(theirs.dropna(), on="handle")[["row", "person"]].drop_duplicates()
    pairs = pairs.sort_values(["row", "person"])
    clashes = {name: f"{name}_contact" for name in people.columns if name in frame.columns}
    sides = (frame.iloc[pairs["row"]], people.iloc[pairs["person"]].rename(columns=clashes))
    result = pd.concat([side.reset_index(drop=True) for side in sides], axis=1)
    result.attrs["matched"] = (
        f"{pairs['person'].nunique():,} of {len(people):,} contacts matched, in {pairs['row'].nunique():,} of "
        f"{len(frame):,} rows; {theirs['handle'].isna().sum():,} without a {on} that can be read"
    )
    return result


def hash_handles(values: Any, key: bytes | KeyHolder, region: str | None = None) -> Any:
    """Return the hashes of handles, as ``to_frame(..., handles="hashed", key=key)`` has it; missing ones stay missing.

    ``values``: a pandas or Polars Series, a list, or one handle. What is neither a phone number nor an email address
    is hashed as it is written. Raises SettingsError for masked handles.
    """
    to_e164(None, region)  # refuses what is no region
    hashed = hasher(key)

    def read(value: Any) -> str | None:
        if is_empty(value):
            return None
        text = str(value).strip()
        _refuse_masked([text])
        return hashed(handle_key(value, region) or text)

    return each(values, read)


def _table(contacts: Any, on: str) -> tuple[pd.DataFrame, Any]:
    """Return the contacts as a pandas frame and the name of its column; raises SettingsError for one without it."""
    if not is_table(contacts):
        raise SettingsError(
            f"contacts is a DataFrame of people, not a {type(contacts).__name__}; nothing was matched; "
            f"give one with the column {on!r}"
        )
    people = storable.table(in_pandas(contacts, _NOTHING_MATCHED))
    names = tuple(map(str, people.columns))
    return people, people.columns[Table(names, (), "table of contacts", _NOTHING_MATCHED).place(on)]


def _reader(handles: set[str], key: bytes | KeyHolder | None) -> Callable[[Any, str | None], str | None]:
    """Return the function that spells a contact's handle as these handles are spelled: in full, or hashed."""
    _refuse_masked(handles)
    if not handles or not all(map(_HASH.fullmatch, handles)):
        return handle_key
    if key is None:
        raise SettingsError("the handles of this frame are hashed; nothing was matched; give key=outbox")
    hashed = hasher(key)

    def read(value: Any, region: str | None) -> str | None:
        if value in handles:
            return str(value)
        normal = handle_key(value, region)
        return None if normal is None else hashed(normal)

    return read


def _refuse_masked(handles: Any) -> None:
    if any(HIDDEN in handle for handle in handles):
        raise SettingsError(
            'these handles are masked, so no contact can be matched by them; nothing was matched; use handles="full", '
            'or handles="hashed" with key=outbox, where the frame is made'
        )
