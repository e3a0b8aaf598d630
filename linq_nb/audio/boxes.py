"""Boxes: the parts of MP4, M4A and QuickTime files."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from linq_nb.audio import refusals

_MAX_CHILDREN = 20_000


class Box(NamedTuple):
    """A box: its name, the range of its content in the file, and the end that its size field claims."""

    name: bytes
    start: int
    end: int
    claimed_end: int


def boxes(view: memoryview, pos: int, end: int, most: int = _MAX_CHILDREN) -> Iterator[Box]:
    """Yield the boxes of a range in order; stops at bytes that are no box."""
    for _ in range(most):
        if pos + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", view, pos)
        start = pos + 8
        if size == 1 and pos + 16 <= end:
            size = struct.unpack_from(">Q", view, start)[0]
            start += 8
        elif size == 0:
            size = end - pos
        if size < start - pos:
            return
        yield Box(name, start, min(pos + size, end), pos + size)
        pos += size
    raise refusals.damaged("M4A")


def children(view: memoryview, parent: Box | None, name: bytes) -> Iterator[Box]:
    """Yield the boxes of this name in a box, none without it."""
    for box in boxes(view, parent.start, parent.end) if parent else ():
        if box.name == name:
            yield box


def child(view: memoryview, parent: Box | None, *path: bytes) -> Box | None:
    """Return the first box at a path of names, None when it is missing."""
    for name in path:
        parent = next(children(view, parent, name), None)
    return parent


def u32(view: memoryview, pos: int) -> int:
    """Read a big-endian 32-bit number."""
    return int.from_bytes(view[pos : pos + 4], "big")


def words(view: memoryview, start: int, count: int, end: int, width: int = 4) -> array[int]:
    """Read a table of big-endian numbers, at most to the end of its box."""
    table = array("Q" if width == 8 else "H" if width == 2 else "B" if width == 1 else "I")
    table.frombytes(view[start : start + width * min(count, max(end - start, 0) // width)])
    if sys.byteorder == "little" and width > 1:
        table.byteswap()
    return table
