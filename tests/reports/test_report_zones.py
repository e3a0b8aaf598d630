"""Days and hours of a time zone: right where the clocks change, on every engine; an unknown zone is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import by_hand
import pytest
from engines import ENGINES, rows
from test_odd_frames import ODD, SENDS
from test_reports import same

from linq_nb import SettingsError, reports, to_frame
from linq_nb.model import Send


def sends_from(start: datetime, number: int) -> list[Send]:
    """A send each 20 minutes."""
    ats = [start + timedelta(minutes=20 * n) for n in range(number)]
    return [Send(send_id=f"s{n}", base_url="b", content=str(n), chat_id="c", created_at=at) for n, at in enumerate(ats)]


CHANGES = {
    "forward, 23 hours": ("America/New_York", datetime(2026, 3, 8, tzinfo=ZoneInfo("America/New_York")), 23),
    "back, 25 hours": ("America/New_York", datetime(2026, 11, 1, tzinfo=ZoneInfo("America/New_York")), 25),
    "back by half an hour": ("Australia/Lord_Howe", datetime(2026, 4, 5, tzinfo=ZoneInfo("Australia/Lord_Howe")), 24.5),
    "forward at midnight": ("Asia/Beirut", datetime(2026, 3, 29, 1, tzinfo=ZoneInfo("Asia/Beirut")), 23),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_day_on_which_the_clocks_change_has_its_own_length(change: str, engine: str) -> None:
    zone, midnight, hours = CHANGES[change]
    day = sends_from(midnight.astimezone(UTC), round(hours * 3))
    sends = [*sends_from(midnight.astimezone(UTC) - timedelta(hours=1), 3), *day]
    sends.append(Send(send_id="last", base_url="b", content="x", chat_id="c",
                      created_at=midnight.astimezone(UTC) + timedelta(hours=hours)))  # fmt: skip
    (table,) = ENGINES[engine][1](to_frame(sends))
    days = rows(reports.by_day(table, tz=zone))
    assert [(row["day"][-2:], row["sends"]) for row in days][1] == (f"{midnight.day:02}", len(day))
    assert [row["sends"] for row in days] == [3, len(day), 1]
    same(days, by_hand.by(sends, f"day {zone}"), change)
    same(rows(reports.by_hour(table, tz=zone)), by_hand.by(sends, f"hour {zone}"), change)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_hour_is_text_that_sorts_and_a_repeated_one_is_counted_once(engine: str) -> None:
    (table,) = ENGINES[engine][1](to_frame(sends_from(datetime(2026, 11, 1, 5, tzinfo=UTC), 7)))
    hours = [(row["hour"], row["sends"]) for row in rows(reports.by_hour(table, "America/New_York"))]
    assert hours == [("2026-11-01 01:00", 6), ("2026-11-01 02:00", 1)]


@pytest.mark.parametrize("engine", ENGINES)
def test_sends_without_a_time_have_a_row_of_their_own(engine: str) -> None:
    sends = [
        *sends_from(datetime(2026, 3, 1, tzinfo=UTC), 2),
        Send(send_id="x", base_url="b", content="x", chat_id="c"),
    ]
    (table,) = ENGINES[engine][1](to_frame(sends))
    for unit, report in (("day", reports.by_day), ("hour", reports.by_hour)):
        answer = rows(report(table, tz="Asia/Tokyo"))
        assert [(row[unit] is None, row["sends"]) for row in answer] == [(True, 1), (False, 2)]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_frame_has_the_same_hours(odd: str) -> None:
    table = ODD[odd](to_frame(SENDS, "full"))
    same(rows(reports.by_hour(table, tz="America/New_York")), by_hand.by(SENDS, "hour America/New_York"), odd)


@pytest.mark.parametrize(
    ("tz", "hint"),
    [
        ("New York", "did you mean America/New_York"),
        ("America/New_Yrok", "did you mean America/New_York"),
        ("europe/paris", "did you mean Europe/Paris"),
        ("Mars/Base", "a name such as America/New_York"),
        ("../../etc/passwd", "a name such as America/New_York"),
        ("x'); DROP TABLE sends; --", "a name such as America/New_York"),
        ("", "a name such as America/New_York"),
        (None, "a name such as America/New_York"),
        (2, "a name such as America/New_York"),
    ],
)
def test_an_unknown_zone_is_an_error_of_one_line(tz: Any, hint: str) -> None:
    for report in (reports.by_day, reports.by_hour):
        with pytest.raises(SettingsError, match=rf"^tz= has no time zone .*; .*{hint}") as caught:
            report(to_frame([]), tz=tz)
        assert "\n" not in str(caught.value)


def test_a_zone_may_be_a_zone_of_python() -> None:
    frame = to_frame(sends_from(datetime(2026, 3, 1, tzinfo=UTC), 9))
    assert reports.by_hour(frame, ZoneInfo("Asia/Tokyo")).equals(reports.by_hour(frame, "Asia/Tokyo"))
    assert reports.by_day(frame, UTC).equals(reports.by_day(frame))


@pytest.mark.parametrize("q", [95, -0.1, (0.5, 2), (), "0.5", "x", True, None, float("nan"), ["a"]])
def test_quantiles_that_are_no_shares_are_an_error_of_one_line(q: Any) -> None:
    with pytest.raises(
        SettingsError,
        match=r"^q= is one or more shares from 0 to 1, not .*; nothing was counted; give some, such as \(0.5, 0.95\)$",
    ):
        reports.latency(to_frame([]), q=q)


@pytest.mark.parametrize(
    ("q", "columns"),
    [(0.95, ["p95_s"]), ((0.5, 0.95), ["p50_s", "p95_s"]), ([0, 0.999, 1], ["p0_s", "p99.9_s", "p100_s"]),
     ((0.07, 0.07), ["p7_s"])],
)  # fmt: skip
def test_a_quantile_names_its_column(q: Any, columns: list[str]) -> None:
    assert list(reports.latency(to_frame([]), by=(), q=q).columns) == ["sends", *columns]
