"""Webhooks into the journal: one delivery as it comes, or many that somebody else has kept."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linq_nb import views, webhooks
from linq_nb.errors import SettingsError, WebhookError
from linq_nb.model import Event
from linq_nb.secret import Secret

if TYPE_CHECKING:
    from linq_nb.journal import Journal
    from linq_nb.outbox.core import Outbox

SECRET_VARIABLE = "LINQ_WEBHOOK_SECRET"
"""The name that the official SDKs read too; several secrets are separated by spaces."""

MAX_BODY_BYTES = 1_000_000
"""A longer body is no webhook: an event without its files has some thousand bytes."""

CHUNK = 500
"""So many stored events are written down at once."""


@dataclass(frozen=True, slots=True, repr=False)
class Tally:
    """What became of stored deliveries; each is counted once.

    ``new``: written down, of a send of this journal; ``not_ours``: written down too, of no send that it knows (yet);
    ``repeated``: there before; ``refused``: the signature does not fit; ``unreadable``: no webhook at all.
    ``first_trouble`` tells the first of the last two.
    """

    new: int = 0
    not_ours: int = 0
    repeated: int = 0
    refused: int = 0
    unreadable: int = 0
    first_trouble: str | None = None

    @property
    def total(self) -> int:
        return self.new + self.not_ours + self.repeated + self.refused + self.unreadable

    def _rows(self) -> list[tuple[str, str]]:
        names = ("new", "not_ours", "repeated", "refused", "unreadable")
        rows = [(name.replace("_", " "), str(getattr(self, name))) for name in names]
        return rows + ([("first", self.first_trouble)] if self.first_trouble else [])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return views.summary(f"{self.total} webhooks", self._rows())._repr_mimebundle_()

    def __repr__(self) -> str:
        return repr(views.summary(f"{self.total} webhooks", self._rows()))


def ingest(
    outbox: Outbox, body: bytes | str, headers: Any, secret: webhooks.Secrets | None, scheme: webhooks.Scheme
) -> Event:
    """Verify one delivery and write it down; returns the event with the send that it tells of."""
    event = webhooks.verify(body, headers, secrets_of(secret), scheme=scheme, now=outbox.now())
    return outbox.journal.ingest(event)[0].event


def secrets_of(secret: webhooks.Secrets | None, environ: Mapping[str, str] = os.environ) -> webhooks.Secrets:
    """Return the signing secrets: the argument, else the environment's. Raises SettingsError without any."""
    if secret is not None:
        return secret
    found = [Secret(one) for one in environ.get(SECRET_VARIABLE, "").replace(",", " ").split()]
    if not found:
        raise SettingsError(
            "no webhook secret, so nothing can be verified and nothing was taken; pass secret=, or set "
            f"{SECRET_VARIABLE}; %linq_webhooks --create gives one"
        )
    return found


def ingest_stored(
    outbox: Outbox, source: Any, secret: webhooks.Secrets | None, column: str | None, scheme: webhooks.Scheme
) -> Tally:
    """Write stored deliveries down; a bad one is counted and never stops a good one."""
    counts: Counter[str] = Counter()
    troubles: list[str] = []

    def good() -> Iterator[Event]:
        for item in _items(source, column):
            try:
                yield _event(item, secret, scheme, outbox)
            except WebhookError as error:
                counts["unreadable" if error.reason == "body" else "refused"] += 1
                troubles[:] = troubles or [str(error)]

    events = good()
    while chunk := list(islice(events, CHUNK)):
        counts.update(_written(outbox.journal, chunk))
    return Tally(**counts, first_trouble=troubles[0] if troubles else None)


def _written(journal: Journal, chunk: list[Event]) -> list[str]:
    done = journal.ingest(*chunk)
    return ["repeated" if not one.is_new else "new" if one.is_ours else "not_ours" for one in done]


def _event(item: Any, secret: webhooks.Secrets | None, scheme: webhooks.Scheme, outbox: Outbox) -> Event:
    """Read one stored item: a payload, or an envelope of headers and body, which a secret verifies."""
    item = _parsed(item)
    is_envelope = "body" in item and "event_type" not in item
    body = item["body"] if is_envelope else item
    if secret is None:
        return webhooks.parse(body, at=outbox.now())
    if not is_envelope:
        raise WebhookError("a stored webhook has no headers, so it cannot be verified; it was passed over")
    headers = item.get("headers")
    headers = _parsed(headers) if isinstance(headers, str | bytes) else headers or {}
    return webhooks.verify(body, headers, secret, scheme=scheme, max_age_s=None)


def _parsed(item: Any) -> Mapping[str, Any]:
    """Return a mapping of one, or of JSON text; raises WebhookError for anything else."""
    if isinstance(item, Mapping):
        return item
    if isinstance(item, str | bytes):
        if len(item) > 4 * MAX_BODY_BYTES:  # JSON within JSON grows
            raise _unreadable("it is too long")
        try:
            found = json.loads(item)
        except (ValueError, RecursionError):
            raise _unreadable("it is no JSON") from None
        if isinstance(found, dict):
            return found
    raise _unreadable("it is no JSON object")


def _unreadable(why: str) -> WebhookError:
    return WebhookError(f"a stored webhook cannot be read ({why}); it was passed over", reason="body")


# --- where they are stored ------------------------------------------------------------------------------------


def _items(source: Any, column: str | None) -> Iterable[Any]:
    """Go through what is stored, one delivery after the other; raises SettingsError for what holds none."""
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source).expanduser())
    if hasattr(source, "columns") and hasattr(source, "to_dict"):
        return _of_frame(source, column)
    if isinstance(source, Mapping):
        return [source]
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise SettingsError(
            "stored webhooks are a .jsonl file, a folder of .json files, a DataFrame or many payloads, "
            f"not of type {type(source).__name__}; nothing was taken"
        )
    return source


def _of_frame(frame: Any, column: str | None) -> Iterable[Any]:
    names = [str(one) for one in frame.columns]
    if column is not None and column in names:
        return list(frame[column])
    if column is None and {"headers", "body"} <= set(names):
        return [{"headers": one, "body": two} for one, two in zip(frame["headers"], frame["body"], strict=True)]
    if column is None and len(names) == 1:
        return list(frame[names[0]])
    raise SettingsError(
        f"the frame has no column {column!r}; nothing was taken; its columns: {', '.join(names)}"
        if column is not None
        else "name the frame's column with the payloads (column=), or give it two called headers and body; "
        "nothing was taken"
    )


def _of_path(path: Path) -> Iterable[Any]:
    """Read a file of one delivery a line, one JSON file, or every such file below a folder by name."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix in (".json", ".jsonl", ".ndjson") and one.is_file())
        return (item for file in files for item in _of_file(file))
    if not path.is_file():
        raise SettingsError(f"there is no file or folder {path.name!r}; nothing was taken")
    return _of_file(path)


def _of_file(file: Path) -> Iterator[Any]:
    """Read one file; one that cannot be read is told as what stands in it."""
    try:
        if file.suffix == ".json":
            yield from _of_json(file.read_bytes())
            return
        with file.open("rb") as lines:
            for line in lines:
                if line.strip():
                    yield line
    except OSError as error:
        raise SettingsError(f"cannot read {file.name!r}: {error.strerror}; what came before it was taken") from None


def _of_json(data: bytes) -> list[Any]:
    """Read a JSON file: a list of deliveries, one, or after all one a line, as some stores name such files too."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        lines = [one for one in data.splitlines() if one.strip()]
        return lines if len(lines) > 1 and all(one.lstrip().startswith(b"{") for one in lines) else [data]
    return found if isinstance(found, list) else [found]
