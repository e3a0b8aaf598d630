"""Reports of unreadable tables and of unknown codes, and reports by the accessor."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

import linq_nb
from linq_nb import SettingsError, reports, to_frame
from linq_nb.model import Send

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def a_send(number: int, **more: Any) -> Send:
    fields = {"chat_id": "c1", "created_at": AT + timedelta(minutes=number), **more}
    return Send(send_id=f"s{number}", base_url="https://linq.test", content=f"sha256:{number}", **fields)


@pytest.mark.parametrize("name", [report for report in reports.REPORTS if report not in ("by", "compare")])
def test_a_value_that_is_no_frame_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"takes a frame, not a list; nothing was counted; give one such as to_frame\(outbox.sends\(\)\)",
    ):
        getattr(reports, name)([a_send(1)])


@pytest.mark.parametrize("name", [report for report in reports.REPORTS if report not in ("by", "compare")])
def test_a_missing_column_is_named_with_those_that_are_there(name: str) -> None:
    for table in (pd.DataFrame({"x": [1]}), pl.DataFrame({"x": [1]}), duckdb.connect().sql("SELECT 1 AS x")):
        with pytest.raises(
            SettingsError,
            match=r"needs the column '\w+' of to_frame\(outbox.sends\(\)\); nothing was counted; the frame has x",
        ):
            getattr(reports, name)(table)


def test_invalid_arguments_of_a_report_are_refused() -> None:
    frame = to_frame([])
    with pytest.raises(SettingsError, match="by needs a column to count by; nothing was counted; name one"):
        reports.by(frame)
    with pytest.raises(
        SettingsError, match="of= is one of accept_s, delivery_s, read_s, not 'status'; nothing was counted; give one"
    ):
        reports.latency(frame, of="status")
    with pytest.raises(SettingsError, match=r"needs the column 'colour' of .*; nothing was counted; the frame has"):
        reports.errors(frame, by="colour")
    with pytest.raises(SettingsError, match="horizon"):
        reports.unconfirmed(frame, "soon")
    with pytest.raises(SettingsError, match="a time with its zone; nothing was counted; give one"):
        reports.unconfirmed(frame, now=datetime(2026, 3, 1))
    with pytest.raises(SettingsError, match="now is a time such as"):
        reports.unconfirmed(frame, now="soon")
    assert reports.unconfirmed(frame, "2 hours", now="2026-03-01T10:00Z").empty


def test_a_frame_without_rows_gives_empty_reports_with_their_columns() -> None:
    full, empty = to_frame([a_send(1, status="failed", error_code=4001)]), to_frame([])
    for name in ("by_chat", "by_day", "by_hour", "latency", "errors", "unconfirmed", "duplicates"):
        report = getattr(reports, name)(empty)
        assert len(report) == 0
        assert list(report.columns) == list(getattr(reports, name)(full).columns)
    assert reports.funnel(empty)["sends"].tolist() == [0] * 5


def test_an_unconfirmed_send_is_counted_from_now_if_no_time_is_given() -> None:
    accepted_at = datetime.now(UTC) - timedelta(minutes=50)
    frame = to_frame([a_send(1, status="queued", message_id="m1", accepted_at=accepted_at)])
    assert len(reports.unconfirmed(frame, "45m")) == 1
    assert len(reports.unconfirmed(frame)) == 0


def test_an_undocumented_code_is_explained_by_its_http_status() -> None:
    sends = [a_send(1, status="rejected", http_status=409, error_code=2099),
             a_send(2, status="failed", http_status=202), a_send(3, status="not_sent")]  # fmt: skip
    report = reports.errors(to_frame(sends)).set_index("status")
    assert report.loc["rejected", "meaning"] == linq_nb.catalog.explain(409).meaning
    assert report.loc["failed", "meaning"] == "the delivery failed; no reason is known"
    assert pd.isna(report.loc["failed", "http_status"])
    assert report.loc["not_sent", "what_to_do"] == "run it again: nothing was sent"


def test_the_accessor_has_every_report_with_its_arguments() -> None:
    frame = to_frame([a_send(1, status="read"), a_send(2, status="failed", error_code=4001)])
    for name in reports.REPORTS:
        method, report = getattr(frame.linq, name), getattr(reports, name)
        assert method.__doc__ == report.__doc__
        arguments = list(inspect.signature(report).parameters.values())[1:]
        assert list(inspect.signature(method).parameters.values()) == arguments
    assert frame.linq.by_chat().equals(reports.by_chat(frame))
    assert frame.linq.errors(by="chat_id").equals(reports.errors(frame, by="chat_id"))
    assert frame.linq.by("status")["sends"].tolist() == [1, 1]


def test_a_report_documents_each_of_its_columns() -> None:
    frame = to_frame([a_send(1, status="read", delivered_at=AT, posted_at=AT), a_send(2, status="failed")])
    for name in ("by_chat", "by_day", "by_hour", "funnel", "latency", "errors", "unconfirmed", "duplicates"):
        report = getattr(reports, name)
        words = f"{report.__doc__} {inspect.signature(report)}"
        for column in getattr(reports, name)(frame).columns:
            assert column in words, f"{name} does not document {column}"


def test_linqs_own_list_is_compared_with_the_journal() -> None:
    with linq_nb.connect(demo=True, journal="sqlite://") as outbox:
        demo = outbox.demo
        assert demo is not None
        demo.reset()
        ada, bob = (outbox.chat(demo.chat_ids[name]) for name in list(demo.chat_ids)[:2])
        memo = linq_nb.VoiceMemo.from_samples([0.0] * 800, 8000)
        send = outbox.send(memo, ada)
        demo.lose_next_answer()
        with pytest.raises(linq_nb.OutcomeUnknown):
            outbox.send(memo, bob)
        demo.advance(minutes=5)
        outbox.refresh()
        assert outbox.messages("Ada Lovelace") == outbox.messages(ada.chat_id)
        with pytest.raises(linq_nb.PreflightError, match="not of type Send; nothing was sent"):
            outbox.messages([send])
        messages = to_frame(outbox.messages([ada, bob]), kind="messages")
        assert len(messages) == len(outbox.messages())
        difference = reports.compare(to_frame(outbox.sends()), messages)
        assert difference["found"].tolist() == ["only_messages"]
        assert difference["chat_id"].tolist() == [bob.chat_id]
        outbox.reconcile()
        outbox.refresh()
        assert len(reports.compare(to_frame(outbox.sends()), messages)) == 0
        demo.limits.retention = timedelta(days=1)
        demo.advance(days=3)
        table = reports.compare(to_frame(outbox.sends()), to_frame(outbox.messages(), kind="messages"))
        assert table["found"].tolist() == ["only_sends"] * 2
        assert send.message_id in set(table["message_id"])
