"""WAV, measured by the samples in the file, and the chunks that it shares with AIFF."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Literal, NamedTuple

from linq_nb.audio import doubts, mpeg, refusals
from linq_nb.audio.sound import Pcm, Sound

_MAX_CHUNKS = 20_000
MAX_RATE = 10_000_000
_IDENTIFIER = re.compile(rb"[ -~]{4}")
_UNKNOWN_SIZE = 0xFFFFFFFF
_INFO_BYTES = 10_000
LAST = b"last data"

Order = Literal["big", "little"]


class Chunk(NamedTuple):
    """The byte range of a chunk, and the size that it claims."""

    start: int
    end: int
    claimed: int


def number(view: memoryview, pos: int, size: int, order: Order) -> int:
    """Read an unsigned number of ``size`` bytes."""
    return int.from_bytes(view[pos : pos + size], order)


def read_chunks(view: memoryview, order: Order, sound: bytes = b"", pos: int = 12) -> dict[bytes, Chunk]:
    """Return the first chunk of each name; the size of the chunk named ``sound`` may be wrong.

    The last ``data`` is there as ``LAST`` too.
    """
    chunks: dict[bytes, Chunk] = {}
    end = len(view)
    for _ in range(_MAX_CHUNKS):
        if pos + 8 > end:
            return chunks
        name, claimed = bytes(view[pos : pos + 4]), number(view, pos + 4, 4, order)
        start = pos + 8
        size = claimed
        if name == b"data" and claimed == _UNKNOWN_SIZE and b"ds64" in chunks:
            size = claimed = number(view, chunks[b"ds64"].start + 8, 8, order) or claimed
        if name == sound and (size == 0 or (name == b"SSND" and size < 8)) and not _chunk_at(view, start, order):
            size = end - start
        stop = min(start + size, end)
        chunks.setdefault(name, Chunk(start, stop, claimed))
        if name == b"data" and stop > start:
            chunks[LAST] = Chunk(start, stop, claimed)
        pos = stop + (size & 1)
        if size & 1 and _IDENTIFIER.match(view, stop) and not _IDENTIFIER.match(view, pos):
            pos = stop
    raise refusals.damaged("WAV" if order == "little" else "AIFF")


def goes_on_bytes(view: memoryview, end: int, order: Order) -> int:
    """Return the bytes behind the sound that are no chunk: 0 where a chunk, a tag or zeros follow."""
    if _chunk_at(view, end, order) or _chunk_at(view, end + (end & 1), order) or bytes(view[end : end + 3]) == b"TAG":
        return 0
    return len(view) - end if mpeg.skip_tags(view, end) < len(view) and bytes(view[end:]).strip(b"\0") else 0


def _chunk_at(view: memoryview, pos: int, order: Order) -> bool:
    """Return whether a plausible chunk begins at ``pos``, or the file ends there."""
    if pos >= len(view):
        return True
    fits = pos + 8 + number(view, pos + 4, 4, order) <= len(view) + 1
    return bool(_IDENTIFIER.match(view, pos)) and pos + 8 <= len(view) and fits


def text_of(view: memoryview, chunk: Chunk | None) -> str | None:
    """Return the text of a chunk up to its first zero byte."""
    if chunk is None:
        return None
    raw = bytes(view[chunk.start : min(chunk.end, chunk.start + 1000)]).partition(b"\0")[0]
    return raw.decode("utf-8", "replace")


def id3_of(view: memoryview, chunks: Mapping[bytes, Chunk]) -> memoryview | None:
    """Return the ID3 tag that is in a chunk of its own."""
    chunk = chunks.get(b"id3 ") or chunks.get(b"ID3 ")
    return view[chunk.start : chunk.end] if chunk else None


class _WavFormat(NamedTuple):
    tag: int
    channels: int
    rate: int
    block: int
    bits: int
    block_samples: int


def _wav_format(view: memoryview, chunk: Chunk, order: Order) -> _WavFormat:
    """Read the fmt chunk; EXTENSIBLE becomes the tag that it wraps."""
    at, size = chunk.start, chunk.end - chunk.start
    if size < 14:
        raise refusals.cut_off("WAV file ends in its header")
    tag, channels, rate, _, block = struct.unpack_from(">HHIIH" if order == "big" else "<HHIIH", view, at)
    bits = number(view, at + 14, 2, order) if size >= 16 else 8
    if tag == 0xFFFE and size >= 28:
        bits = number(view, at + 18, 2, order) or bits  # those that are used; FFmpeg goes by them
        tag = number(view, at + 24, 4, order) & 0xFFFF
    block_samples = number(view, at + 18, 2, order) if size >= 20 else 0
    if not 0 < rate <= MAX_RATE or not channels:
        raise refusals.damaged("WAV")
    return _WavFormat(tag, channels, rate, block, bits, block_samples)


def _wav_pcm(wav: _WavFormat, data: Chunk, order: Order) -> Pcm | None:
    """Return where the PCM samples of a WAV are, None where they are compressed."""
    least = (wav.bits + 7) // 8
    width = wav.block // wav.channels if wav.block % wav.channels == 0 else 0
    if not least <= width <= 8 or (least <= 2 and wav.tag == 1):  # players go by the bits then
        width = least
    big = order == "big"
    if wav.tag == 1 and width in (1, 2, 3, 4, 8):
        return Pcm("u" if width == 1 else "s", width, big, data.start, data.end)
    if wav.tag == 3 and width in (4, 8) and not big:
        return Pcm("f", width, big, data.start, data.end)
    if wav.tag in (6, 7):
        return Pcm("A-law" if wav.tag == 6 else "mu-law", 1, big, data.start, data.end)
    return None


# tag -> name, bytes of a block's head and samples in it per channel, samples a byte holds
_BARE_AAC = 0xFF  # without frames
_PACKED = {0x02: ("MS ADPCM", 7, 2, 2), 0x11: ("IMA ADPCM", 4, 1, 2)}


def _in_block(wav: _WavFormat) -> int:
    """Return the samples per channel that a block of ADPCM has room for."""
    _, head, first, per_byte = _PACKED[wav.tag]
    return first + (wav.block - head * wav.channels) * per_byte // wav.channels


def _packed_samples(wav: _WavFormat, size_bytes: int) -> tuple[str, int]:
    """Return the codec of ADPCM or GSM, and the samples per channel in ``size_bytes``."""
    if wav.tag == 0x31:
        return "GSM 6.10", size_bytes // (wav.block or 65) * 320
    if wav.tag not in _PACKED:
        refuse = refusals.other_audio if wav.tag == _BARE_AAC else refusals.convertible
        raise refuse(f"WAV with a codec that phones do not play (tag 0x{wav.tag:04x})")
    codec, head, first, per_byte = _PACKED[wav.tag]
    head *= wav.channels
    if wav.block <= head:
        raise refusals.damaged("WAV")
    in_block = _in_block(wav)
    if in_block - 2 * wav.channels <= wav.block_samples < in_block:
        in_block = wav.block_samples
    blocks, rest = divmod(size_bytes, wav.block)
    last = first + (rest - head) * per_byte // wav.channels if rest > head else 0
    return codec, blocks * in_block + last


def read(view: memoryview) -> Sound:
    """Measure a WAV (RIFF, RIFX, RF64, BW64) by the bytes in the file; raises Refusal."""
    kind = bytes(view[:4])
    order: Order = "big" if kind == b"RIFX" else "little"
    chunks = read_chunks(view, order, b"data")
    data = chunks.get(LAST)  # FFmpeg plays the last one, others play the first
    if b"fmt " not in chunks or data is None or data.end <= data.start:
        raise refusals.no_sound("WAV")
    wav = _wav_format(view, chunks[b"fmt "], order)
    size = data.end - data.start
    id3, names = id3_of(view, chunks), _info_names(view, chunks.get(b"LIST"))
    if wav.tag == 0x55:
        return _mp3_in_wav(view, data, id3, names)
    pcm = _wav_pcm(wav, data, order)
    if pcm is not None:
        codec, samples = pcm.codec, pcm.frames(wav.channels)
    else:
        codec, samples = _packed_samples(wav, size)
        samples = _trust_fact(view, chunks.get(b"fact"), order, samples, wav)
    seconds = samples / wav.rate
    is_placeholder = not data.claimed or (data.claimed >= doubts.PLACEHOLDER_BYTES and b"ds64" not in chunks)
    rest = goes_on_bytes(view, data.end, order)
    doubted = _doubts(chunks, wav, pcm, seconds)
    doubted += doubts.claimed("WAV", seconds, seconds * data.claimed / size, is_placeholder=is_placeholder)
    whole_s = seconds * (size + rest) / size
    doubted += doubts.unheard("the file goes on after the end that its header names", seconds, whole_s)
    common = codec in ("PCM 8-bit", "PCM 16-bit", "PCM 24-bit", "PCM float 32-bit", "mu-law", "A-law")
    browser = common and kind == b"RIFF" and wav.channels <= 2 and not doubted
    return Sound(
        "wav", codec, seconds, wav.rate, wav.channels, pcm, browser=browser, id3=id3, names=names, doubts=doubted,
        goes_on=data.end if doubts.differ(seconds, whole_s) else 0, whole_s=whole_s,
    )  # fmt: skip


def _doubts(chunks: Mapping[bytes, Chunk], wav: _WavFormat, pcm: Pcm | None, seconds: float) -> tuple[str, ...]:
    """Return the doubts about a file of several pieces of sound, or of samples of two widths."""
    first, last = chunks[b"data"], chunks[LAST]
    doubted = doubts.pieces(seconds, first.end - first.start, last.end - last.start) if first != last else ()
    width = wav.block / wav.channels
    if pcm is not None and pcm.width != width > 0:
        doubted += doubts.if_differ("its header claims two sizes of a sample", seconds, seconds * pcm.width / width)
    if wav.tag in _PACKED and wav.block_samples:
        others_s = seconds * wav.block_samples / _in_block(wav)
        doubted += doubts.if_differ("its header claims another number of samples in a block", seconds, others_s)
    return doubted


def _trust_fact(view: memoryview, fact: Chunk | None, order: Order, samples: int, wav: _WavFormat) -> int:
    """Return the sample count of the fact chunk when it only trims the last block of ADPCM, else ``samples``."""
    if fact is None or fact.end - fact.start < 4:
        return samples
    claimed = number(view, fact.start, 4, order)
    return claimed if samples - max(wav.block_samples, 2 * wav.block) <= claimed <= samples else samples


def _mp3_in_wav(view: memoryview, data: Chunk, id3: memoryview | None, names: tuple[str | None, str | None]) -> Sound:
    """Measure MP3 frames in a WAV; the format is WAV, since Linq sees the container."""
    inside = view[data.start : data.end]
    start = mpeg.find(inside, 0, 3, lambda frame: frame.layer == 1)
    if start is None:
        raise refusals.no_sound("WAV")
    mp3 = mpeg.read_mp3(inside, start)
    return Sound("wav", "MP3", mp3.seconds, mp3.rate, mp3.channels, id3=id3, names=names, doubts=mp3.doubts)


def _info_names(view: memoryview, chunk: Chunk | None) -> tuple[str | None, str | None]:
    """Return title and artist from a LIST INFO chunk."""
    if chunk is None or bytes(view[chunk.start : chunk.start + 4]) != b"INFO":
        return None, None
    fields = read_chunks(view[: min(chunk.end, chunk.start + _INFO_BYTES)], "little", pos=chunk.start + 4)
    return text_of(view, fields.get(b"INAM")), text_of(view, fields.get(b"IART"))
