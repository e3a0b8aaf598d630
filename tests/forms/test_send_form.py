"""The form: what is chosen is shown, a press sends once, and every error is shown in the form."""

from __future__ import annotations

import io
import math
import struct
import threading
import wave
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets.widgets.widget import _instances as open_widgets
from shared import wait_for
from slow_linq import Door, press_ctrl_c, runs
from traitlets.config import Config

import linq_nb
from linq_nb import AudioError, NotFoundError, OutcomeUnknown, SendForm, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.widgets.output import WIDGET_VIEW

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


@pytest.fixture
def outbox() -> linq_nb.Outbox:
    return linq_nb.connect(demo=True, fresh=True)


@pytest.fixture
def demo(outbox: linq_nb.Outbox) -> Demo:
    world: Demo = outbox.demo
    return world


def opened(outbox: linq_nb.Outbox, double_click_s: float = 0) -> SendForm:
    """Make a form as a page shows it: once it is drawn, the page asks for the chats. Tests click faster than people."""
    form = SendForm(outbox, double_click_s=double_click_s)
    say(form.controls.picker, {"kind": "ready"})
    return form


@pytest.fixture
def form(outbox: linq_nb.Outbox) -> Iterator[SendForm]:
    form = opened(outbox)
    yield form
    form.close()


@pytest.fixture
def open_live(connect: Callable[..., linq_nb.Outbox], demo: Demo) -> Iterator[Callable[..., SendForm]]:
    """Open forms on a demo that they take for a real account: its host is not this machine."""
    forms: list[SendForm] = []

    def open_form(on_memo: Callable[[int], None] = lambda number: None) -> SendForm:
        forms.append(opened(connect(transport=Door(demo, path="/voicememo", on=on_memo))))
        return forms[-1]

    yield open_form
    for form in forms:
        form.close()


@pytest.fixture
def live(open_live: Callable[..., SendForm], demo: Demo) -> tuple[SendForm, Demo]:
    return open_live(), demo


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    file = tmp_path / "hello.wav"
    file.write_bytes(tone())
    return file


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


# --- choosing ---


def test_form_says_what_is_missing(form: SendForm) -> None:
    assert status(form) == "Choose a chat and audio."
    assert (label(form), form.controls.send.disabled) == ("Send", True)
    choose(form, ADA)
    assert status(form) == "Choose audio."
    choose(form)
    upload(form, tone())
    assert status(form) == "Choose a chat."
    assert "up.wav" in form.controls.card.value


def test_chats_are_listed_with_their_kind_and_health(form: SendForm) -> None:
    listed = {row["name"]: row for row in form.controls.picker.rows}
    assert len(listed) == 25
    assert (listed[ADA]["detail"], listed[ADA]["service"], listed[ADA]["health"]) == ("+1•••••0111", "iMessage", "")
    assert (listed[BOOK_CLUB]["detail"], listed[BOOK_CLUB]["service"]) == ("group of 4", "iMessage")
    assert (listed["Sam SMS"]["service"], listed["Rosa RCS"]["service"]) == ("SMS", "RCS")
    assert listed["Kim Opted Out"]["health"] == "OPTED_OUT"


def test_a_list_is_sent_to_a_page_that_asks_and_is_no_state(form: SendForm) -> None:
    sent = messages_of(form.controls.picker)
    say(form.controls.picker, {"kind": "ready"})
    chats = sent[-1]["chats"]
    assert len(chats) == 25
    assert "+12025550111" in chats[0]["handles"]
    assert "202555" not in repr(form.controls.picker.get_state())
    assert ADA not in repr(form.controls.picker.get_state())


@pytest.mark.parametrize("typed", ["grace hopper", "+12025550112", "id"])
def test_a_chat_that_the_list_does_not_show_is_found_by_what_is_typed(form: SendForm, demo: Demo, typed: str) -> None:
    wanted = demo.chat_ids["Grace Hopper"]
    say(form.controls.picker, {"kind": "find", "text": wanted if typed == "id" else typed})
    assert [chat.chat_name for chat in form.chats] == ["Grace Hopper"]
    assert form.controls.picker.chosen == [wanted]
    assert form.error is None


def test_a_name_of_no_chat_is_an_error_with_the_nearest_ones(form: SendForm) -> None:
    say(form.controls.picker, {"kind": "find", "text": "Ada Lovelac"})
    assert tone_of(form) == "error"
    assert "no chat is called 'Ada Lovelac'; nothing was sent; did you mean 'Ada Lovelace'" in status(form)


def test_id_of_no_chat_is_an_error_in_the_form(form: SendForm) -> None:
    say(form.controls.picker, {"kind": "find", "text": "00000000-0000-4000-8000-000000000000"})
    assert isinstance(form.error, NotFoundError)
    assert tone_of(form) == "error"
    assert form.controls.send.disabled


def test_card_and_button_say_what_will_happen(form: SendForm, hello: Path) -> None:
    fill(form, BOOK_CLUB, str(hello))
    assert label(form) == "Send 0:02 to Book Club · 4 people · iMessage"
    assert not form.controls.send.disabled
    assert "hello.wav" in form.controls.card.value
    assert "DEMO" in form.controls.card.value
    assert "never delivered or read" in form.controls.card.value
    form.controls.copy.value = 3
    assert label(form) == "Send 0:02 to Book Club · 4 people · iMessage as copy 3"


def test_several_chats_share_one_card_and_one_button(form: SendForm) -> None:
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB, "Sam SMS")
    assert label(form) == "Send 0:02 to 3 chats · 4 people · iMessage, SMS"
    assert form.controls.card.value.count("<audio") == 1
    assert form.controls.card.value.count("to send") == 3
    choose(form, ADA, "Kim Opted Out")
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    assert "the recipient opted out" in form.controls.card.value


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("https://example.com/a/b.m4a", "Send b.m4a to Ada Lovelace"),
        ("31882132-ee6f-4a05-84aa-2d0541f249f4", "Send attachment 31882132"),
    ],
)
def test_a_url_and_an_attachment_id_can_be_sent_too(form: SendForm, source: str, words: str) -> None:
    fill(form, ADA, source)
    assert label(form).startswith(words)
    assert form.error is None


def test_the_signature_of_a_url_does_not_stay_in_the_field(form: SendForm) -> None:
    fill(form, ADA, "https://files.example.com/a.m4a?X-Amz-Signature=abc123")
    assert form.memo is not None
    assert form.memo.url == "https://files.example.com/a.m4a?X-Amz-Signature=abc123"
    assert form.controls.source.value == "https://files.example.com/a.m4a?…"
    assert "abc123" not in "".join(repr(control.get_state()) for control in vars(form.controls).values())
    form.controls.source.value = "https://files.example.com/b.m4a?…"
    assert "paste the whole address" in status(form)


def test_a_handle_in_a_file_name_does_not_stay_in_the_field(form: SendForm, tmp_path: Path) -> None:
    file = tmp_path / "for +12025550111.wav"
    file.write_bytes(tone())
    fill(form, ADA, str(file))
    assert form.memo is not None
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    assert form.controls.source.value.endswith("for +1•••••0111.wav")
    assert "2025550111" not in "".join(repr(control.get_state()) for control in vars(form.controls).values())
    assert str(file) in form.as_code("python")


def test_quotes_around_a_path_are_dropped(form: SendForm, hello: Path) -> None:
    fill(form, ADA, f' "{hello}" ')
    assert form.memo == VoiceMemo.from_file(hello)


def test_audio_files_nearby_are_offered(outbox: linq_nb.Outbox, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("b.wav", "notes.txt", "deep/a.m4a", ".hidden/c.wav", "no \udcff text.wav", "for +12025550111.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(tone(0.2))
    monkeypatch.chdir(tmp_path)
    form = opened(outbox)
    assert form.controls.source.options == ("b.wav", "deep/a.m4a")
    form.controls.source.value = "deep"
    assert form.controls.source.options == ("deep/a.m4a",)
    assert "1 audio file there" in status(form)
    form.controls.source.value = ".hidden/"
    assert form.controls.source.options == (".hidden/c.wav",)
    (tmp_path / "empty").mkdir()
    form.controls.source.value = "empty"
    assert "there is no audio in the folder 'empty'" in status(form)
    form.close()


def test_the_last_choice_of_audio_counts(form: SendForm, hello: Path) -> None:
    fill(form, ADA, str(hello))
    upload(form, tone(3), "other.wav")
    assert form.memo is not None
    assert form.memo.filename == "other.wav"
    assert form.controls.source.value == ""
    form.controls.source.value = str(hello)
    assert form.memo.filename == "hello.wav"


def test_an_upload_in_parts_is_whole_and_does_not_stay_in_the_widget(form: SendForm) -> None:
    upload(form, tone(), part=10_000)
    assert form.memo is not None
    assert form.memo.data == tone()
    assert all(not isinstance(value, bytes | memoryview) for value in form.controls.upload.get_state().values())


def test_an_upload_that_lost_a_part_is_an_error(form: SendForm) -> None:
    choose(form, ADA)
    upload(form, tone())
    say(form.controls.upload, {"kind": "begin", "name": "x.wav", "size": 9})
    say(form.controls.upload, {"kind": "part"}, [memoryview(b"RIFF")])
    say(form.controls.upload, {"kind": "end", "name": "x.wav", "size": 9})
    assert "4 of 9 bytes of x.wav arrived" in status(form)
    assert form.memo is None
    assert form.controls.send.disabled


def test_a_file_too_large_for_any_upload_is_refused(form: SendForm) -> None:
    say(form.controls.upload, {"kind": "refused", "name": "film.wav", "size": 2**31})
    assert "film.wav is larger than 100 MiB" in status(form)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such.wav", "such.wav"),
        ("http://example.com/a.m4a", "https"),
        ("<img src=x onerror=alert(1)>.wav", "<img src=x"),
        ("\0", "nothing was sent"),
        ("~nobody-of-this-name/x", "nothing was sent"),
    ],
)
def test_a_text_that_is_no_source_is_an_error_in_the_form(form: SendForm, source: str, words: str) -> None:
    fill(form, ADA, source)
    assert words in status(form) + form.controls.card.value
    assert "<img src=x" not in form.controls.card.value
    assert form.controls.send.disabled


def test_wrong_file_is_an_error_and_the_next_one_clears_it(form: SendForm) -> None:
    choose(form, ADA)
    upload(form, b"OggS" + bytes(200), "talk.ogg")
    assert isinstance(form.error, AudioError)
    assert "this is Ogg" in status(form)
    assert form.memo is None
    upload(form, tone())
    assert form.error is None
    assert not form.controls.send.disabled


def test_convert_is_offered_for_what_linq_does_not_take(form: SendForm) -> None:
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
    assert not is_shown(form.controls.convert)
    form.controls.source.value = "no/such.ogg"
    assert not is_shown(form.controls.convert)
    upload(form, out.getvalue(), "talk.ogg")
    assert form.memo is None
    assert is_shown(form.controls.convert)
    form.controls.convert.value = True
    assert form.memo is not None
    assert form.memo.filename == "talk.m4a"


def test_a_recording_is_chosen_like_a_file(form: SendForm, demo: Demo) -> None:
    choose(form, ADA)
    assert form.controls.studio.children == ()
    form.controls.record.click()
    (recorder,) = form.controls.studio.children
    recorder.set_trait("memo", VoiceMemo.from_bytes(tone(), "recording.wav"))
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    form.controls.record.click()
    assert form.controls.studio.children == ()
    assert form.memo is not None


# --- sending ---


def test_press_sends_once_and_shows_the_result(form: SendForm, demo: Demo) -> None:
    fill(form)
    press(form)
    assert [send.status for send in form.sends] == ["queued"]
    assert "queued" in form.controls.result.value
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    assert (label(form), form.controls.send.disabled) == ("Already sent 0:02 to Ada Lovelace · iMessage", True)
    assert "Set Copy to 2 for another bubble" in status(form)
    assert "sent already" in form.controls.card.value
    assert "ready to send" not in form.controls.card.value
    assert is_shown(form.controls.copy)
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_copy_sends_another_bubble(form: SendForm, demo: Demo) -> None:
    fill(form)
    press(form)
    form.controls.copy.value = 2
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 2
    assert form.record().text.count("queued") == 2


def test_double_click_tries_once(outbox: linq_nb.Outbox, demo: Demo) -> None:
    form = opened(outbox, double_click_s=3600)
    fill(form)
    demo.fail_next(400, 1005)
    press(form)
    press(form)
    assert demo.bubbles() == {}
    assert form.sends[0].attempts == 1
    form.close()


def test_what_was_sent_elsewhere_is_not_sent_again(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    outbox.send(VoiceMemo.from_bytes(tone(), "up.wav"), outbox.find_chat(ADA))
    fill(form)
    assert label(form) == "Already sent 0:02 to Ada Lovelace · iMessage"
    assert form.controls.send.disabled
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_what_the_checks_refuse_cannot_be_pressed(form: SendForm, demo: Demo) -> None:
    fill(form, "Kim Opted Out")
    assert label(form) == "Cannot send 0:02 to Kim Opted Out · iMessage"
    assert form.controls.send.disabled
    assert "opted out" in form.controls.card.value
    press(form)
    assert demo.bubbles() == {}


def test_refusal_of_linq_is_shown_and_may_be_tried_again(form: SendForm, demo: Demo) -> None:
    fill(form)
    demo.fail_next(403, 2005)
    press(form)
    assert isinstance(form.error, linq_nb.PermissionDeniedError)
    assert "403/2005" in status(form) + form.controls.result.value
    assert form.sends[0].status == "rejected"
    assert not form.controls.send.disabled
    press(form)
    assert form.error is None
    assert form.sends[0].status == "queued"
    assert form.record().text.count("hello") + form.record().text.count("up.wav") == 1


def test_lost_answer_is_shown_as_unknown(form: SendForm, demo: Demo) -> None:
    fill(form, "Lou Lost Answer")
    press(form)
    assert isinstance(form.error, OutcomeUnknown)
    assert form.sends[0].status == "unknown"
    assert "unknown" in form.record().text
    assert label(form) == "Look for 0:02 in Lou Lost Answer · iMessage"
    assert demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1
    demo.advance(minutes=5)
    press(form)
    assert form.error is None
    assert form.sends[0].repeated
    assert demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1


def test_several_chats_get_one_bubble_each_and_failures_are_shown_per_chat(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, "Lou Lost Answer", BOOK_CLUB, "Dee Daily Cap", "Kim Opted Out")
    press(form)
    ends = {send.chat_name: send.status for send in form.sends}
    assert (ends[ADA], ends[BOOK_CLUB], ends["Lou Lost Answer"]) == ("queued", "queued", "unknown")
    assert tone_of(form) == "error"
    assert status(form).startswith("5 chats: 2 queued, 1 unknown")
    assert form.controls.result.value.count("</tr>") == 5
    assert "429" in form.controls.result.value
    assert form.record().text.count("up.wav") == 5
    before = demo.bubbles()
    assert set(before.values()) == {1}
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1


def test_several_chats_that_all_got_it_are_no_alert(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    press(form)
    assert status(form) == "2 chats: 2 queued. It is sent. Set Copy to 2 for another bubble."
    assert tone_of(form) == "quiet"
    assert label(form) == "Already sent 0:02 to 2 chats · 3 people · iMessage"
    choose(form, ADA, BOOK_CLUB, "Grace Hopper")
    assert label(form) == "Send 0:02 to Grace Hopper · iMessage"
    press(form)
    assert [demo.bubbles(demo.chat_ids[name]) for name in (ADA, BOOK_CLUB, "Grace Hopper")] == [1, 1, 1]


@pytest.fixture
def door() -> Iterator[threading.Event]:
    """Set, lets memos through to Linq; until then each waits."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def held(open_live: Callable[..., SendForm], door: threading.Event) -> SendForm:
    """A form whose memos wait at the door."""
    return open_live(lambda number: wait_for(door.is_set))


def start(form: SendForm) -> None:
    """Press send and yes, and do not wait."""
    form.controls.send.click()
    form.controls.yes.click()


def choose_nine(form: SendForm) -> None:
    choose(form, *[row["name"] for row in form.controls.picker.rows if row["service"] == "iMessage"][:9])


def test_a_batch_is_stopped_in_the_form(open_live: Callable[..., SendForm], demo: Demo, door: threading.Event) -> None:
    names = list(demo.add_chats(12))
    waiting: list[int] = []

    def hold(number: int) -> None:
        waiting.append(number)
        wait_for(door.is_set)

    form = open_live(hold)
    upload(form, tone())
    choose(form, *names)
    start(form)
    wait_for(lambda: len(waiting) == 4)
    assert label(form) == "Sending 1 of 12 …"
    assert (form.controls.send.disabled, form.controls.stop.disabled) == (True, False)
    assert is_shown(form.controls.stop)
    form.controls.stop.click()
    assert form.controls.stop.disabled
    assert "no further send starts" in status(form)
    door.set()
    form.wait()
    ends = [send.status for send in form.sends]
    assert (ends.count("queued"), ends.count("not_sent")) == (4, 8)  # four were under way
    assert sum(demo.bubbles().values()) == 4
    assert status(form).startswith("12 chats: 4 queued, 8 not_sent")
    assert not is_shown(form.controls.stop)
    assert label(form).startswith("Send 0:02 to 8 chats")
    start(form)
    form.wait()
    assert set(demo.bubbles().values()) == {1}
    assert sum(demo.bubbles().values()) == 12


def test_nothing_else_is_chosen_or_pressed_while_a_batch_goes_on(
    held: SendForm, demo: Demo, door: threading.Event
) -> None:
    upload(held, tone())
    choose(held, ADA, BOOK_CLUB)
    start(held)
    held.controls.send.click()
    for name in ("picker", "source", "upload", "record", "copy", "convert"):
        assert getattr(held.controls, name).disabled, name
    upload(held, tone(3), "late.wav")
    door.set()
    held.wait()
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1, demo.chat_ids[BOOK_CLUB]: 1}
    assert not held.controls.picker.disabled
    assert label(held) == "Send 0:03 to 2 chats · 3 people · iMessage"


def test_a_form_that_is_closed_starts_nothing_more(open_live: Callable[..., SendForm], demo: Demo) -> None:
    waiting: list[int] = []

    def hold(number: int) -> None:
        waiting.append(number)
        wait_for(lambda: stopped_by(form))

    form = open_live(hold)
    upload(form, tone())
    choose_nine(form)
    start(form)
    wait_for(lambda: waiting)
    form.close()
    assert 0 < sum(demo.bubbles().values()) < 9
    assert form.record().text.count("not_sent") > 0


def stopped_by(form: SendForm) -> str:
    batch = form.outbox.last_batch
    return batch.stopped_by if batch is not None else ""


def test_an_interrupt_of_the_wait_stops_the_batch(held: SendForm, demo: Demo, door: threading.Event) -> None:
    upload(held, tone())
    choose_nine(held)
    start(held)
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        wait_for(lambda: runs(main, "wait", "send_form.py"))
        press_ctrl_c()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        held.wait()
    assert stopped_by(held) == "interrupted"
    door.set()
    held.wait()
    assert sum(demo.bubbles().values()) < 9


def divide_by_zero(number: int) -> None:
    raise ZeroDivisionError("division by zero")


def test_a_fault_in_a_batch_is_shown(open_live: Callable[..., SendForm]) -> None:
    form = open_live(divide_by_zero)
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    start(form)
    form.wait()
    assert isinstance(form.error, ZeroDivisionError)
    assert "ZeroDivisionError" in status(form)
    assert not form.controls.send.disabled


def test_any_other_error_is_shown_too(open_live: Callable[..., SendForm]) -> None:
    form = open_live(divide_by_zero)
    fill(form)
    start(form)
    assert isinstance(form.error, ZeroDivisionError)
    assert "ZeroDivisionError: division by zero" in status(form)


def test_interrupt_is_shown_and_raised(open_live: Callable[..., SendForm]) -> None:
    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    form = open_live(interrupt)
    fill(form)
    with pytest.raises(KeyboardInterrupt):
        start(form)
    assert "stopped by KeyboardInterrupt" in status(form)
    assert not form.controls.send.disabled


def test_buttons_are_off_while_it_sends(open_live: Callable[..., SendForm]) -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def look(number: int) -> None:
        seen.append((form.controls.send.disabled, form.controls.yes.disabled, "Sending" in status(form)))

    form = open_live(look)
    fill(form)
    start(form)
    assert seen == [(True, True, True)]


def test_without_a_connection_the_form_says_so(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.fail_next(401, 2004, path="/chats", times=5)
    form = opened(outbox)
    assert isinstance(form.error, linq_nb.AuthenticationError)
    assert tone_of(form) == "error"


# --- a real account ---


def test_live_form_asks_once_more(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    assert "LIVE" in form.controls.heading.value
    press(form)
    assert world.bubbles() == {}
    assert form.controls.yes.description == "Yes, send 0:02 to Ada Lovelace · iMessage"
    assert "send up.wav (0:02) to Ada Lovelace" in status(form)
    assert "journal.sqlite" in status(form)
    assert form.controls.send.layout.display == "none"
    press(form, "yes")
    assert world.bubbles(world.chat_ids[ADA]) == 1
    assert form.controls.yes.layout.display == "none"


def test_no_sends_nothing(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    press(form)
    form.controls.no.click()
    press(form, "yes")
    assert world.bubbles() == {}
    assert "Nothing was sent." in status(form)
    assert not form.controls.send.disabled


def test_a_change_cancels_the_question(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    press(form)
    choose(form, BOOK_CLUB)
    press(form, "yes")
    assert world.bubbles() == {}
    assert label(form) == "Send 0:02 to Book Club · 4 people · iMessage"


def test_live_form_asks_once_for_several_chats(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    assert "LIVE" in form.controls.card.value
    assert "from +1•••••0100" in form.controls.card.value
    press(form)
    assert world.bubbles() == {}
    assert "to Ada Lovelace · +1•••••0111 · iMessage and Book Club" in status(form)
    press(form, "yes")
    assert set(world.bubbles().values()) == {1}


@pytest.mark.parametrize(("ask", "questions"), [("each", 2), ("once", 1), ("never", 0)])
def test_setting_says_how_often_it_asks(
    live: tuple[SendForm, Demo], monkeypatch: pytest.MonkeyPatch, ask: str, questions: int
) -> None:
    config = Config()
    config.HistoryManager.enabled = False
    config.LinqMagics.ask = ask
    shell = InteractiveShell(config=config)
    linq_nb.load_ipython_extension(shell)
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    form, world = live
    fill(form)
    asked = 0
    for copy in (1, 2):
        form.controls.copy.value = copy
        press(form)
        asked += form.controls.yes.layout.display == ""
        press(form, "yes")
    assert asked == questions
    assert world.bubbles(world.chat_ids[ADA]) == 2


# --- display ---


def test_repr_is_stable_and_names_what_was_sent(form: SendForm, outbox: linq_nb.Outbox) -> None:
    assert repr(form) == "SendForm(DEMO, nothing sent yet)" == repr(SendForm(outbox))
    fill(form)
    press(form)
    assert repr(form).startswith("SendForm(DEMO, Send queued · up.wav · 0:02")
    assert "+12025550111" not in repr(form)


def test_record_says_the_same_as_html_and_text(form: SendForm) -> None:
    assert "Nothing was sent" in form.record().text
    assert "Nothing was sent" in form.record().html
    fill(form)
    press(form)
    assert "up.wav · 0:02 · WAV · to Ada Lovelace" in form.record().text
    assert "up.wav · 0:02 · WAV · to Ada Lovelace" in form.record().html


def test_display_is_the_widget_and_a_static_record(
    form: SendForm, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    model_id = form.widget.model_id
    with capture_output() as captured:
        form._ipython_display_()
        fill(form)
        press(form)
        form.close()
    widget, record, kept, closed = captured.outputs
    assert widget.data["text/plain"] == "SendForm(DEMO, nothing sent yet)"
    assert "text/html" not in widget.data
    assert widget.data[WIDGET_VIEW]["model_id"] == model_id
    assert record.data["text/plain"].startswith("Nothing was sent from this form yet.")
    assert (kept.update, kept.transient) == (True, record.transient)
    assert "queued" in kept.data["text/html"]
    assert (closed.update, closed.transient) == (True, widget.transient)
    assert "closed" in closed.data["text/plain"]


def test_second_form_in_the_same_cell_sends_once_too(form: SendForm, outbox: linq_nb.Outbox, demo: Demo) -> None:
    again = opened(outbox)
    fill(again)
    again.controls.send.click()
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    again.close()


def test_no_sound_is_in_the_state_of_any_widget(form: SendForm) -> None:
    """A widget's state is saved with the notebook; the card, which plays the memo, goes to the page by message."""
    sent = messages_of(form.controls.card)
    fill(form)
    say(form.controls.card, {"kind": "ready"})
    assert ["data:audio/" in message["html"] for message in sent[-2:]] == [True, True]
    states = "".join(repr(control.get_state()) for control in vars(form.controls).values())
    assert "data:audio" not in states
    assert "data:audio" not in form.record().html


def test_close_closes_its_widgets_only(form: SendForm) -> None:
    other = widgets.Text()
    second = SendForm(form.outbox)
    mine = [control.model_id for control in vars(second.controls).values()]
    second.close()
    assert not set(mine) & set(open_widgets)
    assert other.model_id in open_widgets
    assert form.widget.model_id in open_widgets
    other.close()


def test_every_control_has_a_label_and_none_hides_a_password(form: SendForm) -> None:
    for control in vars(form.controls).values():
        assert not isinstance(control, widgets.Password)
        assert not hasattr(control, "description") or isinstance(control, widgets.HTML) or control.description


def test_form_reads_the_chats_of_each_line_once(outbox: linq_nb.Outbox, demo: Demo) -> None:
    before = len(demo.requests)
    form = opened(outbox)
    assert len(demo.requests) - before == len(demo.lines)
    say(form.controls.picker, {"kind": "ready"})  # a second page, or the same one reloaded
    assert len(demo.requests) - before == len(demo.lines)
    form.close()


def test_a_form_is_made_without_asking_linq_and_chooses_by_id_all_the_same(outbox: linq_nb.Outbox, demo: Demo) -> None:
    before = len(demo.requests)
    form = SendForm(outbox)
    assert len(demo.requests) == before
    form.controls.picker.chosen = [demo.chat_ids[ADA]]
    assert [chat.chat_name for chat in form.chats] == [ADA]
    form.close()


def test_many_chats_are_all_listed(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.add_chats(200)
    form = opened(outbox)
    assert len(form.controls.picker.rows) == 225
    choose(form, "Customer 007")
    assert form.chats[0].chat_name == "Customer 007"
    form.close()
