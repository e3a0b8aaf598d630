"""The HTTP adapter: every request to Linq, with its time limits, its retries and its errors.

``api`` has a method for each endpoint, ``exchange`` makes one request, ``transport`` and ``connection`` carry it,
``acceptance`` says what the answer to a memo means, ``throttle`` makes the pauses. ``rules`` decides what is repeated.
"""

from linq_nb.client.acceptance import require_accepted
from linq_nb.client.api import Client
from linq_nb.client.bodies import check_extra
from linq_nb.client.throttle import Throttle
from linq_nb.clocks import utc_now

__all__ = ["Client", "Throttle", "check_extra", "require_accepted", "utc_now"]
