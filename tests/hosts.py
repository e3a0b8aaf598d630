"""Keeps what tests prove in a host: ``pytest -m host --hosts`` runs them all and renews ``notebooks/hosts.json``.

A test says what it proves by ``@pytest.mark.host("JupyterLab", "form")``. The manual's table of hosts is that file: for
each host and feature ``works``, ``does not work`` or, where the test was skipped, ``not run``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent.parent / "notebooks" / "hosts.json"
RESULTS = ("works", "not run", "does not work")
"""From the best to the worst; several tests of one feature have the worst of theirs."""

_WORDS = {"passed": "works", "skipped": "not run", "failed": "does not work"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hosts", action="store_true", help="write the results of tests in hosts to notebooks/hosts.json")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put the marks into the reports, which reach the process that writes the file also with pytest-xdist."""
    item.user_properties += [("host", list(mark.args)) for mark in item.iter_markers("host")]


class HostResults:
    """Collects the results of this run; what did not run keeps the result that it had."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self.results: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        for name, place in report.user_properties:
            if name == "host":
                before = self.results.get(tuple(place), RESULTS[0])  # type: ignore[arg-type]
                self.results[tuple(place)] = max(before, _WORDS[report.outcome], key=RESULTS.index)  # type: ignore[index]

    def pytest_sessionfinish(self) -> None:
        hosts: dict[str, dict[str, str]] = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        for (host, feature), result in self.results.items():
            hosts.setdefault(host, {})[feature] = result
        ordered = {host: dict(sorted(hosts[host].items())) for host in sorted(hosts, key=str.casefold)}
        self._file.write_text(json.dumps(ordered, indent=2) + "\n", "utf-8")


def pytest_configure(config: Any) -> None:
    if config.getoption("--hosts") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(HostResults())
