"""Reading back from the journal: sends and their history, by status, chat and time; chats and sends by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.model import Chat, Event, Send
from linq_nb.session import Session
from linq_nb.status import NEEDS_ME, NEEDS_ME_STATUSES, UNCONFIRMED_AFTER
from linq_nb.times import Time, time_of

Item = Send | Chat | str | float
"""A send, its id, or a chat, its id, name or handle."""


def chat_of(session: Session, name: Chat | str | float) -> Chat:
    """Return the chat with this id, name or handle."""
    chat = session.find_chat(name)
    return chat if isinstance(chat, Chat) else session.chat(chat)


def sends(
    session: Session, status: str | Sequence[str] | None, chat: Chat | str | float | None, since: Time | None
) -> Sequence[Send]:
    """Return the journal's sends with this status, or one of these, to this chat, since then."""
    now = session.now()
    start = time_of(since, now)
    chat_id = None if chat is None else session.chat_id(chat)
    words = None if status is None else listed(status)
    if not all(isinstance(word, str) for word in words or ()):
        raise SettingsError('a status is a word, or a list of words; nothing was read; give one such as "delivered"')
    open_since = None
    if words and NEEDS_ME in words:
        words = [word for word in words if word != NEEDS_ME] + list(NEEDS_ME_STATUSES)
        open_since = now - UNCONFIRMED_AFTER
    return session.journal.sends(status=words, chat_id=chat_id, since=start, open_since=open_since)


def history(session: Session, sends: Item | Iterable[Item] | None, since: Time | None) -> Sequence[Event]:
    """Return the observations of these sends, or of the sends to these chats, since then; of all by default."""
    start = time_of(since, session.now())
    if sends is None:
        return session.journal.events(since=start)
    items = listed(sends)
    session.check_recorded(item for item in items if isinstance(item, Send))
    send_ids = [send_id for item in items for send_id in _send_ids(session, item)]
    return session.journal.events(send_ids, since=start)


def listed(items: Any) -> list[Any]:
    """Return several items as a list, also when there is only one; a text counts as one."""
    return list(items) if isinstance(items, Iterable) and not isinstance(items, str) else [items]


def _send_ids(session: Session, item: Item) -> list[str]:
    if isinstance(item, Send):
        return [item.send_id]
    if isinstance(item, str) and session.journal.present([item]):
        return [item]
    return session.journal.send_ids(session.chat_id(item))
