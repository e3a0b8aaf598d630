"""When Linq is asked for the status of a send, and when a send counts as unconfirmed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from linq_nb.errors import SettingsError
from linq_nb.model import Send, accepted_time
from linq_nb.status import is_resolved

ASK_PAUSES_S = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds before each request for a status; the last one repeats. Linq names no cadence; its samples show deliveries
within 5 s, and no time after which a message is given up."""

TOGETHER = timedelta(seconds=1)
"""Sends that are due so soon after another one are asked for with it: one list may answer for both."""

_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,9})s)?", re.ASCII)


def may_be_asked(send: Send, *, settled: bool = False) -> bool:
    """Whether Linq may report more of a send; ``settled`` includes those that rarely change again.

    A ``failed`` one may be delivered later (Linq documents it for 4001), a ``delivered`` one read.
    """
    if send.message_id is None:
        return False
    return send.is_open or (settled and is_resolved(send.status) and send.status != "read")


def ask_at(send: Send, asked: int, last: datetime | None, now: datetime) -> datetime:
    """Return when a send is asked for next: soon after it was accepted, then at longer and longer pauses.

    ``asked`` counts the requests so far, ``last`` is the time of the last one.
    """
    pause = timedelta(seconds=ASK_PAUSES_S[min(asked, len(ASK_PAUSES_S) - 1)])
    return (last or accepted_time(send) or now - pause) + pause


def is_unconfirmed(send: Send, now: datetime, horizon: timedelta | None) -> bool:
    """Whether a send was accepted a ``horizon`` ago and is still open: not failed, only not confirmed."""
    since = accepted_time(send)
    return horizon is not None and since is not None and send.is_open and now - since >= horizon


def horizon_of(value: str | float | timedelta | None) -> timedelta | None:
    """Read a length of time: ``"90s"``, ``"30m"``, ``"1h"``, ``"1h30m"``, ``"2d"``, seconds, or a timedelta.

    Raises SettingsError for anything else.
    """
    if value is None:
        return None
    try:
        span = value if isinstance(value, timedelta) else _span(value)
    except (ValueError, TypeError, OverflowError):
        span = timedelta()
    if span > timedelta():
        return span
    raise SettingsError(f"a horizon is a length of time such as 90s, 30m, 1h or 2d, not {value!r}; nothing was asked")


def _span(value: str | float) -> timedelta:
    match = _SPAN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        return timedelta(seconds=0 if isinstance(value, bool) else float(value))
    parts = zip(("days", "hours", "minutes", "seconds"), match.groups(), strict=True)
    return timedelta(**{unit: int(number) for unit, number in parts if number})
