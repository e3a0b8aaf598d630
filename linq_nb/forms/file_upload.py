"""A file that comes from the page in parts: one large message would be lost with the connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from linq_nb.errors import AudioError
from linq_nb.text import clean


class FileUpload:
    """Puts the parts of one file together."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def receive(self, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> tuple[str, bytes] | None:
        """Take a message of the page in; returns name and bytes of a file that is complete.

        Raises AudioError for a file that lost a part, or that the page refused for its size.
        """
        kind, name = content.get("what"), str(content.get("name", "")) or "memo"
        if kind == "begin":
            self._parts = []
        elif kind == "part":
            self._parts += map(bytes, buffers)
        elif kind == "end":
            data, self._parts = b"".join(self._parts), []
            if len(data) == content.get("size"):
                return name, data
            lost = f"{len(data)} of {content.get('size')} bytes of {clean(name)} arrived from the browser"
            raise AudioError(f"{lost}; nothing was sent; choose it again")
        elif kind == "refused":
            raise AudioError(f"{clean(name)} is larger than 100 MiB; nothing was sent; shorten it")
        return None
