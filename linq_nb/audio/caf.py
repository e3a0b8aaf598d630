"""CAF, Apple's container for voice memos: chunks, packet table, samples."""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from linq_nb.audio import doubts, refusals
from linq_nb.audio.esds import aac_config, find_esds
from linq_nb.audio.sound import CODECS, Pcm, Sound

_MAX_CHUNKS = 20_000
_LAST = b"last data"
_AAC_FAMILY = frozenset((b"aac ", b"aach", b"aacp", b"aacl", b"aace"))
_TRIMMED_PACKETS = 3
_SAME_SHARE = 0.02


class _Desc(NamedTuple):
    """The desc chunk: how the samples are encoded."""

    rate: float
    codec: bytes
    flags: int
    packet_bytes: int
    packet_frames: int
    channels: int
    bits: int


def _chunks(view: memoryview) -> dict[bytes, tuple[int, int]]:
    """Return the byte range of the first chunk of each name, cut at the end of the file, and the last data."""
    chunks: dict[bytes, tuple[int, int]] = {}
    pos, end = 8, len(view)
    for _ in range(_MAX_CHUNKS):
        if pos + 12 > end:
            return chunks
        name, size = struct.unpack_from(">4sq", view, pos)
        stop = end if size < 0 else min(pos + 12 + size, end)
        chunks.setdefault(name, (pos + 12, stop))
        if name == b"data" and stop - pos > 16:
            chunks[_LAST] = (pos + 12, stop)
        pos = stop
    raise refusals.damaged("CAF")


def _pcm(desc: _Desc, start: int, end: int) -> Pcm | None:
    """Return where the PCM samples of a CAF are, None where they are compressed."""
    if desc.codec in (b"ulaw", b"alaw"):
        return Pcm(CODECS[desc.codec], 1, True, start, end)
    if desc.codec != b"lpcm":
        return None
    width = desc.packet_bytes // desc.channels or (desc.bits + 7) // 8
    if not 1 <= width <= 8 or (desc.flags & 1 and width not in (4, 8)):
        raise refusals.damaged("CAF")
    return Pcm("f" if desc.flags & 1 else "s", width, not desc.flags & 2, start, end)


def _packets(view: memoryview, desc: _Desc, pakt: tuple[int, int], count: int, data_bytes: int) -> tuple[int, int]:
    """Add up the packets of the table that lie in the data; returns their frames and where the last one begins."""
    last = used = present = number = 0
    fields: list[int] = []
    wanted = (not desc.packet_bytes) + (not desc.packet_frames)
    for byte in view[pakt[0] + 24 : pakt[1]]:
        number = (number << 7 | byte & 0x7F) & 0xFFFFFFFFFFFF
        if byte & 0x80:
            continue
        fields.append(number)
        number = 0
        if len(fields) < wanted:
            continue
        size, frames = desc.packet_bytes or fields[0], desc.packet_frames or fields[-1]
        fields = []
        count -= 1
        if used + size > data_bytes or count < 0:
            break
        last = used
        used += size
        present += frames
    return present, last


def _packed_frames(
    view: memoryview, desc: _Desc, pakt: tuple[int, int] | None, start: int, end: int
) -> tuple[int, int]:
    """Return the number of frames that a compressed CAF plays, and the number of those that others may play.

    That is the frames of the packets in the file, without the trim at both ends. A trim of more than encoders need is
    an edit, which players do not all make.
    """
    present = last = 0
    is_constant = desc.packet_bytes and desc.packet_frames
    if is_constant:
        present = (end - start) // desc.packet_bytes * desc.packet_frames
    if pakt is None or pakt[1] - pakt[0] < 24:
        if is_constant:
            return present, present
        raise refusals.cut_off("CAF file has lost its packet table")
    count, valid, priming, remainder = map(int, struct.unpack_from(">qqii", view, pakt[0]))
    priming, remainder = max(priming, 0), max(remainder, 0)
    trimmed = priming + remainder
    if not is_constant:
        present, last = _packets(view, desc, pakt, count, end - start)
    if desc.codec == b"alac" and not trimmed and valid == present:
        return (valid - _alac_shortfall(view, desc, start + last),) * 2
    wanted = valid if 0 < valid <= present else present if present <= trimmed else present - trimmed
    all_but_priming = present - priming if priming < present else present
    most = _TRIMMED_PACKETS * (desc.packet_frames or present)
    return (wanted, wanted) if abs(all_but_priming - wanted) <= most else (all_but_priming, wanted)


def _claimed_s(view: memoryview, desc: _Desc, pakt: tuple[int, int] | None, start: int, end: int) -> float:
    """Return the seconds by the description as it is; 0.0 when that makes no sense."""
    try:
        return _packed_frames(view, desc, pakt, start, end)[0] / desc.rate
    except refusals.Refusal:
        return 0.0


def _by_cookie(view: memoryview, desc: _Desc, kuki: tuple[int, int] | None) -> _Desc:
    """Return the description as its decoder has it, where the two differ."""
    if desc.codec == b"ima4":
        return desc._replace(packet_bytes=34 * desc.channels, packet_frames=64)
    if kuki is None or not desc.packet_frames:
        return desc
    rate, packet_seconds = 0, 0.0
    if desc.codec in _AAC_FAMILY and (esds := find_esds(view, kuki[0], kuki[1], bare=True)):
        config = aac_config(esds.config)
        rate, packet_seconds = config.rate, config.packet_seconds
    elif desc.codec == b"alac" and kuki[1] - kuki[0] >= 24:
        rate = int.from_bytes(view[kuki[0] + 20 : kuki[0] + 24], "big")
        packet_seconds = int.from_bytes(view[kuki[0] : kuki[0] + 4], "big") / rate if rate else 0.0
    if not packet_seconds or abs(packet_seconds * desc.rate / desc.packet_frames - 1) < _SAME_SHARE:
        return desc
    return desc._replace(rate=float(rate), packet_frames=round(packet_seconds * rate))


def _alac_shortfall(view: memoryview, desc: _Desc, packet: int) -> int:
    """Return by how many frames an ALAC packet is shorter than the others; only the packet itself says so."""
    head = int.from_bytes(view[packet : packet + 7], "big")
    has_size, frames = head >> 36 & 1, head >> 1 & 0xFFFFFFFF
    return desc.packet_frames - frames if has_size and 0 < frames < desc.packet_frames else 0


def _names(view: memoryview, info: tuple[int, int] | None) -> tuple[str | None, str | None]:
    """Return title and artist from the info chunk."""
    if info is None:
        return None, None
    raw = bytes(view[info[0] + 4 : min(info[1], info[0] + 10_000)])
    words = [word.decode("utf-8", "replace") for word in raw.split(b"\0")]
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    return pairs.get("title"), pairs.get("artist")


def read(view: memoryview) -> Sound:
    """Measure a CAF by the bytes in the file; raises Refusal."""
    chunks = _chunks(view)
    if b"desc" not in chunks or _LAST not in chunks:
        raise refusals.no_sound("CAF")
    desc = _Desc(*struct.unpack_from(">d4sIIIII", view, chunks[b"desc"][0]))
    if not math.isfinite(desc.rate) or not 1 <= desc.rate <= 10_000_000 or not 0 < desc.channels <= 1000:
        raise refusals.damaged("CAF")
    start, end = chunks[_LAST][0] + 4, chunks[_LAST][1]
    pcm = _pcm(desc, start, end)
    doubted: tuple[str, ...] = ()
    if pcm is not None:
        codec, frames = pcm.codec, pcm.frames(desc.channels)
    else:
        codec = CODECS.get(desc.codec.strip()) or desc.codec.decode("ascii", "replace").strip() or "unknown"
        real, pakt = _by_cookie(view, desc, chunks.get(b"kuki")), chunks.get(b"pakt")
        frames, trimmed = _packed_frames(view, real, pakt, start, end)
        doubted = doubts.if_differ("its packet table trims the sound", frames / real.rate, trimmed / real.rate)
        if real != desc:
            others_s = _claimed_s(view, desc, pakt, start, end)
            what = "its description does not fit its codec"
            doubted += doubts.if_differ(what, frames / real.rate, others_s)
        desc = real
    seconds = frames / desc.rate
    claimed_bytes = int.from_bytes(view[start - 12 : start - 4], "big", signed=True) - 4
    if claimed_bytes > end - start > 0:
        claimed_s, is_placeholder = seconds * claimed_bytes / (end - start), claimed_bytes >= doubts.PLACEHOLDER_BYTES
        doubted += doubts.claimed("CAF", seconds, claimed_s, is_placeholder=is_placeholder)
    first, last = chunks[b"data"], chunks[_LAST]
    if first != last:
        doubted += doubts.pieces(seconds, max(0, first[1] - first[0] - 4), end - start)
    names = _names(view, chunks.get(b"info"))
    return Sound("caf", codec, seconds, round(desc.rate), desc.channels, pcm, names=names, doubts=doubted)
