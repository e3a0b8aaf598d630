"""The journal as Parquet files, one a day (``day=2026-03-02/``), for DuckDB, Polars, Spark or a warehouse.

Each column says what it means and its unit in the file's own schema (``description``, ``unit``). No raw answer, token
or URL is written, and handles are masked unless asked for otherwise. Needs ``linq_nb[parquet]``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linq_nb import frames
from linq_nb.errors import SettingsError
from linq_nb.frames import Handles
from linq_nb.journal import Journal
from linq_nb.model import BOOL, CATEGORY, FLOAT, INT, TEXT, TIME, Column, Event, Send, frame_columns

if TYPE_CHECKING:
    import pandas as pd

TableName = Literal["sends", "history"]

PAGES = 25
"""Pages of the journal that are in memory at once; a day with more has several row groups in its file."""

NO_DAY = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for a day that is not known."""

_RECORDS: Mapping[str, type] = {"sends": Send, "history": Event}
_NOT_IN_FILES = frozenset({"body", "day"})


@dataclass(frozen=True, repr=False)
class Exported:
    """The size of an export: rows, files (one a day) and bytes."""

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


def columns(table: str) -> dict[str, Column]:
    """Return the columns of a table's files by name; ``day`` is in the folder's name."""
    return {name: column for name, column in frame_columns(_RECORDS[table]).items() if name not in _NOT_IN_FILES}


def to_parquet(
    journal: Journal,
    folder: str | os.PathLike[str],
    handles: Handles = "masked",
    *,
    since: date | None = None,
    table: TableName = "sends",
    pages_at_once: int = PAGES,
) -> Exported:
    """Write a journal's sends, or their history, to a folder, as ``Outbox.to_parquet`` says."""
    _require_pyarrow("nothing was written")
    if table not in _RECORDS:
        raise SettingsError(f'table is "sends" or "history", not {table!r}; nothing was written; give one of these')
    key = journal.hash_key()
    frames.to_frame([], handles, key=key)  # refuses an unknown value of handles before anything is written
    target = Path(os.path.abspath(Path(folder).expanduser()))  # "." has no name to write beside
    with _disk_errors(target):
        _refuse_foreign(target, table)
        source = _Source(journal, table, handles, key, _start_of_day(since), pages_at_once)
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)  # left by a killed export
        try:
            rows = _write(source, part)
            files = _move(part, target, table)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        _drop_empty_days(source, target, {file.parent.name for file in files})
        return Exported(target, table, rows, len(files), sum(file.stat().st_size for file in files))


def read_parquet(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Read an export into the frame that ``to_frame`` gives of the same sends, with the same dtypes and categories.

    Its rows are in the order of their days, within a day in the journal's. An exported history gives the frame of
    ``to_frame(outbox.history())`` without its bodies, and with the ``day`` as the last column.
    Raises SettingsError when the folder holds no export.
    """
    _require_pyarrow("nothing was read")
    import pandas as pd
    import pyarrow as pa
    from pyarrow import dataset

    root = Path(folder).expanduser()
    files = sorted(root.glob("day=*/*.parquet"))
    tables = {file.stem for file in files}
    if len(tables) != 1 or not tables <= set(_RECORDS):
        raise SettingsError(f"the folder {root.name!r} holds no export; nothing was read; outbox.to_parquet makes one")
    (table,) = tables
    day = dataset.partitioning(pa.schema([("day", pa.string())]), flavor="hive")
    wanted = {name: column for name, column in frame_columns(_RECORDS[table]).items() if name != "body"}
    wanted.setdefault("day", Column(name="day", dtype=CATEGORY))  # an event has none of its own
    try:
        export = dataset.dataset(
            [str(file) for file in files], format="parquet", partitioning=day, partition_base_dir=str(root)
        )
        series = {  # one column at a time: the table as a whole would be in memory twice
            name: _series(export.to_table(columns=[name]).column(name), column)
            for name, column in wanted.items()
            if name in export.schema.names and name != "meaning"
        }
        rows = export.count_rows()
    except (pa.ArrowException, KeyError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise SettingsError(f"cannot read the export {root.name!r} ({why}); nothing was read; write it again") from None
    if new := wanted.keys() - series.keys() - {"meaning"}:  # the files of older versions do not have these columns
        blank = frames.from_chunks(_RECORDS[table], [])
        series |= {name: blank[name].reindex(range(rows)) for name in new}
    if "meaning" in wanted:
        series["meaning"] = frames.meanings(series["http_status"], series["error_code"])
    return pd.DataFrame({name: series[name] for name in wanted}, copy=False)


# --- writing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """The rows to export: which table of which journal, from which day on, and how its handles are written."""

    journal: Journal
    table: str
    handles: Handles
    key: bytes
    since: datetime | None
    pages_at_once: int


def _write(source: _Source, part: Path) -> int:
    """Write one file a day into the new folder ``part``; returns the number of rows."""
    import pyarrow as pa
    from pyarrow import dataset, parquet

    part.mkdir(parents=True)
    schema = _schema(source.table, source.handles)
    days = source.journal.by_day(_RECORDS[source.table], source.since)
    if days:
        day = pa.field("day", pa.string())
        dataset.write_dataset(
            pa.RecordBatchReader.from_batches(schema.append(day), _batches(source, schema, days)),
            part,
            basename_template=f"{source.table}{{i}}.parquet",
            format="parquet",
            partitioning=dataset.partitioning(pa.schema([day]), flavor="hive"),
            file_options=dataset.ParquetFileFormat().make_write_options(compression="zstd"),
            max_open_files=2,  # the days come in order
            preserve_order=True,  # without it the writer may swap the parts of a day
        )
    else:  # an empty file, so that the export can be read
        (part / f"day={NO_DAY}").mkdir()
        parquet.write_table(schema.empty_table(), part / f"day={NO_DAY}" / f"{source.table}0.parquet")
    return sum(map(len, days.values()))


def _batches(source: _Source, schema: Any, days: Mapping[date | None, Any]) -> Iterator[Any]:
    """Read the rows as Arrow, no batch of two days; a category has all words of the export, the same in all files."""
    import pandas as pd
    import pyarrow as pa

    record = _RECORDS[source.table]
    names = [name for name in frames.stored(record) if name != "body"]
    categories = [name for name, column in columns(source.table).items() if column.dtype == CATEGORY]
    words = {name: source.journal.distinct_values(record, name, source.since) for name in categories}
    pages = ((day, chunk) for day, records in days.items() for chunk in records.chunks(names))
    while some := list(islice(pages, source.pages_at_once)):
        chunks = [chunk for _, chunk in some]
        frame = frames.from_chunks(record, chunks, source.handles, key=source.key, leave=("body",))
        for name in categories:
            new = sorted(set(frame[name].cat.categories) - set(words[name]))  # written since the export began
            frame[name] = frame[name].cat.set_categories(pd.Index([*words[name], *new], dtype="string"))
        rows, start = pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False).combine_chunks(), 0
        for day, of_day in groupby(some, itemgetter(0)):
            length = sum(len(chunk[names[0]]) for _, chunk in of_day)
            days_of_rows = pa.array([day and str(day)] * length, pa.string())
            yield from rows.slice(start, length).append_column("day", days_of_rows).to_batches()
            start += length


def _move(part: Path, target: Path, table: str) -> list[Path]:
    """Put the file of each day in its place by a rename: a reader sees the old file or the new one."""
    written = sorted(part.glob("day=*/*.parquet"))
    for file in written:
        with file.open("r+b") as opened:
            os.fsync(opened.fileno())
    places = [target / file.parent.name / f"{table}.parquet" for file in written]
    for file, place in zip(written, places, strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)
    return places


def _drop_empty_days(source: _Source, target: Path, written: set[str]) -> None:
    """Remove the days of an earlier export that have no rows any more, as far as this export covers them."""
    for day in target.glob("day=*"):
        is_covered = source.since is None or f"day={source.since.date()}" <= day.name < f"day={NO_DAY}"
        if is_covered and day.name not in written:
            (day / f"{source.table}.parquet").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a file of somebody else is in it
                day.rmdir()


def _schema(table: str, handles: str) -> Any:
    """Return the schema of a table's files: types, meanings, units, and the dtypes that pandas reads."""
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
    for name, column in columns(table).items():
        metadata = {"description": column.meaning} | ({"unit": column.unit} if column.unit else {})
        fields.append(pa.field(name, types[column.dtype], metadata=metadata))
    schema = pa.schema(fields)
    empty = frames.from_chunks(_RECORDS[table], (), leave=("body",))
    as_pandas = pa.Table.from_pandas(empty[schema.names], schema, preserve_index=False).schema.metadata[b"pandas"]
    return schema.with_metadata({b"pandas": as_pandas, b"linq_nb.table": table, b"linq_nb.handles": handles})


def _start_of_day(since: date | None) -> datetime | None:
    """Return when the day of ``since`` begins in UTC: a day is exported whole."""
    if isinstance(since, datetime) and since.tzinfo is not None:
        since = since.astimezone(UTC)
    return None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC)


def _refuse_foreign(target: Path, table: str) -> None:
    """Refuse a folder that holds anything but an earlier export of the same table."""
    if not target.exists():
        return
    files = [file for day in target.iterdir() for file in (day.iterdir() if day.name.startswith("day=") else [day])]
    if foreign := sorted(file.name for file in files if file.name != f"{table}.parquet"):
        raise SettingsError(
            f"the folder {target.name!r} holds something else ({foreign[0]!r}) than an export of {table}; "
            "nothing was written; give a new folder"
        )


def _require_pyarrow(outcome: str) -> None:
    """Raise SettingsError with the command to install pyarrow when it is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise SettingsError(f'Parquet needs pyarrow, which is not installed; {outcome}; pip install "linq_nb[parquet]"')


@contextlib.contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Turn an error of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"the export to {target.name!r} could not be written ({error.strerror or error}); the files there are "
            "complete; nothing was sent; free the disk or give another folder"
        ) from None


# --- reading --------------------------------------------------------------------------------------------------


def _series(data: Any, column: Column) -> Any:
    """Return an Arrow column with the dtype of ``to_frame``; a text that repeats is in memory once."""
    import numpy as np
    import pandas as pd

    if column.dtype == TIME:
        return data.to_pandas()
    if column.dtype == CATEGORY:
        coded = _coded(data).cat.remove_unused_categories()
        return coded.cat.set_categories(pd.Index(sorted(coded.cat.categories), dtype="string"))
    if column.dtype == TEXT and not column.is_unique:
        coded = _coded(data).cat
        texts = np.array([*coded.categories, pd.NA], object)  # the last one is for code -1: missing
        return pd.Series(pd.array(texts[coded.codes], dtype=pd.StringDtype("python"), copy=False))
    kind: Any = pd.api.types.pandas_dtype(column.dtype)
    return pd.Series(kind.__from_arrow__(data), copy=False)


def _coded(data: Any) -> Any:
    """Return text of an Arrow column as a categorical series."""
    import pyarrow as pa

    encoded = data if pa.types.is_dictionary(data.type) else data.dictionary_encode()
    return encoded.unify_dictionaries().to_pandas()
