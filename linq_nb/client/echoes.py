"""Hides the API key in the answers of a server, which may echo it, in every spelling that reveals it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from linq_nb.secret import HiddenText, Secret
from linq_nb.text import MAX_DEPTH

HIDDEN_KEY = "[token]"
MIN_BASE64 = 12
"""A shorter key is not looked for in base64: a part of another text could look like it."""


class Echoes:
    """Finds one key in text: as it is, escaped for JSON, URLs or HTML, or inside base64."""

    def __init__(self, key: Secret) -> None:
        self._spellings = [HiddenText(spelling) for spelling in _spellings(key) if spelling]
        self._hide_escaped = re.compile("".join(map(_escapes, key.reveal())) or "(?!)").sub  # whose repr has no key

    def hide(self, text: str) -> str:
        """Return the text without the key; JSON also without a key that its escapes take apart."""
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN_KEY)
        if not ("\\" in text or "%" in text or "&" in text):  # the common case: nothing is escaped
            return text
        text = self._hide_escaped(HIDDEN_KEY, text)
        return self._in_json(text) if "\\" in text else text

    def _in_json(self, text: str) -> str:
        """Look also into the strings that the escapes of JSON stand for."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        hidden = self._hidden(value, MAX_DEPTH)
        return text if hidden == value else json.dumps(hidden)

    def _hidden(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.hide(value)
        if not isinstance(value, list | dict):
            return value
        if not depth:
            return "[too deep]"
        if isinstance(value, list):
            return [self._hidden(item, depth - 1) for item in value]
        return {self.hide(name): self._hidden(item, depth - 1) for name, item in value.items()}


def _spellings(key: Secret) -> Iterator[str]:
    """Give the key, and the part of it that is in every base64 text of it, for each place where it may begin."""
    yield key.reveal()
    size = len(key.reveal().encode())
    for before in range(3 if size >= MIN_BASE64 else 0):
        text = base64.b64encode(bytes(before) + key.reveal().encode()).decode()
        part = text[-(-before * 8 // 6) : (before + size) * 8 // 6]
        yield part
        yield part.replace("+", "-").replace("/", "_")


def _escapes(char: str) -> str:
    """Return the pattern of a character: as it is, or escaped for JSON, a URL or HTML, once or several times."""
    code = ord(char)
    forms = [rf"\\*{re.escape(char)}", rf"\\+u(?i:{code:04x})", rf"%(?:25)*(?i:{code:02x})"]
    forms += [rf"&(?:amp;)*#0*{code};?", rf"&(?:amp;)*#[xX]0*(?i:{code:x});?"]
    return f"(?:{'|'.join(forms)})"
