"""Messages: list, get, delete, thread, and the sends with an idempotency key."""

import json
from datetime import timedelta
from hashlib import sha256

from . import memos, rules, shapes, webhooks
from .call import Call
from .ids import stable_uuid
from .state import Chat, Handle, Message, Stage, State
from .wire import Json, Refusal, Reply, json_reply

DEFAULT_LIMIT = 50
_CONTENT = {
    "idempotency_key": str,
    "effect": dict,
    "preferred_service": str,
    "reply_to": dict,
    "parts": list,
}


def _page(call: Call, items: list[Message]) -> Reply:
    shown, next_cursor = rules.page(call.request.query, items, DEFAULT_LIMIT)
    answer = {"messages": [shapes.message(call.state, item) for item in shown], "next_cursor": next_cursor}
    return json_reply(200, answer)


def list_of_chat(call: Call) -> Reply:
    """List a chat's messages, newest first; Linq documents no order."""
    return _page(call, call.state.listed(call.state.chat(call.path_id)))


def get(call: Call) -> Reply:
    return json_reply(200, shapes.message(call.state, call.state.message(call.path_id)))


def thread(call: Call) -> Reply:
    """List the thread of a message; nobody replies in threads here, so it is the message alone."""
    if call.request.query.get("order", "asc") not in ("asc", "desc"):
        raise Refusal(400, 1005, "order must be asc or desc.")
    return _page(call, [call.state.message(call.path_id)])


def delete(call: Call) -> Reply:
    """Delete Linq's record; nothing is unsent, and its idempotency key stays used (SDK docs)."""
    message = call.state.message(call.path_id)
    call.state.remove_message(message)
    for key, kept in call.state.by_key.items():
        if kept is message:
            call.state.by_key[key] = None
    return Reply(204)


def send(call: Call) -> Reply:
    """`POST /v3/chats/{chatId}/messages`: text, link and media parts, once for each idempotency key."""
    chat = call.state.chat(call.path_id)
    body = call.body({"message": dict}, {"override_optout": bool})
    message = post(call, chat, body)
    return json_reply(202, {"chat_id": chat.id, "message": shapes.sent_message(call.state, message)})


def post(call: Call, chat: Chat, body: Json) -> Message:
    """Send the message of a request, or give the first one that used this idempotency key; 404/2002 if that is deleted.

    `effect` and `reply_to` are accepted and ignored.
    """
    content = body["message"]
    rules.fields(content, {"parts": list}, _CONTENT)
    key = content.get("idempotency_key")
    if key is not None and not 1 <= len(key) <= 255:
        raise Refusal(400, 1005, "idempotency_key must have 1 to 255 characters.")
    if content.get("preferred_service", "iMessage") not in ("iMessage", "SMS", "RCS"):
        raise Refusal(400, 1005, "preferred_service must be iMessage, SMS or RCS.")
    used = (chat.id, key or "")
    if key is not None and used in call.state.by_key:
        first = call.state.by_key[used]
        if first is None:
            raise Refusal(404, 2002, "The message that used this idempotency key was deleted.")
        return first
    memos.may_send(call.state, chat, override=body.get("override_optout", False))
    if not 1 <= len(content["parts"]) <= 100:
        raise Refusal(400, 1004, "A message has 1 to 100 parts.")
    if not all(isinstance(part, dict) for part in content["parts"]):
        raise Refusal(400, 1004, "Each part must be an object.")
    parts = [_part(call, part) for part in content["parts"]]
    memos.within_limits(call.state, chat)
    digest = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    message = memos.new_message(call, chat, f"parts:{digest}", parts)
    message.idempotency_key = key
    message.preferred_service = content.get("preferred_service")
    if key is not None:
        call.state.by_key[used] = message
    return message


def _part(call: Call, part: Json) -> Json:
    """Check one part (400/1004 for a kind that the demo does not send)."""
    match part.get("type"):
        case "text" | "link" as kind if isinstance(part.get("value"), str):
            return {"type": kind, "value": part["value"]}
        case "media" if isinstance(part.get("url"), str) and "attachment_id" not in part:
            file = memos.fetched_media(call, part["url"])
        case "media" if isinstance(part.get("attachment_id"), str) and "url" not in part:
            file = call.state.attachment(part["attachment_id"])
            if file.sha256 is None:
                raise Refusal(404, 2007, "The attachment is not uploaded yet.")
        case _:
            raise Refusal(400, 1004, "A part must be text, link, or media with a url or an attachment_id.")
    return shapes.media_part(file, rules.AUDIO_TYPES.get(file.content_type, file.content_type))


def receive(state: State, chat: Chat, text: str, ago: timedelta = timedelta()) -> Message:
    """Receive a message from the other side: `STOP` and the like opt it out, any other text opts it in (linq docs)."""
    sender, now = chat.handles[1], state.clock.now() - ago
    if sender.handle not in state.blocked and not chat.is_group:
        _note_consent(state, chat, sender, text)
    key = ("inbound", chat.id, text, state.count("inbound", chat.id, text))
    message = Message(
        id=state.ids.uuid(*key),
        chat=chat,
        created_at=now,
        parts=[{"type": "text", "value": text}],
        trace_id=stable_uuid(*key).replace("-", ""),
        stages=(Stage("received", now),),
        sender=sender,
        carrier=chat.carrier,
    )
    state.add_message(message)
    webhooks.schedule(state, message)
    return message


def _note_consent(state: State, chat: Chat, sender: Handle, text: str) -> None:
    word = text.strip()
    loose = word.upper().replace(" ", "").replace("-", "")
    if word in ("STOP", "UNSUBSCRIBE", "OPTOUT", "CANCEL", "END", "QUIT") or loose == "OPTOUT":
        state.opted_out[sender.handle] = chat.id
    else:
        state.opted_out.pop(sender.handle, None)
