"""A demo a test, with the plain httpx client and the official SDK on it."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import linq
import pytest
from demo_files import FILES

from linq_nb.demo import Demo


@pytest.fixture
def http(demo: Demo) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {demo.api_key}"}
    with httpx.Client(transport=demo.transport(), base_url=demo.base_url, headers=headers) as client:
        yield client


@pytest.fixture
def sdk(demo: Demo) -> Iterator[linq.LinqAPIV3]:
    with httpx.Client(transport=demo.transport()) as client:
        yield linq.LinqAPIV3(
            http_client=client,
            base_url=demo.base_url,
            api_key=demo.api_key,
            max_retries=0,
            _strict_response_validation=True,
        )


@pytest.fixture
def upload(demo: Demo, http: httpx.Client) -> Callable[..., str]:
    return lambda *args, **kwargs: put_file(demo, http, *args, **kwargs)


@pytest.fixture
def memo(http: httpx.Client, demo: Demo, upload: Callable[..., str]) -> Callable[..., httpx.Response]:
    """Post a memo to a chat by name; the same file each time unless another is given."""

    def post(name: str, attachment_id: str | None = None, **body: Any) -> httpx.Response:
        chosen = {"attachment_id": attachment_id or upload()} if "voice_memo_url" not in body else {}
        return http.post(f"/v3/chats/{demo.chat_ids[name]}/voicememo", json={**chosen, **body})

    return post


def put_file(
    demo: Demo,
    http: httpx.Client,
    data: bytes = FILES["audio/x-wav"],
    content_type: str = "audio/x-wav",
    filename: str = "hello.wav",
) -> str:
    """Promise and upload a file; gives the attachment id."""
    body = {"filename": filename, "content_type": content_type, "size_bytes": len(data)}
    promise = http.post("/v3/attachments", json=body).json()
    with httpx.Client(transport=demo.transport()) as plain:
        done = plain.put(promise["upload_url"], content=data, headers=promise["required_headers"])
    assert done.status_code == 200, done.text
    return str(promise["attachment_id"])
