"""The send rules: when a request is repeated, when Linq is asked for a status, which message belongs to a send.

Pure functions; the journal, the client and the outbox act on what they decide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Literal

from linq_nb.clocks import Skew
from linq_nb.model import Attachment, Message, Send, accepted_time
from linq_nb.status import is_resolved, status_of
from linq_nb.text import name_key, visual_key
from linq_nb.wire import Answer, NoAnswer

# --- retries: what an answer means for a memo, how often a request is repeated, after which pauses -----------

MAX_SLEEP_S = 60.0
"""A longer Retry-After is shown to the user, not slept through (a daily cap can mean hours)."""

Kind = Literal["read", "memo", "upload", "start"]
Outcome = Literal["accepted", "rejected", "not_sent", "unknown"]
Next = Literal["send", "wait", "reconcile", "report", "refuse"]

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
class Pause:
    """Wait before the request is made again; ``is_rate_limit`` when Linq asked for it (429)."""

    seconds: float
    is_rate_limit: bool = False


def pause_after(kind: Kind, tries: int, outcome: Answer | NoAnswer) -> Pause | None:
    """Return the pause before a request is repeated that was made so often, None when it is not repeated.

    A memo is repeated only where nothing can have been sent, an upload until its deadline, which all its tries share.
    The start of an audit is not repeated after a 429, by which Linq tells when the next one may start.
    """
    if isinstance(outcome, NoAnswer):
        if outcome.todo:  # a setting of this machine does not mend itself
            return None
        may_repeat = not outcome.may_have_left if kind == "memo" else not (kind == "upload" and outcome.is_late)
        return _nth(_CONNECT_PAUSES_S, tries) if may_repeat else None
    status = outcome.http_status
    if status == 429:
        return None if kind == "start" else _rate_pause(tries, outcome.retry_after)
    if kind == "memo":
        return _nth(_NOT_READY_PAUSES_S, tries) if (status, outcome.code) in NOT_READY else None
    if status == 408 or status >= 500:
        return _nth(_READ_PAUSES_S, tries) if (outcome.retry_after or 0.0) <= MAX_SLEEP_S else None
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


# --- when Linq is asked for a status, and when a send counts as unconfirmed -----------------------------------

ASK_PAUSES_S = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds before each request for a status; the last one repeats. Linq names no cadence; its samples show deliveries
within 5 s, and no time after which a message is given up."""

TOGETHER = timedelta(seconds=1)
"""Sends that are due so soon after another one are asked for with it: one list may answer for both."""


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


def unconfirmed_ids(sends: Iterable[Send], now: datetime, horizon: timedelta | None) -> frozenset[str]:
    """Return the ids of the sends that are unconfirmed."""
    return frozenset(send.send_id for send in sends if is_unconfirmed(send, now, horizon))


# --- which message in a chat belongs to a send whose outcome is unknown ---------------------------------------

TOLERANCE = timedelta(seconds=10)
"""Tolerance for the times of Linq's messages against its Date headers."""

SETTLE = timedelta(seconds=30)
"""Time that a message may take to appear in the chat's list, after the last moment at which a request can arrive."""


@dataclass(frozen=True, slots=True)
class Match:
    """Result of the search for an unknown send: ``found`` with the message, ``not_found`` or ``ambiguous``."""

    result: Literal["found", "not_found", "ambiguous"]
    evidence: str
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class ListRead:
    """How a chat's list of messages was read.

    ``as_of`` is the oldest Date header of its pages, None when one had none. ``skew`` is how far Linq's clock is ahead
    of ours now, ``skew_then`` how far it was at the POST, worked out by the journal's clock. ``seconds_since_post``
    passed by our clocks. ``is_complete``: it was read back to the start of the window.
    """

    as_of: datetime | None
    skew: Skew | None
    seconds_since_post: float
    is_complete: bool = True
    skew_then: Skew | None = None

    def possible_skew(self, send: Send) -> Skew:
        """Return how far Linq's clock can have been ahead of ours at the POST, by all that is known."""
        seen = [skew for skew in (skew_at_post(send), self.skew_then, self.skew) if skew is not None]
        return functools.reduce(Skew.union, seen) if seen else Skew(timedelta(), timedelta())

    def window_start(self, send: Send) -> datetime | None:
        """Return the earliest time, by Linq's clock, at which the message of a send can have been made."""
        return send.posted_at and send.posted_at + self.possible_skew(send).low - TOLERANCE


@dataclass(frozen=True, slots=True)
class _Search:
    """A send, its rivals, and how its message is looked for."""

    send: Send
    rivals: Sequence[Send]
    under_way: Set[str]
    lasts: timedelta
    read: ListRead

    def is_near(self, send: Send, message: Message) -> bool:
        """Whether a message may be from us and of the time of the request."""
        start = self.read.window_start(send)
        if message.is_from_me is False or start is None:
            return False
        skew = self.read.possible_skew(send)
        end = start + (skew.high - skew.low) + 2 * TOLERANCE + self.lasts
        return message.created_at is None or start <= message.created_at <= end

    def is_too_early(self, posted_at: datetime) -> bool:
        """Whether the request may still arrive, by our clocks or by Linq's."""
        latest = posted_at + self.read.possible_skew(self.send).high
        is_early_for_linq = self.read.as_of is not None and self.read.as_of < latest + self.lasts
        return self.read.seconds_since_post < self.lasts.total_seconds() or is_early_for_linq

    def is_rivals(self, message: Message) -> bool:
        """Whether a message carries the attachment of another send."""
        ids = {rival.attachment_id for rival in self.rivals if rival.content != self.send.content}
        ids -= {None, self.send.attachment_id}
        return any(media.attachment_id in ids for media in message.media)

    def claimants(self, messages: Sequence[Message], fits: Callable[[Send, Attachment], bool]) -> list[Send]:
        """Return the rivals to which one of these messages may belong as well."""
        return [
            rival
            for rival in self.rivals
            if any(fits(rival, message.media[0]) and self.is_near(rival, message) for message in messages)
        ]


def match(  # over 40 lines: half of them are its arguments and the rules in words
    send: Send,
    messages: Iterable[Message],
    other_ids: Set[str],
    *,
    read: ListRead,
    timeout_s: float,
    rivals: Sequence[Send] = (),
    under_way: Set[str] = frozenset(),
) -> Match:
    """Look for an unknown send among the messages of its chat.

    A message belongs to a send when it came from us in the time window, carries one audio file, is not the message
    of another send, and its part is our attachment, or has our file name (and size, where known) and is the only
    one that does. A message without a time or without readable parts (a line that keeps nothing) may be ours, so
    the result is never ``not_found`` then. A message with a rival's attachment is the rival's; a message that a
    rival may have made as well belongs to nobody. Copies of one memo share their messages in the order in which
    they were sent: they cannot be told apart.

    The window covers the request by all that was known of Linq's clock then and all that is known now. ``not_found``
    is only said when that is certain: never before the request can no longer arrive, never without any knowledge of
    Linq's clock, and never when a message of another time may be it.

    ``other_ids``: the message ids of other sends. ``rivals`` are the chat's other sends that may have a message and
    have none yet, as in the journal after the list was read; ``under_way`` names those that may still get an answer.
    """
    if send.posted_at is None:
        return Match("ambiguous", "the time of the request is not known")
    search = _Search(send, rivals, under_way, timedelta(seconds=timeout_s) + SETTLE, read)
    unplaced = [message for message in messages if message.message_id not in other_ids]
    near = [message for message in unplaced if search.is_near(send, message) and not search.is_rivals(message)]
    candidates = [message for message in near if message.created_at and _is_memo(message)]
    likeness = "same file name and size" if send.size_bytes else "same file name"
    for fits, evidence in ((_carries, "same attachment id"), (_looks_alike, likeness)):
        alike = [message for message in candidates if fits(send, message.media[0])]
        if alike:
            decided = _share(search, alike, search.claimants(alike, fits), evidence)
            if decided is not None:
                return decided
            candidates = []
            break
    if candidates:
        return Match("ambiguous", f"{len(candidates)} audio messages in the window, none proven to be it")
    others = [message for message in unplaced if message not in near and not search.is_rivals(message)]
    doubt = _doubt_of_messages(send, near, others)
    doubt = doubt or _doubt_of_time(search, send.posted_at, unplaced)
    return Match("ambiguous", doubt) if doubt else Match("not_found", "no such message in the chat")


def skew_at_post(send: Send) -> Skew | None:
    """Return how far Linq's clock was ahead of ours at the POST, by what was known then."""
    if send.skew_min_ms is None or send.skew_max_ms is None:
        return None
    return Skew(timedelta(milliseconds=send.skew_min_ms), timedelta(milliseconds=send.skew_max_ms))


def _share(search: _Search, alike: Sequence[Message], claimants: Sequence[Send], evidence: str) -> Match | None:
    """Share messages between a send and its copies; None when all are those of copies that were sent before."""
    send = search.send
    if any(rival.send_id in search.under_way for rival in claimants):
        return Match("ambiguous", f"a message with the {evidence} may be that of a send that is under way")
    if any(rival.content != send.content for rival in claimants):
        return Match("ambiguous", f"a message with the {evidence} may be that of another send")
    copies = sorted((send, *claimants), key=lambda copy: (copy.posted_at, copy.copy))
    if len(alike) > len(copies):
        return Match("ambiguous", f"{len(alike)} messages with the {evidence}")
    place = copies.index(send)
    if place >= len(alike):
        return None
    in_order = sorted(alike, key=lambda message: (message.created_at, message.message_id))
    return Match("found", evidence, in_order[place])


def _doubt_of_messages(send: Send, near: Sequence[Message], others: Sequence[Message]) -> str | None:
    """Say which other message may be it: one of another time that fits, one that says too little of itself."""
    if any(_carries(send, media) for message in others for media in message.media):
        return "a message with the same attachment id is of another time: a clock may be off"
    ours = [message for message in others if message.is_from_me is not False and _is_memo(message)]
    if any(_looks_alike(send, message.media[0]) for message in ours):
        return "a message with the same file name is of another time: a clock may be off"
    if any(message.created_at is None or not message.parts for message in near):
        return "a message in the chat does not have enough fields to tell whether it is this memo"
    return None


def _doubt_of_time(search: _Search, posted_at: datetime, messages: Sequence[Message]) -> str | None:
    """Say why a missing message proves nothing: an unknown skew of the clocks, or a list that is too old."""
    read = search.read
    if not read.is_complete:
        return "the chat's messages could not be read back to the time of the request"
    if search.is_too_early(posted_at):
        return (
            "not in the chat yet; too early, by our clock or the time in Linq's answers, to say that it never will be"
        )
    if skew_at_post(search.send) is None and read.skew_then is None:
        return (
            "the difference between our clock and Linq's at the POST is not known, so a missing message proves nothing"
        )
    if read.as_of is None or read.skew is None:
        return "Linq's answers tell no time (no Date header), so a missing message proves nothing"
    if any(message.created_at and message.created_at > read.as_of + TOLERANCE for message in messages):
        return "the answers tell an older time than a message in them: a cache or a proxy may have given them"
    return None


def _is_memo(message: Message) -> bool:
    return len(message.media) == 1 and (message.media[0].mime_type or "audio/").startswith("audio/")


def _carries(send: Send, media: Attachment) -> bool:
    return bool(send.attachment_id) and send.attachment_id == media.attachment_id


def _looks_alike(send: Send, media: Attachment) -> bool:
    """Same file name, and same size where it is known (it is not of a URL that was not fetched)."""
    return _is_same_name(send.filename, media.filename) and send.size_bytes in (None, media.size_bytes)


def may_be_memo(message: Message) -> bool:
    """Whether a message may be a memo that went out from here: it does not say that it is something else."""
    if message.is_from_me is False:
        return False
    return _is_memo(message) or not message.parts


def is_same_file(send: Send, attachment_id: str | None, filename: str | None, size_bytes: int | None) -> bool | None:
    """Whether a message's file is that of a send, whatever their times are; None when that is not clear.

    Linq transcodes some formats, so another size proves nothing, nor does another attachment id.
    """
    if send.attachment_id and send.attachment_id == attachment_id:
        return True
    if not send.filename or not filename:
        return None
    is_same_size = send.size_bytes is not None and send.size_bytes == size_bytes
    if _is_same_name(send.filename, filename) and (is_same_size or send.size_bytes is None):
        return True
    is_same_stem = name_key(PurePath(send.filename).stem) == name_key(PurePath(filename).stem)
    return None if is_same_stem or is_same_size else False


def _is_same_name(name: str | None, other: str | None) -> bool:
    """Whether two file names look the same: a service may give the name of a file from macOS in another encoding."""
    return bool(name and other) and visual_key(name or "") == visual_key(other or "")
