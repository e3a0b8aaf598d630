"""The JupyterLite site: it is built by one command without the network, with our wheel and the notebooks."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from shared import ROOT

import linq_nb

pytestmark = pytest.mark.thorough

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WHEEL = f"linq_nb-{linq_nb.__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in ("jupyterlite_core", "jupyterlite_pyodide_kernel", "hatchling"):
        pytest.importorskip(tool)
    folder = tmp_path_factory.mktemp("lite") / "site"
    before = set(ROOT.iterdir())
    command = [sys.executable, ROOT / "notebooks" / "lite" / "build.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert set(ROOT.iterdir()) - before <= {ROOT / ".hypothesis"}  # another test may make that meanwhile
    return folder


@pytest.mark.host("JupyterLite", "site")
def test_the_site_serves_our_wheel(site: Path) -> None:
    with zipfile.ZipFile(site / "pypi" / WHEEL) as wheel:
        names = set(wheel.namelist())
    assert {"linq_nb/__init__.pyi", "linq_nb/demo/audio/hello.mp3", "linq_nb/board.js"} <= names
    index = json.loads((site / "pypi" / "all.json").read_text("utf-8"))
    (release,) = index["linq-nb"]["releases"][linq_nb.__version__]
    assert release["filename"] == WHEEL
    settings = json.loads((site / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]
    assert settings["defaultKernelName"] == "python"
    assert "pypi/all.json" in json.dumps(settings["litePluginSettings"])
    extensions = {extension["name"] for extension in settings["federated_extensions"]}
    assert {"@jupyter-widgets/jupyterlab-manager", "anywidget"} <= extensions


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_there_and_installs_linq_nb_first(site: Path, notebook: Path) -> None:
    listed = json.loads((site / "api" / "contents" / "all.json").read_text("utf-8"))["content"]
    assert notebook.name in {entry["name"] for entry in listed}
    ours = nbformat.read(notebook, as_version=4)
    theirs = nbformat.read(site / "files" / notebook.name, as_version=4)
    nbformat.validate(theirs)
    assert theirs.metadata["kernelspec"]["name"] == "python"
    assert theirs.cells[0].source == "%pip install -q linq_nb"
    assert [cell.source for cell in theirs.cells[1:]] == [cell.source for cell in ours.cells]
