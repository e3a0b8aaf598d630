"""The audit of a period on one page: what arrived, what went wrong and since when, what is open, what to do next."""

from __future__ import annotations

from linq_nb.auditing.period import audit, audit_frame
from linq_nb.auditing.report import Audit

__all__ = ["Audit", "audit", "audit_frame"]
