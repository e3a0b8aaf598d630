"""The table of sends that are followed: text and HTML show the same, escaped, with the reason of failures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from linq_nb import Send, views

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = NINE + timedelta(hours=2)


def a_send(send_id: str = "s", **fields: Any) -> Send:
    given = {"base_url": "https://x", "content": "c", "chat_id": "k", "message_id": "m", "chat_name": "Ada"}
    more = {"status": "queued", "accepted_at": NINE, "filename": "hello.m4a", "to_handles": ("+12025550111",)}
    return Send(send_id=send_id, **{**given, **more, **fields})


def rows(*sends: Send, unconfirmed: Any = ()) -> list[str]:
    return views.followed_rows(sends, now=NOW, unconfirmed=unconfirmed).text.splitlines()


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({}, ""),
        ({"status": "sent", "is_group": True}, ", groups give no further receipts"),
        ({"status": "sent", "service": "SMS"}, ", SMS gives no further receipts"),
        ({"status": "delivered", "delivered_at": NINE + timedelta(seconds=2.5)}, ", delivered in 2.5 s"),
        ({"status": "failed"}, ", Linq reports the reason by webhook only"),
        ({"status": "not_sent", "error_message": "no such file"}, ", no such file"),
        ({"status": "teleported"}, ""),
    ],
)
def test_a_row_has_the_status_the_memo_and_a_note(fields: dict[str, Any], note: str) -> None:
    (row,) = rows(a_send(**fields))
    assert row.startswith(fields.get("status", "queued"))
    assert row.endswith(f"hello.m4a{note}")


def test_a_read_send_shows_both_times() -> None:
    times = {"delivered_at": NINE + timedelta(seconds=2), "read_at": NINE + timedelta(seconds=92)}
    assert rows(a_send(status="read", **times))[0].endswith("delivered in 2.0 s, read 1:30 later")


def test_a_failure_with_a_code_is_explained() -> None:
    (row,) = rows(a_send(status="failed", error_code=4001, error_message="Message send failed"))
    assert "4001" in row
    assert row.endswith("Message send failed")


def test_unconfirmed_is_its_own_word_and_not_failed() -> None:
    (row,) = rows(a_send(), unconfirmed={"s"})
    assert row.startswith("unconfirmed")
    assert row.endswith("queued for 2 hours, no report of its delivery; it may have arrived")


def test_the_line_counts_in_a_fixed_order() -> None:
    sends = [
        a_send(str(n), status=status) for n, status in enumerate(["failed", "read", "queued", "teleported", "read"])
    ]
    line = views.followed_line(sends, now=NINE + timedelta(seconds=17), started=NINE)
    assert line == "3 of 5 settled after 0:17: 2 read, 1 queued, 1 failed, 1 teleported"
    assert views.followed_line([], now=NINE, started=NINE) == "nothing to follow"


def test_html_and_text_say_the_same() -> None:
    sends = [a_send("1"), a_send("2", status="failed", error_code=4001)]
    shown = views.followed(sends, now=NOW, started=NINE, notes=["the time is over; 1 still open"])
    words = re.sub(r"<[^>]+>", " ", unescape(shown.html))
    for line in shown.text.splitlines():
        for part in re.split(r"\s{2,}|: ", line):
            assert part in " ".join(words.split()) or part in words


def test_a_long_table_keeps_the_rows_that_need_attention() -> None:
    sends = [a_send(str(n), status="delivered", chat_name=f"chat {n}") for n in range(80)]
    sends[70:72] = [a_send("70", status="failed", chat_name="seventy"), a_send("71", chat_name="late")]
    text = views.followed_rows(sends, now=NOW, unconfirmed={"71"}).text
    assert "seventy" in text
    assert "late" in text
    assert text.endswith("and 30 more")
    assert len(text.splitlines()) == 51


@pytest.mark.parametrize("field", ["chat_name", "filename", "status", "error_message", "service"])
def test_foreign_text_is_escaped_and_masked(field: str) -> None:
    hostile = "<script>x</script>\x1b[31m +12025550111"
    send = a_send(**{"status": "failed", field: hostile})
    shown = views.followed([send], now=NOW, started=NINE, notes=[hostile])
    assert "<script" not in shown.html
    assert "2025550111" not in shown.html + shown.text
    assert "\x1b" not in shown.html + shown.text
