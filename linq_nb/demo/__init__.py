"""A whole small Linq: the same API, rules and answers, with no account, no key and no network.

It imports nothing of linq_nb, so that a wrong reading of Linq's JSON cannot agree with itself. The socket
server (`Server`, `serve`) loads when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from .facade import START, Demo, world
from .samples import sample
from .state import Limits
from .webhooks import Delivery
from .wire import Logged

if TYPE_CHECKING:
    from .server import Server, serve

__all__ = ["START", "Delivery", "Demo", "Limits", "Logged", "Server", "sample", "serve", "world"]


def __getattr__(name: str) -> Any:
    if name not in ("Server", "serve"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import server

    return getattr(server, name)
