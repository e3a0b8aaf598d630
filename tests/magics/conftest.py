"""A fresh IPython shell for each test, in a folder of its own, and audio to send."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audio_tones import tone
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import linq_nb
from linq_nb.demo import Demo
from linq_nb.outbox import Outbox


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with audio in it. A question for the API key gets no answer."""
    work = tmp_path / "work"
    work.mkdir()
    for name, hz in (("hello.wav", 440), ("my memo.wav", 550)):
        (work / name).write_bytes(tone(hz))
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr("getpass.getpass", _nobody_answers)
    return work


def _nobody_answers(prompt: str) -> str:
    raise EOFError


class Shell:
    """An IPython shell and its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str], **settings: Any) -> None:
        config = Config(settings)
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        self.ip: Any = InteractiveShell(config=config)
        self._capsys = capsys
        self.said = ""

    def close(self) -> None:
        """Release the shell now: at the end of Python, hundreds of them would take long."""
        atexit.unregister(self.ip.atexit_operations)
        self.ip.restore_sys_module_state()

    def run(self, cell: str) -> Any:
        """Run a cell that must succeed; returns its value; ``said`` is its output."""
        result = self._run(cell)
        assert result.success, self.said
        return result.result

    def fails(self, cell: str) -> str:
        """Run a cell that must fail with an error of ours; returns the one line that it shows."""
        result = self._run(cell)
        assert isinstance(result.error_in_exec, linq_nb.LinqError), (result, self.said)
        line = self.said.strip().splitlines()[-1]
        assert "Traceback" not in self.said
        assert line == f"{type(result.error_in_exec).__name__}: {result.error_in_exec}"
        return line

    def _run(self, cell: str) -> Any:
        self._capsys.readouterr()
        result = self.ip.run_cell(cell)
        self.said = self._capsys.readouterr().out
        return result

    def __getitem__(self, name: str) -> Any:
        return self.ip.user_ns[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.ip.user_ns[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self.ip.user_ns


@pytest.fixture
def new_shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Shell]]:
    """Make shells; keyword arguments are settings such as ``LinqMagics={"ask": "never"}``."""
    shells: list[Shell] = []

    def make(**settings: Any) -> Shell:
        shells.append(Shell(capsys, **settings))
        return shells[-1]

    yield make
    for shell in shells:
        shell.close()


@pytest.fixture
def shell(new_shell: Callable[..., Shell]) -> Shell:
    """A shell with the magics loaded and nothing connected."""
    shell = new_shell()
    shell.run("%load_ext linq_nb")
    return shell


@pytest.fixture
def demo(shell: Shell) -> Demo:
    """The shell's demo, connected anew."""
    shell.run("%linq_connect --demo --fresh --quiet")
    world: Demo = shell["outbox"].demo
    return world


@pytest.fixture
def live(shell: Shell, tmp_path: Path) -> Iterator[Demo]:
    """A demo that counts as a live account: its host is not this machine."""
    world = Demo()
    shell["outbox"] = live_outbox(world, tmp_path / "journal.sqlite")
    assert shell["outbox"].mode == "LIVE"
    yield world
    shell["outbox"].close()


def live_outbox(world: Demo, journal: Path) -> Outbox:
    """Connect to a demo as one connects to Linq."""
    return linq_nb.connect(
        api_key=world.api_key,
        base_url=world.base_url,
        transport=world.transport(),
        journal=str(journal),
        clock=world.now,
        sleep=world.sleep,
    )
