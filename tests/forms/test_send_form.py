"""The form: what is chosen is shown, a press sends once, and every error is told in the form."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances as open_widgets
from traitlets.config import Config

import linq_nb
from linq_nb import AudioError, NotFoundError, OutcomeUnknown, SendForm, VoiceMemo, forms
from linq_nb.demo import Demo

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


@pytest.fixture(autouse=True)
def nothing_is_pressed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests press faster than people; the tests of double clicks set this back."""
    monkeypatch.setattr(forms, "SETTLE_S", 0.0)


@pytest.fixture
def outbox() -> linq_nb.Outbox:
    return linq_nb.connect(demo=True, fresh=True)


@pytest.fixture
def demo(outbox: linq_nb.Outbox) -> Demo:
    world: Demo = outbox.demo
    return world


@pytest.fixture
def form(outbox: linq_nb.Outbox) -> Iterator[SendForm]:
    made = SendForm(outbox)
    yield made
    made.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[SendForm, Demo]]:
    """A form on a demo that it takes for a real account: its host is not this machine."""
    world = Demo()
    with linq_nb.connect(
        api_key=world.api_key,
        base_url=world.base_url,
        transport=world.transport(),
        journal=str(tmp_path / "journal.sqlite"),
        clock=world.now,
        sleep=world.sleep,
    ) as outbox:
        made = SendForm(outbox)
        yield made, world
        made.close()


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    file = tmp_path / "hello.wav"
    file.write_bytes(tone())
    return file


def upload(form: SendForm, data: bytes, name: str = "up.wav") -> None:
    """Choose a file as the browser does."""
    form.controls.upload.value = (
        {"name": name, "type": "audio/wav", "size": len(data), "last_modified": NOON, "content": memoryview(data)},
    )


def fill(form: SendForm, chat: str = ADA, source: str = "") -> None:
    form.controls.chat.value = chat
    if source:
        form.controls.source.value = source
    else:
        upload(form, tone())


def status(form: SendForm) -> str:
    return str(form.controls.status.value)


# --- choosing ---


def test_form_says_what_is_missing(form: SendForm) -> None:
    assert "Choose a chat and audio." in status(form)
    assert (form.controls.send.description, form.controls.send.disabled) == ("Send", True)
    form.controls.chat.value = ADA
    assert "Choose audio." in status(form)
    form.controls.chat.value = ""
    upload(form, tone())
    assert "Choose a chat." in status(form)
    assert "up.wav" in form.controls.card.value


def test_chats_are_listed_with_their_kind_and_health(form: SendForm) -> None:
    listed = form.controls.chat.options
    assert len(listed) == 25
    assert listed[0] == "Ada Lovelace · +1•••••0111 · iMessage"
    assert "Book Club · group of 4 · iMessage" in listed
    assert "Kim Opted Out · +1•••••0117 · iMessage · OPTED_OUT" in listed


def test_chats_that_look_alike_are_told_apart(outbox: linq_nb.Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    chats = outbox.chats()
    monkeypatch.setattr(type(outbox), "chats", lambda self: [chats[0], chats[0]])
    form = SendForm(outbox)
    assert form.controls.chat.options[1].endswith(chats[0].chat_id)


@pytest.mark.parametrize("how", ["label", "name", "handle", "id"])
def test_chat_may_be_chosen_or_typed(form: SendForm, demo: Demo, how: str) -> None:
    typed = {
        "label": form.controls.chat.options[1], "name": "grace hopper", "handle": "+12025550112",
        "id": demo.chat_ids["Grace Hopper"],
    }[how]  # fmt: skip
    form.controls.chat.value = typed
    assert form.chat is not None
    assert form.chat.chat_name == "Grace Hopper"
    assert form.error is None


def test_typing_on_says_how_many_fit(form: SendForm) -> None:
    form.controls.chat.value = "kim"
    assert "2 chats fit" in status(form)
    assert form.error is None
    form.controls.chat.value = "kimono"
    assert "no chats fit" in status(form)


def test_id_of_no_chat_is_an_error_in_the_form(form: SendForm) -> None:
    form.controls.chat.value = "00000000-0000-4000-8000-000000000000"
    assert isinstance(form.error, NotFoundError)
    assert 'role="alert"' in status(form)
    assert form.controls.send.disabled


def test_card_and_button_say_what_will_happen(form: SendForm, hello: Path) -> None:
    fill(form, BOOK_CLUB, str(hello))
    assert form.controls.send.description == "Send 0:02 to Book Club"
    assert not form.controls.send.disabled
    assert "hello.wav" in form.controls.card.value
    assert "DEMO" in form.controls.card.value
    assert "never delivered or read" in form.controls.card.value
    form.controls.copy.value = 3
    assert form.controls.send.description == "Send 0:02 to Book Club as copy 3"


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("https://example.com/a/b.m4a", "Send b.m4a to Ada Lovelace"),
        ("31882132-ee6f-4a05-84aa-2d0541f249f4", "Send attachment 31882132"),
    ],
)
def test_url_and_attachment_id_are_taken_too(form: SendForm, source: str, label: str) -> None:
    fill(form, ADA, source)
    assert form.controls.send.description.startswith(label)
    assert form.error is None


def test_quotes_around_a_path_are_dropped(form: SendForm, hello: Path) -> None:
    fill(form, ADA, f' "{hello}" ')
    assert form.memo == VoiceMemo.from_file(hello)


def test_what_is_chosen_last_counts(form: SendForm, hello: Path) -> None:
    fill(form, ADA, str(hello))
    upload(form, tone(3), "other.wav")
    assert form.memo is not None
    assert form.memo.filename == "other.wav"
    assert form.controls.source.value == ""
    form.controls.source.value = str(hello)
    assert form.memo.filename == "hello.wav"
    assert form.controls.upload.value == ()


def test_uploaded_bytes_do_not_stay_in_the_widget(form: SendForm) -> None:
    upload(form, tone())
    (kept,) = form.controls.upload.get_state()["value"]
    assert (kept["name"], bytes(kept["content"])) == ("up.wav", b"")
    assert form.memo is not None
    assert form.memo.data == tone()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such.wav", "such.wav"),
        ("http://example.com/a.m4a", "https"),
        ("<img src=x onerror=alert(1)>.wav", "&lt;img"),
    ],
)
def test_source_that_is_none_is_an_error_in_the_form(form: SendForm, source: str, words: str) -> None:
    fill(form, ADA, source)
    assert words in status(form) + form.controls.card.value
    assert "<img src=x" not in status(form)
    assert form.controls.send.disabled


def test_wrong_file_is_an_error_and_the_next_one_clears_it(form: SendForm) -> None:
    form.controls.chat.value = ADA
    upload(form, b"OggS" + bytes(200), "talk.ogg")
    assert isinstance(form.error, AudioError)
    assert "this is Ogg" in status(form)
    assert form.memo is None
    upload(form, tone())
    assert form.error is None
    assert not form.controls.send.disabled


def test_convert_makes_an_m4a_of_what_linq_does_not_take(form: SendForm) -> None:
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", "ogg") as writer:
        stream = writer.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=48_000)
        frame.sample_rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(96_000))
        for packet in (*stream.encode(frame), *stream.encode(None)):
            writer.mux(packet)
    upload(form, out.getvalue(), "talk.ogg")
    assert form.memo is None
    form.controls.convert.value = True
    assert form.memo is not None
    assert form.memo.filename == "talk.m4a"


# --- sending ---


def test_press_sends_once_and_shows_the_result(form: SendForm, demo: Demo) -> None:
    fill(form)
    form.controls.send.click()
    assert form.send is not None
    assert form.send.status == "queued"
    assert "queued" in form.controls.result.value
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    assert (form.controls.send.description, form.controls.send.disabled) == ("Already sent to Ada Lovelace", True)
    assert "Set Copy to 2 for another bubble" in status(form)
    form.controls.send.click()
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_copy_sends_another_bubble(form: SendForm, demo: Demo) -> None:
    fill(form)
    form.controls.send.click()
    form.controls.copy.value = 2
    form.controls.send.click()
    assert demo.bubbles(demo.chat_ids[ADA]) == 2
    assert form.record().text.count("queued") == 2


def test_double_click_tries_once(form: SendForm, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "SETTLE_S", 5.0)
    fill(form)
    demo.fail_next(400, 1005)
    form.controls.send.click()
    form.controls.send.click()
    assert demo.bubbles() == {}
    assert form.send is not None
    assert form.send.attempts == 1


def test_what_was_sent_elsewhere_is_not_sent_again(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    outbox.send(VoiceMemo.from_bytes(tone(), "up.wav"), outbox.find_chat(ADA))
    fill(form)
    assert form.controls.send.description == "Already sent to Ada Lovelace"
    assert form.controls.send.disabled
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_what_the_checks_refuse_cannot_be_pressed(form: SendForm, demo: Demo) -> None:
    fill(form, "Kim Opted Out")
    assert form.controls.send.description == "Cannot be sent to Kim Opted Out"
    assert form.controls.send.disabled
    assert "opted out" in form.controls.card.value
    form.controls.send.click()
    assert demo.bubbles() == {}


def test_refusal_of_linq_is_shown_and_may_be_tried_again(form: SendForm, demo: Demo) -> None:
    fill(form)
    demo.fail_next(403, 2005)
    form.controls.send.click()
    assert isinstance(form.error, linq_nb.PermissionDeniedError)
    assert "403/2005" in status(form) + form.controls.result.value
    assert form.send is not None
    assert form.send.status == "rejected"
    assert not form.controls.send.disabled
    form.controls.send.click()
    assert form.error is None
    assert form.send.status == "queued"
    assert form.record().text.count("hello") + form.record().text.count("up.wav") == 1


def test_lost_answer_is_shown_as_unknown(form: SendForm, demo: Demo) -> None:
    fill(form, "Lou Lost Answer")
    form.controls.send.click()
    assert isinstance(form.error, OutcomeUnknown)
    assert form.send is not None
    assert form.send.status == "unknown"
    assert "unknown" in form.record().text


def test_any_other_error_is_shown_too(form: SendForm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(form.outbox), "send_draft", lambda *args: 1 / 0)
    fill(form)
    form.controls.send.click()
    assert isinstance(form.error, ZeroDivisionError)
    assert "ZeroDivisionError: division by zero" in status(form)


def test_interrupt_is_shown_and_raised(form: SendForm, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(form.outbox), "send_draft", interrupted)
    fill(form)
    with pytest.raises(KeyboardInterrupt):
        form.controls.send.click()
    assert "stopped by KeyboardInterrupt" in status(form)
    assert not form.controls.send.disabled


def test_buttons_are_off_while_it_sends(form: SendForm, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    send_draft = type(form.outbox).send_draft

    def watched(outbox: Any, draft: Any) -> Any:
        seen.append((form.controls.send.disabled, "Sending" in status(form)))
        return send_draft(outbox, draft)

    monkeypatch.setattr(type(form.outbox), "send_draft", watched)
    fill(form)
    form.controls.send.click()
    assert seen == [(True, True)]


def test_without_a_connection_the_form_says_so(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.fail_next(401, 2004, path="/chats", times=5)
    form = SendForm(outbox)
    assert isinstance(form.error, linq_nb.AuthenticationError)
    assert 'role="alert"' in status(form)


# --- a real account ---


def test_live_form_asks_once_more(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    assert "LIVE" in form.controls.heading.value
    form.controls.send.click()
    assert world.bubbles() == {}
    assert form.controls.yes.description == "Yes, send 0:02 to Ada Lovelace"
    assert "send up.wav (0:02) to Ada Lovelace" in status(form)
    assert "journal.sqlite" in status(form)
    assert form.controls.send.layout.display == "none"
    form.controls.yes.click()
    assert world.bubbles(world.chat_ids[ADA]) == 1
    assert form.controls.yes.layout.display == "none"


def test_no_sends_nothing(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    form.controls.send.click()
    form.controls.no.click()
    form.controls.yes.click()
    assert world.bubbles() == {}
    assert "Nothing was sent." in status(form)
    assert not form.controls.send.disabled


def test_changing_something_takes_the_question_back(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    form.controls.send.click()
    form.controls.chat.value = BOOK_CLUB
    form.controls.yes.click()
    assert world.bubbles() == {}
    assert form.controls.send.description == "Send 0:02 to Book Club"


@pytest.mark.parametrize(("ask", "questions"), [("each", 2), ("once", 1), ("never", 0)])
def test_setting_says_how_often_it_asks(
    live: tuple[SendForm, Demo], monkeypatch: pytest.MonkeyPatch, ask: str, questions: int
) -> None:
    config = Config()
    config.HistoryManager.enabled = False
    config.LinqMagics.ask = ask
    shell = InteractiveShell(config=config)
    linq_nb.load_ipython_extension(shell)
    monkeypatch.setattr(forms, "get_ipython", lambda: shell)
    monkeypatch.setattr(forms, "_show", lambda *args, **more: None)
    form, world = live
    fill(form)
    asked = 0
    for copy in (1, 2):
        form.controls.copy.value = copy
        form.controls.send.click()
        asked += form.controls.yes.layout.display == ""
        form.controls.yes.click()
    assert asked == questions
    assert world.bubbles(world.chat_ids[ADA]) == 2


# --- display ---


def test_repr_is_stable_and_tells_what_was_sent(form: SendForm, outbox: linq_nb.Outbox) -> None:
    assert repr(form) == "SendForm(DEMO, nothing sent yet)" == repr(SendForm(outbox))
    fill(form)
    form.controls.send.click()
    assert repr(form).startswith("SendForm(DEMO, Send queued · up.wav · 0:02")
    assert "+12025550111" not in repr(form)


def test_record_says_the_same_as_html_and_text(form: SendForm) -> None:
    assert "Nothing was sent" in form.record().text
    assert "Nothing was sent" in form.record().html
    fill(form)
    form.controls.send.click()
    assert "up.wav · 0:02 · WAV · to Ada Lovelace" in form.record().text
    assert "up.wav · 0:02 · WAV · to Ada Lovelace" in form.record().html


def test_display_is_the_widget_and_a_static_record(form: SendForm, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[dict[str, Any], str, bool]] = []
    monkeypatch.setattr(forms, "_show", lambda bundle, name, update=False: shown.append((bundle, name, update)))
    form._ipython_display_()
    (control, first, _), (record, second, _) = shown
    assert control["text/plain"] == repr(form)
    assert "text/html" not in control
    assert control[forms.WIDGET_VIEW]["model_id"] == form.widget.model_id
    assert record["text/plain"] == "Nothing was sent from this form yet."
    fill(form)
    form.controls.send.click()
    assert shown[2][1:] == (second, True)
    assert "queued" in shown[2][0]["text/html"]
    form.close()
    assert shown[3][1:] == (first, True)
    assert "closed" in shown[3][0]["text/plain"]


def test_second_form_in_the_same_cell_sends_once_too(form: SendForm, outbox: linq_nb.Outbox, demo: Demo) -> None:
    again = SendForm(outbox)
    fill(again)
    again.controls.send.click()
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    again.close()


def test_close_closes_its_widgets_only(form: SendForm) -> None:
    other = widgets.Text()
    made = SendForm(form.outbox)
    mine = [one.model_id for one in vars(made.controls).values()]
    made.close()
    assert not set(mine) & set(open_widgets)
    assert other.model_id in open_widgets
    assert form.widget.model_id in open_widgets
    other.close()


def test_every_control_has_a_label_and_none_hides_a_password(form: SendForm) -> None:
    for one in vars(form.controls).values():
        assert not isinstance(one, widgets.Password)
        assert isinstance(one, widgets.HTML) or one.description


def test_form_reads_the_chats_of_each_line_once(outbox: linq_nb.Outbox, demo: Demo) -> None:
    before = len(demo.requests)
    SendForm(outbox)
    assert len(demo.requests) - before == len(demo.lines)


def test_many_chats_are_all_listed(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.add_chats(200)
    form = SendForm(outbox)
    assert len(form.controls.chat.options) == 225
    form.controls.chat.value = "Customer 007"
    assert form.chat is not None
    assert form.chat.chat_name == "Customer 007"
