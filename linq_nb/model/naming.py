"""What a text names (a URL, an attachment or a path), and the names by which content and sends are known again."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from linq_nb.text import plain_url

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SIGNATURE = re.compile(
    r"(?i)(x-amz-.*|x-goog-.*|x-oss-.*|q-.*|awsaccesskeyid|googleaccessid|ossaccesskeyid|key-pair-id|policy"
    r"|signature|sig|s[vpretsk]|sr|st|spr|ske|skoid|sktid|skt|sks|skv|expires|exp|hmac|hdnts|token|auth)"
).fullmatch
"""Query parameters that sign a URL and change each time it is signed (S3, GCS, CloudFront, Azure, OSS, COS)."""


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
    """Name a URL for comparison: its signature is dropped, the rest of its query is kept as a hash."""
    query = [(k, v) for k, v in parse_qsl(urlsplit(url).query, keep_blank_values=True) if not _SIGNATURE(k)]
    if not query:
        return plain_url(url)
    return f"{plain_url(url)}#{hashlib.sha256(repr(query).encode()).hexdigest()[:16]}"
