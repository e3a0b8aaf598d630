"""Records as Linq writes them in JSON. Times have 0 to 9 fractional digits on purpose, as in the docs."""

from datetime import datetime, timedelta
from urllib.parse import quote

from . import lifecycle
from .clock import stamp
from .ids import Ids
from .state import Attachment, Blocked, Chat, Handle, Line, Message, State, Subscription
from .wire import Json

CDN = "https://cdn.linqapp.com"
GUIDES = "https://docs.linqapp.com/channel/imessage/guides"
EVENTS_DOC = f"{GUIDES}/webhooks/events"
LINK_LIFE = timedelta(hours=1)


def handle(item: Handle) -> Json:
    return vars(item) | {
        "joined_at": stamp(item.joined_at, 0),
        "left_at": stamp(item.left_at, 0),
        "status": "left" if item.left_at else "active",
        "line_type": "iMessage" if item.is_me else None,
    }


def health(state: State, chat: Chat) -> Json:
    status = state.health(chat)
    return {
        "status": status,
        "doc_url": _guide("chats/chat-health", status),
        "updated_at": stamp(chat.created_at, 0),
    }


def _guide(page: str, status: str) -> str:
    return f"{GUIDES}/{page}#{status.lower().replace('_', '-')}"


def chat(state: State, item: Chat) -> Json:
    return {
        "id": item.id,
        "created_at": stamp(item.created_at, 0),
        "updated_at": stamp(item.updated_at, 6),
        "display_name": item.name,
        "handles": [handle(h) for h in item.handles],
        "health_status": health(state, item),
        "is_archived": item.left,
        "is_group": item.is_group,
        "group_chat_icon": item.icon,
        "service": item.service,
    }


def cdn_url(item: Attachment) -> str:
    return f"{CDN}/attachments/{item.id}/{quote(item.filename, safe='')}"


def signed_url(ids: Ids, item: Attachment, now: datetime) -> str:
    """Give a link that ends an hour after the hour began in which it was asked for."""
    expires = int((now.replace(minute=0, second=0, microsecond=0) + 2 * LINK_LIFE).timestamp())
    return f"{cdn_url(item)}?Expires={expires}&Signature={ids.hex('cdn', item.id, expires)}"


def attachment(item: Attachment) -> Json:
    return {
        "id": item.id,
        "filename": item.filename,
        "content_type": item.content_type,
        "size_bytes": item.size_bytes,
        "created_at": stamp(item.created_at),
        "status": "pending" if item.sha256 is None else "complete",
        "download_url": None if item.sha256 is None else cdn_url(item),
    }


def media_part(item: Attachment, delivered_type: str) -> Json:
    """Give a message part without its link, which changes with time."""
    return {
        "type": "media",
        "id": item.id,
        "filename": item.filename,
        "mime_type": delivered_type,
        "size_bytes": item.size_bytes,
    }


def parts(state: State, message: Message, now: datetime, *, reactions: bool) -> list[Json]:
    """Give a message's parts with fresh links; zero-retention lines keep none (SDK docs)."""
    if message.chat.person.zero_retention:
        return []
    shown = []
    for part in message.parts:
        if part["type"] == "media":
            item = state.attachments.get(part["id"])
            part = {**part, "url": signed_url(state.ids, item, now) if item else f"{CDN}/attachments/{part['id']}"}
        shown.append(part | ({"reactions": None} if reactions else {}))
    return shown


def times(item: Message, now: datetime) -> Json:
    """Give when a message was sent, delivered and read, as far as that has happened."""
    sent = lifecycle.reached_at(item, "sent", now) if item.is_from_me else item.created_at
    return {
        "sent_at": stamp(sent, 6),
        "delivered_at": stamp(lifecycle.reached_at(item, "delivered", now), 9),
        "read_at": stamp(lifecycle.reached_at(item, "read", now)),
    }


def message(state: State, item: Message) -> Json:
    now = state.clock.now()
    shown_times = times(item, now)
    shown: Json = {
        "id": item.id,
        "chat_id": item.chat.id,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(max([item.created_at, *(stage.at for stage in item.stages if stage.at <= now)]), 6),
        "delivery_status": lifecycle.status(item, now),
        "is_from_me": item.is_from_me,
        "is_delivered": shown_times["delivered_at"] is not None,
        "is_read": shown_times["read_at"] is not None,
        **shown_times,
        "service": item.carrier if shown_times["sent_at"] else None,
        "preferred_service": item.preferred_service,
        "from": item.sender.handle,
        "from_handle": handle(item.sender),
        "parts": parts(state, item, now, reactions=True),
        "reply_to": None,
        "effect": None,
    }
    return shown | ({"reconciled_at": stamp(item.reconciled_at, 6)} if item.reconciled_at else {})


def sent_message(state: State, item: Message) -> Json:
    """Give the shorter form that the send calls answer with."""
    full = message(state, item)
    left_out = ("chat_id", "updated_at", "is_from_me", "is_delivered", "read_at", "from")
    return {name: value for name, value in full.items() if name not in left_out}


def voice_memo(item: Message) -> Json:
    """Give the answer to a memo POST: always without the service, and without the duration where it is unknown."""
    part, file = item.parts[0], item.attachment
    assert file is not None  # every memo has one
    memo: Json = {
        "id": file.id,
        "filename": file.filename,
        "mime_type": part["mime_type"],
        "size_bytes": file.size_bytes,
        "url": cdn_url(file),
    }
    if file.duration_ms is not None:
        memo["duration_ms"] = file.duration_ms
    chat_item = item.chat
    return {
        "voice_memo": {
            "id": item.id,
            "chat": {
                "id": chat_item.id,
                "handles": [handle(h) for h in chat_item.handles],
                "is_active": not chat_item.left,
                "is_group": chat_item.is_group,
                "service": chat_item.service,
            },
            "created_at": stamp(item.created_at),
            "from": chat_item.line.number,
            "to": chat_item.others,
            "status": "queued",
            "service": None,
            "voice_memo": memo,
        }
    }


def line(item: Line) -> Json:
    return {
        "id": item.id,
        "phone_number": item.number,
        "forwarding_number": item.forwarding_number,
        "reputation": {
            "status": item.reputation,
            "doc_url": _guide("phone-numbers/phone-reputation", item.reputation),
        },
        "line_type": "iMessage",
    }


def old_line(item: Line) -> Json:
    """Give a line as the deprecated `GET /v3/phonenumbers` does."""
    return {
        "id": item.id,
        "phone_number": item.number,
        "capabilities": {"mms": True, "sms": True, "voice": True},
        "country_code": None,
        "type": None,
    }


def subscription(item: Subscription) -> Json:
    shown = {name: value for name, value in vars(item).items() if name != "secret"}
    return shown | {"created_at": stamp(item.created_at, 0), "updated_at": stamp(item.updated_at, 0)}


def blocked(item: Blocked) -> Json:
    return vars(item) | {"blocked_at": stamp(item.blocked_at, 0)}
