"""An audit as an Excel file: a sheet for each table, text as text, times without a zone."""

from __future__ import annotations

import importlib.util
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from linq_nb.errors import SettingsError

if TYPE_CHECKING:
    from linq_nb.auditing.audit_tables import AuditTables

SHEET_ROWS = 1_048_576
"""Rows of an Excel sheet, with the row of the column names."""

SHEET_TEXT = 32_767
"""Characters of a cell."""


def content(audit: AuditTables) -> bytes:
    """Return the bytes of the file; raises SettingsError without XlsxWriter, or for more rows than a sheet has."""
    if importlib.util.find_spec("xlsxwriter") is None:
        raise SettingsError('to_excel needs XlsxWriter; nothing was written; pip install "linq_nb[audit]"')
    import xlsxwriter  # type: ignore[import-untyped]

    for name, frame in audit.frames.items():
        if len(frame) >= SHEET_ROWS:
            raise SettingsError(
                f"the table {name} has {len(frame):,} rows, an Excel sheet {SHEET_ROWS:,}; nothing was written; "
                "choose a shorter period"
            )
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        first = book.add_worksheet("audit")
        first.set_column(0, 0, 12)
        for row, (label, value) in enumerate((("headline", audit.headline), ("period", audit.period))):
            first.write_string(row, 0, label, bold)
            first.write_string(row, 1, value)
        for name, frame in audit.frames.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for column, title in enumerate(frame.columns):
                sheet.set_column(column, column, max(10, min(48, len(title) + 4)))
                sheet.write_string(0, column, title, bold)
                for row, value in enumerate(frame[title], 1):
                    _write_cell(sheet, row, column, value, audit.tz, moment)
            sheet.autofilter(0, 0, len(frame), max(len(frame.columns) - 1, 0))
    return file.getvalue()


def _write_cell(sheet: Any, row: int, column: int, value: Any, zone: str, moment: Any) -> None:
    """Write a cell by its type; a missing value is an empty cell."""
    import pandas as pd

    if pd.isna(value):
        return
    if isinstance(value, pd.Timestamp):
        local = value.tz_convert(ZoneInfo(zone)).tz_localize(None)
        sheet.write_datetime(row, column, local.to_pydatetime(), moment)
    elif isinstance(value, str):
        sheet.write_string(row, column, value[:SHEET_TEXT])
    elif isinstance(value, bool) or type(value).__name__ == "bool_":
        sheet.write_boolean(row, column, bool(value))
    else:
        sheet.write_number(row, column, float(value))
