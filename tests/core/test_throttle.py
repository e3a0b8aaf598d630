"""One rate limit for all threads; pauses that can be cancelled; no waiting where time is virtual."""

from __future__ import annotations

import threading
import time

from shared import HANG_S, wait_for

from linq_nb.client.throttle import Throttle


def test_a_rate_limit_of_one_thread_pauses_all_threads() -> None:
    throttle, began = Throttle(), time.monotonic()
    first = threading.Thread(target=throttle.back_off, args=(0.4,))
    first.start()
    wait_for(lambda: throttle._limited_until)
    assert throttle.rate_limit_wait_s() <= 0.4
    throttle.wait_turn()
    assert time.monotonic() - began >= 0.4
    assert throttle.rate_limit_wait_s() == 0
    first.join()


def test_a_shorter_limit_does_not_end_a_longer_one() -> None:
    throttle = Throttle()
    throttle.back_off(1000, lambda: True)
    throttle.back_off(1, lambda: True)
    assert 900 < throttle.rate_limit_wait_s() <= 1000


def test_a_pause_delays_no_other_thread_and_ends_when_it_is_cancelled() -> None:
    throttle, cancelled = Throttle(), threading.Event()
    waits = threading.Thread(target=throttle.pause, args=(1000, cancelled.is_set))
    waits.start()
    assert throttle.rate_limit_wait_s() == 0
    throttle.wait_turn()
    assert waits.is_alive()
    cancelled.set()
    waits.join(HANG_S)
    assert not waits.is_alive()


def test_virtual_time_passes_by_its_own_sleep_and_no_other_thread_waits() -> None:
    slept: list[float] = []
    throttle = Throttle(slept.append)
    throttle.back_off(60)
    throttle.pause(5)
    assert throttle.rate_limit_wait_s() == 0
    throttle.wait_turn()
    assert slept == [60, 5]
