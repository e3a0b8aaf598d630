"""The send rules: what an answer means for a memo, what the same send asked again does, which message is ours.

Pure functions; the journal, the client and the outbox act on what they decide.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from linq_nb.errors import SettingsError
from linq_nb.model import Attachment, Message, Send
from linq_nb.status import is_resolved, status_of
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
    if isinstance(outcome, NoAnswer):
        seconds = pause_after_failure(kind, tries, left=outcome.left)
        return None if seconds is None else Pause(seconds)
    if outcome.is_success:
        return None
    status = outcome.http_status
    seconds = pause_after_answer(kind, tries, status, outcome.code, outcome.retry_after)
    return None if seconds is None else Pause(seconds, is_rate_limit=status == 429)


def pause_after_answer(
    kind: Kind, tries: int, http_status: int, code: int | None, retry_after: float | None
) -> float | None:
    """Return the seconds to wait before the request is made again, None when it is not.

    ``tries`` counts the requests so far. A memo is repeated only where nothing can have been sent.
    """
    if http_status == 429:
        return _rate_pause(tries, retry_after)
    if kind == "memo":
        return _nth(_NOT_READY_PAUSES_S, tries) if (http_status, code) in NOT_READY else None
    if http_status == 408 or http_status >= 500:
        return _nth(_READ_PAUSES_S, tries) if (retry_after or 0) <= MAX_SLEEP_S else None
    return None


def pause_after_failure(kind: Kind, tries: int, *, left: bool) -> float | None:
    """Return the seconds to wait after a request without an answer; ``left`` when bytes may have gone out."""
    if left and kind == "memo":
        return None
    return _nth(_CONNECT_PAUSES_S, tries)


def _rate_pause(tries: int, retry_after: float | None) -> float | None:
    wait = retry_after if retry_after is not None else _nth(_RATE_PAUSES_S, tries)
    return wait if wait is not None and wait <= MAX_SLEEP_S and tries <= len(_RATE_PAUSES_S) else None


def _nth(pauses: tuple[float, ...], tries: int) -> float | None:
    return pauses[tries - 1] if tries <= len(pauses) else None


def next_step(send: Send, *, lease_over: bool) -> Next:
    """Decide what happens when the same send is asked for again; ``lease_over``: the owner of its claim is gone."""
    if status_of(send.status).may_run_again:
        return "send"
    if send.status == "preparing":
        return "send" if lease_over else "wait"
    if send.status == "sending":
        return "reconcile" if lease_over else "wait"
    return "reconcile" if send.status == "unknown" else "report"


# --- delivery -------------------------------------------------------------------------------------------------

ASK_PAUSES_S = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds before each question for a status, the last ones over and over: Linq names no cadence, its samples show
deliveries within 5 s, and no time after which a message is dead."""

TOGETHER = timedelta(seconds=1)
"""What is due so soon after another question is asked with it: one list may answer for both."""


def may_be_asked(send: Send, *, settled: bool = False) -> bool:
    """Whether Linq may tell more of a send; ``settled`` asks for those too that mostly change no more.

    A ``failed`` one may be delivered later (Linq documents it for 4001), a ``delivered`` one read.
    """
    if send.message_id is None:
        return False
    return send.is_open or (settled and is_resolved(send.status) and send.status != "read")


def ask_at(send: Send, asked: int, last: datetime | None, now: datetime) -> datetime:
    """Return when a send is asked for next: soon after it was accepted, then at longer and longer pauses.

    ``asked`` counts the questions so far, ``last`` is the time of the last one.
    """
    pause = timedelta(seconds=ASK_PAUSES_S[min(asked, len(ASK_PAUSES_S) - 1)])
    return (last or accepted_at(send) or now - pause) + pause


def accepted_at(send: Send) -> datetime | None:
    """Return when Linq took a send, or the nearest time that is known to us."""
    return send.accepted_at or send.posted_at or send.created_at


def is_unconfirmed(send: Send, now: datetime, horizon: timedelta | None) -> bool:
    """Whether a send was accepted a ``horizon`` ago and is still open: not failed, only not confirmed."""
    since = accepted_at(send)
    return horizon is not None and since is not None and send.is_open and now - since >= horizon


def horizon_of(given: str | float | timedelta | None) -> timedelta | None:
    """Read a length of time: ``"90s"``, ``"30m"``, ``"1h"``, ``"1h30m"``, ``"2d"``, seconds, or a timedelta.

    Raises SettingsError for anything else.
    """
    if given is None:
        return None
    try:
        span = given if isinstance(given, timedelta) else _span(given)
    except (ValueError, TypeError, OverflowError):
        span = timedelta()
    if span > timedelta():
        return span
    raise SettingsError(f"a horizon is a length of time such as 90s, 30m, 1h or 2d, not {given!r}; nothing was asked")


def _span(given: str | float) -> timedelta:
    found = _SPAN.fullmatch(given.strip().lower()) if isinstance(given, str) else None
    if found is None or not any(found.groups()):
        return timedelta(seconds=0 if isinstance(given, bool) else float(given))
    parts = zip(("days", "hours", "minutes", "seconds"), found.groups(), strict=True)
    return timedelta(**{unit: int(number) for unit, number in parts if number})


_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,9})s)?", re.ASCII)


# --- reconciling ----------------------------------------------------------------------------------------------

CLOCK_SKEW = timedelta(seconds=10)
"""How far Linq's clock may be off what its Date header says, which is whole seconds and some time under way."""

SETTLE = timedelta(seconds=30)
"""How long after the last moment a request can arrive a message may still appear in the chat's list."""


@dataclass(frozen=True, slots=True)
class Match:
    """What reading the chat says of an unknown send: ``found`` with the message, ``not_found`` or ``ambiguous``."""

    result: Literal["found", "not_found", "ambiguous"]
    evidence: str
    message: Message | None = None


def match(
    send: Send,
    messages: Iterable[Message],
    known: Set[str],
    *,
    now: datetime,
    timeout_s: float,
    complete: bool,
    ahead: timedelta = timedelta(),
    rivals: Sequence[Send] = (),
    under_way: Set[str] = frozenset(),
) -> Match:
    """Look for an unknown send among the messages of its chat.

    A message is ours when it came from us in the time window, carries one audio file, is not known as another
    send (``known`` message ids), and its part is our attachment, or has our file name (and size, where known)
    and is the only one that does. ``complete`` says that the list was read back to the start of the window,
    ``ahead`` how far Linq's clock is before ours. A message that does not tell when it was made or what it
    carries (a line that keeps nothing) may be ours, so the answer is never ``not_found`` then.

    ``rivals`` are the chat's other sends that may have a message and have none yet, as the journal knew them after the
    list was read; ``under_way`` names those of which an answer may still come. What carries a rival's attachment is
    the rival's; what a rival may have made as well is nobody's. Copies of one memo share their messages in the order
    in which they were sent: nobody can tell them apart.
    """
    if send.posted_at is None:
        return Match("ambiguous", "the time of the request is not known")
    messages = list(messages)
    theirs = {one.attachment_id for one in rivals if one.content != send.content} - {None, send.attachment_id}
    near = [m for m in messages if m.message_id not in known and _is_near(send, m, timeout_s, ahead)]
    near = [m for m in near if not any(one.attachment_id in theirs for one in m.media)]
    candidates = [m for m in near if m.created_at and len(m.media) == 1 and _is_audio(m.media[0])]
    proven = [m for m in candidates if _carries(send, m.media[0])]
    alike = [m for m in candidates if _looks_alike(send, m.media[0])]
    likeness = "same file name and size" if send.size_bytes else "same file name"
    for those, evidence, is_its in ((proven, "same attachment id", _carries), (alike, likeness, _looks_alike)):
        if not those:
            continue
        may_be = [
            one for one in rivals for m in those if is_its(one, m.media[0]) and _is_near(one, m, timeout_s, ahead)
        ]
        if any(one.send_id in under_way for one in may_be):
            return Match("ambiguous", f"a message with the {evidence} may be that of a send that is under way")
        if any(one.content != send.content for one in may_be):
            return Match("ambiguous", f"a message with the {evidence} may be that of another send")
        copies = sorted(
            {one.send_id: one for one in (send, *may_be)}.values(), key=lambda one: (one.posted_at, one.copy)
        )
        mine = copies.index(send)
        if len(those) > len(copies):
            return Match("ambiguous", f"{len(those)} messages with the {evidence}")
        if mine < len(those):
            return Match("found", evidence, sorted(those, key=lambda m: (m.created_at, m.message_id))[mine])
        candidates = []  # they are those of the copies sent before
        break
    if candidates:
        return Match("ambiguous", f"{len(candidates)} audio messages in the window, none proven to be it")
    if any(_carries(send, one) for m in messages if m not in near and m.message_id not in known for one in m.media):
        return Match("ambiguous", "a message with the same attachment id is of another time: a clock may be off")
    if any(m.created_at is None or not m.parts for m in near):
        return Match("ambiguous", "a message in the chat does not tell enough of itself to know whether it is it")
    if not complete:
        return Match("ambiguous", "the chat's messages could not be read back to the time of the request")
    if now < send.posted_at + timedelta(seconds=timeout_s) + SETTLE:
        return Match("ambiguous", "not in the chat yet; too early to say that it never will be")
    return Match("not_found", "no such message in the chat")


def window_start(send: Send, ahead: timedelta = timedelta()) -> datetime | None:
    """The earliest time, by Linq's clock, at which the message of this send can have been made."""
    return send.posted_at + ahead - CLOCK_SKEW if send.posted_at else None


def _is_near(send: Send, message: Message, timeout_s: float, ahead: timedelta) -> bool:
    """Whether a message may be from us and of the time of the request."""
    start = window_start(send, ahead)
    if message.is_from_me is False or start is None:
        return False
    end = start + 2 * CLOCK_SKEW + timedelta(seconds=timeout_s) + SETTLE
    return message.created_at is None or start <= message.created_at <= end


def _is_audio(media: Attachment) -> bool:
    return (media.mime_type or "audio/").startswith("audio/")


def _carries(send: Send, media: Attachment) -> bool:
    return bool(send.attachment_id) and send.attachment_id == media.attachment_id


def _looks_alike(send: Send, media: Attachment) -> bool:
    """Same file name, and same size where we know it (we do not of a URL that was not fetched)."""
    same_name = bool(send.filename) and send.filename == media.filename
    return same_name and send.size_bytes in (None, media.size_bytes)
