"""The table of hosts has the results of the tests: each row has its test, and each test its row."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hosts import FILE, RESULTS, HostResults
from shared import ROOT

MARK = re.compile(r'pytest\.mark\.host\("([^"]+)", "([^"]+)"\)')


def test_each_row_has_a_test_and_each_test_a_row() -> None:
    files = [file for folder in (ROOT / "tests").iterdir() if folder.is_dir() for file in folder.glob("test_*.py")]
    texts = [file.read_text("utf-8") for file in [*files, *(ROOT / "tests").glob("test_*.py")]]
    marks = {mark for text in texts for mark in MARK.findall(text)}
    hosts = json.loads(FILE.read_text("utf-8"))
    assert {(host, feature) for host, results in hosts.items() for feature in results} == marks, (
        "run: python -m pytest -m host --hosts"
    )
    assert {result for results in hosts.values() for result in results.values()} <= set(RESULTS)


def report(outcome: Any, *place: str, when: Any = "call") -> pytest.TestReport:
    properties: list[tuple[str, Any]] = [("host", list(place))]
    return pytest.TestReport("test", ("test", 0, "test"), {}, outcome, None, when, user_properties=properties)


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        (["passed"], "works"),
        (["skipped"], "not run"),
        (["passed", "failed", "passed"], "does not work"),
        (["passed", "skipped"], "not run"),
    ],
)
def test_a_feature_has_the_worst_result_of_its_tests(tmp_path: Path, outcomes: list[str], result: str) -> None:
    results = HostResults(tmp_path / "hosts.json")
    for outcome in outcomes:
        results.pytest_runtest_logreport(report("passed", "Lab", "form", when="setup"))
        results.pytest_runtest_logreport(report(outcome, "Lab", "form"))
    results.pytest_sessionfinish()
    assert json.loads((tmp_path / "hosts.json").read_text("utf-8")) == {"Lab": {"form": result}}


def test_a_test_that_did_not_run_keeps_its_result(tmp_path: Path) -> None:
    file = tmp_path / "hosts.json"
    for feature in ("form", "card"):
        results = HostResults(file)
        results.pytest_runtest_logreport(report("passed", "Lab", feature))
        results.pytest_sessionfinish()
    results = HostResults(file)
    results.pytest_runtest_logreport(report("failed", "Lab", "card", when="setup"))
    results.pytest_sessionfinish()
    assert json.loads(file.read_text("utf-8")) == {"Lab": {"card": "does not work", "form": "works"}}
