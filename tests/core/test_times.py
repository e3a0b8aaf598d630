"""Times and lengths of time in the spellings of people."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from linq_nb.errors import SettingsError
from linq_nb.times import horizon_of, time_of

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90s", 90), ("30m", 1800), ("30min", 1800), ("1h", 3600), (" 1H30M ", 5400), ("2d", 172800), ("45", 45),
     (1.5, 1.5), (timedelta(minutes=1), 60), ("1 hour", 3600), ("90 min", 5400), ("1 day 2 hours", 93600),
     ("1 day and 2 hours", 93600), ("1w", 604800), ("1.5 h", 5400), ("2d, 3h", 183600), (np.timedelta64(90, "m"), 5400),
     (pd.Timedelta("1h"), 3600), (np.int64(5), 5)],
)  # fmt: skip
def test_a_horizon_is_read(value: Any, seconds: float) -> None:
    assert horizon_of(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "0h",
        0,
        -1,
        "h",
        "1 fortnight",
        True,
        [],
        float("nan"),
        float("inf"),
        "1h30",
        timedelta(0),
        pd.NaT,
        np.timedelta64("NaT", "s"),
        "1 month",
        np.array([1, 2]),
    ],
)
def test_an_invalid_horizon_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="90s, 30m, 1h or 2d"):
        horizon_of(value)
    assert horizon_of(None) is None


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-03-01", FIRST),
        (" 2026-03-01T10:00 ", FIRST + timedelta(hours=10)),
        ("2026-03-01T10:00:00+02:00", FIRST + timedelta(hours=8)),
        ("2026-03-01T10:00:00Z", FIRST + timedelta(hours=10)),
        (date(2026, 3, 1), FIRST),
        (datetime(2026, 3, 1), FIRST),
        (datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=-5))), FIRST + timedelta(hours=5)),
        (pd.Timestamp("2026-03-01"), FIRST),
        (pd.Timestamp("2026-03-01 10:00:00.000000789", tz="America/New_York"), FIRST + timedelta(hours=15)),
        (np.datetime64("2026-03-01T10:00:00.000000000"), FIRST + timedelta(hours=10)),
        (np.datetime64("2026-03-01"), FIRST),
        (np.datetime64("2026-03"), FIRST),
        (np.timedelta64(7, "D"), NOW - timedelta(days=7)),
        (pd.Timedelta(days=7), NOW - timedelta(days=7)),
        (pa.scalar(date(2026, 3, 1)), FIRST),
        (datetime(2026, 3, 1, tzinfo=ZoneInfo("Europe/Berlin")), FIRST - timedelta(hours=1)),
        ("2026/3/1", FIRST),
        ("2026-3-1 9:30", FIRST + timedelta(hours=9, minutes=30)),
        ("2026-03-01 10:00 UTC", FIRST + timedelta(hours=10)),
        ("2026-03-01 10:00 +0200", FIRST + timedelta(hours=8)),
        ("2026-03-01t10:00:00.123456789z", FIRST + timedelta(hours=10, microseconds=123456)),
        ("7d", NOW - timedelta(days=7)),
        ("1H30m", NOW - timedelta(hours=1, minutes=30)),
        ("2 weeks", NOW - timedelta(weeks=2)),
        ("7 days ago", NOW - timedelta(days=7)),
        ("1 hour 30 minutes", NOW - timedelta(hours=1, minutes=30)),
        (timedelta(days=2), NOW - timedelta(days=2)),
    ],
    ids=str,
)
def test_a_time_is_read(value: Any, time: datetime) -> None:
    at = time_of(value, NOW)
    assert at == time
    assert type(at) is datetime
    assert at.tzinfo == UTC


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "yesterday",
        "2026-13-01",
        "7",
        "999999d" * 2,
        3600,
        True,
        [],
        pd.NaT,
        np.datetime64("NaT", "us"),
        "1 month",
        "3/1/2026",
        pd.DataFrame(),
        b"7d",
    ],
)
def test_an_invalid_time_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match=r"since is a time such as .* or a length of time before now such as 7d"):
        time_of(value, NOW)
    assert time_of(None, NOW) is time_of(" All ", NOW) is None
