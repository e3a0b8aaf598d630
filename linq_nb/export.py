"""The journal as Parquet files, one a day (``day=2026-03-02/``), for DuckDB, Polars, Spark or a warehouse.

Each column says what it means and its unit in the file's own schema (``description``, ``unit``). No raw answer, token
or URL is written, and handles are masked unless asked for otherwise. Needs ``linq_nb[parquet]``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linq_nb import frames
from linq_nb.errors import SettingsError
from linq_nb.frames import Handles
from linq_nb.frames.series import MISSING_TIME
from linq_nb.journal import Journal
from linq_nb.model import BOOL, CATEGORY, FLOAT, INT, TEXT, TIME, Event, Send, columns_of

if TYPE_CHECKING:
    import pandas as pd

Table = Literal["sends", "history"]

ROWS = 50_000
"""Rows that are held and written at a time; a day with more has several row groups in its file."""

NO_DAY = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for a day that is not known."""

_RECORDS: Mapping[str, type] = {"sends": Send, "history": Event}
_NOT_IN_FILES = frozenset({"body", "day"})


@dataclass(frozen=True, repr=False)
class Exported:
    """What an export wrote: so many rows in so many files, one a day, of so many bytes."""

    folder: Path
    table: str
    rows: int
    files: int
    size_bytes: int

    def __repr__(self) -> str:
        size = f"{self.size_bytes / 1e6:,.1f} MB"
        return (
            f"<{self.rows:,} rows of {self.table} in {self.files:,} files, one a day, {size}, in {self.folder.name!r}>"
        )


def columns(table: str) -> dict[str, str]:
    """Return the columns that a table's files have, with their dtypes; ``day`` comes from the folder's name."""
    found = frames.COLUMNS[_RECORDS[table]]
    return {name: dtype for name, dtype in found.items() if name not in _NOT_IN_FILES}


def to_parquet(
    journal: Journal,
    folder: str | os.PathLike[str],
    handles: Handles = "masked",
    *,
    since: date | None = None,
    table: Table = "sends",
) -> Exported:
    """Write a journal's sends, or their history, to a folder, as ``Outbox.to_parquet`` says."""
    _pyarrow("nothing was written")
    if table not in _RECORDS:
        raise SettingsError(f'table is "sends" or "history", not {table!r}; nothing was written')
    key = journal.hash_key()
    frames.to_frame([], handles, key=key)  # refuses what handles cannot be, before anything is written
    target = Path(os.path.abspath(Path(folder).expanduser()))  # "." has no name to write beside
    with _told(target):
        _refuse_foreign(target, table)
        return _Export(journal, target, table, handles, key, _midnight(since)).run()


def read_parquet(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Read an export: the frame that ``to_frame`` gives of the same sends, with the same dtypes and categories.

    Its rows are in the order of their days, within a day in the journal's. An exported history gives the frame of
    ``to_frame(outbox.history())`` without its bodies, and with the ``day`` as the last column.
    Raises SettingsError when the folder holds no export.
    """
    _pyarrow("nothing was read")
    import pandas as pd
    import pyarrow as pa
    from pyarrow import dataset

    root = Path(folder).expanduser()
    files = sorted(root.glob("day=*/*.parquet"))
    tables = {one.stem for one in files}
    if len(tables) != 1 or not tables <= set(_RECORDS):
        raise SettingsError(f"the folder {root.name!r} holds no export of linq_nb; outbox.to_parquet(folder) makes one")
    (table,) = tables
    day = dataset.partitioning(pa.schema([("day", pa.string())]), flavor="hive")
    try:
        found = dataset.dataset(
            [str(one) for one in files], format="parquet", partitioning=day, partition_base_dir=str(root)
        )
        unique = {name for name, column in columns_of(_RECORDS[table]).items() if column.is_unique}
        made = {  # one column at a time: the table as a whole would be in memory twice
            name: _series(
                found.to_table(columns=[name]).column(name),
                dtype,
                is_unique=name in unique,
            )
            for name, dtype in _read_columns(table).items()
        }
    except (pa.ArrowException, KeyError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise SettingsError(f"the export in {root.name!r} cannot be read ({why}); write it again") from None
    return pd.DataFrame(made, copy=False)


def _read_columns(table: str) -> dict[str, str]:
    """Return the columns of the frame that an export is read as."""
    found = frames.COLUMNS[_RECORDS[table]]
    return {name: dtype for name, dtype in found.items() if name != "body"} | {"day": CATEGORY}


# --- writing --------------------------------------------------------------------------------------------------


class _Export:
    """One export: each day's file is written beside the folder, and all are put in their places at the end."""

    def __init__(
        self, journal: Journal, target: Path, table: str, handles: Handles, key: bytes, since: datetime | None
    ) -> None:
        self._journal, self._target, self._table, self._since = journal, target, table, since
        self._handles, self._key, self._record = handles, key, _RECORDS[table]
        self._part = target.with_name(f".{target.name}.part")
        self._schema = _schema(table, handles)
        self._words = {
            name: journal.words(self._record, name, since)
            for name, dtype in columns(table).items()
            if dtype == CATEGORY
        }

    def run(self) -> Exported:
        shutil.rmtree(self._part, ignore_errors=True)  # what a killed export left
        try:
            self._part.mkdir(parents=True)
            days: dict[date | None, Any] = {**self._journal.by_day(self._record, self._since)} or {None: _NONE}
            rows = [self._written(day, pages) for day, pages in days.items()]
            self._target.mkdir(exist_ok=True)
            placed = [self._placed(day) for day in days]
            self._clear({_folder(day) for day in days})
        finally:
            shutil.rmtree(self._part, ignore_errors=True)
        size = sum(one.stat().st_size for one in placed)
        return Exported(self._target, self._table, sum(rows), len(placed), size)

    def _written(self, day: date | None, pages: Any) -> int:
        """Write one day's file; gives the number of its rows."""
        from pyarrow import parquet

        names = [name for name in frames.stored(self._record) if name != "body"]
        with (self._part / _folder(day)).open("wb") as file:
            with parquet.ParquetWriter(file, self._schema, compression="zstd") as writer:
                for some, length in _gathered(pages.chunks(names)):
                    writer.write_table(self._arrow(some, length))
            file.flush()
            os.fsync(file.fileno())
        return len(pages)

    def _arrow(self, chunks: Sequence[frames.Chunk], length: int) -> Any:
        """Return some rows as Arrow; each category has all words of the export, so that all files have the same."""
        import pandas as pd
        import pyarrow as pa

        frame = frames.from_chunks(self._record, chunks, length, self._handles, key=self._key, leave=("body",))
        for name, words in self._words.items():
            new = sorted(set(frame[name].cat.categories) - set(words))  # written down since the export began
            frame[name] = frame[name].cat.set_categories(pd.Index([*words, *new], dtype="string"))
        return pa.Table.from_pandas(frame[self._schema.names], self._schema, preserve_index=False)

    def _placed(self, day: date | None) -> Path:
        """Put a day's file in its place, at once: a reader sees the old one or the new one."""
        place = self._target / _folder(day) / f"{self._table}.parquet"
        place.parent.mkdir(exist_ok=True)
        os.replace(self._part / _folder(day), place)
        return place

    def _clear(self, kept: set[str]) -> None:
        """Drop the days of an earlier export that hold nothing any more, of those that this one is about."""
        first = "" if self._since is None else _folder(self._since.date())
        for place in self._target.glob("day=*"):
            if place.name in kept or place.name < first or (self._since and place.name == _folder(None)):
                continue
            (place / f"{self._table}.parquet").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps something else there
                place.rmdir()


class _Nothing:
    """The pages of a journal without rows: the export has one empty file, so that it can be read."""

    def __len__(self) -> int:
        return 0

    def chunks(self, names: Sequence[str]) -> Iterator[frames.Chunk]:
        return iter(())


_NONE = _Nothing()


def _gathered(chunks: Iterator[frames.Chunk]) -> Iterator[tuple[list[frames.Chunk], int]]:
    """Put pages together to about ``ROWS`` rows, with their number."""
    some: list[frames.Chunk] = []
    length = 0
    for chunk in chunks:
        some.append(chunk)
        length += len(next(iter(chunk.values())))
        if length >= ROWS:
            yield some, length
            some, length = [], 0
    if some:
        yield some, length


def _schema(table: str, handles: str) -> Any:
    """Return the schema of a table's files: types, what each column says, and what pandas makes of it."""
    import pyarrow as pa

    types = {
        TEXT: pa.string(),
        INT: pa.int64(),
        FLOAT: pa.float64(),
        BOOL: pa.bool_(),
        TIME: pa.timestamp("us", tz="UTC"),
        CATEGORY: pa.dictionary(pa.int32(), pa.string()),
    }
    fields = []
    for name, dtype in columns(table).items():
        declared = columns_of(_RECORDS[table])[name]
        described = {"description": declared.meaning, "unit": declared.unit}
        fields.append(pa.field(name, types[dtype], metadata={key: text for key, text in described.items() if text}))
    schema = pa.schema(fields)
    empty = frames.from_chunks(_RECORDS[table], (), 0, leave=("body",))
    as_pandas = pa.Table.from_pandas(empty[schema.names], schema, preserve_index=False).schema.metadata[b"pandas"]
    return schema.with_metadata({b"pandas": as_pandas, b"linq_nb.table": table, b"linq_nb.handles": handles})


def _folder(day: date | None) -> str:
    return f"day={day or NO_DAY}"


def _midnight(since: date | None) -> datetime | None:
    """Return the beginning, in UTC, of the day that is meant: a day is exported whole."""
    if since is None:
        return None
    if isinstance(since, datetime):
        since = (since if since.tzinfo is None else since.astimezone(UTC)).date()
    return datetime(since.year, since.month, since.day, tzinfo=UTC)


def _refuse_foreign(target: Path, table: str) -> None:
    """Refuse a folder that holds anything but an earlier export of the same table: it would be mixed up or lost."""
    if not target.exists():
        return
    inside = [one for day in target.iterdir() for one in (day.iterdir() if day.name.startswith("day=") else [day])]
    if other := sorted(one.name for one in inside if one.name != f"{table}.parquet"):
        raise SettingsError(
            f"the folder {target.name!r} holds something else ({other[0]!r}) than an export of {table}; "
            "nothing was written; give a new folder"
        )


def _pyarrow(outcome: str) -> None:
    """Raise SettingsError that says what to install when pyarrow is not there."""
    if importlib.util.find_spec("pyarrow") is None:
        raise SettingsError(f'Parquet needs pyarrow, which is not installed; {outcome}; pip install "linq_nb[parquet]"')


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    """Turn a fault of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"the export to {target.name!r} could not be written ({error.strerror or error}); what stood there is "
            "whole; nothing was sent; free the disk or give another folder"
        ) from None


# --- reading --------------------------------------------------------------------------------------------------


def _series(column: Any, dtype: str, *, is_unique: bool) -> Any:
    """Return a column of Arrow as ``to_frame`` holds it."""
    import pandas as pd

    if dtype == TIME:
        micros = column.cast("int64").fill_null(MISSING_TIME).to_numpy()
        return pd.Series(micros.view("datetime64[us]"), copy=False).dt.tz_localize("UTC")
    if dtype == CATEGORY:
        return _words(column)
    if dtype == TEXT and not is_unique:
        return _texts(column)
    kind: Any = pd.api.types.pandas_dtype(dtype)
    return pd.Series(kind.__from_arrow__(column), copy=False)


def _coded(column: Any) -> tuple[Any, list[str]]:
    """Return a column of text as numbers, -1 for missing, and the texts that they stand for."""
    import pyarrow as pa

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = pa.chunked_array(coded.unify_dictionaries().chunks, coded.type).combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return whole.indices.fill_null(-1).to_numpy(zero_copy_only=False), whole.dictionary.to_pylist()


def _words(column: Any) -> Any:
    """Return a categorical with the words that there are, in order."""
    import numpy as np
    import pandas as pd

    codes, words = _coded(column)
    used = sorted(np.unique(codes[codes >= 0]).tolist(), key=words.__getitem__)
    place = np.full(len(words) + 1, -1, "int32")  # the last one is for code -1: missing
    place[used] = range(len(used))
    index = pd.Index(pd.array([words[one] for one in used], dtype="string"))
    return pd.Series(pd.Categorical.from_codes(place[codes], categories=index))


def _texts(column: Any) -> Any:
    """Return text that repeats, each value held once."""
    import numpy as np
    import pandas as pd

    codes, words = _coded(column)
    shown = np.array([*words, pd.NA], object)
    return pd.Series(pd.array(shown[codes], dtype=pd.StringDtype("python"), copy=False))
