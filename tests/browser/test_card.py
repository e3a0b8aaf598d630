"""The card of a voice memo in JupyterLab: it is shown and plays, trusted or not, and runs no script."""

from __future__ import annotations

import dataclasses
import io
import math
import re
import struct
import wave
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from browsing import SPILLED, Guard, serious
from shared import AUDIO

import linq_nb
from linq_nb import views
from linq_nb.model import Draft, Finding, Send, VoiceMemo

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

HOSTILE = """a"'><img src=x onerror="window.hacked=1"><script>window.hacked=2</script>.wav"""
HEARD = """async (player) => {
  const ends = kind => new Promise(end => player.addEventListener(kind, end, {once: true}));
  if (player.readyState < 1 && !player.error) await Promise.race([ends('loadedmetadata'), ends('error')]);
  return {ready: player.readyState, seconds: player.duration, error: player.error?.message ?? null};
}"""
SEEN = """async (image) => {
  await image.decode();
  const box = image.getBoundingClientRect();
  return {natural: image.naturalWidth, width: box.width, height: box.height};
}"""


def tone(seconds: float = 1.5, rate_hz: int = 16_000) -> bytes:
    """Make a WAV of a tone that swells and fades."""
    count = int(seconds * rate_hz)
    frames = (math.sin(i / 6) * math.sin(math.pi * i / count) for i in range(count))
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        writer.writeframes(b"".join(struct.pack("<h", int(20_000 * frame)) for frame in frames))
    return out.getvalue()


@pytest.fixture
def memo_file() -> Path:
    """A real voice memo."""
    return AUDIO / "hello.m4a"


def assert_plays(output: Any, seconds: float) -> None:
    """The player has read the sound and the bubble is drawn."""
    sound = output.locator("audio").evaluate(HEARD)
    assert sound["ready"] >= 1, sound
    assert sound["seconds"] == pytest.approx(seconds, abs=0.15)
    image = output.locator("img").evaluate(SEEN)
    assert image["natural"] > 0
    assert image["width"] > 200
    assert output.locator("img").is_visible()


@pytest.mark.host("JupyterLab", "card")
def test_the_bubble_of_a_cell_that_ran_is_the_player(notebook: Any, memo_file: Path) -> None:
    cell = f"from linq_nb.model import VoiceMemo\nmemo = VoiceMemo.from_file({str(memo_file)!r})\nmemo"
    notebook.open(cell, "memo")
    notebook.run(0)
    notebook.run(1)
    first, second = notebook.output(0), notebook.output(1)
    for theme in notebook.themes():
        assert_plays(first, _seconds(VoiceMemo.from_file(memo_file)))
        assert not serious(notebook.page, ".jp-OutputArea"), theme
    play, slider = (first.get_by_role(role) for role in ("button", "slider"))
    expect(first.locator("audio")).to_be_hidden()
    expect(play).to_have_accessible_name("Play the voice memo")
    for output in (first, second):  # so that a busy machine does not come when it is over
        output.locator("audio").evaluate("player => { player.loop = true; }")
    play.focus()
    notebook.page.keyboard.press("Enter")
    expect(play).to_have_accessible_name("Pause the voice memo")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:0[1-5] of"))
    second.get_by_role("button").click()  # one memo at a time
    expect(second.get_by_role("button")).to_have_accessible_name("Pause the voice memo")
    expect(play).to_have_accessible_name("Play the voice memo")
    second.get_by_role("button").click()
    slider.focus()
    notebook.page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:00 of"))
    notebook.page.keyboard.press("ArrowRight")
    assert first.locator("audio").evaluate("player => player.currentTime") > 0
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
    at = first.locator("audio").evaluate("player => player.currentTime / player.duration")
    assert at == pytest.approx(0.75, abs=0.06)


def test_a_sound_that_the_browser_cannot_play_leaves_no_dead_button(notebook: Any) -> None:
    html = views.mimebundle(VoiceMemo.from_bytes(tone(), "tone.wav"))["text/html"]
    broken = re.sub('data:audio/[^"]+', "data:audio/wav;base64,AAAA", html)
    notebook.open(f"from IPython.display import HTML\nHTML({broken!r})").run(0)
    expect(notebook.output(0).locator("audio")).to_be_visible()
    expect(notebook.output(0).get_by_role("button")).to_have_count(0)


def test_card_in_an_untrusted_notebook_has_the_browsers_own_player_and_every_style(
    notebook: Any, memo_file: Path
) -> None:
    memo = VoiceMemo.from_file(memo_file)
    bundle = views.mimebundle(memo)
    notebook.open("memo", outputs=[bundle])
    for _ in notebook.themes():
        assert_plays(notebook.output(0), _seconds(memo))
    expect(notebook.output(0).locator("audio")).to_be_visible()
    expect(notebook.output(0).get_by_role("button")).to_have_count(0)
    expect(notebook.output(0)).not_to_contain_text("linqPlayers")
    styles = "nodes => nodes.map(node => node.tagName + ' ' + node.style.cssText)"
    stored = notebook.output(0).locator(".linq-nb, .linq-nb *").evaluate_all(styles)
    page = "new DOMParser().parseFromString(html, 'text/html')"
    script = f"html => ({styles})([...{page}.querySelectorAll('.linq-nb, .linq-nb *')])"
    assert stored == notebook.page.evaluate(script, bundle["text/html"])


@pytest.mark.parametrize("stored", [False, True], ids=["ran", "stored"])
def test_hostile_file_name_runs_no_script(notebook: Any, stored: bool) -> None:
    memo = VoiceMemo.from_bytes(tone(), HOSTILE)
    cell = (
        f"from linq_nb.model import VoiceMemo\nfrom pathlib import Path\n"
        f"VoiceMemo.from_bytes(Path('hostile.wav').read_bytes(), {HOSTILE!r})"
    )
    (notebook.lab.root / "hostile.wav").write_bytes(tone())
    notebook.open(cell, outputs=[views.mimebundle(memo)] if stored else [])
    if not stored:
        notebook.run(0)
    expect(notebook.output(0)).to_contain_text("<script>window.hacked=2</script>")
    expect(notebook.output(0).locator("img")).to_have_count(1)
    assert notebook.page.evaluate("() => window.hacked === undefined")


def test_cards_fit_a_phone(lab_page: Any, memo_file: Path) -> None:
    memo, long = VoiceMemo.from_file(memo_file), "x" * 120
    findings = [Finding(level="warning", code="long", message=long)]
    card = views.draft_card(Draft(memo=memo, chat=long), long, findings, mode="LIVE", line="+12025550100")
    send = Send(
        send_id="1", base_url="u", content="c", chat_id=long, chat_name=long, filename=long, status=long,
        created_at=datetime(2026, 11, 29, tzinfo=UTC), error_message=long, trace_id=long,
    )  # fmt: skip
    failed = dataclasses.replace(send, status="failed")
    audit = linq_nb.audit(linq_nb.to_frame([send, failed]))
    shown = [views.mimebundle(memo)["text/html"], card.html, views.sent(send, now=None).html,
             views.listed([send, failed]).html, views.summary(long, [("name", long)]).html,
             audit._repr_mimebundle_()["text/html"]]  # fmt: skip
    page = lab_page.context.new_page()
    try:
        page.set_viewport_size({"width": 320, "height": 480})
        page.set_content("".join(shown))
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
        assert page.locator("body").evaluate(SPILLED) == []
        assert page.locator("td").evaluate_all("cells => Math.max(...cells.map(cell => cell.offsetWidth))") <= 320
    finally:
        page.close()


def test_a_request_to_another_place_is_caught(lab: Any, lab_page: Any) -> None:
    elsewhere = "http://127.0.0.1:9/pixel.png"
    with Guard(lab_page, lab.url) as guard:
        lab_page.evaluate("url => fetch(url).catch(() => null)", elsewhere)
    assert guard.foreign == [elsewhere]
    with pytest.raises(AssertionError, match="the page asked for"):
        guard.check()


def _seconds(memo: VoiceMemo) -> float:
    assert memo.duration_ms is not None
    return memo.duration_ms / 1000
