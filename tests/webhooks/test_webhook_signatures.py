"""Linq's signatures verify in every form of body and headers; test_webhook_mutations has changed deliveries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hook_samples import AT, NEW, OLD, OTHER, SECRET, payload, signed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_nb import SettingsError, WebhookError, webhooks
from linq_nb.secret import Secret

BODY, HEADERS = signed(payload("delivered"))
SIGNED = {
    "standard": ("webhook-id", "webhook-timestamp", "webhook-signature"),
    "legacy": ("X-Webhook-Timestamp", "X-Webhook-Signature"),
}
SCHEMES: list[Any] = ["standard", "legacy"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("secret", [SECRET, Secret(SECRET), [OTHER, SECRET], SECRET + "\n"])
def test_a_delivery_signed_by_the_reference_library_verifies(scheme: Any, version: str, secret: Any) -> None:
    sent = payload("delivered", version=version)
    body, headers = signed(sent)
    event = webhooks.verify(body, headers, secret, scheme=scheme, now=AT)
    assert (event.status, event.event_id, event.event_type) == ("delivered", sent["event_id"], "message.delivered")
    assert event.body == sent


@pytest.mark.parametrize("body", [BODY, BODY.decode(), bytearray(BODY), memoryview(BODY)])
def test_a_body_may_be_bytes_or_text(body: Any) -> None:
    assert webhooks.verify(body, HEADERS, SECRET, now=AT).status == "delivered"


@pytest.mark.parametrize(
    "headers",
    [
        {name.upper(): value for name, value in HEADERS.items()},
        list(HEADERS.items()),
        [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        httpx.Headers(HEADERS),
        {**HEADERS, "webhook-signature": f"v1,AAAA v2,x {HEADERS['webhook-signature']}"},
        {**HEADERS, "webhook-signature": f" {HEADERS['webhook-signature']}\t"},
    ],
)
def test_headers_may_come_in_any_form(headers: Any) -> None:
    assert webhooks.verify(BODY, headers, SECRET, now=AT).status == "delivered"


def test_without_a_time_given_the_computers_clock_counts() -> None:
    body, headers = signed(payload("read"), at=datetime.now(UTC))
    assert webhooks.verify(body, headers, SECRET).status == "read"
    with pytest.raises(WebhookError, match="s ago"):
        webhooks.verify(BODY, HEADERS, SECRET)


@pytest.mark.parametrize(("seconds", "fits"), [(-301, False), (-300, True), (0, True), (300, True), (300.5, False)])
def test_a_delivery_may_be_five_minutes_old_or_ahead(seconds: float, fits: bool) -> None:
    now = AT + timedelta(seconds=seconds)
    if fits:
        assert webhooks.verify(BODY, HEADERS, SECRET, now=now).status == "delivered"
    else:
        with pytest.raises(WebhookError) as caught:
            webhooks.verify(BODY, HEADERS, SECRET, now=now)
        assert caught.value.reason == "age"
    assert webhooks.verify(BODY, HEADERS, SECRET, now=now, max_age_s=None).status == "delivered"


@pytest.mark.parametrize("secret", ["", [], "  ", "whsec_", "whsec_?!", "whsec_é", [SECRET, ""]])
def test_an_invalid_secret_is_a_settings_error_that_does_not_show_it(secret: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        webhooks.verify(BODY, HEADERS, secret, now=AT)
    assert "?!" not in str(caught.value)


def test_an_unknown_scheme_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="standard or legacy"):
        webhooks.verify(BODY, HEADERS, SECRET, scheme="none", now=AT)  # type: ignore[arg-type]


def test_the_schemes_do_not_stand_in_for_each_other() -> None:
    for scheme, names in SIGNED.items():
        headers = {name: value for name, value in HEADERS.items() if name not in names}
        with pytest.raises(WebhookError, match="missing"):
            webhooks.verify(BODY, headers, SECRET, scheme=scheme, now=AT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "not JSON"), ("[1]", "a JSON list"), ("{}", "created_at|event_type"), ("{", "not JSON"),
     ("[" * 99_999, "not")],
)  # fmt: skip
def test_signed_but_no_event_is_refused_for_its_body(text: str, why: str) -> None:
    from standardwebhooks import Webhook

    headers = {**HEADERS, "webhook-signature": Webhook(SECRET).sign(HEADERS["webhook-id"], AT, text)}
    with pytest.raises(WebhookError, match=why) as caught:
        webhooks.verify(text, headers, SECRET, now=AT)
    assert caught.value.reason == "body"


# --- any payload ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_payload_is_an_event_or_refused(data: st.DataObject) -> None:
    raw: dict[str, Any] = payload(
        data.draw(st.sampled_from(["sent", "failed"])), version=data.draw(st.sampled_from([NEW, OLD]))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        part: dict[str, Any] = (
            data.draw(st.sampled_from([raw, raw["data"]])) if isinstance(raw["data"], dict) and raw["data"] else raw
        )
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
        raw.setdefault("data", None)
    try:
        event = webhooks.parse(json.dumps(raw), at=AT)
    except WebhookError:
        assert not isinstance(raw["event_type"], str) or not raw["event_type"]
    else:
        assert event.event_id
        assert event.source == "webhook"
