"""Records: loading a memo, naming its content, and the effect of a later observation on a send."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from core_samples import AT, ATTACHMENT_ID, CHAT_ID, a_send, chat, memo, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_nb import AudioError, VoiceMemo
from linq_nb.model import (
    Draft,
    Event,
    Finding,
    Findings,
    Send,
    is_uuid,
    send_id,
    source_of,
)
from linq_nb.status import CLOSED_STATUSES, LINQ_STATUSES, OUR_STATUSES, RUNNABLE_STATUSES
from linq_nb.text import names_of, plain_url


def event(status: str | None, n: int = 0, **fields: Any) -> Event:
    return Event(send_id="s", at=AT + timedelta(seconds=n), source="webhook", status=status, **fields)


def seen(send: Send, *events: Event) -> Send:
    for seen_event in events:
        send = send.observed(seen_event)
    return send


# --- observing ---

LIFE = (
    event("queued", 1, message_id="m"),
    event("sent", 2, sent_at=AT, service="iMessage", message_id="m"),
    event("failed", 3, failed_at=AT, error_code=4001, error_message="Message delivery failed", message_id="m"),
    event("delivered", 4, delivered_at=AT, service="iMessage", message_id="m"),
    event("read", 5, read_at=AT, message_id="m"),
)


@pytest.mark.parametrize("count", range(1, 6))
def test_events_in_any_order_end_the_same(count: int) -> None:
    for chosen in itertools.combinations(LIFE, count):
        ends = {seen(a_send(status="queued"), *order) for order in itertools.permutations(chosen)}
        assert len(ends) == 1, [send.status for send in chosen]
        assert ends.pop().status == max((send.status for send in chosen), key=list(RANKS).index)


RANKS = ("pending", "queued", "sent", "expired", "failed", "delivered", "read")


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.sampled_from(RANKS), min_size=1, max_size=6), st.randoms())
def test_a_status_never_goes_back(words: list[str], random: Any) -> None:
    events = [event(word, n) for n, word in enumerate(words)]
    mixed = random.sample(events, len(events))
    assert seen(a_send(status="queued"), *mixed) == seen(a_send(status="queued"), *events)
    assert seen(a_send(status="queued"), *events).status == max((*words, "queued"), key=RANKS.index)


def test_failed_may_still_be_delivered_and_then_has_no_error() -> None:
    failed, delivered = LIFE[2], LIFE[3]
    for order in ((failed, delivered), (delivered, failed)):
        end = seen(a_send(status="sent"), *order)
        assert (end.status, end.error_code, end.error_message) == ("delivered", None, None)
        assert end.failed_at == AT
    assert seen(a_send(status="sent"), failed).error_code == 4001
    assert seen(a_send(status="sent"), failed, event("failed", 9)).error_code == 4001


def test_a_send_found_after_a_lost_answer_has_no_error() -> None:
    lost = a_send(error_message="no answer came", http_status=500, error_code=3006)
    reconciled = lost.observed(event("sent", 1, message_id="m", reconcile_result="found"))
    assert (reconciled.status, reconciled.message_id, reconciled.error_message, reconciled.error_code) == (
        "sent",
        "m",
        None,
        None,
    )
    assert reconciled.http_status == 500
    still = lost.observed(event("unknown", 1, reconcile_result="not_found"))
    assert (still.status, still.error_code, still.reconcile_result) == ("unknown", 3006, "not_found")


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        ("sent", {"delivered_at": AT}, "delivered"),
        ("sent", {"read_at": AT}, "read"),
        ("delivered", {"read_at": AT}, "read"),
        (None, {"sent_at": AT}, "sent"),
        ("pending", {"sent_at": AT}, "sent"),
        ("failed", {"sent_at": AT}, "failed"),
        ("received", {}, "queued"),
        (None, {}, "queued"),
        ("teleported", {}, "teleported"),
        ("unknown", {}, "queued"),
        ("not_sent", {}, "queued"),
    ],
)
def test_the_times_of_an_event_decide_the_status_too(status: str | None, fields: Any, expected: str) -> None:
    assert a_send(status="queued").observed(event(status, **fields)).status == expected


def test_an_unknown_status_is_kept_until_a_known_status_comes() -> None:
    new = a_send(status="queued").observed(event("teleported"))
    assert new.status == "teleported"
    assert new.is_open
    assert new.observed(event("delivered")).status == "delivered"


@pytest.mark.parametrize("before", ["failed", "delivered", "read"])
def test_a_send_does_not_go_back_to_sent_after_an_unknown_status(before: str) -> None:
    new = a_send(status="queued").observed(event(before, **{f"{before}_at": AT})).observed(event("teleported"))
    assert new.status == "teleported"
    assert new.observed(event("sent", sent_at=AT)).status == before
    assert new.observed(event("read")).status == "read"


@pytest.mark.parametrize("status", OUR_STATUSES)
def test_a_status_of_linqs_replaces_a_status_of_ours(status: str) -> None:
    assert a_send(status=status).observed(event("delivered")).status == "delivered"


def test_checked_at_and_trace_id_do_not_go_back() -> None:
    send = (
        a_send(status="queued", trace_id="t1").observed(event("sent", 9)).observed(event("delivered", 3, trace_id="t2"))
    )
    assert send.checked_at == AT + timedelta(seconds=9)
    assert send.trace_id == "t1"


def test_statuses_do_not_overlap() -> None:
    assert not set(LINQ_STATUSES) & set(OUR_STATUSES)
    assert set(OUR_STATUSES) > set(RUNNABLE_STATUSES)
    assert set(CLOSED_STATUSES) > set(OUR_STATUSES)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "queued"}, True),
        ({"status": "sent"}, True),
        ({"status": "sent", "is_group": True}, False),
        ({"status": "sent", "service": "SMS"}, False),
        *[({"status": status}, False) for status in CLOSED_STATUSES],
    ],
)
def test_a_send_is_open_while_linq_may_report_more(fields: Any, expected: bool) -> None:
    assert a_send(**fields).is_open == expected


def test_seconds_are_from_post_to_answer_to_delivery_to_read() -> None:
    at = [AT + timedelta(seconds=n) for n in (0, 0.25, 3, 10)]
    send = a_send(posted_at=at[0], accepted_at=at[1], delivered_at=at[2], read_at=at[3])
    assert (send.accept_s, send.delivery_s, send.read_s) == (0.25, 3.0, 7.0)
    empty = a_send(posted_at=None)
    assert (empty.accept_s, empty.delivery_s, empty.read_s) == (None, None, None)


# --- names ---


def test_a_plain_url_shows_no_login_query_or_fragment() -> None:
    assert plain_url("HTTPS://me:pw@X.example:8443/a.m4a?sig=1#f") == "https://x.example:8443/a.m4a"
    assert plain_url("https://[2001:db8::1]:443/a") == "https://[2001:db8::1]/a"


def test_content_is_the_digest_where_known_then_the_url_then_the_attachment() -> None:
    loaded = memo()
    assert loaded.content == f"sha256:{loaded.sha256}"
    by_url = VoiceMemo.from_url("https://X.example/a.wav")
    assert by_url.content == "uri:https://x.example/a.wav"
    fetched = by_url.fetched(wav())
    assert fetched.content == loaded.content
    assert fetched.names == (loaded.content, by_url.content)
    assert (fetched.source, fetched.url) == ("url", by_url.url)
    assert VoiceMemo.from_attachment(ATTACHMENT_ID.upper()).content == f"attachment:{ATTACHMENT_ID}"


def test_a_converted_memo_counts_as_its_source() -> None:
    source = memo()
    converted = dataclasses.replace(memo(tone=440), origin_sha256=source.sha256)
    assert converted.content == source.content
    assert set(converted.names) == {source.content, f"sha256:{converted.sha256}"}


def test_a_send_id_is_the_same_on_every_machine_and_differs_for_every_other_send() -> None:
    key = ("https://x/api", CHAT_ID, "sha256:ab", 1)
    assert is_uuid(send_id(*key))
    others = {send_id("https://y/api", *key[1:]), send_id(*key[:3], 2), send_id(key[0], "c", *key[2:])}
    assert len(others | {send_id(*key)}) == 4


def test_a_chat_id_has_one_spelling() -> None:
    upper = Draft(memo=memo(), chat=CHAT_ID.upper())
    assert upper.chat_id == CHAT_ID == Draft(memo=memo(), chat=chat(chat_id=CHAT_ID.upper())).chat_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHAT_ID, True),
        (CHAT_ID.upper(), True),
        (CHAT_ID.replace("-", ""), False),
        ("{" + CHAT_ID[1:-1] + "}", False),
        (CHAT_ID[:-1] + "g", False),
        ("../" + CHAT_ID[3:], False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_is_uuid_accepts_uuids_only(text: object, expected: bool) -> None:
    assert is_uuid(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x.example/a.m4a", "url"),
        ("HTTPS://x.example/a.m4a", "url"),
        ("http://x.example/a.m4a", "url"),  # which the checks refuse, as no file would be
        ("s3://bucket/a.m4a", "url"),
        (ATTACHMENT_ID, "attachment"),
        (ATTACHMENT_ID + ".m4a", "file"),
        ("takes/https://a.m4a", "file"),
        ("C:\\memos\\a.m4a", "file"),
        ("://a.m4a", "file"),
        ("a.m4a", "file"),
        ("", "file"),
    ],
)
def test_a_text_is_a_url_an_attachment_id_or_a_path(text: str, expected: str) -> None:
    assert source_of(text) == expected


def test_each_kind_of_text_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(wav())
    assert VoiceMemo.load("https://x.example/a.m4a") == VoiceMemo.from_url("https://x.example/a.m4a")
    assert VoiceMemo.load(ATTACHMENT_ID) == VoiceMemo.from_attachment(ATTACHMENT_ID)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, folder in (("a.wav", tmp_path), (str(tmp_path / "a.wav"), "elsewhere"), ("~/a.wav", "elsewhere")):
        assert VoiceMemo.load(name, folder=folder).path == tmp_path / "a.wav"


@pytest.mark.parametrize("text", ["", "no/such.wav", "\0", "~nobody-of-this-name/x", "https://", "https://[x"])
def test_a_text_that_names_nothing_is_an_error_of_one_line(text: str) -> None:
    with pytest.raises(AudioError, match="nothing was sent") as raised:
        VoiceMemo.load(text)
    assert "\n" not in str(raised.value)


def test_findings_are_a_list_that_shows_as_a_table() -> None:
    findings = Findings([Finding(level="warning", code="x", message="it is <long>")])
    shown = findings._repr_mimebundle_()
    assert findings == [Finding(level="warning", code="x", message="it is <long>")]
    assert shown["text/plain"] == "warning  it is <long>"
    assert "it is &lt;long&gt;" in shown["text/html"]
    assert "no problems found" in Findings()._repr_mimebundle_()["text/plain"]


def test_names_are_joined_for_a_sentence() -> None:
    assert [names_of(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


# --- loading ---


def test_the_format_of_a_file_follows_its_content(tmp_path: Path) -> None:
    file = tmp_path / "hello.mp3"
    file.write_bytes(wav())
    loaded = VoiceMemo.from_file(file)
    assert (loaded.source, loaded.format, loaded.filename, loaded.size_bytes) == (
        "file",
        "wav",
        "hello.mp3",
        len(wav()),
    )
    assert loaded.duration_ms == 500
    assert loaded.path == file.absolute()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.wav", "no file 'missing.wav'"),
        ("", "is a folder"),
        ("x" * 300, "cannot read"),
        ("a\0b.wav", "cannot read"),
        ("pipe", "a device or a pipe"),
        ("locked/x.wav/y", "cannot read|no file"),
    ],
)
def test_a_file_that_cannot_be_read_says_so_without_its_folder(tmp_path: Path, name: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "locked").write_text("no folder")
    with pytest.raises(AudioError, match=why) as caught:
        VoiceMemo.from_file(f"{tmp_path}/{name}")
    assert str(tmp_path) not in str(caught.value)


def test_the_home_folder_of_an_unknown_user_is_an_audio_error() -> None:
    with pytest.raises(AudioError, match="unknown user"):
        VoiceMemo.from_file("~nobody-of-that-name/hello.wav")


def test_a_file_name_that_is_no_valid_text_becomes_valid(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    Path(os.fsdecode(file)).write_bytes(wav())
    loaded = VoiceMemo.from_file(os.fsdecode(file))
    assert loaded.filename is not None
    loaded.filename.encode()
    loaded.unchanged()


def test_a_file_that_changes_after_it_was_loaded_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "hello.wav"
    file.write_bytes(wav())
    loaded = VoiceMemo.from_file(file)
    loaded.unchanged()
    file.write_bytes(wav(tone=440))
    with pytest.raises(AudioError, match=r"hello\.wav changed since it was loaded; nothing was sent"):
        loaded.unchanged()
    file.unlink()
    with pytest.raises(AudioError, match="nothing was sent"):
        loaded.unchanged()


@pytest.mark.parametrize("data", [b"", b"hello", b"<html>", wav()[:20], b"\0" * 1000])
def test_bytes_that_are_no_audio_are_an_audio_error(data: bytes) -> None:
    with pytest.raises(AudioError):
        VoiceMemo.from_bytes(data, "hello.wav")


def test_samples_become_a_wav() -> None:
    loaded = VoiceMemo.from_samples([0.0, 0.5, -0.5, 0.0] * 2000, 8000)
    assert (loaded.source, loaded.format) == ("samples", "wav")
    assert (loaded.duration_ms, loaded.filename) == (1000, "memo.wav")
    with pytest.raises(AudioError):
        VoiceMemo.from_samples([0.0, float("nan")], 8000)


@pytest.mark.parametrize(
    "url", ["", "hello", "https://", "https://x y/a.wav", "https://x:99999/a", "https://[x/a", "https://x/\ud800.wav"]
)
def test_an_invalid_url_is_an_audio_error(url: str) -> None:
    with pytest.raises(AudioError, match="not a URL"):
        VoiceMemo.from_url(url)


def test_a_url_is_named_by_its_path_and_not_fetched() -> None:
    loaded = VoiceMemo.from_url("https://x.invalid/dir/my%20memo.m4a?sig=1")
    assert (loaded.filename, loaded.format) == ("my memo.m4a", "m4a")
    assert (loaded.data, loaded.sha256) == (None, None)


@pytest.mark.parametrize("identity", ["", "hello", CHAT_ID + "0", CHAT_ID.replace("-", "")])
def test_an_invalid_attachment_id_is_an_audio_error(identity: str) -> None:
    with pytest.raises(AudioError, match="not an attachment id"):
        VoiceMemo.from_attachment(identity)


def test_a_url_memo_has_nothing_to_convert_before_it_was_fetched() -> None:
    with pytest.raises(AudioError, match=r"outbox\.fetch"):
        VoiceMemo.from_url("https://x.example/a.m4a").convert()


def test_records_are_frozen_comparable_and_can_be_pickled() -> None:
    for record in (memo(), chat(), a_send(), event("sent")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, "x")
        assert pickle.loads(pickle.dumps(record)) == record
