"""Fixtures of every test: a clean environment, a demo of its own, a fresh IPython shell."""

from __future__ import annotations

import atexit
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hosts import pytest_addoption as pytest_addoption
from hosts import pytest_configure as pytest_configure
from hosts import pytest_itemcollected as pytest_itemcollected
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO, outboxes
from traitlets.config import Config

import linq_nb
from linq_nb import Outbox, VoiceMemo
from linq_nb.demo import Demo

if find_spec("xdist"):
    from parallel import pytest_cmdline_main as pytest_cmdline_main
    from parallel import pytest_collection_modifyitems as pytest_collection_modifyitems
    from parallel import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

SETTINGS = ("LINQ_", "BINDER_", "PG")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell in the background ignores Ctrl-C, which tests press
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders, one for each test; pytest's own fixture reads all existing folders each time."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def clean_environment(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings and proxies of the user, and give each test a home of its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # asyncio may have set it to interrupt no read
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        is_setting = name.startswith(SETTINGS) and not name.startswith("LINQ_NB_")
        if is_setting or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("LINQ_NB_DEMO", "LINQ_NB_JOURNAL", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A fresh IPython with linq_nb loaded and a demo of its own, as the first cell of a notebook would find it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.run_line_magic("load_ext", "linq_nb")
    shell.run_line_magic("linq_connect", "--demo --fresh --quiet")
    yield shell
    shell.restore_sys_module_state()
    atexit.unregister(shell.atexit_operations)


@pytest.fixture
def demo() -> Demo:
    """A fresh demo in process."""
    return Demo()


@pytest.fixture
def memo() -> VoiceMemo:
    return VoiceMemo.from_file(AUDIO / "hello.amr")


@pytest.fixture
def connect(demo: Demo, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Connect to the demo as to Linq, as often as wanted, with one journal on disk: each outbox is a notebook."""
    journal = tmp_path / "journal.sqlite"
    with outboxes(demo, journal, transport=demo.transport(), clock=demo.now, sleep=demo.sleep) as connected:
        yield connected


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    """An outbox on a fresh demo, as ``connect(demo=True)`` makes it."""
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        yield outbox
