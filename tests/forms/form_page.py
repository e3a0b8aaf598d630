"""The page of a form: the actions of a person, and the texts on the page."""

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
from linq_nb.forms.chat_choice import Row, chat_row

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


def opened(outbox: linq_nb.Outbox, double_click_s: float = 0, *, follow: bool = False) -> SendForm:
    """Make a form as a page shows it: once it is drawn, the page says so. Tests click faster than people."""
    form = SendForm(outbox, double_click_s=double_click_s, follow=follow)
    say(form, {"kind": "ready"})
    return form


def upload(form: SendForm, data: bytes, name: str = "up.wav", part: int = 1_000_000) -> None:
    """Choose a file as the browser does: in parts."""
    about = {"kind": "upload", "name": name, "size": len(data)}
    say(form, {**about, "what": "begin"})
    for at in range(0, len(data), part):
        say(form, {**about, "what": "part"}, [memoryview(data[at : at + part])])
    say(form, {**about, "what": "end"})


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


def rows_of(form: SendForm) -> list[Row]:
    """Return the chats that the list offers."""
    return [chat_row(chat) for chat in form.choice.list.offered]


def choose(form: SendForm, *names: str) -> None:
    """Choose chats by their names, as clicks in the list do."""
    ids = {row["name"]: row["id"] for row in rows_of(form)}
    form.chosen = [ids[name] for name in names]


def give(form: SendForm, source: str) -> None:
    """Type a path, a URL or an attachment id."""
    say(form, {"kind": "source", "text": source})


def fill(form: SendForm, chat: str = ADA, source: str = "") -> None:
    choose(form, chat)
    if source:
        give(form, source)
    else:
        upload(form, tone())


def press(form: SendForm, name: str = "send", reason: str = "") -> None:
    """Press a button that is shown and on, and wait for the end of its work."""
    is_on = {"send": form.view["send"]["enabled"], "yes": bool(form.view["ask"]), "no": bool(form.view["ask"])}
    if is_on.get(name, True):
        say(form, {"kind": "press", "button": name, "reason": reason})
    form.wait()


def act(form: SendForm, whom: str, action: str, reason: str = "") -> None:
    """Press a button beside a recipient, and wait for the end of its work."""
    row = row_of(form, whom)
    assert action in {item["name"] for item in row["actions"]}, row
    say(form, {"kind": "act", "row": row["id"], "action": action, "reason": reason})
    form.wait()


def row_of(form: SendForm, whom: str) -> Any:
    """Return the row of a recipient in the list."""
    return next(row for row in form.outcomes.rows() if row["whom"].startswith(whom))


def result(form: SendForm) -> str:
    """Return the text of the list of recipients."""
    return "\n".join(f"{row['state']} {row['whom']}: {row['note']}" for row in form.outcomes.rows())


def progress(form: SendForm) -> str:
    """Return the head of the list of recipients: their number and progress."""
    return str(form.view["progress"])


def card(form: SendForm) -> str:
    return str(form.choice.card)


def status(form: SendForm) -> str:
    return str(form.status["words"])


def tone_of(form: SendForm) -> str:
    return str(form.status["tone"])


def label(form: SendForm) -> str:
    return str(form.view["send"]["label"])


def is_off(form: SendForm) -> bool:
    """Whether the button Send is off."""
    return not form.view["send"]["enabled"]
