"""Sends by the hundred thousand for the benchmarks: as Linq's answers, as records, and as a journal on disk."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from linq_nb.journal import Journal
from linq_nb.model import Send

START = datetime(2026, 3, 1, tzinfo=UTC)
BASE = "https://api.linqapp.com/api/partner"
CHATS, MEMOS = 2_000, 40
OUTCOMES = ("delivered",) * 60 + ("read",) * 25 + ("sent",) * 8 + ("failed",) * 3 + ("rejected",) * 3 + ("unknown",)


def answer(number: int, rng: random.Random) -> dict[str, Any]:
    """Return Linq's 202 to one voice memo, as its page of the endpoint shows it."""
    chat, memo = number % CHATS, rng.randrange(MEMOS)
    people = [
        {"id": _uuid("handle", chat, me), "handle": handle, "is_me": me, "service": "iMessage", "status": "active"}
        for me, handle in ((True, "+12025550100"), (False, f"+1202{chat:07}"))
    ]
    return {
        "voice_memo": {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "chat": {
                "id": _uuid("chat", chat),
                "handles": people,
                "is_active": True,
                "is_group": chat % 20 == 0,
                "service": "iMessage",
            },
            "created_at": f"2026-03-{number % 28 + 1:02}T09:{number % 60:02}:00.{number % 1_000_000:06}Z",
            "from": "+12025550100",
            "to": [f"+1202{chat:07}"],
            "status": "queued",
            "service": None,
            "voice_memo": {
                "id": _uuid("file", memo),
                "filename": f"memo {memo}.m4a",
                "mime_type": "audio/x-m4a",
                "size_bytes": 20_000 + memo,
                "url": f"https://cdn.linqapp.com/attachments/{_uuid('file', memo)}/memo.m4a",
                "duration_ms": 1_000 * memo,
            },
        }
    }


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, repr(parts)))


def sends(count: int, seed: int = 1) -> Iterator[Send]:
    """Give sends with every column filled as a journal has them after some months."""
    rng = random.Random(seed)
    chat_ids, files = [_uuid("chat", n) for n in range(CHATS)], [_uuid("file", n) for n in range(MEMOS)]
    shas = [f"{rng.getrandbits(256):064x}" for _ in range(MEMOS)]
    for number in range(count):
        chat, memo, status = rng.randrange(CHATS), rng.randrange(MEMOS), rng.choice(OUTCOMES)
        created = START + timedelta(seconds=number * 7_776_000 / count)
        accepted = status not in ("rejected", "unknown")
        posted, answered = created + timedelta(milliseconds=3), created + timedelta(milliseconds=rng.randint(50, 500))
        leaves_at = answered + timedelta(seconds=rng.expovariate(1))
        there = leaves_at + timedelta(seconds=rng.expovariate(0.5)) if status in ("delivered", "read") else None
        code = {"failed": 4001, "rejected": 2024}.get(status)
        yield Send(
            send_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            base_url=BASE,
            content=f"sha256:{shas[memo]}",
            copy=number,
            chat_id=chat_ids[chat],
            chat_name=f"Customer {chat:04}",
            is_group=chat % 20 == 0,
            from_handle="+12025550100",
            to_handles=(f"+1202{chat:07}",),
            memo_source="file",
            filename=f"memo {memo}.m4a",
            format="m4a",
            mime_type="audio/x-m4a",
            size_bytes=20_000 + memo,
            duration_ms=1_000 * memo,
            sha256=shas[memo],
            attachment_id=files[memo],
            message_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)) if accepted else None,
            service=("iMessage", "iMessage", "iMessage", "SMS", "RCS")[chat % 5] if accepted else None,
            status=status,
            http_status=202 if accepted else 403 if code else None,
            error_code=code,
            error_message="Message delivery failed" if code else None,
            trace_id=f"{rng.getrandbits(128):032x}",
            attempts=1,
            created_at=created,
            posted_at=posted,
            accepted_at=answered if accepted else None,
            sent_at=leaves_at if accepted and status != "failed" else None,
            delivered_at=there,
            read_at=there + timedelta(minutes=3) if there and status == "read" else None,
            failed_at=leaves_at if status == "failed" else None,
            checked_at=answered,
        )


def journal(path: Path, count: int) -> None:
    """Write a journal of that many sends."""
    book, all_sends = Journal(f"sqlite:///{path}"), sends(count)
    while some := list(itertools.islice(all_sends, 10_000)):
        book.import_sends(some, [])
    book.close()
