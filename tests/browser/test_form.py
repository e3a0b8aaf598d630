"""The form in JupyterLab: by mouse, by keyboard, with a double click, with errors, after a reload."""

from __future__ import annotations

import base64
import json
import re
import wave
from pathlib import Path
from typing import Any

import pytest
from browsing import HELD_LINQ, SPILLED, serious
from forming import CLIPPED, FORM, LIVE, WENT, FormPage, tone

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

FOCUSED = "() => document.activeElement.tagName + ' ' + document.activeElement.textContent"
ATTACH = """
memo = linq_nb.VoiceMemo.from_bytes(open({file!r}, 'rb').read(), 'up.wav')
print(outbox.send(memo, book_club).attachment_id)"""


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    return tone(tmp_path / "hello.wav")


class Form(FormPage):
    """The form of the first cell; the second cell asks the kernel."""

    def __init__(self, notebook: Any, question: str = "0", first: str = FORM) -> None:
        self.notebook = notebook.open(first, f"print({question})")
        notebook.run(0)
        super().__init__(notebook.cell(0).locator(".jp-OutputArea").first)

    def answer(self) -> str:
        """Return the output of the kernel's cell."""
        self.notebook.run(1)
        return str(self.notebook.output(1).inner_text()).strip()


# --- compose and send ---


@pytest.mark.thorough
@pytest.mark.host("JupyterLab", "form")
def test_memo_is_chosen_shown_and_sent(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(book_club), repr(form)")
    expect(form.button("^Send$")).to_be_disabled()
    form.choose("Book Club").upload(memo)
    send = form.button("^Send 0:03 to Book Club · 3 people · iMessage$")
    expect(send).to_be_enabled()
    expect(form.at.locator("audio")).to_have_count(1)
    expect(form.at.get_by_alt_text("waveform of a 0:03 voice memo")).to_be_visible()
    send.click()
    expect(form.recipient("Book Club", WENT)).to_be_visible()
    expect(form.at.get_by_text("DEMO: sent from this form")).to_be_hidden()  # one list, not two
    assert form.answer().startswith("1 SendForm(DEMO, Send ")


@pytest.mark.thorough
@pytest.mark.parametrize("source", ["path", "url", "attachment"])
def test_each_kind_of_source_is_sent(notebook: Any, memo: Path, source: str) -> None:
    first = FORM.replace("\nform =", ATTACH.format(file=str(memo)) + "\nform =") if source == "attachment" else FORM
    form = Form(notebook, "outbox.demo.bubbles(ada)", first)
    text = {"path": str(memo), "url": "https://files.example.com/a.m4a"}.get(source)
    form.choose("Ada Lovelace").give(text or str(notebook.output(0).first.inner_text()).strip())
    form.button("^Send .* to Ada Lovelace").click()
    expect(form.recipient("Ada Lovelace", WENT)).to_be_visible()
    assert form.answer() == "1"


def test_a_new_user_sends_a_recorded_memo_by_five_presses(notebook: Any) -> None:
    """A chat, Record, start (or wait for the countdown), Stop, Send: each is the next control on the screen."""
    form = Form(notebook, "outbox.demo.bubbles(ada), outbox.demo.memos(ada)[0]['filename']")
    notebook.page.set_viewport_size({"width": 1280, "height": 720})
    try:
        form.option("Ada Lovelace").click()
        recorder = form.open_recorder()
        expect(recorder.get_by_role("button", name=re.compile("^(Start now|Stop)$"))).to_be_focused()
        expect(recorder.get_by_text("Choose an audio file")).to_be_hidden()  # the form has a button for that
        form.record(recorder, 2)
        send = form.button(r"^Send 0:\d\d to Ada Lovelace")
        expect(send).to_be_in_viewport(ratio=1)
        send.click()
        expect(form.recipient("Ada Lovelace", WENT)).to_be_in_viewport(ratio=1)
    finally:
        notebook.page.set_viewport_size({"width": 1280, "height": 900})
    assert form.answer() == "1 take-1.wav"
    form.button("^Send to others$").click()
    form.button("Close the recorder").click()
    expect(recorder).to_have_count(0)


@pytest.mark.thorough
def test_a_recorder_that_was_open_does_not_listen_again_after_a_reload(notebook: Any) -> None:
    form = Form(notebook)
    recorder = form.open_recorder()
    recorder.get_by_role("button", name="Cancel").click()
    notebook.save()
    notebook.reload()
    expect(recorder.get_by_role("button", name="Record", exact=True)).to_be_visible()
    expect(recorder.get_by_role("status")).to_have_text("Press Record. You can listen before anything is sent.")


HELD = f"""{HELD_LINQ}
demo.add_chats(30)
form = linq_nb.SendForm(outbox)
form.chosen = [chat.chat_id for chat in outbox.chats() if "Customer" in (chat.chat_name or "")]
form"""
STOPS = """form => {
  const stop = [...form.querySelectorAll('button')].find(button => button.textContent === 'Stop sending');
  window.stops = [];
  new MutationObserver(() => {
    const box = stop.getBoundingClientRect(), at = form.getBoundingClientRect();
    if (stop.offsetParent) window.stops.push({place: [box.left - at.left, box.top - at.top], height: at.height});
  }).observe(form, {childList: true, subtree: true});
}"""
"""Script that notes after each drawing where the stop button stands in the form, and how high the form is."""


@pytest.mark.thorough
def test_sending_to_many_is_stopped_in_the_form(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "sum(demo.bubbles().values()) < 30, set(demo.bubbles().values())", FORM + HELD)
    form.upload(memo)
    form.button("^Send 0:03 to 30 chats").click()
    form.at.locator(".linq-nb-form").evaluate(STOPS)
    form.button("^Yes, send 0:03 to 30 chats").dblclick()  # the second is no press of Stop
    expect(form.button(r"^Sending \d+ of 30 …$")).to_be_disabled()
    expect(form.chat).to_be_hidden()
    expect(form.recipient("", "queued").first).to_be_visible()
    notebook.page.keyboard.press("Tab")
    expect(form.button("^Stop sending$")).to_be_focused()
    expect(form.button("^Stop sending$")).to_be_in_viewport(ratio=1)
    form.button("^Stop sending$").click()
    expect(form.at.get_by_role("alert")).to_contain_text("not all Those that went are not sent again.")
    expect(form.at.get_by_text(re.compile("^30 chats: .*\\d+ not_sent"))).to_be_visible()
    expect(form.button("^Stop sending$")).to_be_hidden()
    stops = notebook.page.evaluate("() => window.stops")
    assert len({stop["height"] for stop in stops}) > 2  # the list grew
    assert len({tuple(stop["place"]) for stop in stops}) == 1, stops
    expect(form.button("^Send 0:03 to \\d+ chats")).to_be_enabled()
    assert form.answer() == "True {1}"


@pytest.mark.thorough
def test_several_chats_get_one_bubble_each(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada), outbox.demo.bubbles(book_club)")
    form.upload(memo).choose("Ada Lovelace", "Lee Blocked", "Book Club")
    form.button("^Send 0:03 to 3 chats · 4 people · iMessage$").dblclick()
    expect(form.at.get_by_role("alert")).to_contain_text("Those that went are not sent again.")
    expect(form.recipient("Lee Blocked", "rejected")).to_contain_text("block list")
    for name in ("Ada Lovelace", "Book Club"):
        expect(form.recipient(name, WENT)).to_be_visible()
    assert form.answer() == "1 1"


@pytest.mark.thorough
def test_double_click_sends_once(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada), len(outbox.sends())")
    form.choose("Ada Lovelace").upload(memo)
    form.button("^Send 0:03 to Ada Lovelace").dblclick()
    expect(form.recipient("Ada Lovelace", WENT)).to_be_visible()
    assert form.answer() == "1 1"


@pytest.mark.thorough
def test_a_file_over_the_limit_of_a_message_arrives_and_gets_its_finding(notebook: Any, tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, 48_000, 0, "NONE", ""))
        writer.writeframes(bytes(12_000_000))
    form = Form(notebook, "form.memo.size_bytes")
    form.choose("Ada Lovelace").upload(file)
    expect(form.at.get_by_text("is over Linq's 10 MB for voice memos")).to_be_visible()
    expect(form.button("^Cannot send")).to_be_disabled()
    assert form.answer() == str(file.stat().st_size)


# --- many recipients, and the outcome of each ---


def clipped(notebook: Any, form: Form) -> list[str]:
    """Return the texts that the form cuts off on a page that is 320 points wide."""
    notebook.page.set_viewport_size({"width": 320, "height": 900})
    try:
        notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        return list(form.at.locator(".linq-nb-form").evaluate(CLIPPED))
    finally:
        notebook.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.thorough
def test_a_new_user_sends_a_recorded_memo_to_a_pasted_list_and_sees_each_outcome(notebook: Any) -> None:
    """By mouse: one opted out, one number is unknown, one answers late. The same memo then goes to a table's column."""
    first = FORM.replace("form = ", "import pandas as pd\npeople = pd.DataFrame({'phone': ['+12025550115']})\nform = ")
    form = Form(notebook, "sorted(outbox.demo.bubbles().values())", first)
    form.paste("Ada Lovelace", "+1 202 555 0199", "Kim Opted Out", "Lou Lost Answer", "+1 (202) 555-0112")
    expect(form.at.get_by_text("4 chats found; 1 line names no chat.")).to_be_visible()
    assert not clipped(notebook, form)
    form.record(form.open_recorder())
    send = form.button(r"^Send 0:\d\d to 3 chats")
    expect(send).to_be_enabled()
    assert not violations(notebook)
    send.click()
    expect(form.recipient("Kim Opted Out", "opted out")).to_contain_text("nothing is sent to them")
    expect(form.recipient("Kim Opted Out").get_by_role("button")).to_have_count(0)
    expect(form.recipient("0199", "not_sent")).to_contain_text("no 1:1 chat has this phone number")
    expect(form.recipient("Grace Hopper", "delivered")).to_be_visible()  # by itself
    expect(form.recipient("Ada Lovelace", "delivered|read")).to_be_visible()
    expect(form.recipient("Lou Lost Answer", "unknown")).to_contain_text("it may have arrived")
    assert not violations(notebook)
    assert not clipped(notebook, form)
    form.button("^Look for it").click()
    expect(form.recipient("Lou Lost Answer", WENT)).to_be_visible()
    assert form.answer() == "[1, 1, 1]"
    form.button("^Send to others$").click()
    form.button("^From a DataFrame$").click()
    expect(form.at.get_by_role("combobox", name="DataFrame")).to_have_value("people")
    assert not clipped(notebook, form)
    form.button("^Add them$").click()
    form.button("^Send .* to Sam SMS").click()
    expect(form.recipient("Sam SMS", "sent")).to_contain_text("SMS gives no further receipts")
    expect(form.at.locator("[aria-current=step]")).to_have_text("Done")


@pytest.mark.thorough
def test_a_list_a_reason_and_code_by_keyboard_alone(notebook: Any, memo: Path) -> None:
    reasons = "[event.body['reason'] for event in outbox.history(form.sends[0]) if event.source == 'accept']"
    form = Form(notebook, f"outbox.demo.bubbles(ada), {reasons}")
    page, keys = notebook.page, notebook.page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(25):
            keys.press("Tab")
            if page.evaluate(FOCUSED).startswith(f"BUTTON {name}"):
                return
        pytest.fail(f"Tab never came to {name}")

    form.chat.focus()
    tab_to("Paste a list")
    keys.press("Enter")
    keys.type("cora critical")
    keys.press("Enter")
    keys.type("nobody")
    tab_to("Add these")
    keys.press("Enter")
    expect(form.button("^Paste a list$")).to_be_focused()
    expect(form.button("Remove nobody")).to_be_visible()
    tab_to("nobody")
    keys.press("Enter")
    expect(form.button("Remove nobody")).to_have_count(0)
    form.source.focus()
    keys.type(str(memo))
    keys.press("Enter")
    expect(form.button("^Cannot send 0:03 to Cora Critical")).to_be_disabled()
    tab_to("Copy as magic")
    keys.press("Enter")
    code = form.at.get_by_role("textbox", name="Code to paste")
    expect(code).to_have_value(re.compile('--chat "Cora Critical"$'))
    form.chat.focus()
    keys.type("ada love")
    keys.press("Enter")
    expect(code).to_have_value(re.compile('--chat "Cora Critical" --chat "Ada Lovelace"$'))
    keys.press("Delete")
    keys.press("Backspace")
    expect(code).to_have_value(re.compile('--chat "Cora Critical"$'))
    form.source.focus()
    tab_to("Send anyway")
    keys.press("Enter")
    expect(form.button("No, send nothing")).to_be_focused()
    assert not violations(notebook)
    assert not clipped(notebook, form)
    keys.press("Shift+Tab")
    keys.type("she asked for it")
    tab_to("Yes, send 0:03 to Cora Critical")
    keys.press("Enter")
    expect(form.recipient("Cora Critical", WENT)).to_be_visible()
    assert form.answer() == "0 ['she asked for it']"


# --- choosing ---


@pytest.mark.thorough
def test_filtering_keeps_the_chosen_chats_in_sight(notebook: Any) -> None:
    form = Form(notebook, "[chat.chat_name for chat in form.chats]")
    form.choose("Grace Hopper")
    form.chat.fill("kim")
    expect(form.option("")).to_have_count(2)
    expect(form.at.get_by_text("2 of 25 chats match", exact=True)).to_be_visible()
    expect(form.button("Remove Grace Hopper")).to_be_visible()
    form.chat.fill("+1 (202) 555-0112")
    expect(form.at.get_by_text("1 of 25 chats matches", exact=True)).to_be_visible()
    expect(form.option("Grace Hopper")).to_have_attribute("aria-selected", "true")
    form.chat.fill("")
    form.option("Sam SMS").click()
    form.button("Remove Grace Hopper").click()
    expect(form.button("Remove")).to_have_count(1)
    assert form.answer() == "['Sam SMS']"


def test_a_number_in_a_name_is_found_too(notebook: Any) -> None:
    form = Form(notebook, first=FORM.replace("form = ", "_ = outbox.demo.add_chats(1000)\nform = "))
    expect(form.option("")).to_have_count(100)
    expect(form.at.get_by_text("1,025 chats; the first 100 are shown, type to find the others")).to_be_visible()
    form.chat.fill("customer 0999")
    expect(form.option("Customer 0999")).to_have_count(0)
    form.chat.fill("999")
    expect(form.option("Customer 999")).to_be_visible()


def test_a_number_is_found_in_any_spelling(notebook: Any) -> None:
    form = Form(notebook)
    for number in (
        "00 1 202 555 0112",
        "１２０２５５５０１１２",
        "+1\u00a0(202)\u00a0555\u20110112",
        "\u202a12025550112\u202c",
    ):
        form.chat.fill(number)
        expect(form.option("Grace Hopper")).to_be_visible()
        expect(form.at.get_by_text(re.compile("^1 of .* matches"))).to_be_visible()
    form.chat.fill("12,025,550,112")  # the list does not know this spelling, the kernel does
    form.chat.press("Enter")
    expect(form.at.get_by_label("Chosen chats")).to_contain_text("Grace Hopper")
    form.chat.fill("2.02556E+9")
    form.chat.press("Enter")
    expect(form.at.get_by_role("alert")).to_contain_text("the digits are lost; read the column as text")


def test_kind_and_health_are_shown(notebook: Any) -> None:
    form = Form(notebook)
    form.chat.fill("kim opted")
    expect(form.option("Kim Opted Out")).to_have_text(re.compile(r"\+1•••••0117.*OPTED_OUT.*iMessage"))
    form.chat.fill("sms")
    expect(form.option("Sam SMS")).to_contain_text("SMS")


def test_an_unknown_name_is_an_error_that_offers_the_nearest(notebook: Any) -> None:
    form = Form(notebook)
    form.chat.fill("Ada Lovelaces")
    expect(form.at.get_by_text("No chat matches; Enter looks for")).to_be_visible()
    form.chat.press("Enter")
    expect(form.at.get_by_role("alert")).to_contain_text("did you mean 'Ada Lovelace'")


def test_form_works_by_keyboard_alone(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada), outbox.demo.bubbles(book_club)")
    keys = notebook.page.keyboard
    form.chat.focus()
    keys.type("ada lovelace")
    keys.press("Enter")
    keys.type("club")
    keys.press("ArrowDown")
    expect(form.chat).to_have_attribute("aria-activedescendant", str(form.option("Book Club").get_attribute("id")))
    keys.press("Enter")
    keys.type("grace")
    keys.press("Enter")
    keys.press("Delete")
    keys.press("Backspace")
    expect(form.button("Remove")).to_have_count(2)
    for _ in range(6):  # past the chips' buttons and those that add many
        keys.press("Tab")
        if form.source.evaluate("field => field === document.activeElement"):
            break
    expect(form.source).to_be_focused()
    keys.type(str(memo))
    keys.press("Enter")
    send = form.button("^Send 0:03 to 2 chats")
    expect(send).to_be_enabled()
    for _ in range(15):  # past the player and its own buttons
        keys.press("Tab")
        if notebook.page.evaluate(FOCUSED).startswith("BUTTON Send"):
            break
    expect(send).to_be_focused()
    keys.press("Enter")
    expect(form.recipient("Book Club", WENT)).to_be_visible()
    for _ in range(8):  # past the buttons of the recipients, which come when they are settled
        keys.press("Tab")
        if notebook.page.evaluate(FOCUSED).startswith("BUTTON Send to others"):
            break
    keys.press("Enter")
    expect(form.chat).to_be_focused()
    assert form.answer() == "1 1"


# --- errors ---


def test_error_is_shown_in_the_form(notebook: Any, memo: Path) -> None:
    head = FORM.rpartition("\n")[0]
    form = Form(notebook, "outbox.demo.bubbles(), type(form.error).__name__",
                f"{head}\noutbox.demo.fail_next(403, 2005)\nform")  # fmt: skip
    form.give("no/such/file.m4a")
    expect(form.at.get_by_role("alert")).to_contain_text("file.m4a")
    form.choose("Ada Lovelace").upload(memo)
    form.button("^Send 0:03 to Ada Lovelace").click()
    expect(form.at.get_by_role("alert")).to_contain_text("nothing was sent")
    expect(form.at.get_by_text("rejected").first).to_be_visible()
    assert form.answer() == "{} PermissionDeniedError"
    notebook.page.wait_for_timeout(500)  # sooner it would count as the second of a double click
    form.button("^Send 0:03 to Ada Lovelace").click()
    expect(form.recipient("Ada Lovelace", WENT)).to_be_visible()


@pytest.mark.thorough
def test_live_form_asks_and_no_has_the_focus(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "demo.bubbles(ada)", LIVE)
    form.choose("Ada Lovelace").upload(memo)
    expect(form.at.get_by_text("from +1•••••0100 to")).to_be_visible()
    form.button("^Send 0:03 to Ada Lovelace").click()
    expect(form.button("No, send nothing")).to_be_focused()
    expect(form.at.get_by_role("alert")).to_contain_text("LIVE send hello.wav (0:03) to Ada Lovelace")
    notebook.page.keyboard.press("Enter")
    expect(form.at.get_by_text("Nothing was sent.", exact=True)).to_be_visible()
    assert form.answer() == "0"
    form.button("^Send 0:03 to Ada Lovelace").click()
    form.button("Yes, send 0:03 to Ada Lovelace").click()
    expect(form.recipient("Ada Lovelace", WENT)).to_be_visible()
    assert form.answer() == "1"


# --- the record ---


def kept(notebook: Any) -> Any:
    """Return the record below the form, which comes by a message of its own."""
    return notebook.cell(0).locator(".linq-nb-kept")


@pytest.mark.thorough
def test_copied_code_does_the_same(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada), outbox.demo.bubbles(book_club)")
    form.choose("Ada Lovelace", "Book Club").give(str(memo))
    form.button("Copy as magic").click()
    expect(form.at.get_by_role("textbox", name="Code to paste")).to_be_focused()
    expect(form.at.get_by_text("Copied; paste it into a cell.")).to_be_visible()
    code = form.at.get_by_role("textbox", name="Code to paste").input_value()
    assert code == f'%linq_voicememo {memo} --chat "Ada Lovelace" --chat "Book Club"'
    form.button("Copy as Python").click()
    expect(form.at.get_by_role("textbox", name="Code to paste")).to_have_value(re.compile("from_file"))


@pytest.mark.thorough
def test_record_stays_and_nothing_private_is_saved_with_the_notebook(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "form.close(), demo.api_key", LIVE)
    form.choose("Ada Lovelace").give("https://files.example.com/a.m4a?X-Amz-Signature=abc123")
    expect(form.source).to_have_value("https://files.example.com/a.m4a?…")
    form.upload(memo)
    form.button("^Send 0:03 to Ada Lovelace").click()
    form.button("^Yes, send 0:03 to Ada Lovelace").click()
    form.button("^New memo$").click()
    form.record(form.open_recorder())
    expect(form.button(r"^Send 0:\d\d to Ada Lovelace")).to_be_visible()
    expect(kept(notebook)).to_contain_text("hello.wav · 0:03")
    notebook.toggle_widget_state()
    notebook.save()
    notebook.toggle_widget_state()  # back to how it was for the tests after this one
    text = (notebook.lab.root / f"{notebook.name}.ipynb").read_text()
    saved = json.loads(text)
    assert not re.findall(r"20255501\d\d|@example", text)
    assert "abc123" not in text
    assert "data:audio" not in text
    assert base64.b64encode(memo.read_bytes()[2001:2301]).decode() not in text
    assert len(text) < 250_000
    widget, record = saved["cells"][0]["outputs"]
    assert "text/html" not in widget["data"]
    assert "".join(record["data"]["text/plain"]).startswith("LIVE: sent from this form")
    assert "hello.wav · 0:03" in "".join(record["data"]["text/html"])
    assert form.answer().removeprefix("None demo_")[:24] not in text
    expect(form.at.get_by_text("This form is closed.")).to_be_visible()
    expect(form.at.get_by_text("LIVE: sent from this form")).to_be_visible()


@pytest.mark.thorough
def test_the_form_works_after_a_reload(notebook: Any, memo: Path) -> None:
    form = Form(notebook, "outbox.demo.bubbles(ada)")
    form.choose("Ada Lovelace").upload(memo)
    expect(form.button("^Send 0:03 to Ada Lovelace")).to_be_enabled()
    notebook.save()
    notebook.reload()
    expect(form.button("Remove Ada Lovelace")).to_be_visible()
    form.choose("Grace Hopper")
    form.button("^Send 0:03 to 2 chats").click()
    expect(form.recipient("Grace Hopper", WENT)).to_be_visible()
    assert form.answer() == "1"


@pytest.mark.thorough
@pytest.mark.parametrize("sent", [True, False])
def test_the_record_is_shown_without_the_kernel(notebook: Any, memo: Path, sent: bool) -> None:
    form = Form(notebook)
    form.choose("Ada Lovelace").upload(memo)
    if sent:
        form.button("^Send 0:03 to Ada Lovelace").click()
        expect(form.recipient("Ada Lovelace", WENT)).to_be_visible()
        expect(kept(notebook)).to_contain_text("hello.wav · 0:03")
    else:
        expect(form.button("^Send 0:03 to Ada Lovelace")).to_be_enabled()
    notebook.save()
    notebook.restart()
    notebook.reload()
    notebook.assert_no_widget(0)
    record = "hello.wav · 0:03" if sent else "run this cell again for a new one"
    expect(notebook.cell(0).get_by_text(record)).to_be_visible()


# --- accessibility ---


def violations(notebook: Any) -> list[str]:
    """Return the violations that axe-core finds in the form, in both themes."""
    return [violation for _ in notebook.themes() for violation in serious(notebook.page, ".linq-nb-form")]


@pytest.mark.thorough
def test_axe_finds_no_barrier_in_the_form(notebook: Any, memo: Path) -> None:
    form = Form(notebook)
    assert not violations(notebook)
    form.choose("Ada Lovelace", "Kim Opted Out", "Sam SMS").upload(memo)
    expect(form.button("^Send 0:03 to 2 chats")).to_be_enabled()
    form.chat.fill("zzz")
    assert not violations(notebook)
    form.chat.fill("a")
    form.chat.press("ArrowDown")
    form.button("Copy as magic").click()
    form.button("^Send 0:03 to 2 chats").click()
    expect(form.at.get_by_role("alert")).to_contain_text("not all")
    expect(form.recipient("Ada Lovelace", "delivered|read")).to_be_visible()
    assert not violations(notebook)


@pytest.mark.thorough
def test_axe_finds_no_barrier_in_the_live_question(notebook: Any, memo: Path) -> None:
    form = Form(notebook, first=LIVE)
    form.choose("Ada Lovelace").upload(memo)
    form.button("^Send 0:03").click()
    expect(form.button("No, send nothing")).to_be_focused()
    assert not violations(notebook)


@pytest.mark.thorough
def test_a_button_that_is_off_can_still_be_read(notebook: Any) -> None:
    form = Form(notebook)
    for theme in notebook.themes():
        assert form.button("^Send$").evaluate(CONTRAST) >= 4.5, theme


@pytest.mark.thorough
def test_form_fits_a_phone(notebook: Any, memo: Path) -> None:
    word = "w" * 80
    rename = f"outbox.demo._state.chats[ada].name = {word!r}\noutbox.demo.fail_next(400, 1005, message={word!r})\n"
    form = Form(notebook, first=FORM.replace("form = ", rename + "form = "))
    root = form.at.locator(".linq-nb-form")
    notebook.page.set_viewport_size({"width": 320, "height": 700})
    try:
        notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        form.choose(word, "Fay Fails Then Delivers").upload(memo.rename(memo.with_name(f"{word}.wav")))
        form.paste("y" * 60)
        expect(form.button("^Send 0:03 to 2 chats")).to_be_visible()
        assert root.evaluate(CLIPPED) == []
        assert root.evaluate(SPILLED) == []
        form.button("Remove Fay").click()
        form.button("Remove yyy").click()
        form.button("^Send 0:03 to w").click()
        expect(form.recipient(word, "rejected")).to_contain_text(word)
        assert root.evaluate(CLIPPED) == []
        assert root.evaluate(SPILLED) == []
    finally:
        notebook.page.set_viewport_size({"width": 1280, "height": 900})


CONTRAST = """button => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let opacity = 1, ground = [0, 0, 0, 0];
  for (let node = button; node; node = node.parentElement) {
    opacity *= Number(getComputedStyle(node).opacity);
    const color = parse(getComputedStyle(node).backgroundColor);
    if (!(ground[3] ?? 1) && (color[3] ?? 1)) ground = color;
  }
  const ink = parse(getComputedStyle(button).color), alpha = opacity * (ink[3] ?? 1);
  const seen = ink.slice(0, 3).map((c, i) => c * alpha + ground[i] * (1 - alpha));
  const [low, high] = [light(seen), light(ground)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""
