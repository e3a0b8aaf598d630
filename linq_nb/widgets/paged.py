"""One page of a table, as table.js shows it: columns, rows, order and place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from linq_nb.status import Colour


class Column(NamedTuple):
    """A column: its name, its heading, what it means, and whether it holds numbers."""

    name: str
    label: str
    meaning: str = ""
    number: bool = False


class Row(NamedTuple):
    """A row: its id, the texts of its cells, and the colour of its status."""

    id: str
    cells: Sequence[str]
    colour: Colour


def page_start(offset: int, total: int, page: int) -> int:
    """Return an offset that has rows: at least 0, at most where the last page of ``total`` rows begins."""
    return max(0, min(int(offset), (total - 1) // page * page)) if total else 0


def page_view(
    columns: Sequence[Column], rows: Sequence[Row], *, sort: str, descending: bool, offset: int, page: int, total: int
) -> dict[str, Any]:
    """Return one page of rows as JSON for table.js: the page that begins at row ``offset`` of ``total``."""
    return {
        "columns": [column._asdict() for column in columns],
        "rows": [row._asdict() for row in rows],
        "sort": sort, "descending": descending, "offset": offset, "page": page, "total": total,
    }  # fmt: skip
