"""Helpers of the tests of a team's journal."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from postgres import Server

from linq_nb import Event, Send
from linq_nb.journal import Claim, Journal
from linq_nb.model import send_id

AT = datetime(2026, 3, 2, 9, 0, 0, 123457, tzinfo=UTC)
BASE, CHAT_ID = "https://api.linqapp.com/api/partner", "550e8400-e29b-41d4-a716-446655440000"
SHA, URL = "sha256:" + "ab" * 32, "url:https://x.example/a.wav"


class Wall:
    """A wall clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def admin(server: Server, *statements: str, database: str = "postgres") -> list[Any]:
    """Run statements beside the journal; returns the rows of the last."""
    import psycopg

    with psycopg.connect(server.url(database, driver="postgresql"), autocommit=True) as db:
        for statement in statements:
            cursor = db.execute(statement)  # type: ignore[call-overload]
        return list(cursor.fetchall()) if cursor.description else []


def wanted(content: str = SHA, copy: int = 1, **fields: Any) -> Send:
    given = {"send_id": send_id(BASE, CHAT_ID, content, copy), "base_url": BASE, "chat_id": CHAT_ID, "created_at": AT}
    return Send(content=content, copy=copy, **{**given, **fields})


def claimed(book: Journal, owner: str = "me", send: Send | None = None) -> Claim:
    _, claim, step = book.claim(send or wanted(), (), owner)
    assert step == "send"
    assert claim is not None
    return claim


def at_status(book: Journal, status: str, send: Send | None = None) -> Send:
    claim = claimed(book, send=send)
    changed = dataclasses.replace(claim.send, status=status)
    assert book.advance(claim, changed)
    return changed


def event(status: str | None, **fields: Any) -> Event:
    return Event(**{"send_id": wanted().send_id, "at": AT, "source": "webhook", "status": status, **fields})
