"""What runs where no test is named, and how it is spread over the processors by pytest-xdist."""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/browser/", "tests/team/")
"""Folders whose tests go to one worker: they share one JupyterLab, one PostgreSQL."""

FIRST = (
    "tests/test_binder.py",
    "tests/browser/",
    "tests/team/",
    "notebooks/audit.ipynb",
    "tests/audit/",
    "tests/crash/",
)
"""The slowest begin first, so that the workers end together."""


class Scheduling(LoadFileScheduling):
    """Sends each file, and each folder of ``TOGETHER``, to one worker, so that shared fixtures are made once."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Where no test is named: leave out the thorough ones, and take a worker for each processor.

    Tests that are named all run, in one process, where a few end sooner. ``-m``, ``-k`` and ``-n`` decide otherwise.
    """
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    option, is_worker = config.option, hasattr(config, "workerinput")  # a worker must not begin workers of its own
    if not (option.markexpr or option.keyword):
        option.markexpr = "not thorough"
    if option.numprocesses is None and not (is_worker or option.usepdb or option.collectonly):
        option.numprocesses = max(2, len(os.sched_getaffinity(0)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    config.option.loadscopereorder = False  # it would begin with the files of most tests, not with the slowest
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest first; within a file the order stays."""

    def place(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))

    items.sort(key=place)
