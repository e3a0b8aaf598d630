"""The API's rules for what a client may send, each a small function that raises `Refusal`."""

import ipaddress
import json
import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from .wire import Json, Refusal, Request

MEMO_MAX_BYTES = 10_000_000
UPLOAD_MAX_BYTES = 104_857_600
BODY_MAX_BYTES = 1_000_000

#: What `POST /v3/attachments` takes of audio today (SDK, SupportedContentType), and what it is delivered as.
AUDIO_TYPES = {
    "audio/mpeg": "audio/mpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-m4a": "audio/x-m4a",
    "audio/mp4": "audio/x-m4a",
    "audio/x-caf": "audio/x-caf",
    "audio/x-wav": "audio/x-wav",
    "audio/x-aiff": "audio/x-aiff",
    "audio/aiff": "audio/x-aiff",
    "audio/aac": "audio/aac",
    "audio/midi": "audio/midi",
    "audio/amr": "audio/amr",
}
_OFFICE = "vnd.openxmlformats-officedocument."
_KINDS = {
    "image": ("jpeg", "png", "gif", "heic", "heif", "tiff", "bmp", "svg+xml", "webp", "x-icon"),
    "video": ("mp4", "quicktime", "mpeg", "mpeg2", "x-m4v", "x-msvideo", "3gpp"),
    "text": ("plain", "markdown", "vcard", "rtf", "csv", "html", "calendar", "xml"),
    "application": (
        *("pdf", "vnd.apple.pkpass", "msword", "vnd.ms-excel", "vnd.ms-powerpoint"),
        *(_OFFICE + kind for kind in ("wordprocessingml.document", "spreadsheetml.sheet")),
        _OFFICE + "presentationml.presentation",
        *("x-iwork-pages-sffpages", "x-iwork-numbers-sffnumbers", "x-iwork-keynote-sffkey"),
        *("epub+zip", "json", "zip", "x-gzip"),
    ),
}
OTHER_TYPES = frozenset(f"{family}/{kind}" for family, kinds in _KINDS.items() for kind in kinds)
#: The voice memo list (linq docs, voice memo formats) by file extension.
AUDIO_EXTENSIONS = {
    "mp3": "audio/mpeg",
    "m4a": "audio/x-m4a",
    "mp4": "audio/x-m4a",
    "aac": "audio/aac",
    "caf": "audio/x-caf",
    "wav": "audio/x-wav",
    "aif": "audio/x-aiff",
    "aiff": "audio/x-aiff",
    "amr": "audio/amr",
}
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def bearer(request: Request, api_key: str) -> None:
    """Refuse a request without the account's token (401/2004)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token.strip() != api_key:
        raise Refusal(401, 2004, "The API token is missing or not valid.")


def uuid_text(value: str, name: str) -> str:
    """Refuse a text that is not a uuid (400/1005)."""
    try:
        if len(value) == 36:
            return str(uuid.UUID(value))
    except ValueError:
        pass
    raise Refusal(400, 1005, f"{name} must be a uuid.")


def json_body(request: Request) -> Json:
    """Read a JSON object; refuse another content type or a malformed body (400/1003)."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(400, 1003, "The content type must be application/json.")
    if len(request.body) > BODY_MAX_BYTES:
        raise Refusal(400, 1003, "The body is too long.")
    try:
        data = json.loads(request.body)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be written back
    except (ValueError, RecursionError):
        raise Refusal(400, 1003, "The body is not valid JSON.") from None
    if not isinstance(data, dict):
        raise Refusal(400, 1003, "The body must be a JSON object.")
    return data


def fields(data: Json, required: Mapping[str, type], optional: Mapping[str, type]) -> None:
    """Refuse missing fields (400/1001), unknown ones and wrong types (400/1005).

    Linq may ignore unknown fields; the demo does not, so that a wrong name is found.
    """
    for name in required:
        if name not in data:
            raise Refusal(400, 1001, f"{name} is required.")
    allowed = {**required, **optional}
    for name, value in data.items():
        if name not in allowed:
            raise Refusal(400, 1005, f"{name} is not a field of this request.")
        if type(value) is not allowed[name]:
            raise Refusal(400, 1005, f"{name} must be of type {allowed[name].__name__}.")


def e164(value: str, name: str) -> str:
    """Refuse a number that is not E.164 (400/1002)."""
    if not _E164.fullmatch(value):
        raise Refusal(400, 1002, f"{name} must be a phone number in E.164 form, such as +12025550111.")
    return value


def address(value: str, name: str) -> str:
    """Refuse a handle that is neither E.164 (400/1002) nor an email address."""
    return value.lower() if _EMAIL.fullmatch(value) else e164(value, name)


def page(query: Mapping[str, str], items: list[Any], default_limit: int) -> tuple[list[Any], str | None]:
    """Give a page of a list, and the cursor of the next one if there is more.

    Refuses a limit outside 1..100 or a foreign cursor (400/1005).
    """
    limit = query.get("limit", str(default_limit))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= 100:
        raise Refusal(400, 1005, "limit must be a number from 1 to 100.")
    begin = _offset(query["cursor"]) if query.get("cursor") else 0
    end = begin + int(limit)
    return items[begin:end], urlsafe_b64encode(f"o:{end}".encode()).decode() if end < len(items) else None


def _offset(text: str) -> int:
    try:
        mark, _, number = urlsafe_b64decode(text.encode()).decode().partition(":")
        if mark == "o" and number.isascii() and number.isdigit():
            return int(number)
    except ValueError:
        pass
    raise Refusal(400, 1005, "cursor is not one that this API gave.")


def public_https(value: str, name: str) -> str:
    """Refuse a URL that is not https, names a private host or carries credentials (400/1005)."""
    try:
        parts = urlsplit(value)
        host, well_formed = parts.hostname or "", parts.port is None or parts.port > 0
    except ValueError:
        raise Refusal(400, 1005, f"{name} is not a valid URL.") from None
    if parts.scheme != "https" or not host or len(value) > 2048 or not well_formed:
        raise Refusal(400, 1005, f"{name} must be an https URL.")
    if parts.username is not None or parts.password is not None:
        raise Refusal(400, 1005, f"{name} must not contain credentials.")
    if _is_private(host):
        raise Refusal(400, 1005, f"{name} must be publicly reachable.")
    return value


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host


def upload(filename: str, content_type: str, size_bytes: int) -> None:
    """Refuse a file that `POST /v3/attachments` does not take."""
    if not 1 <= len(filename) <= 255:
        raise Refusal(400, 1005, "filename must have 1 to 255 characters.")
    if content_type not in AUDIO_TYPES and content_type not in OTHER_TYPES:
        raise Refusal(400, 5004, f"The file type {content_type} is not supported.")
    if size_bytes < 1:
        raise Refusal(400, 1005, "size_bytes must be at least 1.")
    if size_bytes > UPLOAD_MAX_BYTES:
        raise Refusal(400, 5005, "The file is too large; the limit is 100MB.")


def too_soon(text: str, now: datetime, until: datetime) -> Refusal:
    """Give the refusal of a request that may be made again at a time (429/1007)."""
    return Refusal(429, 1007, text, retry_after=ceil((until - now).total_seconds()))


def memo_size(size_bytes: int) -> None:
    """Refuse a memo above 10 MB (413/5001)."""
    if size_bytes > MEMO_MAX_BYTES:
        raise Refusal(413, 5001, "The voice memo is too large; the limit is 10MB.")


def memo_type(declared: str, actual: str | None, data_len: int) -> None:
    """Refuse a type that no memo has (400/5004), unknown bytes (422/1003), or bytes of another type (400/5006)."""
    canonical = AUDIO_TYPES.get(declared)
    if canonical is None or canonical == "audio/midi":
        raise Refusal(400, 5004, f"A voice memo cannot be of type {declared}.")
    if actual is None:
        raise Refusal(422, 1003, f"The file of {data_len} bytes cannot be read as audio.")
    if actual != canonical:
        raise Refusal(400, 5006, f"The file is {actual}, but was declared as {declared}.")


def delivered_type(declared: str) -> str:
    """Give the type in which Linq delivers a memo: CAF becomes MP4."""
    canonical = AUDIO_TYPES[declared]
    return "audio/mp4" if canonical == "audio/x-caf" else canonical
