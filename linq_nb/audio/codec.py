"""The adapter to PyAV: decodes what FFmpeg decodes, encodes AAC and MP3."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linq_nb.audio import fitting, refusals
from linq_nb.audio.budget import CONVERT_S, Budget
from linq_nb.audio.formats import MAX_MEMO_BYTES
from linq_nb.audio.measurement import Bytes, measured, sniff, view_of
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

if TYPE_CHECKING:
    from linq_nb.audio.pcm import Samples

_AMR_FRAME_SECONDS = 0.02
_PYAV_FAILURES = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, ValueError)
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def _free_filters() -> None:
    """Free FFmpeg's filter graphs before a fork: they are garbage in cycles, and have threads.

    Freed in the child, where the threads are missing, they would wait for them for ever.
    """
    if "av" in sys.modules:
        gc.collect()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_free_filters)


def load() -> Any | None:
    """Return PyAV, None when it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError:
        return None


def can_transcode() -> bool:
    """Return whether PyAV is installed (extra ``audio``)."""
    return load() is not None


@contextmanager
def _pyav() -> Iterator[Any]:
    """Give PyAV and turn all its errors into AudioError; raises that too where it is not installed."""
    av = load()
    if av is None:
        raise AudioError(f"this needs PyAV; nothing was sent; {refusals.INSTALL} installs it")
    try:
        yield av
    except Refusal as refusal:
        raise AudioError(str(refusal)) from None
    except (av.FFmpegError, *_PYAV_FAILURES) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
        raise AudioError(
            f"the audio cannot be decoded ({reason}); nothing was sent; get the file again or export it anew"
        ) from error


class Decoder:
    """Decodes the audio track of a sound packet by packet, up to the first error of its container or its budget's end.

    Without a sound it is the first track. ``whole``: also what is behind the end that a WAV's header names.
    """

    def __init__(
        self, av: Any, data: memoryview, budget: Budget, sound: Sound | None = None, *, whole: bool = False
    ) -> None:
        self._av, self._budget = av, budget
        options = {"ignore_editlist": "1"} if sound and sound.ignores_edits else {}
        options |= {"ignore_length": "1"} if sound and sound.goes_on and whole else {}
        self._container = av.open(io.BytesIO(data), "r", options=options)
        streams = self._container.streams.audio
        number = sound.track if sound and sound.track < len(streams) else 0
        self._stream = streams[number] if streams else None
        context = self._stream and self._stream.codec_context
        if context is None:
            self._container.close()
            if self._stream is None:
                raise refusals.not_audio("a file without an audio track")
            raise refusals.other_audio("sound in a codec that PyAV does not know")
        self.rate: int = context.rate or 0
        self.layout: str = context.layout.name if context.layout else "mono"
        self.channels: int = context.layout.nb_channels if context.layout else 1
        self._is_amr = context.name.startswith(("amr", "libopencore_amr"))
        self.claimed_s: float | None = (self._container.duration or 0) / av.time_base or None

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()

    def frames(self) -> Generator[Any]:
        """Yield the frames; skips packets that cannot be decoded, but an AMR packet that fails is 20 ms of silence."""
        packets = self._container.demux(self._stream)
        while not self._budget.is_used_up:
            try:
                packet = next(packets)
            except (StopIteration, self._av.FFmpegError):
                return
            try:
                decoded = packet.decode()
            except (self._av.FFmpegError, ValueError):
                decoded = [self._silence()] if self._is_amr and packet.size else []
            for frame in decoded:
                if frame.sample_rate and frame.samples:
                    frame.pts = None
                    self._budget.spend(frame.samples, frame.sample_rate, frame.layout.nb_channels)
                    yield frame

    def _silence(self) -> Any:
        samples = round(self.rate * _AMR_FRAME_SECONDS)
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate = self.rate
        return frame


def _resampled(av: Any, frames: Iterator[Any], sample_format: str, layout: str, rate: int) -> Iterator[Any]:
    """Yield all frames in one sample format, layout and rate."""
    for _, alike in groupby(frames, lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)):
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate)
        for frame in alike:
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _whole(av: Any, data: memoryview, budget: Budget, sound: Sound | None) -> Generator[Any]:
    """Yield the frames of all the sound in a file, also of files joined end to end."""
    for start, end in (sound and sound.parts) or ((0, len(data)),):
        part = data[start:end]
        own = sniff(part) if sound and sound.parts else sound
        with closing(Decoder(av, part, budget, own if isinstance(own, Sound) else None, whole=True)) as decoder:
            yield from decoder.frames()


def _encode(
    av: Any, frames: Generator[Any], out: Any, container: str, codec: str, rate: int, bit_rate: int, budget: Budget
) -> float:
    """Encode frames in mono, as far as their budget lasts; returns the seconds written."""
    with closing(frames):
        options = {"movflags": "+faststart"} if container == "ipod" else {}
        samples = 0
        with av.open(out, "w", format=container, options=options) as target:
            stream = target.add_stream(codec, rate=rate, layout="mono")
            stream.bit_rate = min(bit_rate, 4 * rate)
            for frame in _resampled(av, frames, "fltp", "mono", rate):
                if samples >= round(budget.seconds * rate):
                    break
                frame.pts, frame.time_base = samples, Fraction(1, rate)
                samples += frame.samples
                target.mux(stream.encode(frame))
            if not samples:
                raise refusals.cut_off("file has no sound that can be decoded")
            target.mux(stream.encode(None))
        return samples / rate


def convert(data: Bytes, max_bytes: int = MAX_MEMO_BYTES, most_s: float = CONVERT_S) -> bytes:
    """Return the sound as a mono AAC M4A of at most ``max_bytes``; accepts Ogg, FLAC, WebM and video as well.

    At most ``most_s`` seconds are decoded: what goes on is refused, never cut.

    The bit rate is chosen so that it fits: 64 kbit/s at most, 24 kbit/s at least. Files joined end to end become one.
    Raises AudioError when there is no sound, when it cannot fit (said before anything is decoded where the file names
    its length), or when the ``audio`` extra is not installed.
    """
    view = view_of(data)
    result = sniff(view)
    if isinstance(result, Refusal) and not result.convertible:
        raise AudioError(str(result))
    sound = None if isinstance(result, Refusal) else result
    with _pyav() as av, tempfile.TemporaryDirectory() as folder:
        with closing(Decoder(av, view, Budget.of_convert(), sound)) as decoder:
            seconds = decoder.claimed_s
            aac_rate = next((rate for rate in _AAC_RATES if rate >= decoder.rate), _AAC_RATES[-1])
        bits = fitting.bit_rate(sound.all_s if sound else seconds, max_bytes)
        path = Path(folder) / "memo.m4a"
        while bits >= fitting.LEAST_BIT_RATE:
            budget = Budget.of_convert(min(fitting.longest_s(max_bytes), most_s))
            rate = min(aac_rate, fitting.most_rate(bits))
            seconds = _encode(av, _whole(av, view, budget, sound), str(path), "ipod", "aac", rate, bits, budget)
            if budget.was_cut:
                raise fitting.cut(budget.heard_s, max_bytes)
            if path.stat().st_size <= max_bytes:
                return path.read_bytes()
            bits = min(fitting.bit_rate(seconds, max_bytes), int(0.95 * bits * max_bytes / path.stat().st_size))
        raise fitting.too_long(seconds or 0.0, max_bytes)


def fitting_bit_rate(data: Bytes, max_bytes: int = MAX_MEMO_BYTES) -> int:
    """Return the bits a second at which ``convert`` makes a memo fit; nothing is decoded; raises AudioError."""
    try:
        return fitting.bit_rate(measured(data).all_s, max_bytes)
    except Refusal as refusal:
        raise AudioError(str(refusal)) from None


def mp3_preview(view: memoryview, sound: Sound, rate: int, bit_rate: int, most_seconds: float) -> tuple[bytes, float]:
    """Return a mono MP3 of the first seconds, and its length in seconds; raises AudioError."""
    out, budget = io.BytesIO(), Budget.of_look(most_seconds)
    with _pyav() as av, closing(Decoder(av, view, budget, sound)) as decoder:
        seconds = _encode(av, decoder.frames(), out, "mp3", "libmp3lame", rate, bit_rate, budget)
    return out.getvalue(), seconds


def blocks(
    view: memoryview, sound: Sound, budget: Budget, rate: int | None = None
) -> tuple[int, int, Iterator[Samples]]:
    """Return rate, channels and blocks of interleaved 16-bit samples; mono at ``rate`` when it is given."""
    with _pyav() as av:
        decoder = Decoder(av, view, budget, sound)
    return rate or decoder.rate, 1 if rate else decoder.channels, _decoded(decoder, rate)


def _decoded(decoder: Decoder, rate: int | None) -> Iterator[Samples]:
    import numpy as np

    with closing(decoder), _pyav() as av:
        layout = "mono" if rate or decoder.channels == 1 else decoder.layout
        for frame in _resampled(av, decoder.frames(), "s16", layout, rate or decoder.rate):
            yield np.frombuffer(bytes(frame.planes[0]), np.int16, frame.samples * frame.layout.nb_channels)
