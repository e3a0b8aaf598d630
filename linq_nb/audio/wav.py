"""Writes WAV: samples from memory, and small previews."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Sequence
from typing import Any

from linq_nb.errors import AudioError

_MIN_RATE, _MAX_RATE = 1000, 384_000
_MAX_CHANNELS = 8
_MOST_FLOAT = 10.0
"""Floats of -1 to 1 that overshoot are clipped; beyond this they are of another scale."""

_SLIVER = 256
"""Whole numbers that use less than this part of their range (-48 dB) are of another scale: 16-bit values as int32."""

_NAN = "samples hold NaN (not a number); nothing was sent; fill or drop these first"

_POWERS = (7, 15, 23, 31)
"""Samples of 8, 16, 24 and 32 bits are divided by 2 to the power of these for floats of -1 to 1."""


def wav_from_samples(samples: Any, rate: int) -> bytes:
    """Return samples at ``rate`` Hz as a 16-bit WAV: one channel, or two axes (frames, channels).

    Accepts numpy arrays, objects with ``__array__``, lists and ``array.array``. Floats are -1 to 1, and are clipped
    where they overshoot a little; integers fill the range of their type. Raises AudioError for other samples, also
    for those of another scale, with what to divide them by.

    >>> len(wav_from_samples([0.0, 0.5, -0.5], 8000))
    50
    """
    hertz = _rate(rate)
    if isinstance(samples, (bytes, bytearray, str)):
        raise AudioError(
            f"samples are numbers, not {type(samples).__name__}; nothing was sent; load a file with from_bytes or "
            "from_file"
        )
    values = samples.__array__() if hasattr(samples, "__array__") else _from_numbers(samples)
    _check_shape(values.shape)
    return wav_file(_to_16_bit(values), hertz, values.shape[1] if values.ndim == 2 else 1)


def _rate(rate: Any) -> int:
    try:
        hertz = int(rate) if isinstance(rate, float) and rate.is_integer() else operator.index(rate)
    except TypeError:
        raise AudioError(
            f"the sample rate is a whole number of Hz, not {rate!r}; nothing was sent; 16000 suits speech"
        ) from None
    if not _MIN_RATE <= hertz <= _MAX_RATE or isinstance(rate, bool):
        raise AudioError(
            f"the sample rate is in Hz, {_MIN_RATE} to {_MAX_RATE}, not {rate!r}; nothing was sent; 16000 suits speech"
        )
    return hertz


def _check_shape(shape: Sequence[int]) -> None:
    """Raise AudioError for axes that are not (frames,) or (frames, channels)."""
    if len(shape) not in (1, 2) or (len(shape) == 2 and not 1 <= shape[1] <= _MAX_CHANNELS):
        is_turned = len(shape) == 2 and 1 <= shape[0] <= _MAX_CHANNELS
        todo = "transpose it (`samples.T`)" if is_turned else "give one row a frame"
        raise AudioError(
            f"samples have one axis, or two as (frames, channels), not the shape {tuple(shape)}; nothing was sent; "
            f"{todo}"
        )
    if not shape[0]:
        raise AudioError("there are no samples; nothing was sent; record or load some first")


def _to_16_bit(samples: Any) -> bytes:
    """Return the little-endian 16-bit samples of a numpy array, by its own methods."""
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind == "f":
        if bool((samples != samples).any()):
            raise AudioError(_NAN)
        wide = samples.astype("f8")
        _check_floats(float(wide.min()), float(wide.max()))
        samples = (wide.clip(-1, 1) * 32767).round()
    elif kind not in "iu":
        raise AudioError(
            f"samples are floats or integers, not {samples.dtype}; nothing was sent; convert them to floats"
        )
    elif size == 8:
        _check_range(int(samples.min()), int(samples.max()))
    else:
        _check_sliver(int(samples.min()), int(samples.max()), 8 * size)
        samples = samples.astype("i8") + (0 if kind == "i" else -(1 << 8 * size - 1))
        samples = samples * 256 if size == 1 else samples >> 8 * size - 16
    return bytes(samples.astype("<i2").tobytes())


def _check_range(low: int, high: int) -> None:
    """Raise AudioError for whole numbers of no width in particular that are no 16-bit samples."""
    if low < -32768 or high > 32767:
        raise AudioError(
            f"whole numbers from {low:.6g} to {high:.6g} do not fit into 16 bits; nothing was sent; "
            f"{_scaling(low, high)}"
        )
    _check_sliver(low, high, 16)


def _check_sliver(low: int, high: int, bits: int) -> None:
    """Raise AudioError for whole numbers that use so little of their range that nobody would hear them."""
    if 0 < high - low <= max((1 << bits) // _SLIVER, 2):
        raise AudioError(
            f"whole numbers from {low:.6g} to {high:.6g} use a sliver of their {bits} bits, so nobody would hear them; "
            f"nothing was sent; {_scaling(low, high)}"
        )


def _check_floats(low: float, high: float) -> None:
    """Raise AudioError for floats far beyond -1 to 1, which would be clipped to a square wave."""
    if math.isinf(low) or math.isinf(high):
        return
    if max(-low, high) > _MOST_FLOAT:
        raise AudioError(
            f"these floats run from {low:g} to {high:g}, not from -1 to 1; nothing was sent; {_scaling(low, high)}"
        )


def _scaling(low: float, high: float) -> str:
    """Say how to make samples of another scale floats of -1 to 1."""
    if low >= 0 and high > 1:  # unsigned: the middle is silence
        half = next((f"2**{power}" for power in _POWERS if high < 2 ** (power + 1)), f"{high / 2:.3g}")
        return f"subtract {half} and divide by {half} for floats of -1 to 1"
    top = max(-low, high)
    full = next((f"2**{power}" for power in _POWERS if top <= 2**power), f"{top:.3g}")
    return f"divide by {full} for floats of -1 to 1" if top > 1 else "give the floats of -1 to 1 that they were made of"


def _from_numbers(samples: Any) -> Any:
    """Return lists, lists of lists or an ``array.array`` as a NumPy array; whole numbers count as 16 bits."""
    import numpy as np

    code = getattr(samples, "typecode", "")
    try:
        rows = list(samples)
        is_wide = bool(rows) and hasattr(rows[0], "__len__")
        shape: tuple[int, ...] = (len(rows), len(rows[0])) if is_wide else (len(rows),)
        if is_wide and any(len(row) != shape[1] for row in rows):
            raise AudioError("every frame needs the same number of channels; nothing was sent; give each as many")
        numbers = [number for row in rows for number in row] if is_wide else rows
        _check_shape(shape)
        dtype = code if code and code in "bBhHiI" else "i2"
        if not all(isinstance(number, int) for number in numbers):
            dtype = "f8"
            if any(map(math.isnan, numbers)):  # text, of which NumPy would make numbers, is a TypeError here
                raise AudioError(_NAN)
        elif dtype == "i2":
            _check_range(min(numbers), max(numbers))
        return np.array(numbers, dtype).reshape(shape)
    except (TypeError, ValueError):
        raise AudioError(
            "samples are plain numbers, and these are not; nothing was sent; give floats of -1 to 1, or 16-bit integers"
        ) from None


def wav_file(raw: bytes, rate: int, channels: int, mu_law: bool = False) -> bytes:
    """Return a WAV of little-endian 16-bit samples, or of mu-law bytes."""
    width = 1 if mu_law else 2
    extra = struct.pack("<H", 0) if mu_law else b""
    fmt = struct.pack(
        "<HHIIHH", 7 if mu_law else 1, channels, rate, rate * channels * width, channels * width, 8 * width
    )
    fact = struct.pack("<4sII", b"fact", 4, len(raw) // channels) if mu_law else b""
    body = b"WAVE" + struct.pack("<4sI", b"fmt ", len(fmt + extra)) + fmt + extra + fact
    body += struct.pack("<4sI", b"data", len(raw)) + raw + b"\0" * (len(raw) & 1)
    return struct.pack("<4sI", b"RIFF", len(body)) + body
