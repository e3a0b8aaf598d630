"""What the form does, as code for a cell: a magic, or Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from linq_nb import live, views
from linq_nb.model import Chat, VoiceMemo, is_uuid, source_of
from linq_nb.text import clean, name_key

_PLAIN = re.compile(r"[\w./:@%+=,~?&#-]+")
_QUOTABLE = re.compile(r"[^\"\\{}$\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Names:
    """The notebook's names of the form and of its Outbox, None where it has none; ``connect`` makes the Outbox."""

    form: str | None
    outbox: str | None
    connect: str


@dataclass(frozen=True)
class Chosen:
    """What is chosen in the form; ``source`` is what was typed, None for an upload or a recording."""

    memo: VoiceMemo
    source: str | None
    convert: bool
    chats: Sequence[Chat]
    copy: int


def name_of(value: object) -> str | None:
    """Return the notebook's name for an object: one that the person chose, else that of an output, as ``_3``."""
    namespace = getattr(live.ipython_shell(), "user_ns", {})
    names = [name for name, item in namespace.items() if item is value and name.strip("_")]
    return min(names, key=lambda name: (name.startswith("_"), name), default=None)


def magic(chosen: Chosen, names: Names, offered: Sequence[Chat]) -> str:
    """Return the ``%linq_voicememo`` line; a chat is named where no other of the ``offered`` has its name."""
    lines: list[str] = []
    word = _word(chosen.source) if chosen.source else f"{{{names.form or 'form'}.memo}}"
    if word is None:
        lines, word = ["import linq_nb", f"memo = {_memo_code(chosen, names)}"], "{memo}"
    elif not chosen.source:
        lines = _name_the_form(names)
    options = [f"--chat {_chat_word(chat, offered)}" for chat in chosen.chats]
    options += [f"--copy {chosen.copy}"] if chosen.copy > 1 else []
    options += ["--convert"] if _converts(chosen) and word != "{memo}" else []
    options += [f"--via {names.outbox}"] if names.outbox not in (None, "outbox") else []
    return "\n".join([*lines, " ".join(["%linq_voicememo", word, *options])])


def python(chosen: Chosen, names: Names) -> str:
    """Return the Python that sends the same."""
    outbox = names.outbox or "outbox"
    lines = [] if chosen.source else _name_the_form(names)
    lines += ["import linq_nb", ""]
    lines += [] if names.outbox else [f"outbox = {names.connect}"]
    lines += [f"memo = {_memo_code(chosen, names)}"]
    copy = f", copy={chosen.copy}" if chosen.copy > 1 else ""
    for chat in chosen.chats:
        whom = clean(views.chat_whom(chat).partition(" · ")[0], 60)
        lines.append(f"{outbox}.send(memo, {chat.chat_id!r}{copy})  # {whom}")
    return "\n".join(lines)


def from_table(name: str, chat: str, audio: str, names: Names, how: str) -> str:
    """Return the code, as "magic" or "python", that sends a DataFrame of the notebook, row by row."""
    outbox = names.outbox or "outbox"
    lines = ["import linq_nb.accessor", "", f"drafts = {name}.linq.drafts(chat={chat!r}, audio={audio!r})"]
    if how == "magic":
        via = f" --via {outbox}" if outbox != "outbox" else ""
        return "\n".join([*lines, f"%linq_voicememo --from drafts{via}"])
    connect = [] if names.outbox else [f"outbox = {names.connect}"]
    return "\n".join([*lines, *connect, f"batch = {outbox}.send_all({outbox}.plan(drafts)).wait()"])


def _memo_code(chosen: Chosen, names: Names) -> str:
    """Return the Python that loads the memo."""
    if chosen.source is None:
        return f"{names.form or 'form'}.memo"
    kind = source_of(chosen.source)
    convert = ", convert=True" if _converts(chosen) and kind == "file" else ""
    return f"linq_nb.VoiceMemo.from_{kind}({chosen.source!r}{convert})"


def _converts(chosen: Chosen) -> bool:
    return chosen.convert and chosen.source is not None and chosen.memo.data is not None


def _name_the_form(names: Names) -> list[str]:
    """Return a comment for an upload or a recording when the notebook has no name for the form."""
    return [] if names.form else ["# the audio is in the form: give it a name first, as in form = SendForm(outbox)"]


def _word(text: str) -> str | None:
    """Return a text as one word of a magic's line; None where quotes are not enough."""
    if _PLAIN.fullmatch(text) and not text.startswith("-"):
        return text
    return f'"{text}"' if _QUOTABLE.fullmatch(text) else None


def _chat_word(chat: Chat, offered: Sequence[Chat]) -> str:
    """Return a chat's name where it is unique and no handle, else its id."""
    name = chat.chat_name or ""
    is_unique = sum(name_key(other.chat_name or "") == name_key(name) for other in offered) == 1
    is_readable = name == clean(name) and _QUOTABLE.fullmatch(name) and not is_uuid(name)
    return f'"{name}"' if is_readable and is_unique else clean(chat.chat_id)
