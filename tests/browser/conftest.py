"""One JupyterLab and one page for all browser tests, one notebook with its own kernel for each.

Without Chromium, Playwright or JupyterLab they are skipped; under ``LINQ_NB_REQUIRE_BROWSER=1`` they fail.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import PATIENCE_MS, Guard, Lab, Notebook, missing, open_page, running_lab

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember a failure, so that the notebook fixture can take its picture."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    reason = missing()
    if reason and os.environ.get("LINQ_NB_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with running_lab(tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture(scope="session")
def lab_page(lab: Lab) -> Iterator[Any]:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    with open_page(lab, viewport={"width": 1280, "height": 900}) as page:
        yield page


@pytest.fixture
def notebook(lab: Lab, lab_page: Any, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook to open; the test fails when its page has a script error or asks for a foreign URL."""
    book = Notebook(lab_page, lab, re.sub(r"\W+", "_", request.node.name).strip("_"))
    with Guard(lab_page, lab.url) as guard:
        yield book
        if request.node.stash.get(FAILED, False):
            picture = lab.root / f"{book.name}.png"
            lab_page.screenshot(path=picture)
            print(f"picture of the failure: {picture}\n{lab.log.read_text()[-1500:]}")
        book.close()
    guard.check()
