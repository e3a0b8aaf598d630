"""`/demo/`: the methods of `Demo` as JSON, for a client on the other side of a socket."""

import json
from collections.abc import Callable, Mapping

from .wire import Json, Reply, Request, json_reply

#: What can be asked for, by method and first part of the path. A GET gets the rest of the path, a POST the body.
Actions = Mapping[tuple[str, str], Callable[..., Json]]


def answer(actions: Actions, request: Request) -> Reply:
    """Answer a control request; 404 with the list of what there is, 400 for arguments that do not fit."""
    name, _, rest = request.path.removeprefix("/demo/").partition("/")
    action = actions.get((request.method, name))
    if action is None:
        return json_reply(404, {"error": "not here", "there_is": [f"{m} /demo/{n}" for m, n in actions]})
    try:
        arguments = json.loads(request.body or b"{}")
        return json_reply(200, action(rest) if request.method == "GET" else action(**arguments))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return json_reply(400, {"error": f"{type(error).__name__}: {error}"})
