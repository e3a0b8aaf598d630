"""Who opted out: people whom Linq refused for good (403/2024), until Linq shows that they have written again.

Linq's rating of a chat is a hint only: a chat that it rates HEALTHY is refused when its person opted out in another
one. So each chat that is read here is rated OPTED_OUT when the journal has a refusal of its person that still stands.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from linq_nb.client import Client
from linq_nb.errors import LinqError
from linq_nb.journal import Journal
from linq_nb.model import Chat

OPTED_OUT = "OPTED_OUT"
"""Linq's own word for the rating of a chat whose person opted out."""

FRESH_S = 0.2
"""How long the journal's refusals are used without reading them again, in seconds of real time."""

ASK_AGAIN_S = 60.0
"""Shortest interval between two reads of a chat that look for a new message of its person, in seconds."""

FEW_MESSAGES = 20
"""Messages of a chat that are read for that: an answer of the person is among the newest."""


class OptOuts:
    """The refusals that stand, by chat and by person. Safe to use from several threads."""

    def __init__(
        self, client: Client, journal: Journal, chats: Callable[[], Iterable[Chat]], *, ask_again_s: float = ASK_AGAIN_S
    ) -> None:
        """``chats`` gives the chats that were read: a message in any chat of a person counts for all of them."""
        self._client, self._journal, self._chats, self._ask_again_s = client, journal, chats, ask_again_s
        self._read_at = float("-inf")
        self._refused: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        self._asked: dict[str, float] = {}

    def forget(self) -> None:
        """Read the journal again before the next answer: it has just learnt something."""
        self._read_at = float("-inf")

    def refused_at(self, chat: Chat | str) -> datetime | None:
        """Return when Linq refused this chat's person for good, None when no refusal stands."""
        self._read()
        names = _names(chat)
        refused_at = max((self._refused[name] for name in names if name in self._refused), default=None)
        if refused_at is None:
            return None
        others = [other.chat_id for other in self._chats() if set(_names(other)) & set(names)]
        written_at = max((self._written[name] for name in (*names, *others) if name in self._written), default=None)
        return None if written_at and written_at > refused_at else refused_at

    def rated(self, chat: Chat, *, ask: bool = False) -> Chat:
        """Return a chat as it is rated with what the journal knows; ``ask`` reads it where a refusal stands."""
        refused_at = self.refused_at(chat)
        if refused_at is None or (ask and self._has_written(chat, refused_at)):
            return chat
        return dataclasses.replace(chat, health_status=OPTED_OUT)

    def _read(self) -> None:
        if time.monotonic() - self._read_at < FRESH_S:
            return
        read_at = time.monotonic()
        refused: dict[str, datetime] = {}
        for chat_id, handles, is_group, at in self._journal.opt_outs(self._client.base_url):
            for name in [chat_id, *([] if is_group else handles[:1])]:
                refused[name] = max(at, refused.get(name, at))
        written = self._journal.last_written(min(refused.values())) if refused else {}
        for name, at in written.items():
            self._written[name] = max(at, self._written.get(name, at))
        self._refused, self._read_at = refused, read_at

    def _has_written(self, chat: Chat, refused_at: datetime) -> bool:
        """Whether the person has written in this chat since, by Linq's list; False when it cannot be read."""
        now = self._client.steady()
        if now - self._asked.get(chat.chat_id, float("-inf")) < self._ask_again_s:
            return False
        self._asked[chat.chat_id] = now
        try:
            messages = list(self._client.messages(chat.chat_id, limit=FEW_MESSAGES))
        except LinqError:
            return False
        times = [message.created_at for message in messages if message.is_from_me is False and message.created_at]
        written_at = max(times, default=refused_at)
        if written_at <= refused_at:
            return False
        self._written |= dict.fromkeys(_names(chat), written_at)
        return True


def _names(chat: Chat | str) -> list[str]:
    """Return what a refusal is found by: the chat's id and, where one person is in it, that person's handle."""
    if isinstance(chat, str):
        return [chat]
    return [chat.chat_id, *(person.handle for person in chat.others if not chat.is_group)]
