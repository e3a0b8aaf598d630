"""The form outside JupyterLab: Notebook 7 and Voila, both of the same server; and marimo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import Guard, Lab, Notebook, free_port
from forming import FORM, WENT, FormPage, tone
from shared import wait_for

import linq_nb

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.thorough]

VOILAS_OWN = re.compile(
    r"https://(cdnjs\.cloudflare\.com|cdn\.jsdelivr\.net|unpkg\.com)/.*(font-?awesome|icon|mathjax)", re.I
)
"""Voila's page template links an icon font and MathJax on a CDN; nothing of ours does."""

SEVENS_OWN = "Cannot read properties of undefined (reading 'schema')"
"""Notebook 7.6 says so of its own settings when it opens any notebook."""


MARIMO = """import marimo
app = marimo.App()

@app.cell
def _():
    import marimo as mo
    import linq_nb
    outbox = linq_nb.connect(demo=True, fresh=True)
    form = mo.ui.anywidget(linq_nb.SendForm(outbox))
    form
    return form, mo, outbox

@app.cell
def _(form, mo, outbox):
    mo.md(f"chosen: {len(form.value['chosen'])}; sent: {sum(outbox.demo.bubbles().values())}")
    return
"""
"""A notebook of marimo: the second cell runs again whenever the form's value changes."""

MARIMO_OTHERS = """import marimo
app = marimo.App()

@app.cell
def _():
    import marimo as mo
    import linq_nb
    outbox = linq_nb.connect(demo=True, fresh=True)
    memo = linq_nb.VoiceMemo.from_file(linq_nb.demo.sample("hello.mp3"))
    sends = [outbox.send(memo, name) for name in ("Ada Lovelace", "Grace Hopper")]
    return linq_nb, memo, mo, outbox, sends

@app.cell
def _(linq_nb, mo, outbox, sends):
    mo.ui.anywidget(linq_nb.StatusBoard(outbox))
    return

@app.cell
def _(linq_nb, mo, outbox, sends):
    mo.ui.anywidget(linq_nb.Explorer(outbox))
    return

@app.cell
def _(linq_nb, mo):
    mo.ui.anywidget(linq_nb.Recorder())
    return

@app.cell
def _(memo):
    memo
    return

@app.cell
def _(memo, outbox):
    outbox.send(memo, "Kim Opted Out")
    return
"""


@pytest.fixture
def other_page(lab: Lab, lab_page: Any) -> Iterator[Any]:
    """A page of its own beside JupyterLab's, from which nothing leaves the machine."""
    page = lab_page.context.new_page()
    page.route(lambda url: not url.startswith((lab.url, "data:", "blob:")), lambda route: route.abort())
    yield page
    page.close()


def written(lab: Lab, name: str) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FORM)])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.root / name)


def sends_a_memo(form: FormPage, file: Path) -> None:
    form.choose("Ada Lovelace", "Book Club").upload(file)
    form.button("^Send 0:03 to 2 chats").click()
    for name in ("Ada Lovelace", "Book Club"):
        expect(form.recipient(name, WENT)).to_be_visible()


@pytest.mark.host("Notebook 7", "form")
def test_notebook_7_sends(lab: Lab, other_page: Any, tmp_path: Path) -> None:
    pytest.importorskip("notebook")
    written(lab, "seven.ipynb")
    with Guard(other_page, lab.url) as guard:
        other_page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
        Notebook(other_page, lab, "seven").ready().run(0)
        sends_a_memo(FormPage(other_page.locator(".jp-OutputArea").first), tone(tmp_path / "hello.wav"))
    guard.errors = [error for error in guard.errors if error != SEVENS_OWN]
    guard.check()


@pytest.mark.host("Voila", "form")
def test_voila_sends(lab: Lab, other_page: Any, tmp_path: Path) -> None:
    """Voila's page is no notebook: it renews no static output, so only the form shows the sends."""
    pytest.importorskip("voila")
    written(lab, "voila.ipynb")
    with Guard(other_page, lab.url) as guard:
        other_page.goto(f"{lab.url}/voila/render/voila.ipynb?token={lab.token}")
        sends_a_memo(FormPage(other_page.locator("body")), tone(tmp_path / "hello.wav"))
    guard.foreign = [url for url in guard.foreign if not VOILAS_OWN.match(url)]
    guard.check()


@pytest.fixture
def marimo(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Give a function that starts an app of marimo and returns its address."""
    pytest.importorskip("marimo", reason="marimo is not installed")
    here = os.pathsep.join(
        path for path in (str(Path(linq_nb.__path__[0]).parent), os.environ.get("PYTHONPATH")) if path
    )
    servers: list[subprocess.Popen[bytes]] = []

    def run(app: str) -> str:
        (tmp_path / "app.py").write_text(app)
        url = f"http://127.0.0.1:{free_port()}"
        options = ["--headless", "--no-token", "--show-tracebacks", "--port", url.rpartition(":")[2]]
        with (tmp_path / "log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "marimo", "run", "app.py", *options], cwd=tmp_path, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": here, "HOME": str(tmp_path)},
            )  # fmt: skip
        servers.append(server)
        wait_for(lambda: server.poll() is not None or answers(f"{url}/health"))
        assert server.poll() is None, (tmp_path / "log").read_text()
        return url

    yield run
    for server in servers:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.host("marimo", "form")
def test_marimo_sends(lab_page: Any, marimo: Callable[[str], str], tmp_path: Path) -> None:
    """``mo.ui.anywidget(form)`` is drawn, holds the choice, sends and follows; another cell reads its value."""
    page, url = lab_page.context.new_page(), marimo(MARIMO)
    try:
        with Guard(page, url) as guard:
            page.goto(url)
            form = FormPage(page.locator("body"))
            sends_a_memo(form, tone(tmp_path / "hello.wav"))
            form.button("^Send to others$").click()
            form.choose("Grace Hopper")
            expect(page.get_by_text("chosen: 1; sent: 2")).to_be_visible()
            form.button("^Record$").click()
            expect(form.at.get_by_role("alert")).to_contain_text("record with linq_nb.Recorder() in a cell of its own")
        guard.check()
    finally:
        page.close()


@pytest.mark.host("marimo", "card")
@pytest.mark.host("marimo", "status board")
@pytest.mark.host("marimo", "explorer")
@pytest.mark.host("marimo", "recorder")
@pytest.mark.host("marimo", "errors")
def test_marimo_shows_the_other_widgets_and_errors(lab_page: Any, marimo: Callable[[str], str]) -> None:
    """An app hides what its cells raise, unless it is started with ``--show-tracebacks``."""
    page, url = lab_page.context.new_page(), marimo(MARIMO_OTHERS)
    try:
        with Guard(page, url) as guard:
            page.goto(url)
            expect(page.locator(".linq-board")).to_contain_text("2 of 2 settled")
            explorer = page.locator(".linq-x")
            explorer.get_by_role("combobox", name="Chat").select_option(label="Ada Lovelace")
            expect(explorer.get_by_text("1–1 of 1")).to_be_visible()
            expect(page.get_by_text("Press Record. You can listen before anything is sent.")).to_be_visible()
            page.get_by_role("button", name="Record", exact=True).click()
            expect(page.get_by_role("button", name="Record", exact=True)).to_be_hidden()
            expect(page.locator("audio[controls]").first).to_be_visible()
            expect(page.get_by_text("the recipient opted out: do not send").first).to_be_visible()
        guard.check()
    finally:
        page.close()
