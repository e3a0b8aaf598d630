"""The manual builds without a warning and without the network, its code runs, and every name in it exists."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO, ROOT

import linq_nb
import linq_nb.accessor
from linq_nb import settings
from linq_nb.magics.commands_spec import BATCH, COMMANDS

NOTEBOOKS = ROOT / "notebooks"
PAGES = sorted(NOTEBOOKS.glob("*.md"))
BLOCK = re.compile(r"^( *)(?:% (not run|raises): (.+)\n *)?```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
TEXTS = {page.name: page.read_text("utf-8") for page in [*PAGES, ROOT / "README.md"]} | {
    path.name: "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
}


class Page(HTMLParser):
    """The ``ids`` of a page, the ``links`` that a reader clicks, and the ``resources`` that a browser loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids.add(values.get("id", ""))
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif values.get("rel") not in ("index", "search", "next", "prev"):
            self.resources += [values[name] for name in ("src", "href", "srcset", "data", "poster") if name in values]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("myst_nb")
    folder = tmp_path_factory.mktemp("manual")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "trees"]
    done = subprocess.run([*command, NOTEBOOKS, folder / "html"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[str, Page]:
    return {file.name: Page(file) for file in built.glob("*.html")}


@pytest.mark.thorough
def test_every_link_leads_to_a_page_and_a_place_in_it(built: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in ("https", "mailto"), f"{name}: {link}"
                continue
            target = unquote(parts.path) or name
            assert (built / target).exists(), f"{name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{name}: {link}"


@pytest.mark.thorough
def test_the_pages_load_nothing_from_another_host(built: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for resource in page.resources:
            assert urlsplit(resource).scheme in ("", "data"), f"{name}: {resource[:100]}"
            assert not resource.startswith("//"), f"{name}: {resource[:100]}"
    for sheet in built.rglob("*.css"):
        loaded = re.findall(r"(?:@import|url\()\s*['\"]?((?:https?:)?//[^'\")]+)", sheet.read_text("utf-8"))
        assert not loaded, sheet.name


@pytest.mark.thorough
def test_every_page_and_notebook_is_in_the_contents(built: Path, pages: dict[str, Page]) -> None:
    stems = {path.stem for path in [*PAGES, *NOTEBOOKS.glob("*.ipynb")]}
    linked = {urlsplit(link).path.removesuffix(".html") for link in pages["index.html"].links}
    assert stems - {"index"} <= linked


@pytest.mark.thorough
def test_every_public_name_is_in_the_api(pages: dict[str, Page]) -> None:
    ids = pages["api.html"].ids
    for name in linq_nb.__all__:
        value = getattr(linq_nb, name)
        if name.endswith("_ipython_extension"):  # called by IPython only
            continue
        if inspect.ismodule(value):
            functions = [item for item, function in vars(value).items() if inspect.isfunction(function)]
            own = [item for item in functions if getattr(value, item).__module__ == value.__name__]
            names = [f"{name}.{item}" for item in own if not item.startswith("_")]
        else:
            names = [name]
        for full in names:
            assert f"linq_nb.{full}" in ids
    for record in (linq_nb.VoiceMemo, linq_nb.Send, linq_nb.Event, linq_nb.Chat, linq_nb.Draft):
        for attribute in filter(lambda name: not name.startswith("_"), dir(record)):
            assert f"linq_nb.{record.__name__}.{attribute}" in ids
    for method in _public(linq_nb.Outbox):
        assert f"linq_nb.Outbox.{method}" in ids
    for method in _public(linq_nb.accessor.LinqAccessor):
        assert f"linq_nb.accessor.LinqAccessor.{method}" in ids


def _public(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


@pytest.mark.thorough
def test_the_tables_are_complete(built: Path) -> None:
    from linq_nb.catalog import CODES
    from linq_nb.frames import COLUMNS
    from linq_nb.status import STATUSES

    def cells(page: str) -> list[str]:
        rows = re.findall(r"<td[^>]*>(.*?)</td>", (built / f"{page}.html").read_text("utf-8"), re.DOTALL)
        return [re.sub(r"<[^>]+>", "", row).strip() for row in rows]

    assert set(STATUSES) <= set(cells("statuses"))
    assert cells("error-codes").count("") == 0
    assert len(re.findall("<tr", (built / "error-codes.html").read_text("utf-8"))) == len(CODES) + 1
    for columns in COLUMNS.values():
        assert set(columns) <= set(cells("columns"))
    options = {option for command in [*COMMANDS.values(), BATCH] for option in command.options}
    assert options <= {cell.split()[0] for cell in cells("magics") if cell}


# --- names in the texts exist -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_the_magics_and_options_that_a_text_names_exist(name: str) -> None:
    for magic, rest in re.findall(r"%(linq_\w+)((?:[^`\n]|\{[^}]*\})*)", TEXTS[name]):
        assert magic in COMMANDS, magic
        options = COMMANDS[magic].options.keys() | (BATCH.options.keys() if magic == "linq_voicememo" else set())
        for option in re.findall(r"(?<=\s)--[a-z][\w-]*", rest.split(" #")[0]):
            assert option in options, f"%{magic} {option}"


@pytest.mark.parametrize("name", TEXTS)
def test_the_python_names_that_a_text_names_exist(name: str) -> None:
    roots = {
        "linq_nb": linq_nb, "outbox": linq_nb.connect(demo=True), "VoiceMemo": linq_nb.VoiceMemo,
        "reports": linq_nb.reports, "outbox.demo": linq_nb.connect(demo=True).demo,
        "df.linq": linq_nb.accessor.LinqAccessor,
    }  # fmt: skip
    for root, attribute in re.findall(
        r"(?<![\w./-])(outbox\.demo|df\.linq|linq_nb|outbox|VoiceMemo|reports)\.([a-z]\w*)\b(?!/)", TEXTS[name]
    ):
        if (root, attribute) == ("linq_nb", "json"):
            continue
        module = ROOT / "linq_nb" / attribute
        is_module = root == "linq_nb" and (module.is_dir() or module.with_suffix(".py").exists())
        assert is_module or hasattr(roots[root], attribute), f"{root}.{attribute}"


@pytest.mark.parametrize("name", TEXTS)
def test_the_extras_variables_and_files_that_a_text_names_exist(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for names in re.findall(r'(?:linq_nb|"\.)\[([\w,]+)\]', TEXTS[name]):
        assert set(names.split(",")) <= set(extras), names
    variables = {value for key, value in vars(settings).items() if key.endswith("_VARIABLE")} | set(
        settings.KEY_VARIABLES
    )
    assert set(re.findall(r"\bLINQ_[A-Z0-9_]+\b", TEXTS[name])) <= variables | {"LINQ_WEBHOOK_SECRET"}
    for file in re.findall(r"(?<![\w./-])(?:tests|notebooks|linq_nb)/[\w/.]+\.\w+\b", TEXTS[name]):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("name", TEXTS)
def test_the_options_of_the_commands_that_a_text_names_exist(name: str) -> None:
    sys.path.insert(0, str(NOTEBOOKS))
    try:
        from _reference import command_help
    finally:
        sys.path.remove(str(NOTEBOOKS))
    for module, rest in re.findall(r"python -m (linq_nb\.\w+)([^`\n]*)", TEXTS[name]):
        options = re.findall(r"(?<=\s)--[a-z][\w-]*", rest)
        if options:
            assert set(options) <= set(re.findall(r"--[a-z][\w-]*", command_help(module))), module


# --- the code runs ------------------------------------------------------------------------------------------------


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Return the blocks of code of a page, each with its language and the error that it is to raise."""
    matches = BLOCK.findall(page.read_text("utf-8"))
    return [
        (kind, inspect.cleandoc(code), why if mark == "raises" else "")
        for _, mark, why, kind, code in matches
        if mark != "not run"
    ]


RUNNABLE = [page for page in PAGES if any(kind in ("python", "ipython") for kind, _, _ in blocks(page))]


@pytest.mark.parametrize("page", RUNNABLE, ids=[page.stem for page in RUNNABLE])
def test_the_code_of_a_page_runs_on_the_demo(
    page: Path, shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(AUDIO / "hello.m4a", tmp_path)
    for kind, code, error in blocks(page):
        if kind not in ("python", "ipython"):
            continue
        result = shell.run_cell(code)
        raised = result.error_before_exec or result.error_in_exec
        assert (type(raised).__name__ if raised else "") == error, f"{code}\n{raised}"
    with pd.option_context("display.width", 200):
        pass


def test_only_blocks_with_a_reason_are_not_run() -> None:
    for page in PAGES:
        kinds = {kind for kind, _, _ in blocks(page)}
        assert kinds <= {"python", "ipython", "text", ""}, f"{page.name}: {kinds}"


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".ipynb")])
def test_a_notebook_begins_with_a_question_and_ends_with_the_next_steps(name: str) -> None:
    cells = nbformat.read(NOTEBOOKS / name, as_version=4).cells
    assert re.match(r"# .+\?\n", cells[0].source)
    assert cells[-1].source.startswith("## What next\n")
