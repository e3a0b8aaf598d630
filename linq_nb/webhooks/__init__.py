"""Webhooks: verify that a delivery is Linq's, and read its event. Pure: no file, no journal, no network.

    event = webhooks.verify(body, headers, secret)      # raises WebhookError, and nothing else, for any delivery
    event = webhooks.parse(payload)                     # of a delivery that was verified before

Signatures are Standard Webhooks, or with ``scheme="legacy"`` Linq's older hex; payloads are 2026-02-03 or 2025-01-01.
``outbox.ingest`` verifies and journals; ``python -m linq_nb.webhooks`` receives.
"""

from __future__ import annotations

from linq_nb.webhooks.signature import MAX_AGE_S, SCHEMES, Scheme, Secrets, check_secret
from linq_nb.webhooks.verification import parse, verify

__all__ = ["MAX_AGE_S", "SCHEMES", "Scheme", "Secrets", "check_secret", "parse", "verify"]
