"""Times and lengths of time as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from linq_nb.errors import SettingsError
from linq_nb.times import horizon_of, time_of

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("30m", 1800), ("30min", 1800), ("1h", 3600), (" 1H30M ", 5400), ("2d", 172800), ("45", 45),
     (1.5, 1.5), (timedelta(minutes=1), 60)],
)  # fmt: skip
def test_a_horizon_is_read(given: Any, seconds: float) -> None:
    assert horizon_of(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "given", ["", "soon", "0h", 0, -1, "h", "1 fortnight", True, [], float("nan"), float("inf"), "1h30", timedelta(0)]
)
def test_what_is_no_horizon_is_refused(given: Any) -> None:
    with pytest.raises(SettingsError, match="90s, 30m, 1h or 2d"):
        horizon_of(given)
    assert horizon_of(None) is None


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ("2026-03-01", FIRST),
        (" 2026-03-01T10:00 ", FIRST + timedelta(hours=10)),
        ("2026-03-01T10:00:00+02:00", FIRST + timedelta(hours=8)),
        ("2026-03-01T10:00:00Z", FIRST + timedelta(hours=10)),
        (date(2026, 3, 1), FIRST),
        (datetime(2026, 3, 1), FIRST),
        (datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=-5))), FIRST + timedelta(hours=5)),
        (pd.Timestamp("2026-03-01"), FIRST),
        (np.datetime64("2026-03-01T10:00:00.000000000"), FIRST + timedelta(hours=10)),
        ("7d", NOW - timedelta(days=7)),
        ("1H30m", NOW - timedelta(hours=1, minutes=30)),
        (timedelta(days=2), NOW - timedelta(days=2)),
    ],
    ids=str,
)
def test_a_time_is_read(given: Any, time: datetime) -> None:
    assert time_of(given, NOW) == time
    assert time_of(given, NOW).tzinfo == UTC  # type: ignore[union-attr]


@pytest.mark.parametrize("given", ["", " ", "yesterday", "2026-13-01", "7", "999999d" * 2, 3600, True, [], pd.NaT])
def test_what_is_no_time_is_refused(given: Any) -> None:
    with pytest.raises(SettingsError, match=r"since is a time such as .* or a length of time before now such as 7d"):
        time_of(given, NOW)
    assert time_of(None, NOW) is None
