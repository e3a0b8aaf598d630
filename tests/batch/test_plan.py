"""A plan has a verdict for every row, and sends nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from shared import AUDIO

import linq_nb
import linq_nb.accessor
from linq_nb import BadDraft, Draft, LinqError, Outbox, PreflightError, SettingsError, VoiceMemo
from linq_nb.forms.outcomes import Outcomes


@pytest.fixture
def memo() -> VoiceMemo:
    return VoiceMemo.from_file(AUDIO / "hello.m4a")


def verdicts(outbox: Outbox, *drafts: Draft | BadDraft) -> list[str]:
    return [row.verdict for row in outbox.plan(drafts).rows]


def test_each_row_has_its_verdict(outbox: Outbox, memo: VoiceMemo) -> None:
    outbox.send(memo, "Grace Hopper")
    with pytest.raises(linq_nb.OutcomeUnknown):
        outbox.send(memo, "Dan Server Down")
    names = ["Ada Lovelace", "Grace Hopper", "Dan Server Down", "Kim Opted Out", "Ada Lovelace", "Nobody"]
    drafts = [Draft(memo=memo, chat=name) for name in names]
    bad = BadDraft(chat="Ada Lovelace", audio="x.ogg", why="this is Ogg/Opus")
    assert verdicts(outbox, *drafts, bad) == [
        "send", "already_sent", "unclear", "refused", "duplicate", "refused", "refused",
    ]  # fmt: skip


def test_a_plan_sends_nothing_and_journals_nothing(outbox: Outbox, memo: VoiceMemo) -> None:
    plan = outbox.plan([Draft(memo=memo, chat=name) for name in outbox.demo.chat_ids])
    assert plan.counts["send"] > 15
    assert outbox.demo.bubbles() == {}
    assert outbox.sends() == []


def test_the_line_of_a_plan_counts_what_it_will_do(outbox: Outbox, memo: VoiceMemo) -> None:
    plan = outbox.plan([Draft(memo=memo, chat="Ada Lovelace"), Draft(memo=memo, chat="Kim Opted Out")])
    text = plan._repr_mimebundle_()["text/plain"]
    assert text.startswith(f"1 to send, 1 refused; 2 rows; plan {plan.fingerprint}")
    assert "opted out" in text


def test_the_fingerprint_changes_with_the_sends_of_a_plan(outbox: Outbox, memo: VoiceMemo) -> None:
    ada, book = Draft(memo=memo, chat="Ada Lovelace"), Draft(memo=memo, chat="Book Club")
    second = Draft(memo=memo, chat="Ada Lovelace", copy=2)
    prints = [outbox.plan(rows).fingerprint for rows in ([ada], [ada], [book], [ada, book], [book, ada], [second])]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5


def test_strict_refuses_the_whole_plan_for_one_bad_row(outbox: Outbox, memo: VoiceMemo) -> None:
    drafts = [Draft(memo=memo, chat="Ada Lovelace"), Draft(memo=memo, chat="Left Group")]
    with pytest.raises(PreflightError, match="1 of 2 rows cannot be sent, the first is row 1"):
        outbox.plan(drafts, strict=True)


def test_a_plan_above_the_limit_of_a_line_has_a_note(outbox: Outbox, memo: VoiceMemo) -> None:
    plan = outbox.plan([Draft(memo=memo, chat="Ada Lovelace", copy=number) for number in range(1, 32)])
    assert any("at least 2 minutes" in note for note in plan.notes)


def test_a_table_is_drafted_row_by_row(memo: VoiceMemo) -> None:
    frame = pd.DataFrame(
        {
            "whom": ["Ada Lovelace", None, "Book Club", "Ada Lovelace", "Ada Lovelace"],
            "what": ["hello.m4a", "hello.m4a", "hello.ogg", float("nan"), "hello.wav"],
            "n": [1.0, 1.0, 1.0, 1.0, None],
        }
    )
    drafts = frame.linq.drafts(chat="whom", audio="what", copy="n", folder=AUDIO)
    assert [type(draft).__name__ for draft in drafts] == ["Draft", "BadDraft", "BadDraft", "BadDraft", "Draft"]
    assert [draft.why[:20] for draft in drafts if isinstance(draft, BadDraft)] == [
        "there is no chat in ", "this is Ogg/Opus; Li", "there is no audio in",
    ]  # fmt: skip
    assert drafts[0].memo.sha256 == memo.sha256


def test_a_file_that_many_rows_name_is_read_once() -> None:
    frame = pd.DataFrame({"chat_id": ["a", "b", "c"], "path": ["hello.m4a"] * 3})
    assert len({id(draft.memo) for draft in frame.linq.drafts(folder=AUDIO)}) == 1


@pytest.mark.parametrize(
    ("drafts", "message"),
    [("Ada", "str"), (None, "NoneType"), (pd.Series(["Ada"]), "str"), (["Ada"], "str"), (3, "int")],
)
def test_a_value_that_is_no_draft_is_an_error_of_one_line(outbox: Outbox, drafts: Any, message: str) -> None:
    with pytest.raises(PreflightError, match=f"not a value of type {message}; nothing was sent; Draft"):
        outbox.plan(drafts)
    with pytest.raises(LinqError, match=f"send_all takes a plan, not a value of type {type(drafts).__name__}; nothing"):
        outbox.send_all(drafts)


def test_a_draft_of_a_path_is_refused_and_the_other_rows_are_sent(outbox: Outbox, memo: VoiceMemo) -> None:
    path: Any = "hello.m4a"
    chats = list(outbox.demo.chat_ids.values())
    plan = outbox.plan([Draft(memo=path, chat=chats[0]), Draft(memo=memo, chat=chats[1])])
    assert [row.verdict for row in plan.rows] == ["refused", "send"]
    assert [send.status for send in outbox.send_all(plan)] == ["not_sent", "queued"]
    assert "VoiceMemo.load makes one" in plan.rows[0].why


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SettingsError, match="no column 'path'; nothing was sent; its columns: chat_id, file"):
        pd.DataFrame({"chat_id": [], "file": []}).linq.drafts(audio="path")
    with pytest.raises(SettingsError, match=r"no column audio, path.*; nothing was sent; its columns: chat_id, what"):
        pd.DataFrame({"chat_id": [], "what": []}).linq.drafts()


@pytest.mark.parametrize("typed", ["Nobody", "+12025550199", "nobody@example.com", "Ada Lovelac"])
def test_a_row_without_a_chat_keeps_the_typed_text_in_its_own_column(
    outbox: Outbox, memo: VoiceMemo, typed: str
) -> None:
    ada = outbox.demo.chat_ids["Ada Lovelace"]
    bad = [BadDraft(chat=typed, audio="x.ogg", why="no"), BadDraft(chat=ada.upper(), audio="x.ogg", why="no")]
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=typed), *bad])).wait()
    assert [(send.chat_id, send.typed_chat) for send in batch] == [("", typed), ("", typed), (ada, None)]
    frame = batch.frame("full")
    assert list(frame["chat_id"]) == ["", "", ada]
    assert list(frame["typed_chat"].fillna("")) == [typed, typed, ""]
    assert batch.results()[0].status == "not_sent"
    assert "+12025550199" not in repr(batch.results()) + str(batch.frame()["typed_chat"].tolist())


def test_a_row_that_cannot_be_sent_is_one_send_in_the_batch_and_in_the_form(outbox: Outbox, memo: VoiceMemo) -> None:
    ada = outbox.demo.chat_ids["Ada Lovelace"]
    plan = outbox.plan([
        BadDraft(chat=ada.upper(), audio="x.ogg", why="this is Ogg/Opus"),
        BadDraft(chat="Nobody", audio="gone.m4a", why="there is no file"),
        BadDraft(chat="", audio="x.m4a", why="there is no chat in this row"),
        Draft(memo=memo, chat="Nobody"),
        Draft(memo=memo, chat="Kim Opted Out"),
    ])  # fmt: skip
    sends = list(outbox.send_all(plan))
    assert [(send.chat_id, send.typed_chat, send.filename) for send in sends] == [
        (ada, None, "x.ogg"), ("", "Nobody", "gone.m4a"), ("", None, "x.m4a"), ("", "Nobody", "hello.m4a"),
        (outbox.demo.chat_ids["Kim Opted Out"], None, "hello.m4a"),
    ]  # fmt: skip
    assert [(send.status, send.error_message) for send in sends] == [("not_sent", row.why) for row in plan.rows]
    outcomes = Outcomes(outbox)
    outcomes.begin(plan)
    assert list(outcomes.sends) == sends
    outcomes.recorded(plan)
    assert list(outcomes.sends) == sends
