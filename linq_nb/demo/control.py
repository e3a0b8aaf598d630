"""`/demo/`: the methods of `Demo` as JSON, for a client on the other side of a socket."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .clock import stamp
from .wire import Json, Reply, Request, json_reply

if TYPE_CHECKING:
    from .facade import Demo


def answer(demo: "Demo", request: Request) -> Reply:
    """Answer a control request; 404 with the list of what there is, 400 for arguments that do not fit."""
    what, _, rest = request.path.removeprefix("/demo/").partition("/")
    action = _ACTIONS.get((request.method, what))
    if action is None:
        return json_reply(404, {"error": "not here", "there_is": [f"{m} /demo/{w}" for m, w in _ACTIONS]})
    try:
        arguments = json.loads(request.body or b"{}")
        return json_reply(200, action(demo, rest, arguments))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return json_reply(400, {"error": f"{type(error).__name__}: {error}"})


def _call(name: str) -> Callable[["Demo", str, Json], Json]:
    def action(demo: "Demo", rest: str, arguments: Json) -> Json:
        result = getattr(demo, name)(**arguments)
        return {"now": stamp(demo.now(), 6), "result": result}

    return action


def _bubbles(demo: "Demo", rest: str, arguments: Json) -> Json:
    return {"bubbles": demo.bubbles(rest or None)}


def _chats(demo: "Demo", rest: str, arguments: Json) -> Json:
    return {"chats": demo.chat_ids, "other_account": demo.other_account_chat_id}


def _memos(demo: "Demo", rest: str, arguments: Json) -> Json:
    return {"memos": [{**memo, "created_at": stamp(memo["created_at"], 6)} for memo in demo.memos(rest)]}


def _requests(demo: "Demo", rest: str, arguments: Json) -> Json:
    return {"requests": [entry._asdict() for entry in demo.requests]}


def _deliveries(demo: "Demo", rest: str, arguments: Json) -> Json:
    def shown(url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        return {"url": url, "headers": headers, "body_base64": b64encode(body).decode()}

    return {"deliveries": [shown(*item) for item in demo.deliveries()]}


def _limits(demo: "Demo", rest: str, arguments: Json) -> Json:
    for name, value in arguments.items():
        if name not in ("pair_per_minute", "daily", "processing_s", "list_lag_s"):
            raise KeyError(name)
        setattr(demo.limits, name, value)
    return {"result": None}


_ACTIONS: dict[tuple[str, str], Callable[["Demo", str, Json], Json]] = {
    ("GET", "bubbles"): _bubbles,
    ("GET", "chats"): _chats,
    ("GET", "memos"): _memos,
    ("GET", "requests"): _requests,
    ("GET", "deliveries"): _deliveries,
    ("POST", "limits"): _limits,
    **{
        ("POST", name): _call(name)
        for name in (
            "advance",
            "fail_next",
            "lose_next_answer",
            "reset_next",
            "refuse_next",
            "slow_next",
            "faults",
            "receive",
            "add_chats",
            "reset",
        )
    },
}
