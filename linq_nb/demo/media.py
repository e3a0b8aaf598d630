"""The public files of the demo, to which `voice_memo_url` may point."""

import io
import math
import struct
import wave
from collections.abc import Callable
from functools import cache

from .wire import Reply

HOST = "media.linq.invalid"
BASE = f"https://{HOST}"
_RATE = 8_000
_SECONDS = 1.5


@cache
def hello() -> bytes:
    """Make 1.5 seconds of a soft tone that swells and fades, as WAV (mono, 8 kHz, 16 bit)."""
    count = int(_RATE * _SECONDS)
    samples = (
        int(9_000 * math.sin(math.pi * n / count) ** 2 * math.sin(2 * math.pi * 330 * n / _RATE)) for n in range(count)
    )
    return _wav(b"".join(struct.pack("<h", sample) for sample in samples))


@cache
def large() -> bytes:
    """Make a WAV of silence that is longer than a voice memo may be."""
    return _wav(bytes(10_500_000))


def _wav(frames: bytes) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(frames)
    return target.getvalue()


def _redirect(location: str) -> Reply:
    return Reply(302, b"", {"Location": location})


_FILES: dict[str, Callable[[], Reply]] = {
    "hello.wav": lambda: Reply(200, hello(), {"Content-Type": "audio/wav"}),
    "large.wav": lambda: Reply(200, large(), {"Content-Type": "audio/wav"}),
    "wrong.mp3": lambda: Reply(200, hello(), {"Content-Type": "audio/mpeg"}),
    "page.m4a": lambda: Reply(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
    "redirect.wav": lambda: _redirect(f"{BASE}/hello.wav"),
    "downgrade.wav": lambda: _redirect(f"http://{HOST}/hello.wav"),
    "private.wav": lambda: _redirect("https://127.0.0.1/hello.wav"),
    "missing.wav": lambda: Reply(404, b"not found", {"Content-Type": "text/plain"}),
}

NAMES = frozenset(_FILES)

#: Names of the files, for notebooks and tests.
URLS = {name.partition(".")[0]: f"{BASE}/{name}" for name in _FILES}


def get(path: str) -> Reply:
    """Answer a GET on the media host."""
    return _FILES.get(path.removeprefix("/"), _FILES["missing.wav"])()


def duration_ms(data: bytes) -> int | None:
    """Give the length of one of the demo's own WAV files in milliseconds."""
    return (len(data) - 44) * 1000 // (2 * _RATE) if data[:4] == b"RIFF" else None
