"""Build a JupyterLite site with linq_nb and its notebooks: ``python notebooks/lite/build.py [FOLDER]`` (build/lite).

It needs ``pip install -e ".[lite]"``, and no network. The pages need none of this machine: any web server can serve
the folder.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve().parent
NOTEBOOKS, PROJECT = HERE.parent, HERE.parent.parent
KERNEL = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
INSTALL = "%pip install -q linq_nb"


def build(folder: Path) -> None:
    """Make the wheel, copy the notebooks, and build the site from both."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary)
        shutil.copy(HERE / "jupyter-lite.json", source)
        run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(source / "pypi"), str(PROJECT))
        (source / "files").mkdir()
        for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
            copy(notebook, source / "files" / notebook.name)
        # it leaves a file of its own where it runs
        run("jupyterlite_core.app", "build", "--lite-dir", ".", "--output-dir", str(folder.resolve()), folder=source)


def copy(notebook: Path, target: Path) -> None:
    """Copy a notebook for the browser's kernel, with a first cell that installs linq_nb from the site."""
    content = nbformat.read(notebook, as_version=4)
    content.metadata["kernelspec"] = KERNEL
    content.cells.insert(0, nbformat.v4.new_code_cell(INSTALL, id="install"))
    nbformat.write(content, target)


def run(module: str, *arguments: str, folder: Path = PROJECT) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build a JupyterLite site with linq_nb and its notebooks.")
    parser.add_argument("folder", nargs="?", type=Path, default=PROJECT / "build" / "lite", help="build/lite")
    build(parser.parse_args().folder)
