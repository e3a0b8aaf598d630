"""Signatures of deliveries: Standard Webhooks through its own library, and Linq's older hex.

The library computes the signature; its text is compared here. The library's own check also accepts other forms of the
same delivery (``1700000000.5`` as a time, characters that are not base64), and counts the age by the computer's clock.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

from standardwebhooks import Webhook

from linq_nb.errors import SettingsError, WebhookError
from linq_nb.secret import HiddenText, Secret

T = TypeVar("T")
Scheme = Literal["standard", "legacy"]
Secrets = str | Secret | Sequence[str | Secret]
"""One signing secret, or several while one takes over from another."""

SCHEMES: tuple[str, ...] = get_args(Scheme)
MAX_AGE_S = 300.0
"""Largest difference between now and the time of the signature, in seconds (Linq docs, webhooks)."""

_HEADERS = {
    "standard": ("webhook-id", "webhook-timestamp", "webhook-signature"),
    "legacy": ("x-webhook-timestamp", "x-webhook-signature"),
}
_PREFIX = "whsec_"
_GIVE_HEADERS = "give the headers of the request as they arrived"


@dataclass(frozen=True, slots=True)
class Signed:
    """A delivery with a valid signature: its body as text, when it was signed, its id where the scheme has one."""

    text: str
    at: datetime
    webhook_id: str | None = None


def check_signature(
    body: Any, headers: Any, secret: Secrets, *, scheme: Scheme, now: datetime | None, max_age_s: float | None
) -> Signed:
    """Return the delivery when one of the secrets signed it; raises WebhookError."""
    secret = hidden_secrets(secret)
    keys = check_secret(secret, scheme=scheme)
    text, values = _text(body), _header_values(headers, _HEADERS[scheme])
    at = _signed_at(values[-2], _HEADERS[scheme][-2])
    _check_age(at, now or datetime.now(UTC), max_age_s)
    expected = [_sign(key, scheme, values[0], at, text).encode() for key in keys]
    given = [signature.encode() for signature in values[-1].split(" ")]
    if not any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given):
        raise WebhookError(
            "the signature of the webhook does not fit its body and the secret; the webhook was ignored; "
            "each subscription has a secret of its own"
        )
    return Signed(text, at, values[0] if scheme == "standard" else None)


def hidden_secrets(secret: T) -> T | list[Secret]:
    """Return signing secrets so that no traceback shows them; anything else as it is."""
    if isinstance(secret, str):
        return [Secret(secret)]
    if isinstance(secret, list | tuple):
        return [Secret(item) if isinstance(item, str) else item for item in secret]
    return secret


def check_secret(secret: Secrets, *, scheme: Scheme = "standard") -> list[HiddenText]:
    """Return the secrets as text; raises SettingsError, which does not repeat them, for an invalid secret."""
    if scheme not in SCHEMES:
        raise SettingsError(
            f"the scheme of a webhook is {' or '.join(SCHEMES)}, not {scheme!r}; nothing was read; give one of these"
        )
    secret = hidden_secrets(secret)
    secrets = [secret] if isinstance(secret, Secret) else list(secret)
    texts = [HiddenText(item.reveal().strip()) for item in secrets if isinstance(item, Secret)]
    if not texts or len(texts) < len(secrets) or not all(texts):
        raise SettingsError(
            "no signing secret, so the webhook cannot be verified; nothing was read; "
            "pass the secret of the webhook's subscription"
        )
    if not all(_has_form(text, scheme) for text in texts):
        raise SettingsError(
            f"the webhook secret does not have Linq's form ({_PREFIX} and base64); nothing was read; copy it again"
        )
    return texts


def _has_form(secret: HiddenText, scheme: Scheme) -> bool:
    """Return whether a secret is base64 after its prefix, or any ASCII text for the older scheme."""
    text = HiddenText(secret.removeprefix(_PREFIX).rstrip("="))
    try:
        is_base64 = scheme == "legacy" or base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return False
    return secret.isascii() and bool(is_base64)


def _sign(key: HiddenText, scheme: Scheme, webhook_id: str, at: datetime, text: str) -> str:
    if scheme == "standard":
        return str(Webhook(key).sign(webhook_id, at, text))
    return hmac.new(key.encode(), f"{int(at.timestamp())}.{text}".encode(), "sha256").hexdigest()


def _text(body: Any) -> str:
    """Return the raw body as text: Linq signs its bytes, so a parsed body cannot be verified."""
    if isinstance(body, bytes | bytearray | memoryview):
        body = bytes(body)
    elif not isinstance(body, str):
        raise WebhookError(
            f"a webhook is verified by its raw body (bytes or text), not by a value of type {type(body).__name__}; "
            "the webhook was ignored; give the body as it arrived",
            reason="body",
        )
    try:
        return body.decode() if isinstance(body, bytes) else body.encode().decode()
    except UnicodeError:
        raise WebhookError(
            "the body of the webhook is not UTF-8, so Linq did not sign it; the webhook was ignored; "
            "give the body as it arrived"
        ) from None


def _header_values(headers: Any, names: Sequence[str]) -> list[str]:
    """Return the values of these headers in order; raises WebhookError for a missing, invalid or repeated header."""
    by_name: dict[str, set[str]] = {name: set() for name in names}
    for name, value in _pairs(headers):
        if name.lower() in by_name:
            by_name[name.lower()].add(value.strip(" \t"))
    values = [next(iter(by_name[name])) if len(by_name[name]) == 1 else "" for name in names]
    for name, value in zip(names, values, strict=True):
        if not value or not value.isascii() or not value.isprintable():
            raise WebhookError(
                f"missing, invalid or repeated `{name}` header; the webhook was ignored; {_GIVE_HEADERS}",
                reason="headers",
            )
    return values


def _pairs(headers: Any) -> Iterable[tuple[str, str]]:
    """Return the headers of any web framework as pairs of text; raises WebhookError."""
    items = getattr(headers, "items", None)
    try:
        pairs = list(items() if callable(items) else headers)
        return [(_header_text(name), _header_text(value)) for name, value in pairs]
    except (TypeError, ValueError, AttributeError, LookupError):
        raise WebhookError(
            "the headers of the webhook are neither a mapping nor a list of pairs; the webhook was ignored; "
            f"{_GIVE_HEADERS}",
            reason="headers",
        ) from None


def _header_text(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _signed_at(text: str, header: str) -> datetime:
    """Read whole seconds since 1970, as Linq writes them."""
    try:
        if text.isdigit() and str(int(text[:13])) == text:
            return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise WebhookError(f"invalid `{header}` header; the webhook was ignored; {_GIVE_HEADERS}", reason="headers")


def _check_age(at: datetime, now: datetime, max_age_s: float | None) -> None:
    age_s = (now - at).total_seconds()
    if max_age_s is not None and not -max_age_s <= age_s <= max_age_s:
        way = "ago" if age_s > 0 else "in the future"
        raise WebhookError(
            f"the webhook was signed {abs(age_s):.0f} s {way}, more than {max_age_s:.0f} s; the webhook was ignored; "
            "check the computer's clock; outbox.ingest_stored reads older webhooks",
            reason="age",
        )
