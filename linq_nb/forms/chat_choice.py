"""The chats that the form offers, and those that are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from linq_nb.model import Chat

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox


class ChatChoice:
    """The chats of an outbox, read once, and those that were found by name since."""

    def __init__(self, outbox: Outbox) -> None:
        self.is_read = False
        self._outbox = outbox
        self._chats: dict[str, Chat] = {}

    @property
    def offered(self) -> tuple[Chat, ...]:
        return tuple(self._chats.values())

    def read(self) -> None:
        """Read the chats from Linq, unless that was done."""
        if not self.is_read:
            self._add(self._outbox.chats())
            self.is_read = True

    def find(self, text: str) -> Chat:
        """Return the chat of a name, handle or id, which is offered from now on."""
        match = self._outbox.find_chat(text)
        chat = match if isinstance(match, Chat) else self._outbox.chat(match)
        self._add([chat])
        return chat

    def of(self, chat_ids: Sequence[str]) -> tuple[Chat, ...]:
        """Return the chats of these ids, in their order; unknown ids are left out."""
        if not self._chats.keys() >= set(chat_ids):
            self.read()
        return tuple(self._chats[chat_id] for chat_id in chat_ids if chat_id in self._chats)

    def _add(self, chats: Iterable[Chat]) -> None:
        self._chats |= {chat.chat_id: chat for chat in chats}
