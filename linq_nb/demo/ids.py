"""Ids, traces and chances that are the same each run, because they are hashes of what they belong to."""

import uuid
from hashlib import sha256

_NAMESPACE = uuid.UUID("5d7a2c9e-8f30-5b4c-9a61-1c0b8f6e2d14")


def stable_uuid(*parts: object) -> str:
    """Give the uuid that these parts always have, in any world."""
    return str(uuid.uuid5(_NAMESPACE, _joined(parts)))


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
    return "\x1f".join(str(part) for part in parts)
