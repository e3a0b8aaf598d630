"""The SOURCE of a memo: a path, an https URL, an attachment id or a Python value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from linq_nb.errors import AudioError, LinqError, SettingsError
from linq_nb.magics.lexer import Word, nearest
from linq_nb.model import VoiceMemo, source_of
from linq_nb.model.sources import same_looking
from linq_nb.text import clean, difference, looks_like, visual_key

_NOT_AUDIO = (type(None), bool, int, float, Mapping, set, frozenset)


def load(word: Word, scope: Mapping[str, Any], *, rate: int | None = None, convert: bool = False) -> VoiceMemo:
    """Load the memo that SOURCE stands for. Raises AudioError or SettingsError."""
    if word.filled or not isinstance(word.value, str):
        return from_value(word.value, rate, convert)
    text = word.value
    is_name = text.isidentifier() and text in scope
    if is_name and _exists(text):
        raise SettingsError(
            f"{text!r} is both a file and a Python name (of type {type(scope[text]).__name__}); nothing was sent; "
            f"write ./{text} for the file or {{{text}}} for the name"
        )
    return from_value(scope[text], rate, convert) if is_name else _from_text(text, scope, rate, convert)


def from_value(value: Any, rate: int | None = None, convert: bool = False) -> VoiceMemo:
    """Make a memo from a Python value: a VoiceMemo, a path, bytes, or samples with their rate."""
    if isinstance(value, str | os.PathLike):
        return _from_text(os.fspath(value), {}, rate, convert)
    if isinstance(value, VoiceMemo):
        _refuse_rate(rate, value.label)
        return value.convert() if convert else value
    if isinstance(value, bytes | bytearray | memoryview):
        _refuse_rate(rate, "this value")
        return VoiceMemo.from_bytes(bytes(value), convert=convert)
    if isinstance(value, _NOT_AUDIO) or not isinstance(value, Iterable):
        raise SettingsError(
            f"a value of type {type(value).__name__} is not audio; nothing was sent; use a memo, path, bytes or samples"
        )
    if rate is None:
        raise SettingsError("samples need their rate in Hz; nothing was sent; give it, as in --rate 16000")
    memo = VoiceMemo.from_samples(value, rate)
    return memo.convert() if convert else memo


def _from_text(text: str, scope: Mapping[str, Any], rate: int | None, convert: bool) -> VoiceMemo:
    _refuse_rate(rate, text)
    if source_of(visual_key(text)) == "file" and not _exists(same_looking(Path(os.path.expanduser(text)))):
        raise _missing(text, scope)
    return VoiceMemo.load(text, convert=convert)


def _refuse_rate(rate: int | None, name: str) -> None:
    if rate is not None:
        raise SettingsError(
            f"--rate is for samples only, and {name} has its own rate; nothing was sent; leave out --rate"
        )


def _missing(text: str, scope: Mapping[str, Any]) -> LinqError:
    """Return the error for a source that does not exist, with the most similar name."""
    expression = re.match(r"([A-Za-z_]\w*)[.\[(]", text)
    if expression and expression[1] in scope:
        return SettingsError(
            f"there is no file {clean(text)!r}; nothing was sent; put a Python value in braces, as in {{memos[0]}}"
        )
    path = Path(os.path.expanduser(text))
    has_folder = os.path.isdir(path.parent)
    candidates = glob("*", root_dir=path.parent) if has_folder else []
    kinds = "file"
    if text.isidentifier():
        kinds = "file and no Python name"
        candidates += [name for name in scope if not name.startswith("_")]
    close = nearest(path.name, candidates)
    where = "" if has_folder else f" (and no folder {clean(path.parent.name)!r})"
    differs = f" ({difference(close, path.name)})" if close and looks_like(close, path.name) else ""
    todo = f"did you mean {close!r}?{differs}" if close else "check the name or the path"
    return AudioError(f"there is no {kinds} {clean(path.name)!r}{where}; nothing was sent; {todo}")


def _exists(path: str | Path) -> bool:
    """Whether a file exists; False for what can be no path, such as a name that is too long."""
    return os.path.exists(os.path.expanduser(path))
