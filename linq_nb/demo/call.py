"""One call of the API, as its handler gets it."""

from dataclasses import dataclass
from datetime import datetime

from .faults import Fault
from .state import State
from .wire import Request


@dataclass
class Call:
    """The world, the request, the ids in its path, and the trace id of the answer.

    A handler that carried the request out may set a `fault`, which changes the answer.
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
