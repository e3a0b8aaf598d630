"""The description of AAC inside an M4A: the esds box and its AudioSpecificConfig."""

from __future__ import annotations

from typing import NamedTuple

from linq_nb.audio.mpeg import AAC_RATES

_SEARCH_BYTES = 8192
_CODECS = {
    1: "AAC Main",
    2: "AAC-LC",
    3: "AAC SSR",
    4: "AAC LTP",
    5: "HE-AAC",
    6: "AAC Scalable",
    17: "AAC-LC",
    19: "AAC LTP",
    20: "AAC Scalable",
    23: "AAC-LD",
    29: "HE-AAC v2",
    39: "AAC-ELD",
    42: "xHE-AAC",
}
_LC, _SBR, _PS, _ESCAPE = 2, 5, 29, 31


class Esds(NamedTuple):
    """The object type of a stream (0x40 is AAC) and the configuration of its decoder."""

    object_type: int
    config: bytes


class Codec(NamedTuple):
    """Name, output rate in Hz and channels, 0 where the configuration does not say; no name when it is not AAC.

    ``packet_seconds`` is the length of one packet, which is a sample of the file, 0 if unknown.
    """

    name: str
    rate: int
    channels: int
    packet_seconds: float


def _descriptor(raw: bytes, pos: int) -> tuple[int, int, int]:
    """Return tag, start and end of the descriptor at ``pos``; its length field has up to four bytes."""
    tag, length = raw[pos], 0
    for _ in range(4):
        pos += 1
        length = length << 7 | raw[pos] & 0x7F
        if raw[pos] < 0x80:
            break
    return tag, pos + 1, min(pos + 1 + length, len(raw))


def find_esds(view: memoryview, start: int, end: int, *, bare: bool = False) -> Esds | None:
    """Find the esds box in a sample entry, also inside QuickTime's wave box; None when it is missing.

    ``bare`` reads what such a box holds, without the box.
    """
    raw = bytes(view[start : min(end, start + _SEARCH_BYTES)])
    at = raw.find(b"esds")
    if at < 0 and not bare:
        return None
    try:
        tag, pos, end = _descriptor(raw, at + 8 if at >= 0 else 0)
        if tag == 3:
            flags = raw[pos + 2]
            pos += 3 + (2 if flags & 0x80 else 0) + (1 + raw[pos + 3] if flags & 0x40 else 0)
            pos += 2 if flags & 0x20 else 0
            tag, pos, end = _descriptor(raw, pos)
        if tag != 4:
            return None
        object_type = raw[pos]
        if pos + 13 >= end:
            return Esds(object_type, b"")
        tag, pos, end = _descriptor(raw, pos + 13)
        return Esds(object_type, raw[pos:end] if tag == 5 else b"")
    except IndexError:
        return None


class _Bits:
    """Reads bits; zeros after the end."""

    def __init__(self, raw: bytes) -> None:
        self.left = 8 * len(raw)
        self._value = int.from_bytes(raw, "big")

    def take(self, count: int) -> int:
        """Read the next bits as a number."""
        self.left -= count
        shifted = self._value >> self.left if self.left >= 0 else self._value << -self.left
        return shifted & ((1 << count) - 1)

    def object_type(self) -> int:
        """Read an audio object type."""
        kind = self.take(5)
        return 32 + self.take(6) if kind == _ESCAPE else kind

    def rate(self) -> int:
        """Read a sample rate in Hz, 0 where reserved."""
        index = self.take(4)
        if index == 15:
            return self.take(24)
        return AAC_RATES[index] if index < len(AAC_RATES) else 0


def aac_config(raw: bytes) -> Codec:
    """Read codec, rate and channels from an AudioSpecificConfig and its late extension."""
    if len(raw) < 2:
        return Codec("AAC-LC", 0, 0, 0.0)
    bits = _Bits(raw[:64])
    kind, core_rate, layout = bits.object_type(), bits.rate(), bits.take(4)
    signalled, rate = kind, core_rate
    if kind in (_SBR, _PS):
        rate = bits.rate() or core_rate
        kind = bits.object_type()
    packet = (960 if bits.take(1) else 1024) if kind == _LC else 0
    if signalled == _LC and layout:
        signalled, rate = _late_extension(bits, rate)
    channels = {0: 0, 7: 8}.get(layout, layout if layout < 8 else 0)
    if signalled == _PS and channels == 1:
        channels = 2
    return Codec(_CODECS.get(signalled, ""), rate, channels, packet / core_rate if core_rate else 0.0)


def _late_extension(bits: _Bits, rate: int) -> tuple[int, int]:
    """Read the HE-AAC extension after a plain configuration, where old players do not look."""
    if bits.take(1):
        bits.take(14)
    bits.take(1)
    if bits.left < 16 or bits.take(11) != 0x2B7 or bits.object_type() != _SBR or not bits.take(1):
        return _LC, rate
    rate = bits.rate() or rate
    if bits.left >= 12 and bits.take(11) == 0x548 and bits.take(1):
        return _PS, rate
    return _SBR, rate
