"""Linq's JSON is read tolerantly, and nothing secret comes out of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_samples import AT, ATTACHMENT_ID, CHAT_ID, MESSAGE_ID, accepted_body, an_answer, error_body
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_nb import answer_errors, errors, storable, wire
from linq_nb.client import bodies
from linq_nb.status import OUR_STATUSES
from linq_nb.text import redact
from linq_nb.wire import Unreadable

NEW_YEAR = "2026-01-01T00:00:00Z"
HANDLE = {"id": "1", "handle": "+12025550111", "joined_at": NEW_YEAR, "service": "iMessage", "is_me": True}
CHAT = {
    "id": CHAT_ID,
    "display_name": "Ada",
    "is_group": False,
    "service": "iMessage",
    "health_status": {"status": "HEALTHY", "doc_url": "https://x", "updated_at": "2026-01-01T00:00:00Z"},
    "handles": [HANDLE],
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
PART = {"type": "media", "id": ATTACHMENT_ID, "filename": "a.wav", "mime_type": "audio/wav", "size_bytes": 10}
MESSAGE = {
    "id": MESSAGE_ID,
    "chat_id": CHAT_ID,
    "created_at": "2026-01-01T00:00:00Z",
    "is_from_me": True,
    "delivery_status": "sent",
    "parts": [PART],
}
UPLOAD = {
    "attachment_id": ATTACHMENT_ID,
    "upload_url": "https://up.example/x?sig=1",
    "http_method": "PUT",
    "required_headers": {"Content-Type": "audio/x-wav", "Content-Length": "10"},
    "expires_at": "2026-01-01T00:15:00Z",
}
LINE = {"id": "p1", "phone_number": "+12025550100", "reputation": {"status": "healthy"}, "line_type": "iMessage"}
SUBSCRIPTION = {"id": "s1", "target_url": "https://x", "subscribed_events": ["a"], "signing_secret": "whsec_x"}

READERS: list[tuple[Callable[[Any], Any], dict[str, Any]]] = [
    (wire.handle, HANDLE),
    (wire.chat, CHAT),
    (wire.message, MESSAGE),
    (wire.attachment, UPLOAD),
    (wire.attachment, PART),
    (wire.line, LINE),
    (wire.subscription, SUBSCRIPTION),
    (lambda raw: wire.accepted(an_answer(202, json.dumps(raw))), accepted_body()),
]
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none(), max_size=2)
ODD = ODD | st.dictionaries(st.text(), ODD, max_size=2) | st.just("\ud800\0") | st.just(10**400)


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The same JSON with fields dropped, emptied, of other types and added."""
    if draw(st.integers(0, 5)) == 0:
        return draw(ODD)
    if isinstance(value, dict):
        kept = {k: draw(mutated(v)) for k, v in value.items() if draw(st.integers(0, 5))}
        return kept | draw(st.dictionaries(st.text(), ODD, max_size=2))
    return [draw(mutated(item)) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("read", "sample"), READERS, ids=lambda param: getattr(param, "__name__", ""))
def test_a_reader_of_any_json_returns_a_record_or_says_unreadable(read: Callable[[Any], Any], sample: Any) -> None:
    @settings(max_examples=40, deadline=None, database=None)
    @given(mutated(sample))
    def check(raw: Any) -> None:
        with contextlib.suppress(Unreadable):
            read(raw if isinstance(raw, dict) else {})

    check()


@settings(max_examples=100, deadline=None, database=None)
@given(st.integers(100, 599), st.text() | st.builds(json.dumps, mutated(error_body(404, 2001))))
def test_an_error_of_any_answer_is_one_of_our_tree_on_one_line(status: int, text: str) -> None:
    error = answer_errors.error_of(an_answer(status, text), "the chat")
    assert isinstance(error, errors.ApiError)
    assert "\n" not in str(error)
    assert "nothing was sent" in str(error)
    str(error).encode()


def test_null_and_missing_are_alike() -> None:
    assert wire.chat({"id": CHAT_ID}) == wire.chat(dict.fromkeys(CHAT, None) | {"id": CHAT_ID})
    assert wire.message({"id": "m"}) == wire.message(dict.fromkeys(MESSAGE, None) | {"id": "m"})


def test_a_list_that_is_null_is_empty_and_one_that_is_missing_is_unreadable() -> None:
    assert wire.page(an_answer(200, '{"chats": null, "next_cursor": null}'), "chats", wire.chat) == ([], None)
    with pytest.raises(Unreadable, match="no list 'chats'"):
        wire.page(an_answer(200, '{"messages": []}'), "chats", wire.chat)


def test_records_without_an_id_are_passed_over_in_a_list() -> None:
    page = an_answer(200, json.dumps({"chats": [{}, CHAT, 7], "next_cursor": ""}))
    chats, cursor = wire.page(page, "chats", wire.chat)
    assert [chat.chat_id for chat in chats] == [CHAT_ID]
    assert cursor is None


@pytest.mark.parametrize("word", ["healthy", "HEALTHY", "Healthy"])
def test_health_is_read_in_any_case(word: str) -> None:
    assert wire.chat(CHAT | {"health_status": {"status": word}}).health_status == "HEALTHY"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ({"delivery_status": "sent", "is_read": True}, "sent"),
        ({"is_read": True, "is_delivered": True}, "read"),
        ({"is_delivered": True}, "delivered"),
        ({"is_delivered": False}, None),
        ({"delivery_status": "teleported"}, "teleported"),
        ({"delivery_status": 7}, None),
    ],
)
def test_a_status_falls_back_on_the_deprecated_booleans(raw: dict[str, Any], status: str | None) -> None:
    assert wire.message({"id": "m", **raw}).delivery_status == status


@pytest.mark.parametrize("word", OUR_STATUSES)
def test_a_status_of_ours_in_linqs_json_is_ignored(word: str) -> None:
    """If ``not_sent`` from Linq were trusted, the same memo could be sent a second time."""
    assert wire.message({"id": "m", "delivery_status": word}).delivery_status is None
    assert wire.accepted(an_answer(202, json.dumps(accepted_body(status=word))))["status"] == "queued"


@pytest.mark.parametrize(
    ("parts", "files", "count"),
    [
        ([PART], 1, 1),
        ([PART | {"type": "voice_memo"}], 1, 1),
        ([{"type": "text", "value": "hi"}], 0, 1),
        ([{"type": "media"}], 0, None),
        ([{"type": "hologram"}], 0, None),
        ([], 0, 0),
        (None, 0, 0),
    ],
)
def test_a_part_of_an_unknown_type_may_be_a_file(parts: Any, files: int, count: int | None) -> None:
    read = wire.message({"id": "m", "parts": parts})
    assert (len(read.media), read.parts) == (files, count)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T09:00:00Z", AT),
        ("2026-03-02t09:00:00z", AT),
        ("2026-03-02T11:30:00+02:30", AT),
        ("2026-03-02T02:00:00-07:00", AT),
        *[(f"2026-03-02T09:00:00.{'5' * n}Z", AT.replace(microsecond=int(f"{'5' * n:0<6}"[:6]))) for n in range(1, 10)],
        ("2026-03-02T09:00:00.5555555555Z", None),
        ("2026-03-02T09:00:00", None),
        ("2026-13-02T09:00:00Z", None),
        ("2026-03-02T09:00:00+99:99", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("٢٠٢٦-03-02T09:00:00Z", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_times_are_rfc_3339_with_0_to_9_digits_and_become_utc(text: Any, expected: datetime | None) -> None:
    read = storable.time(text)
    assert read == expected
    assert read is None or read.tzinfo is UTC


DEEP = '{"voice_memo": {"id": "m", "x": ' + "[" * 400 + "]" * 400 + "}}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("<!doctype html><title>Sign in</title>", "HTML"),
        ("<html>", "HTML"),
        ("<Error><Code>AccessDenied</Code></Error>", "XML"),
        ('{"voice_memo": {"id": "69a', "cut off or broken"),
        ("[1, 2]", "JSON list"),
        ('"text"', "JSON str"),
        ("null", "JSON NoneType"),
        ("OK", "not JSON"),
        ("{" + '"a":{' * 100_000, "cut off or broken"),
        ('{"a": ' + "9" * 5000 + "}", "no voice_memo.id"),
        ("{}", "no voice_memo.id"),
        ('{"voice_memo": []}', "no voice_memo.id"),
        ('{"voice_memo": {"id": null}}', "no voice_memo.id"),
        ('{"voice_memo": {"id": ""}}', "no voice_memo.id"),
        ('{"voice_memo": {"id": 7}}', "no voice_memo.id"),
    ],
)
def test_the_error_for_an_unexpected_2xx_describes_the_answer(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        wire.accepted(an_answer(202, text))


def test_an_answer_that_was_cut_for_its_size_is_unreadable() -> None:
    cut = wire.Answer(http_status=200, text="{}", at=AT, cut=True)
    with pytest.raises(Unreadable, match="larger than 10 MB"):
        cut.json()


def test_a_deep_answer_is_read_and_kept_no_deeper_than_is_sensible() -> None:
    answer = an_answer(202, DEEP)
    assert wire.accepted(answer)["message_id"] == "m"
    assert "[too deep]" in json.dumps(redact(dict(answer.body)))


@pytest.mark.parametrize(
    ("headers", "field", "seconds"),
    [
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": " 7 "}, 9, 7),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "0"}, 9, 0),
        ({"retry-after": "-3"}, 9, 9),
        ({"retry-after": "soon"}, 9, 9),
        ({"retry-after": ""}, 9, 9),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:30 GMT"}, None, 30),
        ({"retry-after": "Mon, 02 Mar 2026 08:00:00 GMT"}, None, 0),
        ({"retry-after": "Mon, 02 Mar 2026 09:10:30 GMT", "date": "Mon, 02 Mar 2026 09:10:00 GMT"}, None, 30),
        ({"retry-after": "99999999999"}, None, 99999999999),
        ({"retry-after": "9" * 400}, 9, 1e12),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, 251629858799),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, 9, 9),
        ({}, 12, 12),
        ({}, 99999999999, 99999999999),
        ({}, 10**400, 1e12),
        ({}, -1, None),
        ({}, "12", None),
        ({}, True, None),
        ({}, 1e300, 1e12),
        ({}, None, None),
    ],
)
def test_retry_after_is_the_header_in_any_form_then_the_field(headers: Any, field: Any, seconds: Any) -> None:
    text = json.dumps(error_body(429, 1007, retry_after=field))
    assert wire.Answer(http_status=429, text=text, at=AT, headers=headers).retry_after == seconds


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = answer_errors.error_of(an_answer(429, json.dumps(error_body(429, 1007)), retry_after="3600"), "the memo")
    assert isinstance(error, errors.RateLimitError)
    assert error.retry_after == 3600
    assert "wait 3600 s" in str(error)


@pytest.mark.parametrize(
    ("date", "is_read"),
    [
        ("Mon, 02 Mar 2026 09:00:00 GMT", True),
        ("Fri, 31 Dec 9999 23:59:59 GMT", False),
        ("Fri, 31 Dec 9999 23:59:59 -2359", False),
        ("Mon, 01 Jan 1601 00:00:00 GMT", False),
        ("Mon, 02 Mar " + "9" * 5000 + " 09:00:00 GMT", False),
    ],
)
def test_an_impossible_date_is_no_evidence_of_linqs_clock(date: str, is_read: bool) -> None:
    answer = wire.Answer(http_status=200, text="{}", at=AT, headers={"date": date})
    assert (answer.server_time is not None) is is_read


@pytest.mark.parametrize("read", [wire.chat, wire.message, wire.attachment])
def test_an_id_that_no_index_takes_is_none(read: Callable[[Any], Any]) -> None:
    with pytest.raises(Unreadable, match="no 'id'"):
        read({"id": "i" * 201})


def test_a_trace_id_and_a_status_are_as_long_as_an_index_takes() -> None:
    text = '{"voice_memo": {"id": "m", "status": "' + "s" * 5000 + '"}}'
    answer = wire.Answer(http_status=202, text=text, at=AT, headers={"x-trace-id": "t" * 5000})
    assert answer.trace_id == "t" * 200
    assert wire.accepted(answer)["status"] == "s" * 200


def test_the_trace_id_is_the_headers_then_the_bodys() -> None:
    body = json.dumps(error_body(404, 2001))
    assert wire.Answer(http_status=404, text=body, at=AT, headers={"x-trace-id": "a1"}).trace_id == "a1"
    assert an_answer(404, body).trace_id == "f" * 32
    assert an_answer(200, "{}").trace_id is None


SECRETS = ["s3cr3t", "whsec_", "hunter2", "X-Amz"]


def test_the_stored_answer_has_no_secret_and_no_query_of_a_url() -> None:
    stored = json.dumps(
        redact(
            {
                "upload_url": "https://up.example/x?X-Amz-Signature=s3cr3t",
                "Upload_URL": "s3cr3t",
                "required_headers": {"x-sig": "s3cr3t"},
                "signing_secret": "whsec_s3cr3t",
                "authorization": "Bearer s3cr3t",
                "url": "https://cdn.linqapp.com/a.wav?Signature=s3cr3t#x",
                "text": "see HTTPS://cdn.example/a?k=s3cr3t, or https://me:hunter2@cdn.example/a and https://[s3cr3t?x",
                "deep": [{"parts": [{"url": "https://cdn.example/a.wav?s3cr3t"}]}],
                "fragment": "https://x.example/#access_token=s3cr3t",
                "number": 7,
            }
        )
    )
    assert not [secret for secret in SECRETS if secret in stored]
    assert "https://cdn.linqapp.com/a.wav" in stored
    assert "7" in stored


def test_a_doc_url_keeps_its_place_in_the_page_and_loses_its_query() -> None:
    page = "https://docs.linqapp.com/error/codes/2xxx/2001/#what"
    for given_url, stored in ((page, page), ("https://docs.linqapp.com/x?sig=s3cr3t", "https://docs.linqapp.com/x")):
        error = answer_errors.error_of(an_answer(404, json.dumps(error_body(404, 2001, doc_url=given_url))), "the chat")
        assert error.doc_url == stored


def test_an_error_message_masks_handles_and_folds_to_one_line() -> None:
    message = (
        "No chat with\n+12025550111 or ada@example.com, see https://x.example/a?sig=s3cr3t\x1b[31m " + "long " * 200
    )
    body = error_body(404, 2001)
    body["error"]["message"] = message
    text = str(answer_errors.error_of(an_answer(404, json.dumps(body)), "the chat"))
    assert "2025550111" not in text
    assert "ada@" not in text
    assert "s3cr3t" not in text
    assert "\x1b" not in text
    assert len(text) < 700


def test_an_error_page_keeps_no_signed_url_and_no_handle() -> None:
    page = '<html><a href="https://x.example/a?token=s3cr3t">+12025550111</a></html>'
    error = answer_errors.error_of(an_answer(502, page), "the chat")
    assert "s3cr3t" not in str(error.response)
    assert "2025550111" not in str(error.response)


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({"Content-Type": "audio/aac", "Content-Length": 10}, {"Content-Type": "audio/aac", "Content-Length": "10"}),
        ({"X": None, "Y": True, "Z": [1], "A\r\nB": "1", "C": "1\r\nEvil: 1", "D": "ü", "": "x"}, {}),
        (None, {}),
        ("x", {}),
    ],
)
def test_required_headers_are_read_only_where_they_can_be_headers(headers: Any, read: Any) -> None:
    assert dict(wire.attachment({"id": "a", "required_headers": headers}).required_headers) == read


def test_text_that_no_database_can_keep_is_replaced() -> None:
    assert wire.chat({"id": "c", "display_name": "A\ud800\0B"}).chat_name == "A\ufffd\ufffdB"


def test_a_memo_body_has_one_source_and_documented_fields_only() -> None:
    url = "https://x.example/a.m4a?sig=1"
    assert bodies.memo_body(voice_memo_url=url, attachment_id=None, override_optout=False) == {"voice_memo_url": url}
    by_id = bodies.memo_body(voice_memo_url=None, attachment_id=ATTACHMENT_ID, override_optout=True)
    assert by_id == {"attachment_id": ATTACHMENT_ID, "override_optout": True}
    for both in ((None, None), (url, ATTACHMENT_ID)):
        with pytest.raises(ValueError, match="exactly one"):
            bodies.memo_body(voice_memo_url=both[0], attachment_id=both[1], override_optout=False)


@pytest.mark.parametrize(("name", "size"), [("", 1), ("x" * 256, 1), ("a", 0), ("a", 104_857_601)])
def test_an_upload_outside_linqs_limits_is_never_announced(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        bodies.attachment_body(name, "audio/x-wav", size)


def test_every_time_of_a_message_is_read() -> None:
    names = ("created_at", "updated_at", "sent_at", "delivered_at", "read_at", "reconciled_at")
    raw = {name: (AT + timedelta(seconds=n)).isoformat() for n, name in enumerate(names)}
    read = wire.message({"id": "m", **raw})
    assert [getattr(read, name) for name in names] == [AT + timedelta(seconds=n) for n in range(6)]
