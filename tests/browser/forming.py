"""The form in a page; its parts are found by roles and names, never by our classes."""

from __future__ import annotations

import math
import re
import struct
import wave
from pathlib import Path
from typing import Any

from browsing import STOP_SECONDS

FORM = """import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
ada, book_club = (outbox.demo.chat_ids[name] for name in ("Ada Lovelace", "Book Club"))
form = linq_nb.SendForm(outbox)
form"""

LIVE = FORM.replace(
    "form = ",
    "demo = outbox.demo\n"
    "outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, journal=':memory:', "
    "transport=demo.transport(), clock=demo.now, sleep=demo.sleep)\nform = ",
)
"""The form on a demo that counts as a live account."""

WENT = "queued|sent|delivered|read"
"""The states of a successful send, which the form follows by itself."""

CLIPPED = """box => [...box.querySelectorAll('*')].filter(node => {
  const at = node.getBoundingClientRect(), around = box.getBoundingClientRect();
  return at.width > 0 && (at.right > around.right + 1 || at.left < around.left - 1);
}).map(node => node.tagName + '.' + node.className)"""


class FormPage:
    """The form below ``at``, a locator."""

    def __init__(self, at: Any) -> None:
        self.at, self.page = at, at.page
        self.chat.wait_for()
        self.option("").first.wait_for()

    @property
    def chat(self) -> Any:
        return self.at.get_by_role("combobox", name="To", exact=True)

    @property
    def source(self) -> Any:
        return self.at.get_by_role("combobox", name="Audio", exact=True)

    @property
    def status(self) -> Any:
        """The line above the button, read out politely or as an alert."""
        return self.at.locator(".linq-nb-status")

    def option(self, name: str) -> Any:
        return self.at.get_by_role("listbox", name="Chats").get_by_role("option", name=re.compile(re.escape(name)))

    def recipient(self, name: str, state: str = "") -> Any:
        """The line of the list that follows the sends: a recipient in a state, which is a pattern."""
        lines = self.at.get_by_role("list", name="Recipients").get_by_role("listitem")
        return lines.filter(has_text=name).filter(has_text=re.compile(f"^({state})" if state else ""))

    def paste(self, *lines: str) -> FormPage:
        """Add a list of names and numbers."""
        self.button("^Paste a list$").click()
        self.at.get_by_role("textbox", name="Names or numbers").fill("\n".join(lines))
        self.button("^Add these$").click()
        return self

    def button(self, name: str) -> Any:
        return self.at.get_by_role("button", name=re.compile(name))

    def choose(self, *names: str) -> FormPage:
        """Choose chats by filtering for each and clicking it."""
        for name in names:
            self.chat.fill(name)
            self.option(name).first.click()
        return self

    def give(self, text: str) -> FormPage:
        """Type a path, a URL or an attachment id."""
        self.source.fill(text)
        self.source.press("Enter")
        return self

    def upload(self, file: Path) -> FormPage:
        with self.page.expect_file_chooser() as chooser:
            self.button("^Choose a file$").click()
        chooser.value.set_files(file)
        return self

    def open_recorder(self) -> Any:
        """Show the recorder of the form, whose countdown stands still until ``record``; returns its locator."""
        self.page.evaluate(STOP_SECONDS, True)
        self.button("^Record$").click()
        return self.at.get_by_role("region", name="Voice recorder")

    def record(self, recorder: Any, seconds: int = 1) -> None:
        """Record for at least this many seconds."""
        recorder.get_by_role("button", name="Start now").click()
        self.page.evaluate(STOP_SECONDS, False)
        await_seconds(recorder, seconds)
        recorder.get_by_role("button", name="Stop").click()


def await_seconds(recorder: Any, seconds: int = 1) -> None:
    """Wait until the timer of a recorder shows at least this many seconds, up to nine."""
    from playwright.sync_api import expect

    expect(recorder.get_by_role("timer")).to_have_text(re.compile(f"0:(0[{seconds}-9]|[1-5])"))


def tone(file: Path, seconds: float = 3, rate_hz: int = 16_000) -> Path:
    """Write a WAV of a tone."""
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        count = int(seconds * rate_hz)
        writer.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 6))) for i in range(count)))
    return file
