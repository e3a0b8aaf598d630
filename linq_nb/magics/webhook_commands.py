"""``%linq_webhooks``: list, create and delete subscriptions, and keep the signing secret of a new one."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import parse_qs, urlsplit

from linq_nb.errors import SettingsError
from linq_nb.handles import handle_key
from linq_nb.magics import commands_spec as spec
from linq_nb.magics.options import is_variable_name, wrong
from linq_nb.model import Subscription
from linq_nb.secret import Secret
from linq_nb.text import mask, plain_url

if TYPE_CHECKING:
    import pandas as pd

    from linq_nb.client import Client

VERSION = "2026-02-03"
"""The payload version of a new subscription; without it, Linq uses the newest version of that day."""

EVENTS = ("message.sent", "message.delivered", "message.read", "message.failed")
"""The status of memos, and nothing that other people write."""

SECRET_NAME = "webhook_secret"

_DTYPES = {
    "subscription_id": "string", "target_url": "string", "version": "string", "subscribed_events": "string",
    "lines": "string", "is_active": "boolean", "created_at": "datetime64[us, UTC]",
    "routing_key_header": "string", "routing_id_header": "string",
}  # fmt: skip


def run(client: Client, args: SimpleNamespace, names: dict[str, Any]) -> pd.DataFrame:
    """Run a line. Returns the new subscription with --create, else all subscriptions."""
    _check(args)
    if args.create:
        return frame([_create(client, args, names)])
    if args.delete:
        client.delete_subscription(str(args.delete))
    return frame(client.subscriptions())


def _check(args: SimpleNamespace) -> None:
    """Refuse options that cannot be used together, before anything is done."""
    if args.create and args.delete:
        raise wrong(spec.WEBHOOKS, "--create and --delete cannot be used together")
    if not args.create and (args.events or args.line or args.secret_into or args.secret_file):
        raise wrong(spec.WEBHOOKS, "--events, --line, --secret-into and --secret-file are for --create")
    if (args.routing_key_header or args.routing_id_header) and not args.create:
        raise wrong(spec.WEBHOOKS, "--routing-key-header and --routing-id-header are for --create")
    if args.routing_id_header and not args.routing_key_header:
        raise wrong(spec.WEBHOOKS, "Linq ignores --routing-id-header without --routing-key-header")
    if args.secret_into and args.secret_file:
        raise wrong(spec.WEBHOOKS, "--secret-into and --secret-file cannot be used together")


def _create(client: Client, args: SimpleNamespace, names: dict[str, Any]) -> Subscription:
    """Create a subscription. Its secret comes only once, so the place for it is prepared first."""
    url, events = _with_version(str(args.create)), _events(args.events)
    create = functools.partial(
        client.create_subscription,
        phone_numbers=[handle_key(line) or str(line) for line in args.line],
        routing_key_header=args.routing_key_header,
        routing_id_header=args.routing_id_header,
    )
    if args.secret_file:
        file = Path(str(args.secret_file)).expanduser()
        with _new_file(file) as stream:
            try:
                subscription = create(url, events)
                stream.write(f"{subscription.signing_secret or ''}\n")
            except BaseException:
                file.unlink(missing_ok=True)
                raise
        place = f"in the file {file.name!r}, for --secret-file of the receiver"
    else:
        name = _free_name(args.secret_into, names)
        subscription = create(url, events)
        names[name] = Secret(subscription.signing_secret or "")
        place = f"in the variable {name!r}, until this kernel ends: outbox.ingest(body, headers, {name})"
    if not subscription.signing_secret:
        raise SettingsError("the subscription was created, but Linq gave no secret; delete it and create it again")
    if not args.quiet:
        print(f"Linq gives the signing secret only once. It is not shown; it is {place}.")  # noqa: T201  for the person
    return subscription


def _with_version(url: str) -> str:
    """Add the payload version to a URL that names none."""
    try:
        parts = urlsplit(url)
        has_version = "version" in parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        raise SettingsError(
            "--create takes the URL that Linq posts to; nothing was created; give it as https://host/path"
        ) from None
    query = parts.query if has_version else "&".join(filter(None, (parts.query, f"version={VERSION}")))
    return parts._replace(query=query).geturl()


def _events(given: Sequence[Any]) -> list[str]:
    events = [event for value in given for event in str(value).replace(",", " ").split()]
    return list(dict.fromkeys(events)) or list(EVENTS)


def _free_name(given: Any, names: Mapping[str, Any]) -> str:
    """Return an unused name for the secret: a used one may hold the secret of another subscription."""
    name = SECRET_NAME if given is None else given
    if not is_variable_name(name):
        raise SettingsError(
            f"--secret-into takes a name for a variable, not {name!r}; nothing was created; "
            f"give one such as {SECRET_NAME}"
        )
    if names.get(name) is not None:
        raise SettingsError(f"the name {name!r} is used already; nothing was created; --secret-into takes another name")
    return str(name)


def _new_file(file: Path) -> TextIO:
    """Open a new file that only its owner can read (0600)."""
    try:
        return open(file, "x", encoding="utf-8", opener=functools.partial(os.open, mode=0o600))
    except FileExistsError:
        raise SettingsError(f"the file {file.name!r} exists already; nothing was created; name a new file") from None
    except OSError as error:
        raise SettingsError(
            f"the file {file.name!r} cannot be written: {error.strerror}; nothing was created; name another file"
        ) from None


def frame(subscriptions: Sequence[Subscription]) -> pd.DataFrame:
    """Return subscriptions as a DataFrame without secrets. Of a URL's query, only the payload version is shown."""
    import pandas as pd

    rows = [
        (
            subscription.subscription_id,
            *_url_and_version(subscription.target_url),
            " ".join(subscription.subscribed_events),
            " ".join(mask(number) for number in subscription.phone_numbers) or None,
            subscription.is_active,
            subscription.created_at,
            subscription.routing_key_header,
            subscription.routing_id_header,
        )
        for subscription in subscriptions
    ]
    table = pd.DataFrame(rows, columns=list(_DTYPES))
    table["created_at"] = pd.to_datetime(table["created_at"], utc=True)
    return table.astype(_DTYPES)


def _url_and_version(url: str) -> tuple[str, str | None]:
    try:
        return plain_url(url), parse_qs(urlsplit(url).query).get("version", [None])[0]
    except ValueError:
        return "[a URL]", None
