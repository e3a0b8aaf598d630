"""`/demo/`: the methods of `Demo` as JSON, for a client on the other side of a socket. Junk gets a clear 400."""

import inspect
import json
import math
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, get_args, get_origin

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
        if request.method == "GET":
            return json_reply(200, action(rest))
        return json_reply(200, action(**_arguments(action, request.body)))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        text = f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace").decode()
        return json_reply(400, {"error": text[:500]})


def _arguments(action: Callable[..., Json], body: bytes) -> Json:
    """Read the arguments of an action; raises TypeError or ValueError for those that it does not take."""
    arguments = json.loads(body or b"{}")
    if not isinstance(arguments, dict):
        raise TypeError("the body must be a JSON object of arguments")
    parameters = inspect.signature(action).parameters
    more = next((item for item in parameters.values() if item.kind is inspect.Parameter.VAR_KEYWORD), None)
    for name, value in arguments.items():
        parameter = parameters.get(name, more)
        if parameter is None:
            raise TypeError(f"there is no argument {name}; there are {', '.join(parameters) or 'none'}")
        if not fits(value, parameter.annotation):
            raise TypeError(f"{name} must be of type {inspect.formatannotation(parameter.annotation)}")
    return arguments


def fits(value: object, kind: Any) -> bool:
    """Whether a JSON value is of the type of an argument; a number is finite, and no boolean."""
    if kind is Any or kind is inspect.Parameter.empty:
        return True
    if isinstance(kind, UnionType):
        return any(fits(value, choice) for choice in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(fits(item, get_args(kind)[1]) for item in value.values())
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is None:
        return value is None
    return type(value) is kind
