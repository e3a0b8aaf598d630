"""Where webhooks are stored: files of any name, compressed or not, folders of them, frames, lists.

The content of a file says what it is. What is skipped is counted, with the reason and the first names.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.storable import is_missing
from linq_nb.tables import Table, is_table, key_of, of_value
from linq_nb.text import clean
from linq_nb.webhooks import envelopes

MOST_NAMES = 5
MOST_REASONS = 20

CHUNK_CHARS = 16_000_000
"""Characters of a file that are read at a time; a longer file is cut where a line begins with a brace."""

_JSON = (".json", ".jsonl", ".ndjson")
_OTHER_FILES = (".md", ".rst", ".py", ".pyc", ".ipynb", ".html", ".htm", ".css", ".js", ".ts", ".toml", ".yaml", ".yml",
                ".ini", ".cfg", ".sh", ".csv", ".tsv", ".xml", ".png", ".jpg", ".svg")  # fmt: skip
_COMPRESSED: Mapping[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_KINDS = {b"PK\x03\x04": "a zip archive; unpack it first", b"PAR1": "a Parquet file; read it into a frame first",
          b"SQLite format 3": "a database"}  # fmt: skip
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
_COLUMNS = ("event", "webhook", "hook", "json", "raw", "data", "delivery", "message")
_BLANK = re.compile(r"[\s,\x1e\ufeff]*")
_NEXT = re.compile(r'\n(?=[^\s"}\]])')
"""Where reading goes on after something that is not JSON: a line that begins neither within an object nor its end."""

_MOST_BRACES = 20
_decode = json.JSONDecoder().raw_decode

Item = tuple[Any, str]
"""A stored delivery, or an envelope of several, and where it stands."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Deliveries, lines or files that were passed over for a ``reason``: how many, and the ``names`` of the first."""

    reason: str
    count: int
    names: tuple[str, ...]


class SkipLog:
    """Counts what is passed over, by reason."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._names: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, name: str) -> None:
        """Count one more, which stands at ``name``."""
        if reason not in self._counts and len(self._counts) >= MOST_REASONS:
            reason = "another reason"
        self._counts[reason] += 1
        names, shown = self._names[reason], clean(name, 80)
        if len(names) < MOST_NAMES and shown not in names:
            names.append(shown)

    def listed(self) -> tuple[Skipped, ...]:
        """Return what was passed over, the most frequent reason first."""
        return tuple(Skipped(reason, count, tuple(self._names[reason])) for reason, count in self._counts.most_common())


def items(source: Any, column: str | None, skips: SkipLog) -> Iterator[Item]:
    """Give what is stored in a source; raises SettingsError for an unknown kind of source."""
    if isinstance(source, str) and source.lstrip("\ufeff \r\n\t")[:1] in ("{", "["):
        return _of_text(source, "the text", skips, is_json=True)
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source).expanduser(), skips)
    if isinstance(source, Mapping):
        return iter([(source, "the payload")])
    if not isinstance(source, list | tuple) and is_table(source):
        return _of_table(of_value(source, "nothing was read"), column)
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise SettingsError(
            "stored webhooks are a file, a folder of files, a DataFrame or many payloads, "
            f"not of type {type(source).__name__}; nothing was read; give one of these"
        )
    return _of_many(source, skips)


def _of_many(source: Iterable[Any], skips: SkipLog) -> Iterator[Item]:
    for number, item in enumerate(source, 1):
        is_path = isinstance(item, os.PathLike) or (isinstance(item, str) and "{" not in item and _is_file(item))
        if is_path:
            yield from _of_path(Path(item).expanduser(), skips)
        else:
            yield item, f"item {number}"


def _is_file(text: str) -> bool:
    return bool(text) and len(text) < 4096 and os.path.isfile(os.path.expanduser(text))


# --- frames ---------------------------------------------------------------------------------------------------


def _of_table(table: Table, column: str | None) -> Iterator[Item]:
    """Give the rows of a table: the column that is named, envelopes, payloads in columns, or the only column."""
    keys = [key_of(name) for name in table.names]
    if column is None and ("eventtype" in keys or {*envelopes.BODIES} & {*keys}):
        rows: Iterable[Any] = map(_row, table.mappings())
    elif column is not None or len(keys) == 1 or len({*_COLUMNS} & {*keys}) == 1:
        place = next((at for at, key in enumerate(keys) if key in _COLUMNS), 0)
        place = place if column is None else table.place(column)
        rows = (row[place] for row in table.rows)
    else:
        raise SettingsError(
            "it is not clear which column of the frame has the payloads; nothing was read; name it (column=), or give "
            "the frame two called headers and body"
        )
    return ((row, f"row {number}") for number, row in enumerate(rows))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it: without missing values, times as text."""
    return {name: _json_of(value) for name, value in row.items() if not is_missing(value)}


def _json_of(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value.tolist() if hasattr(value, "tolist") else value  # NumPy's


# --- files ----------------------------------------------------------------------------------------------------


def _of_path(path: Path, skips: SkipLog) -> Iterator[Item]:
    """Read a file, or all files below a folder, ordered by name."""
    if path.is_dir():
        return _of_folder(path, skips)
    if not path.is_file():
        raise SettingsError(f"there is no file or folder {path.name!r}; nothing was read; check the path")
    return _of_single(path, skips)


def _of_single(file: Path, skips: SkipLog) -> Iterator[Item]:
    try:
        yield from _of_file(file, file.name, skips)
    except _DAMAGED as error:
        raise SettingsError(
            f"cannot read {file.name!r}: {_reason(error)}; the deliveries before it were written; "
            "repair it and run this again, which writes nothing twice"
        ) from None


def _of_folder(folder: Path, skips: SkipLog) -> Iterator[Item]:
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        inside = file.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            skips.add("a hidden file", inside.as_posix())
        elif file.suffix.lower() in _OTHER_FILES:
            skips.add("a file of another kind", inside.as_posix())
        else:
            try:
                yield from _of_file(file, inside.as_posix(), skips)
            except _DAMAGED as error:
                skips.add(f"a file that cannot be read: {_reason(error)}", inside.as_posix())


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def _of_file(file: Path, name: str, skips: SkipLog) -> Iterator[Item]:
    """Give what is stored in a file, whatever it is called."""
    with file.open("rb") as raw:
        start = raw.peek(64) if hasattr(raw, "peek") else b""
    kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), "" if start else "an empty file")
    if kind:
        skips.add(kind, name)
        return
    opened = next((opener for magic, opener in _COMPRESSED.items() if start.startswith(magic)), open)
    is_json = any(suffix.lower() in _JSON for suffix in file.suffixes)
    with opened(file, "rb") as data:
        yield from of_stream(data, name, skips, is_json=is_json)


def of_stream(
    data: Any, name: str, skips: SkipLog, *, is_json: bool = False, chunk_chars: int = CHUNK_CHARS
) -> Iterator[Item]:
    """Give what is stored in a binary stream that can ``peek``; a list is read as a whole."""
    encoding = _encoding(data.peek(4096))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    rest, line = "", 1
    with io.TextIOWrapper(data, encoding, errors=errors, newline="") as text:
        while chunk := text.read(chunk_chars):
            rest += chunk
            is_list = rest.lstrip("\ufeff \r\n\t").startswith("[")
            is_last = len(chunk) < chunk_chars
            cut = 0 if is_list or is_last else rest.rfind("\n{") + 1
            if cut:
                yield from _of_text(rest[:cut], name, skips, is_json=is_json, line=line)
                line += rest.count("\n", 0, cut)
                rest = rest[cut:]
    yield from _of_text(rest, name, skips, is_json=is_json, line=line)


def _encoding(start: bytes) -> str:
    """Return the encoding of a text by its first bytes: UTF-8, or UTF-16 and UTF-32 as some programs write it."""
    encoding = json.detect_encoding(start[: len(start) // 4 * 4])
    is_likely = '"' in start.decode(encoding, "ignore")
    return encoding if is_likely else "utf-8-sig"


def _of_text(text: str, name: str, skips: SkipLog, *, is_json: bool, line: int = 1) -> Iterator[Item]:
    """Give the JSON objects of a text, broken ones too, and count the lines that are skipped."""
    is_binary = "\0" in text
    if not text.strip("\ufeff \r\n\t"):
        skips.add("an empty file", name)
    elif is_binary or not (is_json or "{" in text):
        skips.add("a file that is not text" if is_binary else "a file without JSON", name)
    else:
        before = 0
        for at, part, looks_like_json in _parts(text):
            line += text.count("\n", before, at)
            before = at
            where = name if line == 1 else f"{name}:{line}"
            if looks_like_json or is_json:
                yield part, where
            else:
                skips.add("a line without JSON", where)


def _parts(text: str) -> Iterator[tuple[int, Any, bool]]:
    """Give the JSON of a text, where each begins: one after another, or behind the words of a log's line.

    A list is given as its values. What is broken is given as its text; last comes whether that looks like JSON.
    """
    at = 0
    while (at := _BLANK.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it matches nothing too
        value, end = _value(text, at)
        line_end = _line_end(text, max(at, end))
        is_list = isinstance(value, list)
        if is_list and not any(isinstance(part, dict) for part in value) and text[end:line_end].strip():
            value = None  # in such brackets logs write times and levels
        if value is not None:
            yield from ((at, part, True) for part in (value if is_list and value else [text[at:end]]))
            at = end
        elif text[at] != "{" and (place := _behind_words(text, at, line_end)):
            at, end = place
            yield at, text[at:end], True
            line_end = _line_end(text, end)
            at = end if "{" in text[end:line_end] else line_end
        else:
            is_broken = text[at] == "{" or text[at : at + 2] == "[{"
            following = _NEXT.search(text, at) if is_broken else None
            end = (following.start() if following else len(text)) if is_broken else line_end
            yield at, text[at:end].strip(), is_broken
            at = end


def _value(text: str, at: int) -> tuple[Any, int]:
    """Return the JSON that begins here, and where it ends; None where there is none, or only a number or a word."""
    if text[at] in '{["':
        try:
            value, end = _decode(text, at)
        except (ValueError, RecursionError):
            return None, at
        if not isinstance(value, str) or "{" in value:  # JSON that was made JSON again
            return [value] if isinstance(value, str) else value, end
    return None, at


def _behind_words(text: str, at: int, line_end: int) -> tuple[int, int] | None:
    """Return where an object behind other words of a line begins and ends."""
    for _ in range(_MOST_BRACES):
        if (at := text.find("{", at, line_end)) < 0:
            return None
        value, end = _value(text, at)
        if value:
            return at, end
        at += 1
    return None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
