"""%linq_status asks, watches, chooses, and returns the frame of the sends as they stand now."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from slow_linq import reads

from linq_nb import SettingsError, VoiceMemo
from linq_nb.demo import Demo


@pytest.fixture
def demo(shell: InteractiveShell, memo: VoiceMemo) -> Demo:
    """The shell's demo, with a memo sent to three chats."""
    outbox = shell.user_ns["outbox"]
    for name in ("Ada Lovelace", "Book Club", "Finn Fails"):
        outbox.send(memo, name)
    world: Demo = outbox.demo
    return world


def run(shell: InteractiveShell, line: str) -> Any:
    return shell.run_line_magic("linq_status", line)


def test_it_returns_all_sends_with_their_status(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    assert list(run(shell, "").status) == ["delivered", "sent", "failed"]
    assert "unconfirmed" not in run(shell, "").columns


def test_it_watches_until_all_is_settled(
    shell: InteractiveShell, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = run(shell, "--watch --timeout 60 --into now")
    assert list(frame.status) == ["delivered", "sent", "failed"]
    assert shell.user_ns["now"][list(frame)].equals(frame)
    assert len(shell.user_ns["outbox"].last_watch) == 3


def test_it_asks_for_the_chosen_ones_alone(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    before = len(demo.requests)
    assert list(run(shell, '--chat "Ada Lovelace"').status) == ["delivered"]
    assert reads(demo, before) == ["one"]
    assert list(run(shell, "--status queued").status) == ["sent", "failed"]
    assert run(shell, "--status queued").empty


def test_settled_ones_are_asked_for_on_request(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    run(shell, "")
    demo.advance(minutes=10)
    assert list(run(shell, "").status) == ["delivered", "sent", "failed"]
    assert list(run(shell, "--settled").status) == ["read", "sent", "failed"]


def test_the_horizon_tells_what_is_unconfirmed(shell: InteractiveShell, demo: Demo) -> None:
    ada = shell.user_ns["outbox"].sends()[0]
    demo.fail_next(200, path=str(ada.message_id), body=f'{{"id": "{ada.message_id}"}}', times=2)
    demo.advance(hours=2)
    frame = run(shell, "--horizon 1h")
    assert list(frame.unconfirmed) == [True, False, False]
    assert list(frame.status) == ["queued", "sent", "failed"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--timeout 5", "--timeout is for --watch"),
        ("--watch --settled", "cannot be used together"),
        ("--horizon soon", "90s, 30m, 1h or 2d"),
        ("--watch --timeout 0", "takes a whole number from 1 up"),
    ],
)
def test_a_line_that_cannot_be_read_asks_nothing(shell: InteractiveShell, demo: Demo, line: str, words: str) -> None:
    before = len(demo.requests)
    with pytest.raises(SettingsError, match=words):
        run(shell, line)
    assert len(demo.requests) == before


def test_what_was_learnt_before_an_error_is_in_into(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    ada = shell.user_ns["outbox"].sends()[0]
    demo.fail_next(500, 3006, times=3, path=str(ada.message_id))
    with pytest.raises(Exception, match="1 of 3 sends could not be asked for"):
        run(shell, "--into now")
    assert list(shell.user_ns["now"].status) == ["queued", "sent", "failed"]
