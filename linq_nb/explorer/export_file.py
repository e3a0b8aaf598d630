"""The chosen rows as a new file: CSV, Excel or Parquet, masked; no cell of text is ever a formula."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linq_nb import storable
from linq_nb.errors import SettingsError
from linq_nb.explorer.cells import COLUMNS, masked
from linq_nb.sheets import EXCEL_ROWS, write_sheet
from linq_nb.tables import masked_value

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {"csv": ".csv", "excel": ".xlsx", "parquet": ".parquet"}
NEEDED = {"excel": ("xlsxwriter", "audit"), "parquet": ("pyarrow", "parquet")}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet that opens a CSV reads a cell that begins so as a formula; an apostrophe before it makes it text."""

_MASKED = tuple(
    name for name, column in COLUMNS.items() if column.is_handle or column.is_free_text or column.is_recipient
)


def write(rows: Any, format: str, folder: Path, rows_at_most: int = EXCEL_ROWS) -> Path:  # noqa: A002
    """Write a narwhals frame to a new file in a folder; returns its path. Raises SettingsError when it cannot be."""
    if format not in SUFFIXES:
        raise SettingsError(
            f"the format is one of {', '.join(SUFFIXES)}, not {format!r}; nothing was written; give one of these"
        )
    package, extra = NEEDED.get(format, ("pandas", ""))
    if importlib.util.find_spec(package) is None:
        raise SettingsError(f'this needs {package}; nothing was written; pip install "linq_nb[{extra}]"')
    frame = _frame(rows)
    if format == "excel" and len(frame) + 1 > rows_at_most:
        raise SettingsError(
            f"{len(frame):,} rows are more than the {rows_at_most - 1:,} of an Excel sheet; nothing was written; "
            "choose fewer, or export CSV or Parquet"
        )
    try:
        return _write(frame, format, folder)
    except OSError as error:
        raise SettingsError(
            f"the file could not be written ({error.strerror or error}); nothing was sent; free the disk or start the "
            "notebook in a folder that it can write to"
        ) from None


def _write(frame: pd.DataFrame, format: str, folder: Path) -> Path:  # noqa: A002
    place = _reserved(folder, SUFFIXES[format])
    try:
        if format == "csv":
            _safe_text(frame).to_csv(place, index=False, encoding="utf-8-sig")
        elif format == "parquet":
            frame.to_parquet(place, index=False)
        else:
            import xlsxwriter  # type: ignore[import-untyped]  # it has no types

            with xlsxwriter.Workbook(place, {"constant_memory": True}) as book:
                write_sheet(book, "sends", frame)  # times in UTC without a zone, as Excel has none
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return place


def _reserved(folder: Path, suffix: str) -> Path:
    """Make a new empty file: sends.csv, else sends-2.csv and so on."""
    for number in range(1, 10_000):
        place = folder / f"sends{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            place.open("x").close()
        except FileExistsError:
            continue
        return place
    raise SettingsError(f"this folder has 10,000 files sends-…{suffix}; nothing was written; move some of them away")


def _frame(rows: Any) -> pd.DataFrame:
    """Return the rows as a pandas frame, masked."""
    import narwhals as nw

    rows = rows.collect() if isinstance(rows, nw.LazyFrame) else rows
    frame: pd.DataFrame = storable.table(rows.to_pandas()).copy()
    for name in frame:
        if name in COLUMNS and name not in _MASKED:
            continue
        values = frame[name].astype(object)
        if name in _MASKED:
            texts = {value: masked(name, value) for value in values.dropna().unique()}
            frame[name] = values.map(texts, na_action="ignore").astype("string")
        else:  # of one's own table
            hidden = values.map(partial(masked_value, str(name)), na_action="ignore")
            frame[name] = frame[name] if hidden.equals(values) else hidden.convert_dtypes()
    return frame


def _safe_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before text that a spreadsheet would read as a formula."""
    import pandas as pd

    safe = frame.rename(columns=lambda name: f"'{name}" if str(name).startswith(FORMULA) else name)
    for name in safe:
        if not pd.api.types.is_numeric_dtype(safe[name]) and not pd.api.types.is_datetime64_any_dtype(safe[name]):
            text = safe[name].astype("string")
            safe[name] = text.mask(text.str.startswith(FORMULA).fillna(False), "'" + text)
    return safe
