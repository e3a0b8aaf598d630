"""The examples in docstrings are true: each runs on a fresh demo with one memo sent to Ada."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from shared import ROOT

import linq_nb

FILES = sorted(path for path in (ROOT / "linq_nb").rglob("*.py") if ">>> " in path.read_text("utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_module_are_true(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    memo = linq_nb.VoiceMemo.from_file(linq_nb.demo.sample("hello.m4a"))
    examples = [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]
    assert examples
    for example in examples:
        with linq_nb.connect(demo=True, fresh=True) as outbox:
            frame = linq_nb.to_frame([outbox.send(memo, "Ada Lovelace")])
            example.globs.update(linq_nb=linq_nb, outbox=outbox, memo=memo, frame=frame)
            result = doctest.DocTestRunner().run(example)
        assert not result.failed, capsys.readouterr().out
