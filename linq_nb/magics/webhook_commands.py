"""``%linq_webhooks``: list, create and delete subscriptions; first of all, where the one-time secret shall go."""

from __future__ import annotations

import contextlib
import keyword
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from linq_nb.errors import SettingsError
from linq_nb.magics import commands_spec as spec
from linq_nb.magics.options import wrong
from linq_nb.model import Subscription
from linq_nb.secret import Secret
from linq_nb.text import mask, plain_url

if TYPE_CHECKING:
    import pandas as pd

    from linq_nb.outbox import Outbox

VERSION = "2026-02-03"
"""The payloads that a new subscription asks for; without it Linq takes its newest of that day."""

EVENTS = ("message.sent", "message.delivered", "message.read", "message.failed")
"""What becomes of memos, and nothing that other people write."""

SECRET_NAME = "webhook_secret"


def act(outbox: Outbox, args: SimpleNamespace, names: dict[str, Any]) -> pd.DataFrame:
    """Do what the line says; returns the subscriptions as they then are, or the one that was made."""
    _check(args)
    if args.create:
        return frame([_created(outbox, args, names)])
    if args.delete:
        outbox.client.delete_subscription(str(args.delete))
    return frame(outbox.client.subscriptions())


def _check(args: SimpleNamespace) -> None:
    """Refuse options that do not go together, before anything is done."""
    if args.create and args.delete:
        raise wrong(spec.WEBHOOKS, "--create and --delete are two lines")
    if not args.create and (args.events or args.line or args.secret_into or args.secret_file):
        raise wrong(spec.WEBHOOKS, "--events, --line, --secret-into and --secret-file go with --create")
    if args.secret_into and args.secret_file:
        raise wrong(spec.WEBHOOKS, "--secret-into and --secret-file: give one of the two")


def _created(outbox: Outbox, args: SimpleNamespace, names: dict[str, Any]) -> Subscription:
    """Subscribe, with a place for the secret made ready first, since Linq tells it this once only."""
    url, events = _with_version(str(args.create)), _events(args.events)
    lines = [str(one) for one in args.line]
    if args.secret_file:
        with _secret_file(str(args.secret_file)) as keep:
            made = outbox.client.create_subscription(url, events, phone_numbers=lines)
            keep(made.signing_secret or "")
        told = f"in the file {Path(str(args.secret_file)).name!r}, for --secret-file of the receiver"
    else:
        name = _free_name(args.secret_into, names)
        made = outbox.client.create_subscription(url, events, phone_numbers=lines)
        names[name] = Secret(made.signing_secret or "")
        told = f"in the variable {name!r}, until this kernel ends: outbox.ingest(body, headers, {name})"
    if not made.signing_secret:
        raise SettingsError("the subscription was made, but Linq told no secret; delete it and create it again")
    if not args.quiet:
        print(f"The signing secret comes this once and is not shown; it is {told}.")  # noqa: T201  told to the person
    return made


def _with_version(url: str) -> str:
    """Pin the version of the payloads, unless the URL does."""
    try:
        parts = urlsplit(url)
        named = "version" in parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        raise SettingsError("--create wants the URL that Linq shall post to; nothing was made") from None
    query = parts.query if named else "&".join(filter(None, (parts.query, f"version={VERSION}")))
    return parts._replace(query=query).geturl()


def _events(given: Sequence[Any]) -> list[str]:
    named = [name for one in given for name in str(one).replace(",", " ").split()]
    return list(dict.fromkeys(named)) or list(EVENTS)


def _free_name(given: Any, names: Mapping[str, Any]) -> str:
    """Return a name for the secret under which nothing is kept: it may be another subscription's."""
    name = SECRET_NAME if given is None else given
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise SettingsError(f"--secret-into takes a name for a variable, not {name!r}; nothing was made")
    if names.get(name) is not None:
        raise SettingsError(
            f"the name {name!r} holds something already, and stays so; nothing was made; --secret-into takes another"
        )
    return name


@contextlib.contextmanager
def _secret_file(name: str) -> Iterator[Any]:
    """Make a new file for its owner only (0600), and take it back when there was nothing to write."""
    file = Path(name).expanduser()
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise SettingsError(f"there is a file {file.name!r} already; nothing was made; name a new one") from None
    except OSError as error:
        raise SettingsError(f"the file {file.name!r} cannot be made: {error.strerror}; nothing was made") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        try:
            yield lambda secret: stream.write(f"{secret}\n")
        except BaseException:
            file.unlink(missing_ok=True)
            raise


def frame(subscriptions: Sequence[Subscription]) -> pd.DataFrame:
    """Return subscriptions as a DataFrame, without secrets: no query of a URL but the version of its payloads."""
    import pandas as pd

    rows = [
        {
            "subscription_id": one.subscription_id,
            "target_url": _shown(one.target_url),
            "version": _version(one.target_url),
            "subscribed_events": " ".join(one.subscribed_events),
            "lines": " ".join(mask(number) for number in one.phone_numbers) or None,
            "is_active": one.is_active,
            "created_at": one.created_at,
        }
        for one in subscriptions
    ]
    names = ("subscription_id", "target_url", "version", "subscribed_events", "lines", "is_active", "created_at")
    made = pd.DataFrame(rows, columns=list(names)).astype(
        {name: "boolean" if name == "is_active" else "string" for name in names[:-1]}
    )
    made["created_at"] = pd.to_datetime(made["created_at"], utc=True).astype("datetime64[us, UTC]")
    return made


def _shown(url: str) -> str:
    try:
        return plain_url(url)
    except ValueError:
        return "[a URL]"


def _version(url: str) -> str | None:
    try:
        return parse_qs(urlsplit(url).query).get("version", [None])[0]
    except ValueError:
        return None
