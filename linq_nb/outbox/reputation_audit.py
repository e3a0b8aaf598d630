"""The reputation of a line: Linq's audit is started, waited for and kept in the journal, from which it is read again.

Linq runs one audit of a line at a time, and starts no other for some time after it: then the last one, which it keeps
for 24 hours, is read again by the id in the journal.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from linq_nb import answer_errors, storable, wire
from linq_nb.errors import ApiError, LinqError, NotFoundError, RateLimitError, SettingsError
from linq_nb.handles import to_e164
from linq_nb.model import Event, Line, Reputation
from linq_nb.session import Session
from linq_nb.text import mask, one_line
from linq_nb.times import timeout_of
from linq_nb.wire import Answer

EVENT, STATUS_EVENT = "reputation_audit", "phone_number.status_updated"
"""Types of events: ours for Linq's answers to an audit, and Linq's webhook about a line."""

KEPT = timedelta(hours=24)
"""How long Linq keeps an audit (its SDK 0.65)."""

PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses between two looks at an audit; the last one repeats. Linq names no cadence."""


def audit_line(session: Session, line: Line | str | float, timeout: float) -> Reputation:
    """Return Linq's audit of a line, a new one or, while Linq starts none, the last one."""
    number = line.phone_number if isinstance(line, Line) else to_e164(line)
    if not isinstance(number, str):
        raise SettingsError("a line is one of your phone numbers; nothing was asked; outbox.lines() has them")
    deadline = session.steady() + timeout_of(timeout)
    try:
        answer = session.client.start_reputation_audit(number)
        audit_id = _noted(session, answer, number).audit_id
    except RateLimitError as refusal:
        return _last(session, number, refusal)
    looks = 0
    while True:
        audit, answer = session.client.reputation_audit(number, audit_id)
        if audit.audit_status == "error":
            reason = f" ({one_line(audit.error)})" if audit.error else ""
            raise ApiError(
                f"Linq could not audit the line {mask(number)}{reason}; nothing was sent; ask again later",
                **answer_errors.facts_of(answer),
            )
        if audit.audit_status == "complete":
            return _noted(session, answer, number)
        seconds_left = deadline - session.steady()
        if seconds_left <= 0:
            raise LinqError(
                f"the audit of the line {mask(number)} is not ready after {timeout:g} s; nothing was sent; "
                "ask again: the same audit goes on"
            )
        session.throttle.pause(min(PAUSES_S[min(looks, len(PAUSES_S) - 1)], seconds_left))
        looks += 1


def known_audits(session: Session, until: datetime | None = None) -> dict[str, Reputation]:
    """Return the newest audit of each line that the journal has, by number; Linq is not asked."""
    audits = _recorded(session, until)
    return {audit.phone_number: audit for _, audit in audits if audit.audit_status == "complete"}


def known_ratings(session: Session, until: datetime) -> dict[str, str]:
    """Return how each line was rated last until then, by its masked number, as audits and webhooks in the journal say.

    Two lines that look alike when they are masked have none.
    """
    ratings: dict[str, str] = {}
    for event in session.journal.without_send((EVENT, STATUS_EVENT)):
        raw = event.body if isinstance(event.body, dict) else {}
        about = raw if event.event_type == EVENT else wire.dict_of(raw, "data")
        number = wire.text_of(about, "phone" if event.event_type == EVENT else "phone_number")
        rating = wire.rating_of(wire.dict_of(about, "report"), "severity") or wire.rating_of(about, "new_reputation")
        if number and rating and event.at <= until:
            ratings[number] = rating
    masked = [mask(number) for number in ratings]
    return {mask(number): rating for number, rating in ratings.items() if masked.count(mask(number)) == 1}


def _noted(session: Session, answer: Answer, number: str) -> Reputation:
    """Write an answer to the journal before it is shown; returns the audit that it tells of."""
    body = storable.kept(answer.body) | {"phone": number}
    session.journal.note(
        Event(send_id="", at=session.now(), source="line", event_type=EVENT, trace_id=answer.trace_id, body=body)
    )
    return wire.reputation(body, number)


def _last(session: Session, number: str, refusal: RateLimitError) -> Reputation:
    """Return the last audit of a line, as Linq keeps it; raises the refusal of a new one where there is none."""
    since = session.now() - KEPT
    ids = [audit.audit_id for at, audit in _recorded(session) if audit.phone_number == number and at >= since]
    if not ids:
        raise refusal
    try:
        audit, answer = session.client.reputation_audit(number, ids[-1])
    except NotFoundError:
        raise refusal from None
    if audit.audit_status != "complete":
        raise refusal
    return _noted(session, answer, number)


def _recorded(session: Session, until: datetime | None = None) -> list[tuple[datetime, Reputation]]:
    """Return the audits in the journal with the times at which they were read, in this order."""
    events = [event for event in session.journal.without_send((EVENT,)) if isinstance(event.body, dict)]
    return [(event.at, wire.reputation(event.body, "")) for event in events if until is None or event.at <= until]
