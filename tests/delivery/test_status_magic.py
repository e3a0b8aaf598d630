"""%linq_status polls, watches, chooses, and returns the frame of the sends with their present status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from slow_linq import reads

from linq_nb import Outbox, SettingsError, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.outbox import session_of


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


def test_the_magic_returns_all_sends_with_their_status(shell: InteractiveShell, demo: Demo) -> None:
    assert list(run(shell, "").status) == ["read", "sent", "failed"]
    assert "unconfirmed" not in run(shell, "").columns


def test_the_demos_clock_goes_on_by_five_minutes_and_a_line_says_so(
    shell: InteractiveShell, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    start = demo.now()
    for number in (1, 2):
        run(shell, "")
        assert demo.now() - start == timedelta(minutes=5 * number)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"The demo's clock went on by 5 minutes, to 02 Mar 09:{minute} UTC." for minute in ("05", "10")]
    run(shell, "--quiet")
    assert demo.now() - start == timedelta(minutes=15)
    assert capsys.readouterr().out == ""


def test_the_clock_of_an_outbox_that_is_no_demo_is_left_alone(
    shell: InteractiveShell, connect: Callable[..., Outbox], capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["outbox"] = connect()
    start = session_of(shell.user_ns["outbox"]).now()
    run(shell, "")
    assert session_of(shell.user_ns["outbox"]).now() == start
    assert capsys.readouterr().out == ""


def test_sends_are_chosen_by_needs_me_and_by_time(shell: InteractiveShell, demo: Demo) -> None:
    run(shell, "")
    demo.advance(days=2)
    shell.user_ns["outbox"].send(VoiceMemo.from_samples([0.0] * 800, 8000), "Ada Lovelace")
    for command in ("linq_status", "linq_sends"):
        names = [list(shell.run_line_magic(command, line).chat_name) for line in
                 ("--status needs_me", "--since 1d", "--since 2026-03-03T10:00 --chat 'Ada Lovelace'",
                  "--status needs_me --since 1d")]  # fmt: skip
        assert names == [["Finn Fails"], ["Ada Lovelace"], ["Ada Lovelace"], []]


def test_the_magic_watches_until_all_is_settled(
    shell: InteractiveShell, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = run(shell, "--watch --timeout 60 --into now")
    assert list(frame.status) == ["delivered", "sent", "failed"]
    assert shell.user_ns["now"][list(frame)].equals(frame)
    assert len(shell.user_ns["outbox"].last_watch) == 3


def test_the_magic_polls_the_chosen_sends_only(shell: InteractiveShell, demo: Demo) -> None:
    before = len(demo.requests)
    assert list(run(shell, '--chat "Ada Lovelace"').status) == ["read"]
    assert reads(demo, before) == ["one"]
    assert list(run(shell, "--status queued").status) == ["sent", "failed"]
    assert run(shell, "--status queued").empty


def test_settled_sends_are_polled_on_request(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    shell.user_ns["outbox"].refresh()
    assert list(run(shell, "").status) == ["delivered", "sent", "failed"]
    assert list(run(shell, "--settled").status) == ["read", "sent", "failed"]


def test_the_horizon_decides_which_sends_are_unconfirmed(shell: InteractiveShell, demo: Demo) -> None:
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
        ("--since soon", "since is a time such as 2026-03-01"),
        ("--watch --timeout 0", "takes a whole number from 1 up"),
    ],
)
def test_an_invalid_line_makes_no_request(shell: InteractiveShell, demo: Demo, line: str, words: str) -> None:
    before = len(demo.requests)
    with pytest.raises(SettingsError, match=words):
        run(shell, line)
    assert len(demo.requests) == before


def test_the_statuses_read_before_an_error_are_in_into(shell: InteractiveShell, demo: Demo) -> None:
    demo.advance(seconds=30)
    ada = shell.user_ns["outbox"].sends()[0]
    demo.fail_next(500, 3006, times=3, path=str(ada.message_id))
    with pytest.raises(Exception, match="1 of 3 sends could not be asked for"):
        run(shell, "--into now")
    assert list(shell.user_ns["now"].status) == ["queued", "sent", "failed"]
