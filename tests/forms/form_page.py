"""A page before a form: what its person does in it, and what they see."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import linq_nb
from linq_nb import SendForm

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA, BOOK_CLUB = "Ada Lovelace", "Book Club"


def tone(seconds: float = 2, rate_hz: int = 16_000) -> bytes:
    """Make a WAV of a tone."""
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        writer.writeframes(
            b"".join(struct.pack("<h", int(9000 * math.sin(i / 6))) for i in range(int(seconds * rate_hz)))
        )
    return out.getvalue()


def opened(outbox: linq_nb.Outbox, double_click_s: float = 0) -> SendForm:
    """Make a form as a page shows it: once it is drawn, the page asks for the chats. Tests click faster than people."""
    form = SendForm(outbox, double_click_s=double_click_s)
    say(form.controls.picker, {"kind": "ready"})
    return form


def upload(form: SendForm, data: bytes, name: str = "up.wav", part: int = 1_000_000) -> None:
    """Choose a file as the browser does: in parts."""
    about = {"name": name, "size": len(data)}
    say(form.controls.upload, {"kind": "begin", **about})
    for at in range(0, len(data), part):
        say(form.controls.upload, {"kind": "part"}, [memoryview(data[at : at + part])])
    say(form.controls.upload, {"kind": "end", **about})


def say(widget: Any, content: dict[str, Any], buffers: Sequence[memoryview] = ()) -> None:
    """Bring a message from the page to a widget, as its comm does."""
    widget._handle_custom_msg(content, buffers)


def messages_of(widget: Any) -> list[dict[str, Any]]:
    """Return a list that fills with the messages of a widget to its page."""
    messages: list[dict[str, Any]] = []

    def receive(msg_type: str, **message: Any) -> None:
        data = message.get("data") or {}
        if data.get("method") == "custom":
            messages.append(data["content"])

    widget.comm.publish_msg = receive
    return messages


def choose(form: SendForm, *names: str) -> None:
    """Choose chats by their names, as clicks in the list do."""
    ids = {row["name"]: row["id"] for row in form.controls.picker.rows}
    form.controls.picker.chosen = [ids[name] for name in names]


def fill(form: SendForm, chat: str = ADA, source: str = "") -> None:
    choose(form, chat)
    if source:
        form.controls.source.value = source
    else:
        upload(form, tone())


def press(form: SendForm, name: str = "send") -> None:
    """Press a button and wait for what it started."""
    getattr(form.controls, name).click()
    form.wait()


def status(form: SendForm) -> str:
    return str(form.controls.status.words)


def tone_of(form: SendForm) -> str:
    return str(form.controls.status.tone)


def label(form: SendForm) -> str:
    return str(form.controls.send.description)


def is_shown(control: Any) -> bool:
    return bool(control.layout.display != "none")
