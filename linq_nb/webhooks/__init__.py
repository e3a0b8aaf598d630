"""Webhooks: whether a delivery is Linq's, and the event that it tells. Pure: nothing is read, kept or sent.

    event = webhooks.verify(body, headers, secret)      # raises WebhookError, and nothing else, for any delivery
    event = webhooks.parse(payload)                     # of one that was verified before

Signatures are Standard Webhooks, or with ``scheme="legacy"`` Linq's older hex; payloads are 2026-02-03 or 2025-01-01.
``outbox.ingest`` verifies and journals; ``python -m linq_nb.webhooks`` receives.
"""

from __future__ import annotations

from linq_nb.webhooks.reading import parse, verify
from linq_nb.webhooks.signing import MAX_AGE_S, SCHEMES, Scheme, Secrets, check_secret

__all__ = ["MAX_AGE_S", "SCHEMES", "Scheme", "Secrets", "check_secret", "parse", "verify"]
