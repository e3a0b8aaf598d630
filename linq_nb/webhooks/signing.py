"""Signatures of deliveries: Standard Webhooks through its own library, and Linq's older hex.

Compared is the text of the signature that we make, not what it decodes to, so that one delivery has one form: the
library's own check takes ``1700000000.5`` for a time and skips signs that are not base64. It knows no clock but the
computer's either, so the age is counted here.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from standardwebhooks import Webhook

from linq_nb.errors import SettingsError, WebhookError
from linq_nb.secret import Secret

Scheme = Literal["standard", "legacy"]
Secrets = str | Secret | Sequence[str | Secret]
"""One signing secret, or several while one takes over from another."""

SCHEMES: tuple[str, ...] = get_args(Scheme)
MAX_AGE_S = 300.0
"""A delivery is refused when it was signed longer ago than this, or so far ahead, in seconds (Linq docs, webhooks)."""

_HEADERS = {
    "standard": ("webhook-id", "webhook-timestamp", "webhook-signature"),
    "legacy": ("x-webhook-timestamp", "x-webhook-signature"),
}
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Signed:
    """A delivery whose signature fits: its body as text, when it was signed, its id where the scheme signs one."""

    text: str
    at: datetime
    webhook_id: str | None = None


def checked(
    body: Any, headers: Any, secret: Secrets, *, scheme: Scheme, now: datetime | None, max_age_s: float | None
) -> Signed:
    """Return a delivery that one of the secrets signed; raises WebhookError."""
    keys = check_secret(secret, scheme=scheme)
    text, told = _text(body), _wanted(headers, _HEADERS[scheme])
    at = _signed_at(told[-2])
    _check_age(at, now or datetime.now(UTC), max_age_s)
    sign = _standard if scheme == "standard" else _legacy
    expected = [sign(key, told[0], at, text).encode() for key in keys]
    given = [one.encode() for one in told[-1].split(" ")]
    if not any(hmac.compare_digest(one, other) for one in expected for other in given):
        raise WebhookError(
            "the webhook's signature does not fit its body and the secret; nothing of it was taken; "
            "each subscription has a secret of its own"
        )
    return Signed(text, at, told[0] if scheme == "standard" else None)


def check_secret(secret: Secrets, *, scheme: Scheme = "standard") -> list[str]:
    """Return the secrets as they sign; raises SettingsError, which does not repeat them, for what can be none."""
    if scheme not in SCHEMES:
        raise SettingsError(f"a webhook's scheme is {' or '.join(SCHEMES)}, not {scheme!r}; nothing was taken")
    return [_key(one, scheme) for one in _several(secret)]


def _standard(key: str, webhook_id: str, at: datetime, text: str) -> str:
    return str(Webhook(key).sign(webhook_id, at, text))


def _legacy(key: str, _: str, at: datetime, text: str) -> str:
    return hmac.new(key.encode(), f"{int(at.timestamp())}.{text}".encode(), "sha256").hexdigest()


def _several(secret: Secrets) -> list[str]:
    """Return the secrets as text; raises SettingsError when there is none."""
    given = [secret] if isinstance(secret, str | Secret) else list(secret)
    found = [one.reveal() if isinstance(one, Secret) else one for one in given]
    if not found or not all(isinstance(one, str) and one.strip() for one in found):
        raise SettingsError("a webhook is verified with its subscription's signing secret, and here is none")
    return [one.strip() for one in found]


def _key(secret: str, scheme: str) -> str:
    """Check that a secret can be one; raises SettingsError that does not repeat it."""
    try:
        usable = secret.isascii() and (scheme == "legacy" or base64.b64decode(_padded(secret), validate=True))
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"the webhook's secret is not one of Linq's ({_PREFIX} and base64); copy it again")
    return secret


def _padded(secret: str) -> str:
    text = secret.removeprefix(_PREFIX).rstrip("=")
    return text + "=" * (-len(text) % 4)


def _text(body: Any) -> str:
    """Return the raw body as text; what is signed are its bytes, so a parsed one is of no use."""
    if isinstance(body, bytes | bytearray | memoryview):
        body = bytes(body)
    elif not isinstance(body, str):
        raise WebhookError(
            f"a webhook is verified by its raw body (bytes or text), not a value of type {type(body).__name__}; "
            "nothing of it was taken",
            reason="body",
        )
    try:
        return body.decode() if isinstance(body, bytes) else body.encode().decode()
    except UnicodeError:
        raise WebhookError(
            "the webhook's body is not UTF-8, so Linq did not sign it; nothing of it was taken"
        ) from None


def _wanted(headers: Any, names: Sequence[str]) -> list[str]:
    """Return the values of these headers in order; raises WebhookError when one is missing, twice or no text."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for name, value in _pairs(headers):
        if name.lower() in found:
            found[name.lower()].add(value.strip(" \t"))
    values = [next(iter(found[name])) if len(found[name]) == 1 else "" for name in names]
    for name, value in zip(names, values, strict=True):
        if not value or not value.isascii() or not value.isprintable():
            raise WebhookError(
                f"the webhook's header {name} is missing, broken or there twice; nothing of it was taken",
                reason="headers",
            )
    return values


def _pairs(headers: Any) -> Iterable[tuple[str, str]]:
    """Read headers as pairs, from whatever a web framework calls headers; raises WebhookError."""
    items = getattr(headers, "items", None)
    try:
        pairs = list(items() if callable(items) else headers)
        return [(_header(name), _header(value)) for name, value in pairs]
    except (TypeError, ValueError, AttributeError, LookupError):
        raise WebhookError(
            "the webhook's headers are neither a mapping nor a list of pairs; nothing of it was taken",
            reason="headers",
        ) from None


def _header(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _signed_at(text: str) -> datetime:
    """Read whole seconds since 1970 as Linq writes them."""
    try:
        if text.isdigit() and str(int(text[:13])) == text:
            return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise WebhookError("the webhook's timestamp is no time; nothing of it was taken", reason="headers")


def _check_age(at: datetime, now: datetime, max_age_s: float | None) -> None:
    age_s = (now - at).total_seconds()
    if max_age_s is not None and not -max_age_s <= age_s <= max_age_s:
        way = "ago" if age_s > 0 else "ahead"
        raise WebhookError(
            f"the webhook was signed {abs(age_s):.0f} s {way}, more than {max_age_s:.0f}; nothing of it was taken; "
            "check this machine's clock; outbox.ingest_stored reads older ones",
            reason="age",
        )
