"""The official SDK, strict, on every endpoint that it and the demo know.

`_strict_response_validation` makes the SDK validate instead of construct. On top of it each raw answer is
validated once more with pydantic's strict mode, and walked for fields that the SDK does not know.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import linq
import pydantic
import pytest
from demo_files import unknown_fields
from shared import HANG_S

from linq_nb.demo import Demo, app, media

WAV = media.hello()
MESSAGE: Any = {"parts": [{"type": "text", "value": "hello"}]}
TARGET = "https://x.example/hook?version=2026-02-03"


def strictly(raw: Any) -> Any:
    """Parse an answer with `with_raw_response`, strictly in three ways."""
    parsed = raw.parse()
    if parsed is None:
        assert raw.http_response.status_code == 204
        return None
    again = pydantic.TypeAdapter(type(parsed)).validate_json(raw.http_response.content, strict=True)
    assert unknown_fields(again) == []
    assert re.fullmatch(r"[0-9a-f]{32}", raw.headers["X-Trace-ID"])
    return parsed


def put(demo: Demo, promise: Any) -> None:
    with httpx.Client(transport=demo.transport()) as plain:
        plain.put(promise.upload_url, content=WAV, headers=promise.required_headers).raise_for_status()


@pytest.fixture
def seen(demo: Demo) -> Callable[[], set[str]]:
    """Return the requested (method, path) pairs, with ids replaced."""
    return lambda: {f"{r.method} {re.sub('[0-9a-f-]{36}|[+][0-9]+', '{id}', r.path)}" for r in demo.requests}


def test_every_endpoint_parses(demo: Demo, sdk: linq.LinqAPIV3, seen: Callable[[], set[str]]) -> None:
    ada, club = demo.chat_ids["Ada Lovelace"], demo.chat_ids["Book Club"]
    chats = sdk.chats.with_raw_response

    promise = strictly(
        sdk.attachments.with_raw_response.create(filename="a.wav", content_type="audio/x-wav", size_bytes=len(WAV))
    )
    strictly(sdk.attachments.with_raw_response.retrieve(promise.attachment_id))
    put(demo, promise)
    file = strictly(sdk.attachments.with_raw_response.retrieve(promise.attachment_id))
    assert file.status == "complete"

    sent = strictly(chats.send_voicememo(ada, attachment_id=promise.attachment_id)).voice_memo
    strictly(chats.send_voicememo(club, voice_memo_url=media.URLS["hello"]))
    strictly(chats.send_voicememo(club, voice_memo_url="https://x.example/a.caf", override_optout=True))
    for name in demo.chat_ids:
        strictly(chats.retrieve(demo.chat_ids[name]))
        for message in strictly(chats.messages.list(demo.chat_ids[name])).messages:
            strictly(sdk.messages.with_raw_response.retrieve(message.id))
    demo.advance(minutes=10)
    assert strictly(sdk.messages.with_raw_response.retrieve(sent.id)).delivery_status == "read"
    strictly(sdk.messages.with_raw_response.list_messages_thread(sent.id))
    assert len(strictly(chats.messages.list(ada, limit=1)).messages) == 1
    page = strictly(chats.list_chats(from_="+12025550100", limit=3))
    assert len(page.chats) == 3
    strictly(chats.list_chats(to="linus@example.com"))

    strictly(chats.messages.send(ada, message=MESSAGE))
    strictly(chats.create(from_="+12025550101", to=["+12025550150"], message=MESSAGE))
    media_part: Any = {"parts": [{"type": "media", "attachment_id": promise.attachment_id}]}
    strictly(sdk.messages.with_raw_response.create(to=["+12025550151"], message=media_part))
    strictly(sdk.messages.with_raw_response.delete(sent.id))
    strictly(chats.update(club, display_name="Reading Club"))
    strictly(chats.mark_as_read(ada))
    strictly(chats.typing.start(ada))
    strictly(chats.typing.stop(ada))
    strictly(chats.leave_chat(club))

    strictly(sdk.capability.with_raw_response.check_i_message(address="+12025550115"))
    demo.sleep(10)
    strictly(sdk.capability.with_raw_response.check_RCS(address="+12025550116"))
    line = strictly(sdk.phone_numbers.with_raw_response.list()).phone_numbers[0]
    strictly(sdk.phone_numbers.with_raw_response.update(line.id, forwarding_number="+12025550199"))
    audits = sdk.phone_numbers.with_raw_response
    started = strictly(audits.start_reputation_audit(line.phone_number))
    assert strictly(audits.start_reputation_audit(line.phone_number)).audit_id == started.audit_id
    where = {"audit_id": started.audit_id, "phone_number": line.phone_number}
    assert strictly(audits.get_reputation_audit(**where)).status == "pending"
    demo.sleep(10)
    assert strictly(audits.get_reputation_audit(**where)).report.severity == "HEALTHY"
    with pytest.warns(DeprecationWarning, match="deprecated"):
        strictly(sdk.phonenumbers.with_raw_response.list())
    strictly(sdk.available_number.with_raw_response.retrieve())

    strictly(sdk.blocked_handles.with_raw_response.block(handle="+12025550152", reason="spam"))
    strictly(sdk.blocked_handles.with_raw_response.list())
    strictly(sdk.blocked_handles.with_raw_response.unblock(handle="+12025550152"))

    hooks = sdk.webhook_subscriptions.with_raw_response
    subscription = strictly(hooks.create(target_url=TARGET, subscribed_events=["message.sent"]))
    strictly(hooks.list())
    strictly(hooks.retrieve(subscription.id))
    strictly(hooks.update(subscription.id, is_active=False, phone_numbers=["+12025550100"]))
    assert strictly(hooks.update(subscription.id, phone_numbers=None)).phone_numbers is None
    strictly(hooks.delete(subscription.id))
    strictly(sdk.webhook_events.with_raw_response.list())
    strictly(sdk.attachments.with_raw_response.delete(promise.attachment_id))

    routes = {f"{method} {app.API_PREFIX}{path}" for path, handlers in app.ROUTES.items() for method in handlers}
    assert routes <= seen()


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("Kim Opted Out", linq.PermissionDeniedError, 2024),
        ("Left Group", linq.ConflictError, 2013),
        ("Raj Rate Limited", linq.RateLimitError, 1007),
        ("Dan Server Down", linq.InternalServerError, 3006),
    ],
)
def test_errors_are_the_sdks_own(
    demo: Demo, sdk: linq.LinqAPIV3, name: str, error: type[linq.APIStatusError], code: int
) -> None:
    with pytest.raises(error) as caught:
        sdk.chats.send_voicememo(demo.chat_ids[name], voice_memo_url=media.URLS["hello"])
    assert caught.value.code == code
    assert caught.value.doc_url
    assert (caught.value.retry_after is not None) == (caught.value.status_code == 429)


def test_the_sdk_walks_all_pages(demo: Demo, sdk: linq.LinqAPIV3) -> None:
    demo.add_chats(200)
    assert [chat.id for chat in sdk.chats.list_chats(limit=7)] == list(demo.chat_ids.values())


@pytest.mark.parametrize(("name", "bubbles"), [("Lou Lost Answer", 2), ("Eve Server Error", 3), ("Dan Server Down", 0)])
def test_the_sdks_own_retries_double_a_memo_and_the_demo_counts_them(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, name: str, bubbles: int
) -> None:
    monkeypatch.setattr("linq._base_client.time.sleep", demo.sleep)
    with httpx.Client(transport=demo.transport()) as client:
        default = linq.LinqAPIV3(http_client=client, base_url=demo.base_url, api_key=demo.api_key)
        try:
            default.chats.send_voicememo(demo.chat_ids[name], voice_memo_url=media.URLS["hello"])
        except linq.InternalServerError:
            assert name != "Lou Lost Answer"
    assert demo.bubbles(demo.chat_ids[name]) == bubbles


async def _send_async(demo: Demo) -> str:
    transport = demo.transport()
    assert isinstance(transport, httpx.AsyncBaseTransport)
    async with httpx.AsyncClient(transport=transport) as http:
        client = linq.AsyncLinqAPIV3(http_client=http, base_url=demo.base_url, api_key=demo.api_key)
        ada = demo.chat_ids["Ada Lovelace"]
        return (await client.chats.send_voicememo(ada, voice_memo_url=media.URLS["hello"])).voice_memo.id


def test_the_async_sdk_works_in_process_too(demo: Demo) -> None:
    """In a thread of its own, since the browser tests keep an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(lambda: asyncio.run(_send_async(demo))).result()
    assert sent == demo.memos(demo.chat_ids["Ada Lovelace"])[0]["message_id"]


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    """Run the demo as a user would; give the two settings that it printed."""
    command = [sys.executable, "-m", "linq_nb.demo", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2)]
        try:
            yield dict(line.split("=", 1) for line in lines)
        finally:
            process.terminate()
            assert process.wait(HANG_S) == 0
            assert process.stdout.read() == ""


def test_on_a_socket_the_sdk_works_with_the_two_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as settings:
        assert list(settings) == ["LINQ_API_V3_BASE_URL", "LINQ_API_V3_API_KEY"]
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        with linq.LinqAPIV3(_strict_response_validation=True, max_retries=0) as client:
            chats = {chat.display_name: chat.id for chat in client.chats.list_chats()}
            promise = client.attachments.create(filename="a.wav", content_type="audio/x-wav", size_bytes=len(WAV))
            with httpx.Client() as plain:
                headers = promise.required_headers
                assert plain.put(promise.upload_url, content=WAV, headers=headers).status_code == 200
                sent = client.chats.send_voicememo(chats["Ada Lovelace"], attachment_id=promise.attachment_id)
                control = settings["LINQ_API_V3_BASE_URL"].replace("/api/partner", "/demo")
                plain.post(f"{control}/advance", json={"minutes": 10}).raise_for_status()
                assert plain.get(f"{control}/bubbles/{chats['Ada Lovelace']}").json() == {"bubbles": 1}
            assert client.messages.retrieve(sent.voice_memo.id).delivery_status == "read"
