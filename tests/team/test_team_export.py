"""The export of a team's journal, and the demo's month in it, are those of any other journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import linq_nb
from linq_nb import export, read_parquet, to_frame
from linq_nb.journal import Journal
from linq_nb.model import Event, Send

pytestmark = pytest.mark.thorough


def test_a_teams_journal_is_exported_and_read_back(books: Callable[..., Journal], tmp_path: Path) -> None:
    book, start = books(), datetime(2026, 3, 2, 23, 59, 58, tzinfo=UTC)
    sends = [
        Send(
            send_id=f"s{number}", base_url="b", content="c", copy=number, chat_id="x", status=f"word {number % 2}",
            created_at=start + timedelta(seconds=number), to_handles=("+12025550111",),
        )
        for number in range(5)
    ]  # fmt: skip
    events = [Event(send_id=send.send_id, at=start, source="post", body={"a": 1}) for send in sends]
    assert (book.import_sends(sends, events), book.import_sends(sends, events)) == (5, 0)
    assert export.to_parquet(book, tmp_path / "sends").files == 2
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "sends"), to_frame(book.sends()))
    assert export.to_parquet(book, tmp_path / "history", table="history").rows == len(book.events()) == 5


def test_the_month_in_a_teams_journal_is_that_of_a_file(url: str) -> None:
    months = []
    for journal in (url, ":memory:"):
        with linq_nb.connect(demo=True, fresh=True, journal=journal) as outbox:
            assert outbox.replay(outbox.demo.month(2_000)) == 2_000
            assert outbox.replay(outbox.demo.month(2_000)) == 0
            months.append(
                [
                    to_frame(table).sort_values(by).reset_index(drop=True)
                    for table, by in ((outbox.sends(), ["send_id"]), (outbox.history(), ["send_id", "at", "source"]))
                ]
            )
    for ours, other in zip(*months, strict=True):
        pd.testing.assert_frame_equal(
            ours.drop(columns="event_no", errors="ignore"), other.drop(columns="event_no", errors="ignore")
        )
