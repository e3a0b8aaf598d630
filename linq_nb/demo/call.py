"""One call of the API, as its handler gets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from . import rules
from .faults import Fault
from .state import State
from .wire import Json, Request


@dataclass
class Call:
    """The world, the request, the id in its path, and the trace id of the answer.

    A handler that carried the request out may set a `fault`, which changes the answer.
    """

    state: State
    request: Request
    path_id: str
    trace_id: str
    fault: Fault | None = None

    @property
    def now(self) -> datetime:
        return self.state.clock.now()

    def body(self, required: Mapping[str, type], optional: Mapping[str, type] | None = None) -> Json:
        """Read the JSON body; refuses one with other fields or types."""
        data = rules.json_body(self.request)
        rules.fields(data, required, optional or {})
        return data
