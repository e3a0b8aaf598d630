"""The journal as Parquet: every engine reads the same frame; no partial file, no duplicate row, no handle."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from pyarrow import parquet
from shared import wait_for

import linq_nb
from linq_nb import SettingsError, export, frames, read_parquet, to_frame
from linq_nb.journal import Journal
from linq_nb.model import Event, Send, columns_of
from linq_nb.outbox import Outbox, session_of

CHILD = Path(__file__).with_name("export_child.py")


@pytest.fixture(scope="module")
def folder(month: Outbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the month's sends."""
    target = tmp_path_factory.mktemp("export") / "sends"
    month.to_parquet(target)
    return target


@pytest.fixture
def outbox(month: Outbox, tmp_path: Path) -> Iterator[Outbox]:
    """An outbox of the same demo with a journal of its own, empty."""
    with linq_nb.connect(demo=True, journal=str(tmp_path / "journal.sqlite")) as outbox:
        yield outbox


def a_send(number: int, **more: Any) -> Send:
    given = {"send_id": f"s{number}", "base_url": "b", "content": "c", "copy": number, "chat_id": "x"}
    return Send(**{**given, "created_at": datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(seconds=number), **more})


def plain(frame: pd.DataFrame, names: list[str]) -> list[tuple[Any, ...]]:
    """Return the cells of these columns as Python has them, missing ones as None."""
    columns = [[None if pd.isna(cell) else cell for cell in frame[name]] for name in names]
    return list(zip(*columns, strict=True))


# --- the same frame -------------------------------------------------------------------------------------------


def test_an_export_is_read_back_as_the_same_frame(month: Outbox, folder: Path) -> None:
    frame = to_frame(month.sends())
    pd.testing.assert_frame_equal(read_parquet(folder), frame)
    assert read_parquet(folder).dtypes.equals(frame.dtypes)


def test_the_history_is_a_table_too(month: Outbox, tmp_path: Path) -> None:
    done = month.to_parquet(tmp_path / "history", table="history")
    history, read = to_frame(month.history()), read_parquet(tmp_path / "history")
    assert done.rows == len(history) == len(read)
    pd.testing.assert_frame_equal(read.drop(columns="day"), history.drop(columns="body"))
    assert (read["day"].astype(str) == history["at"].dt.strftime("%Y-%m-%d")).all()


@pytest.mark.parametrize("handles", ["masked", "hashed", "full"])
def test_handles_are_written_as_requested(month: Outbox, tmp_path: Path, handles: Any) -> None:
    month.to_parquet(tmp_path / "sends", handles)
    read = read_parquet(tmp_path / "sends")
    pd.testing.assert_frame_equal(read, to_frame(month.sends(), handles, key=month))
    assert ("+12025550100" in set(read["from_handle"])) == (handles == "full")


def test_odd_values_are_read_back_unchanged(outbox: Outbox, tmp_path: Path) -> None:
    sends = [
        a_send(1, chat_name="Zoë ☎\ufffd\n", status="a new word", filename="", to_handles=()),
        a_send(2, created_at=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), duration_ms=2**62),
        a_send(3, created_at=datetime(9999, 1, 1, tzinfo=UTC), is_group=True, service="iMessage"),
        a_send(4, created_at=None, attempts=3, size_bytes=0),
    ]
    session_of(outbox).journal.import_sends(sends, [])
    outbox.to_parquet(tmp_path / "sends")
    frame = to_frame(outbox.sends())
    expected = frame.loc[[1, 0, 2, 3]].reset_index(drop=True)  # day by day, the unknown day last
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "sends"), expected)


def test_an_empty_journal_is_an_empty_frame(outbox: Outbox, tmp_path: Path) -> None:
    assert outbox.to_parquet(tmp_path / "sends").rows == 0
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "sends"), to_frame([]))
    session_of(outbox).journal.import_sends([a_send(1)], [])
    outbox.to_parquet(tmp_path / "sends")
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "sends"), to_frame(outbox.sends()))


def test_a_long_day_is_written_in_parts(outbox: Outbox, tmp_path: Path) -> None:
    sends = [a_send(number, status=f"word {number % 7}") for number in range(5_000)]
    session_of(outbox).journal.import_sends(sends, [])
    export.to_parquet(session_of(outbox).journal, tmp_path / "sends", pages_at_once=2)
    (file,) = (tmp_path / "sends").rglob("*.parquet")
    assert parquet.ParquetFile(file).metadata.num_row_groups == 2
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "sends"), to_frame(outbox.sends()))


# --- every engine ---------------------------------------------------------------------------------------------


def test_pandas_reads_the_same_columns_types_and_categories(month: Outbox, folder: Path) -> None:
    frame, read = to_frame(month.sends()), pd.read_parquet(folder)
    assert sorted(read.columns) == sorted(frame.columns)
    assert read[list(frame.columns)].dtypes.astype(str).equals(frame.dtypes.astype(str))
    for name in frame.select_dtypes("category"):
        assert list(read[name].cat.categories) == list(frame[name].cat.categories)
    assert plain(read, list(frame.columns)) == plain(frame, list(frame.columns))


def test_duckdb_counts_what_pandas_counts(month: Outbox, folder: Path) -> None:
    source = f"read_parquet('{folder}/**/*.parquet', hive_partitioning=true)"
    counted = duckdb.sql(
        "SELECT chat_id, status, count(*), coalesce(sum(size_bytes), 0), max(delivered_at)::TIMESTAMP, min(day) "
        f"FROM {source} GROUP BY chat_id, status ORDER BY chat_id, status"
    ).fetchall()
    grouped = to_frame(month.sends()).groupby(["chat_id", "status"], observed=True)
    expected = grouped.agg(n=("send_id", "size"), size=("size_bytes", "sum"), at=("delivered_at", "max"))
    first = grouped["created_at"].min().dt.date
    assert counted == [
        (*key, row.n, row.size, None if pd.isna(row.at) else row.at.tz_localize(None).to_pydatetime(), first[key])
        for key, row in ((row.Index, row) for row in expected.sort_index().itertuples())
    ]


def test_polars_reads_all_rows_and_the_days(month: Outbox, folder: Path) -> None:
    frame, read = to_frame(month.sends()), pl.scan_parquet(folder, hive_partitioning=True).collect()
    assert sorted(read.columns) == sorted(frame.columns)
    assert read["day"].dtype == pl.Date
    assert read["status"].cast(pl.String).to_list() == frame["status"].tolist()
    assert read["delivery_s"].sum() == pytest.approx(frame["delivery_s"].sum())


# --- contents of the files ------------------------------------------------------------------------------------


def test_each_column_has_its_meaning_and_unit(folder: Path) -> None:
    schema = parquet.read_schema(next(folder.rglob("*.parquet")))
    for name in schema.names:
        assert schema.field(name).metadata[b"description"].decode() == columns_of(Send)[name].meaning
    assert schema.field("delivery_s").metadata[b"unit"] == b"s"
    assert schema.metadata[b"linq_nb.handles"] == b"masked"
    assert set(export.columns("sends")) == set(frames.COLUMNS[Send]) - {"day"}


@pytest.mark.parametrize("table", ["sends", "history"])
def test_no_full_handle_no_raw_answer_and_no_signed_url_is_written(outbox: Outbox, tmp_path: Path, table: Any) -> None:
    number, mail = "+12025550111", "ada.lovelace@example.com"
    body = {"url": "https://x.example/a?sig=s3cr3t", "to": [number]}
    at = datetime(2026, 3, 2, tzinfo=UTC)
    words = f"Nobody at {number} or {mail}"
    session_of(outbox).journal.import_sends(
        [a_send(1, from_handle=number, to_handles=(number, mail), chat_name=f"Ada {number}", error_message=words)],
        [Event(send_id="s1", at=at, source="post", error_message=words, body=body)],
    )
    outbox.to_parquet(tmp_path / "out", table=table)
    (file,) = (tmp_path / "out").rglob("*.parquet")
    read = parquet.read_table(file)
    text = f"{read.to_pylist()} {read.schema.metadata} {file.read_bytes()!r}"
    for secret in (number, number[2:], mail, "ada.lovelace", "s3cr3t"):
        assert secret not in text
    assert "body" not in read.column_names


# --- again, and killed ----------------------------------------------------------------------------------------


def test_a_second_export_replaces_and_never_doubles(outbox: Outbox, tmp_path: Path) -> None:
    session_of(outbox).journal.import_sends([a_send(1), a_send(2, created_at=datetime(2026, 3, 5, tzinfo=UTC))], [])
    target = tmp_path / "sends"
    for _ in range(2):
        assert outbox.to_parquet(target).files == 2
    other = Journal(f"sqlite:///{tmp_path}/other.sqlite")
    other.import_sends([a_send(3)], [])
    export.to_parquet(other, target)
    assert read_parquet(target)["send_id"].tolist() == ["s3"]
    assert [day.name for day in target.iterdir()] == ["day=2026-03-02"]
    other.close()


@pytest.mark.parametrize("since", [date(2026, 3, 3), datetime(2026, 3, 3, 12), datetime(2026, 3, 3, 12, tzinfo=UTC)])
def test_since_writes_its_day_and_later_ones_anew(outbox: Outbox, tmp_path: Path, since: date) -> None:
    march = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (2, 3, 4) for hour in (1, 23)]
    session_of(outbox).journal.import_sends([a_send(number, created_at=at) for number, at in enumerate(march)], [])
    target = tmp_path / "sends"
    outbox.to_parquet(target)
    before = {file: file.stat().st_mtime_ns for file in target.rglob("*.parquet")}
    assert outbox.to_parquet(target, since=since).rows == 4
    changed = {file.parent.name for file, at in before.items() if file.stat().st_mtime_ns != at}
    assert changed == {"day=2026-03-03", "day=2026-03-04"}
    pd.testing.assert_frame_equal(read_parquet(target), to_frame(outbox.sends()))


def stops_midway(child: subprocess.Popen[bytes], part: Path) -> bool:
    """Stop a process that exports; lets it go on and returns False when it has written no part of its export."""
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    if any(part.glob("*/*.parquet")):
        return True
    child.send_signal(signal.SIGCONT)
    return False


@pytest.mark.thorough
def test_an_export_that_is_killed_leaves_no_partial_export(month: Outbox, outbox: Outbox, tmp_path: Path) -> None:
    session_of(outbox).journal.import_sends(list(month.sends()), [])
    target = tmp_path / "sends"
    outbox.to_parquet(target)
    whole = to_frame(outbox.sends())
    part, partial_exports = tmp_path / ".sends.part", 0
    for number in range(4):
        command = [sys.executable, str(CHILD), str(tmp_path / "journal.sqlite"), str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"begun\n"
            time.sleep(0.05 * number)  # each is killed at another place
            wait_for(lambda child=child: stops_midway(child, part))
            child.kill()
        pd.testing.assert_frame_equal(read_parquet(target), whole)
        assert duckdb.sql(f"SELECT count(*) FROM '{target}/**/*.parquet'").fetchall() == [(len(whole),)]
        partial_exports += part.exists()
    assert partial_exports == 4
    outbox.to_parquet(target)
    assert sorted(file.name for file in tmp_path.iterdir() if "sends" in file.name) == ["sends"]


# --- refusals -------------------------------------------------------------------------------------------------


def test_a_folder_with_other_files_is_refused_and_unchanged(outbox: Outbox, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    with pytest.raises(SettingsError, match=r"'notes\.txt'.*nothing was written"):
        outbox.to_parquet(mine)
    outbox.to_parquet(tmp_path / "sends")
    with pytest.raises(SettingsError, match="than an export of history"):
        outbox.to_parquet(tmp_path / "sends", table="history")
    with pytest.raises(SettingsError, match="could not be written"):
        outbox.to_parquet(mine / "notes.txt")
    assert [file.name for file in mine.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("more", "why"), [({"table": "chats"}, "sends"), ({"handles": "shown"}, "masked")])
def test_an_invalid_argument_is_refused_before_anything_is_written(
    outbox: Outbox, tmp_path: Path, more: Any, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        outbox.to_parquet(tmp_path / "sends", **more)
    assert not (tmp_path / "sends").exists()


def test_a_folder_without_an_export_is_not_read(outbox: Outbox, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SettingsError, match="holds no export"):
            read_parquet(folder)
    outbox.to_parquet(tmp_path / "sends")
    next((tmp_path / "sends").rglob("*.parquet")).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SettingsError, match=r"cannot read the export .*; nothing was read; write it again"):
        read_parquet(tmp_path / "sends")


def test_without_pyarrow_one_line_says_what_to_install(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r'nothing was written; pip install "linq_nb\[parquet\]"'):
        outbox.to_parquet(tmp_path / "sends")
    with pytest.raises(SettingsError, match=r'nothing was read; pip install "linq_nb\[parquet\]"'):
        read_parquet(tmp_path / "sends")


def test_an_export_returns_its_rows_files_and_bytes(month: Outbox, tmp_path: Path) -> None:
    done = month.to_parquet(tmp_path / "sends")
    assert repr(done).startswith("<2,")
    assert str(tmp_path) not in repr(done)
    assert (done.rows, done.files) == (len(month.sends()), len(list((tmp_path / "sends").glob("day=*"))))
    assert dataclasses.asdict(done)["size_bytes"] == sum(f.stat().st_size for f in done.folder.rglob("*.parquet"))
