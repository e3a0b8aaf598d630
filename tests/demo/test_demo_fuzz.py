"""The demo answers every request with one of Linq's statuses, and its app follows WSGI."""

import json
import string
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_nb.demo import Demo, app
from linq_nb.demo.wire import Request

DEMO = Demo()
CLIENT = httpx.Client(
    transport=DEMO.transport(),
    base_url=DEMO.base_url,
    headers={"Authorization": f"Bearer {DEMO.api_key}"},
    timeout=60,
)
WRITES = [(method, path) for path, handlers in app.ROUTES.items() for method in handlers if method != "GET"]
NAMES = st.sampled_from(
    [
        "message",
        "parts",
        "to",
        "from",
        "handle",
        "address",
        "target_url",
        "subscribed_events",
        "filename",
        "type",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["+12025550100", "+12025550111", "linus@example.com", "message.sent", "text", "media"]),
    st.text(string.ascii_letters + ":/[]@.#?%", max_size=30).map("https://".__add__),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(NAMES, TEXTS), inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(route=st.sampled_from(WRITES), body=st.dictionaries(NAMES, JSON, max_size=4), last=TEXTS)
def test_no_body_breaks_the_demo(route: tuple[str, str], body: dict[str, Any], last: str) -> None:
    method, path = route
    named = DEMO.chat_ids["Ada Lovelace"] if "/chats/" in path else last
    path = app.API_PREFIX + path.replace("{id}", named)
    headers = {"authorization": f"Bearer {DEMO.api_key}", "content-type": "application/json"}
    reply = DEMO.handle(Request(method, app.API_HOST, path, {}, headers, json.dumps(body).encode()))
    assert reply.status in (200, 201, 202, 204, 400, 401, 403, 404, 409, 413, 422, 429, 500)
    assert reply.status != 500 or json.loads(reply.body)["error"]["code"] == 5002


@pytest.mark.parametrize(
    "body",
    [
        b'{"filename": "\\ud800", "content_type": "audio/mpeg", "size_bytes": 1}',
        b"9" * 5000,
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_impossible_json_is_refused(body: bytes) -> None:
    answer = CLIENT.post("/v3/attachments", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 1003)


@pytest.mark.parametrize(
    "query", [{"limit": "9" * 5000}, {"limit": "-1"}, {"limit": "٣"}, {"cursor": "bzrCsg=="}, {"cursor": "é"}]
)
def test_odd_numbers_in_a_query_are_refused(query: dict[str, str]) -> None:
    assert CLIENT.get("/v3/chats", params=query).json()["error"]["code"] == 1005


def test_the_app_is_plain_wsgi() -> None:
    demo = Demo()
    headers = {"Authorization": f"Bearer {demo.api_key}"}
    transport = httpx.WSGITransport(app=demo.app)  # type: ignore[arg-type]
    with httpx.Client(transport=transport, base_url=demo.base_url, headers=headers) as client:
        ada = demo.chat_ids["Ada Lovelace"]
        body = {"voice_memo_url": demo.media_urls["hello"]}
        assert client.post(f"/v3/chats/{ada}/voicememo", json=body).status_code == 202
        assert client.post(f"/v3/chats/{ada}/read").status_code == 204
        assert client.get("https://demo.linq.invalid/demo/bubbles").json() == {"bubbles": {ada: 1}}
