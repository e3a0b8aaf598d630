"""Every record in plain text: one line that can be published, or a block with the next step."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from shared import AUDIO
from view_samples import (
    ADA,
    ADAS,
    CHAT_ID,
    CREW,
    HELLO,
    HOSTILE,
    LINKED,
    ME,
    NAMELESS,
    NOW,
    QUEUED,
    UPLOADED,
    every,
)

from linq_nb import views
from linq_nb.model import Draft, Event, Finding, Line, Message, Send

LINES = [
    (HELLO, "VoiceMemo hello.m4a · 0:04 · M4A (AAC-LC) · 33.1 kB · 24 kHz mono · sha256 8c1f0a2b3c4d"),
    (
        replace(HELLO, title="Hello", artist="Ada", sample_rate=44_100, channels=2),
        "VoiceMemo hello.m4a · “Hello” by Ada · 0:04 · M4A (AAC-LC) · 33.1 kB · 44.1 kHz stereo · sha256 8c1f0a2b3c4d",
    ),
    (LINKED, "VoiceMemo cdn.example.com/a/memo.m4a · M4A · not downloaded"),
    (UPLOADED, f"VoiceMemo attachment {CHAT_ID} · uploaded before"),
    (ME, "Handle +1•••••0100 · you · iMessage"),
    (ADA, "Handle +1•••••5597 · iMessage · active"),
    (
        ADAS,
        f"Chat Ada Lovelace · +1•••••5597 · iMessage · from +1•••••0100 · HEALTHY · id {CHAT_ID}",
    ),
    (CREW, f"Chat Climbing crew · 2 people · iMessage · from +1•••••0100 · id {CHAT_ID}"),
    (
        NAMELESS,
        f"Chat 2 people · +1•••••5597, l•••@example.com · from +1•••••0100 · not active · archived · id {CHAT_ID}",
    ),
    (Line(phone_number="+12025550100", reputation="AT_RISK"), "Line +1•••••0100 · AT_RISK"),
    (
        Message(message_id=CHAT_ID, chat_id=CHAT_ID, delivery_status="delivered", is_from_me=True, created_at=NOW),
        "Message 69a3… · delivered · from you · created 2026-11-23 20:42:10 UTC · chat 69a3…",
    ),
    (
        Finding(level="warning", code="sms", message="arrives as an attachment"),
        "Finding warning · arrives as an attachment · code sms",
    ),
    (Draft(memo=HELLO, chat=ADAS), "Draft hello.m4a · 0:04 · to Ada Lovelace · +1•••••5597 · iMessage"),
    (Draft(memo=UPLOADED, chat=CHAT_ID, copy=2), f"Draft attachment {CHAT_ID} · to chat {CHAT_ID} · copy 2"),
    (
        Event(send_id=CHAT_ID, at=NOW, source="webhook", status="failed", error_code=4001),
        "Event 2026-11-23 20:42:10 UTC · webhook · failed · error 4001 · send 69a3…",
    ),
    (
        QUEUED,
        "Send queued · hello.m4a · 0:15 · M4A · to Ada Lovelace · +1•••••5597 · iMessage · message 69a3…",
    ),
    (
        replace(QUEUED, repeated=True, copy=2, chat_name=None),
        "Send queued · already sent before, nothing sent now · hello.m4a · 0:15 · M4A"
        " · to +1•••••5597 · iMessage · copy 2 · message 69a3…",
    ),
    (object(), "<object>"),
]


@pytest.mark.parametrize(("record", "text"), LINES, ids=[text[:24] for _, text in LINES])
def test_each_record_has_its_line(record: object, text: str) -> None:
    assert views.line(record) == text


@pytest.mark.parametrize("record", [record for record, _ in LINES[:-1]], ids=views.line)
def test_repr_is_the_line(record: object) -> None:
    assert repr(record) == views.line(record)
    assert f"{[record]}" == f"[{views.line(record)}]"


def test_a_subclass_is_shown_as_its_parent() -> None:
    class Ours(Send):
        __slots__ = ()

    assert views.line(Ours(send_id="1", base_url="u", content="c", chat_id=CHAT_ID)).startswith("Send preparing")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_on_its_line(text: str) -> None:
    for record in every(text):
        line = views.line(record)
        assert line.isprintable()
        assert len(line) < 3000
        assert all(part.isprintable() for part in views.mimebundle(record)["text/plain"].split("\n"))


SENT = [
    (
        QUEUED,
        """queued: Linq has accepted it and will deliver it
to        Ada Lovelace · +1•••••5597 · iMessage
memo      hello.m4a · 0:15 · M4A
message   69a3…
attempts  1""",
    ),
    (
        replace(QUEUED, repeated=True),
        """queued: already sent 3 minutes ago as message 69a3…; nothing sent; --copy 2 for another bubble
to        Ada Lovelace · +1•••••5597 · iMessage
memo      hello.m4a · 0:15 · M4A
message   69a3…
attempts  1""",
    ),
    (
        replace(QUEUED, status="failed", error_code=4001, repeated=True, copy=2, message_id=None),
        """failed: already tried 3 minutes ago (failed); nothing sent; --copy 3 for another bubble
to        Ada Lovelace · +1•••••5597 · iMessage
memo      hello.m4a · 0:15 · M4A
copy      2
attempts  1
error     4001 the delivery failed; it may still arrive
to do     wait and look again, then decide""",
    ),
    (
        replace(
            QUEUED,
            status="rejected",
            message_id=None,
            http_status=403,
            error_code=2024,
            error_message="+12025555597 opted out",
            doc_url="https://docs.example.com/2024/?k=secret",
            trace_id="4bf92f35",
        ),
        """rejected: Linq said no; nothing was sent
to        Ada Lovelace · +1•••••5597 · iMessage
memo      hello.m4a · 0:15 · M4A
attempts  1
error     403/2024 the recipient opted out; refused before queueing
reason    +1•••••5597 opted out
to do     send nothing more until they write to you
docs      https://docs.example.com/2024/?…
trace id  4bf92f35""",
    ),
    (
        replace(QUEUED, status="not_sent", message_id=None, http_status=None, error_message="refused"),
        """not_sent: nothing was sent; it is safe to run the same again
to        Ada Lovelace · +1•••••5597 · iMessage
memo      hello.m4a · 0:15 · M4A
attempts  1
reason    refused""",
    ),
    (
        replace(QUEUED, status="unknown", message_id=None, http_status=None, reconcile_result="ambiguous"),
        """unknown: it left, no clear answer came, it may have arrived; outbox.reconcile() looks it up
to          Ada Lovelace · +1•••••5597 · iMessage
memo        hello.m4a · 0:15 · M4A
attempts    1
reconciled  ambiguous""",
    ),
    (
        replace(QUEUED, status="sent", is_group=True, chat_name="Crew", to_handles=("+12025555597", "a@b.example")),
        """sent: it has left the line; groups give no further receipts
to        Crew · 2 people · iMessage
memo      hello.m4a · 0:15 · M4A
message   69a3…
attempts  1""",
    ),
    (
        replace(QUEUED, status="parked", filename=None, voice_memo_url="https://h.example/m.m4a?sig=1"),
        """parked: a word of Linq's that linq_nb does not know
to        Ada Lovelace · +1•••••5597 · iMessage
memo      h.example/m.m4a · 0:15 · M4A
message   69a3…
attempts  1""",
    ),
]


@pytest.mark.parametrize(("send", "text"), SENT, ids=[text.split(":")[0] for _, text in SENT])
def test_a_fresh_send_is_described(send: Send, text: str) -> None:
    shown = views.sent(send, now=NOW)
    assert repr(shown) == text
    assert shown._repr_mimebundle_()["text/plain"] == text


def test_a_send_without_a_clock_shows_no_time() -> None:
    text = views.mimebundle(replace(QUEUED, repeated=True))["text/plain"]
    assert text.startswith("queued: already sent as message 69a3…; nothing sent")


def test_a_repeated_send_is_described() -> None:
    shown = views.sent(replace(QUEUED, repeated=True, accepted_at=NOW - timedelta(seconds=2)), now=NOW)
    assert "already sent just now as message 69a3…" in shown.text


FINDINGS = [
    Finding(level="error", code="too_large", message="12.1 MB; Linq takes at most 10 MB"),
    Finding(level="warning", code="sms", message="arrives as an attachment"),
]


def test_findings_are_listed() -> None:
    assert views.findings([]).text == "ok  no problems found; ready to send"
    assert views.findings(FINDINGS).text == (
        "error    12.1 MB; Linq takes at most 10 MB\nwarning  arrives as an attachment"
    )


def test_many_findings_are_cut() -> None:
    lines = views.findings(FINDINGS * 100).text.splitlines()
    assert len(lines) == 41
    assert lines[-1] == "info     and 160 more"


def test_a_draft_card_describes_the_send() -> None:
    shown = views.draft_card(Draft(memo=HELLO, chat=ADAS), ADAS, [], mode="DEMO", line="+12025550100")
    assert shown.text == (
        "DEMO from +1•••••0100 to Ada Lovelace · +1•••••5597 · iMessage\n"
        "VoiceMemo hello.m4a · 0:04 · M4A (AAC-LC) · 33.1 kB · 24 kHz mono · sha256 8c1f0a2b3c4d\n"
        "ok  no problems found; ready to send"
    )


def test_a_live_draft_card_names_copy_findings_and_journal() -> None:
    shown = views.draft_card(
        Draft(memo=UPLOADED, chat=CREW, copy=2),
        CREW,
        FINDINGS[1:],
        mode="LIVE",
        line=None,
        journal_note="kept in memory",
    )
    assert shown.text == (
        "LIVE from +1•••••0100 to Climbing crew · 2 people · iMessage · copy 2\n"
        f"VoiceMemo attachment {CHAT_ID} · uploaded before\n"
        "warning  arrives as an attachment\n"
        "journal  kept in memory"
    )


def test_a_draft_card_may_have_a_chat_that_is_only_an_id() -> None:
    shown = views.draft_card(Draft(memo=HELLO, chat=CHAT_ID), CHAT_ID, [], mode="LIVE", line=None)
    assert shown.text.startswith(f"LIVE line not known to chat {CHAT_ID}\n")


def test_a_summary_counts_the_outcomes() -> None:
    shown = views.summary("linq_nb demo", [("line", "+12025550100"), ("journal", "in memory")])
    assert shown.text == "linq_nb demo\nline     +1•••••0100\njournal  in memory"


def test_text_of_a_card_is_the_same_without_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = (AUDIO / "hello.amr").read_bytes()
    before = views.mimebundle(replace(HELLO, data=sound))["text/plain"]
    monkeypatch.setitem(sys.modules, "av", None)
    assert views.mimebundle(replace(HELLO, data=sound + sound[6:]))["text/plain"] == before
