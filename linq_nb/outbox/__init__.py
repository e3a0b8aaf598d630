"""The outbox: sends each memo once, journals the intent before and the answer after, and reads the results."""

from __future__ import annotations

from linq_nb.outbox.connect import connect
from linq_nb.outbox.facade import Outbox, session_of

__all__ = ["Outbox", "connect", "session_of"]
