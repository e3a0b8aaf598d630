"""Chats: list, get, create, rename, leave, mark as read."""

from . import messages, rules, shapes
from .call import Call
from .ids import stable_uuid
from .people import Person
from .state import Chat, Line
from .wire import Refusal, Reply, json_reply

DEFAULT_LIMIT = 20


def list_all(call: Call) -> Reply:
    """List chats by line and participant, in pages."""
    query = call.request.query
    items = list(call.state.chats.values())
    if "from" in query:
        line = call.state.line(rules.e164(query["from"], "from"))
        items = [chat for chat in items if chat.line is line]
    if "to" in query:
        wanted = rules.address(query["to"], "to")
        items = [chat for chat in items if wanted in chat.others]
    shown, next_cursor = rules.page(query, items, DEFAULT_LIMIT)
    return json_reply(200, {"chats": [shapes.chat(call.state, chat) for chat in shown], "next_cursor": next_cursor})


def get(call: Call) -> Reply:
    return json_reply(200, shapes.chat(call.state, call.state.chat(call.path_id)))


def create(call: Call) -> Reply:
    """`POST /v3/chats`: the chat with these people on this line, new or not, and a first message."""
    body = call.body({"from": str, "to": list, "message": dict}, {"override_optout": bool})
    line = call.state.line(rules.e164(body["from"], "from"))
    others = _addresses(body["to"])
    same = (c for c in call.state.chats.values() if c.line is line and _is_with(c, others))
    chat = next(same, None) or _new(call, line, others)
    message = messages.post(call, chat, body)
    answer = shapes.chat(call.state, chat)
    names = ("id", "display_name", "handles", "health_status", "is_group", "service")
    shown = {name: answer[name] for name in names}
    return json_reply(201, {"chat": {**shown, "message": shapes.sent_message(call.state, message)}})


def send_anywhere(call: Call) -> Reply:
    """`POST /v3/messages`: Linq picks line and chat."""
    optional: dict[str, type] = {"override_optout": bool, "exclude_from": list, "continuation_message": dict}
    body = call.body({"to": list, "message": dict}, optional)
    others = _addresses(body["to"])
    free = [line for line in call.state.lines if line.number not in body.get("exclude_from", [])]
    if not free:
        raise Refusal(400, 1005, "Every line is excluded.")
    existing = next((c for c in call.state.chats.values() if _is_with(c, others)), None)
    chat = existing or _new(call, free[0], others)
    message = messages.post(call, chat, body)
    return json_reply(
        202,
        {
            "chat_id": chat.id,
            "created_new_chat": existing is None,
            "from": chat.line.number,
            "from_selection": {
                "reason": "new_best_number" if existing is None else "reused_active_chat",
                "reused_existing_chat": existing is not None,
            },
            "handles": [shapes.handle(handle) for handle in chat.handles],
            "is_group": chat.is_group,
            "message": shapes.sent_message(call.state, message),
            "service": chat.service,
            "previous_chat_id": None,
        },
    )


def _addresses(values: list[object]) -> list[str]:
    if not values:
        raise Refusal(400, 1001, "to needs at least one recipient.")
    return sorted({rules.address(value if isinstance(value, str) else "", "to") for value in values})


def _is_with(chat: Chat, others: list[str]) -> bool:
    return sorted(chat.others) == others and not chat.left


def _new(call: Call, line: Line, others: list[str]) -> Chat:
    person = Person(", ".join(others), tuple(others), call.state.lines.index(line))
    return call.state.add_chat(person, stable_uuid("new chat", line.number, *others), call.now, call.now)


def update(call: Call) -> Reply:
    """Rename a group; a direct chat cannot be updated (409/1006)."""
    chat = call.state.chat(call.path_id)
    body = call.body({}, {"display_name": str, "group_chat_icon": str})
    _check_group(chat, "updated")
    chat.name = body.get("display_name", chat.name)
    chat.icon = body.get("group_chat_icon", chat.icon)
    return json_reply(200, {"chat_id": chat.id, "status": "accepted"})


def leave(call: Call) -> Reply:
    """Leave a group; every later send to it is refused (409/2013)."""
    chat = call.state.chat(call.path_id)
    _check_group(chat, "left")
    chat.me.left_at = call.now
    return json_reply(202, {"message": "You have left the chat.", "status": "accepted", "trace_id": call.trace_id})


def note(call: Call) -> Reply:
    """Mark as read, start or stop typing: accepted, without effect."""
    _present(call.state.chat(call.path_id))
    return Reply(204)


def _check_group(chat: Chat, done: str) -> None:
    if not chat.is_group:
        raise Refusal(409, 1006, f"A direct chat cannot be {done}.")
    _present(chat)


def _present(chat: Chat) -> None:
    if chat.left:
        raise Refusal(409, 2013, "You have left this chat.")
