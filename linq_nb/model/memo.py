"""VoiceMemo: audio bytes with the facts about them, or a URL or an attachment id that stands for them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from linq_nb import audio
from linq_nb.errors import AudioError
from linq_nb.model.record import Record
from linq_nb.model.sources import expanded, is_uuid, read_file, same_looking, source_of, split_url
from linq_nb.model.urls import UrlNames, url_names
from linq_nb.secret import HiddenUrl
from linq_nb.text import plain_url, visual_key, writable

MAX_DURATION_MS = 365 * 24 * 3_600_000
"""One year. A file of 100 MiB that claims more is wrong about its length, which is then unknown."""

MemoSource = Literal["file", "bytes", "samples", "url", "attachment"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VoiceMemo(Record):
    """A voice memo: audio bytes with the facts about them, or a URL or an attachment id that stands for them.

    Load one with ``from_file``, ``from_bytes``, ``from_samples``, ``from_url`` or ``from_attachment``.
    ``duration_ms`` is in milliseconds, ``sample_rate`` in Hz, ``size_bytes`` in bytes; unknown values are None.
    """

    source: MemoSource
    data: bytes | None = field(default=None, compare=False)
    path: Path | None = None
    url: str | None = None
    attachment_id: str | None = None
    filename: str | None = None
    mime_type: str | None = None
    declared_type: str | None = None
    size_bytes: int | None = None
    duration_ms: int | None = None
    sha256: str | None = None
    origin_sha256: str | None = None
    format: str | None = None
    codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    title: str | None = None
    artist: str | None = None

    @classmethod
    def load(cls, text: str, *, folder: str | os.PathLike[str] = "", convert: bool = False) -> VoiceMemo:
        """Make the memo that a text stands for: an https URL, an attachment id (a uuid), else a path.

        A relative path starts at ``folder``; ``convert`` is for files. Raises AudioError.
        """
        plain = visual_key(text)  # text of a table may begin or end with characters that cannot be seen
        kind = source_of(plain)
        if kind == "url":
            return cls.from_url(text if source_of(text) == "url" else plain)
        if kind == "attachment":
            return cls.from_attachment(plain)
        return cls.from_file(Path(folder) / expanded(text), convert=convert)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, mime_type: str | None = None, convert: bool = False
    ) -> VoiceMemo:
        """Load a memo from a file; its format comes from its content, never from its name.

        Where no file has this name, a file whose name looks the same is loaded, as macOS may have written it.

        ``mime_type`` is a type that you declare, to be checked against the content.
        ``convert=True`` makes an M4A of what Linq does not take: another format, or more than 10 MB; and of what
        players play differently (needs ``linq_nb[audio]``).
        Raises AudioError when the file cannot be read or is not audio that Linq takes.

        >>> memo = linq_nb.VoiceMemo.from_file(linq_nb.demo.sample("hello.m4a"))
        >>> memo.format, memo.mime_type
        ('m4a', 'audio/x-m4a')
        """
        file = same_looking(expanded(path))
        memo = cls._load(read_file(file), file.name, "file", mime_type=mime_type, convert=convert)
        return dataclasses.replace(memo, path=file.absolute())

    @classmethod
    def from_bytes(
        cls, data: bytes, filename: str | None = None, *, mime_type: str | None = None, convert: bool = False
    ) -> VoiceMemo:
        """Load a memo from audio bytes; the file name is what the recipient of an SMS or RCS sees.

        Raises AudioError when the bytes are not audio that Linq takes.
        """
        return cls._load(bytes(data), filename, "bytes", mime_type=mime_type, convert=convert)

    @classmethod
    def from_samples(cls, samples: Any, rate: int, filename: str = "memo.wav") -> VoiceMemo:
        """Make a 16-bit WAV memo of samples, one row a frame, at ``rate`` Hz; floats run from -1 to 1.

        Raises AudioError for a shape, a rate or values that are no audio.

        >>> linq_nb.VoiceMemo.from_samples([0.0, 0.5, -0.5] * 8000, rate=8000).duration_ms
        3000
        """
        return cls._load(audio.wav_from_samples(samples, rate), filename, "samples")

    @classmethod
    def from_url(cls, url: str) -> VoiceMemo:
        """Stand for audio at a public https URL, which Linq downloads on each send; nothing is fetched here.

        ``outbox.fetch(memo)`` downloads it to hear and check it. Another spelling of the URL, or another signature of
        a known storage service, is the same memo; what else may be a signature stops a send (``url_may_repeat``).
        Raises AudioError when it is not a URL.
        """
        parts = split_url(url)
        filename = writable(unquote(parts.path.rsplit("/", 1)[-1])) or None
        form = audio.extension_format(filename) if filename else None
        mime = audio.FORMATS[form].mime_type if form else None
        return cls(source="url", url=HiddenUrl(url), filename=filename, format=form, mime_type=mime)

    @classmethod
    def from_attachment(cls, attachment_id: str) -> VoiceMemo:
        """Stand for audio that was uploaded before with ``POST /v3/attachments``.

        Raises AudioError when the id is not a uuid.
        """
        if not is_uuid(attachment_id):
            raise AudioError(
                f"{attachment_id!r} is not an attachment id (a uuid); nothing was sent; from_file loads a file"
            )
        return cls(source="attachment", attachment_id=attachment_id.lower())

    @classmethod
    def _load(
        cls,
        data: bytes,
        filename: str | None,
        source: MemoSource,
        *,
        mime_type: str | None = None,
        convert: bool = False,
    ) -> VoiceMemo:
        origin = None
        if convert and _needs_conversion(data):
            origin, data = hashlib.sha256(data).hexdigest(), audio.convert(data)
            filename = f"{Path(filename).stem}.m4a" if filename else None
        info = audio.probe(data)
        facts = dataclasses.asdict(info)
        extension, duration_ms = facts.pop("extension"), facts.pop("duration_ms")
        return cls(
            source=source,
            data=data,
            filename=writable(filename) if filename else f"memo{extension}",
            declared_type=mime_type,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            origin_sha256=origin,
            duration_ms=duration_ms if duration_ms <= MAX_DURATION_MS else None,
            **facts,
        )

    def fetched(self, data: bytes, filename: str | None = None) -> VoiceMemo:
        """Return this URL memo with the bytes that the URL gave; it is still sent by its URL.

        Raises AudioError when the bytes are not audio that Linq takes.
        """
        loaded = self._load(data, filename or self.filename, "bytes")
        return dataclasses.replace(loaded, source=self.source, url=self.url, filename=filename or self.filename)

    def convert(self, *, max_bytes: int = audio.MAX_MEMO_BYTES) -> VoiceMemo:
        """Return the same audio as an M4A (AAC, mono) of at most ``max_bytes``; it counts as the same memo as this one.

        The bit rate is chosen so that it fits: 64 kbit/s at most, 24 kbit/s at least, which is 50 minutes in Linq's
        10 MB. Raises AudioError without the ``audio`` extra, when there are no bytes to convert, or when it cannot fit.
        """
        if self.data is None:
            raise AudioError("there are no bytes to convert; nothing was sent; outbox.fetch(memo) downloads a URL memo")
        name = f"{Path(self.filename or 'memo').stem}.m4a"
        converted = self._load(audio.convert(self.data, max_bytes), name, "bytes")
        return dataclasses.replace(converted, origin_sha256=self.origin_sha256 or self.sha256, title=self.title)

    def peaks(self, n: int = 100) -> list[float] | None:
        """Return ``n`` loudness peaks from 0 to 1, or None without bytes or without a decoder for them.

        Of a very long memo they are those of its beginning: about 30 minutes are decoded.
        """
        return audio.peaks(self.data, n) if self.data is not None else None

    def unchanged(self) -> None:
        """Check that the file still holds the bytes that were loaded; raises AudioError when it does not."""
        if self.path is None:
            return
        if hashlib.sha256(read_file(self.path)).hexdigest() != (self.origin_sha256 or self.sha256):
            raise AudioError(f"{self.path.name} changed since it was loaded; nothing was sent; load it again")

    @property
    def content(self) -> str:
        """Name of the audio, for the send key: its sha256 where known, else its URL or attachment id."""
        digest = self.origin_sha256 or self.sha256
        return f"sha256:{digest}" if digest else self.names[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of this content; any of them counts as the same memo."""
        names = [f"sha256:{digest}" for digest in (self.origin_sha256, self.sha256) if digest]
        names += [url.name] if (url := url_names_of(self)) else []
        names += [f"attachment:{self.attachment_id}"] if self.attachment_id else []
        return tuple(dict.fromkeys(names))

    @property
    def label(self) -> str:
        """A short name for messages: the file name, else host and path of the URL, else the attachment id."""
        return self.filename or (plain_url(self.url) if self.url else None) or f"attachment {self.attachment_id}"


def _needs_conversion(data: bytes) -> bool:
    """Whether a conversion helps: Linq does not take the audio as it is, or players play it differently."""
    try:
        return len(data) > audio.MAX_MEMO_BYTES or bool(audio.player_doubts(data))
    except AudioError:
        return True


def url_names_of(memo: VoiceMemo) -> UrlNames | None:
    """Return the names of a memo's URL, None without a URL."""
    return url_names(memo.url) if memo.url else None
