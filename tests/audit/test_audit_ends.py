"""An audit ends by the outbox's clock, over a frame at its newest send, whatever is chosen; never by the machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import linq_nb
from linq_nb import Explorer, Outbox, VoiceMemo, to_frame


@pytest.fixture
def sent(outbox: Outbox, memo: VoiceMemo) -> Outbox:
    """Two sends, 30 minutes apart, the newer one 3 hours ago."""
    outbox.send(memo, "Ada Lovelace")
    outbox.demo.advance(minutes=30)
    outbox.send(memo, "Rosa RCS")
    outbox.demo.advance(minutes=180)
    return outbox


CHOICES = [{}, {"text": "nobody at all"}, {"status": "failed"}, {"chat": "Ada Lovelace"}, {"since": "1h"}]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_explorers_audit_ends_now_by_the_outboxs_clock(sent: Outbox, choice: dict[str, str]) -> None:
    explorer = Explorer(sent)
    explorer.filter(**choice)
    assert explorer.audit().until == sent.demo.now()
    sent.demo.advance(minutes=60)
    assert explorer.audit().until == sent.demo.now() == linq_nb.audit(sent).until


def test_an_explorer_without_any_send_ends_by_the_outboxs_clock(outbox: Outbox) -> None:
    report = Explorer(outbox).audit()
    assert report.until == outbox.demo.now()
    assert "until 2 Mar 2026" in repr(report)


@pytest.mark.parametrize("choice", CHOICES)
def test_over_a_frame_it_ends_at_the_newest_send(sent: Outbox, choice: dict[str, str]) -> None:
    frame = to_frame(sent.sends())
    for source in (frame, pl.from_pandas(frame), pl.from_pandas(frame).lazy()):
        explorer = Explorer(source)
        explorer.filter(**choice)
        assert explorer.audit().until == frame["created_at"].max() == linq_nb.audit(source).until


def test_an_end_that_is_chosen_stays(sent: Outbox) -> None:
    until = sent.demo.now() - timedelta(hours=3, minutes=15)
    for source in (sent, to_frame(sent.sends())):
        explorer = Explorer(source)
        explorer.filter(until=until)
        report = explorer.audit()
        assert report.until == until
        assert report.frames["summary"]["sends"].tolist() == [1]


def test_an_open_send_is_open_for_an_hour_by_the_outboxs_clock(outbox: Outbox, memo: VoiceMemo) -> None:
    outbox.send(memo, "Ada Lovelace")
    explorer = Explorer(outbox)
    assert explorer.audit().frames["open"].empty
    outbox.demo.advance(minutes=61)
    assert explorer.audit().frames["open"]["chat_name"].tolist() == ["Ada Lovelace"]


def test_an_explorers_audit_of_a_period_is_that_of_the_outbox() -> None:
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.replay(outbox.demo.month(2_000))
        explorer = Explorer(outbox)
        explorer.filter(since="7d")
        assert repr(explorer.audit()) == repr(linq_nb.audit(outbox, since="7d"))


def test_an_empty_frame_has_no_time_but_the_machines(outbox: Outbox) -> None:
    before = datetime.now(UTC)
    for source in (to_frame([]), pl.from_pandas(to_frame([]))):
        assert before <= Explorer(source).audit().until <= datetime.now(UTC)
