"""Run the example notebooks on the demo and store their outputs: ``python tests/remake_notebooks.py [NAME ...]``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from shared import executed

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def remake(path: Path) -> None:
    """Run one notebook from top to bottom in a fresh kernel and write it back without widget state and times."""
    notebook = nbformat.read(path, as_version=4)
    executed(notebook, path.parent, coalesce_streams=True)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not sys.argv[1:] or file.stem in sys.argv[1:]:
            remake(file)
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
