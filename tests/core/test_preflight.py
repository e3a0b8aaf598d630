"""The checks before a send: one test a rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from core_samples import ATTACHMENT_ID, chat, memo, wav

from linq_nb import VoiceMemo, audio, preflight
from linq_nb.hosts import is_private_host, is_public_address
from linq_nb.model import Handle

ME = Handle(handle="+12025550100", is_me=True, status="active")
ADA = Handle(handle="+12025550111", is_me=False, status="active")


def changed(**fields: Any) -> VoiceMemo:
    return dataclasses.replace(memo(), **fields)


def url_memo(url: str = "https://x.example/hello.wav") -> VoiceMemo:
    return VoiceMemo.from_url(url)


def samples(value: float) -> VoiceMemo:
    return VoiceMemo.from_samples([value, -value] * 4000, 8000)


MEMOS = {
    "good": (memo(), set()),
    "two sources": (changed(attachment_id=ATTACHMENT_ID), {"error one_source"}),
    "no source": (changed(data=None), {"error one_source"}),
    "nothing at all": (VoiceMemo(source="bytes"), {"error one_source"}),
    "no format": (changed(format="ogg"), {"error format"}),
    "declared right": (changed(declared_type="audio/wav"), set()),
    "declared wrong": (changed(declared_type="audio/mpeg"), {"error declared_type"}),
    "declared nonsense": (changed(declared_type="text/html"), {"error declared_type"}),
    "named wrong": (memo(filename="hello.mp3"), {"warning extension"}),
    "named without": (memo(filename="hello"), {"warning extension"}),
    "10 MB": (changed(size_bytes=10_000_000), set()),
    "more than 10 MB": (changed(size_bytes=10_000_001), {"error too_large"}),
    "255 characters": (memo(filename="x" * 251 + ".wav"), set()),
    "256 characters": (memo(filename="x" * 252 + ".wav"), {"error filename"}),
    "no duration": (changed(duration_ms=0), {"warning empty"}),
    "no possible length": (changed(duration_ms=None), {"warning length"}),
    "silent": (samples(0.001), {"warning silent"}),
    "clipped": (samples(1.0), {"warning clipped"}),
    "uploaded": (VoiceMemo.from_attachment(ATTACHMENT_ID), {"info not_checked"}),
    "url": (url_memo(), {"info not_fetched"}),
    "url fetched": (url_memo().fetched(wav()), set()),
    "http": (url_memo("http://x.example/hello.wav"), {"error https", "info not_fetched"}),
    "HTTPS": (url_memo("HTTPS://x.example/hello.wav"), {"info not_fetched"}),
    "url login": (url_memo("https://me:pw@x.example/hello.wav"), {"error url_login", "info not_fetched"}),
    "url private": (url_memo("https://10.0.0.1/hello.wav"), {"error url_private", "info not_fetched"}),
    "url without extension": (url_memo("https://x.example/hello"), {"warning extension", "info not_fetched"}),
    "url of another kind": (url_memo("https://x.example/hello.ogg"), {"error extension", "info not_fetched"}),
    "url that lies": (url_memo("https://x.example/hello.mp3").fetched(wav()), {"error extension"}),
}

CHATS = {
    "good": ({}, set()),
    "nothing known": ({"service": None, "is_group": None, "health_status": None, "handles": ()}, set()),
    "SMS": ({"service": "SMS"}, {"warning not_a_bubble"}),
    "RCS": ({"service": "RCS"}, {"warning not_a_bubble"}),
    "RCS line": ({"handles": (dataclasses.replace(ME, line_type="RCS"), ADA)}, {"warning rcs_line"}),
    "group": ({"is_group": True}, {"info no_receipts"}),
    "at risk": ({"health_status": "AT_RISK"}, {"warning chat_at_risk"}),
    "critical": ({"health_status": "CRITICAL"}, {"error chat_critical"}),
    "opted out": ({"health_status": "OPTED_OUT"}, {"error chat_opted_out"}),
    "new word": ({"health_status": "SLEEPY"}, {"warning chat_health"}),
    "inactive": ({"is_active": False}, {"error chat_inactive"}),
    "left": ({"handles": (dataclasses.replace(ME, status="left"), ADA)}, {"error chat_inactive"}),
    "alone": ({"handles": (ME, dataclasses.replace(ADA, status="removed"))}, {"error chat_empty"}),
}


@pytest.mark.parametrize("case", MEMOS)
def test_each_fault_of_a_memo_gives_its_finding(case: str) -> None:
    item, expected = MEMOS[case]
    findings = preflight.check_memo(item)
    assert {f"{finding.level} {finding.code}" for finding in findings} == expected
    assert all(finding.message for finding in findings)


@pytest.mark.parametrize("case", CHATS)
def test_each_fault_of_a_chat_gives_its_finding(case: str) -> None:
    fields, expected = CHATS[case]
    assert {f"{finding.level} {finding.code}" for finding in preflight.check_chat(chat(**fields), memo())} == expected


def test_every_rule_has_a_test_case() -> None:
    codes = {finding.split()[1] for _, findings in (*MEMOS.values(), *CHATS.values()) for finding in findings}
    assert len(codes) >= len(preflight.MEMO_RULES) + len(preflight.CHAT_RULES)


def test_errors_come_first() -> None:
    levels = [finding.level for finding in preflight.check_memo(url_memo("http://x.example/hello"))]
    assert levels == sorted(levels, key=["error", "warning", "info"].index)


@pytest.mark.parametrize("code", ["chat_critical", "too_large"])
def test_an_acceptable_finding_becomes_a_warning_when_accepted(code: str) -> None:
    findings = [preflight.Finding(level="error", code=code, message="m")]
    assert preflight.errors(preflight.settle(findings))
    assert not preflight.errors(preflight.settle(findings, [code]))
    assert {code} <= preflight.ACCEPTABLE


@pytest.mark.parametrize("code", ["one_source", "https", "format", "chat_opted_out", "chat_inactive", "extension"])
def test_a_finding_of_a_certain_failure_cannot_be_accepted(code: str) -> None:
    findings = [preflight.Finding(level="error", code=code, message="m")]
    assert preflight.errors(preflight.settle(findings, [code]))


def test_an_opt_out_is_overridden_by_its_own_argument_alone() -> None:
    findings = preflight.check_chat(chat(health_status="OPTED_OUT"), memo())
    assert preflight.errors(preflight.settle(findings, ["chat_opted_out"]))
    assert not preflight.errors(preflight.settle(findings, optout=True))


@pytest.mark.parametrize(
    ("filename", "uploaded"),
    [
        ("hello.wav", "hello.wav"),
        ("hello.WAVE", "hello.WAVE"),
        ("hello.mp3", "hello.wav"),
        ("hello", "hello.wav"),
        ("hello.v2", "hello.v2.wav"),
        ("../../etc/hello.wav", "hello.wav"),
        ("größe 中文 🎤.wav", "größe 中文 🎤.wav"),
        ("/", "memo.wav"),
        (None, "memo.wav"),
    ],
)
def test_a_memo_is_uploaded_under_its_name_with_the_extension_of_its_content(filename: Any, uploaded: str) -> None:
    assert preflight.upload_name(changed(filename=filename)) == uploaded


def test_every_format_is_uploaded_under_an_extension_that_fits_it() -> None:
    for name in audio.FORMATS:
        assert audio.extension_format(preflight.upload_name(changed(filename="x", format=name))) == name


PRIVATE = """
localhost LOCALHOST foo.localhost printer printer.local nas.lan x.internal x.home.arpa 127.0.0.1 127.1 127.0.0.1.
10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 2130706433 0x7f000001
0x7f.1 017700000001 ::1 [::1] :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ff02::1
2001:db8::1 [::ffff:192.168.0.1]
0.1.2.3 192.0.0.9 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.7 203.0.113.1 240.0.0.1 100.127.255.255
64:ff9b::10.0.0.1 64:ff9b::7f00:1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 2002:7f00:1:: 2002:a00:1::1
2002:c0a8:101::1 ::10.0.0.1 ::127.0.0.1 ::8.8.8.8 ::ffff:0:10.0.0.1 fec0::1 feff::1 100::1 3fff::1 5f00::1
2001:0:4136:e378:8000:63bf:3fff:fdd2 2606:4700::1111%lo.internal 127.0.0.1%25eth0 [64:ff9b::10.0.0.1]
"""


@pytest.mark.parametrize("host", PRIVATE.split())
def test_a_private_host_is_recognised(host: str) -> None:
    assert is_private_host(host)


def test_a_missing_host_is_not_public() -> None:
    assert is_private_host("")


@pytest.mark.parametrize(
    "host", ["example.com", "8.8.8.8", "2606:4700::1111", "[2606:4700::1111]", "a.b.co", "1.example"]
)
def test_a_public_host_is_recognised(host: str) -> None:
    assert not is_private_host(host)


@pytest.mark.parametrize("around", ["::ffff:{}", "64:ff9b::{}", "2002:{hex}::1"], ids=["mapped", "NAT64", "6to4"])
@pytest.mark.parametrize("inside", ["8.8.8.8", "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1"])
def test_an_address_that_embeds_another_is_judged_by_the_embedded_one(around: str, inside: str) -> None:
    first, second, third, fourth = map(int, inside.split("."))
    address = around.format(inside, hex=f"{first << 8 | second:x}:{third << 8 | fourth:x}")
    assert is_public_address(address) is is_public_address(inside) is (inside == "8.8.8.8")
