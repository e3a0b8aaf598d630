"""Chats: list, get, create, rename, leave, mark as read."""

from datetime import datetime

from . import messages, rules, shapes
from .call import Call
from .ids import stable_uuid
from .state import Chat, Handle, Line
from .wire import Json, Refusal, Reply, json_reply, no_content

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
    limit, offset = rules.page(query, DEFAULT_LIMIT)
    shown = [shapes.chat(call.state, chat) for chat in items[offset : offset + limit]]
    more = offset + limit < len(items)
    return json_reply(200, {"chats": shown, "next_cursor": rules.cursor(offset + limit) if more else None})


def _named(call: Call) -> Chat:
    return call.state.chat(rules.uuid_text(call.ids[0], "chatId"))


def get(call: Call) -> Reply:
    return json_reply(200, shapes.chat(call.state, _named(call)))


def create(call: Call) -> Reply:
    """`POST /v3/chats`: the chat with these people on this line, new or not, and a first message."""
    body = rules.json_body(call.request)
    rules.fields(body, {"from": str, "to": list, "message": dict}, {"override_optout": bool})
    line = call.state.line(rules.e164(body["from"], "from"))
    others = _addresses(body["to"])
    chat = _find(call, line, others) or _new(call, line, others)
    message = messages.post(call, chat, body["message"], override=body.get("override_optout", False))
    answer = shapes.chat(call.state, chat)
    names = ("id", "display_name", "handles", "health_status", "is_group", "service")
    shown = {name: answer[name] for name in names}
    return json_reply(201, {"chat": {**shown, "message": shapes.sent_message(call.state, message)}})


def send_anywhere(call: Call) -> Reply:
    """`POST /v3/messages`: Linq picks line and chat."""
    body = rules.json_body(call.request)
    optional: dict[str, type] = {"override_optout": bool, "exclude_from": list, "continuation_message": dict}
    rules.fields(body, {"to": list, "message": dict}, optional)
    others = _addresses(body["to"])
    line = _pick_line(call, body.get("exclude_from", []))
    existing = next((c for c in call.state.chats.values() if sorted(c.others) == others and not c.left), None)
    chat = existing or _new(call, line, others)
    message = messages.post(call, chat, body["message"], override=body.get("override_optout", False))
    answer = shapes.chat(call.state, chat)
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
            "handles": answer["handles"],
            "is_group": chat.is_group,
            "message": shapes.sent_message(call.state, message),
            "service": chat.service,
            "previous_chat_id": None,
        },
    )


def _pick_line(call: Call, excluded: list[object]) -> Line:
    free = [line for line in call.state.lines if line.number not in excluded]
    if not free:
        raise Refusal(400, 1005, "Every line is excluded.")
    return free[0]


def _addresses(values: list[object]) -> list[str]:
    if not values:
        raise Refusal(400, 1001, "to needs at least one recipient.")
    return sorted({rules.address(value if isinstance(value, str) else "", "to") for value in values})


def _find(call: Call, line: Line, others: list[str]) -> Chat | None:
    same = (chat for chat in call.state.chats.values() if chat.line is line and sorted(chat.others) == others)
    return next((chat for chat in same if not chat.left), None)


def _new(call: Call, line: Line, others: list[str]) -> Chat:
    chat_id, now = stable_uuid("new chat", line.number, *others), call.now
    people = [(line.number, True), *((other, False) for other in others)]
    return call.state.add_chat(
        Chat(
            id=chat_id,
            name=", ".join(others),
            line=line,
            handles=[_handle(chat_id, number, is_me, now) for number, is_me in people],
            service="iMessage",
            carrier="iMessage",
            health="HEALTHY",
            script="plain",
            reads=False,
            left=False,
            zero_retention=False,
            created_at=now,
            updated_at=now,
        )
    )


def _handle(chat_id: str, number: str, is_me: bool, now: datetime) -> Handle:
    return Handle(stable_uuid("handle", chat_id, number), number, "iMessage", now, is_me)


def update(call: Call) -> Reply:
    """Rename a group; a direct chat cannot be updated (409/1006)."""
    chat, body = _named(call), rules.json_body(call.request)
    rules.fields(body, {}, {"display_name": str, "group_chat_icon": str})
    if not chat.is_group:
        raise Refusal(409, 1006, "A direct chat cannot be updated.")
    _present(chat)
    chat.name = body.get("display_name", chat.name)
    chat.icon = body.get("group_chat_icon", chat.icon)
    return json_reply(200, {"chat_id": chat.id, "status": "accepted"})


def leave(call: Call) -> Reply:
    """Leave a group; every later send to it is refused (409/2013)."""
    chat = _named(call)
    if not chat.is_group:
        raise Refusal(409, 1006, "A direct chat cannot be left.")
    _present(chat)
    chat.left, chat.me.left_at = True, call.now
    answer: Json = {"message": "You have left the chat.", "status": "accepted", "trace_id": call.trace_id}
    return json_reply(202, answer)


def note(call: Call) -> Reply:
    """Mark as read, start or stop typing: accepted, without effect."""
    _present(_named(call))
    return no_content()


def _present(chat: Chat) -> None:
    if chat.left:
        raise Refusal(409, 2013, "You have left this chat.")
