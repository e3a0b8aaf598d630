"""The reputation of a line: Linq's audit is started, waited for, kept, and shown beside failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

import linq_nb
from linq_nb import (
    ApiError,
    LinqError,
    NotSent,
    Outbox,
    PermissionDeniedError,
    RateLimitError,
    Reputation,
    SettingsError,
    VoiceMemo,
)
from linq_nb.demo import Demo
from linq_nb.demo.server import Server
from linq_nb.model import ReputationDriver

AT_RISK, HEALTHY = "+12025550101", "+12025550100"


def posts(demo: Demo) -> int:
    return sum(request.method == "POST" and "reputation_audit" in request.path for request in demo.requests)


@pytest.mark.parametrize(
    "line",
    [
        AT_RISK,
        "+1 (202) 555-0101",
        "00 1 202 555 0101",
        "tel:+1-202-555-0101",
        12025550101,
        12025550101.0,
        "１2025550101",
    ],
)
def test_a_line_is_audited_in_any_spelling(outbox: Outbox, line: Any) -> None:
    audit = outbox.reputation(line)
    assert (audit.phone_number, audit.severity, audit.audit_status) == (AT_RISK, "AT_RISK", "complete")
    assert audit.primary_driver == audit.drivers[0].key == "overall_conversation_health"
    assert [step.priority for step in audit.steps] == [1]
    assert [chat.status for chat in audit.chats] == ["CRITICAL", "AT_RISK"]
    assert {outbox.chat(chat.chat_id).chat_name for chat in audit.chats} == {"Asa At Risk", "Cora Critical"}


def test_lines_and_their_audits_are_records(outbox: Outbox) -> None:
    audits = [outbox.reputation(line) for line in outbox.lines()]
    assert [audit.severity for audit in audits] == ["HEALTHY", "AT_RISK"]
    assert audits[0].primary_driver is None
    frame = linq_nb.to_frame(audits)
    assert frame["phone_number"].tolist() == ["+1•••••0100", "+1•••••0101"]
    assert frame["chats"].tolist() == [0, 2]
    assert linq_nb.to_frame([], kind="reputations").dtypes.map(str).equals(frame.dtypes.map(str))


def test_an_audit_is_shown_masked_and_escaped(outbox: Outbox) -> None:
    audit = outbox.reputation(AT_RISK)
    shown = audit._repr_mimebundle_()
    for text in (repr(audit), *shown.values(), repr(audit.drivers), repr(audit.steps), repr(audit.chats)):
        assert AT_RISK not in text
    assert shown["text/plain"].startswith("AT_RISK: line +1•••••0101 audited 2026-03-02 09:00:")
    assert "to do  Fix the unhealthy conversations first" in shown["text/plain"]
    driver = ReputationDriver(key="<b>", summary="Call +1 202 555 0111 <script>\x1b[31m", metric=None)
    hostile = Reputation(phone_number=AT_RISK, audit_id="a", severity="<i>", drivers=(driver,))
    html = hostile._repr_mimebundle_()["text/html"]
    assert "<script>" not in html
    assert "<i>" not in html
    assert "\x1b" not in html


def test_an_audit_of_the_demo_is_the_same_each_run() -> None:
    runs = []
    for _ in range(2):
        with linq_nb.connect(demo=True, fresh=True) as outbox:
            runs.append((outbox.reputation(AT_RISK), outbox.demo.now()))
    assert runs[0] == runs[1]


def test_while_linq_starts_no_new_audit_the_last_one_is_returned(connect: Callable[..., Outbox], demo: Demo) -> None:
    first = connect().reputation(AT_RISK)
    again = connect().reputation(AT_RISK)  # another kernel with the same journal
    assert again == first
    demo.advance(minutes=11)
    assert connect().reputation(AT_RISK).audit_id != first.audit_id


def test_without_a_last_audit_the_refusal_says_how_long(connect: Callable[..., Outbox], demo: Demo) -> None:
    connect().reputation(AT_RISK)
    before = demo.now()
    with pytest.raises(RateLimitError, match=r"nothing was sent; wait \d+ s, as Linq asks") as refused:
        connect(journal=":memory:").reputation(AT_RISK)
    assert 0 < (refused.value.retry_after or 0) <= 600
    assert demo.now() == before  # no thread slept, and no other request has to wait


def test_an_audit_that_was_interrupted_is_picked_up(connect: Callable[..., Outbox], demo: Demo) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connect(sleep=interrupted).reputation(AT_RISK)
    demo.advance(minutes=1)  # it is ready by now, and Linq starts no other
    assert connect().reputation(AT_RISK).severity == "AT_RISK"
    assert len({event.body["audit_id"] for event in connect().history() if event.source == "line"}) == 1


@pytest.mark.parametrize("timeout", [0, 1, 2.5])
def test_the_wait_has_a_deadline_by_the_outboxs_clock(outbox: Outbox, demo: Demo, timeout: float) -> None:
    before = demo.now()
    with pytest.raises(LinqError, match=r"\+1•••••0101 is not ready after .* s; nothing was sent; ask again"):
        outbox.reputation(AT_RISK, timeout)
    assert (demo.now() - before).total_seconds() == timeout
    assert outbox.reputation(AT_RISK).severity == "AT_RISK"
    assert posts(demo) == 2


@pytest.mark.parametrize("timeout", [-1, "1m", None, True, float("nan")])
def test_a_timeout_is_a_number_of_seconds(outbox: Outbox, demo: Demo, timeout: Any) -> None:
    with pytest.raises(SettingsError, match="timeout is a number of seconds"):
        outbox.reputation(AT_RISK, timeout)
    assert posts(demo) == 0


@pytest.mark.parametrize("line", ["Ada Lovelace", "555", "", None, float("nan"), [AT_RISK], "2025550101"])
def test_an_invalid_phone_number_is_refused_without_a_request(outbox: Outbox, demo: Demo, line: Any) -> None:
    with pytest.raises(SettingsError):
        outbox.reputation(line)
    assert posts(demo) == 0


def test_linq_refuses_the_line_of_another_account(outbox: Outbox) -> None:
    with pytest.raises(PermissionDeniedError, match="403/2006"):
        outbox.reputation("+12025550177")


def test_a_temporary_fault_is_retried(connect: Callable[..., Outbox], demo: Demo) -> None:
    demo.fail_next(503, path="/reputation_audit", times=2)
    assert connect().reputation(AT_RISK).severity == "AT_RISK"
    demo.reset_next(path="/reputation_audit", times=9)
    with pytest.raises(NotSent, match="no answer from Linq for the reputation audit"):
        connect().reputation(HEALTHY)


def answering(**report: Any) -> httpx.MockTransport:
    """Linq, with this answer to every look at an audit."""

    def answer(request: httpx.Request) -> httpx.Response:
        started = {"audit_id": "a1", "status": "pending"}
        return httpx.Response(202 if request.method == "POST" else 200, json=started | report)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            {"status": "error", "error": "no data for +12025550111"},
            r"could not audit the line \+1•••••0101 \(no data for",
        ),
        ({"status": "complete", "phone": HEALTHY}, "tells of another audit"),
        ({"status": "complete", "audit_id": "a2"}, "tells of another audit|has no 'audit_id'"),
    ],
)
def test_bad_answers_are_errors_of_ours(connect: Callable[..., Outbox], report: Any, words: str) -> None:
    transport = answering(**report)
    if "audit_id" in report:
        transport = httpx.MockTransport(
            lambda request: httpx.Response(200, json={"audit_id": request.method, "status": "complete"})
        )
    with pytest.raises(ApiError, match=words) as error:
        connect(transport=transport).reputation(AT_RISK)
    assert "+12025550111" not in str(error.value)


def test_a_report_with_gaps_is_read(connect: Callable[..., Outbox]) -> None:
    report = {
        "severity": "critical",
        "drivers": [{"key": "brand_new_word"}, {"summary": 3}, "x"],
        "action_items": [{"title": "last"}, {"title": "first", "priority": 1}],
        "evidence": {"unhealthy_chats": [{}, {"chat_id": "c", "driver_keys": None}], "opt_out_chats": None},
    }
    audit = connect(transport=answering(status="complete", report=report)).reputation(AT_RISK)
    assert (audit.severity, audit.generated_at) == ("CRITICAL", None)
    assert [step.title for step in audit.steps] == ["first", "last"]
    assert [chat.chat_id for chat in audit.chats] == ["c"]
    assert "brand_new_word" in audit._repr_mimebundle_()["text/html"]


def test_a_huge_report_makes_a_short_card(connect: Callable[..., Outbox]) -> None:
    report = {"drivers": [{"key": "k"}] * 20_000, "action_items": [{"title": "t"}] * 20_000}
    shown = connect(transport=answering(status="complete", report=report)).reputation(AT_RISK)._repr_mimebundle_()
    assert shown["text/plain"].count("and 19,990 more") == 2
    assert len(shown["text/html"]) < 20_000


def test_a_socket_takes_the_number_in_the_address() -> None:
    demo_server = Demo()
    with Server(demo_server):
        check_socket(demo_server)


def check_socket(demo_server: Demo) -> None:
    arguments: Any = {"api_key": demo_server.api_key, "base_url": demo_server.base_url, "journal": ":memory:"}
    with linq_nb.connect(**arguments) as outbox:
        with pytest.raises(LinqError, match="ask again"):
            outbox.reputation(AT_RISK, timeout=0)
        demo_server.advance(minutes=1)
        assert outbox.reputation(AT_RISK).severity == "AT_RISK"


# --- in an audit of sends ---


def test_failures_show_the_rating_of_their_line(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    for name in ("Ivy Line Paused", "Lee Blocked"):
        with pytest.raises(LinqError):
            outbox.send(memo, name)
    outbox.send(memo, "Ada Lovelace")
    before = linq_nb.audit(outbox)
    assert set(before.frames["problems"]["reputation"]) == {""}
    assert "Rating" not in repr(before)
    outbox.reputation(AT_RISK)
    demo.advance(minutes=1)
    after = linq_nb.audit(outbox)
    problems = after.frames["problems"]
    assert problems.set_index("line")["reputation"].to_dict().get("0101") == "AT_RISK"
    assert "Rating" in repr(after)
    assert "AT_RISK" in after.to_html()
    assert "Rating" not in repr(linq_nb.audit(linq_nb.to_frame(outbox.sends())))  # a frame has no journal


def test_a_webhook_about_a_line_is_a_rating_too(outbox: Outbox, memo: VoiceMemo) -> None:
    with pytest.raises(LinqError):
        outbox.send(memo, "Ivy Line Paused")
    event = {"event_id": "e", "event_type": "phone_number.status_updated", "created_at": "2026-03-02T08:00:00Z"}
    outbox.ingest_stored([event | {"data": {"phone_number": AT_RISK, "new_reputation": "CRITICAL"}}])
    assert linq_nb.audit(outbox).frames["problems"]["reputation"].tolist() == ["CRITICAL"]
