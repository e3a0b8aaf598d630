"""IPython in a terminal: a frame's text fits its width and has the important columns; widgets name their commands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shared import HANG_S

import linq_nb
from linq_nb import LinqError, Outbox, VoiceMemo
from linq_nb.magics.terminal_frame import TerminalFrame, fitted

SETUP = """
import linq_nb
%load_ext linq_nb
%linq_connect --demo --quiet
memo = linq_nb.VoiceMemo.from_file(linq_nb.demo.sample("hello.mp3"))
for name in ("Ada Lovelace", "Finn Fails", "Kim Second Line"):
    try:
        _ = outbox.send(memo, name)
    except linq_nb.LinqError:
        pass

"""


class Terminal:
    """IPython in a pseudo terminal of a width."""

    def __init__(self, width: int, home: Path) -> None:
        pexpect = pytest.importorskip("pexpect")
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        variables = {**environment, "IPYTHONDIR": str(home), "TERM": "dumb", "PYTHONWARNINGS": "ignore"}
        arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "--no-confirm-exit"]
        self._child = pexpect.spawn(
            sys.executable, arguments, dimensions=(60, width), env=variables, encoding="utf-8", timeout=HANG_S
        )
        self._child.setecho(False)
        self._wait()

    def _wait(self) -> str:
        self._child.expect(r"In \[\d+\]: $")
        return str(self._child.before)

    def run(self, line: str) -> list[str]:
        """Run a line; returns its output, as lines."""
        self._child.sendline(line)
        text = self._wait()
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", text).replace("\r", "").splitlines()

    def close(self) -> None:
        self._child.close(force=True)


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.host("IPython terminal, 80 and 120 columns", "commands in place of widgets")
@pytest.mark.host("IPython terminal, 80 and 120 columns", "tables")
@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_status_and_meaning_and_names_the_replacement_of_a_widget(width: int, tmp_path: Path) -> None:
    script = tmp_path / "setup.ipy"
    script.write_text(SETUP)
    terminal = Terminal(width, tmp_path)
    try:
        terminal.run(f"%run -i {script}")
        status = terminal.run("%linq_status")
        text = "\n".join(status)
        assert max(map(len, status)) <= width, text
        assert re.search(r"chat_name +status", text), text
        assert re.search(r"Ada Lovelace +read", text), text
        assert re.search(r"Finn Fails +failed", text), text
        assert "meaning" in text
        assert "the recipient opted out" in text
        errors = terminal.run("%linq_errors")
        assert max(map(len, errors)) <= width, "\n".join(errors)
        assert re.search(r"code +meaning", "\n".join(errors))
        assert any("a required field is missing" in line for line in errors)
        assert all(len(line) <= width for line in terminal.run("%linq_chats"))
        for widget, instead in (("%linq_form", "%linq_voicememo FILE"), ("%linq_explore", "%linq_sends --status")):
            shown = "\n".join(terminal.run(widget))
            assert "needs a notebook; nothing was sent" in shown
            assert instead in shown
        terminal.run("sends = %linq_sends")
        assert "10" in "\n".join(terminal.run("print(len(sends.columns), type(sends.head(1)).__name__)"))
    finally:
        terminal.close()


@pytest.fixture
def frame(outbox: Outbox, memo: VoiceMemo) -> pd.DataFrame:
    for name in ("Ada Lovelace", "Lou Lost Answer", "Lee Blocked", "Book Club"):
        try:
            outbox.send(memo, name)
        except LinqError:
            continue
    return linq_nb.to_frame(outbox.sends())


@pytest.mark.parametrize("width", [30, 60, 80, 100, 120, 200, 500])
@pytest.mark.parametrize("kind", ["sends", "errors", "empty", "wide", "no columns"])
def test_no_line_is_longer_than_the_width(frame: pd.DataFrame, width: int, kind: str) -> None:
    frames: dict[str, Any] = {
        "sends": lambda: frame,
        "errors": linq_nb.errors_frame,
        "empty": lambda: frame.head(0),
        "wide": lambda: frame.assign(chat_name="東京タワー観光案内所" * 9),
        "no columns": lambda: frame[[]],
    }
    lines = fitted(frames[kind](), width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[-1].endswith("columns]")


def test_a_frame_derived_from_it_is_plain_and_has_all_columns(frame: pd.DataFrame) -> None:
    shown = TerminalFrame(frame)
    assert shown.equals(frame)
    assert list(shown.columns) == list(frame.columns)
    assert type(shown.head(1)) is type(shown[["status"]]) is type(shown.copy()) is pd.DataFrame
    assert shown.linq.by_chat()["sends"].sum() == len(frame)
