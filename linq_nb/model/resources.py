"""What Linq keeps: chats and the people in them, your lines, messages and their files, and webhook subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from linq_nb.model.record import CATEGORY, INT, TEXT, Column, Record, column, derived
from linq_nb.secret import HiddenText, HiddenUrl
from linq_nb.text import clean, mask


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Handle(Record):
    """One person (or one of your lines, ``is_me``) in a chat."""

    handle: str = field(metadata=column("phone number in E.164, or email address", is_handle=True))
    handle_id: str | None = field(default=None, metadata=column("Linq's id of the handle", is_unique=True))
    is_me: bool | None = field(default=None, metadata=column("whether it is one of your lines"))
    service: str | None = field(default=None, metadata=column("iMessage, RCS or SMS", CATEGORY))
    status: str | None = field(default=None, metadata=column("active in the chat, left or removed", CATEGORY))
    line_type: str | None = field(default=None, metadata=column("kind of line", CATEGORY))
    joined_at: datetime | None = field(default=None, metadata=column("when it joined the chat"))
    left_at: datetime | None = field(default=None, metadata=column("when it left the chat"))

    _derived: ClassVar[tuple[Column, ...]] = (
        derived("chat_id", TEXT, "Linq's id of the chat", read=lambda handle: None),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chat(Record):
    """A chat that you can send to. ``service`` is the chat's, not each message's.

    ``base_url`` is where it was read: an outbox at another one refuses it. It is not shown, nor compared.
    """

    chat_name: str | None = field(default=None, metadata=column("display name of the chat", is_free_text=True))
    is_group: bool | None = field(default=None, metadata=column("whether more than one other person is in the chat"))
    service: str | None = field(default=None, metadata=column("iMessage, RCS or SMS", CATEGORY))
    health_status: str | None = field(default=None, metadata=column("Linq's rating of the chat", CATEGORY))
    is_active: bool | None = field(default=None, metadata=column("whether you can send to it"))
    is_archived: bool | None = field(default=None, metadata=column("whether it is archived"))
    handles: tuple[Handle, ...] = ()
    created_at: datetime | None = field(default=None, metadata=column("when it was created"))
    updated_at: datetime | None = field(default=None, metadata=column("when it was last changed"))
    chat_id: str = field(metadata=column("Linq's id of the chat"))
    base_url: str = field(default="", compare=False)

    _derived: ClassVar[tuple[Column, ...]] = (
        derived("people", INT, "number of people, without you", read=lambda chat: len(chat.others), before="service"),
        derived("to_handles", TEXT, "the people, joined by a space", is_handle=True, is_json=True,
                read=lambda chat: tuple(person.handle for person in chat.others), before="is_active"),
        derived("from_handle", TEXT, "your line", is_handle=True, read=lambda chat: chat.line, before="is_active"),
    )  # fmt: skip

    @property
    def id(self) -> str:
        """The chat's id, the same as ``chat_id``."""
        return self.chat_id

    @property
    def line(self) -> str | None:
        """Your line in this chat, in E.164."""
        return next((h.handle for h in self.handles if h.is_me), None)

    @property
    def others(self) -> tuple[Handle, ...]:
        """The people in this chat who are not you and have not left."""
        return tuple(h for h in self.handles if not h.is_me and h.status not in ("left", "removed"))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Line(Record):
    """One of your phone lines."""

    line_id: str | None = field(default=None, metadata=column("Linq's id of the line", is_unique=True))
    phone_number: str = field(metadata=column("your line, in E.164", is_handle=True))
    reputation: str | None = field(default=None, metadata=column("Linq's rating of the line", CATEGORY))
    line_type: str | None = field(default=None, metadata=column("kind of line", CATEGORY))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Attachment:
    """An uploaded (or announced) file; ``upload_url`` is a secret for 15 minutes and stays out of the repr."""

    attachment_id: str
    filename: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    duration_ms: int | None = None
    status: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    upload_url: str | None = None
    download_url: str | None = None
    required_headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("upload_url", "download_url"):
            if url := getattr(self, name):
                object.__setattr__(self, name, HiddenUrl(url))
        hidden = {name: HiddenText(value) for name, value in self.required_headers.items()}
        object.__setattr__(self, "required_headers", hidden)

    def __repr__(self) -> str:
        return f"Attachment({clean(self.attachment_id)} {clean(self.filename or '')}".rstrip() + ")"


def _of_file(name: str, dtype: str, meaning: str, **declared: Any) -> Column:
    """Declare a column of messages that describes the only file of a message."""

    def read(message: Message) -> Any:
        return getattr(message.media[0], name) if len(message.media) == 1 else None

    return derived(name, dtype, meaning, read=read, **declared)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message(Record):
    """A message as Linq's reads give it: its delivery status and the files it carries.

    ``parts`` counts all its parts, files or not; None when not all can be read.
    """

    message_id: str = field(metadata=column("Linq's id of the message", is_unique=True))
    chat_id: str | None = field(default=None, metadata=column("Linq's id of the chat"))
    is_from_me: bool | None = field(default=None, metadata=column("whether it went out from your line"))
    delivery_status: str | None = field(default=None, metadata=column("Linq's word for how far it is", CATEGORY))
    service: str | None = field(default=None, metadata=column("iMessage, RCS or SMS", CATEGORY))
    created_at: datetime | None = field(default=None, metadata=column("when it was created"))
    updated_at: datetime | None = field(default=None, metadata=column("when it was last changed"))
    sent_at: datetime | None = field(default=None, metadata=column("when it left the line"))
    delivered_at: datetime | None = field(default=None, metadata=column("when it reached the device"))
    read_at: datetime | None = field(default=None, metadata=column("when it was read"))
    reconciled_at: datetime | None = field(default=None, metadata=column("when Linq corrected its status"))
    media: tuple[Attachment, ...] = ()
    parts: int | None = field(default=None, metadata=column("number of its parts, missing when not all can be read"))

    _derived: ClassVar[tuple[Column, ...]] = (
        _of_file("attachment_id", TEXT, "Linq's id of its file, when it has exactly one"),
        _of_file("filename", TEXT, "name of its file", is_free_text=True),
        _of_file("mime_type", TEXT, "type of its file"),
        _of_file("size_bytes", INT, "size of its file", unit="bytes"),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Subscription:
    """A webhook subscription; ``signing_secret`` comes once, at creation, and stays out of the repr.

    ``routing_key_header`` names the header of Linq's routing token, with which a load balancer keeps a chat's webhooks
    on one machine; ``routing_id_header`` that of the chat id (``Linq-Chat-Id``). Without the first there is neither.
    """

    subscription_id: str
    target_url: str
    subscribed_events: tuple[str, ...] = ()
    is_active: bool | None = None
    phone_numbers: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    routing_key_header: str | None = None
    routing_id_header: str | None = None
    signing_secret: str | None = None

    def __post_init__(self) -> None:
        if self.signing_secret:
            object.__setattr__(self, "signing_secret", HiddenText(self.signing_secret))

    def __repr__(self) -> str:
        lines = " ".join(map(mask, self.phone_numbers))
        return f"Subscription({clean(self.subscription_id)} to {clean(self.target_url)} {lines}".rstrip() + ")"
