"""How long the form takes to open, and its list to answer: ``python tests/bench/bench_form.py [--chats 1000]``.

In JupyterLab and the system's Chromium on the demo. Opening counts from running the cell to the drawn form and to its
drawn list, filtering from a key to the painted list. The budgets are 500 and 100 ms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from browsing import Guard, Notebook, missing, open_page, running_lab

SETUP = """import linq_nb
outbox = linq_nb.connect(demo=True, fresh=True)
_ = outbox.demo.add_chats({} - len(outbox.chats()))"""
FORM = "linq_nb.SendForm(outbox)"
QUERIES = ("c", "cu", "customer 0", "customer 07", "0123", "+1203", "zzz", "", "imessage 5", "customer 0999", "")

OPEN = """async (index) => {
  const app = window.jupyterapp, panel = app.shell.currentWidget, node = panel.content.widgets[index].node;
  panel.content.activeCellIndex = index; panel.content.deselectAll();
  const start = performance.now();
  app.commands.execute('notebook:run-cell');
  const times = [];
  for (const part of ['.linq-nb-input', '.linq-nb-option']) {
    while (!node.querySelector(part)) await new Promise(requestAnimationFrame);
    times.push(performance.now() - start);
  }
  return times;
}"""
FILTER = """async ([index, query]) => {
  const input = window.jupyterapp.shell.currentWidget.content.widgets[index].node.querySelector('.linq-nb-input');
  const start = performance.now();
  input.value = query;
  input.dispatchEvent(new Event('input', {bubbles: true}));
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame); // painted
  return performance.now() - start;
}"""


def measured(page: Any, notebook: Notebook, chats: int) -> tuple[list[list[float]], list[float]]:
    """Return the milliseconds of opening three forms, the first in a kernel that had none, and of each filter."""
    notebook.open(SETUP.format(chats), FORM, FORM, FORM)
    notebook.run(0)
    opened = [page.evaluate(OPEN, index) for index in (1, 2, 3)]
    filtered = [page.evaluate(FILTER, [3, query]) for query in QUERIES]
    return opened, filtered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=1000)
    chats = parser.parse_args().chats
    if reason := missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "notebooks"
        root.mkdir()
        with running_lab(root, Path(folder) / "jupyter") as lab, open_page(lab) as page, Guard(page, lab.url) as guard:
            opened, filtered = measured(page, Notebook(page, lab, "bench"), chats)
        guard.check()
    print(f"{chats} chats | first form, its list | next forms | filter, median | filter, slowest |")
    first, later = (f"{form:.0f}, {listed:.0f}" for form, listed in (opened[0], map(max, *opened[1:])))
    print(f"ms | {first} | {later} | {sorted(filtered)[len(filtered) // 2]:.0f} | {max(filtered):.0f} |")


if __name__ == "__main__":
    main()
