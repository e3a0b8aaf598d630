"""The send rules: when something is made again, when Linq is asked for a status, which message belongs to a send.

Pure functions; the journal, the client and the outbox act on what they decide.
"""

from linq_nb.rules.delivery import ASK_PAUSES_S, TOGETHER, ask_at, horizon_of, is_unconfirmed, may_be_asked
from linq_nb.rules.matching import CLOCK_SKEW, Match, match, window_start
from linq_nb.rules.retry import (
    MAX_SLEEP_S,
    Kind,
    Next,
    Outcome,
    Pause,
    Post,
    memo_outcome,
    next_step,
    steps,
)

__all__ = [
    "ASK_PAUSES_S", "CLOCK_SKEW", "MAX_SLEEP_S", "TOGETHER", "Kind", "Match", "Next", "Outcome", "Pause", "Post",
    "ask_at", "horizon_of", "is_unconfirmed", "match", "may_be_asked", "memo_outcome", "next_step", "steps",
    "window_start",
]  # fmt: skip
