"""The demo's webhooks verify with the reference library, parse with the official SDK, and tell the truth."""

import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import linq
import pydantic
import pytest
from demo_files import unknown_fields
from linq.types.unwrap_webhook_event import UnwrapWebhookEvent
from shared import wait_for
from standardwebhooks import Webhook, WebhookVerificationError

from linq_nb.demo import Demo, Server

ALL = [f"message.{event}" for event in ("sent", "delivered", "read", "failed", "received")]
Post = Callable[..., httpx.Response]


def subscribe(http: httpx.Client, version: str = "2026-02-03", **more: Any) -> Any:
    url = f"https://hooks.example.com/{version}?version={version}"
    body = {"target_url": url, "subscribed_events": ALL, **more}
    answer = http.post("/v3/webhook-subscriptions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def events_of(demo: Demo) -> list[Any]:
    return [json.loads(item.body) for item in demo.deliveries()]


def test_each_delivery_verifies_both_ways_and_parses_strictly(
    demo: Demo, http: httpx.Client, sdk: linq.LinqAPIV3, memo: Post
) -> None:
    secret = subscribe(http)["signing_secret"]
    for name in ("Ada Lovelace", "Book Club", "Finn Fails", "Zoe Zero Retention"):
        assert memo(name).status_code == 202
    demo.receive(demo.chat_ids["Ada Lovelace"], "thank you")
    demo.advance(minutes=10)
    deliveries = demo.deliveries(signed_at=datetime.now(UTC))
    assert {item.headers["X-Webhook-Event"] for item in deliveries} == set(ALL)
    for url, headers, body in deliveries:
        assert url.startswith("https://hooks.example.com/")
        Webhook(secret).verify(body, headers)
        signed = headers["X-Webhook-Timestamp"].encode() + b"." + body
        assert headers["X-Webhook-Signature"] == hmac.new(secret.encode(), signed, sha256).hexdigest()
        event = sdk.webhooks.unwrap(body.decode(), headers=headers, key=secret)
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(UnwrapWebhookEvent)
        again = type(event).model_validate_json(body, strict=True)
        assert unknown_fields(again) == []
        assert adapter.validate_json(body).event_id == headers["webhook-id"]
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", headers)
    assert demo.deliveries() == []


def test_deliveries_are_signed_by_the_demos_clock_when_they_leave(demo: Demo, http: httpx.Client, memo: Post) -> None:
    subscribe(http)
    memo("Ada Lovelace")
    demo.advance(hours=3)
    assert {int(item.headers["webhook-timestamp"]) for item in demo.deliveries()} == {int(demo.now().timestamp())}


def test_events_come_when_they_are_due_with_the_trace_of_the_send(demo: Demo, http: httpx.Client, memo: Post) -> None:
    subscribe(http)
    answer = memo("Ada Lovelace")
    assert events_of(demo) == []
    demo.advance(seconds=10)
    sent, delivered = events_of(demo)
    demo.advance(minutes=5)
    (read,) = events_of(demo)
    assert [e["event_type"] for e in (sent, delivered, read)] == ALL[:3]
    assert {e["trace_id"] for e in (sent, delivered, read)} == {answer.headers["X-Trace-ID"]}
    assert {e["data"]["id"] for e in (sent, delivered, read)} == {answer.json()["voice_memo"]["id"]}
    assert sent["data"]["delivered_at"] is None
    assert delivered["data"]["delivered_at"] is not None
    assert delivered["data"]["read_at"] is None
    assert read["data"]["read_at"] is not None


def test_the_old_form_nests_the_message(demo: Demo, http: httpx.Client, memo: Post) -> None:
    subscribe(http, "2025-01-01")
    message_id = memo("Ada Lovelace").json()["voice_memo"]["id"]
    demo.receive(demo.chat_ids["Ada Lovelace"], "thanks")
    demo.advance(minutes=10)
    received, sent, delivered, read = sorted(events_of(demo), key=lambda e: e["created_at"])
    assert {e["webhook_version"] for e in (received, sent, delivered, read)} == {"2025-01-01"}
    assert sent["data"]["message"]["id"] == message_id
    assert "message_id" not in sent["data"]
    assert delivered["data"]["message_id"] == read["data"]["message_id"] == message_id
    assert delivered["data"]["delivered_at"] == delivered["data"]["message"]["delivered_at"]
    assert read["data"]["message"]["is_read"] is True
    assert received["data"]["is_from_me"] is False
    assert received["data"]["recipient_handle"]["is_me"] is True


@pytest.mark.parametrize("version", ["2025-01-01", "2026-02-03"])
def test_a_failure_is_reported_with_its_reason_and_may_be_followed_by_a_delivery(
    demo: Demo, http: httpx.Client, memo: Post, version: str
) -> None:
    subscribe(http, version)
    fay, finn = (memo(name).json()["voice_memo"]["id"] for name in ("Fay Fails Then Delivers", "Finn Fails"))
    demo.advance(minutes=10)
    events = events_of(demo)
    failed = {e["data"]["message_id"]: e["data"] for e in events if e["event_type"] == "message.failed"}
    assert {key: (data["code"], data["reason"]) for key, data in failed.items()} == {
        fay: (4001, "Message delivery failed"),
        finn: (4001, "Message send failed"),
    }
    assert [e["event_type"] for e in events][-1] == "message.delivered"


def test_zero_retention_keeps_no_parts(demo: Demo, http: httpx.Client, memo: Post) -> None:
    subscribe(http)
    memo("Zoe Zero Retention")
    demo.advance(seconds=10)
    assert [(e["data"]["parts"], e["data"]["zero_retention"]) for e in events_of(demo)] == [([], True)] * 2


def test_a_subscription_gets_its_events_from_its_creation_on(demo: Demo, http: httpx.Client, memo: Post) -> None:
    memo("Ada Lovelace")
    demo.advance(seconds=10)
    second = subscribe(http, phone_numbers=[demo.lines[1]], subscribed_events=["message.sent"])
    memo("Ada Lovelace")
    memo("Asa At Risk")
    demo.advance(minutes=10)
    assert [(e["event_type"], e["data"]["chat"]["id"]) for e in events_of(demo)] == [
        ("message.sent", demo.chat_ids["Asa At Risk"])
    ]
    path = f"/v3/webhook-subscriptions/{second['id']}"
    assert "signing_secret" not in http.get(path).json()
    http.put(path, json={"is_active": False})
    memo("Asa At Risk")
    demo.advance(minutes=10)
    assert events_of(demo) == []


def test_event_ids_are_the_same_each_run_and_for_both_versions(demo: Demo) -> None:
    def ids() -> list[str]:
        demo.reset()
        headers = {"Authorization": f"Bearer {demo.api_key}"}
        with httpx.Client(transport=demo.transport(), base_url=demo.base_url, headers=headers) as client:
            for version in ("2025-01-01", "2026-02-03"):
                subscribe(client, version)
            body = {"voice_memo_url": "https://x.example/a.mp3"}
            client.post(f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/voicememo", json=body)
        demo.advance(minutes=10)
        return [item.headers["webhook-id"] for item in demo.deliveries()]

    first = ids()
    assert ids() == first
    assert len(first) == 6
    assert len(set(first)) == 3


# On a socket


class Receiver(BaseHTTPRequestHandler):
    """Answers 500 once, then accepts every delivery."""

    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((dict(self.headers.items()), body))
        self.send_response(500 if len(self.got) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    Receiver.got = []
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_on_a_socket_webhooks_are_posted_to_this_machine_and_tried_again(receiver: HTTPServer) -> None:
    with Server(Demo(real_time=True)) as server:
        demo, target = server.demo, f"http://127.0.0.1:{receiver.server_address[1]}/hook"
        headers = {"Authorization": f"Bearer {demo.api_key}"}
        with httpx.Client(base_url=demo.base_url, headers=headers, trust_env=False) as client:
            body = {"target_url": target, "subscribed_events": ["message.sent"]}
            secret = client.post("/v3/webhook-subscriptions", json=body).json()["signing_secret"]
            memo = {"voice_memo_url": "https://x.example/a.mp3"}
            client.post(f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/voicememo", json=memo)
        demo.advance(seconds=5)
        wait_for(lambda: len(Receiver.got) == 2)
    (_, first), (again_headers, again) = Receiver.got
    assert first == again
    lower = {name.lower(): value for name, value in again_headers.items()}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAA").verify(again, lower)
    lower["webhook-timestamp"] = str(int(lower["webhook-timestamp"]))
    assert Webhook(secret).verify(again, lower)["event_type"] == "message.sent"
