"""``df.linq`` is there after ``%load_ext``, whichever of it and pandas came first, and after ``to_frame``."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTENSION = "InteractiveShell.instance().run_line_magic('load_ext', 'linq_nb')"
WAYS = {
    "the extension first": f"{EXTENSION}; assert 'pandas' not in sys.modules; import pandas as pd",
    "pandas first": f"import pandas as pd; {EXTENSION}",
    "the extension again": f"{EXTENSION}; import pandas as pd; {EXTENSION.replace('load', 'reload')}",
    "a look whether pandas is there": f"{EXTENSION}; from importlib.util import find_spec; assert find_spec('pandas')"
    "; import pandas as pd",
    "polars in between": f"{EXTENSION}; import polars; import pandas as pd",
    "to_frame alone": "import linq_nb; linq_nb.to_frame([]); import pandas as pd",
}


def run(code: str) -> str:
    start = "import sys; from IPython.core.interactiveshell import InteractiveShell; "
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_has_the_accessor(way: str) -> None:
    assert run(f"{WAYS[way]}; print(type(pd.DataFrame().linq).__name__)").splitlines()[-1] == "LinqAccessor"


def test_pandas_is_found_as_ever_after_the_extension() -> None:
    code = "import pandas; print(pandas.__spec__.name, type(pandas.__loader__).__name__, len(pandas.__path__))"
    assert run(f"{EXTENSION}; {code}") == run(code)


def test_a_frame_has_the_accessor_though_pandas_failed_to_load_at_first() -> None:
    failed = """
sys.modules["numpy"] = None
try: import pandas
except ImportError: del sys.modules["numpy"]
import pandas as pd; print(hasattr(pd.DataFrame, "linq"))"""
    assert run(f"{EXTENSION}{failed}") == "True"


def test_an_extension_that_was_taken_out_waits_for_pandas_no_longer() -> None:
    unload = "InteractiveShell.instance().run_line_magic('unload_ext', 'linq_nb')"
    assert run(f"{EXTENSION}; {unload}; import pandas as pd; print(hasattr(pd.DataFrame, 'linq'))") == "False"
