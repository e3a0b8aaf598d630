"""The form shows each choice and every error, and never a secret."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from form_page import (
    ADA,
    BOOK_CLUB,
    card,
    choose,
    fill,
    give,
    is_off,
    label,
    messages_of,
    opened,
    press,
    rows_of,
    say,
    status,
    tone,
    tone_of,
    upload,
)
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets.widgets.widget import _instances as open_widgets

import linq_nb
from linq_nb import AudioError, NotFoundError, SendForm, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.widgets.output import WIDGET_VIEW

# --- choosing ---


def test_form_says_what_is_missing(form: SendForm) -> None:
    assert status(form) == "Choose a chat and audio."
    assert (label(form), is_off(form)) == ("Send", True)
    choose(form, ADA)
    assert status(form) == "Choose audio."
    choose(form)
    upload(form, tone())
    assert status(form) == "Choose a chat."
    assert "up.wav" in card(form)


def test_chats_are_listed_with_their_kind_and_health(form: SendForm) -> None:
    listed = {row["name"]: row for row in rows_of(form)}
    assert len(listed) == 25
    assert (listed[ADA]["detail"], listed[ADA]["service"], listed[ADA]["health"]) == ("+1•••••0111", "iMessage", "")
    assert (listed[BOOK_CLUB]["detail"], listed[BOOK_CLUB]["service"]) == ("3 people", "iMessage")
    assert (listed["Sam SMS"]["service"], listed["Rosa RCS"]["service"]) == ("SMS", "RCS")
    assert listed["Kim Opted Out"]["health"] == "OPTED_OUT"


def test_a_list_is_sent_to_a_page_on_request_and_is_not_in_the_state(form: SendForm) -> None:
    sent = messages_of(form)
    say(form, {"kind": "ready"})
    (chats,) = [message["chats"] for message in sent if message["kind"] == "chats"]
    assert len(chats) == 25
    assert "+12025550111" in chats[0]["handles"]
    assert "202555" not in repr(form.get_state())
    assert ADA not in repr(form.get_state())


@pytest.mark.parametrize("typed", ["grace hopper", "+12025550112", "id"])
def test_a_chat_that_the_list_does_not_show_is_found_by_the_typed_text(form: SendForm, demo: Demo, typed: str) -> None:
    wanted = demo.chat_ids["Grace Hopper"]
    say(form, {"kind": "find", "text": wanted if typed == "id" else typed})
    assert [chat.chat_name for chat in form.chats] == ["Grace Hopper"]
    assert form.chosen == [wanted]
    assert form.error is None


def test_a_name_of_no_chat_is_an_error_with_the_nearest_names(form: SendForm) -> None:
    say(form, {"kind": "find", "text": "Ada Lovelac"})
    assert tone_of(form) == "error"
    assert "no chat is called 'Ada Lovelac'; nothing was sent; did you mean 'Ada Lovelace'" in status(form)


def test_id_of_no_chat_is_an_error_in_the_form(form: SendForm) -> None:
    say(form, {"kind": "find", "text": "00000000-0000-4000-8000-000000000000"})
    assert isinstance(form.error, NotFoundError)
    assert tone_of(form) == "error"
    assert is_off(form)


def test_card_and_button_describe_the_send(form: SendForm, hello: Path) -> None:
    fill(form, BOOK_CLUB, str(hello))
    assert label(form) == "Send 0:02 to Book Club · 3 people · iMessage"
    assert not is_off(form)
    assert "hello.wav" in card(form)
    assert "DEMO" in card(form)
    assert "never delivered or read" in card(form)
    form.copy = 3
    assert label(form) == "Send 0:02 to Book Club · 3 people · iMessage as copy 3"


def test_several_chats_share_one_card_and_one_button(form: SendForm) -> None:
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB, "Sam SMS")
    assert label(form) == "Send 0:02 to 3 chats · 4 people · iMessage, SMS"
    assert card(form).count("<audio") == 1
    assert card(form).count("to send") == 3
    choose(form, ADA, "Kim Opted Out")
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    assert "the recipient opted out" in card(form)


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
    assert form.view["source"] == "https://files.example.com/a.m4a?…"
    assert "abc123" not in repr(form.get_state())
    give(form, "https://files.example.com/b.m4a?…")
    assert "paste the whole address" in status(form)


def test_a_handle_in_a_file_name_does_not_stay_in_the_field(form: SendForm, tmp_path: Path) -> None:
    file = tmp_path / "for +12025550111.wav"
    file.write_bytes(tone())
    fill(form, ADA, str(file))
    assert form.memo is not None
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    assert form.view["source"].endswith("for +1•••••0111.wav")
    assert "2025550111" not in repr(form.get_state())
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
    assert form.view["files"] == ["b.wav", "deep/a.m4a"]
    give(form, "deep")
    assert form.view["files"] == ["deep/a.m4a"]
    assert "1 audio file there" in status(form)
    give(form, ".hidden/")
    assert form.view["files"] == [".hidden/c.wav"]
    (tmp_path / "empty").mkdir()
    give(form, "empty")
    assert "there is no audio in the folder 'empty'" in status(form)
    form.close()


def test_the_last_choice_of_audio_counts(form: SendForm, hello: Path) -> None:
    fill(form, ADA, str(hello))
    upload(form, tone(3), "other.wav")
    assert form.memo is not None
    assert form.memo.filename == "other.wav"
    assert form.view["source"] == ""
    give(form, str(hello))
    assert form.memo.filename == "hello.wav"


def test_an_upload_in_parts_is_whole_and_does_not_stay_in_the_widget(form: SendForm) -> None:
    upload(form, tone(), part=10_000)
    assert form.memo is not None
    assert form.memo.data == tone()
    assert all(not isinstance(value, bytes | memoryview) for value in form.get_state().values())


def test_an_upload_that_lost_a_part_is_an_error(form: SendForm) -> None:
    choose(form, ADA)
    upload(form, tone())
    say(form, {"kind": "upload", "what": "begin", "name": "x.wav", "size": 9})
    say(form, {"kind": "upload", "what": "part"}, [memoryview(b"RIFF")])
    say(form, {"kind": "upload", "what": "end", "name": "x.wav", "size": 9})
    assert "4 of 9 bytes of x.wav arrived" in status(form)
    assert form.memo is None
    assert is_off(form)


def test_a_file_too_large_for_any_upload_is_refused(form: SendForm) -> None:
    say(form, {"kind": "upload", "what": "refused", "name": "film.wav", "size": 2**31})
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
    assert words in status(form) + card(form)
    assert "<img src=x" not in card(form)
    assert is_off(form)


def test_a_wrong_file_is_an_error_that_the_next_file_clears(form: SendForm) -> None:
    choose(form, ADA)
    upload(form, b"OggS" + bytes(200), "talk.ogg")
    assert isinstance(form.error, AudioError)
    assert "this is Ogg" in status(form)
    assert form.memo is None
    upload(form, tone())
    assert form.error is None
    assert not is_off(form)


def test_convert_is_offered_for_files_that_linq_refuses(form: SendForm) -> None:
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
    assert not form.view["may_convert"]
    give(form, "no/such.ogg")
    assert not form.view["may_convert"]
    upload(form, out.getvalue(), "talk.ogg")
    assert form.memo is None
    assert form.view["may_convert"]
    form.convert = True
    assert form.memo is not None
    assert form.memo.filename == "talk.m4a"


def test_a_recording_is_chosen_like_a_file(form: SendForm, demo: Demo) -> None:
    choose(form, ADA)
    assert form.recorder is None
    say(form, {"kind": "press", "button": "record"})
    recorder = form.recorder
    recorder.set_trait("memo", VoiceMemo.from_bytes(tone(), "recording.wav"))
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    say(form, {"kind": "press", "button": "record"})
    assert form.recorder is None
    assert form.memo is not None


# --- display ---


def test_repr_is_stable_and_names_the_sends(form: SendForm, outbox: linq_nb.Outbox) -> None:
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
    model_id = form.model_id
    with capture_output() as captured:
        form._ipython_display_()
        fill(form)
        press(form)
        form.close()
    widget, record, state, closed = captured.outputs
    assert widget.data["text/plain"] == "SendForm(DEMO, nothing sent yet)"
    assert "text/html" not in widget.data
    assert widget.data[WIDGET_VIEW]["model_id"] == model_id
    assert record.data["text/plain"].startswith("Nothing was sent from this form yet.")
    assert (state.update, state.transient) == (True, record.transient)
    assert "queued" in state.data["text/html"]
    assert (closed.update, closed.transient) == (True, widget.transient)
    assert "closed" in closed.data["text/plain"]


def test_second_form_in_the_same_cell_sends_once_too(form: SendForm, outbox: linq_nb.Outbox, demo: Demo) -> None:
    again = opened(outbox)
    fill(again)
    say(again, {"kind": "press", "button": "send"})
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    again.close()


def test_no_sound_is_in_the_state_of_any_widget(form: SendForm) -> None:
    """A widget's state is saved with the notebook; the card, which plays the memo, goes to the page by message."""
    sent = messages_of(form)
    fill(form)
    say(form, {"kind": "ready"})
    assert ["data:audio/" in message["card"] for message in sent if message["kind"] == "card"][-2:] == [True, True]
    states = repr(form.get_state())
    assert "data:audio" not in states
    assert "data:audio" not in form.record().html


def test_close_closes_its_widgets_only(form: SendForm) -> None:
    other = widgets.Text()
    second = SendForm(form.outbox)
    say(second, {"kind": "press", "button": "record"})
    mine = [second.model_id, second.recorder.model_id]
    second.close()
    assert not set(mine) & set(open_widgets)
    assert other.model_id in open_widgets
    assert form.model_id in open_widgets
    other.close()


@pytest.mark.parametrize("button", ["send", "yes", "record"])
def test_a_closed_form_sends_nothing(form: SendForm, demo: Demo, button: str) -> None:
    form.choose("Ada Lovelace")
    upload(form, tone())
    form.close()
    form.press(button)
    assert str(form.error) == "this form is closed; nothing was sent; run its cell again for a new one"
    assert not demo.bubbles()


def test_pressing_an_unknown_button_is_an_error(form: SendForm) -> None:
    form.press("Send")
    assert "the form has no button 'Send'; nothing was sent" in str(form.error)


def test_form_reads_the_chats_of_each_line_once(outbox: linq_nb.Outbox, demo: Demo) -> None:
    before = len(demo.requests)
    form = opened(outbox)
    assert len(demo.requests) - before == len(demo.lines)
    say(form, {"kind": "ready"})  # a second page, or the same one reloaded
    assert len(demo.requests) - before == len(demo.lines)
    form.close()


def test_a_form_is_made_without_asking_linq_and_chooses_by_id_all_the_same(outbox: linq_nb.Outbox, demo: Demo) -> None:
    before = len(demo.requests)
    form = SendForm(outbox)
    assert len(demo.requests) == before
    form.chosen = [demo.chat_ids[ADA]]
    assert [chat.chat_name for chat in form.chats] == [ADA]
    form.close()


def test_many_chats_are_all_listed(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.add_chats(200)
    form = opened(outbox)
    assert len(rows_of(form)) == 225
    choose(form, "Customer 007")
    assert form.chats[0].chat_name == "Customer 007"
    form.close()
