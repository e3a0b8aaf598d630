"""A table as a sheet of an Excel file: text is never a formula, times have no zone, missing values are empty cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from linq_nb.reports.values import plain

if TYPE_CHECKING:
    import pandas as pd

EXCEL_ROWS = 1_048_576
"""Rows of a sheet, the one with the names of the columns among them."""

EXCEL_TEXT = 32_767
"""Characters of a cell at most."""


def write_sheet(book: Any, name: str, frame: pd.DataFrame, zone: str = "UTC") -> None:
    """Add a sheet to a workbook of XlsxWriter, row by row; its times are those of the zone."""
    sheet, tz = book.add_worksheet(name), ZoneInfo(zone)
    bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(frame.columns):
        sheet.set_column(column, column, max(10, min(48, len(str(title)) + 4)))
        sheet.write_string(0, column, str(title), bold)
    for number, row in enumerate(frame.itertuples(index=False), 1):
        for column, value in enumerate(map(plain, row)):
            _write_cell(sheet, number, column, value, moment, tz)
    sheet.autofilter(0, 0, len(frame), max(len(frame.columns) - 1, 0))


def _write_cell(sheet: Any, row: int, column: int, value: Any, moment: Any, tz: ZoneInfo) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    elif hasattr(value, "tzinfo"):
        sheet.write_datetime(row, column, value.astimezone(tz).replace(tzinfo=None), moment)
    else:
        sheet.write_string(row, column, str(value)[:EXCEL_TEXT])
