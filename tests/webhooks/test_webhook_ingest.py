"""outbox.ingest on the demo's own deliveries, and outbox.ingest_stored on deliveries from elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hook_samples import NEW, OLD, SECRET, payload, signed

import linq_nb
from linq_nb import Outbox, SettingsError, VoiceMemo, WebhookError
from linq_nb.outbox import session_of

PEOPLE = ("Ada Lovelace", "Book Club", "Finn Fails", "Fay Fails Then Delivers", "Zoe Zero Retention")
ALL = [f"message.{event}" for event in ("sent", "delivered", "read", "failed", "received", "edited")]


def subscribed(outbox: Outbox, version: str = NEW) -> str:
    subscription = session_of(outbox).client.create_subscription(f"https://hooks.example.com/?version={version}", ALL)
    assert subscription.signing_secret is not None
    return subscription.signing_secret


def sent_to(outbox: Outbox, memo: VoiceMemo, people: Iterable[str] = PEOPLE) -> None:
    for name in people:
        outbox.send(memo, outbox.find_chat(name))


def columns(outbox: Outbox) -> list[Any]:
    return [(send.chat_name, send.status, send.sent_at, send.delivered_at, send.read_at, send.message_id, send.service)
            for send in outbox.sends()]  # fmt: skip


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("scheme", ["standard", "legacy"])
def test_webhooks_give_the_same_sends_as_polling_and_the_reason_of_a_failure(
    outbox: Outbox, memo: VoiceMemo, version: str, scheme: Any, tmp_path: Path
) -> None:
    secret = subscribed(outbox, version)
    sent_to(outbox, memo)
    outbox.demo.receive(outbox.demo.chat_ids["Ada Lovelace"], "thank you")
    outbox.demo.advance(minutes=10)
    deliveries = outbox.demo.deliveries()
    for _ in range(2):
        for delivery in reversed(deliveries):
            outbox.ingest(delivery.body, delivery.headers, secret, scheme=scheme)
    by_name = {send.chat_name: send for send in outbox.sends()}
    assert {name: send.status for name, send in by_name.items()} == {
        "Ada Lovelace": "read", "Book Club": "sent", "Finn Fails": "failed", "Fay Fails Then Delivers": "delivered",
        "Zoe Zero Retention": "delivered",
    }  # fmt: skip
    assert (by_name["Finn Fails"].error_code, by_name["Finn Fails"].error_message) == (4001, "Message send failed")
    assert by_name["Fay Fails Then Delivers"].failed_at is not None
    assert by_name["Fay Fails Then Delivers"].error_code is None
    events = [event for send in outbox.sends() for event in outbox.history(send) if event.source == "webhook"]
    assert len(events) == len(deliveries) - 1  # without the message of the other side
    assert len(session_of(outbox).journal.events("")) == 1
    by_webhooks = columns(outbox)
    with linq_nb.connect(demo=True, journal=str(tmp_path / "polled.sqlite")) as other:
        for send in outbox.sends():
            session_of(other).journal.claim(send, (), "me")
            session_of(other).journal.replace(send, was="preparing")
        other.refresh(other.sends())
        assert columns(other) == by_webhooks


def test_a_delivery_returns_its_event_with_the_send(outbox: Outbox, memo: VoiceMemo) -> None:
    secret = subscribed(outbox)
    sent_to(outbox, memo, ["Ada Lovelace"])
    outbox.demo.advance(seconds=10)
    first, second = outbox.demo.deliveries()
    (send,) = outbox.sends()
    event = outbox.ingest(first.body, first.headers, secret)
    assert (event.send_id, event.status, event.source) == (send.send_id, "sent", "webhook")
    assert outbox.ingest(first.body, first.headers, secret) == event
    with pytest.raises(WebhookError):
        outbox.ingest(second.body, first.headers, secret)
    outbox.demo.advance(minutes=6)
    with pytest.raises(WebhookError, match="ingest_stored"):
        outbox.ingest(second.body, second.headers, secret)
    assert [event.source for event in outbox.history(send)] == ["post", "webhook"]


def test_the_secret_may_come_from_the_environment_but_never_be_missing(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = signed(payload("sent"), at=session_of(outbox).now())
    with pytest.raises(SettingsError, match="LINQ_WEBHOOK_SECRET"):
        outbox.ingest(body, headers)
    for empty in ("", [], ["x", ""]):
        with pytest.raises(SettingsError):
            outbox.ingest(body, headers, empty)
    assert session_of(outbox).journal.events("") == []
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", f"whsec_AAAA {SECRET}")
    assert outbox.ingest(body, headers).event_type == "message.sent"


# --- stored elsewhere ---


def stored(tmp_path: Path, kind: str) -> tuple[Any, dict[str, Any]]:
    """The same four payloads, one of them twice, and three invalid ones, stored in one of several ways."""
    good = [payload("sent"), payload("delivered", 2), payload("received", 3, direction="inbound"), payload("sent")]
    bad: list[Any] = ["{", [1], {"hello": "world"}]
    folder = tmp_path / "hooks"
    folder.mkdir()
    lines = [item if isinstance(item, str) else json.dumps(item) for item in [*bad[:2], *good, bad[2]]]
    if kind == ".jsonl":
        (folder / "all.jsonl").write_bytes(b"\xff\xfe\n\n" + "\n".join(lines[1:]).encode())
        return folder / "all.jsonl", {}
    if kind == "list":
        (folder / "all.json").write_text(json.dumps([*good, *bad]))
        return str(folder / "all.json"), {}
    if kind == "lines in .json":
        (folder / "all.json").write_text("\n".join(json.dumps(item) for item in good) + "\n{\n{not: so}\n{}")
        return str(folder / "all.json"), {}
    if kind == "folder":
        for number, line in enumerate(lines):  # as many keep them: by day
            (day := folder / f"2026-03-0{number % 3 + 1}").mkdir(exist_ok=True)
            (day / f"{number}.json").write_text(f"[{line}]" if line.startswith("[") else line)
        (folder / "readme.txt").write_text("not for us")
        return folder, {}
    if kind == "column":
        return pd.DataFrame({"at": range(7), "hook": [*good, None, 3.5, "x"]}), {"column": "hook"}
    if kind == "series":
        return pd.Series([*map(json.dumps, good), "", "null", "[]"]), {}
    return iter([*good, *bad]), {}


@pytest.mark.parametrize("kind", [".jsonl", "list", "lines in .json", "folder", "column", "series", "iterator"])
def test_stored_payloads_are_written_and_invalid_ones_are_skipped(outbox: Outbox, tmp_path: Path, kind: str) -> None:
    source, more = stored(tmp_path, kind)
    counts = outbox.ingest_stored(source, **more)
    assert (counts.new, counts.not_ours, counts.repeated, counts.refused, counts.unreadable) == (0, 3, 1, 0, 3)
    assert counts.total == 7
    assert "skipped" in str(counts.first_error) or "not an event" in str(counts.first_error)
    assert "7 webhooks" in repr(counts)
    if kind != "iterator":
        again = outbox.ingest_stored(source, **more)
        assert (again.repeated, again.unreadable, again.total) == (4, 3, 7)


def test_stored_deliveries_bring_sends_up_to_date_and_are_verified_at_any_age(
    outbox: Outbox, memo: VoiceMemo, tmp_path: Path
) -> None:
    secret = subscribed(outbox)
    sent_to(outbox, memo)
    outbox.demo.advance(minutes=10)
    file = tmp_path / "hooks.jsonl"
    deliveries = [{"headers": dict(item.headers), "body": item.body.decode()} for item in outbox.demo.deliveries()]
    forged = {**deliveries[0], "body": deliveries[0]["body"].replace("sent", "read")}
    bare = json.loads(deliveries[1]["body"])
    file.write_text("\n".join(json.dumps(item) for item in [forged, bare, *deliveries]))
    outbox.demo.advance(days=40)
    counts = outbox.ingest_stored(file, secret=secret)
    assert (counts.new, counts.refused, counts.total) == (len(deliveries), 2, len(deliveries) + 2)
    assert {send.status for send in outbox.sends()} == {"read", "sent", "failed", "delivered"}
    frame = pd.DataFrame(deliveries)
    assert outbox.ingest_stored(frame, secret=secret).repeated == len(deliveries)
    frame["headers"] = frame["headers"].map(lambda headers: json.dumps(headers))
    assert outbox.ingest_stored(frame, secret=[secret, "whsec_AAAA"]).repeated == len(deliveries)
    assert outbox.ingest_stored(frame, secret="whsec_AAAA").refused == len(deliveries)


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ("nothing.jsonl", {}, "no file or folder 'nothing.jsonl'"),
        (3, {}, "not of type int"),
        (b"{}", {}, "not of type bytes"),
        (pd.DataFrame({"a": [1], "b": [2]}), {"column": "c"}, "no column 'c'"),
        (pd.DataFrame({"a": [1], "b": [2]}), {}, "column="),
    ],
)
def test_an_unknown_source_is_refused(outbox: Outbox, source: Any, more: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        outbox.ingest_stored(source, **more)


def test_many_stored_events_are_written_in_one_go(outbox: Outbox) -> None:
    many = [payload("sent", n / 7) for n in range(1200)]
    assert outbox.ingest_stored(many).not_ours == 1200
    assert outbox.ingest_stored(payload("sent")).not_ours == 1


def test_a_journal_that_cannot_be_written_raises_and_the_delivery_can_come_again(tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    with linq_nb.connect(demo=True, fresh=True, journal=str(file)) as outbox, closing(sqlite3.connect(file)) as other:
        body, headers = signed(payload("sent"), at=session_of(outbox).now())
        other.execute("ALTER TABLE events RENAME TO away")
        with pytest.raises(linq_nb.JournalError):
            outbox.ingest(body, headers, SECRET)
        other.execute("ALTER TABLE away RENAME TO events")
        assert outbox.ingest(body, headers, SECRET).event_type == "message.sent"
