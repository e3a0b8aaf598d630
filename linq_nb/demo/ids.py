"""Ids, traces and chances that are the same each run, because they are hashes of what they belong to."""

import uuid
from hashlib import sha1, sha256

_NAMESPACE = uuid.UUID("5d7a2c9e-8f30-5b4c-9a61-1c0b8f6e2d14").bytes
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def stable_uuid(*parts: object) -> str:
    """Give the uuid that these parts always have, in any world: `uuid.uuid5`, which takes three times as long."""
    return as_uuid(sha1(_NAMESPACE + _joined(parts).encode(), usedforsecurity=False).hexdigest())


def as_uuid(text: str) -> str:
    """Give the uuid of 32 hex digits of a hash."""
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


class Ids:
    """Hashes of parts under one seed: another seed gives other ids, jitter and faults."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def uuid(self, *parts: object) -> str:
        return stable_uuid(self.seed, *parts)

    def hex(self, *parts: object) -> str:
        """Give 64 hex digits."""
        return sha256(_joined((self.seed, *parts)).encode()).hexdigest()

    def unit(self, *parts: object) -> float:
        """Give a number in [0, 1)."""
        return int(self.hex(*parts)[:13], 16) / 16**13

    def between(self, low: float, high: float, *parts: object) -> float:
        return low + (high - low) * self.unit(*parts)


def _joined(parts: tuple[object, ...]) -> str:
    return "\x1f".join(map(str, parts))
