"""The form in JupyterLab: by mouse, by keyboard, with a double click, with an error."""

from __future__ import annotations

import json
import math
import re
import struct
import wave
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

FORM = """import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
ada, book_club = (outbox.demo.chat_ids[name] for name in ("Ada Lovelace", "Book Club"))
form = linq_nb.SendForm(outbox)
form"""


FOCUSED = "() => document.activeElement.tagName + ' ' + document.activeElement.textContent"


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    """A WAV of three seconds."""
    file = tmp_path / "hello.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, 16_000, 0, "NONE", ""))
        writer.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 6))) for i in range(48_000)))
    return file


class Form:
    """The form of the first cell; the second cell asks the kernel."""

    def __init__(self, notebook: Any, question: str, first: str = FORM) -> None:
        self.notebook = notebook.open(first, f"print({question})")
        notebook.run(0)
        self.at = notebook.cell(0).locator(".jp-OutputArea").first
        expect(self.chat).to_be_visible()

    @property
    def chat(self) -> Any:
        return self.at.get_by_role("combobox", name="To", exact=True)

    @property
    def source(self) -> Any:
        return self.at.get_by_role("textbox", name="Audio", exact=True)

    def button(self, name: str) -> Any:
        return self.at.get_by_role("button", name=re.compile(name))

    def upload(self, file: Path) -> None:
        with self.notebook.page.expect_file_chooser() as chooser:
            self.button("Choose a file").click()
        chooser.value.set_files(file)

    def answer(self) -> str:
        """Return what the kernel says."""
        self.notebook.run(1)
        return str(self.notebook.output(1).inner_text()).strip()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_memo_is_chosen_seen_and_sent(notebook: Any, memo: Path, theme: str) -> None:
    form = Form(notebook, "outbox.demo.bubbles(book_club), repr(form)")
    notebook.theme(theme)
    expect(form.button("^Send$")).to_be_disabled()
    form.chat.fill("Book Club")
    form.upload(memo)
    send = form.button("^Send 0:03 to Book Club$")
    expect(send).to_be_enabled()
    assert form.at.locator("audio").count() == 1
    assert form.at.get_by_alt_text("waveform of a 0:03 voice memo").is_visible()
    send.click()
    expect(form.button("Already sent to Book Club")).to_be_disabled()
    expect(form.at.get_by_text("Linq has accepted it and will deliver it")).to_be_visible()
    expect(form.at.get_by_text("DEMO: sent from this form")).to_be_visible()
    assert form.answer().startswith("1 SendForm(DEMO, Send queued")


def test_double_click_sends_once(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada), len(outbox.sends())")
    form.chat.fill("Ada Lovelace")
    form.upload(memo)
    form.button("^Send 0:03 to Ada Lovelace$").dblclick()
    expect(form.button("Already sent")).to_be_disabled()
    assert form.answer() == "1 1"


def test_form_works_by_keyboard_alone(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada)")
    keys = notebook.page.keyboard
    form.chat.focus()
    keys.type("ada lovelace")
    keys.press("Tab")
    expect(form.source).to_be_focused()
    keys.type(str(memo))
    keys.press("Enter")
    expect(form.button("^Send 0:03 to Ada Lovelace$")).to_be_enabled()
    for _ in range(15):  # past the player and its own buttons
        keys.press("Tab")
        if notebook.page.evaluate(FOCUSED).startswith("BUTTON Send"):
            break
    expect(form.button("^Send 0:03 to Ada Lovelace$")).to_be_focused()
    keys.press("Enter")
    expect(form.button("Already sent to Ada Lovelace")).to_be_visible()
    assert form.answer() == "1"


def test_error_is_shown_in_the_form(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(), type(form.error).__name__", f"{FORM.rpartition(chr(10))[0]}\n"
                "outbox.demo.fail_next(403, 2005)\nform")  # fmt: skip
    form.source.fill("no/such/file.m4a")
    form.source.press("Enter")
    expect(form.at.get_by_role("alert")).to_contain_text("file.m4a")
    form.chat.fill("Ada Lovelace")
    form.upload(memo)
    form.button("^Send 0:03 to Ada Lovelace$").click()
    expect(form.at.get_by_role("alert")).to_contain_text("nothing was sent")
    expect(form.at.get_by_text("rejected").first).to_be_visible()
    assert form.answer() == "{} PermissionDeniedError"
    notebook.page.wait_for_timeout(500)  # sooner it would count as the second of a double click
    form.button("^Send 0:03 to Ada Lovelace$").click()
    expect(form.button("Already sent to Ada Lovelace")).to_be_visible()


def test_live_form_asks_and_the_cursor_is_on_no(notebook: Any, memo: Path) -> None:
    live = FORM.replace("connect(demo=True, fresh=True)", "connect(demo=True, fresh=True); demo = outbox.demo").replace(
        "form =", "outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, journal=':memory:', "
        "transport=demo.transport(), clock=demo.now, sleep=demo.sleep)\nform =",
    )  # fmt: skip
    form = Form(notebook, "demo.bubbles(ada)", live)
    form.chat.fill("Ada Lovelace")
    form.upload(memo)
    form.button("^Send 0:03 to Ada Lovelace$").click()
    expect(form.button("No, send nothing")).to_be_focused()
    notebook.page.keyboard.press("Enter")
    expect(form.at.get_by_text("Nothing was sent.", exact=True)).to_be_visible()
    assert form.answer() == "0"
    form.button("^Send 0:03 to Ada Lovelace$").click()
    form.button("Yes, send 0:03 to Ada Lovelace").click()
    expect(form.button("Already sent to Ada Lovelace")).to_be_visible()
    assert form.answer() == "1"


def test_record_stays_and_the_memo_is_not_saved_with_the_notebook(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "form.close()")
    form.chat.fill("Ada Lovelace")
    form.upload(memo)
    form.button("^Send 0:03 to Ada Lovelace$").click()
    expect(form.button("Already sent")).to_be_visible()
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = json.loads((notebook.lab.root / f"{notebook.name}.ipynb").read_text())
    widget, record = saved["cells"][0]["outputs"]
    assert "text/html" not in widget["data"]
    assert "".join(record["data"]["text/plain"]).startswith("DEMO: sent from this form")
    assert "hello.wav · 0:03" in "".join(record["data"]["text/html"])
    upload = [one["state"] for one in _states(saved) if one["model_name"] == "FileUploadModel"]
    assert all(len(json.dumps(one)) < 1500 for one in upload)
    form.answer()
    expect(form.at.get_by_text("This form is closed.")).to_be_visible()
    expect(form.at.get_by_text("DEMO: sent from this form")).to_be_visible()


def _states(saved: dict[str, Any]) -> list[dict[str, Any]]:
    widgets = saved["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    return list(widgets.get("state", {}).values())
