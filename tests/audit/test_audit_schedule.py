"""The notebook of the audit runs on a schedule: papermill puts a cell of parameters after the one with the tag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from shared import executed

import linq_nb

pytestmark = pytest.mark.thorough

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "audit_report.ipynb"


def injected(notebook: Any, **values: Any) -> Any:
    """Add the cell of parameters as papermill does: right after the cell with the tag ``parameters``."""
    (place,) = [at for at, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    source = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in values.items())])
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]}))
    return notebook


def test_papermills_parameters_choose_period_zone_and_files(tmp_path: Path) -> None:
    values = {"since": "3d", "tz": "UTC", "html": "week.html", "xlsx": "week.xlsx"}
    notebook = injected(nbformat.read(NOTEBOOK, as_version=4), **values)
    ran = executed(notebook, tmp_path)
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.replay(outbox.demo.month(5_000))
        wanted = linq_nb.audit(outbox, since="3d", tz="UTC")
    assert (tmp_path / "week.html").read_text("utf-8") == wanted.to_html()
    assert (tmp_path / "week.xlsx").stat().st_size > 5_000
    shown = [out.data["text/plain"] for cell in ran.cells for out in cell.get("outputs", []) if "data" in out]
    assert shown[:2] == [repr(wanted), repr(wanted.headline)]


def test_each_parameter_is_in_the_tagged_cell_and_the_schedule_names_only_those() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (parameters,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    scope: dict[str, Any] = {}
    exec(parameters.source, scope)  # the test is of what this cell binds
    line = next(line for line in cells[0].source.splitlines() if line.startswith("0 7 * * 1"))
    named = {word for before, word in zip(line.split(), line.split()[1:], strict=False) if before == "-p"}
    assert named <= scope.keys()
    assert {"demo", "html", "xlsx"} <= named
