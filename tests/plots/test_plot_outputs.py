"""Plots in a real kernel: a cell that ends in one has its picture once."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from shared import executed

PREPARE = """
import linq_nb
from linq_nb import plots, reports
outbox = linq_nb.connect(demo=True)
outbox.replay(outbox.demo.month(2_000))
frame = linq_nb.to_frame(outbox.sends())
import linq_nb.accessor
by_chat = reports.errors(frame, by=("chat_id", "chat_name"))
"""
CELLS = [
    *(f"frame.linq.plot.{name}()" for name in ("timeline", "latency", "funnel", "errors")),
    "plots.timeline(frame)", "plots.latency(frame)", "plots.funnel(reports.funnel(frame))", "plots.errors(by_chat)",
    "plots.errors(by_chat.head(0))", "ax = plots.errors(by_chat)", "plots.errors(by_chat);",
    "from matplotlib import pyplot\n_, axes = pyplot.subplots(1, 2)\nplots.errors(by_chat, axes[0])\n"
    "plots.latency(frame, axes[1])",
    "%matplotlib inline\nplots.errors(by_chat)",
    "%config InlineBackend.figure_formats = ['svg']\nplots.errors(by_chat)",
]  # fmt: skip


@pytest.mark.filterwarnings("default")  # of Jupyter's own
def test_each_plot_is_one_picture_in_a_kernel(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (PREPARE, *CELLS)]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    executed(notebook, tmp_path)
    pictures = {
        cell.source: [kind for output in cell.outputs for kind in output.get("data", {}) if kind.startswith("image/")]
        for cell in notebook.cells[1:]
    }
    assert {source: len(kinds) for source, kinds in pictures.items()} == dict.fromkeys(CELLS, 1)
