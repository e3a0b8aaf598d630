"""Unusual requests to the demo: any method, junk on the control path, webhooks for the SDK and the receiver."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import httpx
import linq
import pytest
from demo_files import unknown_fields
from linq.types.webhook_event_type import WebhookEventType
from shared import HANG_S
from standardwebhooks import Webhook

import linq_nb
from linq_nb.demo import Demo, Server

HOOKS = "/v3/webhook-subscriptions"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Demo(real_time=True)) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.demo.api_key}"}
    with httpx.Client(base_url=f"{server.url}/api/partner", headers=headers, trust_env=False, timeout=HANG_S) as client:
        yield client


@pytest.fixture
def control(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/demo", trust_env=False, timeout=HANG_S) as client:
        yield client


# --- methods ---


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PATCH", "/v3/chats", 405, "GET, POST"),
        ("DELETE", "/v3/phone_numbers", 405, "GET"),
        ("OPTIONS", "/v3/messages", 405, "POST"),
        ("GET", "/v3/nowhere", 404, None),
        ("OPTIONS", "/v3/nowhere", 404, None),
        ("TRACE", "/v3/chats", 501, None),
        ("PROPFIND", "/v3/chats", 501, None),
        ("GREET", "/v3/nowhere", 501, None),
    ],
)
def test_every_method_is_answered_in_linqs_shape(
    api: httpx.Client, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = api.request(method, path)
    body = answer.json()
    assert answer.status_code == body["error"]["status"] == status
    assert (body["success"], body["trace_id"]) == (False, answer.headers["x-trace-id"])
    assert answer.headers.get("allow") == allow
    assert api.get("/v3/phone_numbers").status_code == 200  # by the same connection


def test_head_has_the_status_and_no_body(api: httpx.Client) -> None:
    answer = api.head("/v3/chats")
    assert (answer.status_code, answer.content, len(answer.headers["x-trace-id"])) == (405, b"", 32)


@pytest.mark.parametrize(
    "request_line", [b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET  two  blanks x\r\n\r\n"]
)
def test_an_invalid_request_is_answered_in_linqs_shape(server: Server, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), HANG_S) as link:
        link.sendall(request_line)
        head, _, body = b"".join(iter(lambda: link.recv(65_536), b"")).partition(b"\r\n\r\n")
    error = json.loads(body)
    assert error["success"] is False
    assert error["trace_id"].encode() in head


# --- the control path ---

DEEP = b'{"seconds":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
JUNK: list[tuple[str, Any]] = [
    ("advance", DEEP),
    ("advance", b"{"),
    ("advance", b"[]"),
    ("advance", b'"x"'),
    ("advance", b"\xff\xfe"),
    ("advance", {"days": 1e9}),
    ("advance", {"days": -1e9}),
    ("advance", {"days": 60_000}),
    ("advance", {"days": "x"}),
    ("advance", {"days": True}),
    ("advance", b'{"seconds": NaN}'),
    ("advance", b'{"seconds": 1e999}'),
    ("advance", b'{"seconds": ' + b"9" * 5000 + b"}"),
    ("advance", {"years": 1}),
    ("limits", {"daily": "x"}),
    ("limits", {"daily": -1}),
    ("limits", {"daily": 1.5}),
    ("limits", {"pair_per_minute": None}),
    ("limits", {"processing_s": 1e300}),
    ("limits", {"retention": 1}),
    ("limits", {"pair_per_minute": 1, "nonsense": 1}),
    ("fail_next", {}),
    ("fail_next", {"status": "500"}),
    ("fail_next", {"status": 7}),
    ("fail_next", {"status": 500, "times": 0}),
    ("fail_next", {"status": 500, "headers": {"X": "a\r\nY: b"}}),
    ("fail_next", {"status": 500, "headers": {"X": 1}}),
    ("fail_next", {"status": 429, "retry_after": -1}),
    ("slow_next", {"seconds": -1}),
    ("slow_next", {"seconds": 1e12}),
    ("lose_next_answer", {"how": "by magic"}),
    ("faults", {"lost": 2}),
    ("faults", {"lost": "often"}),
    ("faults", {"slow_s": -1}),
    ("faults", {"seed": [1]}),
    ("faults", {"nonsense": 1}),
    ("receive", {"chat_id": "nobody", "text": "hi"}),
    ("receive", {"chat_id": 1, "text": "hi"}),
    ("add_chats", {"n": 10**9}),
    ("add_chats", {"n": -1}),
    ("add_chats", {"n": "\ud800"}),
]


@pytest.mark.parametrize(("name", "body"), JUNK)
def test_junk_on_the_control_path_is_a_clear_400_and_changes_nothing(
    server: Server, control: httpx.Client, api: httpx.Client, name: str, body: Any
) -> None:
    before, limits = server.demo.now(), vars(server.demo.limits).copy()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = control.post(f"/{name}", content=content)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 10
    assert abs(server.demo.now() - before).total_seconds() < 3600
    assert vars(server.demo.limits) == limits
    assert api.get("/v3/phone_numbers").status_code == 200


# --- webhooks ---


def test_the_demo_lists_every_event_type_of_the_sdk(demo: Demo, http: httpx.Client) -> None:
    assert sorted(http.get("/v3/webhook-events").json()["events"]) == sorted(get_args(WebhookEventType))
    answer = http.post(HOOKS, json={"target_url": "https://x.example/h", "subscribed_events": ["new.kind.of_event"]})
    assert answer.json()["subscribed_events"] == ["new.kind.of_event"]


def test_changes_to_a_subscription_are_events_that_the_sdk_accepts(
    demo: Demo, http: httpx.Client, sdk: linq.LinqAPIV3
) -> None:
    wanted = [f"webhook_subscription.{event}" for event in ("created", "disabled", "enabled", "deleted")]
    secret = http.post(HOOKS, json={"target_url": "https://a.example/h", "subscribed_events": wanted}).json()
    other = http.post(HOOKS, json={"target_url": "https://b.example/h?k=1", "subscribed_events": ["message.sent"]})
    path = f"{HOOKS}/{other.json()['id']}"
    for is_active in (False, False, True):
        http.put(path, json={"is_active": is_active})
    http.delete(path)
    events = []
    for _, headers, body in demo.deliveries(signed_at=datetime.now(UTC)):
        event: Any = sdk.webhooks.unwrap(body.decode(), headers=headers, key=secret["signing_secret"])
        assert unknown_fields(event) == []
        events.append((event.event_type, event.data.webhook_subscription.target_url))
    assert events == [(wanted[0], "https://a.example/h"), *((name, "https://b.example/h") for name in wanted)]


def test_webhooks_after_an_advance_are_accepted_by_the_sdk_and_by_ingest(server: Server, api: httpx.Client) -> None:
    hook = api.post(HOOKS, json={"target_url": "https://c.example/h", "subscribed_events": ["message.received"]}).json()
    sdk = linq.LinqAPIV3(api_key="x")
    chat_id = server.demo.chat_ids["Ada Lovelace"]
    server.demo.advance(minutes=10)
    httpx.post(f"{server.url}/demo/receive", json={"chat_id": chat_id, "text": "hi"}, trust_env=False, timeout=HANG_S)
    [delivery] = [item for item in server.demo.deliveries() if item.url == "https://c.example/h"]
    Webhook(hook["signing_secret"]).verify(delivery.body, delivery.headers)
    event = sdk.webhooks.unwrap(delivery.body.decode(), headers=delivery.headers, key=hook["signing_secret"])
    assert event.event_type == "message.received"
    with linq_nb.connect(api_key=server.demo.api_key, base_url=server.demo.base_url, journal=":memory:") as outbox:
        ingested = outbox.ingest(delivery.body, delivery.headers, hook["signing_secret"])
    assert ingested.event_type == "message.received"


# --- media parts ---


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"url": "https://x.example/photo.jpg"}, 202),
        ({"url": "https://x.example/a.m4a?sig=1"}, 202),
        ({"url": "https://media.linq.invalid/hello.wav"}, 202),
        ({"url": "http://x.example/photo.jpg"}, 400),
        ({"url": "https://x.example/program.exe"}, 400),
        ({"url": "https://gone.invalid/a.jpg"}, 500),
        ({"url": "https://x.example/a.jpg", "attachment_id": "0" * 36}, 400),
        ({}, 400),
    ],
)
def test_a_media_part_may_be_a_url(demo: Demo, http: httpx.Client, part: dict[str, str], expected: int) -> None:
    chat_id = demo.chat_ids["Ada Lovelace"]
    answer = http.post(f"/v3/chats/{chat_id}/messages", json={"message": {"parts": [{"type": "media", **part}]}})
    assert answer.status_code == expected
    if expected == 202:
        [media_part] = answer.json()["message"]["parts"]
        assert media_part["type"] == "media"
        assert media_part["filename"] == part["url"].rpartition("/")[2].partition("?")[0]
        assert media_part["url"].startswith("https://cdn.linqapp.com/")
