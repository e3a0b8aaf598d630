"""A hundred hostile strings in every field of the form: none runs, none draws anything, none asks for a foreign URL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from forming import FormPage, tone
from hostile import STRINGS

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.thorough]

SETUP = """import json, linq_nb
from pathlib import Path
from linq_nb.demo.people import Person
strings = json.loads(Path("hostile.json").read_text())
sound = Path("tone.wav").read_bytes()
outbox = linq_nb.connect(demo=True, fresh=True)
demo = outbox.demo
"""
CHATS = """world = demo._state
chats = [world.add_person(Person(f"chat {number}", (f"{number}@example.com",))) for number in range(len(strings))]
whole = [text.encode("utf-8", "replace").decode() for text in strings]  # the demo writes UTF-8, without half characters
for chat, text in zip(chats, whole):
    chat.name = chat.service = chat.handles[1].handle = text
form = linq_nb.SendForm(outbox, double_click_s=0)
form"""
NAMES = """def say(kind, **more):
    form._handle_custom_msg({"kind": kind, **more}, [])
def upload(name, data):
    about = {"kind": "upload", "name": name, "size": len(data)}
    form._handle_custom_msg({**about, "what": "begin"}, [])
    form._handle_custom_msg({**about, "what": "part"}, [memoryview(data)])
    form._handle_custom_msg({**about, "what": "end"}, [])
upload(strings[0], sound)
form.chosen = [chat.id for chat in chats]
print(len(form.chats), form.error)"""
FILES = """import pandas as pd
for text in strings:
    upload(text, sound)
    for how in ("magic", "python"):
        say("code", how=how)
    upload(text, b"OggS" + bytes(99))
    say("upload", what="refused", name=text)
    say("find", text=text)
for text in whole:  # no half characters, which no browser sends
    say("source", text=text)
    say("source", text=f"https://example.com/{text}")
table = pd.DataFrame({text: [text] for text in whole})
say("tables")
say("paste", text="\\n".join(text.replace("\\n", " ") + " is no chat" for text in whole))
form.files = tuple(whole)
form._draw()
print("done", len(form.view["unmatched"]) > 50)"""
ANSWERS = """ada = demo.chat_ids["Ada Lovelace"]
form.choice.list.unmatched.clear()
form.chosen = [ada]
failed = 0
for number, text in enumerate(whole):
    upload(f"{number}{text[:200]}.wav", sound + bytes(2 * number))
    demo.fail_next(400, 1005, message=text)
    form.press()
    failed += form.error is not None
print(failed)"""
OURS = ".linq-nb-form, .linq-nb-kept"
OTHERS = """roots => roots.flatMap(root => [...root.querySelectorAll(
  'script,iframe,object,embed,svg,math,style,link,base,meta,a,video,form,select:not(.linq-nb-select),details,marquee')])
  .filter(node => node.tagName !== 'STYLE' || node.parentElement.className !== 'linq-nb-kept')
  .filter(node => node.tagName !== 'DETAILS' || !/^and \\d+ more$/.test(node.firstChild.textContent))
  .map(node => node.outerHTML.slice(0, 200))"""
HANDLERS = """roots => roots.flatMap(root => [...root.querySelectorAll('*')]).filter(node => [...node.attributes].some(
  a => a.name.startsWith('on') || a.name === 'srcdoc' || (a.name === 'src' && !/^data:(image|audio)\\//.test(a.value))))
  .map(node => node.outerHTML.slice(0, 200))"""


def test_the_list_has_a_hundred_hostile_strings() -> None:
    assert len(STRINGS) >= 100


def test_no_hostile_string_runs(notebook: Any) -> None:
    page, root = notebook.page, notebook.lab.root
    (root / "hostile.json").write_text(json.dumps(STRINGS))
    tone(root / "tone.wav", 1)
    dialogs: list[str] = []

    def on_dialog(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", on_dialog)
    try:
        notebook.open(SETUP + CHATS, NAMES, FILES, ANSWERS)
        notebook.run(0)
        at = notebook.cell(0).locator(".jp-OutputArea").first
        form = FormPage(at)
        expect(form.at.get_by_role("option")).to_have_count(100)
        harmless(page, at)
        for cell, expected in ((1, f"{len(STRINGS)} None"), (2, "done True"), (3, str(len(STRINGS)))):
            notebook.run(cell)
            expect(notebook.output(cell)).to_have_text(expected)
            harmless(page, at)
        form.button("^Back$").click()
        for text in ("<", "window.hacked", "[x](", ".*"):  # typed by a person
            form.chat.fill(text)
            form.chat.press("Enter")
            form.source.fill(text)
            form.source.press("Enter")
        expect(form.at.get_by_role("alert")).not_to_be_empty()
        harmless(page, at)
    finally:
        page.remove_listener("dialog", on_dialog)
    assert not dialogs


def harmless(page: Any, at: Any) -> None:
    page.wait_for_timeout(300)  # an image that fails, or a script, gets its chance
    assert page.evaluate("() => window.hacked === undefined")
    assert at.locator(OURS).evaluate_all(OTHERS) == []
    assert at.locator(OURS).evaluate_all(HANDLERS) == []
