"""What the tables of an audit mean, in words: the headline, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from linq_nb.status import UNCLEAR_STATUSES

if TYPE_CHECKING:
    import pandas as pd

_ENDED = {"failed": "failed", "rejected": "were refused", "not_sent": "were not sent"}
_LINE_OFFLINE = 4002


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 send``, ``1,925 sends``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(at: datetime, zone: str) -> str:
    """Return a time in a zone to the minute: ``12 Feb 14:01``."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %H:%M}"


def seconds(length: float) -> str:
    """Return a length of time, rounded up, so that "within" stays true: ``3.6 s``, ``2.5 min``, ``1.2 h``."""
    size, unit = next((pair for pair in ((3600, "h"), (60, "min")) if length >= 2 * pair[0]), (1, "s"))
    return f"{math.ceil(round(length / size * 10, 6)) / 10:,.1f} {unit}"


def headline(frames: Mapping[str, pd.DataFrame], zone: str) -> str:
    """Say in one sentence how many memos arrived and what went wrong most."""
    summary, problems = frames["summary"].iloc[0], frames["problems"]
    if not summary["sends"]:
        return "No voice memo was asked for in this period"
    problems = problems[~problems["status"].isin(UNCLEAR_STATUSES)]
    wrong = _problem(problems.iloc[0], zone) if len(problems) else "nothing failed"
    unclear = f"; {int(summary['unclear']):,} have no clear answer yet" if summary["unclear"] else ""
    return f"{_arrived(summary)}; {wrong}{unclear}"


def _arrived(summary: pd.Series[Any]) -> str:
    import pandas as pd

    can_report, within, reported = int(summary["can_report"]), summary["most_within_s"], int(summary["reported"])
    if not can_report:
        return f"{int(summary['accepted']):,} of {counted(int(summary['sends']), 'voice memo')} were accepted"
    if not pd.isna(within):
        return f"4 of 5 voice memos arrived within {seconds(float(within))}"
    return f"{reported:,} of {counted(can_report, 'voice memo')} arrived ({math.floor(100 * reported / can_report)} %)"


def _problem(row: pd.Series[Any], zone: str) -> str:
    """Say how many sends went wrong, why and from when on."""
    start = f"{int(row['sends']):,} {_ENDED.get(row['status'], 'went wrong')}"
    since = f"from {moment(row['since'], zone)}"
    line = f"the line ending {row['line']}" if row["line"] else ""
    if str(row["error_code"]) == str(_LINE_OFFLINE):
        return f"{start} because {line or 'the sending line'} was offline {since}"
    return f"{start} because {row['meaning']}{f', all on {line},' if line else ''} {since}"


def steps(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what to do, in order: what may send a memo twice or never comes first."""
    import pandas as pd

    is_open, problems, twice = frames["open"], frames["problems"], frames["duplicates"]
    unclear = is_open["status"].isin(UNCLEAR_STATUSES)
    todo: list[tuple[str, str, int]] = []
    if unclear.any():
        todo.append(("outbox.reconcile() reads the chats; do not send these again before",
                     "it left and no clear answer came", int(unclear.sum())))  # fmt: skip
    clear = problems[~problems["status"].isin(UNCLEAR_STATUSES)]
    todo += zip(clear["what_to_do"], clear["meaning"], clear["sends"], strict=True)
    if (~unclear).any():
        todo.append(("outbox.refresh() asks again; then look at the chat",
                     "Linq accepted it over an hour ago and reports no end", int((~unclear).sum())))  # fmt: skip
    if len(twice):
        todo.append(("ask the sender whether the second copy was meant", "the same memo went to a chat more than once",
                     len(twice)))  # fmt: skip
    frame = pd.DataFrame(todo, columns=["what_to_do", "why", "sends"])
    frame.insert(0, "step", range(1, len(frame) + 1))
    return frame
