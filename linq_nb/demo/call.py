"""One call of the API on its way to a handler."""

from dataclasses import dataclass
from datetime import datetime

from .faults import Fault
from .state import State
from .wire import Request


@dataclass
class Call:
    """The world, the request, what the path named, and the trace id that the answer will carry.

    A handler that carried the request out may leave a `fault` that spoils its answer.
    """

    state: State
    request: Request
    ids: tuple[str, ...]
    trace_id: str
    upload_base: str
    fault: Fault | None = None

    @property
    def now(self) -> datetime:
        return self.state.clock.now()
