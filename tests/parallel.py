"""How the whole suite is spread over the processors by pytest-xdist."""

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
    """Sends each file, and each folder of ``TOGETHER``, to one worker, so that what its tests share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Take a worker for each processor, unless ``-n`` says otherwise or the tests are named, which end sooner alone."""
    is_worker, option = hasattr(config, "workerinput"), config.option  # a worker must not begin workers of its own
    is_whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    if is_whole and not is_worker and option.numprocesses is None and not (option.usepdb or option.collectonly):
        option.numprocesses = max(2, len(os.sched_getaffinity(0)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    config.option.loadscopereorder = False  # it would begin with the files of most tests, not with the slowest
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest first; within a file the order stays."""

    def place(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))

    items.sort(key=place)
