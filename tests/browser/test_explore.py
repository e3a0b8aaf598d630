"""The explorer in JupyterLab: by mouse, by keyboard alone, with hostile text, dark, narrow, reloaded and untrusted."""

from __future__ import annotations

import json
import re
from typing import Any
from zipfile import ZipFile

import nbformat
import pytest
from browsing import SPILLED, serious

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

SETUP = """import contextlib
import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
memo = linq_nb.VoiceMemo.from_samples([0.1, -0.1] * 12000, 8000, "<script>window.owned=1</script>.wav")
for name in ("Ada Lovelace", "Book Club", "Sam SMS", "Finn Fails", "Lee Blocked", "Rosa RCS", "Lou Lost Answer"):
    with contextlib.suppress(linq_nb.LinqError):
        outbox.send(memo, outbox.demo.chat_ids[name])
    outbox.demo.advance(minutes=90)
    outbox.refresh()
explorer = linq_nb.Explorer(outbox)
explorer"""
HOSTILE = """import pandas as pd
bad = "<img src=x onerror=window.owned=1><script>window.owned=1</script>" + "w" * 100
names = ("chat_name", "filename", "error_message", "chat_id", "message_id", "trace_id", "from_handle")
frame = linq_nb.to_frame(outbox.sends()).assign(**dict.fromkeys(names, bad))
for name in ("status", "service", "format"):
    frame[name] = pd.Categorical([bad] * len(frame))
hostile = linq_nb.Explorer(frame)
hostile"""

WIDE = """root => [...root.querySelectorAll(':scope > *')].filter(
  part => part.getBoundingClientRect().right > root.getBoundingClientRect().right + 1).length"""


class Explored:
    """The explorer of a cell."""

    def __init__(self, notebook: Any, *cells: str) -> None:
        self.notebook = notebook.open(SETUP, *cells)
        notebook.run(0)
        self.at = notebook.cell(0).locator(".linq-x").first
        expect(self.rows).to_have_count(7)

    @property
    def rows(self) -> Any:
        return self.at.locator("tbody tr")

    @property
    def detail(self) -> Any:
        return self.at.get_by_role("region", name="One send")

    def button(self, name: str) -> Any:
        return self.at.get_by_role("button", name=name, exact=True)


@pytest.mark.host("JupyterLab", "explorer")
def test_a_person_filters_sorts_opens_and_exports_with_the_mouse(notebook: Any) -> None:
    explored = Explored(notebook, "print(explorer.rows['status'].tolist(), explorer.error)")
    explored.at.get_by_role("combobox", name="Status").select_option("rejected")
    expect(explored.rows).to_have_count(1)
    explored.rows.first.click()
    expect(explored.detail).to_contain_text("block list")
    expect(explored.detail).to_contain_text("post")
    explored.button("Close").click()
    notebook.run(1)
    expect(notebook.output(1)).to_have_text("['rejected'] None")
    explored.button("Clear filter").click()
    expect(explored.rows).to_have_count(7)
    explored.button("chat_name").click()
    expect(explored.rows.first).to_contain_text("Ada Lovelace")
    explored.button("chat_name ▲").click()
    expect(explored.rows.first).to_contain_text("Sam SMS")
    explored.at.get_by_role("region", name="Leading chats").get_by_role("button", name=re.compile("Rosa")).click()
    expect(explored.rows).to_have_count(1)
    explored.button("Clear filter").click()
    expect(explored.rows).to_have_count(7)
    chart = explored.at.get_by_role("img", name=re.compile("^Sends by hour"))
    box = chart.bounding_box()
    notebook.page.mouse.move(box["x"] + 4, box["y"] + 60)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + 90, box["y"] + 60)
    notebook.page.mouse.up()
    expect(explored.rows).to_have_count(2)  # the first two hours have two of the sends
    explored.button("Export").click()
    expect(explored.at.get_by_role("status").first).to_have_text("written: sends.csv")
    explored.button("Copy as Python").click()
    expect(explored.at.get_by_role("region", name="The filter as Python")).to_contain_text('nw.col("created_at") >=')


@pytest.mark.thorough
def test_an_unknown_send_is_settled_in_its_detail_and_new_rows_are_offered(notebook: Any) -> None:
    explored = Explored(notebook, "outbox.send(memo, outbox.demo.chat_ids['Ada Lovelace'], 2).status")
    explored.at.get_by_label("Only what needs me").check()
    expect(explored.rows).to_have_count(3)
    explored.at.get_by_role("button", name=re.compile("Open Lou Lost")).click()
    explored.at.get_by_label("Reason, which the journal keeps").fill("seen on the phone")
    explored.button("It was sent").click()
    expect(explored.detail).to_contain_text("reason: seen on the phone")
    expect(explored.at.get_by_role("row", name=re.compile("Open Lou Lost Answer, sent"))).to_be_visible()
    explored.button("Clear filter").click()
    notebook.run(1)
    news = explored.at.get_by_role("button", name="1 new or changed sends: show them")
    expect(news).to_have_text("1 new")
    news.click()
    expect(explored.rows).to_have_count(8)
    expect(news).to_be_hidden()


@pytest.mark.thorough
def test_every_control_can_be_reached_by_keyboard_alone(notebook: Any) -> None:
    explored = Explored(notebook)
    keys = notebook.page.keyboard
    explored.at.get_by_label("Search").focus()
    keys.type("sam", delay=20)
    expect(explored.rows).to_have_count(1)
    keys.press("Control+A")
    keys.press("Delete")
    expect(explored.rows).to_have_count(7)
    explored.rows.first.get_by_role("button").focus()
    keys.press("ArrowDown")
    keys.press("End")
    expect(explored.rows.last.get_by_role("button")).to_be_focused()
    keys.press("Home")
    keys.press("Enter")
    expect(explored.detail).to_be_visible()
    keys.press("Escape")
    expect(explored.detail).to_be_hidden()
    expect(explored.rows.first.get_by_role("button")).to_be_focused()


@pytest.mark.thorough
def test_hostile_text_runs_no_script_and_axe_finds_no_barrier(notebook: Any) -> None:
    explored = Explored(notebook, HOSTILE, "hostile.record()")
    notebook.run(1)
    at = notebook.cell(1).locator(".linq-x").first
    at.locator("tbody tr").first.click()
    expect(at.get_by_role("region", name="One send")).to_contain_text("<img src=x")
    notebook.run(2)
    expect(notebook.output(2).first).to_contain_text("<img src=x")
    assert notebook.page.evaluate("() => window.owned") is None
    explored.rows.first.click()
    expect(explored.detail).to_be_visible()
    for theme in notebook.themes():
        assert not serious(notebook.page, ".jp-OutputArea"), theme
    at.evaluate("element => { element.style.width = '320px'; }")
    expect(at.locator("svg").first).to_have_attribute("width", re.compile("^2[0-9]{2}$"))
    wide = at.evaluate(WIDE)
    assert wide == 0
    assert at.evaluate(SPILLED) == []


@pytest.mark.thorough
def test_the_explorer_works_after_a_reload_and_its_record_stays_without_the_kernel(notebook: Any) -> None:
    explored = Explored(notebook)
    explored.at.get_by_role("combobox", name="Status").select_option("rejected")
    expect(explored.rows).to_have_count(1)
    record = notebook.cell(0).locator(".linq-nb-kept")
    expect(record).to_contain_text("1 of 7 sends")
    expect(record).to_be_hidden()  # the widget says the same
    notebook.save()
    notebook.reload()
    expect(explored.rows).to_have_count(1)
    explored.button("Clear filter").click()
    expect(explored.rows).to_have_count(7)
    notebook.restart()
    notebook.reload()
    notebook.assert_no_widget(0)
    assert_record(notebook.cell(0), "1 of 7 sends")


@pytest.mark.thorough
def test_a_notebook_that_is_not_trusted_shows_the_record_and_runs_no_script(notebook: Any) -> None:
    explored = Explored(notebook)
    explored.at.get_by_label("Search").fill("sam")
    expect(explored.rows).to_have_count(1)
    expect(notebook.cell(0).locator(".linq-nb-kept")).to_contain_text("1 of 7 sends")
    notebook.save()
    notebook.close()
    saved = nbformat.read(notebook.lab.root / f"{notebook.name}.ipynb", as_version=4)
    notebook.name += "_shared"  # as a colleague receives it: it is not signed here
    saved.cells[0].source = "explorer"
    nbformat.write(saved, notebook.lab.root / f"{notebook.name}.ipynb")
    notebook.again()
    assert not notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.cells.get(0).trusted")
    assert_record(notebook.cell(0), "1 of 7 sends")
    assert notebook.page.evaluate("() => window.owned") is None


def assert_record(cell: Any, counts: str) -> None:
    """Check the static output: the counts, the chart as an image that is drawn, the rows as text."""
    record = cell.locator(".jp-RenderedHTMLCommon", has_text=counts).last
    expect(record).to_be_visible()
    picture = record.locator("img")
    expect(picture).to_have_attribute("alt", re.compile("^sends by hour"))
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    expect(record).to_contain_text(".wav")


MONTH = """import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
outbox.replay(outbox.demo.month(2_000))
linq_nb.Explorer(outbox)"""
IN_CODE = """import json
df = linq_nb.to_frame(outbox.sends())
print(json.dumps({
    "line": linq_nb.audit(outbox, since=None).headline,
    "worst": df.linq.by_chat()[["chat_name", "failed"]].head(5).astype(str).values.tolist(),
    "why": df[df["status"] == "failed"].groupby("chat_name")["meaning"].agg(lambda why: why.mode()[0]).to_dict(),
    "twice": df.linq.duplicates()[["chat_name", "filename"]].values.tolist(),
    "p95": df.linq.latency(q=(0.95,)).set_index("service")["p95_s"].to_dict(),
    "failed": int((df["status"] == "failed").sum()),
}))"""


@pytest.mark.thorough
def test_a_new_user_finds_by_mouse_alone_the_answers_of_one_line_of_code(notebook: Any) -> None:
    notebook.open(MONTH, IN_CODE)
    notebook.run(0)
    at = notebook.cell(0).locator(".linq-x").first
    notebook.run(1)
    answers = json.loads(notebook.output(1).first.inner_text())
    assert "line ending 0101 was offline from 12 Feb" in answers["line"]
    at.get_by_role("button", name="Audit", exact=True).click()
    audit = at.get_by_role("region", name="Audit of the chosen sends")
    expect(audit.get_by_role("heading", level=1)).to_have_text(f"{answers['line']}.")
    chats = audit.get_by_role("region", name="Which chats").locator("tbody tr")
    for place, (name, failed) in enumerate(answers["worst"]):
        for words in (name, failed, answers["why"][name]):
            expect(chats.nth(place)).to_contain_text(words)
    twice = audit.get_by_role("region", name="The same memo more than once").locator("tbody tr")
    assert answers["twice"]
    for place, (name, file) in enumerate(answers["twice"]):
        expect(twice.nth(place)).to_contain_text(f"{name}{file}")
    for theme in notebook.themes():
        assert not serious(notebook.page, ".linq-x"), theme
    audit.get_by_role("button", name="Close").click()
    expect(audit).to_be_hidden()
    for service in ("iMessage", "RCS"):
        at.get_by_role("combobox", name="Service").select_option(service)
        expect(at.locator("dl.linq-x-tiles")).to_contain_text(f"{answers['p95'][service]:,.1f} s")
    at.get_by_role("button", name="Clear filter").click()
    at.get_by_role("combobox", name="Status").select_option("failed")
    expect(at.get_by_text(f"1–50 of {answers['failed']}")).to_be_visible()  # the buttons do not move any more
    at.get_by_role("combobox", name="Format of the export").select_option("excel")
    at.get_by_role("button", name="Export", exact=True).click()
    expect(at.get_by_role("status").first).to_have_text("written: sends.xlsx")
    with ZipFile(notebook.lab.root / "sends.xlsx") as book:
        assert book.read("xl/worksheets/sheet1.xml").count(b"<row ") == 1 + answers["failed"]


MILLION = """import duckdb, linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
outbox.replay(outbox.demo.month(2_000))
outbox.to_parquet("few")
names = "send_id || '-' || n AS send_id, chat_name || ' ' || n % 100 AS chat_name"
duckdb.sql(f"COPY (SELECT * REPLACE ({names}) FROM 'few/**/*.parquet', range(500) AS t(n)) TO 'million.parquet'")
table = duckdb.read_parquet("million.parquet")"""
MOST_BYTES = 50_000_000


@pytest.mark.thorough
def test_a_million_sends_take_little_of_the_browser(notebook: Any) -> None:
    notebook.open(MILLION, "linq_nb.Explorer(table)")
    notebook.run(0)
    devtools = notebook.page.context.new_cdp_session(notebook.page)

    def used() -> int:
        devtools.send("HeapProfiler.collectGarbage")
        return int(devtools.send("Runtime.getHeapUsage")["usedSize"])

    before = used()
    notebook.run(1)
    at = notebook.cell(1).locator(".linq-x").first
    rows = at.locator("tbody tr")
    expect(rows).to_have_count(50)
    expect(at.locator("dl.linq-x-tiles")).to_contain_text("1,000,000")
    at.get_by_role("button", name="Next", exact=True).click()
    expect(at.get_by_text("51–100 of 1,000,000")).to_be_visible()
    at.get_by_role("combobox", name="Status").select_option("failed")
    expect(at.get_by_text("51–100 of 1,000,000")).to_be_hidden()
    rows.first.click()
    expect(at.get_by_role("region", name="One send")).to_be_visible()
    assert used() - before < MOST_BYTES  # measured: 1 MB
