"""The export of a team's journal is that of any other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

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
