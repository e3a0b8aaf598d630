"""One HTTP answer of Linq's, or the lack of one."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from linq_nb.wire.fields import Raw, Unreadable, dict_of, int_of, is_number, text_of

MAX_ANSWER_BYTES = 10_000_000
"""More than this of an answer is not read: a page of 100 messages is well under 1 MB."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, the headers that matter, and its text; ``cut`` when more came than is read."""

    http_status: int
    text: str
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def is_success(self) -> bool:
        return 200 <= self.http_status < 300

    @property
    def trace_id(self) -> str | None:
        """The trace id, from the header that is on every answer, else from an error's body."""
        return self.headers.get("x-trace-id") or text_of(self.body, "trace_id")

    @property
    def body(self) -> Raw:
        """The JSON object of the answer, empty when there is none."""
        return {} if isinstance(self._parsed, str) else self._parsed

    @property
    def error(self) -> Raw:
        """The ``error`` object of the answer, empty when there is none."""
        return dict_of(self.body, "error")

    @property
    def code(self) -> int | None:
        return int_of(self.error, "code")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait: the Retry-After header (seconds or a date), else ``error.retry_after``."""
        header = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d+)?", header):
            return float(header)
        date = _http_date(header)
        if date:
            return max(0.0, (date - (self.server_time or self.at)).total_seconds())
        number = self.error.get("retry_after")
        return float(number) if is_number(number) and 0 <= number < 1e9 else None

    @property
    def server_time(self) -> datetime | None:
        """Linq's clock by the Date header, to know how far ours is off."""
        return _http_date(self.headers.get("date", ""))

    def json(self) -> Raw:
        """Return the answer's JSON object; raises Unreadable when it is none."""
        if isinstance(self._parsed, str):
            raise Unreadable(self._parsed)
        return self._parsed

    @functools.cached_property
    def _parsed(self) -> Raw | str:
        """The JSON object, or why there is none."""
        if self.cut:
            return f"it is larger than {MAX_ANSWER_BYTES // 1_000_000} MB"
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return _not_json(self.text) if self.text.strip() else "it is empty"
        return body if isinstance(body, dict) else f"it is a JSON {type(body).__name__}, not an object"


class NoAnswer(Exception):
    """A request that got no whole answer; ``left`` when all of it may have reached the server.

    ``begun`` is the answer as far as it came, None when not even its status did.
    """

    def __init__(self, why: str, *, left: bool, begun: Answer | None = None) -> None:
        super().__init__(why)
        self.left, self.begun = left, begun


def _not_json(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "it is HTML, not JSON"
    if start.startswith("<"):
        return "it is XML, not JSON"
    return "its JSON is cut off or broken" if start.startswith(("{", "[")) else "it is not JSON"


@functools.lru_cache(maxsize=16)
def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
