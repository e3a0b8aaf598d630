"""What every test starts from: no key of the machine's, no journal of the user's, a shell of its own."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

SETTINGS = ("LINQ_", "BINDER_")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background: the tests press Ctrl-C all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests, and give them a home of their own."""
    for name in [one for one in os.environ if one.startswith(SETTINGS) and not one.startswith("LINQ_NB_")]:
        monkeypatch.delenv(name)
    for name in ("LINQ_NB_DEMO", "LINQ_NB_JOURNAL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A fresh IPython with linq_nb loaded and a demo of its own, as the first cell of a notebook would find it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell(config=config)
    made.run_line_magic("load_ext", "linq_nb")
    made.run_line_magic("linq_connect", "--demo --fresh --quiet")
    yield made
    made.restore_sys_module_state()
    atexit.unregister(made.atexit_operations)
