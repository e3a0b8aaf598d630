"""Audio made by the tests."""

from __future__ import annotations

import io
import math
import struct
import wave


def tone(hz: float = 440, seconds: float = 2, rate_hz: int = 16_000) -> bytes:
    """Make a WAV of a tone."""
    frames = (int(9000 * math.sin(hz * i * math.tau / rate_hz)) for i in range(int(seconds * rate_hz)))
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        writer.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return out.getvalue()
