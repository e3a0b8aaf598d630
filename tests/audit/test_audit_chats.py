"""Chats of one name: two in every table on the page of an audit, and in the explorer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

import linq_nb
from linq_nb import Explorer, SettingsError, to_frame
from linq_nb.model import Send
from linq_nb.text import chat_labels

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
ONE, TWO = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
KINDS = ["pandas", "polars", "later", "duckdb"]


def a_send(n: int, status: str, chat_id: str, chat_name: str | None = "Ada", **more: Any) -> Send:
    return Send(
        send_id=f"s{n}", base_url="b", content=str(n), status=status, chat_id=chat_id, chat_name=chat_name,
        is_group=False, service="iMessage", created_at=AT + timedelta(minutes=n), sha256="f" * 64, filename="m.m4a",
        accepted_at=None if status == "unknown" else AT + timedelta(minutes=n), **more,
    )  # fmt: skip


def sends(first: str = ONE, second: str = TWO, name: str | None = "Ada", other: str | None = "Ada") -> list[Send]:
    """To two chats: one memo once failed and once delivered to the first, unclear and failed to the second."""
    return [
        a_send(0, "failed", first, name, error_code=4001, http_status=202),
        a_send(1, "failed", second, other, error_code=4001, http_status=202),
        a_send(2, "delivered", first, name),
        a_send(3, "unknown", second, other),
    ]


def as_kind(kind: str, frame: pd.DataFrame, database: duckdb.DuckDBPyConnection) -> Any:
    table = frame if kind == "pandas" else pl.from_pandas(frame)
    return {"later": lambda: table.lazy(), "duckdb": lambda: database.from_arrow(table.to_arrow())}.get(
        kind, lambda: table
    )()


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def names_on(page: str, title: str) -> list[str]:
    """The first column of a table of the page."""
    table = page.partition(f"\n{title}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [line.partition("  ")[0] for line in table]


@pytest.mark.parametrize("kind", KINDS)
def test_two_chats_of_one_name_are_two_on_the_page(kind: str, database: duckdb.DuckDBPyConnection) -> None:
    report = linq_nb.audit(as_kind(kind, to_frame(sends()), database), since=None)
    assert report.frames["summary"]["chats"].tolist() == [2]
    assert report.frames["problems"]["chats"].tolist() == [2, 1]
    for name in ("chats", "duplicates"):
        table = report.frames[name]
        assert sorted(table["chat_id"]) == [ONE, TWO]
        assert table["chat_name"].tolist() == ["Ada", "Ada"]
    page = repr(report)
    assert names_on(page, "Which chats") == ["Ada bbbb…", "Ada aaaa…"]
    assert names_on(page, "Still open") == ["Ada bbbb…"]
    assert sorted(names_on(page, "The same memo more than once")) == ["Ada aaaa…", "Ada bbbb…"]
    assert "<bdi>Ada bbbb…</bdi>" in report.to_html()


@pytest.mark.parametrize(
    ("ids", "names", "wanted"),
    [
        ((ONE, TWO), ("Ada", "Bob"), {"Ada", "Bob"}),
        ((ONE, TWO), ("Ada", "ADA"), {"Ada aaaa…", "ADA bbbb…"}),
        ((ONE, TWO), (None, None), {"chat aaaa…", "chat bbbb…"}),
        ((ONE, TWO), ("Ada", None), {"Ada", "chat bbbb…"}),
        ((ONE, ONE[:-1] + "2"), ("Ada", "Ada"), {f"Ada {ONE}", f"Ada {ONE[:-1]}2"}),
        ((ONE, "aaaabbbb" + ONE[8:]), ("Ada", "Ada"), {"Ada aaaaaaaa…", "Ada aaaabbbb…"}),
        (("7", "8"), ("Ada", "Ada"), {"Ada 7", "Ada 8"}),
        ((ONE, TWO), ("+12025550111", "+1 202 666 0111"), {"+1•••••0111 aaaa…", "+1•••••0111 bbbb…"}),
    ],
)
def test_a_name_has_the_start_of_its_id_where_another_looks_the_same(
    ids: tuple[str, str], names: tuple[str | None, str | None], wanted: set[str]
) -> None:
    report = linq_nb.audit(to_frame(sends(*ids, *names), handles="full"), since=None)
    assert set(names_on(repr(report), "Which chats")) == wanted


def test_a_name_is_told_apart_also_from_a_chat_that_is_in_no_table() -> None:
    frame = to_frame([*sends(other="Bob"), a_send(5, "delivered", "cccccccc" + ONE[8:])])
    assert set(names_on(repr(linq_nb.audit(frame, since=None)), "Which chats")) == {"Ada aaaa…", "Bob"}


def test_labels_of_many_chats_of_one_name_are_all_different() -> None:
    labels = chat_labels({f"{n:012x}": "Ada" for n in range(0, 500_000, 97)})
    assert len(set(labels.values())) == len(labels)
    assert chat_labels({}) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_without_ids_is_audited_by_name(kind: str, database: duckdb.DuckDBPyConnection) -> None:
    frame = to_frame([*sends(other="Bob"), a_send(5, "failed", ONE, "+1 202 555 0111")], handles="full")
    report = linq_nb.audit(as_kind(kind, frame.drop(columns="chat_id"), database), since=None)
    assert report.frames["summary"]["chats"].tolist() == [3]
    assert set(names_on(repr(report), "Which chats")) == {"Ada", "Bob", "+1•••••0111"}
    assert sorted(report.frames["duplicates"]["chat_name"]) == ["Ada", "Bob"]
    assert set(report.frames["chats"]["chat_id"]) == {"Ada", "Bob", "+1•••••0111"}
    chosen = linq_nb.audit(as_kind(kind, frame.drop(columns="chat_id"), database), since=None, chat="ada")
    assert chosen.frames["summary"][["sends", "chats"]].values.tolist() == [[2, 1]]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_where_some_ids_are_missing_the_names_stand_for_them(missing: Any) -> None:
    frame = to_frame([*sends(other="Bob"), a_send(5, "failed", ONE, "Cy")])
    some = frame.assign(chat_id=frame["chat_id"].astype(object).where(frame["chat_name"] == "Ada", missing))
    report = linq_nb.audit(some, since=None)
    assert report.frames["summary"]["chats"].tolist() == [3]
    assert set(names_on(repr(report), "Which chats")) == {"Ada", "Bob", "Cy"}
    none = linq_nb.audit(frame.assign(chat_id=missing), since=None)
    assert none.frames["summary"]["chats"].tolist() == [3]
    numbers = linq_nb.audit(frame.assign(chat_id=[1.0, 2.0, 1.0, 2.0, float("nan")]), since=None)
    assert set(numbers.frames["chats"]["chat_id"]) == {"1", "2", "Cy"}


def test_a_frame_with_neither_ids_nor_names_is_refused() -> None:
    with pytest.raises(SettingsError, match="audit needs the column 'chat_name'"):
        linq_nb.audit(to_frame(sends()).drop(columns=["chat_id", "chat_name"]))


def test_a_name_of_several_chats_is_refused_with_their_ids() -> None:
    frame = to_frame(sends())
    with pytest.raises(
        SettingsError, match=f"2 chats have the name .ada.; nothing was written; give the id of one: {ONE}, {TWO}"
    ):
        linq_nb.audit(frame, chat="ada")
    for chat, other in ((ONE, TWO), (TWO, ONE)):
        report = linq_nb.audit(frame, since=None, chat=chat)
        assert chat in report.frames["chats"]["chat_id"].tolist()
        assert other not in report.frames["chats"]["chat_id"].tolist()


def test_the_explorer_tells_chats_of_one_name_apart() -> None:
    explorer = Explorer(to_frame([*sends(), a_send(5, "failed", "cccccccc" + ONE[8:], None)]))
    labels = {"Ada aaaa…", "Ada bbbb…", "chat cccc…"}
    assert {label for _, label in explorer._view["choices"]["chat"]} == labels
    assert {chat["label"] for chat in explorer._view["chats"]} == labels
    explorer.filter(chat=ONE)
    assert [chat["label"] for chat in explorer._view["chats"]] == ["Ada aaaa…"]
    assert names_on(repr(explorer.audit()), "Which chats") == ["Ada"]
