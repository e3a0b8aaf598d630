"""Text from elsewhere: numbers are masked in any spelling, controls are made visible, the journal keeps the text."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from core_samples import CHAT_ID
from raw_server import RawServer, answer, by_target

import linq_nb
from linq_nb import ApiError, LinqError, Outbox, PreflightError, VoiceMemo, to_frame
from linq_nb.errors import unmasked
from linq_nb.model import Attachment, Subscription
from linq_nb.text import clean, mask_json, mask_text, one_line

NUMBERS = [
    "12052535597", "+12052535597", "(205) 253-5597", "205-253-5597", "+1 205.253.5597", "+1 (205) 253-5597",
    "1\u2011205\u2011253\u20115597", "+1\u2011205\u2013253\u22125597", "205\u00a0253\u00a05597",
    "205\u202f253\u20095597", "１２０５２５３５５９７", "＋１２０５２５３５５９７", "٢٠٥٢٥٣٥٥٩٧",
    "\u202a+12052535597\u202c",
    "1205\u200b253\u20605597", "1205\x1b[31m2535597", "2535597", "253 5597", "1 205 2535597", "0049 30 1235597",
    "%2B12052535597",
    "205/253-5597", "0205/2535597", "a12052535597", "12052535597b", "%3A12052535597",
    "tel:+1-205-253-5597", "[205] 253 5597", "+1 (205)\n253-5597", "1205253\t5597",
]  # fmt: skip


@pytest.mark.parametrize("around", ["{}", "the recipient {} is not reachable.", "请致电{}联系", "iMessage{}", "a={}&b"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_phone_number_is_masked_in_any_spelling(number: str, around: str) -> None:
    shown = clean(around.format(number))
    assert "5597" in shown or "5597" in mask_text(number)
    digits = "".join(str(int(char)) for char in shown if char.isdecimal())
    assert "2535597" not in digits
    assert "205253" not in digits


PLAIN = [
    "69a37c7d-af4f-4b5e-af42-e28e98ce1234", "69A37C7D-AF4F-4B5E-AF42-E28E98CE1234", "2026-11-28T10:15:00.123456Z",
    "2026-11-28 10:15:00 UTC", "2026-11-28T10:15:00+00:00",
    "0 2026-11-28 10:15:00.000000-05:00", "sha256 777420470922 · 24 kHz",
    "2026-11-28", "20261128T101500Z", "20261128_101500.wav", "20261128.m4a",
    "4bf92f3577b34da6a3ce929d0e0e4736", "8c1f0a2b3c4d", "https://x.example/a/12052535597/b", "HTTP 403/2024",
    "104857600 bytes", "192.168.100.200", "33.1 kB · 24 kHz · 0:04", "codes 2024, 4001 and 5004",
    "trace 1234567890123456", "wait 1000000000 s, as Linq asks",
    "253-559", "wait 12. 2026-11-28 10:15", "+1•••••5597", "l•••@example.com",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_text_that_is_no_phone_number_stays(text: str) -> None:
    assert clean(text) == mask_text(text) == text


@pytest.mark.parametrize("text", ["ada@example.com", "Ada＠example.com", "to ada%40example.com", "<ada@example.com>"])
def test_an_email_address_is_masked_in_any_spelling(text: str) -> None:
    assert "•••@example.com" in clean(text)
    assert "da@" not in clean(text) + clean(text).lower()


SIGNED = [
    "https://s3.example/p?X-Amz-Signature=s3cr3t", r"https:\/\/s3.example\/p?X-Amz-Signature=s3cr3t",
    "https%3A%2F%2Fs3.example%2Fp%3FX-Amz-Signature%3Ds3cr3t", "X-Amz-Credential=s3cr3t", "https://a:s3cr3t@s3.example/",
]  # fmt: skip


@pytest.mark.parametrize("text", SIGNED)
def test_a_signature_is_hidden_also_in_the_journal_s_text(text: str) -> None:
    assert "s3cr3t" not in clean(text) + one_line(text)


def test_json_is_masked_inside_and_stays_json() -> None:
    value = {"to": ["+12052535597", 12052535597], "size": 1234567, "12052535597": None, "id": "69a3", "ok": True}
    masked = {"to": ["+1•••••5597", "•••••5597"], "size": 1234567, "•••••5597": None, "id": "69a3", "ok": True}
    assert mask_json(value) == masked


# --- errors ---

HOSTILE = "Ada\x1b[31m\x1b]52;c;cm0gLXJm\x07\r\nsent\u202egnihton\u2066\0\x9b31m +1 (205) 253‑5597 " + "x" * 5000


def test_the_text_of_every_error_is_one_visible_line() -> None:
    for kind in (LinqError, PreflightError, ApiError):
        error = kind(f"no chat is called {HOSTILE!s}; nothing was sent")
        for shown in (
            str(error),
            repr(error),
            error._render_traceback_()[0],
            traceback.format_exception(error)[-1][:-1],
        ):
            assert shown.isprintable()
            assert len(shown) < 2100
            assert "5597" in shown
            assert "253‑5597" not in shown
        assert "(205) 253" in unmasked(error)


def test_a_chat_s_name_reaches_errors_in_one_visible_line(server: RawServer, live: Callable[..., Outbox]) -> None:
    chats = [{"id": f"{CHAT_ID[:-1]}{number}", "display_name": HOSTILE, "handles": []} for number in range(3)]
    line = {"phone_numbers": [{"id": "1", "phone_number": "+12025550100"}]}
    server.will(by_target(phone_numbers=answer(200, line), chats=answer(200, {"chats": chats, "next_cursor": None})))
    outbox = live()
    outbox.chats()
    for name in (HOSTILE, HOSTILE[:20], "Bob", "Bob\x1b]0;x\x07\u202e 12052535597"):
        with pytest.raises(PreflightError) as caught:
            outbox.find_chat(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000
        assert "253‑5597" not in str(caught.value)
        assert "2052535597" not in str(caught.value)


# --- the journal keeps the text as it came ---


def refusal(words: str) -> dict[str, Any]:
    return {"success": False, "error": {"status": 400, "code": 1002, "message": words}}


@pytest.mark.parametrize("number", ["12052535597", "(205) 253-5597", "+1‑205‑253‑5597", "205\u00a0253\u00a05597"])
def test_linqs_text_is_masked_in_displays_and_complete_in_the_journal(
    server: RawServer, live: Callable[..., Outbox], memo: VoiceMemo, number: str
) -> None:
    chat = {"id": CHAT_ID, "display_name": "Ada", "handles": [{"handle": "+12052535597", "is_me": False}]}
    server.will(
        by_target(
            attachments=answer(400, refusal(f"the number {number} is not valid")),
            voicememo=answer(400, refusal(f"the number {number} is not valid")),
            chats=answer(200, chat),
            other=answer(200, {"phone_numbers": []}),
        )
    )
    outbox = live()
    with pytest.raises(ApiError) as caught:
        outbox.send(VoiceMemo.from_url("https://audio.example/a.m4a"), CHAT_ID)
    (send,) = outbox.sends()
    batch = outbox.send_all(outbox.plan([linq_nb.Draft(memo=memo, chat=CHAT_ID)]), workers=1)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        print(caught.value, repr(caught.value), send, [send], batch.wait(), outbox.history(send))
        print(to_frame(outbox.sends()).to_string(), batch.frame().to_string())
        print(to_frame(outbox.history(send)).to_string(), send._repr_mimebundle_())
    assert number not in printed.getvalue()
    assert not re.search(r"253\W{0,2}5597", printed.getvalue())
    full = to_frame(outbox.sends(), handles="full")["error_message"]
    assert all(" ".join(number.split()) in text for text in full)


def test_no_record_shows_a_full_number_or_a_signed_url() -> None:
    text = f"{HOSTILE} 12052535597"
    records = [
        Attachment(attachment_id=text, filename=text, upload_url="https://x.example/?sig=s3cr3t"),
        Subscription(subscription_id=text, target_url="https://x.example/?k=s3cr3t", phone_numbers=("+12052535597",)),
    ]
    for record in records:
        assert repr(record).isprintable()
        assert "2535597" not in repr(record)
        assert "s3cr3t" not in repr(record)
