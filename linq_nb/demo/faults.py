"""Faults on purpose: of the next request, of a chat, or a seeded mix for a whole batch."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from .control import fits
from .people import Script
from .wire import Cut, Refusal, Reply, Request, refusal_reply

MEMO_PATH = "/voicememo"
SLOW_S = 20.0
CREATING_S = 5
DAILY_CAP_S = 3600
MOST_S = 86_400 * 365
_IS_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+: [\t -~]*", re.ASCII).fullmatch

#: The usual code of a status, for `fail_next(status)` without one.
USUAL_CODE = {400: 1005, 401: 2004, 403: 2005, 404: 2001, 409: 2015, 413: 5001, 422: 1003, 429: 1007} | {
    503: 4004,
    504: 3005,
}


@dataclass
class Fault:
    """One thing that goes wrong: an answer is cut, late, or another one than Linq's own.

    `accepts` says whether the request is carried out all the same.
    """

    accepts: bool = False
    path: str = MEMO_PATH
    times: int = 1
    status: int = 500
    code: int = 3006
    retry_after: int | None = None
    message: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    delay_s: float | None = None

    def __post_init__(self) -> None:
        if not (100 <= self.status <= 599 and 1 <= self.times <= 1_000_000 and 0 <= self.code < 1_000_000):
            raise ValueError("a fault has a status from 100 to 599, a code from 0 up, and happens at least once")
        if not all(0 <= (seconds or 0) <= MOST_S for seconds in (self.delay_s, self.retry_after)):
            raise ValueError(f"a delay is 0 to {MOST_S} seconds")
        if not all(_IS_HEADER(f"{name}: {value}") for name, value in self.headers.items()):
            raise ValueError("a header has a name, and a value of one line")

    def matches(self, request: Request) -> bool:
        if self.path == MEMO_PATH:
            return request.method == "POST" and request.path.endswith(MEMO_PATH)
        return self.path in request.path

    def apply(self, reply: Reply, trace_id: str) -> Reply:
        """Give the reply that the client gets in place of `reply`."""
        if self.delay_s is not None:
            return replace(reply, delay_s=self.delay_s)
        if self.cut is not None:
            return replace(reply, cut=self.cut)
        text = self.message or f"The demo was asked to answer {self.status}/{self.code}."
        refusal = Refusal(self.status, self.code, text, retry_after=self.retry_after)
        answer = refusal_reply(refusal, trace_id)
        if self.body is not None:
            answer = Reply(self.status, self.body, {"Content-Type": "text/html"})
        answer.headers.update(self.headers)
        return answer


@dataclass(frozen=True)
class Mix:
    """The chance of each fault for one memo POST; `slow_s` is how late a slow answer is, in seconds."""

    lost: float = 0.0
    error_after_accept: float = 0.0
    reset_before: float = 0.0
    rate_limit: float = 0.0
    slow: float = 0.0
    slow_s: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.lost, self.error_after_accept, self.reset_before, self.rate_limit, self.slow)
        if not all(fits(share, float) and 0 <= share <= 1 for share in shares) or not fits(self.seed, int):
            raise ValueError("a share is a number from 0 to 1, the seed a whole number")
        if not fits(self.slow_s, float) or not 0 <= self.slow_s <= MOST_S:
            raise ValueError(f"slow_s is 0 to {MOST_S} seconds")

    def draw(self, chance: float) -> Fault | None:
        """Give the fault for a number in [0, 1)."""
        table = (
            (self.lost, Fault(accepts=True, cut="lost")),
            (self.error_after_accept, Fault(accepts=True)),
            (self.reset_before, Fault(cut="reset")),
            (self.rate_limit, Fault(status=429, code=1007, retry_after=1)),
            (self.slow, Fault(accepts=True, delay_s=self.slow_s)),
        )
        for share, fault in table:
            if chance < share:
                return fault
            chance -= share
        return None


def take(ordered: list[Fault], request: Request) -> Fault | None:
    """Give the first ordered fault for this request, and use it up once."""
    fault = next((fault for fault in ordered if fault.matches(request)), None)
    if fault is not None:
        fault.times -= 1
        if fault.times <= 0:
            ordered.remove(fault)
    return fault


def scripted(script: Script, attempt: int, contact: datetime, now: datetime) -> Fault | None:
    """Give the fault of a chat for the memo POST number `attempt` (from 0) of one content.

    `contact` is when the chat got its first memo POST.
    """
    match script:
        case "just_created" if now < contact + timedelta(seconds=CREATING_S):
            return Fault(status=409, code=2009, message="The chat is still being created.")
        case "rate_limited" if attempt < 2:
            return _too_fast(2)
        case "daily_cap" if now < contact + timedelta(seconds=DAILY_CAP_S):
            return _too_fast(ceil((contact - now).total_seconds() + DAILY_CAP_S))
        case "slow":
            return Fault(accepts=True, delay_s=SLOW_S)
        case "lost_answer" if attempt == 0:
            return Fault(accepts=True, cut="lost")
        case "server_error":
            return Fault(accepts=True, message="Internal server error.")
        case "server_down":
            return Fault(message="Internal server error.")
        case _:
            return None


def _too_fast(seconds: int) -> Fault:
    return Fault(status=429, code=1007, retry_after=seconds, message="Too many messages.")
