"""The adapter to PyAV: decodes what FFmpeg decodes, encodes AAC and MP3."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from linq_nb.audio import refusals
from linq_nb.audio.budget import Budget
from linq_nb.audio.measurement import Bytes, sniff, view_of
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound
from linq_nb.errors import AudioError

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
        raise AudioError(f"this needs PyAV; {refusals.INSTALL} installs it")
    try:
        yield av
    except Refusal as refusal:
        raise AudioError(str(refusal)) from None
    except (av.FFmpegError, *_PYAV_FAILURES) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
        raise AudioError(f"the audio cannot be decoded ({reason}); get the file again or export it anew") from error


class Decoder:
    """Decodes the audio track of a sound packet by packet, up to the first error of its container or its budget's end.

    Without a sound it is the first track.
    """

    def __init__(self, av: Any, data: memoryview, budget: Budget, sound: Sound | None = None) -> None:
        self._av, self._budget = av, budget
        options = {"ignore_editlist": "1"} if sound and sound.ignores_edits else {}
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

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()

    def frames(self) -> Iterator[Any]:
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


def _encode(
    av: Any,
    data: memoryview,
    out: Any,
    container: str,
    codec: str,
    rate: int | None,
    bit_rate: int,
    budget: Budget,
    sound: Sound | None,
) -> float:
    """Encode the sound of a file in mono, without a rate at the next one of AAC; returns the seconds written."""
    with closing(Decoder(av, data, budget, sound)) as decoder:
        rate = rate or next((aac_rate for aac_rate in _AAC_RATES if aac_rate >= decoder.rate), _AAC_RATES[-1])
        options = {"movflags": "+faststart"} if container == "ipod" else {}
        samples = 0
        with av.open(out, "w", format=container, options=options) as target:
            stream = target.add_stream(codec, rate=rate, layout="mono")
            stream.bit_rate = min(bit_rate, 4 * rate)
            for frame in _resampled(av, decoder.frames(), "fltp", "mono", rate):
                if samples >= round(budget.seconds * rate):
                    break
                frame.pts, frame.time_base = samples, Fraction(1, rate)
                samples += frame.samples
                target.mux(stream.encode(frame))
            if not samples:
                raise refusals.cut_off("file has no sound that can be decoded")
            target.mux(stream.encode(None))
        return samples / rate


def convert(data: Bytes) -> bytes:
    """Return the sound as a mono AAC M4A; accepts Ogg, FLAC, WebM and video as well.

    Raises AudioError when there is no sound or too much of it, or the ``audio`` extra is not installed.
    """
    view = view_of(data)
    result = sniff(view)
    if isinstance(result, Refusal) and not result.convertible:
        raise AudioError(str(result))
    sound, budget = None if isinstance(result, Refusal) else result, Budget.of_convert()
    with _pyav() as av, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memo.m4a"
        seconds = _encode(av, view, str(path), "ipod", "aac", None, 64_000, budget, sound)
        if budget.was_cut or seconds >= budget.seconds:
            raise refusals.too_long(budget.heard_s)
        return path.read_bytes()


def mp3_preview(view: memoryview, sound: Sound, rate: int, bit_rate: int, most_seconds: float) -> tuple[bytes, float]:
    """Return a mono MP3 of the first seconds, and its length in seconds; raises AudioError."""
    out = io.BytesIO()
    with _pyav() as av:
        seconds = _encode(av, view, out, "mp3", "libmp3lame", rate, bit_rate, Budget.of_look(most_seconds), sound)
    return out.getvalue(), seconds


def blocks(
    view: memoryview, sound: Sound, budget: Budget, rate: int | None = None
) -> tuple[int, int, Iterator[array[int]]]:
    """Return rate, channels and blocks of interleaved 16-bit samples; mono at ``rate`` when it is given."""
    with _pyav() as av:
        decoder = Decoder(av, view, budget, sound)
    return rate or decoder.rate, 1 if rate else decoder.channels, _decoded(decoder, rate)


def _decoded(decoder: Decoder, rate: int | None) -> Iterator[array[int]]:
    with closing(decoder), _pyav() as av:
        layout = "mono" if rate or decoder.channels == 1 else decoder.layout
        for frame in _resampled(av, decoder.frames(), "s16", layout, rate or decoder.rate):
            used = 2 * frame.samples * frame.layout.nb_channels
            yield array("h", bytes(frame.planes[0])[:used])
