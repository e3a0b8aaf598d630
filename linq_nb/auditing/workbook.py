"""An audit as an Excel file: a sheet for each table, text as text, times without a zone."""

from __future__ import annotations

import importlib.util
from io import BytesIO
from typing import TYPE_CHECKING

from linq_nb.errors import SettingsError
from linq_nb.sheets import EXCEL_ROWS, write_sheet

if TYPE_CHECKING:
    from linq_nb.auditing.audit_tables import AuditTables


def content(audit: AuditTables) -> bytes:
    """Return the bytes of the file; raises SettingsError without XlsxWriter, or for more rows than a sheet has."""
    if importlib.util.find_spec("xlsxwriter") is None:
        raise SettingsError('to_excel needs XlsxWriter; nothing was written; pip install "linq_nb[audit]"')
    import xlsxwriter  # type: ignore[import-untyped]

    for name, frame in audit.frames.items():
        if len(frame) >= EXCEL_ROWS:
            raise SettingsError(
                f"the table {name} has {len(frame):,} rows, an Excel sheet {EXCEL_ROWS:,}; nothing was written; "
                "choose a shorter period"
            )
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True})
        first = book.add_worksheet("audit")
        first.set_column(0, 0, 12)
        for row, (label, value) in enumerate((("headline", audit.headline), ("period", audit.period))):
            first.write_string(row, 0, label, bold)
            first.write_string(row, 1, value)
        for name, frame in audit.frames.items():
            write_sheet(book, name, frame, audit.tz)
    return file.getvalue()
