"""The life of a memo on the virtual clock, lists and pages, files, one world a process."""

import ast
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from demo_files import FILES

import linq_nb.demo
from linq_nb.demo import START, Demo, world

Post = Callable[..., httpx.Response]


def lives(demo: Demo, http: httpx.Client, message_id: str) -> list[str]:
    """Return the statuses of a message, polled every half second, later every 5."""
    statuses: list[str] = []
    for step in (0.5,) * 30 + (5,) * 100:
        status = http.get(f"/v3/messages/{message_id}").json()["delivery_status"]
        statuses += [] if statuses[-1:] == [status] else [status]
        demo.advance(seconds=step)
    return statuses


@pytest.mark.parametrize(
    ("name", "life"),
    [
        ("Ada Lovelace", ["queued", "sent", "delivered", "read"]),
        ("Grace Hopper", ["queued", "sent", "delivered"]),
        ("Rosa RCS", ["queued", "sent", "delivered", "read"]),
        ("Book Club", ["queued", "sent"]),
        ("Sam SMS", ["queued", "sent"]),
        ("Drew Downgraded", ["queued", "sent"]),
        ("Fay Fails Then Delivers", ["queued", "sent", "failed", "delivered"]),
        ("Finn Fails", ["queued", "failed"]),
    ],
)
def test_a_message_has_the_statuses_of_its_chat(
    demo: Demo, http: httpx.Client, memo: Post, name: str, life: list[str]
) -> None:
    sent = memo(name).json()["voice_memo"]
    assert lives(demo, http, sent["id"]) == life
    last = http.get(f"/v3/messages/{sent['id']}").json()
    assert (last["is_delivered"], last["is_read"]) == ("delivered" in life, "read" in life)
    assert (last["sent_at"] is not None) == ("sent" in life)
    times = [last[f"{status}_at"] for status in ("created", "sent", "delivered", "read") if last[f"{status}_at"]]
    assert times == sorted(times, key=datetime.fromisoformat)


def test_a_downgraded_message_names_the_service_that_was_used(demo: Demo, http: httpx.Client, memo: Post) -> None:
    message_id = memo("Drew Downgraded").json()["voice_memo"]["id"]
    assert http.get(f"/v3/messages/{message_id}").json()["service"] is None
    demo.advance(seconds=5)
    assert http.get(f"/v3/messages/{message_id}").json()["service"] == "SMS"
    assert http.get(f"/v3/chats/{demo.chat_ids['Drew Downgraded']}").json()["service"] == "iMessage"


def test_a_chat_gets_the_uploaded_file(demo: Demo, http: httpx.Client, memo: Post, upload: Any) -> None:
    data = FILES["audio/mpeg"]
    file_id = upload(data, "audio/mpeg", "Grüße & co.mp3")
    sent = memo("Ada Lovelace", file_id).json()["voice_memo"]
    (delivered,) = demo.memos(demo.chat_ids["Ada Lovelace"])
    assert delivered["message_id"] == sent["id"]
    assert (delivered["attachment_id"], delivered["filename"]) == (file_id, "Grüße & co.mp3")
    assert delivered["sha256"] == sha256(data).hexdigest()
    assert demo.memo_bytes(sent["id"]) == data
    part = http.get(f"/v3/messages/{sent['id']}").json()["parts"][0]
    assert (part["id"], part["size_bytes"]) == (file_id, len(data))
    with httpx.Client(transport=demo.transport()) as plain:
        assert plain.get(part["url"]).content == data
        assert plain.get(sent["voice_memo"]["url"]).content == data
        demo.advance(hours=2)
        assert plain.get(part["url"]).status_code == 403
        http.delete(f"/v3/attachments/{file_id}")
        assert plain.get(sent["voice_memo"]["url"]).status_code == 404


def test_ids_come_from_chat_content_and_count_not_from_the_order(memo: Post) -> None:
    def ids(order: list[str]) -> dict[str, list[str]]:
        demo = Demo()
        headers = {"Authorization": f"Bearer {demo.api_key}"}
        ids: dict[str, list[str]] = {}
        with httpx.Client(transport=demo.transport(), base_url=demo.base_url, headers=headers) as client:
            for name in order:
                body = {"voice_memo_url": "https://x.example/a.mp3"}
                answer = client.post(f"/v3/chats/{demo.chat_ids[name]}/voicememo", json=body)
                ids.setdefault(name, []).append(answer.json()["voice_memo"]["id"])
        return ids

    first = ids(["Ada Lovelace", "Ada Lovelace", "Grace Hopper"])
    assert ids(["Grace Hopper", "Ada Lovelace", "Ada Lovelace"]) == first
    assert len({*first["Ada Lovelace"], *first["Grace Hopper"]}) == 3


def test_a_list_is_newest_first_and_pages_may_shift(demo: Demo, http: httpx.Client, memo: Post) -> None:
    for _ in range(9):
        memo("Ada Lovelace")
        demo.sleep(1)
    path = f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/messages"
    first = http.get(path, params={"limit": 4}).json()
    memo("Ada Lovelace")
    second = http.get(path, params={"limit": 4, "cursor": first["next_cursor"]}).json()
    third = http.get(path, params={"limit": 4, "cursor": second["next_cursor"]}).json()
    assert third["next_cursor"] is None
    shown = [m["id"] for page in (first, second, third) for m in page["messages"]]
    assert len(shown) == 11
    assert len(set(shown)) == 10
    times = [m["created_at"] for m in http.get(path).json()["messages"]]
    assert times == sorted(times, reverse=True)
    assert http.get(path).json()["messages"][-1]["delivery_status"] == "received"


def test_a_list_may_lag_and_messages_may_expire(demo: Demo, http: httpx.Client, memo: Post) -> None:
    path = f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/messages"
    demo.limits.list_lag_s = 10
    message_id = memo("Ada Lovelace").json()["voice_memo"]["id"]
    assert len(http.get(path).json()["messages"]) == 1
    demo.sleep(11)
    assert len(http.get(path).json()["messages"]) == 2
    demo.limits.retention = timedelta(hours=24)
    assert [m["id"] for m in http.get(path).json()["messages"]] == [message_id]
    demo.advance(days=1)
    assert http.get(path).json()["messages"] == []
    assert http.get(f"/v3/messages/{message_id}").json()["error"]["code"] == 2002
    assert demo.bubbles(demo.chat_ids["Ada Lovelace"]) == 1


def test_an_idempotency_key_sends_a_message_once(demo: Demo, http: httpx.Client) -> None:
    path = f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/messages"
    body = {"message": {"parts": [{"type": "text", "value": "hello"}], "idempotency_key": "k1"}}
    first, second = (http.post(path, json=body).json()["message"]["id"] for _ in range(2))
    assert first == second
    http.delete(f"/v3/messages/{first}")
    assert http.post(path, json=body).json()["error"]["code"] == 2002


@pytest.mark.parametrize("parts", [[], [7], [{"type": "text"}], [{"type": "imessage_app"}], [{}]])
def test_invalid_parts_are_1004(demo: Demo, http: httpx.Client, parts: list[Any]) -> None:
    path = f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/messages"
    assert http.post(path, json={"message": {"parts": parts}}).json()["error"]["code"] == 1004


def test_times_have_different_numbers_of_digits(demo: Demo, http: httpx.Client, memo: Post) -> None:
    message_id = memo("Ada Lovelace").json()["voice_memo"]["id"]
    demo.advance(minutes=10)
    message = http.get(f"/v3/messages/{message_id}").json()
    digits = {len(v.partition(".")[2].rstrip("Z")) for k, v in message.items() if k.endswith("_at") and v}
    assert digits == {3, 6, 9}
    assert "." not in http.get(f"/v3/chats/{message['chat_id']}").json()["created_at"]


# Upload and hosts


@pytest.fixture
def promise(http: httpx.Client) -> Any:
    body = {"filename": "a.amr", "content_type": "audio/amr", "size_bytes": len(FILES["audio/amr"])}
    return http.post("/v3/attachments", json=body).json()


@pytest.mark.parametrize(
    ("change", "data", "status"),
    [
        ({"Authorization": "Bearer secret"}, FILES["audio/amr"], 400),
        ({"Content-Type": "audio/mpeg"}, FILES["audio/amr"], 403),
        ({"Content-Length": "5"}, b"12345", 403),
        ({}, b"12345", 400),
        ({}, FILES["audio/amr"], 200),
    ],
)
def test_the_upload_host_accepts_signed_urls_and_no_token(
    demo: Demo, promise: Any, change: dict[str, str], data: bytes, status: int
) -> None:
    with httpx.Client(transport=demo.transport()) as plain:
        headers = {**promise["required_headers"], **change}
        answer = plain.put(promise["upload_url"], content=data, headers=headers)
    assert answer.status_code == status
    assert (status == 200) == (not answer.text.startswith("<?xml"))
    assert "X-Trace-ID" not in answer.headers
    last = demo.requests[-1]
    assert (last.host, last.has_auth) == ("upload.linq.invalid", "Authorization" in change)


def test_an_upload_link_ends_after_fifteen_minutes_and_may_be_used_again_before(
    demo: Demo, http: httpx.Client, promise: Any
) -> None:
    data, headers = FILES["audio/amr"], promise["required_headers"]
    with httpx.Client(transport=demo.transport()) as plain:
        for _ in range(2):
            assert plain.put(promise["upload_url"], content=data, headers=headers).status_code == 200
        changed = promise["upload_url"][:-1] + "x"
        assert plain.put(changed, content=data, headers=headers).status_code == 403
        demo.advance(minutes=15)
        answer = plain.put(promise["upload_url"], content=data, headers=headers)
    assert answer.status_code == 403
    assert "Request has expired" in answer.text


def test_the_media_host_serves_files_for_memo_urls(demo: Demo, memo: Post) -> None:
    with httpx.Client(transport=demo.transport(), follow_redirects=True) as plain:
        hello = plain.get(demo.media_urls["hello"])
        assert plain.get(demo.media_urls["redirect"]).content == hello.content
        assert plain.get(demo.media_urls["missing"]).status_code == 404
        with pytest.raises(httpx.ConnectError):
            plain.get(demo.media_urls["downgrade"])
    sent = memo("Ada Lovelace", voice_memo_url=demo.media_urls["hello"]).json()["voice_memo"]["voice_memo"]
    assert (sent["size_bytes"], sent["duration_ms"]) == (len(hello.content), 1500)
    assert demo.memos(demo.chat_ids["Ada Lovelace"])[0]["sha256"] == sha256(hello.content).hexdigest()


# The world


def test_a_process_has_one_world_until_a_fresh_one_is_requested() -> None:
    first = world(fresh=True)
    assert world() is first
    assert world(fresh=True) is not first


def test_a_reset_begins_again_with_the_same_answers(demo: Demo, memo: Post) -> None:
    first = memo("Ada Lovelace").json()
    demo.advance(days=3)
    demo.reset()
    assert (demo.now(), demo.bubbles()) == (START, {})
    assert memo("Ada Lovelace").json() == first
    assert demo.api_key not in repr(demo)


def test_further_chats_have_their_own_numbers_and_names(demo: Demo) -> None:
    seeded = len(demo.chat_ids)
    assert list(demo.add_chats(2)) == ["Customer 001", "Customer 002"]
    assert next(iter(demo.add_chats(250))) == "Customer 003"
    assert len(demo.chat_ids) == seeded + 252
    numbers = {chat.others[0] for chat in demo._state.chats.values() if chat.name.startswith("Customer")}
    assert len(numbers) == 252
    assert all(number[5:10] == "55501" and len(number) == 12 for number in numbers)


def test_the_demo_imports_nothing_of_ours_and_no_package_but_httpx_in_its_transport() -> None:
    folder = Path(linq_nb.demo.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, file
                names = [node.module or ""] if node.level == 0 else []
            assert not any(name.startswith("linq") for name in names), file
            assert file.name in ("transport.py", "facade.py") or "httpx" not in names, file
