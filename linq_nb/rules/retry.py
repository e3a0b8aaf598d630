"""When a request or a send is made again: what an answer means for a memo, how long to pause, how often."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from linq_nb.model import Send
from linq_nb.status import status_of
from linq_nb.wire import Answer, NoAnswer

MAX_SLEEP_S = 60.0
"""A longer Retry-After is shown to the user, not slept through (a daily cap can mean hours)."""

Kind = Literal["read", "memo", "upload"]
Outcome = Literal["accepted", "rejected", "not_sent", "unknown"]
Next = Literal["send", "wait", "reconcile", "report"]

_READ_PAUSES_S = (0.5, 1.0)
_RATE_PAUSES_S = (1.0, 2.0, 4.0)
_NOT_READY_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_CONNECT_PAUSES_S = (0.5, 1.0)
NOT_READY = {(404, 2007), (409, 2009)}
"""The attachment is still processed, the chat is still created: nothing was queued, a few seconds help."""


def memo_outcome(http_status: int) -> Outcome:
    """Say what an HTTP status means for a voice memo: only 4xx but 408 is a clear no."""
    if 200 <= http_status < 300:
        return "accepted"
    if http_status == 429:
        return "not_sent"
    return "rejected" if 400 <= http_status < 500 and http_status != 408 else "unknown"


@dataclass(frozen=True, slots=True)
class Post:
    """Make the request now."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the request is made again; ``is_rate_limit`` when Linq asked for it (429)."""

    seconds: float
    is_rate_limit: bool = False


def steps(kind: Kind) -> Generator[Post | Pause, Answer | NoAnswer | None, Answer | NoAnswer]:
    """Decide how a request is repeated: yields ``Post`` or ``Pause``, and returns the last outcome.

    Send in the outcome of each ``Post``. A memo is repeated only where nothing can have been sent.
    """
    tries = 0
    while True:
        outcome = yield Post()
        assert outcome is not None, "each Post is followed by send(outcome)"
        tries += 1
        pause = _pause_after(kind, tries, outcome)
        if pause is None:
            return outcome
        yield pause


def _pause_after(kind: Kind, tries: int, outcome: Answer | NoAnswer) -> Pause | None:
    """Return the pause after so many requests, None when there is no other one."""
    if isinstance(outcome, NoAnswer):
        may_repeat = kind != "memo" or not outcome.left
        return _nth(_CONNECT_PAUSES_S, tries) if may_repeat else None
    status, retry_after_s = outcome.http_status, outcome.retry_after or 0.0
    if status == 429:
        return _rate_pause(tries, outcome.retry_after)
    if kind == "memo":
        return _nth(_NOT_READY_PAUSES_S, tries) if (status, outcome.code) in NOT_READY else None
    if status == 408 or status >= 500:
        return _nth(_READ_PAUSES_S, tries) if retry_after_s <= MAX_SLEEP_S else None
    return None


def _rate_pause(tries: int, retry_after_s: float | None) -> Pause | None:
    if tries > len(_RATE_PAUSES_S):
        return None
    seconds = _RATE_PAUSES_S[tries - 1] if retry_after_s is None else retry_after_s
    return Pause(seconds, is_rate_limit=True) if seconds <= MAX_SLEEP_S else None


def _nth(pauses_s: tuple[float, ...], tries: int) -> Pause | None:
    return Pause(pauses_s[tries - 1]) if tries <= len(pauses_s) else None


def next_step(send: Send, *, lease_over: bool) -> Next:
    """Decide what happens when the same send is asked for again; ``lease_over``: the owner of its claim is gone."""
    if status_of(send.status).may_run_again:
        return "send"
    if send.status == "preparing":
        return "send" if lease_over else "wait"
    if send.status == "sending":
        return "reconcile" if lease_over else "wait"
    return "reconcile" if send.status == "unknown" else "report"
