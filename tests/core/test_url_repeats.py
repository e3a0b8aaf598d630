"""Which URLs count as one memo in one chat: by name, by possible signatures, and by names of older versions."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import test_once as once
from core_samples import wav

from linq_nb import ApiError, Draft, Outbox, OutcomeUnknown, PreflightError, Send, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.model import url_names
from linq_nb.outbox import session_of

on_disk, stages, bubbles = once.on_disk, once.stages, once.bubbles
Connect = Callable[..., Outbox]
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
ACCEPT = ["url_may_repeat"]


def memo_of(demo: Demo, query: str, data: bytes | None = None) -> VoiceMemo:
    """A memo of the demo's URL with this query; with ``data``, as if it had been fetched."""
    voice_memo = VoiceMemo.from_url(demo.media_urls["hello"] + query)
    return voice_memo.fetched(data) if data else voice_memo


def codes(findings: Any) -> list[str]:
    return [finding.code for finding in findings if finding.level == "error"]


# --- one name, two names ---


@pytest.mark.parametrize("again", ["?b=2&a=1", "?a=%31&b=2", "?b=2&a=1#end", "?a=1&b=2&"])
def test_another_spelling_of_a_url_sends_nothing(on_disk: Connect, demo: Demo, again: str) -> None:
    outbox = on_disk()
    outbox.send(memo_of(demo, "?a=1&b=2"), ADA)
    assert outbox.send(memo_of(demo, again), ADA).repeated
    assert bubbles(demo) == 1


def test_another_spelling_of_the_host_sends_nothing(on_disk: Connect, demo: Demo) -> None:
    outbox, url = on_disk(), demo.media_urls["hello"]
    host = url.split("/")[2]
    outbox.send(VoiceMemo.from_url(url), ADA)
    assert outbox.send(VoiceMemo.from_url(url.replace(host, f"{host.upper()}.:443")), ADA).repeated
    assert bubbles(demo) == 1


def test_a_url_that_was_signed_anew_by_a_known_signer_sends_nothing(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    outbox.send(memo_of(demo, "?Expires=1&Signature=a&Key-Pair-Id=k&id=7"), ADA)
    assert outbox.send(memo_of(demo, "?id=7&Expires=2&Signature=b&Key-Pair-Id=k"), ADA).repeated
    assert not outbox.send(memo_of(demo, "?id=8&Expires=2&Signature=b&Key-Pair-Id=k"), ADA).repeated
    assert bubbles(demo) == 2


# --- possible signatures ---

PAIRS = [
    ("?sp=anna", "?sp=bob"),
    ("?access_token=1", "?access_token=2"),
    ("?id=7&jwt=1", "?id=7&jwt=2"),
    ("?verify=1", ""),
    ("", "?key=1"),
    ("?Expires=1&Signature=a", "?Expires=2&Signature=b"),
    ("?token=1&id=7", "?id=7&sig=2"),
    ("?x=9c0f1a2b3c4d5e6f7a8b", "?x=1c0f1a2b3c4d5e6f7a8b"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_url_that_may_be_signed_anew_is_not_sent_and_not_forgotten(
    on_disk: Connect, demo: Demo, first: str, second: str
) -> None:
    outbox, memo = on_disk(), memo_of(demo, second)
    outbox.send(memo_of(demo, first), ADA)
    with pytest.raises(PreflightError) as refused:
        outbox.send(memo, ADA)
    for part in ("nothing was sent", "copy=2", "--copy 2", 'accept=["url_may_repeat"]', "--accept url_may_repeat"):
        assert part in str(refused.value)
    assert codes(refused.value.findings) == codes(outbox.check(memo, ADA)) == ACCEPT
    plan = outbox.plan([Draft(memo=memo, chat=demo.chat_ids[ADA])])
    assert (plan.rows[0].verdict, codes(plan.rows[0].findings)) == ("refused", ACCEPT)
    assert [send.status for send in outbox.send_all(plan)] == ["not_sent"]
    assert len(outbox.sends()) == bubbles(demo) == 1
    assert not outbox.send(memo, GRACE).repeated, "another chat has nothing of it"


def test_a_possible_repeat_is_sent_when_accepted_and_then_counts_itself(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    for query in ("?sp=anna", "?sp=bob"):
        outbox.send(memo_of(demo, query), ADA, accept=ACCEPT)
    for query in ("?sp=anna", "?sp=bob"):
        assert outbox.send(memo_of(demo, query), ADA).repeated
        assert codes(outbox.check(memo_of(demo, query), ADA)) == []
    assert bubbles(demo) == 2


def test_a_copy_of_a_possible_repeat_is_sent_once_whatever_its_signature(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    outbox.send(memo_of(demo, "?token=1"), ADA)
    outbox.send(memo_of(demo, "?token=2"), ADA, copy=2)
    with pytest.raises(PreflightError, match="copy=3"):
        outbox.send(memo_of(demo, "?token=3"), ADA, copy=2)
    assert bubbles(demo) == 2


@pytest.mark.parametrize(("status", "code"), [(400, 1005), (401, None)])
def test_a_url_whose_memo_was_refused_stops_no_other_until_another_went(
    on_disk: Connect, demo: Demo, status: int, code: int | None
) -> None:
    outbox = on_disk()
    demo.fail_next(status, code)
    with pytest.raises(ApiError):
        outbox.send(memo_of(demo, "?token=1"), ADA)
    assert codes(outbox.check(memo_of(demo, "?token=2"), ADA)) == []
    assert not outbox.send(memo_of(demo, "?token=2"), ADA).repeated
    with pytest.raises(PreflightError, match="url_may_repeat"):
        outbox.send(memo_of(demo, "?token=1"), ADA)
    assert bubbles(demo) == 1


def test_a_memo_of_unknown_outcome_stops_the_url_with_another_token(on_disk: Connect, demo: Demo) -> None:
    outbox, lou = on_disk(), "Lou Lost Answer"
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo_of(demo, "?token=1"), lou)
    with pytest.raises(PreflightError, match="url_may_repeat"):
        outbox.send(memo_of(demo, "?token=2"), lou)
    assert bubbles(demo, lou) == 1


def test_fetched_audio_decides_whether_a_url_is_a_repeat(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    outbox.send(memo_of(demo, "?sp=anna", wav(tone=330)), ADA)
    assert not outbox.send(memo_of(demo, "?sp=bob", wav(tone=440)), ADA).repeated
    assert outbox.send(memo_of(demo, "?sp=again", wav(tone=330)), ADA).repeated
    with pytest.raises(PreflightError, match="url_may_repeat"):
        outbox.send(memo_of(demo, "?sp=carol"), ADA)
    assert bubbles(demo) == 2


def test_rows_of_one_plan_that_may_repeat_are_refused_unless_accepted(on_disk: Connect, demo: Demo) -> None:
    outbox, ada, grace = on_disk(), demo.chat_ids[ADA], demo.chat_ids[GRACE]
    drafts = [
        Draft(memo=memo_of(demo, "?sp=anna"), chat=ada),
        Draft(memo=memo_of(demo, "?sp=bob"), chat=ada),
        Draft(memo=memo_of(demo, "?sp=bob"), chat=grace),
        Draft(memo=memo_of(demo, "?sp=bob"), chat=ada, copy=2),
        Draft(memo=memo_of(demo, "?sp=anna&id=1"), chat=ada),
        Draft(memo=memo_of(demo, "?sp=anna"), chat=ada),
        Draft(memo=memo_of(demo, "?sp=anna", wav()), chat=ada),
    ]
    plan = outbox.plan(drafts)
    assert [row.verdict for row in plan.rows] == ["send", "refused", "send", "send", "send", "duplicate", "send"]
    assert "row 0" in plan.rows[1].why
    outbox.send_all(plan).wait()
    assert bubbles(demo) == 3
    accepted = outbox.plan(drafts, accept=ACCEPT)
    assert [row.verdict for row in accepted.rows].count("send") == 1
    outbox.send_all(accepted, accept=ACCEPT).wait()
    assert bubbles(demo) == 4
    assert {row.verdict for row in outbox.plan(drafts).rows} <= {"already_sent", "duplicate"}


def test_two_notebooks_that_send_two_tokens_at_once_send_one(on_disk: Connect, demo: Demo) -> None:
    outboxes, start = [on_disk(), on_disk()], threading.Barrier(8)

    def send(number: int) -> str:
        start.wait()
        try:
            return outboxes[number % 2].send(memo_of(demo, f"?token={number}"), demo.chat_ids[ADA]).status
        except PreflightError as error:
            return error.findings[0].code

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(send, range(8)))
    assert sorted(ends) == ["queued", *["url_may_repeat"] * 7]
    assert bubbles(demo) == 1


def test_a_chat_that_was_forgotten_still_stops_possible_repeats(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    outbox.send(memo_of(demo, "?token=1"), ADA)
    outbox.forget(demo.chat_ids[ADA])
    with pytest.raises(PreflightError, match="url_may_repeat"):
        outbox.send(memo_of(demo, "?token=2"), ADA)


# --- names of older versions ---


def write_old(outbox: Outbox, demo: Demo, query: str, status: str = "queued", **fields: Any) -> Send:
    """Write a send of this URL as an older linq_nb did: under the old name, without a base."""
    session, draft = session_of(outbox), Draft(memo=memo_of(demo, query), chat=demo.chat_ids[ADA])
    old = url_names(str(draft.memo.url)).old_name
    wanted = dataclasses.replace(session.wanted(draft), **{"content": old, "send_id": f"old {query}", **fields})
    _, claim, _ = session.journal.claim(wanted, (), "old")
    assert claim is not None
    posted = dataclasses.replace(claim.send, status=status, posted_at=session.now())
    session.journal.advance(claim, posted)
    return posted


@pytest.mark.parametrize("query", ["", "?sp=anna", "?id=7&token=1", "?b=1&a=2", "?jwt=1"])
def test_a_send_under_the_old_name_counts_and_the_message_names_copy(on_disk: Connect, demo: Demo, query: str) -> None:
    outbox, memo = on_disk(), memo_of(demo, query)
    old = write_old(outbox, demo, query)
    again = outbox.send(memo, ADA, accept=ACCEPT)
    assert (again.send_id, again.repeated) == (old.send_id, True)
    assert "copy=2 sends this" in again._repr_mimebundle_()["text/plain"]
    row = outbox.plan([Draft(memo=memo, chat=demo.chat_ids[ADA])]).rows[0]
    assert row.verdict == "already_sent"
    assert "copy=2 sends this" in row.why
    assert codes(outbox.check(memo, ADA)) == []
    assert session_of(outbox).is_sent(Draft(memo=memo, chat=demo.chat_ids[ADA]))
    assert bubbles(demo) == 0
    assert not outbox.send(memo, ADA, copy=2).repeated
    assert bubbles(demo) == 1


@pytest.mark.parametrize("first", ["?access_token=1", "?access_token=1&id=7", "", "?token=1"])
def test_an_old_send_may_be_the_memo_of_a_url_with_another_token(on_disk: Connect, demo: Demo, first: str) -> None:
    outbox, memo = on_disk(), memo_of(demo, "?access_token=2&id=7" if "id" in first else "?access_token=2")
    write_old(outbox, demo, first)
    with pytest.raises(PreflightError, match="url_may_repeat"):
        outbox.send(memo, ADA)
    elsewhere = VoiceMemo.from_url(f"{memo.url}".replace("hello", "other"))
    assert codes(outbox.check(elsewhere, ADA)) == []
    if not first:
        assert codes(outbox.check(memo_of(demo, "?access_token=2&id=9"), ADA)) == [], "it had no id"
    assert not outbox.send(memo, ADA, accept=ACCEPT).repeated
    assert bubbles(demo) == 1


def test_two_urls_that_share_an_old_name_do_not_stop_each_other_by_it(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    plain, anna, bob = (memo_of(demo, query) for query in ("", "?sp=anna", "?sp=bob"))
    assert url_names(str(anna.url)).old_name == url_names(str(bob.url)).old_name
    for memo in (plain, anna, bob):
        assert not outbox.send(memo, ADA, accept=ACCEPT).repeated
    assert bubbles(demo) == 3


@pytest.mark.parametrize("status", ["not_sent", "rejected"])
def test_an_old_send_that_did_not_go_stops_nothing(on_disk: Connect, demo: Demo, status: str) -> None:
    outbox = on_disk()
    write_old(outbox, demo, "?sp=anna", status)
    for query in ("?sp=anna", "?sp=bob"):
        assert not outbox.send(memo_of(demo, query), ADA, accept=ACCEPT).repeated
    assert bubbles(demo) == 2


def test_an_old_send_of_unknown_outcome_is_looked_for_and_not_sent_again(on_disk: Connect, demo: Demo) -> None:
    outbox = on_disk()
    write_old(outbox, demo, "?sp=anna", "unknown")
    with pytest.raises(OutcomeUnknown, match="copy=2"):
        outbox.send(memo_of(demo, "?sp=bob"), ADA, accept=ACCEPT)
    assert bubbles(demo) == 0


def test_an_old_name_that_was_fetched_leads_to_the_send_of_its_audio(on_disk: Connect, demo: Demo) -> None:
    outbox, memo = on_disk(), memo_of(demo, "?sp=anna")
    fetched = memo_of(demo, "?sp=anna", wav())
    session_of(outbox).journal.link((fetched.content, url_names(str(memo.url)).old_name))
    write_old(outbox, demo, "?sp=anna", content=fetched.content, sha256=fetched.sha256)
    assert outbox.send(memo, ADA).repeated
    assert not outbox.send(memo_of(demo, "?sp=bob", wav(tone=440)), ADA).repeated, "other audio is another memo"
    assert bubbles(demo) == 1
