"""The form outside JupyterLab: Notebook 7 and Voila, both of the same server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import Guard, Lab
from forming import FORM, FormPage, tone

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

VOILAS_OWN = re.compile(
    r"https://(cdnjs\.cloudflare\.com|cdn\.jsdelivr\.net|unpkg\.com)/.*(font-?awesome|icon|mathjax)", re.I
)
"""Voila's page template links an icon font and MathJax on a CDN; nothing of ours does."""

SEVENS_OWN = "Cannot read properties of undefined (reading 'schema')"
"""Notebook 7.6 says so of its own settings when it opens any notebook."""


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
    expect(form.button("Already sent 0:03 to 2 chats")).to_be_visible()
    expect(form.at.get_by_role("row", name=re.compile("^queued Book Club"))).to_be_visible()


@pytest.mark.host("Notebook 7", "form")
def test_notebook_7_sends(lab: Lab, other_page: Any, tmp_path: Path) -> None:
    pytest.importorskip("notebook")
    written(lab, "seven.ipynb")
    with Guard(other_page, lab.url) as guard:
        other_page.goto(f"{lab.url}/notebooks/seven.ipynb?token={lab.token}")
        expect(other_page.locator(".jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator").first).to_be_visible()
        run_first_cell(other_page)
        sends_a_memo(FormPage(other_page.locator(".jp-OutputArea").first), tone(tmp_path / "hello.wav"))
        expect(other_page.get_by_text("DEMO: sent from this form")).to_be_visible()
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
