"""``df.linq`` is there after ``to_frame``, after a magic that returns a frame, and in the cell after pandas' import."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

LOAD = "%load_ext linq_nb"
CELLS = {
    "pandas is imported after the extension": [LOAD, "import pandas as pd", "df = pd.DataFrame()"],
    "pandas is imported before the extension": ["import pandas as pd", LOAD + "\ndf = pd.DataFrame()"],
    "the extension is loaded again": [LOAD, "import pandas as pd", "%reload_ext linq_nb", "df = pd.DataFrame()"],
    "pandas fails to load at first": [
        LOAD,
        "import sys; sys.modules['numpy'] = None",
        "try: import pandas\nexcept ImportError: del sys.modules['numpy']",
        "import pandas as pd",
        "df = pd.DataFrame()",
    ],
    "a magic returns a frame in the same cell": [LOAD + "\ndf = %linq_errors"],
    "to_frame is looked up": ["import linq_nb\ndf = linq_nb.to_frame([])"],
    "the accessor is imported": ["import linq_nb.accessor, pandas as pd; df = pd.DataFrame()"],
}


def has_accessor(cells: list[str]) -> str:
    """Run cells in a notebook's shell of its own, the last with ``print`` of whether ``df`` has the accessor."""
    *before, last = cells
    code = f"""
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
        config = Config()
        config.HistoryManager.enabled = False
        shell = InteractiveShell.instance(config=config)
        for cell in {[*before, last + chr(10) + "print(hasattr(df, 'linq'))"]!r}:
            result = shell.run_cell(cell)
            result.raise_error()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("case", CELLS)
def test_a_frame_has_the_accessor(case: str) -> None:
    assert has_accessor(CELLS[case]) == "True"


def test_an_unloaded_extension_registers_nothing() -> None:
    cells = [LOAD, "%unload_ext linq_nb", "import pandas as pd", "df = pd.DataFrame()"]
    assert has_accessor(cells) == "False"


def test_nothing_of_ours_takes_part_in_imports() -> None:
    code = "import sys; before = list(sys.meta_path); get_ipython().run_line_magic('load_ext', 'linq_nb'); df = None"
    assert has_accessor([code, "assert sys.meta_path == before"]) == "False"
