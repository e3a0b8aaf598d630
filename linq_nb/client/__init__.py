"""The HTTP adapter: every request to Linq, with its time limits, its retries and its errors.

``api`` has a method for each endpoint, ``exchange`` makes one request, ``transport`` and ``connection`` carry it,
``throttle`` makes the pauses. ``rules`` decides what is repeated, ``proof`` what the answer to a memo means.
"""

from linq_nb.client.api import Client
from linq_nb.client.bodies import check_extra
from linq_nb.client.throttle import Throttle
from linq_nb.clocks import utc_now
from linq_nb.proof import require_accepted

__all__ = ["Client", "Throttle", "check_extra", "require_accepted", "utc_now"]
