"""An audit: its headline and tables, shown in a notebook, as one HTML file and as an Excel file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from linq_nb.auditing import audit_page, workbook
from linq_nb.auditing.audit_tables import AuditTables
from linq_nb.errors import SettingsError


class Audit(AuditTables):
    """The audit of a period. ``frames`` has its tables by name, with times in UTC.

    summary, problems, next, chats, latency, open, duplicates, days.
    """

    def to_html(self, file: str | os.PathLike[str] | None = None) -> str:
        """Return the audit as one self-contained page of HTML that prints on A4, and write it to a new file.

        Raises SettingsError for a file that exists already, or that cannot be written.
        """
        page = audit_page.document(self)
        if file is not None:
            _write(file, page.encode())
        return page

    def to_excel(self, file: str | os.PathLike[str]) -> None:
        """Write a new Excel file with a sheet for each table; its times are in the audit's zone, without naming it.

        Raises SettingsError for a file that exists already or cannot be written, and without XlsxWriter.
        """
        _write(file, workbook.content(self))

    def __repr__(self) -> str:
        return audit_page.text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": audit_page.fragment(self), "text/plain": repr(self)}


def _write(file: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that must not be there yet."""
    place = Path(file)
    try:
        with place.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise SettingsError(
            f"there is a file {place.name!r} already; nothing was written; give another name or move it"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"cannot write {place.name!r} ({error.strerror or error}); nothing was written; give another place"
        ) from None
