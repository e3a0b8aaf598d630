"""The chats that the form offers, those that are chosen, and what was pasted and names no chat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from linq_nb import views
from linq_nb.errors import LinqError, PreflightError
from linq_nb.model import Chat
from linq_nb.text import clean, whole_text

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox

MAX_LINES = 2_000
"""Lines of a pasted list that are matched; more people are a batch for ``%linq_voicememo --from``."""

NO_HELP = ("nothing was sent", "there are ", "%linq_chats ", "linq_nb.")
"""Beginnings of those parts of an error that are no help in the form."""

Row = Mapping[str, str]


class ChatChoice:
    """The chats of an outbox, read once, and those that were found by name since.

    ``unmatched`` are the lines of pasted lists that name no chat, each with the reason.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.is_read = False
        self.unmatched: dict[str, str] = {}
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

    def match(self, lines: Iterable[str]) -> list[Chat]:
        """Return the chats of names, numbers or ids, one a line; the others are ``unmatched`` from now on.

        Raises PreflightError for more than ``MAX_LINES`` lines.
        """
        texts = list(
            dict.fromkeys(text for line in lines if (text := whole_text(" ".join(line.split()).strip("\"',; "))))
        )
        if len(texts) > MAX_LINES:
            raise PreflightError(
                f"these are {len(texts):,} lines, and the form takes {MAX_LINES:,}; nothing was sent; use "
                "%linq_voicememo --from with a DataFrame"
            )
        self.read()
        chats: dict[str, Chat] = {}
        for text in texts:
            try:
                chat = self.find(text)
                chats[chat.chat_id] = chat
                self.unmatched.pop(text, None)
            except LinqError as error:
                reasons = str(error).split("; ")
                self.unmatched[text] = "; ".join(part for part in reasons if not part.startswith(NO_HELP))
        return list(chats.values())

    def refresh(self) -> bool:
        """Update the chats from those that the outbox has read, such as an opt-out; returns whether one has changed."""
        latest = {chat.chat_id: chat for chat in self._outbox.known_chats()}
        changed = {key: latest[key] for key, chat in self._chats.items() if latest.get(key, chat) != chat}
        self._chats |= changed
        return bool(changed)

    def _add(self, chats: Iterable[Chat]) -> None:
        self._chats |= {chat.chat_id: chat for chat in chats}


def chat_row(chat: Chat) -> Row:
    """Return what the list shows of a chat, all masked, and what finds it: name, people, handles."""
    name, _, rest = views.chat_whom(chat).partition(" · ")
    health = "" if chat.health_status in (None, "HEALTHY") else clean(chat.health_status, 40)
    service = clean(chat.service, 40) if chat.service else ""
    handles = " ".join(person.handle for person in chat.others)
    return {
        "id": chat.chat_id,
        "name": name,
        "detail": rest.removesuffix(service).removesuffix(" · "),
        "service": service,
        "health": "NOT ACTIVE" if chat.is_active is False else health,
        "handles": whole_text(handles),
    }
