"""The statements of each send: compiled once by SQLAlchemy, run on the cursor of the driver.

To execute them by SQLAlchemy would cost more than the request to Linq itself. SQLAlchemy's column types convert the
values in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

Convert = Callable[[Any], Any] | None


class Prepared:
    """A statement that is compiled once."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._binds = [(name, bind.type.bind_processor(dialect)) for name, bind in compiled.binds.items()]
        self._results = result_processors(getattr(statement, "selected_columns", ()), dialect)

    def run(self, db: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Run it with these values; returns the driver's cursor."""
        cursor = db.connection.cursor()
        cursor.execute(
            self._sql, {name: convert(values[name]) if convert else values[name] for name, convert in self._binds}
        )
        return cursor

    def rows(self, db: sa.Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it with these values; returns the rows."""
        return [converted(row, self._results) for row in self.run(db, values).fetchall()]


class PreparedByColumns:
    """A statement for each set of columns that is written; ``make`` returns it for their names."""

    def __init__(self, make: Callable[[Iterable[str]], Any], dialect: sa.Dialect) -> None:
        self._make, self._dialect = make, dialect
        self._statements: dict[tuple[str, ...], Prepared] = {}

    def run(self, db: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Run the statement for the columns of these values; returns the driver's cursor."""
        names = tuple(values)
        if names not in self._statements:
            self._statements[names] = Prepared(self._make(names), self._dialect)
        return self._statements[names].run(db, values)


def bound(table: sa.Table, names: Iterable[str]) -> dict[str, Any]:
    """Return a parameter for each of these columns, of the same name and type."""
    return {name: sa.bindparam(name, type_=table.c[name].type) for name in names}


def result_processors(columns: Iterable[sa.Column[Any]], dialect: sa.Dialect) -> Sequence[Convert]:
    """Return what converts the driver's values of these columns."""
    return [column.type.result_processor(dialect, None) for column in columns]


def converted(values: Sequence[Any], processors: Sequence[Convert]) -> tuple[Any, ...]:
    """Return a row of the driver with its values converted."""
    return tuple([convert(value) if convert else value for value, convert in zip(values, processors, strict=True)])
