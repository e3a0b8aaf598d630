"""The records that everything else reads and makes: frozen, flat, and free of IO but the loading of a memo.

Times are aware UTC and named ``*_at``; lengths say their unit; handles are E.164 or an email address.
"""

from __future__ import annotations

import dataclasses
import hashlib
import operator
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from linq_nb import audio, status, views
from linq_nb.errors import AudioError
from linq_nb.text import plain_url, writable

MAX_MEMO_BYTES = 10_000_000
"""Linq's cap on a voice memo is written "10MB" (error 413/5001); we take the smaller reading."""

MAX_FILENAME = 255
"""Longest file name that ``POST /v3/attachments`` takes, in characters."""

MemoSource = Literal["file", "bytes", "samples", "url", "attachment"]

_SIGNS = re.compile(
    r"(?i)(x-amz-.*|x-goog-.*|x-oss-.*|q-.*|awsaccesskeyid|googleaccessid|ossaccesskeyid|key-pair-id|policy"
    r"|signature|sig|s[vpretsk]|sr|st|spr|ske|skoid|sktid|skt|sks|skv|expires|exp|hmac|hdnts|token|auth)"
).fullmatch
"""Query parameters that sign a URL and change each time it is signed (S3, GCS, CloudFront, Azure, OSS, COS)."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class _Shown:
    """Rich display: every record says the same in HTML and in text."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return views.bundle(self)

    def __repr__(self) -> str:
        return views.line(self)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VoiceMemo(_Shown):
    """A voice memo: audio bytes with what is known of them, or a URL or an attachment id that stands for them.

    Load one with ``from_file``, ``from_bytes``, ``from_samples``, ``from_url`` or ``from_attachment``.
    ``duration_ms`` is in milliseconds, ``sample_rate`` in Hz, ``size_bytes`` in bytes; what is not known is None.
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
        kind = source_of(text)
        if kind == "url":
            return cls.from_url(text)
        if kind == "attachment":
            return cls.from_attachment(text)
        return cls.from_file(Path(folder) / _expanded(text), convert=convert)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, mime_type: str | None = None, convert: bool = False
    ) -> VoiceMemo:
        """Load a memo from a file; its format comes from its content, never from its name.

        ``mime_type`` is a type that you declare, to be checked against the content.
        ``convert=True`` makes an M4A of audio that Linq does not take (needs ``linq_nb[audio]``).
        Raises AudioError when the file cannot be read or is not audio that Linq takes.
        """
        file = _expanded(path)
        memo = cls._load(_read(file), file.name, "file", mime_type=mime_type, convert=convert)
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

        Raises AudioError for a shape, a rate or a value that is no audio.
        """
        return cls._load(audio.wav_from_samples(samples, rate), filename, "samples")

    @classmethod
    def from_url(cls, url: str) -> VoiceMemo:
        """Stand for audio at a public https URL, which Linq downloads on each send; nothing is fetched here.

        ``outbox.fetch(memo)`` downloads it to hear and check it. Raises AudioError when it is not a URL.
        """
        parts = _split_url(url)
        filename = writable(unquote(parts.path.rsplit("/", 1)[-1])) or None
        form = audio.extension_format(filename) if filename else None
        mime = audio.FORMATS[form].mime_type if form else None
        return cls(source="url", url=url, filename=filename, format=form, mime_type=mime)

    @classmethod
    def from_attachment(cls, attachment_id: str) -> VoiceMemo:
        """Stand for audio that was uploaded before with ``POST /v3/attachments``.

        Raises AudioError when the id is not a uuid.
        """
        if not is_uuid(attachment_id):
            raise AudioError(f"{attachment_id!r} is not an attachment id (a uuid); nothing was sent")
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
        try:
            info = audio.probe(data)
        except AudioError:
            if not convert:
                raise
            origin, data = hashlib.sha256(data).hexdigest(), audio.convert(data)
            info = audio.probe(data)
            filename = f"{Path(filename).stem}{info.extension}" if filename else None
        return cls(
            source=source,
            data=data,
            filename=writable(filename) if filename else f"memo{info.extension}",
            mime_type=info.mime_type,
            declared_type=mime_type,
            size_bytes=len(data),
            duration_ms=info.duration_ms,
            sha256=hashlib.sha256(data).hexdigest(),
            origin_sha256=origin,
            format=info.format,
            codec=info.codec,
            sample_rate=info.sample_rate,
            channels=info.channels,
            title=info.title,
            artist=info.artist,
        )

    def fetched(self, data: bytes, filename: str | None = None) -> VoiceMemo:
        """Return this URL memo with the bytes that the URL gave; it is still sent by its URL.

        Raises AudioError when the bytes are not audio that Linq takes.
        """
        loaded = self._load(data, filename or self.filename, "bytes")
        return dataclasses.replace(loaded, source=self.source, url=self.url, filename=filename or self.filename)

    def convert(self) -> VoiceMemo:
        """Return the same audio as an M4A (AAC, mono); it counts as the same memo as this one.

        Raises AudioError without the ``audio`` extra, or when there are no bytes to convert.
        """
        if self.data is None:
            raise AudioError("there are no bytes to convert; outbox.fetch(memo) downloads a URL memo first")
        name = f"{Path(self.filename or 'memo').stem}.m4a"
        made = self._load(audio.convert(self.data), name, "bytes")
        return dataclasses.replace(made, origin_sha256=self.origin_sha256 or self.sha256, title=self.title)

    def peaks(self, n: int = 100) -> list[float] | None:
        """Return ``n`` loudness peaks from 0 to 1, or None without bytes or without the part that decodes them."""
        return audio.peaks(self.data, n) if self.data is not None else None

    def unchanged(self) -> None:
        """Check that the file still holds the bytes that were loaded; raises AudioError when it does not."""
        if self.path is None:
            return
        if hashlib.sha256(_read(self.path)).hexdigest() != (self.origin_sha256 or self.sha256):
            raise AudioError(f"{self.path.name} changed since it was loaded; nothing was sent; load it again")

    @property
    def content(self) -> str:
        """The name of what is heard, for the send key: a sha256 where known, else the URL or attachment id."""
        digest = self.origin_sha256 or self.sha256
        return f"sha256:{digest}" if digest else self.names[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that stands for this content; any of them counts as the same memo."""
        found = [f"sha256:{digest}" for digest in (self.origin_sha256, self.sha256) if digest]
        found += [f"url:{url_name(self.url)}"] if self.url else []
        found += [f"attachment:{self.attachment_id}"] if self.attachment_id else []
        return tuple(dict.fromkeys(found))

    @property
    def label(self) -> str:
        """A short name for messages: the file name, else host and path of the URL, else the attachment id."""
        return self.filename or (plain_url(self.url) if self.url else None) or f"attachment {self.attachment_id}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Handle(_Shown):
    """One person (or one of your lines, ``is_me``) in a chat."""

    handle: str
    handle_id: str | None = None
    is_me: bool | None = None
    service: str | None = None
    status: str | None = None
    line_type: str | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chat(_Shown):
    """A chat that you can send to. ``service`` is the chat's, not each message's."""

    chat_id: str
    chat_name: str | None = None
    is_group: bool | None = None
    service: str | None = None
    health_status: str | None = None
    is_active: bool | None = None
    is_archived: bool | None = None
    handles: tuple[Handle, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def id(self) -> str:
        return self.chat_id

    @property
    def line(self) -> str | None:
        """Your line in this chat, in E.164."""
        return next((h.handle for h in self.handles if h.is_me), None)

    @property
    def others(self) -> tuple[Handle, ...]:
        """The people in this chat who are not you and have not left."""
        return tuple(h for h in self.handles if not h.is_me and h.status not in ("left", "removed"))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Line(_Shown):
    """One of your phone lines."""

    line_id: str | None = None
    phone_number: str
    reputation: str | None = None
    line_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Capability(_Shown):
    """Whether an address can be reached by a service; ``available`` None means that Linq could not tell."""

    address: str
    service: str
    available: bool | None
    reason: str | None = None
    selected_service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An uploaded (or announced) file; ``upload_url`` is a secret for 15 minutes and stays out of the repr."""

    attachment_id: str
    filename: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    duration_ms: int | None = None
    status: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    upload_url: str | None = field(default=None, repr=False)
    download_url: str | None = field(default=None, repr=False)
    required_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    http_method: str = "PUT"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message(_Shown):
    """A message as Linq's reads give it: its delivery status and the files it carries.

    ``parts`` counts all its parts, files or not; None when not all can be read.
    """

    message_id: str
    chat_id: str | None = None
    is_from_me: bool | None = None
    delivery_status: str | None = None
    service: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    reconciled_at: datetime | None = None
    media: tuple[Attachment, ...] = ()
    parts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A webhook subscription; ``signing_secret`` comes once, at creation, and stays out of the repr."""

    subscription_id: str
    target_url: str
    subscribed_events: tuple[str, ...] = ()
    is_active: bool | None = None
    phone_numbers: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    signing_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Finding(_Shown):
    """What a check found: an ``error`` stops the send, a ``warning`` and an ``info`` are shown."""

    level: Literal["error", "warning", "info"]
    code: str
    message: str


class Findings(list[Finding]):
    """Findings as a list that a notebook shows as a table; an empty one says that nothing was found."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return views.findings(self)._repr_mimebundle_()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Draft(_Shown):
    """One memo for one chat; ``copy`` is absolute, so asking for copy 2 twice sends it once."""

    memo: VoiceMemo
    chat: Chat | str
    copy: int = 1
    override_optout: str | None = None

    @property
    def chat_id(self) -> str:
        """The chat's id in its one spelling, since the send key is made of it."""
        return (self.chat.chat_id if isinstance(self.chat, Chat) else self.chat).lower()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BadDraft(_Shown):
    """A row of a table that could not even become a draft; ``chat`` and ``audio`` as they were written."""

    chat: str
    audio: str
    why: str


Verdict = Literal["send", "already_sent", "unclear", "duplicate", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlanRow(_Shown):
    """One row of a plan and what will happen to it.

    ``verdict``: send; already_sent (by the journal); unclear (sent before without a clear answer: it will be
    looked for, not sent); duplicate (the same memo, chat and copy stands further up); refused (``why``).
    """

    row: int
    draft: Draft | BadDraft
    verdict: Verdict
    why: str = ""
    findings: tuple[Finding, ...] = ()
    wanted: Send | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(_Shown):
    """A table of drafts, validated; nothing was sent. ``fingerprint`` names exactly what would be sent."""

    rows: tuple[PlanRow, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict."""
        return {one: sum(row.verdict == one for row in self.rows) for one in get_args(Verdict)}

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event(_Shown):
    """One observation of a send: what an answer, a poll, a webhook or a person said, and when.

    ``source`` is post, upload, chat, poll, webhook, reconcile or resolve; ``body`` is the raw answer without
    tokens and signed URLs. A webhook has an ``event_id`` and an ``event_type`` too, and an empty ``send_id`` as
    long as it belongs to no send that the journal knows.
    """

    send_id: str
    at: datetime
    source: str
    status: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    error_message: str | None = None
    doc_url: str | None = None
    trace_id: str | None = None
    message_id: str | None = None
    service: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    reconcile_result: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    chat_id: str | None = None
    body: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Send(_Shown):
    """One memo to one chat: at once the return value, the journal's row and the DataFrame's row.

    ``status`` is Linq's word (pending queued sent delivered read failed, or a new one), or ours where Linq
    cannot speak: preparing, sending, not_sent, rejected, unknown, expired.
    ``repeated`` is True when this send was asked for before and nothing was sent now (``repeated_at``); neither
    is stored.
    """

    send_id: str
    base_url: str
    content: str
    copy: int = 1
    chat_id: str
    chat_name: str | None = None
    is_group: bool | None = None
    from_handle: str | None = None
    to_handles: tuple[str, ...] = ()
    memo_source: str = "file"
    voice_memo_url: str | None = None
    filename: str | None = None
    format: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    duration_ms: int | None = None
    sha256: str | None = None
    attachment_id: str | None = None
    message_id: str | None = None
    service: str | None = None
    status: str = "preparing"
    http_status: int | None = None
    error_code: int | None = None
    error_message: str | None = None
    doc_url: str | None = None
    trace_id: str | None = None
    attempts: int = 0
    created_at: datetime | None = None
    posted_at: datetime | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    checked_at: datetime | None = None
    reconcile_result: str | None = None
    override_optout: str | None = None
    repeated: bool = field(default=False, compare=False)
    repeated_at: datetime | None = field(default=None, compare=False)

    def but(self, **values: Any) -> Send:
        """Return this send with other values: ``dataclasses.replace`` in a third of its time, for each memo twice."""
        made = object.__new__(Send)
        for put, value in zip(_PUTS.values(), _VALUES(self), strict=True):
            put(made, value)
        for name, value in values.items():
            _PUTS[name](made, value)
        return made

    @property
    def accept_s(self) -> float | None:
        """Seconds from the POST to Linq's answer."""
        return _seconds(self.posted_at, self.accepted_at)

    @property
    def delivery_s(self) -> float | None:
        """Seconds from the POST to the delivery on the device."""
        return _seconds(self.posted_at, self.delivered_at)

    @property
    def read_s(self) -> float | None:
        """Seconds from the delivery to the read receipt."""
        return _seconds(self.delivered_at, self.read_at)

    @property
    def is_open(self) -> bool:
        """Whether Linq may report more of it."""
        return status.is_open(self.status, is_group=self.is_group, service=self.service)

    def observed(self, event: Event) -> Send:
        """Return this send with what ``event`` tells, by the rank rule.

        A status never goes back: pending < queued < sent < expired < failed < delivered < read. So a late
        ``sent`` does not undo ``delivered``, and ``failed`` may still become ``delivered`` (Linq documents it for
        4001). A word that Linq has newly made up is kept until a known one comes. The error stays as long as the
        status says that there is one; the history keeps all. Of several times for one step the earliest stands, of
        several failures the latest, so that events may come in any order.
        """
        word = status.later(self.status, _reported(event), _reached(self))
        found = {
            name: value
            for name in ("message_id", "service", "sent_at", "delivered_at", "read_at", "failed_at",
                         "trace_id", "reconcile_result")
            if (value := getattr(event, name)) is not None
        }  # fmt: skip
        known = {name: at for name in ("sent_at", "delivered_at", "read_at") if (at := getattr(self, name))}
        found |= {name: min(at, found[name]) for name, at in known.items() if name in found}
        is_older = bool(self.failed_at and event.failed_at and event.failed_at < self.failed_at)
        if is_older:
            found.pop("failed_at")
        if status.is_going_well(word):
            found |= {"error_code": None, "error_message": None, "doc_url": None}
        elif (event.error_code is not None or event.error_message is not None) and not is_older:
            found |= {name: getattr(event, name) for name in ("error_code", "error_message", "doc_url")}
        if self.trace_id is not None and event.source != "post":
            found.pop("trace_id", None)
        if self.service is not None and status.rank(word) > status.rank(event.status):
            found.pop("service", None)
        checked_at = max(event.at, self.checked_at or event.at)
        return self.but(status=word, checked_at=checked_at, **found)


_PUTS: dict[str, Any] = {one.name: getattr(Send, one.name).__set__ for one in dataclasses.fields(Send)}
_VALUES = operator.attrgetter(*_PUTS)


def send_id(base_url: str, chat_id: str, content: str, copy: int) -> str:
    """Name the send of ``content`` to a chat: the same question has the same id on every machine."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join((base_url, chat_id, content, str(copy)))))


def source_of(text: str) -> Literal["url", "attachment", "file"]:
    """Say what a text names: a scheme (``https://``) makes a URL, a uuid an attachment, all else is a path."""
    if _SCHEME.match(text):
        return "url"
    return "attachment" if is_uuid(text) else "file"


def is_uuid(text: object) -> bool:
    """Whether this is a uuid in its usual form with hyphens."""
    if not isinstance(text, str) or len(text) != 36:
        return False
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def url_name(url: str) -> str:
    """Name a URL for comparison: what signs it is dropped, what else its query says is kept as a hash."""
    query = [(k, v) for k, v in parse_qsl(urlsplit(url).query, keep_blank_values=True) if not _SIGNS(k)]
    if not query:
        return plain_url(url)
    return f"{plain_url(url)}#{hashlib.sha256(repr(query).encode()).hexdigest()[:16]}"


def _reached(send: Send) -> tuple[str, ...]:
    """Return the statuses that the times of a send prove."""
    return tuple(word for word in ("sent", "failed", "delivered", "read") if getattr(send, f"{word}_at") is not None)


def _reported(event: Event) -> str | None:
    """Read the status that an event reports, its times being evidence too: ``delivered_at`` outranks ``sent``."""
    word = None if event.status == "received" else event.status
    if event.read_at and (word is None or status.rank(word)):
        return "read"
    if event.delivered_at and word in (None, "pending", "queued", "sent"):
        return "delivered"
    if event.sent_at and word in (None, "pending", "queued"):
        return "sent"
    return word


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _split_url(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise AudioError("this is not a URL; give an https URL of an audio file; nothing was sent") from None
    if not parts.scheme or not parts.hostname or any(c.isspace() for c in url) or url != writable(url):
        raise AudioError("this is not a URL; give an https URL of an audio file; nothing was sent")
    return parts


def _expanded(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise AudioError("the path begins with the home of a user who is not known; nothing was sent") from None


def _read(file: Path) -> bytes:
    """Read a file of at most what an upload takes (100 MiB), or say in one line why not.

    What is said names no folder of this machine: a relative path as it was given, else the name alone.
    """
    limit, shown = 104_857_600, file.name if file.is_absolute() else os.fspath(file)
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            raise AudioError(f"{shown!r} is a device or a pipe, not an audio file; nothing was sent")
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError:
        here = " at that path" if file.is_absolute() else f", seen from the folder {Path.cwd().name!r}"
        raise AudioError(f"there is no file {shown!r}{here}; nothing was sent") from None
    except IsADirectoryError:
        raise AudioError(f"{shown!r} is a folder, not an audio file; nothing was sent") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not one"
        raise AudioError(f"cannot read {shown!r}: {why}; nothing was sent") from None
    if len(data) > limit:
        raise AudioError(f"{file.name!r} is larger than 100 MiB; Linq takes memos up to 10 MB; shorten it")
    return data
