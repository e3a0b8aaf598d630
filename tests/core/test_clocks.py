"""The offset of a server's clock from ours, estimated from the Date headers of its answers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from core_samples import AT

from linq_nb.clocks import Skew, SkewMeter, boot_id, steady_s, to_micros, utc_now

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Machine:
    """A machine with a steady clock, and a wall clock that can be corrected."""

    def __init__(self) -> None:
        self.steady, self.correction = 0.0, timedelta()
        self.meter = SkewMeter(lambda: self.steady)

    def answer(self, age: timedelta = timedelta(), lasts_s: float = 0.0) -> None:
        """Linq, whose clock is right, answers; its Date is as old as a cache or a proxy makes it."""
        asked_at, self.steady = self.steady, self.steady + lasts_s
        self.meter.note((AT + timedelta(seconds=asked_at) - age).replace(microsecond=0), asked_at)

    def skew(self) -> Skew | None:
        return self.meter.skew(AT + timedelta(seconds=self.steady) + self.correction)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def holds(skew: Skew | None, true: timedelta) -> bool:
    """Whether the estimated range holds the true offset and is narrow."""
    assert skew is not None
    assert skew.high - skew.low < timedelta(hours=2)
    return skew.low <= true <= skew.high


def test_the_offset_is_unknown_without_an_answer(machine: Machine) -> None:
    assert machine.skew() is None


@pytest.mark.parametrize("minutes", [-60, -2, 0, 2, 60])
def test_a_correction_of_our_clock_shows_at_once(machine: Machine, minutes: int) -> None:
    """Also when the last answer came long before."""
    machine.answer()
    machine.steady += 3600
    assert machine.skew() == Skew(timedelta(), SECOND)
    machine.correction = timedelta(minutes=minutes)
    assert machine.skew() == Skew(-machine.correction, SECOND - machine.correction)


@pytest.mark.parametrize("order", ["old first", "old last", "old between"])
def test_an_old_date_neither_moves_nor_shrinks_the_range(machine: Machine, order: str) -> None:
    ages = {"old first": (HOUR, timedelta()), "old last": (timedelta(), HOUR), "old between": (timedelta(), HOUR)}
    for age in (*ages[order], timedelta()) if order == "old between" else ages[order]:
        machine.answer(age)
        machine.steady += 10
    assert holds(machine.skew(), timedelta())


def test_the_newest_date_counts_while_the_date_header_stands_still(machine: Machine) -> None:
    for seconds in range(0, 100, 10):
        machine.answer(timedelta(seconds=seconds))
        machine.steady += 10
    assert holds(machine.skew(), timedelta())


def test_a_slow_answer_may_have_been_dated_at_its_begin_or_its_end(machine: Machine) -> None:
    machine.answer(lasts_s=40)
    assert machine.skew() == Skew(timedelta(seconds=-40), SECOND)


def test_the_steady_clock_goes_on_with_the_wall_clock() -> None:
    ahead = utc_now().timestamp() - steady_s()
    assert abs(utc_now().timestamp() - steady_s() - ahead) < 5
    assert boot_id() == boot_id()


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2261-12-31T23:59:59.999999Z", 9_214_646_399_999_999),  # a float of seconds would lose the last digits
    ],
)
def test_a_time_is_counted_in_microseconds_since_1970(text: str, micros: int) -> None:
    assert to_micros(datetime.fromisoformat(text)) == micros
