"""The board in JupyterLab: it moves while a batch runs, stops on a press, and leaves a record."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browsing import HELD_LINQ, SPILLED, serious

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
SETUP = """import io, math, struct, time, wave
import linq_nb
from linq_nb import Draft, VoiceMemo
outbox = linq_nb.connect(demo=True, fresh=True)
out = io.BytesIO()
with wave.open(out, "wb") as writer:
    writer.setparams((1, 2, 8000, 0, "NONE", ""))
    writer.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 6))) for i in range(24000)))
memo = VoiceMemo.from_bytes(out.getvalue(), "hello.wav")
names = ("Ada Lovelace", "Book Club", "Sam SMS", "Finn Fails", "Rosa RCS", "Linus Email")
plan = outbox.plan([Draft(memo=memo, chat=outbox.demo.chat_ids[name]) for name in names])
board = linq_nb.StatusBoard(outbox)
board"""
SEND = "batch = outbox.send_all(plan)\nbatch.wait()\nlen(batch)"


HEADS = """board => {
  window.heads = [];
  const note = () => window.heads.push(board.querySelector('b')?.textContent); // none between two drawings
  new MutationObserver(note).observe(board, {childList: true, subtree: true, characterData: true});
}"""
HELD = f"""{HELD_LINQ}
plan = outbox.plan([Draft(memo=memo, chat=chat) for chat in demo.add_chats(40).values()])
batch = outbox.send_all(plan, workers=1)
"""
WIDE = """board => [...board.querySelectorAll('*')].filter(part => part.getBoundingClientRect().width > 1
  && part.getBoundingClientRect().right > board.getBoundingClientRect().right + 1)
  .map(part => part.outerHTML.slice(0, 80))"""


class Board:
    """The board of the first cell, and the record below it."""

    def __init__(self, notebook: Any, *cells: str, first: str = SETUP) -> None:
        self.notebook = notebook.open(first, *cells)
        notebook.run(0)
        self.at = notebook.cell(0).locator(".jp-OutputArea").first
        self.live = self.at.locator(".linq-board")
        expect(self.live).to_be_visible()

    @property
    def record(self) -> Any:
        return self.at.locator(".linq-nb-kept")

    @property
    def rows(self) -> Any:
        return self.live.locator("tbody tr")

    @property
    def detail(self) -> Any:
        return self.live.get_by_role("region", name="One send")

    def button(self, name: str | re.Pattern[str]) -> Any:
        return self.live.get_by_role("button", name=name, exact=True)


@pytest.mark.thorough
@pytest.mark.host("JupyterLab", "status board")
def test_board_moves_while_a_batch_runs_and_can_be_read_when_it_has_ended(notebook: Any) -> None:
    board = Board(notebook, SEND, "print(2 + 2)", "board.is_running, board.error", "board.close()")
    board.live.evaluate(HEADS)
    notebook.run(1)
    expect(board.live.get_by_text(re.compile("^(queued|sent|delivered)$")).first).to_be_visible()
    notebook.run(2)
    expect(notebook.output(2)).to_have_text("4")  # the kernel is free meanwhile
    expect(board.live.get_by_text("sent", exact=True).first).to_be_visible()
    for theme in notebook.themes():
        assert not serious(notebook.page, ".jp-OutputArea"), theme
    expect(board.live.get_by_role("status").first).to_contain_text("of 6 settled")
    expect(board.live.get_by_text("ended: all is settled", exact=True)).to_be_visible()
    heads = [head for head in notebook.page.evaluate("() => window.heads") if head]
    assert len(set(heads)) > 1, heads
    expect(board.rows.first).to_contain_text("Finn Fails")
    expect(board.rows.first).to_contain_text("Linq reports the reason by webhook only")
    assert board.live.get_by_role("progressbar").get_attribute("aria-valuenow") == "6"
    expect(board.record).to_be_hidden()  # the board says the same
    board.live.evaluate("board => { board.parentElement.style.width = '700px'; }")
    failed = board.rows.first.locator(".linq-table-note").bounding_box()
    assert failed["width"] > 600  # what is known has the whole width
    assert failed["height"] < 30  # and fits on a line
    board.live.evaluate("board => { board.parentElement.style.width = '320px'; }")
    assert board.live.evaluate(WIDE) == []
    notebook.run(3)
    expect(notebook.output(3)).to_have_text("(False, None)")
    notebook.run(4)
    expect(board.at.get_by_text("This board is closed.")).to_be_visible()
    for words in ("6 of 6 settled", "groups give no further receipts", "Linq reports the reason by webhook only"):
        expect(board.record).to_contain_text(words)


@pytest.mark.thorough
def test_a_person_chooses_turns_opens_and_stops_by_keyboard_alone(notebook: Any) -> None:
    first = SETUP.replace("board = ", f"{HELD}board = ")
    board = Board(notebook, "batch.wait().line()", "board.is_running, sum(demo.bubbles().values())", first=first)
    keys = notebook.page.keyboard
    expect(board.live.get_by_text("waiting", exact=True).first).to_be_visible()
    board.button("Next").focus()
    keys.press("Enter")
    expect(board.live.get_by_text("26–40 of 40")).to_be_visible()
    waiting = board.live.get_by_role("group", name="Filter by state").get_by_role("button", name=re.compile("waiting"))
    waiting.focus()
    keys.press("Enter")
    expect(waiting).to_have_attribute("aria-pressed", "true")
    expect(waiting).to_be_focused()
    board.rows.first.get_by_role("button").focus()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(board.detail).to_contain_text("it has not begun")
    keys.press("Escape")
    expect(board.detail).to_be_hidden()
    expect(board.rows.nth(1).get_by_role("button")).to_be_focused()
    board.button("Stop sending").focus()
    keys.press("Enter")
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("stopped: stopped on the board")
    board.live.get_by_role("button", name=re.compile("not_sent$")).click()
    expect(board.rows.first).to_contain_text("not_sent")
    board.button("Stop watching").focus()
    keys.press("Enter")
    expect(board.live.get_by_text("ended: stopped on the board", exact=True)).to_be_visible()
    notebook.run(2)
    running, bubbles = re.findall(r"False|True|\d+", notebook.output(2).inner_text())
    assert (running, int(bubbles) < 40) == ("False", True)


def test_record_is_saved_with_the_notebook_and_names_never_run(notebook: Any) -> None:
    """A notebook that is saved while the board runs holds the table as it stood, which a hostile name cannot leave."""
    rename = f"outbox.demo._state.chats[outbox.demo.chat_ids['Ada Lovelace']].name = {HOSTILE!r}"
    first = SETUP.replace("plan = ", f"{rename}\nnames = ({HOSTILE!r},)\nplan = ").replace("hello", "w" * 100)
    board = Board(notebook, SEND, "board.close()", "board.record()", first=first)
    notebook.run(1)
    expect(board.live.get_by_text("<img src=x").first).to_be_visible()
    board.rows.first.click()
    expect(board.detail).to_contain_text("<img src=x")
    for width in (320, 700):
        board.live.evaluate("(board, width) => { board.parentElement.style.width = `${width}px`; }", width)
        assert board.live.evaluate(SPILLED) == [], width
    expect(board.record).to_contain_text("1 sent")
    notebook.save()
    saved = json.loads((notebook.lab.root / f"{notebook.name}.ipynb").read_text())
    _, record = saved["cells"][0]["outputs"]
    assert "sent" in "".join(record["data"]["text/plain"])
    assert "&lt;img src=x" in "".join(record["data"]["text/html"])
    notebook.run(2)
    expect(board.at.get_by_text("This board is closed.")).to_be_visible()
    expect(board.record).to_contain_text("ended: closed")
    assert not notebook.page.evaluate("() => 'owned' in window")
