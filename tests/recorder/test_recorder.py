"""The recorder's kernel side: complete takes are kept, incomplete takes are reported, and no sound is in any output."""

from __future__ import annotations

import io
import json
import math
import random
import sys
import wave
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from shared import AUDIO

import linq_nb
from linq_nb import AudioError, Recorder, SettingsError, VoiceMemo
from linq_nb.recorder import takes
from linq_nb.recorder.takes import ChunkedUpload

RATE = 16_000
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """Does what recorder.js does, at the other end of the widget's comm."""

    def __init__(self, recorder: Recorder, chunk_bytes: int = 10_000) -> None:
        self.recorder, self.chunk_bytes = recorder, chunk_bytes
        self.heard: list[tuple[dict[str, Any], list[Any]]] = []
        recorder.comm.publish_msg = self.hear

    def hear(self, msg_type: str, **message: Any) -> None:
        """Record the messages of the kernel."""
        data = message.get("data") or {}
        if data.get("method") == "custom":
            self.heard.append((data["content"], message.get("buffers") or []))

    def ask(self, buffers: list[memoryview] | None = None, **content: Any) -> dict[str, Any]:
        """Send a message and return the kernel's answer to it."""
        self.recorder._handle_custom_msg(content, buffers or [])
        return self.heard[-1][0]

    def deliver(
        self,
        data: bytes,
        take: str = "a",
        spoil: Callable[[int, bytes], bytes | None] = lambda chunk, data: data,
        **more: Any,
    ) -> dict[str, Any]:
        """Send a take in the chunks that the kernel asks for; ``spoil`` may lose or damage a chunk on its way."""
        size, more = self.chunk_bytes, {"what": "recording", "rate_hz": RATE, **more}
        answer = self.ask(
            kind="begin", take=take, attempt=1, size_bytes=len(data), chunks=-(-len(data) // size),
            crc32=zlib.crc32(data), **more,
        )  # fmt: skip
        while answer["kind"] == "next":
            chunk = answer["chunk"]
            sent = spoil(chunk, data[chunk * size : (chunk + 1) * size])
            if sent is None:
                return {"kind": "lost"}
            answer = self.ask([memoryview(sent)], kind="chunk", take=take, attempt=1, chunk=chunk)
        return answer


def samples(seconds: float, hz: float = 440) -> bytes:
    """A tone as the page sends it: 16 bits, mono."""
    return array("h", (round(9000 * math.sin(6.2832 * hz * i / RATE)) for i in range(round(seconds * RATE)))).tobytes()


def noise(seconds: float) -> bytes:
    """Noise, which compresses worst."""
    dice = random.Random(1)
    return array("h", (dice.randint(-32000, 32000) for _ in range(round(seconds * RATE)))).tobytes()


def frames(memo: VoiceMemo | None) -> bytes:
    assert memo is not None
    with wave.open(io.BytesIO(memo.data or b"")) as reader:
        assert reader.getparams()[:3] == (1, 2, RATE)
        return reader.readframes(reader.getnframes())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def page(recorder: Recorder) -> Page:
    return Page(recorder)


@pytest.fixture
def cells(shell: InteractiveShell, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """The shell that displays, with ``recorder`` in its namespace."""
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    shell.user_ns["recorder"] = recorder
    return shell


# --- a take arrives ---


def test_a_recording_becomes_the_memo(recorder: Recorder, page: Page) -> None:
    memos: list[Any] = []
    recorder.observe(lambda change: memos.append(change["new"]), "memo")
    sound = samples(1.5)
    assert page.deliver(sound)["kind"] == "kept"
    memo = recorder.memo
    assert memo is not None
    assert frames(memo) == sound
    assert (memo.filename, memo.duration_ms, memo.sample_rate, memo.channels) == ("take-1.wav", 1500, RATE, 1)
    assert memos == [memo]
    assert [take.memo for take in recorder.takes] == [memo]
    assert repr(recorder) == "Recorder(1 take, chosen: Take(Take 1, 0:01 · 48.0 kB · WAV))"


def test_the_memo_can_be_sent(recorder: Recorder, page: Page) -> None:
    page.deliver(samples(1))
    outbox = linq_nb.connect(demo=True, fresh=True)
    ada = outbox.demo.chat_ids["Ada Lovelace"]
    outbox.send(recorder.memo, ada)
    (memo,) = outbox.demo.memos(ada)
    assert outbox.demo.memo_bytes(memo["message_id"]) == recorder.memo.data


@pytest.mark.parametrize("file", sorted(AUDIO.glob("hello.*")), ids=lambda file: file.suffix)
def test_a_file_is_kept_unchanged_or_refused_with_the_reason(recorder: Recorder, page: Page, file: Path) -> None:
    answer = page.deliver(file.read_bytes(), what="file", name=file.name)
    if file.suffix == ".ogg":
        assert answer["kind"] == "failed"
        assert "Ogg" in answer["why"]
        assert recorder.memo is None
        assert isinstance(recorder.error, AudioError)
    else:
        assert recorder.memo.data == file.read_bytes()
        assert recorder.takes[0].name == recorder.memo.filename == file.name


# --- incomplete takes ---


@pytest.mark.parametrize(
    "spoil",
    [
        lambda chunk, data: data[:-1] if chunk == 1 else data,
        lambda chunk, data: b"" if chunk == 2 else data,
        lambda chunk, data: bytes([data[0] ^ 1]) + data[1:] if chunk == 0 else data,
        lambda chunk, data: data + b"\0" if chunk == 1 else data,
    ],
    ids=["shortened", "empty", "one bit", "longer"],
)
def test_a_damaged_take_is_reported_and_can_be_sent_again(recorder: Recorder, page: Page, spoil: Any) -> None:
    sound = samples(1.2)
    answer = page.deliver(sound, spoil=spoil)
    assert answer["kind"] == "failed"
    assert "did not arrive whole" in answer["why"]
    assert "send it again" in answer["why"]
    assert (recorder.memo, recorder.takes) == (None, ())
    assert page.deliver(sound)["kind"] == "kept"
    assert frames(recorder.memo) == sound


def test_a_take_with_a_lost_chunk_is_not_kept(recorder: Recorder, page: Page) -> None:
    sound = samples(1.2)
    assert page.deliver(sound, spoil=lambda chunk, data: None if chunk == 2 else data)["kind"] == "lost"
    assert recorder.takes == ()
    assert page.deliver(sound)["kind"] == "kept"
    assert frames(recorder.memo) == sound


def test_chunks_of_an_abandoned_attempt_do_not_mix_with_the_next(recorder: Recorder, page: Page) -> None:
    sound, size = samples(0.6), 10_000
    begin = {
        "kind": "begin", "take": "a", "what": "recording", "rate_hz": RATE,
        "size_bytes": len(sound), "chunks": 2, "crc32": zlib.crc32(sound),
    }  # fmt: skip
    page.ask(**begin, attempt=1)
    page.ask(**begin, attempt=2)
    late = page.ask([memoryview(b"late" * 2500)], kind="chunk", take="a", attempt=1, chunk=0)
    assert late["kind"] == "done"
    page.ask([memoryview(sound[:size])], kind="chunk", take="a", attempt=2, chunk=0)
    twice = page.ask([memoryview(sound[:size])], kind="chunk", take="a", attempt=2, chunk=0)
    assert (twice["kind"], twice["chunk"]) == ("next", 1)
    assert page.ask([memoryview(sound[size:])], kind="chunk", take="a", attempt=2, chunk=1)["kind"] == "kept"
    assert frames(recorder.memo) == sound


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "begin", "take": "x"},
        {"kind": "begin", "take": "x", "size_bytes": 10**12, "chunks": 1, "crc32": 0},
        {"kind": "begin", "take": "x", "size_bytes": float("nan"), "chunks": -1, "crc32": "0"},
        {"kind": "trim", "take": "a", "start_ms": None, "end_ms": {}},
        {"kind": "fetch", "take": "nobody"},
    ],
)
def test_a_message_that_makes_no_sense_is_refused(recorder: Recorder, page: Page, content: dict[str, Any]) -> None:
    page.deliver(samples(1))
    before = recorder.takes
    assert page.ask(**content)["kind"] == "failed"
    assert recorder.takes == before


@pytest.mark.parametrize("content", [{}, {"kind": []}, {"kind": "choose", "take": 7}, {"kind": "chunk", "take": "x"}])
def test_an_incomplete_message_or_an_unknown_take_changes_nothing(
    recorder: Recorder, page: Page, content: dict[str, Any]
) -> None:
    page.deliver(samples(1))
    before, memo = recorder.takes, recorder.memo
    page.ask(**content)
    assert (recorder.takes, recorder.memo) == (before, memo)


@pytest.mark.parametrize(("sound", "rate"), [(b"\0" * 101, RATE), (b"\0\0" * 10, RATE), (b"\0\0" * 9000, 7)])
def test_invalid_sound_is_refused(recorder: Recorder, page: Page, sound: bytes, rate: int) -> None:
    assert page.deliver(sound, rate_hz=rate)["kind"] == "failed"
    assert recorder.takes == ()


def test_an_empty_upload_is_complete_at_once() -> None:
    assert ChunkedUpload(0, 0, 0).is_complete


# --- takes ---


def test_the_newest_take_is_chosen_until_another_is(recorder: Recorder, page: Page) -> None:
    for name, hz in (("a", 300), ("b", 400), ("c", 500)):
        page.deliver(samples(0.5, hz), name)
    assert recorder.memo == recorder.takes[2].memo
    page.ask(kind="choose", take="a")
    assert recorder.memo == recorder.takes[0].memo
    page.ask(kind="discard", take="b")
    assert recorder.memo == recorder.takes[0].memo
    page.ask(kind="discard", take="a")
    assert [take.name for take in recorder.takes] == ["Take 3"]
    assert recorder.memo == recorder.takes[0].memo
    page.ask(kind="discard", take="c")
    assert (recorder.memo, recorder.takes) == (None, ())
    page.deliver(samples(0.5), "d")
    assert recorder.takes[0].name == "Take 4"


def test_a_trimmed_take_keeps_exactly_those_samples_and_can_be_widened(recorder: Recorder, page: Page) -> None:
    sound = samples(2)
    page.deliver(sound)
    page.ask(kind="trim", take="a", start_ms=250, end_ms=1750)
    assert frames(recorder.memo) == sound[2 * 4000 : 2 * 28_000]
    assert recorder.takes[0].duration_ms == 1500
    assert "0:01 of 0:02" in repr(recorder.takes[0])
    page.ask(kind="trim", take="a", start_ms=0, end_ms=2000)
    assert frames(recorder.memo) == sound


@pytest.mark.parametrize(("start", "end"), [(900, 950), (1500, 500), (5000, 6000)])
def test_a_trim_that_leaves_nothing_changes_nothing(recorder: Recorder, page: Page, start: int, end: int) -> None:
    page.deliver(samples(2))
    memo = recorder.memo
    answer = page.ask(kind="trim", take="a", start_ms=start, end_ms=end)
    assert answer["kind"] == "failed"
    assert "nothing was changed" in answer["why"]
    assert recorder.memo == memo


def test_a_file_is_not_trimmed(recorder: Recorder, page: Page) -> None:
    page.deliver((AUDIO / "hello.mp3").read_bytes(), what="file", name="hello.mp3")
    assert "is a file" in page.ask(kind="trim", take="a", start_ms=0, end_ms=500)["why"]


def test_silence_is_noted(recorder: Recorder, page: Page) -> None:
    page.deliver(bytes(2 * RATE))
    assert recorder.takes[0].notes == ("the memo is silent",)


def test_the_error_of_an_observer_is_shown_and_the_take_is_kept(recorder: Recorder, page: Page) -> None:
    def fail(change: Any) -> None:
        raise RuntimeError("the observer's own fault")

    recorder.observe(fail, "memo")
    answer = page.deliver(samples(1))
    assert "the observer's own fault" in answer["why"]
    assert len(recorder.takes) == 1


# --- the limit ---


def test_a_wav_over_the_limit_becomes_an_m4a(page: Page, recorder: Recorder) -> None:
    pytest.importorskip("av")
    small = Recorder(limit_bytes=60_000)
    Page(small).deliver(samples(3))
    Page(recorder).deliver(samples(3))
    m4a, wav = small.memo, recorder.memo
    assert (m4a.format, m4a.filename) == ("m4a", "take-1.m4a")
    assert m4a.size_bytes <= 60_000 < wav.size_bytes
    assert m4a.content == wav.content
    assert "an M4A of it is sent" in small.takes[0].notes[0]
    small.close()


def test_without_the_extra_a_take_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    small = Recorder(limit_bytes=60_000)
    assert small._m4a_seconds == 0
    answer = Page(small).deliver(samples(3))
    assert answer["why"].startswith("96.0 kB is over the 60.0 kB of a voice memo; nothing was kept; shorten it")
    assert "linq_nb[audio]" in answer["why"]
    small.close()


def test_as_much_noise_as_is_promised_fits_as_m4a() -> None:
    pytest.importorskip("av")
    small = Recorder(limit_bytes=150_000)
    assert Page(small).deliver(noise(small._m4a_seconds))["kind"] == "kept"
    assert small.memo.size_bytes <= 150_000
    small.close()


def test_ten_megabytes_last_as_long_as_the_readme_says() -> None:
    pytest.importorskip("av")
    assert takes.m4a_seconds(10_000_000) // 60 == 18


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "10 MB", 10_000_001])
def test_a_limit_is_a_number_of_bytes_that_linq_takes(limit: Any) -> None:
    with pytest.raises(SettingsError, match="limit_bytes is a whole number from 1 to 10,000,000"):
        Recorder(limit_bytes=limit)


# --- displays and saved notebooks ---


def test_no_sound_is_in_the_widgets_state(recorder: Recorder, page: Page) -> None:
    empty = len(json.dumps(recorder.get_state()))
    page.deliver(noise(2))
    page.deliver((AUDIO / "hello.mp3").read_bytes(), "b", what="file", name="hello.mp3")
    state = json.dumps(recorder.get_state())
    assert len(state) < empty + 2000
    assert "memo" not in recorder.get_state()


def test_a_reloaded_page_gets_the_sound_back_in_chunks(recorder: Recorder, page: Page) -> None:
    sound = noise(40)
    Page(recorder, 1_000_000).deliver(sound)
    page = Page(recorder)
    assert page.ask(kind="fetch", take="a")["kind"] == "done"
    chunks = [buffers[0] for content, buffers in page.heard if content["kind"] == "sound"]
    assert [len(chunk) for chunk in chunks] == [1_000_000, 280_044]
    assert b"".join(chunks) == recorder.memo.data


def test_a_file_that_no_browser_plays_is_played_as_a_preview(recorder: Recorder, page: Page) -> None:
    page.deliver((AUDIO / "hello.aiff").read_bytes(), what="file", name="hello.aiff")
    page.ask(kind="fetch", take="a")
    sound = next(content for content, _ in page.heard if content["kind"] == "sound")
    assert sound["mime"] in ("audio/mpeg", "audio/wav")
    assert "plays a preview; the file itself is sent" in recorder.takes[0].notes


def test_the_record_stays_without_widget_and_sound(cells: InteractiveShell, page: Page) -> None:
    with capture_output() as shown:
        cells.run_cell("display(recorder)")
        page.deliver(samples(1))
        page.deliver((AUDIO / "hello.mp3").read_bytes(), "b", what="file", name="<script>x</script>.mp3")
    widget, empty, *updates = [output.data for output in shown.outputs]
    assert (widget["text/plain"], "text/html" in widget) == ("Recorder(no take yet)", False)
    assert empty["text/plain"] == "No take is kept in this recorder yet."
    assert updates[-1]["text/plain"].splitlines() == [
        "Recorded here; the sound itself is not saved with the notebook",
        "Take 1                  0:01 · 32.0 kB · WAV",
        "<script>x</script>.mp3  0:05 · 40.8 kB · MP3 · chosen",
    ]
    assert "<script>" not in updates[-1]["text/html"]
    assert "audio" not in updates[-1]["text/html"]


def test_a_closed_recorder_says_so_and_keeps_its_takes(cells: InteractiveShell, recorder: Recorder, page: Page) -> None:
    page.deliver(samples(1))
    with capture_output() as shown:
        cells.run_cell("display(recorder)\nrecorder.close()\nrecorder.close()\ndisplay(recorder)")
    texts = [output.data["text/plain"] for output in shown.outputs]
    assert [text for text in texts if "closed" in text] == ["This recorder is closed."] * 2
    assert WIDGET_VIEW not in shown.outputs[-2].data
    assert recorder.memo.duration_ms == 1000


def test_the_page_and_the_kernel_agree_on_the_shortest_take() -> None:
    script = Path(linq_nb.recorder.__file__).with_name("recorder.js").read_text("utf-8")
    assert f"const SHORTEST_S = {takes.SHORTEST_MS / 1000};" in script
