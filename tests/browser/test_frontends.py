"""The form outside JupyterLab: Notebook 7 and Voila, both of the same server; and marimo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import Guard, Lab, free_port
from forming import FORM, WENT, FormPage, tone
from shared import wait_for

import linq_nb

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

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


@pytest.fixture
def other_page(lab: Lab, lab_page: Any) -> Iterator[Any]:
    """A page of its own beside JupyterLab's, from which nothing leaves the machine."""
    page = lab_page.context.new_page()
    page.set_default_timeout(60_000)
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
        expect(other_page.locator(".jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator").first).to_be_visible()
        run_first_cell(other_page)
        sends_a_memo(FormPage(other_page.locator(".jp-OutputArea").first), tone(tmp_path / "hello.wav"))
    guard.errors = [error for error in guard.errors if error != SEVENS_OWN]
    guard.check()


@pytest.mark.host("Voila", "form")
def test_voila_sends(lab: Lab, other_page: Any, tmp_path: Path) -> None:
    """Voila's page is no notebook: it renews no static output, so the form alone shows what was sent."""
    pytest.importorskip("voila")
    written(lab, "voila.ipynb")
    with Guard(other_page, lab.url) as guard:
        other_page.goto(f"{lab.url}/voila/render/voila.ipynb?token={lab.token}")
        sends_a_memo(FormPage(other_page.locator("body")), tone(tmp_path / "hello.wav"))
    guard.foreign = [url for url in guard.foreign if not VOILAS_OWN.match(url)]
    guard.check()


@pytest.fixture
def marimo_url(tmp_path: Path) -> Iterator[str]:
    """The address of a marimo app with the form."""
    pytest.importorskip("marimo", reason="marimo is not installed")
    (tmp_path / "app.py").write_text(MARIMO)
    url = f"http://127.0.0.1:{free_port()}"
    here = os.pathsep.join(
        path for path in (str(Path(linq_nb.__path__[0]).parent), os.environ.get("PYTHONPATH")) if path
    )
    with (tmp_path / "log").open("w") as log, subprocess.Popen(
        [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token", "--port", url.rpartition(":")[2]],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": here, "HOME": str(tmp_path)}, stdout=log, stderr=log,
    ) as server:  # fmt: skip
        try:
            wait_for(lambda: server.poll() is not None or answers(f"{url}/health"))
            assert server.poll() is None, (tmp_path / "log").read_text()
            yield url
        finally:
            server.terminate()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.URLError:
        return False


@pytest.mark.host("marimo", "form")
def test_marimo_sends(lab_page: Any, marimo_url: str, tmp_path: Path) -> None:
    """``mo.ui.anywidget(form)`` is drawn, holds what is chosen, sends and follows; another cell reads its value."""
    page = lab_page.context.new_page()
    try:
        with Guard(page, marimo_url) as guard:
            page.goto(marimo_url)
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


def run_first_cell(page: Any) -> None:
    """Run the cell as soon as a kernel is there to run it: before that, a press is lost."""
    for _ in range(20):
        page.locator(".jp-Notebook-cell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        try:
            page.get_by_role("combobox", name="To", exact=True).wait_for(timeout=10_000)
        except Exception:  # noqa: BLE001  playwright's timeout: press again
            continue
        return
    pytest.fail("the cell did not run")
