"""The HTML of every record: escaped, small, and of parts that JupyterLab leaves in an untrusted notebook."""

from __future__ import annotations

import base64
import io
import re
import sys
import wave
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO
from traitlets.config import Config
from view_samples import ADAS, CREW, HELLO, HOSTILE, LINKED, NOW, QUEUED, UPLOADED, every, wav

from linq_nb import views
from linq_nb.audio.playback import Preview
from linq_nb.model import Draft, Finding, VoiceMemo
from linq_nb.views import card, page

LARGEST = 1_500_000
ALLOWED = {
    "div": {"class", "style", "data-seconds"},  # the last is for our script only, and is removed together with it
    "span": {"style", "title"},
    "details": set(),
    "summary": {"style"},
    "b": set(),
    "bdi": set(),
    "br": set(),
    "table": {"style"},
    "tbody": set(),
    "tr": {"style"},
    "td": {"style"},
    "img": {"src", "alt", "width", "height", "style"},
    "audio": {"src", "controls", "preload", "style"},
}
"""The tags that we use and JupyterLab's sanitizer keeps; ``ALLOWED_STYLES`` likewise."""

ALLOWED_STYLES = re.compile(
    "align-items|background|border|border-collapse|border-radius|box-sizing|color|cursor|display|flex-wrap|font-family|font-size"
    "|font-weight|gap|height|letter-spacing|line-height|margin|max-width|min-width|opacity|overflow-wrap"
    "|padding|table-layout|text-align|vertical-align|white-space|width"
)
EMBEDDED = re.compile(r"data:(image/svg\+xml|audio/[\w.+-]+);base64,[A-Za-z0-9+/=]+")


class Page(HTMLParser):
    """Reads HTML back: its tags in order, its text, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html.replace(card.player_script(), ""))  # stripped in an untrusted notebook, with its text
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def displays() -> list[Any]:
    """Return one of each display, of well-meant records."""
    findings = [Finding(level="warning", code="sms", message="arrives as an attachment")]
    memo = VoiceMemo.from_bytes(wav(), "tone.wav")
    draft = Draft(memo=memo, chat=ADAS)
    cards = [
        views.draft_card(draft, ADAS, findings, mode="LIVE", line="+12025550100", journal_note="in memory"),
        views.draft_card(draft, CREW, [], mode="DEMO", line=None),
    ]
    records = [*every("words"), memo, HELLO, LINKED, UPLOADED, ADAS, CREW, QUEUED, draft]
    return [
        *cards,
        views.findings(findings),
        views.sent(QUEUED, now=NOW),
        views.summary("t", [("a", "b")]),
        *records,
    ]


def assert_survives(html: str) -> Page:
    """The sanitizer keeps every tag, attribute and style, and nothing is fetched."""
    read = Page(html)
    for tag, attrs in read.tags:
        assert set(attrs) <= ALLOWED[tag], (tag, attrs)
        for declaration in filter(None, (attrs.get("style") or "").split(";")):
            assert ALLOWED_STYLES.fullmatch(declaration.partition(":")[0]), declaration
            assert "var(" not in declaration
            assert "url(" not in declaration
        assert "src" not in attrs or EMBEDDED.fullmatch(attrs["src"] or "")
    return read


def bundles(shown: Any) -> dict[str, str]:
    bundle = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else views.mimebundle(shown)
    return dict(bundle)


def test_every_display_survives_the_sanitizer() -> None:
    for shown in displays():
        assert_survives(bundles(shown)["text/html"])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text: str) -> None:
    for record, tame in zip(every(text), every("words"), strict=True):
        html = views.mimebundle(record)["text/html"]
        tags = [tag for tag, _ in assert_survives(html).tags]
        assert tags == [tag for tag, _ in Page(views.mimebundle(tame)["text/html"]).tags]
        assert len(html) < 100_000


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_ready_blocks_is_only_text(text: str) -> None:
    memo = VoiceMemo(source="attachment", attachment_id=text)
    findings = [Finding(level="info", code=text, message=text)]
    card = views.draft_card(Draft(memo=memo, chat=text), text, findings, mode="LIVE", line=text, journal_note=text)
    for shown in (card, views.summary(text, [(text, text)]), views.findings(findings)):
        assert_survives(shown.html)


def test_text_and_html_show_the_same_facts() -> None:
    for shown in displays():
        bundle = bundles(shown)
        page_text = Page(bundle["text/html"]).text + " VoiceMemo Send Draft"
        for word in re.sub("[·:]", " ", bundle["text/plain"]).split():
            assert word in re.sub("[·:]", " ", page_text), (word, page_text)


def test_the_same_record_gives_the_same_bytes() -> None:
    memo = VoiceMemo.from_bytes(wav(), "tone.wav")
    again = VoiceMemo.from_bytes(wav(), "tone.wav")
    assert views.mimebundle(memo) == views.mimebundle(memo) == views.mimebundle(again)


def test_card_plays_the_bytes_that_go() -> None:
    data = wav()
    read = Page(views.mimebundle(VoiceMemo.from_bytes(data, "tone.wav"))["text/html"])
    (player,) = read.all("audio")
    kind, _, sound = (player["src"] or "").partition(";base64,")
    assert kind in ("data:audio/wav", "data:audio/x-wav")
    assert base64.b64decode(sound) == data
    assert "controls" in player
    assert "preview" not in read.text


def test_card_draws_the_waveform() -> None:
    (image,) = Page(views.mimebundle(VoiceMemo.from_bytes(wav(), "tone.wav"))["text/html"]).all("img")
    assert image["alt"] == "waveform of a 0:02 voice memo"
    root = ElementTree.fromstring(base64.b64decode((image["src"] or "").partition("base64,")[2]))
    assert root.tag.endswith("svg")
    assert "0:02" in "".join(root.itertext())


def spoken(frames: int) -> bytes:
    """An AMR file of that many frames of 20 ms, each a copy of the first frame of a real file."""
    data = (AUDIO / "hello.amr").read_bytes()
    frame = data[6 : 6 + (13, 14, 16, 18, 20, 21, 27, 32)[data[6] >> 3 & 15]]
    return data[:6] + frame * frames


@pytest.mark.parametrize("data", [spoken(301), b"half a file"], ids=["no decoder", "broken"])
def test_card_without_peaks_or_player_says_so(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    read = Page(views.mimebundle(replace(HELLO, data=data))["text/html"])
    assert read.all("img")[0]["alt"] == "a 0:04 voice memo"
    assert not read.all("audio")
    assert "pip install linq_nb[audio]" in read.text


@pytest.mark.parametrize(
    ("frames", "note"),
    [
        (310 * 50, r"plays a preview \(MP3, first \d:\d\d\), the memo itself is sent unchanged"),
        (150, r"plays a preview \(MP3\), the memo itself is sent unchanged"),
    ],
)
def test_card_says_when_it_plays_a_preview(frames: int, note: str) -> None:
    pytest.importorskip("av", reason="needs the audio extra")
    read = Page(views.mimebundle(replace(HELLO, data=spoken(frames)))["text/html"])
    assert re.search(note, read.text)
    assert str(read.all("audio")[0]["src"]).startswith("data:audio/mpeg;base64,")


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [(b"x" * 1_000_001, "audio/mpeg"), (b"x", 'audio/x" onerror="'), (b"x", "text/html")],
    ids=["too large", "hostile type", "not audio"],
)
def test_card_refuses_a_preview_that_does_not_fit(data: bytes, mime_type: str) -> None:
    preview = Preview(data=data, mime_type=mime_type, is_original=True, seconds=1.0, cut=False)
    assert card.playable(preview) is None
    assert card.playable(replace(preview, data=b"x", mime_type="audio/mpeg"))


def test_url_memo_shows_host_and_path_and_no_player() -> None:
    html = views.mimebundle(LINKED)["text/html"]
    read = Page(html)
    assert "cdn.example.com/a/memo.m4a" in read.text
    assert "outbox.fetch(memo) downloads it to hear it" in read.text
    assert not read.all("audio")
    assert not re.search("secret|Signature|user:pw|#part", html)


def test_fetched_url_memo_is_a_full_card() -> None:
    read = Page(views.mimebundle(LINKED.fetched(wav(), "memo.wav"))["text/html"])
    assert "cdn.example.com/a/memo.m4a" in read.text
    assert read.all("audio")


def big_wav(size_bytes: int = 10_000_000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((2, 2, 44_100, 0, "NONE", ""))
        writer.writeframes(bytes(range(256)) * ((size_bytes - 44) // 256))
    return out.getvalue()


@pytest.mark.parametrize("size_bytes", [999_000, 1_000_000, 1_010_000, 10_000_000])
def test_card_stays_below_its_size(size_bytes: int) -> None:
    memo = VoiceMemo.from_bytes(big_wav(size_bytes), "x" * 200 + ".wav")
    noisy = [Finding(level="warning", code="c" * 900, message="<" * 9000)] * 500
    card = views.draft_card(
        Draft(memo=memo, chat=ADAS), ADAS, noisy, mode="LIVE", line="+12025550100", journal_note="<" * 9000
    )
    assert len(views.mimebundle(memo)["text/html"].encode()) <= LARGEST
    assert len(card.html.encode()) <= LARGEST


def test_small_parts_are_small() -> None:
    html = views.mimebundle(replace(HELLO, data=None))["text/html"]
    assert len(html) < 4000


@pytest.mark.parametrize("ground", [page.BLUE, page.GREY, page.RED, page.AMBER, page.GREEN])
def test_white_text_has_contrast_on_every_background(ground: str) -> None:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(ground[i : i + 2], 16)) for i in (1, 3, 5))
    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_ipython_shows_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    for record in (HELLO, ADAS, QUEUED, views.findings([])):
        shown, _ = shell.display_formatter.format(record)
        assert {key: shown[key] for key in ("text/html", "text/plain")} == bundles(record)
    assert shell.display_formatter.format([ADAS])[0]["text/plain"] == f"[{views.line(ADAS)}]"
