"""Values that must not be shown, such as an API key, a signed URL or a password in a URL.

A traceback may print the variables of every frame (``%xmode Verbose``), so these values have no readable repr, and
HTTP libraries get stand-ins for them: only the bytes for the socket hold the secrets.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN_VALUE = "•••"
_LOGIN = re.compile(r"(://).*@", re.DOTALL)
_AFTER_PATH = re.compile(r"[?#].*", re.DOTALL)
_PREFIX = b"linq_nb-stand-in-"
_STAND_IN = re.compile(_PREFIX + rb"[0-9a-f]{32}")
_IS_HEADER = re.compile(rb"[\t -~]*").fullmatch


class Secret:
    """A key that appears in no repr, in no traceback's locals and in no pickle; ``reveal`` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN_VALUE!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")


class HiddenText(str):
    """Text that is used like any other, and whose repr does not show it: a signing secret, a header."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN_VALUE)


class HiddenBytes(bytes):
    """Bytes whose repr does not show them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN_VALUE)


class HiddenUrl(str):
    """A URL whose repr does not show its login, query and fragment: they may sign it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_AFTER_PATH.sub(f"?{HIDDEN_VALUE}", _LOGIN.sub(rf"\1{HIDDEN_VALUE}@", str(self))))


class HiddenMapping(Mapping[str, str]):
    """A mapping whose repr shows no values, such as the environment."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._get = values.__getitem__
        self._names = values.keys()

    def __getitem__(self, name: str) -> str:
        return self._get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class StandIns:
    """The secrets of a request, each with the bytes that stand in for it until the request is on its way."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, Secret] = {}

    def add(self, secret: Secret) -> bytes:
        """Return the bytes that stand in for a secret, which cannot be guessed."""
        name = _PREFIX + secrets.token_hex(16).encode()
        self._secrets[name] = secret
        return name

    def fill(self, data: bytes | memoryview) -> memoryview:
        """Return the head of a request with its secrets, as a view: a traceback does not show what a view holds.

        Raises ValueError for a secret that no header can have.
        """
        has_none = isinstance(data, bytes) and _PREFIX not in data  # the common case for a body, which may be large
        return memoryview(data if has_none else _STAND_IN.sub(self._fill, data))

    def _fill(self, stand_in: re.Match[bytes]) -> bytes:
        secret = self._secrets.get(stand_in[0])
        if secret is not None and not _IS_HEADER(secret.reveal().encode()):
            raise ValueError("a secret has characters that no header can have")
        return stand_in[0] if secret is None else secret.reveal().encode()
