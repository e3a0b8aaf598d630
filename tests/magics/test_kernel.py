"""The magics in a real kernel: the messages that front ends send and get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from audio_tones import tone
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from shared import HANG_S, executed

LIVE = """
%reload_ext linq_nb
import linq_nb
from linq_nb.demo import Demo
world = Demo()
outbox = linq_nb.connect(api_key=world.api_key, base_url=world.base_url, transport=world.transport(),
                         journal=":memory:", clock=world.now, sleep=world.sleep)
assert outbox.mode == "LIVE"
"""
SEND = '%linq_voicememo hello.wav --chat "Ada Lovelace"'


class Kernel:
    """A kernel, and a person who answers its question."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, cell: str, answer: str | None = None) -> list[dict[str, Any]]:
        """Run a cell; returns the contents of its outputs. With ``answer`` None, a question gets no answer."""
        self.asked: list[str] = []
        outputs: list[dict[str, Any]] = []

        def keep(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and outputs and outputs[-1].get("name") == content["name"]:
                outputs[-1]["text"] += content["text"]  # a busy machine cuts one print into several messages
            elif message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                outputs.append(content)

        def reply(message: dict[str, Any]) -> None:
            self.asked.append(message["content"]["prompt"])
            self.client.input(answer or "")

        self.client.execute_interactive(
            cell, timeout=HANG_S, allow_stdin=answer is not None, output_hook=keep, stdin_hook=reply
        )
        return outputs

    def value(self, expression: str) -> str:
        """Return the repr of an expression."""
        return str(self.run(f"print({expression})")[0]["text"]).strip()

    def complete(self, code: str) -> dict[str, Any]:
        reply = self.client.complete(code, len(code), reply=True, timeout=HANG_S)
        return dict(reply["content"])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel")
    (home / "hello.wav").write_bytes(tone())
    (home / "my memo.wav").write_bytes(tone(550))
    manager = KernelManager(kernel_name="python3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("HOME", str(home))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        manager.start_kernel(cwd=str(home))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=HANG_S)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def live(kernel: Kernel) -> Kernel:
    assert kernel.run(LIVE) == []
    return kernel


@pytest.mark.host("a bare IPython kernel", "magics")
def test_answer_of_the_front_end_sends(live: Kernel) -> None:
    card, sent = live.run(SEND, answer="y")
    assert live.asked[0].startswith("LIVE: send hello.wav (0:02) to Ada Lovelace")
    assert "<audio" in card["data"]["text/html"]
    assert card["data"]["text/plain"].startswith("LIVE from")
    assert sent["data"]["text/plain"].startswith("queued:")
    assert live.value("sum(world.bubbles().values())") == "1"


def test_enter_at_the_question_sends_nothing(live: Kernel) -> None:
    _card, message = live.run(SEND, answer="")
    assert message["text"] == "Nothing was sent.\n"
    assert live.value("world.bubbles()") == "{}"


def test_a_live_send_is_refused_where_the_front_end_has_no_prompt(live: Kernel) -> None:
    _card, error = live.run(SEND)
    assert error["ename"] == "PreflightError"
    assert error["traceback"] == [f"PreflightError: {error['evalue']}"]
    assert live.value("world.bubbles()") == "{}"
    live.run(f"{SEND} --yes")
    (sent,) = live.run(SEND)
    assert "already sent" in sent["data"]["text/plain"]


def test_help_is_rich_and_plain(kernel: Kernel) -> None:
    (shown,) = kernel.run("%reload_ext linq_nb\n%linq_voicememo -h")
    assert "<table" in shown["data"]["text/html"]
    assert "Examples:" in shown["data"]["text/plain"]


def test_an_error_is_shown_in_one_line(kernel: Kernel) -> None:
    (error,) = kernel.run("%reload_ext linq_nb\n%linq_voicememo helo.wav --preview")
    assert error["ename"] == "AudioError"
    assert error["traceback"] == [f"AudioError: {error['evalue']}"]


def test_completion_of_the_front_end(kernel: Kernel) -> None:
    kernel.run("%reload_ext linq_nb\n%linq_connect --demo --quiet")
    code = '%linq_voicememo "my memo.wav" --chat "Ada Lov'
    reply = kernel.complete(code)
    assert reply["matches"] == ['"Ada Lovelace"']
    assert code[reply["cursor_start"] : reply["cursor_end"]] == '"Ada Lov'
    assert reply["metadata"]["_jupyter_types_experimental"][0]["type"] == "chat"
    files = kernel.complete("%linq_voicememo my")
    assert (files["matches"], files["cursor_start"]) == (['"my memo.wav"'], 16)
    assert kernel.complete("%linq_connect --d")["matches"] == ["--demo"]


@pytest.mark.parametrize("options", ["", "--yes"])
def test_unattended_notebook_stops_unless_it_says_yes(tmp_path: Path, options: str) -> None:
    (tmp_path / "hello.wav").write_bytes(tone())
    cells = [LIVE, f"{SEND} {options}", "print(world.bubbles())"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        if options:
            executed(book, tmp_path)
            assert ": 1}" in "".join(output.text for output in book.cells[2].outputs)
        else:
            with pytest.raises(CellExecutionError, match="PreflightError: this would send to a real account"):
                executed(book, tmp_path)
            assert book.cells[2].execution_count is None
