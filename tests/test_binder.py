"""The Binder environment: its pins fit the project, and (on demand, since it needs the package index) it works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"


def pins() -> dict[str, Version]:
    lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    pinned = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines if line and not line.startswith("#")]
    assert all(pinned), "every requirement is pinned"
    return {pin.group(1).lower().replace("_", "-"): Version(pin.group(2)) for pin in pinned if pin}


def test_the_pins_fit_the_versions_that_the_project_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    parts = ("lab", "audio", "audit", "plots", "parquet")
    for text in (*project["dependencies"], *(line for part in parts for line in extras[part])):
        wanted = Requirement(text)
        assert wanted.name == "linq_nb" or pins()[wanted.name.lower()] in wanted.specifier


def test_a_visitor_gets_the_demo() -> None:
    shown = subprocess.run(
        ["bash", str(BINDER / "start"), "printenv", "LINQ_NB_DEMO"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "1"


@pytest.mark.skipif(
    os.environ.get("LINQ_NB_TEST_BINDER") != "1" or sys.version_info[:2] != (3, 11),
    reason="builds an environment from the package index: set LINQ_NB_TEST_BINDER=1, on Python 3.11",
)
def test_the_environment_builds_and_runs_its_notebooks(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    env = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "NB_PYTHON_PREFIX": str(venv)}
    env |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    run(sys.executable, "-m", "venv", str(venv))
    run("python", "-m", "pip", "install", "-q", "-r", "binder/requirements.txt")
    run("bash", "binder/postBuild")
    run("sh", "-c", f"cd {tmp_path} && python -c 'import linq_nb; print(linq_nb.demo.sample())'")
    for name in ("quickstart", "audit"):
        run(
            "bash", "binder/start", "jupyter", "execute", f"notebooks/{name}.ipynb", f"--output={tmp_path / name}.ipynb"
        )
    assert (venv / "etc/jupyter/jupyter_server_config.d/linq_nb.json").exists()
