"""The chats of an account by their names and handles, compared as they look and not as they are spelled."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Sequence

from linq_nb import views
from linq_nb.errors import PreflightError
from linq_nb.handles import LEAST_DIGITS, described, digit_count, exact_keys, refusal
from linq_nb.model import Chat
from linq_nb.optouts import OPTED_OUT
from linq_nb.text import difference, looks_like, name_key, one_line, recipient

MOST_LISTED = 8


class Directory:
    """Chats, found by display name or, for a 1:1 chat, by handle; in full, since part of a name could be another's."""

    def __init__(self, chats: Sequence[Chat], rated: Callable[[Chat], Chat] = lambda chat: chat) -> None:
        """``rated`` gives a chat as it is rated when it is found: somebody may have opted out since."""
        self.chats, self._rated = chats, rated
        self._by_key: defaultdict[str, list[Chat]] = defaultdict(list)
        for chat in chats:
            handles = [] if chat.is_group else [person.handle.casefold() for person in chat.others]
            for key in {name_key(chat.chat_name or ""), *handles} - {""}:
                self._by_key[key].append(chat)

    def find(self, name: str) -> Chat:
        """Return the only chat with this name or handle; raises PreflightError that says what to give instead."""
        has_number = digit_count(name) >= LEAST_DIGITS
        keys = [name_key(name), *(sorted(exact_keys(name)) if has_number or "@" in name else ())]
        by_id = {chat.chat_id: self._rated(chat) for key in keys for chat in self._by_key.get(key, ())}
        matches = list(by_id.values())
        if len(matches) == 1:
            return matches[0]
        if matches:
            listed = ", ".join(
                f"{chat.chat_id} ({_described(chat)}{_spelling(chat, name)})" for chat in matches[:MOST_LISTED]
            )
            raise _error(f"{len(matches)} chats are called {recipient(name, 80)!r}", f"give an id: {listed}")
        has_words = sum(map(str.isalpha, name)) > 3  # more letters than a mistyped phone number has
        if has_number and not has_words:
            problem = refusal(name) or f"no 1:1 chat has this phone number ({described(name)})"
            raise _error(problem, "%linq_chats lists all")
        raise self._no_name(name)

    def _no_name(self, name: str) -> PreflightError:
        """Return the error for a name that no chat has; phone numbers are no hint, since they are other people's."""
        chat_names = filter(None, (chat.chat_name for chat in self.chats))
        names = {name_key(other): other for other in chat_names if digit_count(other) < LEAST_DIGITS}
        key = name_key(name)
        keys = [other for other in names if key and key in other] or difflib.get_close_matches(key, names, 3)
        close = [names[other] for other in keys]
        listed = ", ".join(
            f"{one_line(other, 80)!r}{_unlike(other, name)}" for other in (close or [*names.values()])[:MOST_LISTED]
        )
        hint = f"did you mean {listed}?" if close else f"there are {listed or 'no chats with a name'}"
        return _error(f"no chat is called {recipient(name, 80)!r}", hint + "; %linq_chats lists all")


def _error(problem: str, todo: str) -> PreflightError:
    return PreflightError(f"{problem}; nothing was sent; {todo}")


def _described(chat: Chat) -> str:
    """Name a chat, and say when nothing can be sent to it."""
    refusals = [OPTED_OUT] if chat.health_status == OPTED_OUT else []
    return " · ".join([views.chat_whom(chat), *refusals, *(["not active"] if chat.is_active is False else [])])


def _spelling(chat: Chat, name: str) -> str:
    """Say how the name of a chat differs from what was written, where both look the same."""
    own = chat.chat_name or ""
    differs = difference(own, name) if name_key(own) == name_key(name) and own.casefold() != name.casefold() else ""
    return f": {differs}" if differs else ""


def _unlike(other: str, name: str) -> str:
    return f" ({difference(other, name)})" if looks_like(other, name) else ""
