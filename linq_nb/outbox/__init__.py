"""The conductor: an Outbox sends each memo once, journals what is meant before and what came after, and reads back."""

from __future__ import annotations

from linq_nb.outbox.connecting import connect
from linq_nb.outbox.core import Outbox

__all__ = ["Outbox", "connect"]
