"""Lengths, sizes, times, masks: in the words of a person, and without private data."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from view_samples import HOSTILE, NOW

from linq_nb.text import clean, mask, mask_text, place, short_id
from linq_nb.views import ago, duration, moment, size


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "?:??"),
        (0, "0:00"),
        (120, "0:01"),
        (3999, "0:04"),
        (15_000, "0:15"),
        (15_499, "0:15"),
        (59_500, "0:59"),
        (600_000, "10:00"),
        (3_723_000, "1:02:03"),
    ],
)
def test_a_duration_is_written_in_words(ms: int | None, text: str) -> None:
    assert duration(ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (48_213, "48.2 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10_000_000, "10.0 MB"),
    ],
)
def test_a_size_is_written_in_words(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-30, "just now"),
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (185, "3 minutes ago"),
        (3600, "1 hour ago"),
        (7300, "2 hours ago"),
        (86_400, "1 day ago"),
        (30 * 86_400, "30 days ago"),
    ],
)
def test_a_past_time_is_written_in_words(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_a_time_is_written_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert moment(datetime(2026, 11, 23, 21, 42, 10, 987_654, tzinfo=berlin)) == "2026-11-23 20:42:10 UTC"
    assert moment(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02 00:00:00 UTC"


@pytest.mark.parametrize(
    ("handle", "masked"),
    [
        ("+12025555597", "+1•••••5597"),
        ("+4915112345678", "+49•••••5678"),
        ("+353861234567", "+353•••••4567"),
        ("+79161234567", "+7•••••4567"),
        ("12025555597", "•••••5597"),
        ("lin@example.com", "l•••@example.com"),
        ("@example.com", "•••@example.com"),
        ("+1•••••5597", "+1•••••5597"),
        ("l•••@example.com", "l•••@example.com"),
        ("40404", "4•••"),
        ("ada", "a•••"),
        ("", "•••"),
        ("\u202a+12025555597\u202c", "+1•••••5597"),
    ],
)
def test_a_handle_is_masked(handle: str, masked: str) -> None:
    assert mask(handle) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call +12025555597 now", "call +1•••••5597 now"),
        ("+1 (202) 555-5597 and +49 151 1234 5678", "+1•••••5597 and +49•••••5678"),
        ("to=%2B12025555597", "to=+1•••••5597"),
        ("+12025555597 5 attempts", "+1•••••5597 5 attempts"),
        ("ada.l+x@example.co.uk, lin@example.com.", "a•••@example.co.uk, l•••@example.com."),
        ("ada+12025555597@example.com", "a•••@example.com"),
        ("https://u:p@h.example/m.m4a?sig=secret", "https://h.example/m.m4a?…"),
        ("see HTTPS://h.example/+12025555597?to=lin@example.com", "see HTTPS://h.example/+1•••••5597?…"),
        ("+1 more, 2 + 2 = 4, +5 dB, 2026-11-23 20:42:10", "+1 more, 2 + 2 = 4, +5 dB, 2026-11-23 20:42:10"),
        ("id 69a37c7d-af4f-4b5e-af42-e28e98ce873a", "id 69a37c7d-af4f-4b5e-af42-e28e98ce873a"),
    ],
)
def test_handles_in_a_text_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked
    assert mask_text(masked) == masked


@pytest.mark.parametrize("part", ["a", "@", "a@", "+1", "a.a@a.", "+1 2 ", "https://", "%2b"])
def test_masking_takes_linear_time(part: str) -> None:
    start = time.process_time()  # of the processor: others on the machine do not count
    mask_text(part * 100_000)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\n lines\tand a tab ", "two lines and a tab"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "link"),
        ("\x9b31mred", "red"),
        ("nul\x00bell\x07", "nul\\x00bell\\x07"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("lone \udcff", "lone \\udcff"),
        ("👩\u200d👧 می\u200cخواهم שירה", "👩\u200d👧 می\u200cخواهم שירה"),
        ("x" * 200, "x" * 119 + "…"),
        (None, "None"),
    ],
)
def test_foreign_text_is_cleaned(text: object, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_clean_text_is_one_short_printable_line(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert len(shown) <= 120
    assert clean(shown) == shown
    shown.encode()


def test_a_url_is_written_as_host_and_path() -> None:
    assert place("https://u:p@cdn.example.com:8443/a/m.m4a?sig=1#x") == "cdn.example.com/a/m.m4a"
    assert place("https://[::1") == "a URL that cannot be read"


def test_an_id_is_shortened() -> None:
    assert short_id("69a37c7d-af4f-4b5e-af42-e28e98ce873a") == "69a3…"
    assert short_id("m1") == "m1"
    assert short_id(None) == "?"
