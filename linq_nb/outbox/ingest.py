"""Webhooks into the journal: one delivery, or many that were stored elsewhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from linq_nb import storable, views, webhooks
from linq_nb.errors import SettingsError, WebhookError
from linq_nb.model import Event
from linq_nb.secret import HiddenText, Secret
from linq_nb.session import Session
from linq_nb.settings import ENVIRON

SECRET_VARIABLE = "LINQ_WEBHOOK_SECRET"
"""The name that the official SDKs read too; several secrets are separated by spaces."""

MAX_BODY_BYTES = 1_000_000
"""Longest body of a webhook: an event, which has no files in it, has some thousand bytes."""

CHUNK = 500
"""Stored events that are written in one transaction."""

COUNTS = ("new", "not_ours", "repeated", "refused", "unreadable")
_SUFFIXES = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True, repr=False)
class IngestCounts:
    """Counts of stored deliveries by result; each is counted once.

    ``new``: written, about a send of this journal; ``not_ours``: written, about no send of this journal (yet);
    ``repeated``: in the journal before; ``refused``: the signature does not fit; ``unreadable``: not a webhook.
    ``first_trouble`` is the error of the first that was refused or unreadable.
    """

    new: int = 0
    not_ours: int = 0
    repeated: int = 0
    refused: int = 0
    unreadable: int = 0
    first_trouble: str | None = None

    @property
    def total(self) -> int:
        return sum(getattr(self, name) for name in COUNTS)

    def _summary(self) -> Any:
        rows = [(name.replace("_", " "), str(getattr(self, name))) for name in COUNTS]
        first = [("first", self.first_trouble)] if self.first_trouble else []
        return views.summary(f"{self.total} webhooks", rows + first)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self._summary()._repr_mimebundle_()

    def __repr__(self) -> str:
        return repr(self._summary())


def ingest(
    session: Session, body: bytes | str, headers: Any, secret: webhooks.Secrets | None, scheme: webhooks.Scheme
) -> Event:
    """Verify one delivery and write it into the journal; returns the event with the id of its send."""
    event = webhooks.verify(body, headers, secrets_of(secret), scheme=scheme, now=session.now())
    ingested = session.journal.ingest(event)[0]
    session.optouts.forget()
    return ingested.event


def secrets_of(secret: webhooks.Secrets | None, environ: Mapping[str, str] = ENVIRON) -> webhooks.Secrets:
    """Return the signing secrets: the argument, else the environment's. Raises SettingsError without any."""
    if secret is not None:
        return secret
    secrets = secrets_in(HiddenText(environ.get(SECRET_VARIABLE, "")))
    if not secrets:
        raise SettingsError(
            "no webhook secret, so no webhook can be verified; nothing was read; pass secret=, or set "
            f"{SECRET_VARIABLE}; %linq_webhooks --create gives one"
        )
    return secrets


def secrets_in(text: str) -> list[Secret]:
    """Return the signing secrets in a text, which are separated by spaces, commas or lines."""
    return [Secret(word) for word in text.replace(",", " ").split()]


def ingest_stored(
    session: Session, source: Any, secret: webhooks.Secrets | None, column: str | None, scheme: webhooks.Scheme
) -> IngestCounts:
    """Write stored deliveries into the journal; invalid deliveries are counted and skipped."""
    counts: Counter[str] = Counter()
    troubles: list[str] = []

    def valid() -> Iterator[Event]:
        for item in _items(source, column):
            try:
                yield _event(item, secret, scheme, session)
            except WebhookError as error:
                counts[refusal(error)] += 1
                troubles[:] = troubles or [str(error)]

    events = valid()
    while chunk := list(islice(events, CHUNK)):
        counts.update(ingested.result for ingested in session.journal.ingest(*chunk))
    session.optouts.forget()
    return IngestCounts(**counts, first_trouble=troubles[0] if troubles else None)


def refusal(error: WebhookError) -> str:
    """Return under which of the counts a delivery falls that was not written."""
    return "unreadable" if error.reason == "body" else "refused"


def _event(item: Any, secret: webhooks.Secrets | None, scheme: webhooks.Scheme, session: Session) -> Event:
    """Read a stored delivery: a payload, or an envelope of headers and body that a secret can verify."""
    item = _parsed(item)
    is_envelope = "body" in item and "event_type" not in item
    body = item["body"] if is_envelope else item
    if secret is None:
        return webhooks.parse(body, at=session.now())
    if not is_envelope:
        raise WebhookError("a stored webhook has no headers, so it cannot be verified; it was skipped")
    headers = item.get("headers")
    headers = _parsed(headers) if isinstance(headers, str | bytes) else headers or {}
    return webhooks.verify(body, headers, secret, scheme=scheme, max_age_s=None)


def _parsed(item: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, JSON text as a mapping; raises WebhookError for anything else."""
    if isinstance(item, Mapping):
        return item
    if isinstance(item, str | bytes):
        if len(item) > 4 * MAX_BODY_BYTES:  # JSON within JSON grows
            raise _unreadable("too long")
        try:
            value = storable.loads(item)
        except ValueError:
            raise _unreadable("not JSON") from None
        if isinstance(value, dict):
            return value
    raise _unreadable("not a JSON object")


def _unreadable(why: str) -> WebhookError:
    return WebhookError(f"a stored webhook cannot be read ({why}); it was skipped", reason="body")


# --- where they are stored ------------------------------------------------------------------------------------


def _items(source: Any, column: str | None) -> Iterable[Any]:
    """Yield the stored deliveries of a source; raises SettingsError for an unknown kind of source."""
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source).expanduser())
    if hasattr(source, "columns") and hasattr(source, "to_dict"):
        return _of_frame(source, column)
    if isinstance(source, Mapping):
        return [source]
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise SettingsError(
            "stored webhooks are a .jsonl file, a folder of .json files, a DataFrame or many payloads, "
            f"not of type {type(source).__name__}; nothing was read"
        )
    return source


def _of_frame(frame: Any, column: str | None) -> Iterable[Any]:
    names = [str(name) for name in frame.columns]
    if column is None and {"headers", "body"} <= set(names):
        pairs = zip(frame["headers"], frame["body"], strict=True)
        return [{"headers": headers, "body": body} for headers, body in pairs]
    if column in names or (column is None and len(names) == 1):
        return list(frame[column or names[0]])
    raise SettingsError(
        f"the frame has no column {column!r}; nothing was read; its columns: {', '.join(names)}"
        if column is not None
        else "name the frame's column with the payloads (column=), or give it two called headers and body; "
        "nothing was read"
    )


def _of_path(path: Path) -> Iterable[Any]:
    """Read a file with one delivery a line, a JSON file, or all such files below a folder, ordered by name."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        return (item for file in files for item in _of_file(file))
    if not path.is_file():
        raise SettingsError(f"there is no file or folder {path.name!r}; nothing was read")
    return _of_file(path)


def _of_file(file: Path) -> Iterator[Any]:
    """Yield the deliveries in a file."""
    try:
        if file.suffix == ".json":
            yield from _of_json(file.read_bytes())
            return
        with file.open("rb") as lines:
            yield from filter(bytes.strip, lines)
    except OSError as error:
        raise SettingsError(
            f"cannot read {file.name!r}: {error.strerror}; the deliveries before it were written"
        ) from None


def _of_json(data: bytes) -> list[Any]:
    """Read a JSON file: a list of deliveries, one delivery, or one a line under the wrong suffix."""
    try:
        value = storable.loads(data)
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        return lines if len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines) else [data]
    return value if isinstance(value, list) else [value]
