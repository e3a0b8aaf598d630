"""The demo's month in the journal: like sends from here, and consistent with Linq's lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

import linq_nb
from linq_nb import SettingsError, VoiceMemo, to_frame
from linq_nb.model import Event
from linq_nb.outbox import Outbox, session_of

FLAGGED = datetime(2026, 2, 12, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def frame(month: Outbox) -> pd.DataFrame:
    return to_frame(month.sends())


def test_every_send_has_its_history(month: Outbox, frame: pd.DataFrame) -> None:
    history = to_frame(month.history())
    assert frame["send_id"].is_unique
    assert frame["created_at"].is_monotonic_increasing
    assert set(history["send_id"]) == {*frame["send_id"], ""}  # that a line was flagged belongs to no send
    assert set(history.groupby("send_id", observed=True)["source"].first().drop("")) == {"post"}
    last = history[history["source"] == "poll"].groupby("send_id")["status"].last()
    status = frame.set_index("send_id").loc[last.index, "status"]
    assert (status.astype(str) == last.astype(str)).all()


def test_a_send_of_the_month_has_the_fields_of_one_that_was_sent_here(month: Outbox) -> None:
    memo = VoiceMemo.from_url(month.demo.media_urls["hello"])
    live = month.send(memo, "Ada Lovelace")
    month.demo.advance(minutes=10)
    live = month.refresh(live)[0]
    mine = next(send for send in month.sends(status="read") if send.memo_source == "url")
    both = [{name for name, value in _fields(send).items() if value not in (None, ())} for send in (live, mine)]
    assert both[0] ^ both[1] <= {"size_bytes", "duration_ms"}
    sources = [
        [(event.source, event.status, event.http_status) for event in month.history(send)] for send in (live, mine)
    ]
    assert sources[0] == sources[1]


def _fields(send: Any) -> dict[str, Any]:
    return {name: getattr(send, name) for name in type(send).__dataclass_fields__ if name != "copy"}


def test_a_second_replay_of_the_month_writes_nothing(month: Outbox) -> None:
    before = len(month.history())
    assert month.replay(month.demo.month(2_000)) == 0
    assert len(month.history()) == before


def test_rows_made_in_bulk_equal_the_rows_read_one_by_one() -> None:
    """A journal that has some of the month's sends already reads all of it as it reads live answers."""
    with (
        linq_nb.connect(demo=True, fresh=True) as bulk,
        linq_nb.connect(demo=True, fresh=True, journal=":memory:") as slow,
    ):
        assert bulk.replay(bulk.demo.month(2_000)) == 2_000
        some = bulk.sends()[7]
        assert session_of(slow).journal.import_sends([some], bulk.history(some)) == 1
        assert slow.replay(slow.demo.month(2_000)) == 1_999
        both = [{send.send_id: send for send in outbox.sends()} for outbox in (bulk, slow)]
        assert both[0].keys() == both[1].keys()
        for send_id, send in both[0].items():
            assert send == both[1][send_id]
        events = [sorted(map(_fields_and_body, outbox.history())) for outbox in (bulk, slow)]
        assert events[0] == events[1]


def _fields_and_body(event: Event) -> tuple[str, str, str, str]:
    return event.send_id, event.at.isoformat(), event.source, repr(_fields(event))


def test_linq_lists_the_same_messages_as_the_journal(month: Outbox) -> None:
    ours = {send.message_id: send for send in month.sends() if send.message_id}
    listed = {
        message.message_id: message
        for chat_id in month.demo.bubbles()
        for message in session_of(month).client.messages(chat_id)
        if message.is_from_me
    }
    deleted, foreign = ours.keys() - listed.keys(), listed.keys() - ours.keys()
    assert 0 < len(deleted) < 5
    assert 3 <= len(foreign) < 30
    for name in ours.keys() & listed.keys():
        message, send = listed[name], ours[name]
        assert (message.delivery_status, message.service, message.delivered_at) == (
            send.status,
            send.service,
            send.delivered_at,
        )


def test_chats_begin_to_fail_when_their_line_is_flagged(frame: pd.DataFrame) -> None:
    offline = frame[frame["error_code"] == 4002]
    assert offline["from_handle"].nunique() == 1
    assert offline["created_at"].min() > FLAGGED
    of_line = frame[(frame["from_handle"] == offline["from_handle"].iloc[0]) & (frame["created_at"] > FLAGGED)]
    assert 0.2 < len(offline) / len(of_line) < 0.5


def test_the_month_holds_the_problems_of_its_story(frame: pd.DataFrame) -> None:
    codes = frame.dropna(subset="error_code")["error_code"]
    assert {2024, 5006, 1007, 3006, 3007, 4002, 4005} <= set(codes)
    assert {"delivered", "read", "sent", "failed", "rejected", "not_sent", "unknown"} <= set(frame["status"].dropna())
    unknown = frame[frame["status"] == "unknown"]
    assert set(unknown["day"].astype(str)) == {"2026-02-20"}
    slow = frame[frame["chat_name"].str.startswith("Denver")]["delivery_s"].median()
    assert slow > 20 * frame[frame["chat_name"].str.startswith("Austin")]["delivery_s"].median()
    assert set(frame[frame["error_code"] == 4005]["format"]) == {"wav"}
    again = frame.groupby(["chat_id", "sha256"]).size()
    assert (again > 1).any()


def test_reading_the_chats_finds_an_unknown_send_or_does_not(month: Outbox) -> None:
    unclear = list(month.sends(status="unknown"))
    reconciled = month.reconcile(unclear)
    results = {send.reconcile_result for send in reconciled}
    assert results == {"found", "not_found"}
    assert all((send.status == "unknown") == (send.reconcile_result == "not_found") for send in reconciled)


def test_only_a_demo_replays_a_month(month: Outbox, tmp_path: Any) -> None:
    live = linq_nb.connect(api_key="k" * 20, base_url="https://linq.invalid/api", journal=str(tmp_path / "j.sqlite"))
    with live, pytest.raises(SettingsError, match="nothing was written"):
        live.replay(month.demo.month(2_000))
