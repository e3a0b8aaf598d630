"""The records of one demo world, and the tables that hold them."""

import dataclasses
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from . import rules
from .clock import Clock
from .faults import Fault, Mix
from .ids import Ids, stable_uuid
from .people import BLOCKED, LINES, OTHER_ACCOUNT, PEOPLE, Health, Person, Service
from .wire import Json, Logged, Refusal


@dataclass
class Line:
    """One of the account's phone lines."""

    id: str
    number: str
    reputation: Health
    forwarding_number: str | None = None


@dataclass
class Audit:
    """One reputation audit of a line."""

    id: str
    line: Line
    ready_at: datetime


@dataclass
class Handle:
    """One participant of one chat."""

    id: str
    handle: str
    service: Service
    joined_at: datetime
    is_me: bool = False
    left_at: datetime | None = None


@dataclass
class Chat:
    """One chat, which behaves as its `person` does; `first_contact_at` is the time of the first memo POST to it."""

    id: str
    name: str
    line: Line
    handles: list[Handle]
    person: Person
    service: Service
    created_at: datetime
    updated_at: datetime
    icon: str | None = None
    first_contact_at: datetime | None = None

    @property
    def carrier(self) -> Service:
        """The service of its messages."""
        return self.person.carrier or self.person.service

    @property
    def others(self) -> list[str]:
        return [handle.handle for handle in self.handles if not handle.is_me]

    @property
    def pair(self) -> tuple[str, ...]:
        """Line and recipients, which share a rate limit."""
        return self.line.number, *sorted(self.others)

    @property
    def me(self) -> Handle:
        return self.handles[0]

    @property
    def is_group(self) -> bool:
        return len(self.handles) > 2

    @property
    def left(self) -> bool:
        return self.me.left_at is not None


@dataclass
class Attachment:
    """A promised or finished upload, or a file that the demo took from a URL."""

    id: str
    filename: str
    content_type: str
    size_bytes: int
    created_at: datetime
    expires_at: datetime
    signature: str
    sha256: str | None = None
    uploaded_at: datetime | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step in a message's life."""

    status: str
    at: datetime


@dataclass(slots=True)
class Message:
    """A message and all its stages, fixed when it is accepted; the clock decides how many it has reached.

    A voice memo has an `attachment`; `options` are the further fields of its request. `reconciled_at` is when Linq's
    own recovery found the message.
    """

    id: str
    chat: Chat
    created_at: datetime
    parts: list[Json]
    trace_id: str
    stages: tuple[Stage, ...]
    sender: Handle
    carrier: Service
    attachment: Attachment | None = None
    failure: tuple[int, str] | None = None
    preferred_service: Service | None = None
    idempotency_key: str | None = None
    reconciled_at: datetime | None = None
    options: Json = dataclasses.field(default_factory=dict)

    @property
    def is_memo(self) -> bool:
        return self.attachment is not None

    @property
    def is_from_me(self) -> bool:
        return self.sender.is_me


@dataclass
class Subscription:
    """One webhook subscription, by Linq's names; the secret is shown once, when it is created."""

    id: str
    target_url: str
    subscribed_events: list[str]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    phone_numbers: list[str] | None
    routing_id_header: str | None
    routing_key_header: str | None
    secret: str


@dataclass
class Blocked:
    """One entry of the account's own block list."""

    handle: str
    blocked_at: datetime
    reason: str | None = None


@dataclass
class Limits:
    """Limits that a test may change; by default each is off or Linq's own figure."""

    pair_per_minute: int = 30
    daily: int | None = None
    processing_s: float = 0.0
    list_lag_s: float = 0.0
    retention: timedelta | None = None


class State:
    """All records of one world; `lock` guards them."""

    def __init__(self, ids: Ids, clock: Clock, upload_base: str) -> None:
        self.ids, self.clock, self.start = ids, clock, clock.now()
        self.api_key, self.upload_base = "demo_" + ids.hex("api key")[:24], upload_base
        self.lock = threading.RLock()
        self.account_events: list[tuple[datetime, str, str, Json]] = []
        self.ordered_faults: list[Fault] = []
        self.mix = Mix()
        self.limits = Limits()
        self.lines = [Line(stable_uuid("line", number), number, health) for number, health in LINES]
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.by_chat: dict[str, list[Message]] = {}
        self.unmade: dict[str, Callable[[], Iterable[Message]]] = {}  # what makes messages of a chat when it is read
        self.attachments: dict[str, Attachment] = {}
        self.blobs: dict[str, bytes] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.blocked = {BLOCKED: Blocked(BLOCKED, self.start - timedelta(days=9), "asked by the desk")}
        self.opted_out: dict[str, str] = {}
        self.by_key: dict[tuple[str, str], Message | None] = {}
        self.counts: Counter[tuple[object, ...]] = Counter()
        self.accepted: dict[tuple[str, ...], list[datetime]] = {}
        self.checks: dict[str, datetime] = {}
        self.audits: dict[str, Audit] = {}
        self.log: deque[Logged] = deque(maxlen=20_000)
        self.upcoming: list[tuple[datetime, str, str, Message]] = []
        self.other_chat_id = stable_uuid("chat", OTHER_ACCOUNT)
        for person in PEOPLE:
            self.add_person(person)

    def count(self, *key: object) -> int:
        """Count this key; gives how often it was counted before."""
        self.counts[key] += 1
        return self.counts[key] - 1

    def store_file(self, data: bytes) -> str:
        """Store a file; gives its sha256."""
        digest = sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def add_person(self, person: Person) -> Chat:
        """Add a chat that existed before the demo began."""
        born = self.start - timedelta(days=20, seconds=len(self.chats) * 61)
        chat = self.add_chat(person, stable_uuid("chat", person.name), born, self.start - timedelta(days=1))
        if person.left:
            chat.me.left_at = self.start - timedelta(days=3)
        if person.opted_out:
            self.opted_out[person.handles[0]] = chat.id
        return chat

    def add_chat(self, person: Person, chat_id: str, created_at: datetime, updated_at: datetime) -> Chat:
        line = self.lines[person.line]
        handles = [
            Handle(stable_uuid("handle", chat_id, handle), handle, person.service, created_at, is_me=place == 0)
            for place, handle in enumerate((line.number, *person.handles))
        ]
        chat = Chat(chat_id, person.name, line, handles, person, person.service, created_at, updated_at)
        self.chats[chat_id] = chat
        self.by_chat[chat_id] = []
        return chat

    def messages_of(self, chat_id: str) -> list[Message]:
        """Give the messages of a chat in no order."""
        if make := self.unmade.pop(chat_id, None):
            for message in make():
                self.add_message(message)
        return self.by_chat.get(chat_id, [])

    def find_message(self, message_id: str) -> Message | None:
        """Give a message by its id, None if there is none."""
        if message_id not in self.messages:
            for chat_id in list(self.unmade):
                self.messages_of(chat_id)
        return self.messages.get(message_id)

    def add_message(self, message: Message) -> None:
        self.messages[message.id] = message
        self.by_chat[message.chat.id].append(message)
        message.chat.updated_at = max(message.chat.updated_at, message.created_at)

    def remove_message(self, message: Message) -> None:
        del self.messages[message.id]
        self.by_chat[message.chat.id].remove(message)

    def health(self, chat: Chat) -> Health:
        """Give the chat's health; an opt-out marks only the chat where the word arrived (SDK docs)."""
        if not chat.is_group and self.opted_out.get(chat.others[0]) == chat.id:
            return "OPTED_OUT"
        return chat.person.health

    def chat(self, text: str) -> Chat:
        """Give a chat by its id; raises 400/1005 for no uuid, 403/2005 for another account's and 404/2001 for none."""
        chat_id = rules.uuid_text(text, "chatId")
        if chat_id == self.other_chat_id:
            raise Refusal(403, 2005, "You do not have access to this chat.")
        if chat_id not in self.chats:
            raise Refusal(404, 2001, "Chat not found.")
        return self.chats[chat_id]

    def message(self, text: str) -> Message:
        """Give a message by its id; raises 400/1005 for no uuid, 404/2002 if it is unknown, deleted or expired."""
        message = self.find_message(rules.uuid_text(text, "messageId"))
        if message is None or self.expired(message):
            raise Refusal(404, 2002, "Message not found.")
        return message

    def attachment(self, text: str, field: str = "attachment_id") -> Attachment:
        """Give an attachment by its id; raises 400/1005 for no uuid, 404/2003 for none."""
        attachment = self.attachments.get(rules.uuid_text(text, field))
        if attachment is None:
            raise Refusal(404, 2003, "Attachment not found.")
        return attachment

    def line(self, number: str) -> Line:
        """Give a line by its number; raises 403/2006 when it is not the account's."""
        for line in self.lines:
            if line.number == number:
                return line
        raise Refusal(403, 2006, f"{number} is not one of your phone numbers.")

    def expired(self, message: Message) -> bool:
        kept = self.limits.retention
        return kept is not None and self.clock.now() >= message.created_at + kept

    def listed(self, chat: Chat) -> list[Message]:
        """Give the messages of a chat that a list call shows now, newest first."""
        lag_s = self.limits.list_lag_s
        newest = self.clock.now() - timedelta(seconds=lag_s)
        shown = [m for m in self.messages_of(chat.id) if (lag_s <= 0 or m.created_at <= newest) and not self.expired(m)]
        return sorted(shown, key=lambda m: (m.created_at, m.id), reverse=True)
