"""The demo in Pyodide, the Python of JupyterLite, which has no threads and no server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from shared import HANG_S

pytestmark = pytest.mark.thorough

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent


@pytest.fixture(scope="module")
def facts() -> dict[str, object]:
    """The results of the script in Pyodide, with those packages of this environment that are pure Python."""
    node, pyodide = shutil.which("node"), os.environ.get("LINQ_NB_PYODIDE")
    if node is None or pyodide is None:
        pytest.skip("needs Node.js, and LINQ_NB_PYODIDE as the folder of the npm package pyodide")
    command = [node, HERE / "pyodide.mjs", Path(pyodide).resolve(), HERE / "in_pyodide.py"]
    command += [PROJECT, sysconfig.get_path("purelib")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * HANG_S)
    assert (done.returncode, done.stderr) == (0, "")
    printed: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return printed


@pytest.mark.host("JupyterLite", "card")
def test_a_card_is_shown(facts: dict[str, object]) -> None:
    assert facts["card"]


@pytest.mark.host("JupyterLite", "send")
def test_a_memo_is_sent_once(facts: dict[str, object]) -> None:
    assert facts["sent"] == [["queued", False], ["queued", True]]
    assert facts["magic"] == "read"


@pytest.mark.host("JupyterLite", "batch")
def test_a_batch_is_sent_and_followed_without_threads(facts: dict[str, object]) -> None:
    assert facts["batch"] == ["queued", "queued", "queued"]
    assert facts["followed"] == ["delivered", "read", "sent"]


@pytest.mark.host("JupyterLite", "lost answer")
def test_a_lost_answer_is_found_and_makes_no_second_bubble(facts: dict[str, object]) -> None:
    assert (facts["lost"], facts["found"], facts["bubbles"]) == (["unknown"], ["delivered"], [1, 2])


@pytest.mark.host("JupyterLite", "quick start")
def test_the_quick_start_runs_as_far_as_there_are_wheels(facts: dict[str, object]) -> None:
    """Without pandas its cells with DataFrames are left out."""
    assert facts["quick start"] == []
    assert facts["cells"] >= 10  # type: ignore[operator]


@pytest.mark.host("JupyterLite", "status board")
def test_a_board_polls_once_and_says_so(facts: dict[str, object]) -> None:
    is_running, error = facts["board"]  # type: ignore[misc]
    assert not is_running
    assert error == "None" or "no thread can be started here" in error


@pytest.mark.host("JupyterLite", "frames")
def test_a_send_is_a_frame(facts: dict[str, object]) -> None:
    if facts["frame"] is None:
        pytest.skip("pandas is compiled, and this environment has no build of it for Pyodide")
    assert facts["frame"] == [facts["magic"]]
