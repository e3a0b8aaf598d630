"""A journal that lost its last writes: what a chat held when it was first looked at after that.

Each recovery has a name. Under it, ``meta`` keeps the voice messages of each chat as they were read before the first
send to it, so that later sends are compared with them too, also after a restart.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from linq_nb.journal.engine import Database, Room
from linq_nb.journal.schema import EVENTS, events, meta, read_meta, write_meta

_NAME, _CHAT, _FORGOTTEN = "recovery", "recovered chat", "times forgotten"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message with one file that your line sent to a chat, as it was before the first send after a recovery."""

    message_id: str
    status: str | None
    service: str | None
    attachment_id: str | None
    filename: str | None
    size_bytes: int | None


class Recovered(Room):
    """What chats held; ``recovery`` is the name of the last recovery, None for a journal that lost nothing."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        with database.read() as db:
            self.recovery = read_meta(db, _NAME)

    def chat_messages(self, base_url: str, chat_id: str) -> list[ChatMessage] | None:
        """Return the messages of a chat as they were first read after the recovery, None before that."""
        with self.database.read() as db:
            text = read_meta(db, self._key(base_url, chat_id))
        return None if text is None else [ChatMessage(**fields) for fields in json.loads(text)]

    def keep_chat_messages(self, base_url: str, chat_id: str, messages: Sequence[ChatMessage]) -> None:
        """Write the messages of a chat; when another thread or process was quicker, what it read stays."""
        text = json.dumps([asdict(message) for message in messages])
        with self.database.write() as db:
            db.execute(self.database.insert_if_new(meta).values(name=self._key(base_url, chat_id), value=text))

    def is_resolved_since_recovery(self, send_id: str) -> bool:
        """Whether a person has said since the recovery what became of a send."""
        number = int(str(self.recovery).split()[0])
        mine = (events.c.send_id == send_id, events.c.source == "resolve", events.c.event_no > number)
        with self.database.read() as db:
            return db.execute(sa.select(events.c.event_no).where(*mine).limit(1)).first() is not None

    def _key(self, base_url: str, chat_id: str) -> str:
        return f"{_CHAT} {self.recovery} {base_url} {chat_id}"


def note_recovery(db: sa.Connection) -> None:
    """Write that the journal is recovered: its chats are read before the first send to each."""
    db.execute(meta.delete().where(meta.c.name.startswith(f"{_CHAT} ")))
    write_meta(db, _NAME, f"{EVENTS.last(db)} {secrets.token_hex(4)}")


def forget_chat(db: sa.Connection, chat_id: str) -> None:
    """Delete what a chat held, and count that a chat was forgotten, so that copies in memory are read anew."""
    is_its = meta.c.name.startswith(f"{_CHAT} ") & meta.c.name.endswith(f" {chat_id}")
    db.execute(meta.delete().where(is_its))
    write_meta(db, _FORGOTTEN, str(times_forgotten(db) + 1))


def times_forgotten(db: sa.Connection) -> int:
    """Return how often a chat was forgotten."""
    return int(read_meta(db, _FORGOTTEN) or 0)
