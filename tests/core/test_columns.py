"""A column is declared once: frames, journal and Parquet files have what the fields of the records declare."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest
from core_samples import a_send
from pyarrow import parquet

import linq_nb
from linq_nb import frames, to_frame
from linq_nb.journal import Journal
from linq_nb.model import BOOL, CATEGORY, FLOAT, INT, TEXT, TIME, Event, Send, columns_of
from linq_nb.outbox import session_of

NOT_STORED = {"repeated", "repeated_at", "typed_chat"}
UNITS = {"_ms": "ms", "_bytes": "bytes", "_s": "s", "_at": "UTC"}
SQL = {TEXT: {"TEXT", "VARCHAR"}, CATEGORY: {"TEXT", "VARCHAR"}, INT: {"INTEGER", "BIGINT"}, TIME: {"BIGINT"},
       BOOL: {"BOOLEAN"}}  # fmt: skip
ARROW = {TEXT: "string", INT: "int64", FLOAT: "double", BOOL: "bool", TIME: "timestamp[us, tz=UTC]",
         CATEGORY: "dictionary<values=string, indices=int32, ordered=0>"}  # fmt: skip


@pytest.mark.parametrize("record", [Send, Event])
def test_every_stored_field_declares_its_column(record: type) -> None:
    stored = {name for name, column in columns_of(record).items() if column.is_stored}
    assert stored == {field.name for field in dataclasses.fields(record)} - NOT_STORED


@pytest.mark.parametrize("record", frames.COLUMNS)
def test_every_column_says_its_meaning_and_its_unit(record: type) -> None:
    for name, column in columns_of(record).items():
        assert column.name == name
        assert column.meaning
        for suffix, unit in UNITS.items():
            if name.endswith(suffix):
                assert column.unit == unit, name


@pytest.mark.parametrize("record", frames.COLUMNS)
def test_a_frame_has_the_declared_columns(record: type) -> None:
    kind = {"Send": "sends", "Event": "events"}.get(record.__name__, f"{record.__name__.lower()}s")
    expected = {name: column.dtype for name, column in columns_of(record).items() if column.in_frame}
    assert {name: str(dtype) for name, dtype in to_frame([], kind=kind).dtypes.items()} == expected


def test_the_column_reference_lists_the_declared_columns() -> None:
    reference = frames.column_reference("sends").set_index("column")
    assert list(reference.index) == list(to_frame([]).columns)
    assert reference.loc["duration_ms"].tolist() == [INT, "ms", columns_of(Send)["duration_ms"].meaning]
    assert list(frames.column_reference("chats")["column"]) == list(to_frame([], kind="chats").columns)


@pytest.mark.parametrize(("table", "record"), [("sends", Send), ("events", Event)])
def test_the_journal_has_the_declared_columns(tmp_path: Path, table: str, record: type) -> None:
    file = tmp_path / "j.sqlite"
    Journal(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as db:
        types = {name: kind for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")}
    db.close()
    for name, column in columns_of(record).items():
        if column.is_stored:
            assert types[name] in SQL[column.dtype], name
        else:
            assert name not in types


@pytest.mark.parametrize(("table", "record"), [("sends", Send), ("history", Event)])
def test_a_parquet_file_has_the_declared_columns(tmp_path: Path, table: str, record: type) -> None:
    with linq_nb.connect(demo=True, journal="sqlite://") as outbox:
        wanted = a_send(send_id="s1")
        session_of(outbox).journal.claim(wanted, (wanted.content,), "a test")
        outbox.to_parquet(tmp_path / table, table=table)  # type: ignore[arg-type]
    schema = parquet.read_schema(next((tmp_path / table).rglob("*.parquet")))
    expected = {name: column for name, column in columns_of(record).items() if column.in_frame}
    assert set(schema.names) == set(expected) - {"day", "body"}  # the day is in the folder's name
    for field in schema:
        column = expected[field.name]
        assert str(field.type) == ARROW[column.dtype]
        assert field.metadata[b"description"].decode() == column.meaning
        assert field.metadata.get(b"unit", b"").decode() == column.unit
