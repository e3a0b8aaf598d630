"""The recorder in JupyterLab with a microphone that hears a known tone, and pages where there is none."""

from __future__ import annotations

import http.server
import json
import math
import re
import struct
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import NOTE, NOTED, STOP_SECONDS, Guard, Lab, Notebook, headless, new_page, serious, visit
from forming import await_seconds
from shared import AUDIO, wait_for

from linq_nb.recorder import Recorder

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

HZ = 440
FAKE_DEVICE, FAKE_YES = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"

KEEP_STREAMS = """(() => {
  window.streams = [];
  const real = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (real) navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await real(wanted);
    window.streams.push(stream);
    return stream;
  };
})()"""
RELEASED = "() => window.streams.flatMap(s => s.getTracks()).every(track => track.readyState === 'ended')"
SPOIL = """(how) => {
  const real = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (!(data instanceof ArrayBuffer) || data.byteLength < 90_000) return real.call(this, data);
    WebSocket.prototype.send = real;
    if (how === 'lost') return;
    new Uint8Array(data)[data.byteLength - 5] ^= 1;
    return real.call(this, data);
  };
}"""

RUN = """import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
ada = outbox.demo.chat_ids["Ada Lovelace"]
recorder = linq_nb.Recorder({})
recorder"""
SENT = """import io, wave, numpy as np
outbox.send(recorder.memo, ada)
got = outbox.demo.memo_bytes(outbox.demo.memos(ada)[0]["message_id"])
with wave.open(io.BytesIO(got)) as reader:
    rate, heard = reader.getframerate(), np.frombuffer(reader.readframes(reader.getnframes()), "<i2").astype(float)
power = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
hz = power.argmax() * rate / len(heard)
print(rate, len(heard) / rate, hz, np.abs(heard).max(), outbox.demo.bubbles(ada))"""


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sound at the microphone: whole waves of one tone, so that it can be played in a loop."""
    file = tmp_path_factory.mktemp("tone") / "tone.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, 48_000, 0, "NONE", ""))
        writer.writeframes(
            b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * HZ * i / 48_000))) for i in range(144_000))
        )
    return file


@pytest.fixture(scope="module")
def tone_page(lab: Lab, lab_page: Any, tone: Path) -> Iterator[Any]:
    with headless(lab_page.context.browser.browser_type, f"--use-file-for-fake-audio-capture={tone}") as browser:
        page = new_page(browser, permissions=["microphone"], viewport={"width": 1000, "height": 900})
        page.add_init_script(KEEP_STREAMS)
        yield visit(lab, page)


@pytest.fixture
def book(lab: Lab, tone_page: Any, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook whose page hears the tone; it fails on a script error, an error in the console or a foreign URL."""
    console_errors: list[str] = []
    tone_page.on("console", lambda message: console_errors.append(message.text) if message.type == "error" else None)
    name = "recorder_" + re.sub(r"\W+", "_", request.node.name).strip("_")
    tone_page.evaluate("() => { window.streams = []; }")  # the page is the one of the test before
    with Guard(tone_page, lab.url) as guard:
        notebook = Notebook(tone_page, lab, name)
        yield notebook
        tone_page.screenshot(path=lab.root / f"{name}.png")
        notebook.close()
    guard.check()
    assert not [line for line in console_errors if "recorder" in line or "anywidget" in line], console_errors


class Rec:
    """The recorder of the first cell; the second cell asks the kernel."""

    def __init__(self, book: Notebook, question: str = "", options: str = "", first: str = "", cell: int = 0) -> None:
        self.book, self.page = book, book.page
        if question:
            book.open(first or RUN.format(options), question if "\n" in question else f"print({question})", "recorder")
            book.run(0)
        self.at = book.cell(cell).locator(".linq-rec").last
        expect(self.at).to_be_visible()

    def button(self, name: str) -> Any:
        return self.at.get_by_role("button", name=name, exact=True)

    @property
    def timer(self) -> Any:
        return self.at.get_by_role("timer")

    def hold(self, is_held: bool = True) -> None:
        """Let the countdown stand still, or go on."""
        self.page.evaluate(STOP_SECONDS, is_held)

    def begin(self) -> None:
        """Record without the countdown."""
        self.hold()
        self.button("Record").click()
        self.button("Start now").click()
        self.hold(False)

    def record(self, seconds: int = 1) -> float:
        """Record for at least so many seconds; return how long it took at most by this test's clock."""
        before = time.monotonic()
        self.begin()
        await_seconds(self.at, seconds)
        self.button("Stop").click()
        return time.monotonic() - before

    def play(self, name: str = "Take 1") -> None:
        """Play a take; a short one may have ended when this returns."""
        self.at.evaluate(NOTE)
        self.button(f"Play {name}").click()
        self.page.wait_for_function(NOTED, arg=f"^Stop {name}$")

    def give(self, file: Any) -> None:
        """Choose an audio file, as Playwright takes it."""
        self.at.locator("input[type=file]").set_input_files(file)

    def kept(self, name: str = "Take 1") -> Any:
        """Wait until the kernel has the take."""
        radio = self.at.get_by_role("radio", name=f"Use {name}", exact=True)
        expect(radio).to_be_visible()
        return radio

    def answer(self) -> str:
        """Return the output of the kernel's cell."""
        self.book.run(1)
        return str(self.book.output(1).last.inner_text()).strip()


# --- from the microphone to the chat ---


@pytest.mark.host("JupyterLab", "recorder")
def test_a_tone_of_three_seconds_arrives_in_the_chat(book: Notebook) -> None:
    rec = Rec(book, SENT)
    most = rec.record(3)
    rec.kept()
    rate, seconds, hz, loudest, bubbles = map(float, rec.answer().split())
    assert rate == 48_000
    assert 3 <= seconds < most + 0.1
    assert hz == pytest.approx(HZ, abs=1)
    assert loudest > 1000
    assert bubbles == 1
    assert book.page.evaluate(RELEASED)


@pytest.mark.thorough
def test_the_countdown_runs_by_itself_and_a_double_click_starts_once(book: Notebook) -> None:
    rec = Rec(book, "len(recorder.takes)")
    rec.hold()
    rec.button("Record").dblclick()
    expect(rec.button("Start now")).to_be_visible()
    expect(rec.timer).to_have_text("3")
    rec.hold(False)
    expect(rec.button("Stop")).to_be_visible()
    assert book.page.evaluate("() => window.streams.length") == 1
    await_seconds(rec.at)
    rec.button("Stop").dblclick()
    rec.kept()
    assert rec.answer() == "1"


@pytest.mark.thorough
def test_a_cancelled_countdown_leaves_nothing_and_lets_the_microphone_go(book: Notebook) -> None:
    rec = Rec(book, "recorder")
    rec.hold()
    rec.button("Record").click()
    expect(rec.button("Start now")).to_be_visible()
    rec.button("Cancel").click()
    expect(rec.at.get_by_role("status")).to_have_text("Nothing was recorded.")
    expect(rec.button("Record")).to_be_focused()
    assert book.page.evaluate(RELEASED)
    assert rec.answer() == "Recorder(no take yet)"


@pytest.mark.thorough
def test_a_pause_is_not_in_the_take(book: Notebook) -> None:
    rec = Rec(book, "recorder.memo.duration_ms")
    begun = time.monotonic()
    rec.begin()
    await_seconds(rec.at)
    rec.button("Pause").click()
    expect(rec.button("Resume")).to_be_visible()
    paused = time.monotonic()
    shown = rec.timer.inner_text()
    rec.page.wait_for_timeout(2000)
    expect(rec.timer).to_have_text(shown)
    resumed = time.monotonic()
    rec.button("Resume").click()
    await_seconds(rec.at, 2)
    rec.button("Stop").click()
    ended = time.monotonic()
    rec.kept()
    most_ms = 1000 * (ended - begun - (resumed - paused))
    assert 2000 <= int(rec.answer()) < most_ms + 100


@pytest.mark.thorough
def test_takes_are_played_trimmed_chosen_and_discarded(book: Notebook) -> None:
    rec = Rec(book, "[(take.name, take.duration_ms) for take in recorder.takes], recorder.memo.duration_ms")
    for number in (1, 2):
        rec.record()
        rec.kept(f"Take {number}")
    start = rec.at.get_by_label("Start of Take 1 in seconds")
    start.fill("0.5")
    start.press("Tab")
    end = rec.at.get_by_label("End of Take 1 in seconds")
    end.fill("0.9")
    end.press("Tab")
    rec.kept("Take 1").check()
    expect(rec.at.get_by_text(re.compile("^0:01 of 0:[0-9]{2} · 38.4 kB · WAV$"))).to_be_visible()
    rec.play()
    expect(rec.button("Play Take 1")).to_be_visible()
    rec.button("Discard Take 2").click()
    rec.button("Keep it").click()
    rec.button("Discard Take 2").click()
    rec.button("Discard Take 2").click()
    expect(rec.at.get_by_role("radio")).to_have_count(1)
    assert rec.answer() == "[('Take 1', 400)] 400"
    end.fill("0.1")
    end.press("Tab")
    expect(rec.at.get_by_role("alert")).to_contain_text("the start must lie at least 0.1 s before the end")
    assert rec.answer() == "[('Take 1', 400)] 400"


def test_the_recorder_works_by_keyboard_alone(book: Notebook) -> None:
    rec = Rec(book, "recorder.takes[0].start_ms, recorder.takes[0].recorded_ms >= 1000, len(recorder.takes)")
    keys = book.page.keyboard
    rec.hold()
    rec.button("Record").focus()
    keys.press("Enter")
    expect(rec.button("Start now")).to_be_focused()
    keys.press("Space")
    expect(rec.button("Stop")).to_be_focused()
    rec.hold(False)
    await_seconds(rec.at)
    keys.press("Tab")
    expect(rec.button("Pause")).to_be_focused()
    keys.press("Enter")
    expect(rec.button("Resume")).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    rec.kept()
    for name in ("Use Take 1", "Play Take 1", "Start of Take 1 in seconds"):
        keys.press("Tab")
        expect(rec.at.locator(f"[aria-label='{name}']")).to_be_focused()
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    expect(rec.at.get_by_text(re.compile("^0:0. of 0:0. ·"))).to_be_visible()
    for name in ("End of Take 1 in seconds", "Download Take 1", "Discard Take 1"):
        keys.press("Tab")
        expect(rec.at.locator(f"[aria-label='{name}']")).to_be_focused()
    assert rec.answer() == "200 True 1"


# --- the limit ---


@pytest.mark.thorough
def test_without_the_extra_the_recorder_stops_where_a_wav_is_full(book: Notebook) -> None:
    rec = Rec(book, "recorder.memo.format, recorder.memo.size_bytes", "limit_bytes=400_000",
              "import sys; sys.modules['av'] = None\n" + RUN.format("limit_bytes=400_000"))  # fmt: skip
    expect(rec.at.get_by_text("about 0:04 fits in 400.0 kB")).to_be_visible()
    rec.at.evaluate(NOTE)
    rec.begin()
    expect(rec.at.get_by_role("status")).to_contain_text("It is full at 0:04: 400.0 kB is the most.")
    assert book.page.evaluate(NOTED, "^0:0[0-4] left$")
    rec.kept()
    assert book.page.evaluate(RELEASED)
    assert rec.answer() == "wav 400000"


@pytest.mark.thorough
def test_with_the_extra_a_longer_take_is_an_m4a(book: Notebook) -> None:
    pytest.importorskip("av")
    rec = Rec(book, "recorder.memo.format, recorder.memo.size_bytes <= 20_000", "limit_bytes=20_000")
    rec.begin()
    expect(rec.at.get_by_role("status")).to_contain_text("It is full at 0:02: 20.0 kB is the most.")
    rec.kept()
    expect(rec.at.get_by_text("an M4A of it is sent")).to_be_visible()
    assert rec.answer() == "m4a True"


# --- failed transfers ---


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "says"), [("lost", "The kernel has not answered yet"), ("damaged", "it did not arrive whole")]
)
def test_a_damaged_chunk_is_reported_and_sent_again(book: Notebook, how: str, says: str) -> None:
    rec = Rec(book, SENT)
    rec.book.page.evaluate(SPOIL, how)
    rec.record(2)
    expect(rec.at.get_by_role("alert").filter(has_text=says)).to_be_visible()
    assert rec.at.get_by_role("radio").count() == 0
    rec.button("Send to the kernel again").click()
    rec.kept()
    expect(rec.at.get_by_role("alert")).to_have_count(0)
    _, seconds, hz, *_ = map(float, rec.answer().split())
    assert seconds >= 2
    assert hz == pytest.approx(HZ, abs=1)


@pytest.mark.thorough
def test_sound_outlives_a_kernel_that_was_restarted(book: Notebook, tmp_path: Path) -> None:
    rec = Rec(book, "1")
    first = rec.record()
    rec.kept()
    book.restart()
    second = rec.record()
    expect(rec.at.get_by_role("alert")).to_contain_text("it was restarted")
    for name, most in (("Download Take 1", first), ("Download", second)):
        with book.page.expect_download() as download:
            rec.button(name).click()
        download.value.save_as(tmp_path / "saved.wav")
        with wave.open(str(tmp_path / "saved.wav")) as reader:
            assert 1 <= reader.getnframes() / reader.getframerate() < most + 0.1


# --- views, pages and the saved notebook ---


@pytest.mark.thorough
def test_two_views_show_one_recorder(book: Notebook) -> None:
    first = Rec(book, "len(recorder.takes)")
    book.run(2)
    second = Rec(book, cell=2)
    second.record()
    first.kept()
    second.kept()
    first.play()
    second.button("Discard Take 1").click()
    second.button("Discard Take 1").click()
    expect(first.at.get_by_role("radio")).to_have_count(0)
    assert first.answer() == "0"


@pytest.mark.thorough
def test_running_the_cell_again_lets_the_microphone_go_and_keeps_the_take(book: Notebook) -> None:
    first = RUN.format("").replace("recorder =", "old = globals().get('recorder')\nrecorder =")
    rec = Rec(book, "len(old.takes), recorder", first=first)
    rec.begin()
    await_seconds(rec.at)
    book.run(0)
    book.page.wait_for_function(RELEASED)
    expect(book.cell(0).locator(".linq-rec")).to_have_count(1)
    wait_for(lambda: rec.answer() == "1 Recorder(no take yet)")  # the take is on its way to the kernel


@pytest.mark.thorough
def test_a_closed_recorder_lets_the_microphone_go(book: Notebook) -> None:
    rec = Rec(book, "recorder.close()")
    rec.begin()
    expect(rec.button("Stop")).to_be_visible()
    rec.answer()
    book.page.wait_for_function(RELEASED)
    expect(book.cell(0).get_by_text("This recorder is closed.")).to_be_visible()


@pytest.mark.thorough
def test_the_saved_notebook_lists_the_takes_and_holds_no_sound(book: Notebook) -> None:
    rec = Rec(book, "1")
    rec.record(2)
    rec.kept()
    rec.give(AUDIO / "hello.mp3")
    rec.kept("hello.mp3")
    expect(book.cell(0).locator(".linq-nb-kept")).to_contain_text("hello.mp3")
    book.toggle_widget_state()
    book.save()
    text = (book.lab.root / f"{book.name}.ipynb").read_text("utf-8")
    saved = json.loads(text)
    states = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    state = next(state for state in states if state["model_name"] == "AnyModel")
    assert "buffers" not in state
    scripts = sum(len(json.dumps(state["state"][name])) for name in ("_esm", "_css"))
    assert len(text) < scripts + 12_000
    widget, record = saved["cells"][0]["outputs"]
    assert "text/html" not in widget["data"]
    assert "Take 1" in "".join(record["data"]["text/html"])
    assert "hello.mp3  0:05 · 40.8 kB · MP3 · chosen" in "".join(record["data"]["text/plain"])
    assert "<audio" not in text


@pytest.mark.thorough
def test_a_reloaded_page_has_the_takes_and_plays_them_again(book: Notebook) -> None:
    rec = Rec(book, "recorder")
    rec.record()
    rec.kept()
    book.save()
    book.reload()
    rec = Rec(book)
    rec.kept()
    rec.play()
    expect(rec.button("Play Take 1")).to_be_visible()
    expect(rec.at.get_by_role("alert")).to_have_count(0)


# --- files ---


@pytest.mark.thorough
def test_a_file_is_accepted_where_there_is_no_microphone(book: Notebook) -> None:
    rec = Rec(book, SENT.replace("got = ", "print(recorder.memo.filename)\ngot = "))
    rec.give(AUDIO / "hello.ogg")
    expect(rec.at.get_by_role("alert")).to_contain_text("hello.ogg: this is Ogg")
    rec.give(AUDIO / "hello.wav")
    rec.kept("hello.wav")
    expect(rec.at.get_by_role("alert")).to_have_count(0)
    assert rec.answer().startswith("hello.wav")


@pytest.mark.thorough
def test_a_file_that_the_browser_cannot_play_is_played_as_a_preview(book: Notebook) -> None:
    pytest.importorskip("av")
    rec = Rec(book, "1")
    rec.give(AUDIO / "hello.caf")
    rec.kept("hello.caf")
    expect(rec.at.get_by_text("plays a preview; the file itself is sent")).to_be_visible()
    rec.play("hello.caf")
    expect(rec.button("Play hello.caf")).to_be_visible()
    expect(rec.at.get_by_role("alert")).to_have_count(0)
    rec.button("Play hello.caf").dblclick()  # the second click stops it
    expect(rec.button("Play hello.caf")).to_be_visible()


@pytest.mark.thorough
def test_a_hostile_file_name_runs_no_script(book: Notebook) -> None:
    name = """a"'><img src=x onerror=window.hacked=1><script>window.hacked=2</script>.wav"""
    rec = Rec(book, "recorder")
    data = (AUDIO / "hello.wav").read_bytes()
    file = {"name": name, "mimeType": "audio/wav", "buffer": data}
    rec.give([file])
    expect(rec.at.get_by_text("onerror")).to_be_visible()
    rec.give([{**file, "buffer": b"<script>window.hacked=3</script>"}])
    expect(rec.at.get_by_role("alert")).to_contain_text("onerror")
    assert rec.at.locator("img, script").count() == 0
    assert book.cell(0).locator("img").count() == 0
    assert book.page.evaluate("() => window.hacked === undefined")


# --- how it looks ---


@pytest.mark.thorough
def test_the_recorder_fits_a_phone_and_every_control_has_a_name(book: Notebook) -> None:
    rec = Rec(book, "1")
    rec.record()
    rec.kept()
    rec.give(AUDIO / "hello.mp3")
    rec.kept("hello.mp3")
    for theme in book.themes():
        assert not serious(book.page, ".linq-rec"), theme
        assert rec.at.evaluate(CONTRAST) == [], theme
    rec.at.evaluate("root => root.style.width = '290px'")
    assert rec.at.evaluate("root => root.scrollWidth <= root.clientWidth")
    beyond = """root => [...root.querySelectorAll('*')].filter(node => node.offsetParent
      && node.getBoundingClientRect().right > root.getBoundingClientRect().right + 1).map(node => node.className)"""
    assert rec.at.evaluate(beyond) == []
    nameless = """root => [...root.querySelectorAll('button, input')].filter(element => element.offsetParent
      && !(element.getAttribute('aria-label') || element.textContent || element.labels?.[0]?.textContent)).length"""
    assert rec.at.evaluate(nameless) == 0


CONTRAST = """root => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => { const a = top[3] ?? 1; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)); };
  const ground = element => {
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.unshift(parse(getComputedStyle(e).backgroundColor));
    return chain.reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...root.querySelectorAll('*')].filter(element => element.offsetParent
      && [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(element => {
    const below = ground(element), ink = over(parse(getComputedStyle(element).color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
    return [element.textContent, (a + 0.05) / (b + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""


@pytest.mark.thorough
def test_the_live_region_does_not_speak_every_second(book: Notebook) -> None:
    rec = Rec(book, "1")
    book.page.evaluate("""() => {
      window.spoken = [];
      const heard = element => window.spoken.push(element.textContent);
      const watch = element => new MutationObserver(() => heard(element)).observe(element, {childList: true});
      document.querySelectorAll('.linq-rec [role=status], .linq-rec [role=alert]').forEach(watch);
    }""")
    rec.record(3)
    rec.kept()
    spoken = book.page.evaluate("() => window.spoken")
    assert len(spoken) <= 6, spoken


# --- pages without a microphone, in the real browser ---

HOST_PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/recorder.css"><div id="here"></div>
<script type="module">
import make from "/recorder.js";
const state = {_cards: [], _limit_bytes: 1e7, _m4a_seconds: 0, _part_bytes: 1e6};
const model = {get: name => state[name], on() {}, send() {}};
const widget = make();
widget.initialize({model});
widget.render({model, el: document.getElementById("here")});
</script>"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the recorder's own files, a page with it, and that page in frames and under policies."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        sources = {
            "/recorder.js": ("text/javascript", Recorder._esm),
            "/recorder.css": ("text/css", Recorder._css),
        }
        other = f"http://localhost:{self.server.server_port}/"  # type: ignore[attr-defined]  # a TCPServer has one
        pages = {
            "/frame": f'<iframe src="{other}" width=700 height=500></iframe>',
            "/allowed": f'<iframe src="{other}" allow="microphone" width=700 height=500></iframe>',
        }
        self.send_response(200)
        media_type, body = sources.get(path, ("text/html", pages.get(path, HOST_PAGE)))
        self.send_header("Content-Type", media_type)
        if path == "/policy":
            self.send_header("Permissions-Policy", "microphone=()")
        if path == "/csp":
            self.send_header("Content-Security-Policy", "script-src 'self' 'unsafe-inline'; worker-src 'self'")
        self.end_headers()
        self.wfile.write(str(body).encode())
        return None

    def log_message(self, *args: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


CASES = {
    "blocked": ("127.0.0.1", "/", [FAKE_YES], [], "The microphone is blocked for this page|got no yes"),
    "no device": ("127.0.0.1", "/", [FAKE_DEVICE], ["microphone"], "No microphone was found"),
    "insecure": ("notebooks.test", "/", [], ["microphone"], "not secure"),
    "frame": ("127.0.0.1", "/frame", [], ["microphone"], "shown inside another page"),
    "policy": ("127.0.0.1", "/policy", [], ["microphone"], "Permissions-Policy"),
    "csp": ("127.0.0.1", "/csp", [], ["microphone"], "security policy"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("host", "path", "without", "granted", "says"), CASES.values(), ids=CASES)
def test_a_refused_microphone_has_its_own_sentence_and_a_way_out(
    site: int, lab_page: Any, host: str, path: str, without: list[str], granted: list[str], says: str
) -> None:
    kind = lab_page.context.browser.browser_type
    with headless(kind, "--host-resolver-rules=MAP notebooks.test 127.0.0.1", without=without) as browser:
        page = new_page(browser, permissions=granted)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://{host}:{site}{path}")
        at = page.frame_locator("iframe") if path == "/frame" else page
        at.get_by_role("button", name="Record").click()
        alert = at.get_by_role("alert")
        expect(alert).to_contain_text(re.compile(says))
        expect(alert).to_contain_text("Or choose an audio file below.")
        expect(at.get_by_label("Choose an audio file")).to_be_enabled()
        expect(at.get_by_role("button", name="Record")).to_be_visible()
        assert errors == []


@pytest.mark.thorough
def test_the_recorder_works_in_a_frame_that_may_use_the_microphone(site: int, lab_page: Any) -> None:
    with headless(lab_page.context.browser.browser_type) as browser:
        page = new_page(browser, permissions=["microphone"])
        page.goto(f"http://127.0.0.1:{site}/allowed")
        at = page.frame_locator("iframe")
        at.get_by_role("button", name="Record").click()
        expect(at.get_by_role("button", name=re.compile("^(Start now|Stop)$"))).to_be_visible()


@pytest.mark.thorough
def test_the_recorder_reports_a_sound_output_that_never_starts_and_accepts_a_file(site: int, lab_page: Any) -> None:
    """As Firefox without a sound output: it waits for ever for its sound to start."""
    with headless(lab_page.context.browser.browser_type) as browser:
        page = new_page(browser, permissions=["microphone"])
        page.add_init_script("AudioContext.prototype.resume = () => new Promise(() => {})")
        page.goto(f"http://127.0.0.1:{site}/")
        page.get_by_role("button", name="Record").click()
        expect(page.get_by_text("Waiting for the microphone")).to_be_visible()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("Connect headphones or a loudspeaker")
        expect(alert).to_contain_text("Or choose an audio file below.")
        expect(page.get_by_label("Choose an audio file")).to_be_enabled()
        expect(page.get_by_role("button", name="Record")).to_be_enabled()


HOME = {"vscode": False, "secure": True, "framed": False, "allowed": True, "permission": "granted"}
WORDS = {
    "vscode": ("NotAllowedError", {"vscode": True}, "VS Code"),
    "busy": ("NotReadableError", {}, "another program holds it"),
    "system": ("NotAllowedError", {}, "operating system"),
    "dismissed": ("NotAllowedError", {"permission": "prompt"}, "got no yes"),
    "denied": ("NotAllowedError", {"permission": "denied"}, "is blocked for this page"),
    "sandbox": ("SecurityError", {"framed": True, "allowed": None}, "inside another page"),
    "old browser": ("NoAudioWorklet", {}, "no AudioWorklet"),
    "no sound": ("NoSoundOutput", {}, "does not start its sound"),
    "no api": ("NoMediaDevices", {}, "offers no microphone to pages"),
    "unheard of": ("AbortError", {}, "did not start (AbortError: why)"),
}


@pytest.mark.thorough
def test_each_refusal_of_a_microphone_has_its_own_sentence(site: int, lab_page: Any) -> None:
    page = lab_page.context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{site}/")
        ask = """async ([name, place]) => (await import('/recorder.js')).refusal({name, message: 'why'}, place)"""
        messages = {case: page.evaluate(ask, [name, {**HOME, **place}]) for case, (name, place, _) in WORDS.items()}
    finally:
        page.close()
    for case, (_, _, words) in WORDS.items():
        assert words in messages[case], case
        assert messages[case].endswith("Or choose an audio file below."), case
    assert len(set(messages.values())) == len(messages)
