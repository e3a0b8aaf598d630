"""Newer fields of the request (``force_notify``, ``extra``), and of its answer in the Send and the frame."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

import linq_nb
import linq_nb.accessor
from linq_nb import Draft, Outbox, PreflightError, SettingsError, VoiceMemo, to_frame
from linq_nb.demo import Demo, sample

ADA = "Ada Lovelace"
SECRET = "https://x.example/a.m4a?X-Amz-Signature=s3cr3t"


def options(demo: Demo, chat: str = ADA) -> Any:
    return demo.memos(demo.chat_ids[chat])[-1]["options"]


def test_a_request_has_only_the_given_fields(outbox: Outbox, memo: VoiceMemo) -> None:
    sent = outbox.send(memo, ADA)
    assert options(outbox.demo) == {}
    assert (sent.force_notify, sent.extra) == (None, None)


@pytest.mark.parametrize("value", [True, False])
def test_force_notify_goes_out_as_it_is_given_and_stays_in_journal_and_frame(
    connect: Callable[..., Outbox], demo: Demo, memo: VoiceMemo, value: bool
) -> None:
    outbox = connect()
    sent = outbox.send(memo, ADA, force_notify=value)
    assert options(demo) == {"force_notify": value}
    assert sent.force_notify is value
    other = connect()
    assert other.sends()[0].force_notify is value
    frame = to_frame(other.sends())
    assert str(frame["force_notify"].dtype) == "boolean"
    assert frame["force_notify"].tolist() == [value]


def test_extra_goes_out_stays_in_the_journal_without_secrets_and_is_no_part_of_the_send(
    connect: Callable[..., Outbox], demo: Demo, memo: VoiceMemo
) -> None:
    outbox = connect()
    extra = {"priority": 3, "nested": {"a": [1, None, "é"]}, "callback": SECRET}
    sent = outbox.send(memo, ADA, extra=extra)
    assert options(demo) == extra
    stored = connect().sends()[0]
    assert stored.extra["nested"] == extra["nested"]
    assert "s3cr3t" not in json.dumps(stored.extra)
    again = outbox.send(memo, ADA, extra={"priority": 9}, force_notify=True)
    assert (again.repeated, again.send_id, again.extra) == (True, sent.send_id, stored.extra)
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1}
    assert outbox.send(memo, ADA, copy=2, extra={}).extra is None


def test_a_rejected_send_goes_out_with_the_fields_that_are_given_now(
    connect: Callable[..., Outbox], demo: Demo, memo: VoiceMemo
) -> None:
    outbox = connect()
    demo.fail_next(400, 1005)
    with pytest.raises(linq_nb.ApiError):
        outbox.send(memo, ADA, force_notify=True, extra={"a": 1})
    assert (outbox.sends()[0].force_notify, outbox.sends()[0].extra) == (True, {"a": 1})
    outbox.send(memo, ADA, extra={"b": 2})
    assert options(demo) == {"b": 2}
    assert (outbox.sends()[0].force_notify, outbox.sends()[0].extra) == (None, {"b": 2})


BAD_EXTRAS: list[tuple[Any, str]] = [
    ({"voice_memo_url": "https://x.example/a.mp3"}, "voice_memo_url"),
    ({"attachment_id": "x"}, "attachment_id"),
    ({"override_optout": True}, "override_optout"),
    ({"force_notify": True, "x": 1}, "force_notify"),
    ({1: 2}, "a dict of fields"),
    ("priority", "a dict of fields"),
    ([("a", 1)], "a dict of fields"),
    ({"a": {1, 2}}, "JSON"),
    ({"a": math.nan}, "JSON"),
    ({"a": b"bytes"}, "JSON"),
    ({"a": "\ud800"}, "JSON"),
]


@pytest.mark.parametrize(("extra", "words"), BAD_EXTRAS)
def test_an_extra_that_names_a_field_of_ours_or_is_no_json_is_refused(
    outbox: Outbox, memo: VoiceMemo, extra: Any, words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        outbox.send(memo, ADA, extra=extra)
    assert "nothing was sent" in str(caught.value)
    row = outbox.plan([Draft(memo=memo, chat=ADA, extra=extra)]).rows[0]
    assert row.verdict == "refused"
    assert words in row.why
    assert outbox.demo.bubbles() == {}


@pytest.mark.parametrize("value", [1, 0, "true", "no"])
def test_force_notify_is_true_or_false(outbox: Outbox, memo: VoiceMemo, value: Any) -> None:
    with pytest.raises(PreflightError, match=r"force_notify is True or False, not .*; nothing was sent"):
        outbox.send(memo, ADA, force_notify=value)
    assert outbox.demo.bubbles() == {}


def test_a_plan_carries_the_fields_of_its_drafts(outbox: Outbox, memo: VoiceMemo) -> None:
    plan = outbox.plan([Draft(memo=memo, chat=ADA, force_notify=True, extra={"x": 1})])
    outbox.send_all(plan).wait()
    assert options(outbox.demo) == {"force_notify": True, "x": 1}


def test_a_table_has_a_column_for_force_notify(outbox: Outbox, memo: VoiceMemo) -> None:
    cells = [True, "yes", 1.0, False, "No", "0", None, "", math.nan, "perhaps"]
    frame = pd.DataFrame({"chat": ADA, "audio": [memo] * len(cells), "Force Notify": cells})
    plan = outbox.plan(frame)
    drafts = [row.draft for row in plan.rows]
    assert [draft.force_notify for draft in drafts[:-1]] == [True, True, True, False, False, False, None, None, None]
    assert plan.rows[-1].why == "force_notify is true or false, not 'perhaps'"
    named = frame.rename(columns={"Force Notify": "ring"}).iloc[:3].linq.drafts(force_notify="ring")
    assert [draft.force_notify for draft in named] == [True] * 3


def test_the_magic_has_an_option_for_force_notify(shell: InteractiveShell) -> None:
    shell.user_ns["memo"] = VoiceMemo.from_file(sample("hello.wav"))
    line = 'memo --chat "Ada Lovelace" --quiet --into send'
    shell.run_line_magic("linq_voicememo", f"{line} --force-notify")
    assert shell.user_ns["send"].force_notify is True
    assert options(shell.user_ns["outbox"].demo) == {"force_notify": True}
    shell.run_line_magic("linq_voicememo", f"{line} --copy 2")
    assert options(shell.user_ns["outbox"].demo) == {}


def test_more_of_the_answer_is_in_the_send_the_journal_and_the_frame(
    connect: Callable[..., Outbox], demo: Demo
) -> None:
    outbox = connect()
    book_club = outbox.chat("Book Club")
    sent = outbox.send(VoiceMemo.from_file(sample("hello.m4a")), book_club)
    for send in (sent, connect().sends()[0]):
        assert set(send.chat_handles) == {person.handle for person in book_club.handles}
        assert send.chat_is_active is True
        assert send.has_cdn_url is True
        assert send.message_created_at == demo.memos(book_club.chat_id)[0]["created_at"]
    masked, full = to_frame([sent]), to_frame(outbox.sends(), "full")
    assert full["chat_handles"][0].split() == list(sent.chat_handles)
    assert not any(handle in masked["chat_handles"][0] for handle in sent.chat_handles)
    assert bool(full["has_cdn_url"][0])
    assert full["message_created_at"][0] == sent.message_created_at
    assert "cdn.linqapp.com" not in full.to_csv()
    outbox.forget(book_club)
    assert outbox.sends()[0].chat_handles == ()
