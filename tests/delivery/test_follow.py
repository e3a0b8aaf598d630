"""A follower polls until its poll function returns None, in this thread or in its own, and can be stopped."""

from __future__ import annotations

import threading

from shared import HANG_S

from linq_nb.outbox.follow import Follower


def test_a_follower_pauses_as_long_as_its_poll_returns() -> None:
    answers: list[float | None] = [2.0, 0, 0.5, None, 7.0]
    pauses: list[float] = []
    Follower(lambda: answers.pop(0), pause=pauses.append).run()
    assert pauses == [2.0, 0.5]
    assert answers == [7.0]


def test_the_thread_of_a_follower_ends_with_the_error_of_its_poll() -> None:
    ends: list[Exception | None] = []
    follower = Follower(lambda: 1 / 0)
    follower.start("linq_nb test", ends.append)
    follower.join(HANG_S)
    (error,) = ends
    assert isinstance(error, ZeroDivisionError)
    assert not follower.is_running


def test_a_stop_ends_a_long_pause() -> None:
    looked, ends = threading.Event(), list[Exception | None]()

    def look() -> float:
        looked.set()
        return 3600.0

    follower = Follower(look)
    follower.start("linq_nb test", ends.append)
    assert looked.wait(HANG_S)
    assert follower.is_running
    follower.stop()
    follower.join(HANG_S)
    assert ends == [None]


def test_a_poll_may_stop_and_join_its_own_follower() -> None:
    def look() -> float:
        follower.stop()
        follower.join()
        return 3600.0

    follower = Follower(look)
    follower.start("linq_nb test", lambda error: None)
    follower.join(HANG_S)
    assert not follower.is_running
