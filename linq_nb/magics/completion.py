"""Tab completion of the magics: options, chats by name, audio files, memos. It never calls the network."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from linq_nb.errors import LinqError
from linq_nb.magics.commands_spec import command_of
from linq_nb.magics.lexer import Token, quote, split
from linq_nb.magics.options import Command, Option

# Modules that are imported inside functions here are slow to load, and only Tab needs them.

_LINE = re.compile(r"^\s*(?:[^%=]+=\s*)?(%%?)(linq_\w+)\s(.*)$", re.DOTALL)
_JOURNALS = frozenset((".sqlite", ".db"))

_TABLES = ("DataFrame", "LazyFrame", "DuckDBPyRelation", "Table")
"""Types of the tables that --from takes."""

Matcher = Callable[[CompletionContext], SimpleMatcherResult]


class Offer(NamedTuple):
    """One completion: the whole word, and the type shown beside it."""

    text: str
    kind: str


def matcher_for(shell: Any) -> Matcher:
    """Return a matcher that knows the notebook's names."""

    def linq_matcher(context: CompletionContext) -> SimpleMatcherResult:
        line, cursor = context.line_with_cursor, context.cursor_position
        word, offers = complete(line[:cursor], shell.user_ns)
        completions = [SimpleCompletion(text=_written(offer, word, line[cursor:]), type=offer.kind) for offer in offers]
        return {
            "completions": completions,
            "matched_fragment": word,
            "suppress": bool(completions),
            "ordered": True,
        }

    matcher: Matcher = context_matcher()(linq_matcher)
    return matcher


def complete(before: str, names: dict[str, Any]) -> tuple[str, list[Offer]]:
    """Return the unfinished word before the cursor, as it is written, and what it may become."""
    match = _LINE.match(before)
    if match is None:
        return "", []
    sign, magic, text = match.groups()
    tokens = split(text)
    last = tokens.pop() if tokens and tokens[-1].end == len(text) else None
    command = command_of(magic, tokens, is_cell=sign == "%%")
    if command is None:
        return "", []
    return text[last.start :] if last else "", list(_offers(command, tokens, last, names))


def _offers(command: Command, tokens: list[Token], last: Token | None, names: dict[str, Any]) -> Iterator[Offer]:
    """Offer what may stand after ``tokens`` and begins with the unfinished word ``last``."""
    typed, quoted = (last.plain, last.quoted) if last else ("", False)
    name, equals, value = typed.partition("=")
    expecting, has_operand = _place(command, tokens)
    if expecting is not None:
        yield from _values(_what(expecting), expecting.choices, typed, names)
    elif equals and not quoted and (option := command.options.get(name)):
        for offer in _values(_what(option), option.choices, value, names):
            yield offer._replace(text=f"{name}={offer.text}")
    elif typed.startswith("-") and not quoted:
        yield from _options(command, tokens, typed)
    elif command.operand and not has_operand:
        yield from _values(command.operand, (), typed, names)
    elif not typed:
        yield from _options(command, tokens, typed)


def _place(command: Command, tokens: list[Token]) -> tuple[Option | None, bool]:
    """Return the option whose value comes next, None when no value does; and whether the operand is there."""
    expecting, has_operand = None, False
    for token in tokens:
        if expecting is not None:
            expecting = None
        elif token.quoted or not token.plain.startswith("-"):
            has_operand = True
        elif (option := command.options.get(token.plain)) and option.value:
            expecting = option
    return expecting, has_operand


def _options(command: Command, tokens: list[Token], typed: str) -> Iterator[Offer]:
    used = {token.plain.partition("=")[0] for token in tokens if not token.quoted}
    for option in command.options.values():
        if option.name.startswith(typed) and (option.many or option.name not in used):
            yield Offer(option.name, "option")


def _what(option: Option) -> str:
    """Return what an option takes: the name of the option, as --from takes a table here and a line there."""
    return "FRAME" if option.value == "FRAME" else option.name


def _values(name: str, choices: Sequence[str], typed: str, names: dict[str, Any]) -> Iterator[Offer]:
    """Offer the values of an option or of the operand of this name that begin with ``typed``."""
    words: Iterable[str] = choices
    kind = "value"
    if name == "--chat":
        yield from _chats(typed, names)
    elif name == "--journal":
        yield from _files(typed, _JOURNALS, "file")
    elif name == "FRAME":
        words, kind = _names_of_type(names, *_TABLES), "table"
    elif name == "--via":
        words, kind = _names_of_type(names, "Outbox"), "Outbox"
    elif name == "--status":
        from linq_nb.status import LINQ_STATUSES, NEEDS_ME, OUR_STATUSES

        words = (*LINQ_STATUSES, *OUR_STATUSES, NEEDS_ME)
    elif name in ("--since", "--until"):
        words, kind = ("1h", "24h", "7d", "30d"), "time"
    elif name == "--tz":
        from zoneinfo import available_timezones

        words, kind = sorted(available_timezones()), "zone"
    elif name == "--columns":
        from linq_nb.model import Send, frame_columns

        words = ("all", *frame_columns(Send))
    elif name == "--accept":
        from linq_nb.preflight import ACCEPTABLE

        words = sorted(ACCEPTABLE)
    elif name == "CODE":
        from linq_nb.catalog import CODES

        words, kind = dict.fromkeys(str(entry.code) for entry in CODES if entry.code), "code"
    elif name == "SOURCE":
        from linq_nb.audio import SUFFIXES

        words, kind = _names_of_type(names, "VoiceMemo"), "VoiceMemo"
        yield from _files(typed, SUFFIXES, "audio")
    yield from (Offer(word, kind) for word in words if word.startswith(typed))


def _chats(typed: str, names: dict[str, Any]) -> Iterator[Offer]:
    """Offer the chats that were read before, by name or number; by id where the name is not unique or not readable."""
    from linq_nb.handles import is_start
    from linq_nb.text import clean, name_key, search_key

    chats = _known_chats(names)
    keys = Counter(name_key(chat.chat_name or "") for chat in chats)
    typed_folded = search_key(typed).casefold()
    by_id = []
    for chat in chats:
        name = chat.chat_name or ""
        is_match = f" {typed_folded}" in f" {search_key(name).casefold()}" or (  # at the start of a word
            not chat.is_group and any(is_start(typed, person.handle) for person in chat.others)
        )
        if is_match and name and keys[name_key(name)] == 1 and name == clean(name):
            yield Offer(name, "chat")
        elif is_match or (typed_folded and chat.chat_id.startswith(typed_folded)):
            by_id.append(Offer(chat.chat_id, f"chat {clean(name)}".strip()))
    yield from by_id


def _known_chats(names: dict[str, Any]) -> list[Any]:
    """Return the chats that the notebook's Outboxes have read. A demo lists its chats without the network."""
    chats: dict[str, Any] = {}
    for name in _names_of_type(names, "Outbox"):
        outbox = names[name]
        try:
            of_outbox = outbox.known_chats() or (outbox.chats() if outbox.demo is not None else [])
        except LinqError:
            continue
        chats |= {chat.chat_id: chat for chat in of_outbox}
    return list(chats.values())


def _names_of_type(names: dict[str, Any], *types: str) -> list[str]:
    """Return the names of values of these types, compared by their names, so that no module is loaded."""
    return [name for name, value in names.items() if type(value).__name__ in types and not name.startswith("_")]


def _files(typed: str, suffixes: frozenset[str], kind: str) -> Iterator[Offer]:
    """Offer the folders and files that continue the typed path, as it is or without its accents."""
    from linq_nb.text import search_key

    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    folder, start = typed[:cut], typed[cut:]
    try:
        entries = sorted(Path(os.path.expanduser(folder or ".")).iterdir())
    except OSError:
        return
    for entry in entries:
        if not (entry.name.startswith(start) or search_key(entry.name).startswith(search_key(start))) or (
            entry.name.startswith(".") and not start
        ):
            continue
        if entry.is_dir():
            yield Offer(f"{folder}{entry.name}/", "folder")
        elif entry.suffix.lower() in suffixes:
            yield Offer(folder + entry.name, kind)


def _written(offer: Offer, word: str, after: str) -> str:
    """Write an offer in quotes if it needs them, without the closing quote if it is there or if this is a folder."""
    if offer.kind == "option":
        return offer.text
    head, value = "", offer.text
    if word.startswith("--") and "=" in word:
        name, _, value = offer.text.partition("=")
        head, word = f"{name}=", word.partition("=")[2]
    open_quote = word[:1] if word[:1] in ("'", '"') else ""
    text = quote(value)
    if text == value and open_quote:
        text = open_quote + value + open_quote
    closing = text[-1] if text[0] in "\"'" else ""
    if closing and (offer.kind == "folder" or after.startswith(closing)):
        text = text[:-1]
    return head + text
