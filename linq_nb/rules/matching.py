"""Which message in a chat belongs to a send whose outcome is unknown.

A message belongs to a send when it came from us in the time window, carries one audio file, is not the message of
another send, and its part is our attachment, or has our file name (and size, where known) and is the only one that
does. A message without a time or without readable parts (a line that keeps nothing) may be ours, so the result is
never ``not_found`` then. A message with a rival's attachment is the rival's; a message that a rival may have made as
well belongs to nobody. Copies of one memo share their messages in the order in which they were sent: they cannot be
told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from linq_nb.model import Attachment, Message, Send

CLOCK_SKEW = timedelta(seconds=10)
"""Tolerance for Linq's clock against its Date header, which has whole seconds and is some time under way."""

SETTLE = timedelta(seconds=30)
"""Time that a message may take to appear in the chat's list, after the last moment at which a request can arrive."""


@dataclass(frozen=True, slots=True)
class Match:
    """Result of the search for an unknown send: ``found`` with the message, ``not_found`` or ``ambiguous``."""

    result: Literal["found", "not_found", "ambiguous"]
    evidence: str
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class _Search:
    """A send, its rivals, and the time in which its message can have been made."""

    send: Send
    rivals: Sequence[Send]
    under_way: Set[str]
    timeout_s: float
    ahead: timedelta

    def is_near(self, send: Send, message: Message) -> bool:
        """Whether a message may be from us and of the time of the request."""
        start = window_start(send, self.ahead)
        if message.is_from_me is False or start is None:
            return False
        end = start + 2 * CLOCK_SKEW + timedelta(seconds=self.timeout_s) + SETTLE
        return message.created_at is None or start <= message.created_at <= end

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


def match(
    send: Send,
    messages: Iterable[Message],
    other_ids: Set[str],
    *,
    now: datetime,
    timeout_s: float,
    complete: bool,
    ahead: timedelta = timedelta(),
    rivals: Sequence[Send] = (),
    under_way: Set[str] = frozenset(),
) -> Match:
    """Look for an unknown send among the messages of its chat.

    ``other_ids``: the message ids of other sends; ``complete``: the list was read back to the start of the window;
    ``ahead``: how far Linq's clock is before ours. ``rivals`` are the chat's other sends that may have a message and
    have none yet, as in the journal after the list was read; ``under_way`` names those that may still get an answer.
    """
    if send.posted_at is None:
        return Match("ambiguous", "the time of the request is not known")
    search = _Search(send, rivals, under_way, timeout_s, ahead)
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
    doubt = _doubt(send, near, [message for message in unplaced if message not in near])
    if doubt is None and not complete:
        doubt = "the chat's messages could not be read back to the time of the request"
    if doubt is None and now < send.posted_at + timedelta(seconds=timeout_s) + SETTLE:
        doubt = "not in the chat yet; too early to say that it never will be"
    return Match("ambiguous", doubt) if doubt else Match("not_found", "no such message in the chat")


def window_start(send: Send, ahead: timedelta = timedelta()) -> datetime | None:
    """The earliest time, by Linq's clock, at which the message of this send can have been made."""
    return send.posted_at + ahead - CLOCK_SKEW if send.posted_at else None


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


def _doubt(send: Send, near: Sequence[Message], others: Sequence[Message]) -> str | None:
    """Say why the absence of a fitting message proves nothing, None when it does."""
    if any(_carries(send, media) for message in others for media in message.media):
        return "a message with the same attachment id is of another time: a clock may be off"
    if any(message.created_at is None or not message.parts for message in near):
        return "a message in the chat does not tell enough of itself to know whether it is it"
    return None


def _is_memo(message: Message) -> bool:
    return len(message.media) == 1 and (message.media[0].mime_type or "audio/").startswith("audio/")


def _carries(send: Send, media: Attachment) -> bool:
    return bool(send.attachment_id) and send.attachment_id == media.attachment_id


def _looks_alike(send: Send, media: Attachment) -> bool:
    """Same file name, and same size where it is known (it is not of a URL that was not fetched)."""
    same_name = bool(send.filename) and send.filename == media.filename
    return same_name and send.size_bytes in (None, media.size_bytes)
