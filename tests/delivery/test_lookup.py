"""Reading with an outbox: the sends that need a person, sends since a time, a chat and its history by name."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from linq_nb import Outbox, PreflightError, SettingsError, VoiceMemo, to_frame
from linq_nb.demo import Demo
from linq_nb.model import Send
from linq_nb.outbox import session_of
from linq_nb.rules import is_unconfirmed
from linq_nb.status import NEEDS_ME_STATUSES, STATUSES, UNCONFIRMED_AFTER

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def every_kind() -> list[Send]:
    """A send of each status, service and kind of chat, accepted just now or long ago, or with no time of that."""
    kinds = itertools.product(
        [*STATUSES, "teleported"], [None, "iMessage", "SMS"], [None, False, True], [5, 59, 60, 61, 600], [0, 1, 2]
    )
    sends = []
    for n, (status, service, is_group, minutes, has_times) in enumerate(kinds):
        at = NOW - timedelta(minutes=minutes)
        times = [{"created_at": at}, {"created_at": NOW, "posted_at": at}, {"posted_at": NOW, "accepted_at": at}]
        sends.append(Send(send_id=f"s{n:04}", base_url="b", content=str(n), chat_id="c", status=status,
                          service=service, is_group=is_group, **times[has_times]))  # type: ignore[arg-type]  # fmt: skip
    return sends


def needs_me(send: Send) -> bool:
    return send.status in NEEDS_ME_STATUSES or is_unconfirmed(send, NOW, UNCONFIRMED_AFTER)


def test_failed_and_late_sends_need_a_person(connect: Callable[..., Outbox]) -> None:
    assert set(NEEDS_ME_STATUSES) == {"unknown", "failed", "rejected", "not_sent"}
    outbox = connect(clock=lambda: NOW)
    sends = every_kind()
    session_of(outbox).journal.import_sends(sends, [])
    assert [send.send_id for send in outbox.sends("needs_me")] == [send.send_id for send in sends if needs_me(send)]
    wanted = [send.send_id for send in sends if needs_me(send) or send.status == "read"]
    assert [send.send_id for send in outbox.sends(["needs_me", "read"])] == wanted
    assert len(outbox.sends(["failed"])) < len(outbox.sends(["failed", "needs_me"]))


def test_sends_and_history_begin_at_a_time(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, "Ada Lovelace")
    demo.advance(days=3)
    late = outbox.send(memo, "Book Club")
    begun = late.created_at
    assert begun is not None
    for since in (
        "2d",
        "48h",
        timedelta(days=1),
        begun,
        begun.isoformat(),
        begun.date(),
        f"{begun:%Y-%m-%d}",
        pd.Timestamp(begun),
        np.datetime64(begun.replace(tzinfo=None)),
        np.timedelta64(2, "D"),
        "2 days ago",
    ):
        assert [send.send_id for send in outbox.sends(since=since)] == [late.send_id]
        assert {event.send_id for event in outbox.history(since=since)} == {late.send_id}
        assert outbox.history("Ada Lovelace", since=since) == []
    assert len(outbox.sends(since="4d")) == 2
    assert len(outbox.sends(since="4d", chat="Ada Lovelace", status="queued")) == 1
    demo.advance(days=9)
    assert outbox.sends(since="7d") == []


@pytest.mark.parametrize("since", ["soon", "", "7 moons", 7, object(), "2026-13-01"])
def test_a_time_that_cannot_be_read_is_an_error_of_one_line(outbox: Outbox, tmp_path: Any, since: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: outbox.sends(since=since), lambda: outbox.history(since=since),
        lambda: outbox.to_parquet(tmp_path / "out", since=since),
    ]  # fmt: skip
    for ask in calls:
        with pytest.raises(SettingsError, match=r"^since is a time such as 2026-03-01"):
            ask()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("since", ["2d", "2026-03-03", timedelta(hours=40)])
def test_an_export_begins_with_the_day_of_a_time(connect: Callable[..., Outbox], tmp_path: Any, since: Any) -> None:
    outbox = connect(clock=lambda: datetime(2026, 3, 5, 9, tzinfo=UTC))
    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3, 4)]
    sends = [Send(send_id=f"s{n}", base_url="b", content=str(n), chat_id="c", created_at=at)
             for n, at in enumerate(days)]  # fmt: skip
    session_of(outbox).journal.import_sends(sends, [])
    outbox.to_parquet(tmp_path / "sends", since=since)
    assert sorted(day.name[-2:] for day in (tmp_path / "sends").iterdir()) == ["03", "04"]


@pytest.fixture
def sent(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> list[Send]:
    """A memo to Ada, its copy, and one to the club."""
    return [outbox.send(memo, "Ada Lovelace"), outbox.send(memo, "Ada Lovelace", 2), outbox.send(memo, "Book Club")]


def test_the_history_of_a_chat_is_that_of_its_sends(outbox: Outbox, demo: Demo, sent: list[Send]) -> None:
    chat = outbox.chat("Ada Lovelace")
    wanted = outbox.history(sent[:2])
    assert {event.send_id for event in wanted} == {send.send_id for send in sent[:2]}
    for name in ("Ada Lovelace", "ada  LOVELACE", chat, chat.chat_id, chat.chat_id.upper(), chat.others[0].handle):
        assert outbox.history(name) == wanted
    assert outbox.history(["Ada Lovelace", sent[2]]) == outbox.history()
    assert outbox.history(["Ada Lovelace", sent[0], sent[0].send_id]) == wanted
    assert outbox.history(sent[2].send_id) == outbox.history(sent[2]) == outbox.history("Book Club")
    assert list(to_frame(outbox.history("Book Club")).send_id) == [sent[2].send_id]
    assert outbox.history("Sam SMS") == outbox.history([]) == []


def test_a_chat_is_read_by_its_name_handle_or_id(outbox: Outbox) -> None:
    ada = outbox.chat("Ada Lovelace")
    for name in (ada.chat_id, ada.chat_id.upper(), ada.others[0].handle, "ada lovelace", ada):
        assert outbox.chat(name) == ada
    assert outbox.chat("Book Club").is_group


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Ada", "no chat is called 'Ada'; nothing was sent; did you mean 'Ada Lovelace'"),
        ("Nobody", "no chat is called"),
    ],
)
def test_an_unclear_name_is_an_error_of_one_line(outbox: Outbox, name: str, words: str) -> None:
    for ask in (outbox.chat, outbox.history, lambda name: outbox.history([name]), lambda name: outbox.sends(chat=name)):
        with pytest.raises(PreflightError) as caught:
            ask(name)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
