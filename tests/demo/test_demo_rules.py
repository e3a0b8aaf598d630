"""Each of Linq's rules, broken on purpose: the status and the code that the documents name."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from demo_files import FILES

from linq_nb.demo import Demo, media

NOBODY = str(uuid.UUID(int=7))


def refused(answer: httpx.Response) -> tuple[int, int]:
    """Give status and code, after a look at the whole error."""
    body = answer.json()
    assert body["success"] is False
    assert set(body) == {"success", "error", "trace_id"}
    assert body["trace_id"] == answer.headers["X-Trace-ID"]
    assert len(body["trace_id"]) == 32
    error = body["error"]
    assert error["status"] == answer.status_code
    assert error["message"]
    assert str(error["code"]) in error["doc_url"]
    assert ("retry_after" in error) == ("Retry-After" in answer.headers)
    return error["status"], error["code"]


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer demo_wrong", "Basic {key}", "{key}"])
def test_a_request_without_the_token_is_2004(demo: Demo, token: str) -> None:
    with httpx.Client(transport=demo.transport(), base_url=demo.base_url) as client:
        headers = {"Authorization": token.format(key=demo.api_key)} if token else {}
        assert refused(client.get("/v3/phone_numbers", headers=headers)) == (401, 2004)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Kim Opted Out", (403, 2024)),
        ("Kim Second Line", (403, 2024)),
        ("Lee Blocked", (403, 2026)),
        ("Left Group", (409, 2013)),
        ("Nia Just Created", (409, 2009)),
        ("Raj Rate Limited", (429, 1007)),
        ("Dee Daily Cap", (429, 1007)),
        ("Dan Server Down", (500, 3006)),
        ("Eve Server Error", (500, 3006)),
        ("Ivy Line Paused", (403, 2027)),
    ],
)
def test_a_chat_refuses_as_its_name_says(
    memo: Callable[..., httpx.Response], name: str, expected: tuple[int, int]
) -> None:
    assert refused(memo(name)) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "Grace Hopper",
        "Book Club",
        "Sam SMS",
        "Rosa RCS",
        "Linus Email",
        "Fay Fails Then Delivers",
        "Finn Fails",
        "Asa At Risk",
        "Cora Critical",
        "Drew Downgraded",
        "Zoe Zero Retention",
        "+12025550133",
    ],
)
def test_a_chat_accepts_with_202_and_queued(demo: Demo, memo: Callable[..., httpx.Response], name: str) -> None:
    answer = memo(name)
    sent = answer.json()["voice_memo"]
    assert (answer.status_code, sent["status"], sent["service"]) == (202, "queued", None)
    assert demo.bubbles(demo.chat_ids[name]) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, 1001)),
        ({"attachment_id": NOBODY, "voice_memo_url": "https://x.example/a.mp3"}, (400, 1005)),
        ({"attachment_id": "not-a-uuid"}, (400, 1005)),
        ({"attachment_id": 7}, (400, 1005)),
        ({"attachment_id": None}, (400, 1005)),
        ({"attachment_id": NOBODY}, (404, 2003)),
        ({"attachment_id": NOBODY, "from": "+12025550100"}, (400, 1005)),
        ({"attachment_id": NOBODY, "override_optout": "yes"}, (400, 1005)),
        ({"voice_memo_url": "http://x.example/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://127.0.0.1/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://10.0.0.8/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://[::1]/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://localhost/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://u:p@x.example/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "https://x.example:port/a.mp3"}, (400, 1005)),
        ({"voice_memo_url": "not a url"}, (400, 1005)),
        ({"voice_memo_url": "https://x.example/page"}, (400, 5006)),
        ({"voice_memo_url": "https://x.example/song.flac"}, (400, 5006)),
        ({"voice_memo_url": "https://gone.invalid/a.mp3"}, (500, 5002)),
        ({"voice_memo_url": media.URLS["missing"]}, (500, 5002)),
        ({"voice_memo_url": media.URLS["wrong"]}, (400, 5006)),
        ({"voice_memo_url": media.URLS["page"]}, (400, 5006)),
        ({"voice_memo_url": media.URLS["large"]}, (413, 5001)),
    ],
)
def test_a_memo_body_that_does_not_fit_is_refused(
    demo: Demo, http: httpx.Client, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    ada = demo.chat_ids["Ada Lovelace"]
    assert refused(http.post(f"/v3/chats/{ada}/voicememo", json=body)) == expected
    assert demo.bubbles() == {}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"{", "application/json"), (b"[]", "application/json"), (b"{}", "text/plain"), (b"", "")],
)
def test_a_body_that_is_no_json_object_is_1003(
    demo: Demo, http: httpx.Client, content: bytes, content_type: str
) -> None:
    path = f"/v3/chats/{demo.chat_ids['Ada Lovelace']}/voicememo"
    assert refused(http.post(path, content=content, headers={"Content-Type": content_type})) == (400, 1003)


def test_a_wrong_path_has_the_code_of_its_fault(demo: Demo, http: httpx.Client) -> None:
    assert refused(http.get("/v3/chats/ada")) == (400, 1005)
    assert refused(http.get(f"/v3/chats/{NOBODY}")) == (404, 2001)
    assert refused(http.get(f"/v3/chats/{demo.other_account_chat_id}")) == (403, 2005)
    assert refused(http.get(f"/v3/messages/{NOBODY}")) == (404, 2002)
    assert refused(http.get(f"/v3/attachments/{NOBODY}")) == (404, 2003)
    assert refused(http.get(f"/v3/webhook-subscriptions/{NOBODY}")) == (404, 2010)
    assert refused(http.get("/v3/no-such-thing")) == (404, 2001)
    body = {"forwarding_number": None}
    assert refused(http.put(f"/v3/phone_numbers/{NOBODY}", json=body)) == (404, 2019)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"filename": ""}, (400, 1005)),
        ({"filename": "x" * 256}, (400, 1005)),
        ({"content_type": "audio/ogg"}, (400, 5004)),
        ({"content_type": "audio/flac"}, (400, 5004)),
        ({"content_type": "audio/wav"}, (400, 5004)),
        ({"size_bytes": 0}, (400, 1005)),
        ({"size_bytes": 104_857_601}, (400, 5005)),
        ({"size_bytes": "10"}, (400, 1005)),
        ({"size_bytes": True}, (400, 1005)),
        ({"more": 1}, (400, 1005)),
    ],
)
def test_an_upload_that_does_not_fit_is_refused(
    http: httpx.Client, change: dict[str, Any], expected: tuple[int, int]
) -> None:
    body = {"filename": "a.mp3", "content_type": "audio/mpeg", "size_bytes": 10, **change}
    assert refused(http.post("/v3/attachments", json=body)) == expected


@pytest.mark.parametrize("missing", ["filename", "content_type", "size_bytes"])
def test_an_upload_without_a_field_is_1001(http: httpx.Client, missing: str) -> None:
    body = {"filename": "a.mp3", "content_type": "audio/mpeg", "size_bytes": 10}
    del body[missing]
    assert refused(http.post("/v3/attachments", json=body)) == (400, 1001)


@pytest.mark.parametrize("alias", ["audio/mp3", "audio/mp4", "audio/aiff"])
def test_deprecated_types_are_accepted_and_delivered_as_the_present_ones(
    upload: Callable[..., str], memo: Callable[..., httpx.Response], alias: str
) -> None:
    todays = {"audio/mp3": "audio/mpeg", "audio/mp4": "audio/x-m4a", "audio/aiff": "audio/x-aiff"}[alias]
    answer = memo("Ada Lovelace", upload(FILES[todays], alias, "memo"))
    assert answer.json()["voice_memo"]["voice_memo"]["mime_type"] == todays


@pytest.mark.parametrize("content_type", sorted(FILES))
def test_each_memo_format_is_accepted(
    upload: Callable[..., str], memo: Callable[..., httpx.Response], content_type: str
) -> None:
    assert memo("Ada Lovelace", upload(FILES[content_type], content_type)).status_code == 202


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        (FILES["audio/mpeg"], "audio/x-m4a", (400, 5006)),
        (b"OggS" + bytes(100), "audio/mpeg", (400, 5006)),
        (b"fLaC" + bytes(100), "audio/x-wav", (400, 5006)),
        (b"\x7fELF" + bytes(100), "audio/aac", (400, 5006)),
        (b"<!doctype html>", "audio/mpeg", (422, 1003)),
        (b"MThd" + bytes(100), "audio/midi", (400, 5004)),
        (b"%PDF-1.7", "application/pdf", (400, 5004)),
    ],
)
def test_uploaded_bytes_are_compared_with_the_declaration(
    upload: Callable[..., str],
    memo: Callable[..., httpx.Response],
    data: bytes,
    declared: str,
    expected: tuple[int, int],
) -> None:
    assert refused(memo("Ada Lovelace", upload(data, declared, "f"))) == expected


def test_a_memo_above_ten_megabytes_is_5001(
    demo: Demo, upload: Callable[..., str], memo: Callable[..., httpx.Response]
) -> None:
    large = upload(FILES["audio/x-wav"] + bytes(10_000_000), "audio/x-wav")
    assert refused(memo("Ada Lovelace", large)) == (413, 5001)
    assert demo.bubbles() == {}


def test_an_attachment_is_2007_until_it_is_ready_and_2003_when_it_was_never_uploaded(
    demo: Demo, http: httpx.Client, memo: Callable[..., httpx.Response], upload: Callable[..., str]
) -> None:
    body = {"filename": "a.wav", "content_type": "audio/x-wav", "size_bytes": 10}
    promised = http.post("/v3/attachments", json=body).json()["attachment_id"]
    assert refused(memo("Ada Lovelace", promised)) == (404, 2007)
    demo.advance(minutes=15)
    assert refused(memo("Ada Lovelace", promised)) == (404, 2003)
    demo.limits.processing_s = 3
    ready = upload()
    assert refused(memo("Ada Lovelace", ready)) == (404, 2007)
    demo.sleep(3)
    assert memo("Ada Lovelace", ready).status_code == 202


def test_an_override_sends_once_to_a_person_who_opted_out(demo: Demo, memo: Callable[..., httpx.Response]) -> None:
    assert memo("Kim Opted Out", override_optout=True).status_code == 202
    assert refused(memo("Kim Opted Out")) == (403, 2024)
    assert refused(memo("Kim Opted Out", override_optout=False)) == (403, 2024)
    demo.receive(demo.chat_ids["Kim Opted Out"], "hello again")
    assert memo("Kim Second Line").status_code == 202


@pytest.mark.parametrize("word", ["STOP", " QUIT ", "opt out", "Opt-Out", "optout"])
def test_a_keyword_opts_out_in_every_direct_chat_and_marks_one(
    demo: Demo, http: httpx.Client, memo: Callable[..., httpx.Response], word: str
) -> None:
    ada = demo.chat_ids["Ada Lovelace"]
    demo.receive(ada, word)
    assert refused(memo("Ada Lovelace")) == (403, 2024)
    assert http.get(f"/v3/chats/{ada}").json()["health_status"]["status"] == "OPTED_OUT"
    assert memo("Book Club").status_code == 202


@pytest.mark.parametrize("words", ["please stop", "stop", "START"])
def test_other_words_do_not_opt_out(demo: Demo, memo: Callable[..., httpx.Response], words: str) -> None:
    demo.receive(demo.chat_ids["Ada Lovelace"], words)
    assert memo("Ada Lovelace").status_code == 202


def test_just_created_passes_after_five_seconds(demo: Demo, memo: Callable[..., httpx.Response]) -> None:
    assert refused(memo("Nia Just Created")) == (409, 2009)
    demo.sleep(5)
    assert memo("Nia Just Created").status_code == 202


def test_rate_limited_passes_the_third_time(memo: Callable[..., httpx.Response]) -> None:
    first = memo("Raj Rate Limited")
    assert first.headers["Retry-After"] == "2"
    assert first.json()["error"]["retry_after"] == 2
    assert refused(memo("Raj Rate Limited")) == (429, 1007)
    assert memo("Raj Rate Limited").status_code == 202


def test_the_daily_cap_takes_an_hour(demo: Demo, memo: Callable[..., httpx.Response]) -> None:
    assert memo("Dee Daily Cap").headers["Retry-After"] == "3600"
    demo.advance(minutes=59)
    assert memo("Dee Daily Cap").headers["Retry-After"] == "60"
    demo.advance(minutes=1)
    assert memo("Dee Daily Cap").status_code == 202


def test_the_thirty_first_memo_in_a_minute_waits(demo: Demo, memo: Callable[..., httpx.Response]) -> None:
    demo.sleep(1)
    assert memo("Grace Hopper").status_code == 202
    demo.sleep(20)
    assert {memo("Grace Hopper").status_code for _ in range(29)} == {202}
    answer = memo("Grace Hopper")
    assert refused(answer) == (429, 1007)
    assert answer.headers["Retry-After"] == "40"
    assert memo("Ada Lovelace").status_code == 202
    demo.sleep(40)
    assert memo("Grace Hopper").status_code == 202
    assert refused(memo("Grace Hopper")) == (429, 1007)
    assert demo.bubbles(demo.chat_ids["Grace Hopper"]) == 31


def test_a_sandbox_has_a_daily_limit_until_midnight(demo: Demo, memo: Callable[..., httpx.Response]) -> None:
    demo.limits.daily = 2
    assert [memo("Ada Lovelace").status_code for _ in range(3)] == [202, 202, 429]
    assert memo("Grace Hopper").headers["Retry-After"] == str(15 * 3600)
    demo.advance(hours=15)
    assert memo("Grace Hopper").status_code == 202


def test_a_capability_check_is_allowed_every_ten_seconds(demo: Demo, http: httpx.Client) -> None:
    path, body = "/v3/capability/check_imessage", {"address": "+12025550111"}
    assert http.post(path, json=body).json()["available"] is True
    assert refused(http.post(path, json=body)) == (429, 1007)
    demo.sleep(10)
    assert http.post(path, json={"address": "+12025550115"}).json() == {
        "address": "+12025550115",
        "available": False,
        "selected_service": "SMS",
        "reason": "not_supported",
    }


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("check_imessage", {"address": "2025550111"}, (400, 1002)),
        ("check_imessage", {}, (400, 1001)),
        ("check_rcs", {"address": "linus@example.com"}, (400, 1005)),
        ("check_rcs", {"address": "+12025550111", "from": "+12025550199"}, (403, 2006)),
    ],
)
def test_a_capability_check_that_does_not_fit_is_refused(
    http: httpx.Client, path: str, body: dict[str, str], expected: tuple[int, int]
) -> None:
    assert refused(http.post(f"/v3/capability/{path}", json=body)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "0"}, (400, 1005)),
        ({"limit": "101"}, (400, 1005)),
        ({"limit": "x"}, (400, 1005)),
        ({"cursor": "%%%"}, (400, 1005)),
        ({"from": "2025550100"}, (400, 1002)),
        ({"from": "+12025550199"}, (403, 2006)),
        ({"to": "nobody"}, (400, 1002)),
    ],
)
def test_an_impossible_list_is_refused(http: httpx.Client, query: dict[str, str], expected: tuple[int, int]) -> None:
    assert refused(http.get("/v3/chats", params=query)) == expected


def test_a_webhook_url_is_https_and_unique(http: httpx.Client) -> None:
    path, body = "/v3/webhook-subscriptions", {"subscribed_events": ["message.sent"]}
    assert refused(http.post(path, json={**body, "target_url": "http://x.example/h"})) == (400, 1005)
    assert http.post(path, json={**body, "target_url": "https://x.example/h"}).status_code == 201
    assert refused(http.post(path, json={**body, "target_url": "https://x.example/h"})) == (409, 2015)
    other = {"target_url": "https://x.example/other"}
    for name in ("nonsense", "Message.Sent", "a b.c", "", 7, None, "x." + "y" * 100):
        assert refused(http.post(path, json={**other, "subscribed_events": [name]})) == (400, 1005)
    assert refused(http.post(path, json={**other, "subscribed_events": []})) == (400, 1001)


def test_a_direct_chat_can_be_neither_renamed_nor_left(demo: Demo, http: httpx.Client) -> None:
    ada, club = (demo.chat_ids[name] for name in ("Ada Lovelace", "Book Club"))
    assert refused(http.put(f"/v3/chats/{ada}", json={"display_name": "A"})) == (409, 1006)
    assert refused(http.post(f"/v3/chats/{ada}/leave")) == (409, 1006)
    assert http.post(f"/v3/chats/{club}/leave").status_code == 202
    assert refused(http.post(f"/v3/chats/{club}/read")) == (409, 2013)
