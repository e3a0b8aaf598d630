"""The time that ``%load_ext linq_nb`` and ``%linq_voicememo --help`` add to bare IPython; run it as a script.

Each repetition starts fresh interpreters in turns, so that other load of the machine affects all alike:
bare IPython, one that loads an extension which only registers a magic, and one that loads ours and asks for help.
Printed is the time for which the cells ran, in ms; the cost is the difference of the medians, and of the minima.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[2]
BUDGET_MS = 40

CODE = """
import contextlib, io, json, sys, time
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
times = []
with contextlib.redirect_stdout(io.StringIO()):
    for cell in ["1", *json.loads(sys.argv[1])]:
        start = time.perf_counter()
        assert shell.run_cell(cell).success, cell
        times.append(1000 * (time.perf_counter() - start))
print(json.dumps(times[1:]))
"""
NOTHING = "def load_ipython_extension(shell):\n    shell.register_magic_function(print, magic_name='nothing')\n"
CELLS = {
    "bare IPython": ["1", "2"],
    "registers only": ["%load_ext registers_only", "2"],
    "linq_nb": ["%load_ext linq_nb", "%linq_voicememo --help"],
}


def measure(cells: list[str], home: Path) -> list[float]:
    """Run cells in a fresh interpreter; returns the milliseconds of each."""
    path = os.pathsep.join([str(HERE), str(home)])
    environ = {**os.environ, "PYTHONPATH": path, "IPYTHONDIR": str(home), "HOME": str(home)}
    environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home / "byte code")}  # as installed
    ran = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(cells)], env=environ, check=True, capture_output=True, text=True
    )
    return [float(ms) for ms in json.loads(ran.stdout)]


def main(repetitions: int = 15) -> None:
    """Measure all side by side and print a table."""
    measured: dict[str, list[list[float]]] = {name: [] for name in CELLS}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "registers_only.py").write_text(NOTHING)
        for _ in range(repetitions + 1):  # the first writes the byte code and is not counted
            for name, cells in CELLS.items():
                measured[name].append(measure(cells, Path(folder)))
    totals = {name: [sum(times) for times in all_times[1:]] for name, all_times in measured.items()}
    bare = totals["bare IPython"]
    print(f"{repetitions} repetitions, Python {sys.version.split()[0]}; ms")
    print(f"{'':16}{'first cell':>12}{'second':>9}{'cost, median':>15}{'cost, least':>13}")
    for name, total in totals.items():
        first, second = (statistics.median(times[index] for times in measured[name][1:]) for index in (0, 1))
        cost = statistics.median(total) - statistics.median(bare)
        least = min(total) - min(bare)
        print(f"{name:16}{first:>12.1f}{second:>9.1f}{cost:>15.1f}{least:>13.1f}")
    print(f"budget for linq_nb: {BUDGET_MS} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
