"""The life of a send: one table of every status, and what follows from a status alone.

    preparing -> sending -> pending -> queued -> sent -> delivered -> read

``failed`` may follow any of Linq's own words, and a failed send may still be delivered. Linq may add words of its own
at any time: ``status_of`` describes those too.

Who decides one: ``rules.memo_outcome`` by the answer to a POST, ``outbox.attempt`` (``accepted``, ``refused``) for an
attempt, ``later`` (by ``Send.observed``) for each later report, ``outbox.reconcile`` by a search in the chat or by a
person's word, ``outbox.poll`` when Linq no longer keeps a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Colour = Literal["green", "blue", "amber", "red", "grey"]


@dataclass(frozen=True, slots=True)
class Status:
    """One status of a send.

    ``rank`` orders Linq's reports: a status never goes back to a lower rank; 0 has no order. ``is_ours``: Linq does not
    say this word, only this machine does. ``is_final``: no further report is expected. ``may_run_again``: nothing has
    reached the recipient, so the same send may be tried again. ``is_error``: something went wrong, there is a reason.
    """

    word: str
    colour: Colour
    meaning: str
    rank: int = 0
    is_ours: bool = False
    is_final: bool = False
    may_run_again: bool = False
    is_error: bool = False


_TABLE = (
    Status("read", "green", "the recipient has opened it", rank=7, is_final=True),
    Status("delivered", "green", "it is on the recipient's device", rank=6, is_final=True),
    Status("sent", "blue", "it has left the line", rank=3),
    Status("queued", "blue", "Linq has accepted it and will deliver it", rank=2),
    Status("pending", "blue", "Linq has accepted it", rank=1),
    Status("sending", "blue", "it is on its way to Linq, no answer yet", is_ours=True),
    Status("preparing", "grey", "nothing has left this machine yet", is_ours=True),
    Status("unknown", "amber", "it left, no clear answer came, it may have arrived; outbox.reconcile() looks it up",
           is_ours=True, is_error=True),
    Status("not_sent", "amber", "nothing was sent; it is safe to run the same again",
           is_ours=True, is_final=True, may_run_again=True, is_error=True),
    Status("expired", "grey", "Linq no longer keeps this message; there will be no further reports",
           rank=4, is_ours=True, is_final=True),
    Status("failed", "red", "Linq could not deliver it", rank=5, is_final=True, is_error=True),
    Status("rejected", "red", "Linq said no; nothing was sent",
           is_ours=True, is_final=True, may_run_again=True, is_error=True),
    Status("received", "grey", "a message to you, not from you", is_final=True),
)  # fmt: skip

STATUSES: Mapping[str, Status] = {status.word: status for status in _TABLE}
"""Every known status, from the best outcome to the worst."""

LINQ_STATUSES = tuple(status.word for status in _TABLE if not status.is_ours)
OUR_STATUSES = tuple(status.word for status in _TABLE if status.is_ours)
RUNNABLE_STATUSES = tuple(status.word for status in _TABLE if status.may_run_again)
CLOSED_STATUSES = tuple(status.word for status in _TABLE if status.is_ours or status.is_final)
"""Statuses that no report of Linq is waited for."""

ERROR_STATUSES = tuple(status.word for status in _TABLE if status.is_error)

NEEDS_ME = "needs_me"
"""The word that chooses the sends that a person must look at, as ``outbox.sends(status="needs_me")``: those with a
status of ``NEEDS_ME_STATUSES``, and the unconfirmed ones, accepted ``UNCONFIRMED_AFTER`` ago and still open."""

NEEDS_ME_STATUSES = ERROR_STATUSES
UNCONFIRMED_AFTER = timedelta(hours=1)

IN_HAND_STATUSES = ("preparing", "sending")
"""Somebody is at work on the send, or was when it ended."""

UNCLEAR_STATUSES = ("sending", "unknown")
"""The request may have left and no clear answer came."""

UNRESOLVED_STATUSES = ("preparing", "sending", "unknown")
"""Statuses without a clear outcome; the later in this list, the more such a row forbids."""

NO_MESSAGE_STATUSES = ("preparing", *RUNNABLE_STATUSES)
"""Nothing reached Linq, or it refused: there can be no message."""

OPT_OUT_CODE = 2024
"""Linq's code for a recipient who opted out: the send is refused for good, until the recipient writes again."""

REFUSED_STATUSES = ("rejected", "failed")
"""Linq said no to the send, at once or later."""

NO_RECEIPT_SERVICE = "SMS"
NO_RECEIPTS = "Groups and SMS cannot report a delivery."


def status_of(word: str) -> Status:
    """Return the entry of a status; a word that Linq added later counts as Linq's, without rank or end."""
    return STATUSES.get(word) or Status(word, "grey", "a word of Linq's that linq_nb does not know")


def rank(word: str | None) -> int:
    """Return the rank of a status, 0 for one without."""
    return status_of(word).rank if word else 0


def is_resolved(word: str) -> bool:
    """Whether Linq has accepted the send: every word of Linq's says so, and ``expired``."""
    status = status_of(word)
    return not status.is_ours or status.rank > 0


def is_going_well(word: str) -> bool:
    """Whether Linq has accepted the send and reported no failure; False for a word that is not known."""
    status = status_of(word)
    return status.rank > 0 and not status.is_error


def is_opt_out(word: str, error_code: int | None) -> bool:
    """Whether Linq refused a send for good, since its recipient opted out."""
    return word in REFUSED_STATUSES and error_code == OPT_OUT_CODE


def is_open(word: str, *, is_group: bool | None, service: str | None) -> bool:
    """Whether Linq may report more of a send; a new word may be on its way to any other."""
    if word in CLOSED_STATUSES:
        return False
    return word != "sent" or no_receipts(is_group=is_group, service=service) is None


def is_settled(word: str, *, is_group: bool | None, service: str | None) -> bool:
    """Whether a send waits for nothing: neither for a report of Linq's nor for a step of ours."""
    return status_of(word).is_final or (word == "sent" and not is_open(word, is_group=is_group, service=service))


def no_receipts(*, is_group: bool | None, service: str | None) -> str | None:
    """Say why ``sent`` is the last report of a send, None when ``delivered`` may follow."""
    if is_group:
        return "groups give no further receipts"
    return "SMS gives no further receipts" if service == NO_RECEIPT_SERVICE else None


def precedence(word: str) -> int:
    """Rank the rows of one send key by what they forbid: a bubble that is there, then one that may be."""
    if is_resolved(word):
        return len(UNRESOLVED_STATUSES)
    return UNRESOLVED_STATUSES.index(word) if word in UNRESOLVED_STATUSES else -1


def later(before: str, reported: str | None, reached: tuple[str, ...] = ()) -> str:
    """Choose between the status so far and a reported one: it never goes back to a lower rank.

    A word that is not known is kept until a known one comes; ``reached`` are the statuses that the times of the send
    prove, which then count too.
    """
    if reported is None:
        return before
    if rank(reported) and rank(before):
        return max(reported, before, key=rank)
    if rank(reported) and before not in OUR_STATUSES:
        return max((reported, *reached), key=rank)
    return before if reported in OUR_STATUSES and rank(before) else reported
