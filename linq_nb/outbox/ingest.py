"""Webhooks into the journal: one delivery, or many that were stored elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from linq_nb import views, webhooks
from linq_nb.errors import SettingsError, WebhookError
from linq_nb.model import Event
from linq_nb.outbox import stored
from linq_nb.outbox.stored import SkipLog, Skipped
from linq_nb.secret import HiddenText, Secret
from linq_nb.session import Session
from linq_nb.settings import ENVIRON
from linq_nb.text import names_of
from linq_nb.webhooks.envelopes import Delivery, deliveries, spellings

SECRET_VARIABLE = "LINQ_WEBHOOK_SECRET"
"""The name that the official SDKs read too; several secrets are separated by spaces."""

CHUNK = 500
"""Stored events that are written in one transaction."""

_NOTHING_DONE = re.compile("; (?:it was skipped|the webhook was ignored)")
COUNTS = ("new", "not_ours", "repeated", "refused", "unreadable")


@dataclass(frozen=True, slots=True, repr=False)
class IngestCounts:
    """Counts of stored deliveries by result; each is counted once.

    ``new``: written, about a send of this journal; ``not_ours``: written, about no send of this journal (yet);
    ``repeated``: in the journal before; ``refused``: the signature does not fit; ``unreadable``: not a webhook.
    ``first_error`` is the error of the first that was refused or unreadable. ``skipped`` says of everything that was
    passed over, also files and lines that hold no webhook, why, how many and where the first are.
    """

    new: int = 0
    not_ours: int = 0
    repeated: int = 0
    refused: int = 0
    unreadable: int = 0
    first_error: str | None = None
    skipped: tuple[Skipped, ...] = ()

    @property
    def total(self) -> int:
        return sum(getattr(self, name) for name in COUNTS)

    def _summary(self) -> Any:
        rows = [(name.replace("_", " "), str(getattr(self, name))) for name in COUNTS]
        skipped = [("passed over", f"{part.count}: {part.reason} ({names_of(part.names)})") for part in self.skipped]
        return views.summary(f"{self.total} webhooks", rows + skipped)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self._summary()._repr_mimebundle_()

    def __repr__(self) -> str:
        return repr(self._summary())


def ingest(
    session: Session, body: bytes | str, headers: Any, secret: webhooks.Secrets | None, scheme: webhooks.Scheme
) -> Event:
    """Verify one delivery and write it into the journal; returns the event with the id of its send."""
    event = webhooks.verify(body, headers, secrets_of(secret), scheme=scheme, now=session.now())
    ingested = session.journal.ingest(event)[0]
    session.optouts.forget()
    return ingested.event


def secrets_of(secret: webhooks.Secrets | None) -> webhooks.Secrets:
    """Return the signing secrets: the argument, else the environment's. Raises SettingsError without any."""
    if secret is not None:
        return secret
    secrets = secrets_in(HiddenText(ENVIRON.get(SECRET_VARIABLE, "")))
    if not secrets:
        raise SettingsError(
            "no webhook secret, so no webhook can be verified; nothing was read; pass secret=, or set "
            f"{SECRET_VARIABLE}; %linq_webhooks --create gives one"
        )
    return secrets


def secrets_in(text: str) -> list[Secret]:
    """Return the signing secrets in a text, which are separated by spaces, commas or lines."""
    return [Secret(word) for word in text.replace(",", " ").split()]


def ingest_stored(
    session: Session, source: Any, secret: webhooks.Secrets | None, column: str | None, scheme: webhooks.Scheme
) -> IngestCounts:
    """Write stored deliveries into the journal; invalid deliveries are counted and skipped."""
    counts: Counter[str] = Counter()
    first_error: str | None = None
    skips = SkipLog()

    def valid() -> Iterator[Event]:
        nonlocal first_error
        for item, where in stored.items(source, column, skips):
            for delivery in deliveries(item):
                try:
                    yield _event(delivery, secret, scheme, session)
                except WebhookError as error:
                    counts[refusal(error)] += 1
                    first_error = first_error or str(error)
                    skips.add(_NOTHING_DONE.sub("", str(error)), where)

    events = valid()
    while chunk := list(islice(events, CHUNK)):
        counts.update(ingested.result for ingested in session.journal.ingest(*chunk))
    session.optouts.forget()
    return IngestCounts(**counts, first_error=first_error, skipped=skips.listed())


def refusal(error: WebhookError) -> str:
    """Return under which of the counts a delivery falls that was not written."""
    return "unreadable" if error.reason == "body" else "refused"


def _event(
    delivery: Delivery | WebhookError, secret: webhooks.Secrets | None, scheme: webhooks.Scheme, session: Session
) -> Event:
    """Read a stored delivery, verified when there is a secret; raises WebhookError."""
    if isinstance(delivery, WebhookError):
        raise delivery
    if secret is None:
        return webhooks.parse(delivery.body, at=session.now())
    if delivery.headers is None:
        raise WebhookError(
            "a stored webhook has no headers, so it cannot be verified; it was skipped; store the headers too"
        )
    for text in spellings(delivery.body):
        try:
            return webhooks.verify(text, delivery.headers, secret, scheme=scheme, max_age_s=None)
        except WebhookError as error:
            if error.reason != "signature" or not isinstance(delivery.body, Mapping):
                raise
    raise WebhookError(
        "the body was stored as parsed JSON, of which the raw text that Linq signed cannot be made again, or the "
        "secret is another subscription's; it was skipped; store raw bodies"
    )
