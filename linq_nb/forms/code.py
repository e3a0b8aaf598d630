"""What the form does, as code that does the same when it is pasted into a cell: a magic, or Python. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linq_nb import views
from linq_nb.model import Chat, VoiceMemo, is_uuid, source_of
from linq_nb.text import clean

_PLAIN = re.compile(r"[\w./:@%+=,~?&#-]+")
_QUOTABLE = re.compile(r"[^\"\\{}$\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Names:
    """The names that the notebook has for things: of the form, of its Outbox; None where it has none."""

    form: str | None
    outbox: str | None
    connect: str


def magic(memo: VoiceMemo, source: str | None, convert: bool, chats: Sequence[Chat], copy: int, names: Names,
          known: Sequence[Chat]) -> str:  # fmt: skip
    """Return the ``%linq_voicememo`` line; ``source`` is what was typed, None for an upload or a recording."""
    lines = []
    word = _word(source) if source else None
    if word is None:
        word = "{memo}" if source else f"{{{names.form or 'form'}.memo}}"
        lines += ["import linq_nb", f"memo = {python_memo(source, convert, names)}"] if source else _unnamed(names)
    options = [f"--chat {_chat_word(chat, known)}" for chat in chats]
    options += [f"--copy {copy}"] if copy > 1 else []
    options += ["--convert"] if convert and source and not lines and memo.data is not None else []
    options += [f"--via {names.outbox}"] if names.outbox not in (None, "outbox") else []
    return "\n".join([*lines, " ".join(["%linq_voicememo", word, *options])])


def python(memo: VoiceMemo, source: str | None, convert: bool, chats: Sequence[Chat], copy: int, names: Names) -> str:
    """Return the same as Python."""
    outbox = names.outbox or "outbox"
    lines = [] if source else _unnamed(names)
    lines += ["import linq_nb", ""]
    lines += [] if names.outbox else [f"outbox = {names.connect}"]
    lines += [f"memo = {python_memo(source, convert and memo.data is not None, names)}"]
    more = f", copy={copy}" if copy > 1 else ""
    lines += [f"{outbox}.send(memo, {chat.chat_id!r}{more})  # {_comment(chat)}" for chat in chats]
    return "\n".join(lines)


def python_memo(source: str | None, convert: bool, names: Names) -> str:
    """Write how a memo is loaded, as Python."""
    if source is None:
        return f"{names.form or 'form'}.memo"
    how = f"from_{source_of(source)}"
    more = ", convert=True" if convert and how == "from_file" else ""
    return f"linq_nb.VoiceMemo.{how}({source!r}{more})"


def _unnamed(names: Names) -> list[str]:
    """Say where an upload or a recording is, when the notebook has no name for the form."""
    return [] if names.form else ["# the audio is in the form: give it a name first, as in form = SendForm(outbox)"]


def _word(text: str) -> str | None:
    """Write a text as one word of a magic's line; None where that takes more than quotes."""
    if _PLAIN.fullmatch(text) and not text.startswith("-"):
        return text
    return f'"{text}"' if _QUOTABLE.fullmatch(text) else None


def _chat_word(chat: Chat, known: Sequence[Chat]) -> str:
    """Write a chat by its name where that is its own and no handle, else by its id."""
    name = chat.chat_name or ""
    folded = " ".join(name.split()).casefold()
    alike = sum(" ".join((one.chat_name or "").split()).casefold() == folded for one in known)
    readable = name == clean(name) and _QUOTABLE.fullmatch(name) and not is_uuid(name)
    return f'"{name}"' if readable and alike == 1 else clean(chat.chat_id)


def _comment(chat: Chat) -> str:
    return clean(views.chat_whom(chat).partition(" · ")[0], 60)
