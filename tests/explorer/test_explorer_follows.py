"""An explorer that stays open while chats are forgotten, other processes write, and webhooks and a month come in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from explorer_page import Page

from linq_nb import Explorer, Outbox, VoiceMemo, to_frame
from linq_nb.demo import Demo
from linq_nb.explorer.snapshot import Snapshot
from linq_nb.journal.queries import LOOK_BACK
from linq_nb.outbox import session_of

ADA, CLUB, SAM = "Ada Lovelace", "Book Club", "Sam SMS"

OTHER_PROCESS = """
import dataclasses, sys
from linq_nb.journal import Journal
journal = Journal(f"sqlite:///{sys.argv[1]}")
first, *others = journal.sends()
if sys.argv[2] == "send":
    more = dataclasses.replace(first, send_id="another", content="another", message_id=None, filename="theirs.m4a")
    journal.import_sends([more], [])
else:
    journal.forget(sys.argv[2])
journal.close()
"""


@pytest.fixture
def page(outbox: Outbox, memo: VoiceMemo) -> Page:
    """The page of an explorer over a journal with three sends."""
    for name in (ADA, CLUB, SAM):
        outbox.send(memo, name)
    outbox.demo.advance(minutes=5)
    outbox.refresh()
    return Page(Explorer(outbox))


@pytest.mark.parametrize("question", [{"kind": "look"}, {"kind": "page", "offset": 0}, {"kind": "code"}])
def test_a_forgotten_chat_leaves_an_open_explorer_at_the_next_question(
    page: Page, outbox: Outbox, question: dict[str, object]
) -> None:
    page.ask("filter", changes={"text": "Ada"})
    (row,) = page.view["rows"]
    page.ask("open", send_id=row["id"])
    before = page.view["times_forgotten"]
    outbox.forget(ADA)
    assert page.ask(**question)["kind"] != "failed"
    assert page.view["times_forgotten"] > before  # the page closes its detail
    assert page.view["total"] == 0
    page.ask("clear")
    assert sorted(page.column("chat_name")) == ["", CLUB, SAM]
    detail = page.ask("open", send_id=row["id"])["detail"]
    shown = json.dumps([page.view, detail, page.explorer.record().text, page.explorer.record().html])
    assert "Ada" not in shown
    assert "hello.amr" not in json.dumps(detail)
    pd.testing.assert_frame_equal(page.explorer.rows, to_frame(outbox.sends()))


def test_exports_and_rows_in_code_have_no_forgotten_chat(
    page: Page, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outbox.forget(ADA)
    assert "Ada" not in page.explorer.export("csv").read_text("utf-8-sig")
    outbox.forget(CLUB)
    assert page.explorer.rows["chat_name"].dropna().tolist() == [SAM]
    outbox.forget(SAM)
    assert page.ask("export", format="parquet")["kind"] == "said"
    assert pd.read_parquet(tmp_path / "sends.parquet")["chat_name"].isna().all()


def test_the_chosen_chat_may_be_forgotten_sent_to_again_and_forgotten_again(
    page: Page, outbox: Outbox, memo: VoiceMemo
) -> None:
    page.ask("filter", changes={"chat": outbox.demo.chat_ids[ADA]})
    for copy in (2, 3):
        outbox.forget(ADA)
        assert page.ask("look")["news"] == 0
        assert set(page.column("chat_name")) == {""}
        outbox.send(memo, ADA, copy=copy)
        assert page.ask("look")["news"] == 1
        assert page.ask("update")["kind"] == "done"
        assert page.column("chat_name").count(ADA) == 1
    assert page.explorer.rows["send_id"].tolist() == [send.send_id for send in outbox.sends(chat=ADA)]


def test_another_process_sends_and_forgets(connect: Callable[..., Outbox], memo: VoiceMemo, tmp_path: Path) -> None:
    outbox = connect()
    outbox.send(memo, ADA)
    page = Page(Explorer(outbox))

    def other_process(code: str) -> None:
        command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "journal.sqlite"), code]
        subprocess.run(command, check=True, capture_output=True)

    other_process("send")
    assert page.ask("look")["news"] == 1
    page.ask("update")
    assert sorted(page.column("filename")) == ["hello.amr", "theirs.m4a"]
    other_process(outbox.sends()[0].chat_id)
    assert page.ask("look")["news"] == 0
    assert page.column("chat_name") == ["", ""]


def test_another_notebook_sends_and_refreshes(connect: Callable[..., Outbox], demo: Demo, memo: VoiceMemo) -> None:
    mine, theirs = connect(), connect()
    page = Page(Explorer(mine))
    assert page.view["total"] == 0
    theirs.send(memo, ADA)
    theirs.send(memo, CLUB)
    assert page.ask("look")["news"] == 2
    page.ask("update")
    demo.advance(minutes=5)
    theirs.refresh()
    assert page.ask("look")["news"] == 2
    page.ask("update")
    assert set(page.column("status")) <= {"sent", "delivered", "read"}


def test_webhooks_are_offered_as_news(page: Page, outbox: Outbox, memo: VoiceMemo) -> None:
    events = ["message.delivered", "message.failed"]
    hook = session_of(outbox).client.create_subscription("https://hooks.example/in", events)
    outbox.send(memo, ADA, copy=2)
    page.ask("update")
    outbox.demo.advance(minutes=5)
    for delivery in outbox.demo.deliveries():
        outbox.ingest(delivery.body, delivery.headers, secret=hook.signing_secret)
    assert page.ask("look")["news"] == 1
    page.ask("update")
    pd.testing.assert_frame_equal(page.explorer.rows, to_frame(outbox.sends()))


def test_a_month_that_comes_in_is_news_and_then_shown(page: Page, outbox: Outbox) -> None:
    outbox.replay(outbox.demo.month(10_100))  # more than are read one by one
    assert page.ask("look")["news"] == 10_100
    page.ask("update")
    assert page.ask("look")["news"] == 0
    pd.testing.assert_frame_equal(page.explorer.rows, to_frame(outbox.sends()))


def test_a_snapshot_follows_when_the_last_observations_were_forgotten(outbox: Outbox, memo: VoiceMemo) -> None:
    for copy in range(1, LOOK_BACK // 2 + 10):
        outbox.send(memo, ADA, copy=copy)
    outbox.send(memo, CLUB)
    outbox.demo.advance(minutes=5)
    outbox.refresh()
    snapshot = Snapshot(session_of(outbox).journal)
    outbox.forget(ADA)  # SQLite gives the numbers of its observations to others
    outbox.send(memo, SAM)
    snapshot.update()
    pd.testing.assert_frame_equal(snapshot.frame, to_frame(outbox.sends()))


def test_an_explorer_of_a_closed_outbox_still_filters_sorts_and_exports(
    connect: Callable[..., Outbox], memo: VoiceMemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outbox = connect()
    outbox.send(memo, ADA)
    page = Page(Explorer(outbox))
    outbox.close()
    for kind, more in (("filter", {"changes": {"text": "ada"}}), ("sort", {"column": "status"}), ("clear", {})):
        assert page.ask(kind, **more)["kind"] == "done"
    assert page.view["total"] == len(page.explorer.rows) == 1
    assert page.explorer.export("csv").exists()
    answer = page.ask("look")
    assert answer["kind"] == "failed"
    assert "\n" not in answer["why"]
