"""Tab completion of the magics: options, chats by name, audio files, memos; never asks the network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from linq_nb.errors import LinqError
from linq_nb.magics.commands_spec import COMMANDS
from linq_nb.magics.lexer import Piece, quote, split
from linq_nb.magics.options import HELP, Command, Option

_LINE = re.compile(r"^\s*(?:[^%=]+=\s*)?%(linq_\w+)\s(.*)$", re.DOTALL)

Matcher = Callable[[CompletionContext], SimpleMatcherResult]


class Offer(NamedTuple):
    """One completion: the word as it should read, its type as shown beside it, and whether it can go on."""

    text: str
    kind: str
    more: bool = False


def matcher_for(shell: Any) -> Matcher:
    """Return a matcher that knows the notebook's names."""

    def linq_matcher(context: CompletionContext) -> SimpleMatcherResult:
        line, at = context.line_with_cursor, context.cursor_position
        word, offers = complete(line[:at], shell.user_ns)
        shown = [SimpleCompletion(text=_written(one, word, line[at:]), type=one.kind) for one in offers]
        return {
            "completions": shown,
            "matched_fragment": word,
            "suppress": bool(shown),
            "ordered": True,
        }

    made: Matcher = context_matcher()(linq_matcher)
    return made


def complete(before: str, names: dict[str, Any]) -> tuple[str, list[Offer]]:
    """Return the word under way as it stands before the cursor, and what it may become."""
    found = _LINE.match(before)
    command = COMMANDS.get(found.group(1)) if found else None
    if found is None or command is None:
        return "", []
    text = found.group(2)
    pieces = split(text)
    last = pieces.pop() if pieces and pieces[-1].end == len(text) else None
    typed = last.plain if last else ""
    return text[last.start :] if last else "", list(_offers(command, pieces, typed, last, names))


def _offers(
    command: Command, pieces: list[Piece], typed: str, last: Piece | None, names: dict[str, Any]
) -> Iterator[Offer]:
    quoted = last is not None and last.quoted
    option, _, value = typed.partition("=")
    wanting = _wanting(command, pieces)
    if wanting is not None:
        yield from _values(wanting, typed, names)
    elif not quoted and value is not typed and "=" in typed and (known := command.option(option)):
        yield from (one._replace(text=f"{option}={one.text}") for one in _values(known, value, names))
    elif not quoted and typed.startswith("-"):
        yield from _options(command, pieces, typed)
    elif command.operand and not _has_operand(command, pieces):
        yield from _operands(command, typed, names)
    elif not typed:
        yield from _options(command, pieces, typed)


def _wanting(command: Command, pieces: list[Piece]) -> Option | None:
    """Return the option whose value comes next."""
    option = command.option(pieces[-1].plain) if pieces and not pieces[-1].quoted else None
    return option if option is not None and option.value else None


def _has_operand(command: Command, pieces: list[Piece]) -> bool:
    for index, one in enumerate(pieces):
        is_option = one.plain.startswith("-") and not one.quoted
        if not is_option and _wanting(command, pieces[:index]) is None:
            return True
    return False


def _options(command: Command, pieces: list[Piece], typed: str) -> Iterator[Offer]:
    used = {one.plain.partition("=")[0] for one in pieces if not one.quoted}
    for one in (*command.options, HELP):
        if one.name.startswith(typed) and (one.many or one.name not in used):
            yield Offer(one.name, "option")


def _values(option: Option, typed: str, names: dict[str, Any]) -> Iterable[Offer]:
    if option.name == "--chat":
        return _chats(typed, names)
    if option.name == "--via":
        return [Offer(name, "Outbox") for name in _named("Outbox", names) if name.startswith(typed)]
    if option.name == "--journal":
        return _files(typed, frozenset((".sqlite", ".db")), "file")
    return [Offer(one, "value") for one in _words(option) if one.startswith(typed)]


def _words(option: Option) -> Iterable[str]:
    if option.name == "--status":
        from linq_nb.status import LINQ_STATUSES, OUR_STATUSES  # asked for by Tab only: the magics load without

        return (*LINQ_STATUSES, *OUR_STATUSES)
    if option.name == "--accept":
        from linq_nb.preflight import ACCEPTABLE

        return sorted(ACCEPTABLE)
    return option.choices


def _operands(command: Command, typed: str, names: dict[str, Any]) -> Iterator[Offer]:
    if command.operand == "CODE":
        from linq_nb.catalog import CODES

        codes = dict.fromkeys(str(one.code) for one in CODES if one.code)
        yield from (Offer(code, "code") for code in codes if code.startswith(typed))
    elif command.operand == "SOURCE":
        from linq_nb.audio import SUFFIXES

        yield from (Offer(name, "VoiceMemo") for name in _named("VoiceMemo", names) if name.startswith(typed))
        yield from _files(typed, SUFFIXES, "audio")


def _chats(typed: str, names: dict[str, Any]) -> Iterator[Offer]:
    """Offer the chats that were read already: by name, else by id; the id where a name does not tell."""
    from linq_nb.text import mask_text  # asked for by Tab only: the magics load without

    known = _known_chats(names)
    shared = [chat.chat_name for chat in known]
    wanted = typed.casefold()
    by_id = []
    for chat in known:
        named = chat.chat_name or ""
        tells = shared.count(named) == 1 and named == mask_text(named) != ""
        fits = f" {named.casefold()}".find(f" {wanted}") >= 0
        if fits and tells:
            yield Offer(named, "chat")
        elif fits or (wanted and chat.chat_id.startswith(wanted)):
            by_id.append(Offer(chat.chat_id, f"chat {mask_text(named)}".strip()))
    yield from by_id  # after the names, which say more


def _known_chats(names: dict[str, Any]) -> list[Any]:
    """Return the chats of the notebook's Outboxes; the demo in this process may be asked, as it is no network."""
    found: dict[str, Any] = {}
    for name in _named("Outbox", names):
        outbox = names[name]
        try:
            known = outbox.known_chats() or (outbox.chats() if outbox.demo is not None else [])
        except LinqError:
            continue
        found |= {chat.chat_id: chat for chat in known}
    return list(found.values())


def _named(kind: str, names: dict[str, Any]) -> list[str]:
    """Return the names of the values of one of our types; by the type's name, so that nothing is loaded."""
    return [name for name, value in names.items() if type(value).__name__ == kind and not name.startswith("_")]


def _files(typed: str, suffixes: frozenset[str], kind: str) -> Iterator[Offer]:
    """Offer the folders and files that the typed path can go on with."""
    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    lead, start = typed[:cut], typed[cut:]
    try:
        found = sorted(Path(os.path.expanduser(lead or ".")).iterdir())
    except OSError:
        return
    for one in found:
        if not one.name.startswith(start) or (one.name.startswith(".") and not start):
            continue
        if one.is_dir():
            yield Offer(f"{lead}{one.name}/", "folder", more=True)
        elif one.suffix.lower() in suffixes:
            yield Offer(lead + one.name, kind)


def _written(offer: Offer, word: str, after: str) -> str:
    """Write an offer with the quotes that it needs; one that can go on, or has its quote, is not closed."""
    if offer.kind == "option":
        return offer.text
    head, value = "", offer.text
    if word.startswith("--") and "=" in word:
        head, _, value = offer.text.partition("=")
        head, word = head + "=", word.partition("=")[2]
    opened = word[:1] if word[:1] in ("'", '"') else ""
    text = quote(value)
    if text == value and opened:
        text = opened + value + opened
    closed = text[-1] if text[0] in "\"'" else ""
    if closed and (offer.more or after.startswith(closed)):
        text = text[:-1]
    return head + text
