"""The explorer without a page: effects of messages, data that leaves the kernel, exports and records."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import duckdb
import pandas as pd
import polars as pl
import pytest
from explorer_page import Page
from shared import AUDIO

from linq_nb import Explorer, Outbox, VoiceMemo, audit, plots, to_frame
from linq_nb.errors import LinqError, SettingsError
from linq_nb.explorer import export_file
from linq_nb.explorer.snapshot import Snapshot
from linq_nb.model import Send
from linq_nb.outbox import session_of
from linq_nb.tables import in_pandas
from linq_nb.widgets.actions import actions_for

LOU = "Lou Lost Answer"
PEOPLE = ("Ada Lovelace", "Book Club", "Sam SMS", "Finn Fails", "Lee Blocked", "Rosa RCS")
HOSTILE = '=HYPERLINK("http://x")<img src=x onerror=window.owned=1>'


@pytest.fixture
def sent(outbox: Outbox, memo: VoiceMemo) -> Outbox:
    """An outbox with successful and failed sends."""
    for name in PEOPLE:
        with contextlib.suppress(LinqError):
            outbox.send(memo, outbox.demo.chat_ids[name])
    outbox.demo.advance(minutes=5)
    outbox.refresh()
    return outbox


@pytest.fixture
def page(sent: Outbox) -> Page:
    return Page(Explorer(sent))


def frames_of(outbox: Outbox) -> Sequence[Any]:
    frame = to_frame(outbox.sends())
    return frame, pl.from_pandas(frame), duckdb.from_arrow(pl.from_pandas(frame).to_arrow())


def test_the_first_view_is_the_newest_page_and_the_counts(page: Page) -> None:
    assert repr(page.explorer) == f"Explorer(DEMO, {len(PEOPLE)} of {len(PEOPLE)} sends)"
    assert set(page.column("chat_name")) == set(PEOPLE)
    assert page.column("created_at") == sorted(page.column("created_at"), reverse=True)
    assert dict(page.view["tiles"])["sends"] == str(len(PEOPLE))


def test_a_filter_of_the_page_chooses_and_can_be_cleared(page: Page) -> None:
    assert page.ask("filter", changes={"status": "rejected"})["kind"] == "done"
    assert page.column("chat_name") == ["Lee Blocked"]
    assert page.explorer.rows["status"].tolist() == ["rejected"]
    page.ask("filter", changes={"status": None, "text": "ada"})
    assert page.column("chat_name") == ["Ada Lovelace"]
    page.ask("filter", changes={"text": "", "needs_me": True})
    assert set(page.column("chat_name")) == {"Finn Fails", "Lee Blocked"}
    page.ask("clear")
    assert page.view["total"] == len(PEOPLE)


def test_a_page_is_sorted_and_turned(page: Page) -> None:
    page.ask("sort", column="chat_name", descending=False)
    assert page.column("chat_name") == sorted(PEOPLE)
    page.ask("page", offset=5000)
    assert page.view["offset"] == 0  # there is one page only
    page.ask("columns", names=["status", "filename"])
    assert [column["name"] for column in page.view["columns"]] == ["status", "filename"]


def test_an_invalid_message_is_answered_with_the_reason_and_changes_nothing(page: Page) -> None:
    before = page.view
    for kind, more in (
        ("filter", {"changes": {"service": "Fax"}}),
        ("filter", {"changes": {"since": "soon"}}),
        ("filter", {"changes": {"colour": "red"}}),
        ("sort", {"column": "nothing"}),
        ("open", {"send_id": "nobody"}),
        ("act", {"send_id": "nobody", "action": "refresh"}),
        ("export", {"format": "docx"}),
        ("dance", {}),
    ):
        answer = page.ask(kind, **more)
        assert answer["kind"] == "failed", kind
        assert "\n" not in answer["why"]
    assert page.view == before
    assert isinstance(page.explorer.error, SettingsError)


def test_the_code_of_a_filter_gives_the_same_rows(page: Page, sent: Outbox) -> None:
    page.explorer.filter(text="a", needs_me=True)
    scope: dict[str, Any] = {"outbox": sent}
    exec(page.ask("code")["code"], scope)
    assert scope["rows"]["send_id"].tolist() == page.explorer.rows["send_id"].tolist()
    page.explorer.filter()
    exec(page.explorer.code(), scope)
    assert len(scope["rows"]) == len(PEOPLE)


READERS: Mapping[str, Callable[[str], Any]] = {
    "pandas": pd.read_csv,
    "pandas, all as text": partial(pd.read_csv, dtype=str, keep_default_na=False),
    "Polars": partial(pl.read_csv, infer_schema_length=None),
    "Polars, all as text": partial(pl.read_csv, infer_schema=False),
    "DuckDB": duckdb.read_csv,
    "DuckDB, all as text": partial(duckdb.read_csv, all_varchar=True),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_exported_csv_is_explored_and_audited_as_its_sends_are(
    page: Page, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sends = page.explorer.rows
    frame = READERS[reader](str(page.explorer.export("csv")))
    of_csv = Page(Explorer(frame))
    assert of_csv.view["tiles"] == page.view["tiles"]
    assert of_csv.column("created_at") == page.column("created_at")
    assert repr(audit(frame)) == repr(audit(sends))
    assert plots.caption(plots.timeline(frame)) == plots.caption(plots.timeline(sends))
    last = sends["created_at"].max()
    for conditions in ({"needs_me": True}, {"error": 4001}, {"since": last}, {"status": "read", "text": "a"}, {}):
        page.explorer.filter(**conditions)
        of_csv.explorer.filter(**conditions)
        assert of_csv.view["total"] == page.view["total"], conditions
        scope: dict[str, Any] = {"frame": frame}
        exec(of_csv.explorer.code(), scope)
        assert in_pandas(scope["rows"])["send_id"].tolist() == page.explorer.rows["send_id"].tolist(), conditions


def test_a_filter_takes_times_as_every_other_call_does(page: Page, sent: Outbox) -> None:
    page.explorer.filter(since="1h")
    assert len(page.explorer.rows) == len(PEOPLE)
    page.explorer.filter(until=sent.demo.now().date())
    assert len(page.explorer.rows) == 0
    page.explorer.filter(since=str(sent.demo.now().date()), until="0d")
    assert len(page.explorer.rows) == len(PEOPLE)


NAMED = [
    ("chat", "ADA\u00a0 lovelace", "chat_name", "Ada Lovelace"),
    ("chat", "+1 (202) 555-0111", "chat_name", "Ada Lovelace"),
    ("chat", 12025550111, "chat_name", "Ada Lovelace"),
    ("chat", "tel:+1-202-555-0111", "chat_name", "Ada Lovelace"),
    ("line", "+1 202 555 0100", "from_handle", "+12025550100"),
    ("line", 12025550100.0, "from_handle", "+12025550100"),
    ("service", "imessage", "service", "iMessage"),
    ("status", "\u200bFailed", "status", "failed"),
    ("status", "Rejected ", "status", "rejected"),
    ("error", " 2026", "error_code", 2026),
    ("format", "AMR ", "format", "amr"),
]


@pytest.mark.parametrize(("condition", "value", "column", "plain"), NAMED)
def test_a_filter_compares_names_and_handles_as_they_look(
    sent: Outbox, condition: str, value: Any, column: str, plain: Any
) -> None:
    full = to_frame(sent.sends(), handles="full")
    wanted = set(full.loc[(full[column] == plain).fillna(value=False), "send_id"])
    assert wanted
    for source in (sent, full, pl.from_pandas(full)):
        explorer = Explorer(source)
        explorer.filter(**{condition: value})
        assert set(explorer.rows["send_id"]) == wanted


def test_a_filter_by_needs_me_chooses_the_rows_of_that_status_in_the_magics(page: Page) -> None:
    page.explorer.filter(needs_me=True)
    wanted = page.explorer.rows["send_id"].tolist()
    page.explorer.filter(status="Needs_me")
    assert page.explorer.rows["send_id"].tolist() == wanted != []


def test_an_invalid_filter_in_code_changes_nothing(page: Page) -> None:
    page.explorer.filter(status="rejected")
    with pytest.raises(SettingsError, match="a filter has no 'colour'"):
        page.explorer.filter(colour="red")
    with pytest.raises(SettingsError, match="until is a time such as"):
        page.explorer.filter(until="soon")
    for name, value in (("error", [4001]), ("error", True), ("status", ["failed"]), ("line", ()), ("format", False)):
        with pytest.raises(SettingsError, match=f"{name} of a filter is not .*; nothing was changed"):
            page.explorer.filter(**{name: value})
    with pytest.raises(LinqError, match="no chat is called 'Nobody'"):
        page.explorer.filter(chat="Nobody")
    assert page.explorer.rows["status"].tolist() == ["rejected"]


def test_an_explorer_of_a_frame_of_any_kind_offers_no_actions(sent: Outbox) -> None:
    for frame in frames_of(sent):
        page = Page(Explorer(frame))
        assert set(page.column("chat_name")) == set(PEOPLE)
        assert page.view["can_act"] is False
        detail = page.ask("open", send_id=page.view["rows"][0]["id"])["detail"]
        assert detail["actions"] == []
        assert [step["source"] for step in detail["steps"]] == ["table"] * len(detail["steps"])
        page.explorer.filter(service="SMS")
        assert isinstance(page.explorer.rows, type(frame))
    with pytest.raises(SettingsError, match="Explorer takes a frame"):
        Explorer(42)


def test_no_handle_leaves_the_kernel_also_of_a_frame_with_full_handles(
    sent: Outbox, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = to_frame(sent.sends(), "full")
    frame["chat_name"] = "call +12025550111"
    page = Page(Explorer(frame))
    page.ask("columns", names=list(frame.columns))
    line = page.view["choices"]["line"][0][0]
    page.ask("filter", changes={"line": line})
    assert page.view["total"] == len(frame)
    detail = page.ask("open", send_id=page.view["rows"][0]["id"])
    shown = json.dumps([page.view, detail, page.explorer.record().text])
    assert re.findall(r"\+?1202\d{4,}", shown) == []
    assert re.findall(r"1202\d{4,}", page.explorer.export("csv").read_text("utf-8-sig")) == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_masks_what_was_typed_and_the_columns_of_ones_own_table(
    sent: Outbox, tmp_path: Path, monkeypatch: Any, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({
        "chat": ["+1 202 555 0199", "Ada Lovelace", "(202) 555-0111"], "audio": "hello.amr",
        "phone": [12025550111, 12025550112, 12025550113], "mail": ["ada@example.com", None, "x"],
        "note": ["call 202-555-0144", "a", None], "others": [["+12025550155"], ["b"], []], "score": [0.5, 1.5, 2.5],
        "day": pd.Timestamp("2026-01-05", tz="UTC"),
    })  # fmt: skip
    shutil.copy(AUDIO / "hello.amr", tmp_path)
    batch = sent.send_all(sent.plan(table)).wait()
    frame = batch.frame("full")
    assert frame["typed_chat"].str.contains("0199").any()
    file = Explorer(frame).export(kind)
    text = file.read_text("utf-8-sig") if kind == "csv" else pd.read_parquet(file).to_csv()
    assert re.findall(r"555\D?01\d\d|ada@example", text) == []
    for kept in ("0.5", "2026-01-05", "Ada Lovelace", "call "):
        assert kept in text


def test_the_audit_is_that_of_the_chosen_sends(page: Page, sent: Outbox) -> None:
    whole = audit(sent, since=None)
    assert page.explorer.audit().headline == whole.headline
    html = page.ask("audit")["html"]
    for name in ("Finn Fails", "Lee Blocked"):
        assert name in html
    page.ask("filter", changes={"status": "failed"})
    assert page.explorer.audit().frames["summary"]["sends"].tolist() == [1]
    html = page.ask("audit")["html"]
    assert "Finn Fails" in html
    assert "Lee Blocked" not in html
    page.ask("filter", changes={"text": "nobody at all", "status": None})
    assert "No voice memo was asked for in this period" in page.ask("audit")["html"]


def test_frames_of_every_kind_are_audited_and_missing_columns_are_named(sent: Outbox) -> None:
    headlines = {Explorer(frame).audit().headline for frame in frames_of(sent)}
    assert len(headlines) == 1
    page = Page(Explorer(to_frame(sent.sends()).drop(columns="sha256")))
    answer = page.ask("audit")
    assert answer["kind"] == "failed"
    assert "'sha256'" in answer["why"]
    hostile = Page(Explorer(to_frame(sent.sends()).assign(chat_name=HOSTILE, filename=HOSTILE)))
    assert "<img src=x" not in hostile.ask("audit")["html"]


def test_a_row_opens_its_timeline_with_the_error_and_the_next_step(page: Page) -> None:
    page.explorer.filter(status="rejected")
    detail = page.ask("open", send_id=page.view["rows"][0]["id"])["detail"]
    assert [step["source"] for step in detail["steps"]][:1] == ["journal"]
    assert "post" in {step["source"] for step in detail["steps"]}
    assert "block list" in dict(detail["error"])["error"]
    assert dict(detail["error"])["to do"]
    page.explorer.filter(status="read")
    detail = page.ask("open", send_id=page.view["rows"][0]["id"])["detail"]
    assert "poll" in {step["source"] for step in detail["steps"]}
    assert detail["error"] == []


def test_an_unknown_send_is_looked_up_and_settled_with_a_reason(outbox: Outbox, memo: VoiceMemo) -> None:
    with pytest.raises(LinqError):
        outbox.send(memo, outbox.demo.chat_ids[LOU])
    page = Page(Explorer(outbox))
    send_id = page.view["rows"][0]["id"]
    names = [action["name"] for action in page.ask("open", send_id=send_id)["detail"]["actions"]]
    assert names == ["reconcile", "resolve sent", "resolve not_sent"]
    assert "needs the reason" in page.ask("act", send_id=send_id, action="resolve sent", reason=" ")["why"]
    outbox.demo.advance(minutes=5)
    detail = page.ask("act", send_id=send_id, action="resolve sent", reason="I saw it")["detail"]
    assert detail["status"] == "sent"
    assert "I saw it" in detail["steps"][-1]["text"]
    assert page.column("status") == ["sent"]


def test_actions_follow_the_status() -> None:
    def names(status: str, message_id: str | None = "m") -> list[str]:
        send = Send(send_id="s", base_url="b", content="c", chat_id="d", status=status, message_id=message_id)
        return [action.name for action in actions_for(send)]

    assert names("queued") == names("failed") == names("delivered") == ["refresh"]
    assert names("unknown") == ["reconcile", "resolve sent", "resolve not_sent"]
    assert names("read") == names("rejected") == names("queued", None) == []


def test_new_rows_of_the_journal_are_offered_and_then_shown(page: Page, sent: Outbox, memo: VoiceMemo) -> None:
    assert page.ask("look")["news"] == 0
    sent.send(memo, sent.demo.chat_ids["Ada Lovelace"], 2)
    assert page.ask("look")["news"] == 1
    assert page.view["total"] == len(PEOPLE)  # only on a person's request
    page.ask("update")
    assert page.view["total"] == len(PEOPLE) + 1
    assert page.ask("look")["news"] == 0
    sent.demo.advance(minutes=5)
    sent.refresh()
    assert page.ask("look")["news"] == 1
    page.ask("update")
    assert page.column("status")[0] in ("delivered", "read")


def test_a_snapshot_that_is_brought_up_to_date_is_the_frame_of_the_journal(sent: Outbox, memo: VoiceMemo) -> None:
    snapshot = Snapshot(session_of(sent).journal)
    sent.send(memo, sent.demo.chat_ids["Book Club"], 2)
    sent.demo.advance(minutes=5)
    sent.refresh(settled=True)
    snapshot.update()
    pd.testing.assert_frame_equal(snapshot.frame, to_frame(sent.sends()))


def test_an_export_is_new_and_no_cell_is_a_formula(sent: Outbox, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for frame in frames_of(sent):
        hostile = frame if not isinstance(frame, pd.DataFrame) else frame.assign(filename=HOSTILE)
        explorer = Explorer(hostile)
        explorer.filter(needs_me=True)
        files = [explorer.export(kind) for kind in ("csv", "excel", "parquet")]
        assert len(pd.read_parquet(files[2])) == 2
        rows = list(csv.reader(files[0].read_text("utf-8-sig").splitlines()))
        assert len(rows) == 3
        assert not [cell for row in rows for cell in row if cell.startswith(export_file.FORMULA)]
        with ZipFile(files[1]) as book:
            sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        tags = {element.tag.rpartition("}")[2] for element in sheet.iter()}
        assert "row" in tags
        assert not tags & {"f", "hyperlink"}
    assert {file.name for file in tmp_path.iterdir()} >= {"sends.csv", "sends-2.csv", "sends-3.xlsx", "sends-3.parquet"}


def test_more_rows_than_a_sheet_has_are_refused_and_leave_no_file(sent: Outbox, tmp_path: Path) -> None:
    explorer = Explorer(to_frame(sent.sends()))
    rows = explorer._exploration.table.rows
    with pytest.raises(SettingsError, match="6 rows are more than the 5 of an Excel sheet; nothing was written"):
        export_file.write(rows, "excel", tmp_path, rows_at_most=6)
    assert not list(tmp_path.iterdir())
    assert export_file.write(rows, "excel", tmp_path, rows_at_most=7).exists()


def test_a_record_says_the_same_as_text_and_html_and_holds_no_markup_of_others(sent: Outbox) -> None:
    explorer = Explorer(to_frame(sent.sends()).assign(chat_name=HOSTILE))
    shown = explorer.record()
    for words in ("6 of 6 sends", "accepted", "rejected"):
        assert words in shown.html
        assert words in shown.text
    assert "<img src=x" not in shown.html
    assert 'alt="sends by hour from' in shown.html
    assert "<script" not in shown.html
    explorer.filter(text="nobody at all")
    assert "no send is chosen" in explorer.record().html


@pytest.mark.thorough
def test_a_long_text_is_searched_by_its_beginning_in_every_engine(sent: Outbox) -> None:
    searched = "\ufdfa" * 200  # each is 18 letters, and each of these may be written in several ways
    frame = to_frame(sent.sends())
    frame["chat_name"] = [unicodedata.normalize("NFKC", searched), *frame["chat_name"][1:]]
    for table in (frame, pl.from_pandas(frame), duckdb.from_arrow(pl.from_pandas(frame).to_arrow())):
        explorer = Explorer(table)
        explorer.filter(text=searched)
        assert repr(explorer) == f"Explorer(1 of {len(frame)} sends)"


@pytest.mark.parametrize("name", ["text", "line", "service", "status", "format"])
def test_half_a_character_is_searched_for(sent: Outbox, name: str) -> None:
    explorer = Explorer(sent)
    explorer.filter(**{name: "\ud800"})
    assert len(explorer.rows) == 0
