"""An output is rewritten only in a front end with a person, and its final state stays as one static output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from shared import HANG_S

from linq_nb import live, views

PROGRESS = """
from linq_nb import live, views
progress = live.Progress(show_after_s={after_s}, quiet={quiet})
for line in ("1 of 3", "2 of 3", "2 of 3", "3 of 3"):
    progress.show(views.progress(line))
progress.end(views.progress("3 of 3, done"))
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        manager, client = start_new_kernel(kernel_name="python3", startup_timeout=HANG_S)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def shown(client: BlockingKernelClient, *, somebody: bool = True, quiet: bool = False, after_s: float = 0) -> list[str]:
    """Return the texts that a cell with a progress puts out; those that rewrite an output begin with an arrow."""
    texts: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        assert kind not in ("stream", "error"), content
        if kind in ("display_data", "update_display_data"):
            texts.append("> " * (kind != "display_data") + content["data"]["text/plain"])
            assert content["data"]["text/html"].startswith("<div")

    cell = PROGRESS.format(after_s=after_s, quiet=quiet)
    client.execute_interactive(cell, timeout=HANG_S, allow_stdin=somebody, output_hook=keep)
    return texts


def test_a_front_end_sees_one_output_that_is_rewritten(client: BlockingKernelClient) -> None:
    assert shown(client) == ["1 of 3", "> 2 of 3", "> 3 of 3", "> 3 of 3, done"]


def test_an_unattended_run_shows_the_final_state_only(client: BlockingKernelClient) -> None:
    assert shown(client, somebody=False) == ["3 of 3, done"]


def test_quick_work_shows_the_final_state_only(client: BlockingKernelClient) -> None:
    assert shown(client, after_s=3600) == ["3 of 3, done"]


def test_quiet_shows_nothing(client: BlockingKernelClient) -> None:
    assert shown(client, quiet=True) == []


def test_a_terminal_prints_the_final_state_only(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    with capture_output() as captured:
        shell.run_cell(PROGRESS.format(after_s=0, quiet=False)).raise_error()
    assert [output.data["text/plain"] for output in captured.outputs] == ["3 of 3, done"]


def test_a_plain_script_shows_nothing_and_does_not_load_ipython() -> None:
    code = PROGRESS.format(after_s=0, quiet=False) + "import sys; assert 'IPython' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_an_output_is_rewritten_only_after_it_was_shown(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    output = live.Output()
    with capture_output() as captured:
        output.update(views.progress("too early"))
        output.show(views.progress("shown"))
        output.update({"text/plain": "rewritten"})
    assert [output.data["text/plain"] for output in captured.outputs] == ["shown", "rewritten"]
    first, second = captured.outputs
    assert (first.update, second.update) == (False, True)
    assert first.transient == second.transient
