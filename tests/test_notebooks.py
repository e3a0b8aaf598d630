"""The example notebooks: complete, clean, and harmless to run twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import executed

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
NAMES = [path.name for path in NOTEBOOKS]


@pytest.fixture(params=NOTEBOOKS, ids=NAMES)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebooks_that_the_readme_names_are_here() -> None:
    assert {"quickstart.ipynb", "errors.ipynb", "formats.ipynb"} <= set(NAMES)


def test_every_code_cell_was_run_in_order(notebook: Any) -> None:
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


def test_no_widget_state_is_stored(notebook: Any) -> None:
    assert "widgets" not in notebook.metadata


def test_no_output_is_an_error(notebook: Any) -> None:
    """A wanted error is caught and printed, in one line: papermill fails for any other, whatever the cell's tags."""
    for cell in code(notebook):
        assert not any(output.output_type == "error" for output in cell.outputs), cell.source
        if "as error:\n    print(error)" in cell.source:
            printed = _texts(cell)[-1].strip().splitlines()
            assert printed, cell.source
            assert printed[0].count(";") >= 1, printed


def test_nothing_private_is_stored(notebook: Any) -> None:
    stored = json.dumps([cell.outputs for cell in code(notebook)])
    for private in ("+1202555", "demo_4", "Bearer ", "whsec_", "signature=", "/root/", "/home/", "/tmp/"):
        assert private not in stored


def test_a_notebook_stays_small(notebook: Any) -> None:
    assert len(json.dumps(notebook)) < 2_000_000


def test_running_the_quick_start_twice_leaves_one_bubble_a_chat(shell: InteractiveShell, monkeypatch: Any) -> None:
    """Run All, and Run All again in the same kernel: the second run reports what the first one sent."""
    monkeypatch.chdir(NOTEBOOKS[0].parent)
    cells = [cell.source for cell in code(nbformat.read(NOTEBOOKS[0].parent / "quickstart.ipynb", as_version=4))]
    counts = []
    for _ in range(2):
        for source in cells:
            shell.run_cell(source, store_history=True)
        counts.append(dict(shell.user_ns["outbox"].demo.bubbles()))
    assert counts[0] == counts[1]
    assert set(counts[1].values()) == {1}
    again = shell.run_cell('%linq_voicememo {memo} --chat "Ada Lovelace"').result
    assert again.repeated
    text = again._repr_mimebundle_()["text/plain"]
    assert "already sent" in text
    assert "ago as message" in text
    assert "nothing sent; --copy 2 for another bubble" in text


@pytest.mark.host("nbclient (jupyter execute)", "card")
@pytest.mark.host("nbclient (jupyter execute)", "magics")
@pytest.mark.host("nbclient (jupyter execute)", "tables")
def test_the_quick_start_runs_headless_on_the_demo(tmp_path: Path, monkeypatch: Any) -> None:
    """As `jupyter execute` does it: without a key, and without an answer to a prompt."""
    for name in ("LINQ_API_V3_API_KEY", "LINQ_API_KEY", "LINQ_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    path = NOTEBOOKS[0].parent / "quickstart.ipynb"
    ran = executed(nbformat.read(path, as_version=4), path.parent)
    stored = nbformat.read(path, as_version=4)
    assert [_texts(cell) for cell in code(ran)] == [_texts(cell) for cell in code(stored)]


def run_by_papermill(name: str, result: Path, *parameters: str) -> None:
    pytest.importorskip("papermill")
    folder = NOTEBOOKS[0].parent
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3", "--cwd", str(folder)]
    done = subprocess.run([*command, *parameters, str(folder / name), str(result)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
@pytest.mark.host("papermill", "magics")
@pytest.mark.parametrize("name", ["quickstart.ipynb", "errors.ipynb", "formats.ipynb"])
def test_papermill_accepts_a_notebook_that_shows_errors(tmp_path: Path, name: str) -> None:
    """It ends with exit 1 for any output that is an error, whatever the cell's tags say."""
    run_by_papermill(name, tmp_path / name)
    ran = nbformat.read(tmp_path / name, as_version=4)
    stored = nbformat.read(NOTEBOOKS[0].parent / name, as_version=4)
    assert [_texts(cell) for cell in code(ran)] == [_texts(cell) for cell in code(stored)]


@pytest.mark.thorough
@pytest.mark.host("papermill", "report with parameters")
def test_papermill_makes_the_report_of_a_period(tmp_path: Path) -> None:
    page, result = tmp_path / "audit.html", tmp_path / "report.ipynb"
    run_by_papermill("audit_report.ipynb", result, "-p", "since", "3d", "-p", "tz", "UTC", "-p", "html", str(page))
    (cell,) = (
        cell
        for cell in code(nbformat.read(result, as_version=4))
        if "injected-parameters" in cell.metadata.get("tags", [])
    )
    assert 'since = "3d"' in cell.source
    assert "27 Feb 2026 09:00 to 2 Mar 2026 09:00, UTC" in page.read_text("utf-8")


@pytest.mark.thorough
def test_an_output_that_changed_fails(tmp_path: Path) -> None:
    """nbval compares strictly: a wrong number in a stored output fails."""
    folder = NOTEBOOKS[0].parent
    shutil.copy(folder / "conftest.py", tmp_path)
    tampered = nbformat.read(folder / "quickstart.ipynb", as_version=4)
    bubbles = next(cell for cell in code(tampered) if "bubbles(send" in cell.source)
    assert bubbles.outputs[0].data["text/plain"] == "1"
    bubbles.outputs[0].data["text/plain"] = "2"
    nbformat.write(tampered, tmp_path / "tampered.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider", "tampered.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout


def _texts(cell: Any) -> list[str]:
    """What a cell shows as text, and what it printed: a busy machine cuts one print into several outputs."""
    shown = [output.get("data", {}).get("text/plain", "") for output in cell.outputs if output.output_type != "stream"]
    printed = [output.text for output in cell.outputs if output.output_type == "stream"]
    return [*shown, "".join(printed)]
