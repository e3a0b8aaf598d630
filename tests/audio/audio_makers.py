"""Small files made by the tests: containers around plain samples, tags, and boxes to break."""

from __future__ import annotations

import json
import math
import struct
from array import array
from pathlib import Path
from typing import Any

from shared import AUDIO

DATA = Path(__file__).parent / "data"
TRUTH: dict[str, dict[str, Any]] = json.loads((DATA / "truth.json").read_text())
ACCEPTED = {name: facts for name, facts in TRUTH.items() if "format" in facts}
REFUSED = {name: facts["refused"] for name, facts in TRUTH.items() if "refused" in facts}


def data(name: str) -> bytes:
    """A fixture, or one of the notebooks' samples."""
    return (AUDIO if name.startswith("hello.") else DATA).joinpath(name).read_bytes()


def tone(frames: int = 8000, rate: int = 8000, loud: float = 0.5) -> list[float]:
    """A 440 Hz tone that grows from nothing."""
    return [loud * i / frames * math.sin(2 * math.pi * 440 * i / rate) for i in range(frames)]


def integers(samples: list[float], width: int, order: str, signed: bool = True) -> bytes:
    """Samples as whole numbers of ``width`` bytes."""
    top = 1 << 8 * width - 1
    numbers = (min(round(x * top), top - 1) + (0 if signed else top) for x in samples)
    return b"".join(n.to_bytes(width, order, signed=signed) for n in numbers)  # type: ignore[arg-type]


def floats(samples: list[float], code: str) -> bytes:
    """Samples as floats, ``code`` as in struct."""
    return struct.pack(f"{code[0]}{len(samples)}{code[1]}", *samples)


def chunk(name: bytes, body: bytes, order: str = "<", size: int | None = None) -> bytes:
    """A RIFF or IFF chunk, padded; ``size`` is a false length for its header."""
    length = struct.pack(f"{order}I", len(body) if size is None else size)
    return name + length + body + b"\0" * (len(body) & 1)


def wav(
    raw: bytes,
    *,
    tag: int = 1,
    bits: int = 16,
    rate: int = 8000,
    channels: int = 1,
    before: bytes = b"",
    after: bytes = b"",
    size: int | None = None,
    extensible: bool = False,
) -> bytes:
    """A WAV around raw samples."""
    block = channels * bits // 8
    head = 0xFFFE if extensible else tag
    fmt = struct.pack("<HHIIHH", head, channels, rate, rate * block, block, bits)
    if extensible:
        fmt += struct.pack("<HHIH", 22, bits, 4, tag) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVE" + before + chunk(b"fmt ", fmt) + chunk(b"data", raw, size=size) + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(rate: int) -> bytes:
    """A rate as an 80-bit float."""
    exponent = rate.bit_length() - 1
    return struct.pack(">HQ", 16383 + exponent, rate << 63 - exponent)


def aiff(
    raw: bytes, *, kind: bytes = b"", bits: int = 16, rate: int = 8000, frames: int, channels: int = 1, **more: Any
) -> bytes:
    """An AIFF around raw samples, or an AIFF-C of some kind."""
    comm = struct.pack(">HIH", channels, frames, bits) + extended(rate) + (kind + b"\0\0" if kind else b"")
    sound = chunk(b"SSND", bytes(8) + raw, ">", more.get("size"))
    body = (b"AIFC" if kind else b"AIFF") + more.get("before", b"") + chunk(b"COMM", comm, ">") + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


def caf(
    raw: bytes,
    *,
    kind: bytes = b"lpcm",
    flags: int = 0,
    width: int = 2,
    rate: float = 8000,
    channels: int = 1,
    size: int | None = None,
    before: bytes = b"",
) -> bytes:
    """A CAF around raw samples."""
    desc = struct.pack(">d4sIIIII", rate, kind, flags, width * channels, 1, channels, 8 * width)
    length = len(raw) + 4 if size is None else size
    return (
        b"caff\0\1\0\0"
        + struct.pack(">4sq", b"desc", 32)
        + desc
        + before
        + struct.pack(">4sq", b"data", length)
        + bytes(4)
        + raw
    )


def id3(frames: dict[bytes, bytes], *, version: int = 3, flags: int = 0, footer: bool = False) -> bytes:
    """An ID3v2 tag of text frames."""
    body = b"".join(name + struct.pack(">IH", len(text) + 1, 0) + b"\0" + text for name, text in frames.items())
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    rest = bytes([version, 0, flags | (0x10 if footer else 0)]) + size
    return b"ID3" + rest + body + (b"3DI" + rest if footer else b"")


def box(name: bytes, body: bytes = b"") -> bytes:
    """An MP4 box."""
    return struct.pack(">I4s", 8 + len(body), name) + body


def m4a_boxes(stbl: bytes, *, handler: bytes = b"soun", entry: bytes = b"mp4a", timescale: int = 8000) -> bytes:
    """An M4A that is all index: ftyp and a moov with one track."""
    sound = box(entry, bytes(6) + struct.pack(">H8xHHIH2x", 1, 1, 16, 0, timescale))
    stsd = box(b"stsd", struct.pack(">II", 0, 1) + sound)
    mdia = (
        box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, timescale, timescale, 0))
        + box(b"hdlr", bytes(8) + handler + bytes(13))
        + box(b"minf", box(b"stbl", stsd + stbl))
    )
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", box(b"trak", box(b"mdia", mdia)))


def table(name: bytes, *numbers: int) -> bytes:
    """A full box of 32-bit numbers."""
    return box(name, struct.pack(f">{len(numbers) + 1}I", 0, *numbers))


def adts_frames(stream: bytes) -> list[bytes]:
    """The frames of an ADTS stream, headers and all."""
    frames, pos = [], 0
    while pos + 7 <= len(stream):
        size = (stream[pos + 3] & 3) << 11 | stream[pos + 4] << 3 | stream[pos + 5] >> 5
        frames.append(stream[pos : pos + size])
        pos += size
    return frames


def as_16_bit(raw: bytes) -> array[int]:
    """Little-endian 16-bit samples as numbers."""
    return array("h", struct.unpack(f"<{len(raw) // 2}h", raw))
