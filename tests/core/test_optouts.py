"""A recipient whom Linq refused for good stays refused, and is shown so, until Linq shows that they wrote again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from shared import memo_posts

import linq_nb
from linq_nb import Draft, PermissionDeniedError, PreflightError, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.demo.people import Person
from linq_nb.outbox import session_of

AUDIO = Path(linq_nb.__path__[0]) / "demo" / "audio"
KIM = "Kim Second Line"
"""Linq rates this chat HEALTHY; its person opted out in another chat."""


@pytest.fixture
def demo(outbox: linq_nb.Outbox) -> Demo:
    world: Demo = outbox.demo
    return world


def other(memo: VoiceMemo) -> VoiceMemo:
    return VoiceMemo.from_file(AUDIO / "hello.wav")


def refused(outbox: linq_nb.Outbox, memo: VoiceMemo, chat: str = KIM) -> linq_nb.Chat:
    """Send to a person who opted out, which Linq refuses; returns the chat as it was read before."""
    before = outbox.find_chat(chat)
    assert isinstance(before, linq_nb.Chat)
    with pytest.raises(PermissionDeniedError, match="2024"):
        outbox.send(memo, before)
    return before


def test_a_refused_recipient_is_not_tried_again_and_the_journal_keeps_the_answer(
    outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    chat = refused(outbox, memo)
    assert chat.health_status == "HEALTHY"
    for again in (memo, other(memo)):
        for name in (chat, chat.chat_id, KIM):
            with pytest.raises(PreflightError, match=r"opted out.*nothing was sent"):
                outbox.send(again, name)
    assert memo_posts(demo) == 1
    first = outbox.sends()[0]
    assert (first.status, first.error_code) == ("rejected", 2024)


def test_an_opt_out_is_shown_in_every_list(outbox: linq_nb.Outbox, memo: VoiceMemo) -> None:
    chat = refused(outbox, memo)
    shown = [item for item in (*outbox.chats(), *outbox.known_chats()) if item.chat_id == chat.chat_id]
    shown += [outbox.chat(chat.chat_id), outbox.chat(KIM), outbox.find_chat(KIM)]
    assert [item.health_status for item in shown] == ["OPTED_OUT"] * 5
    with pytest.raises(PreflightError, match=r"Kim Opted Out .*OPTED_OUT.*Kim Second Line .*OPTED_OUT"):
        outbox.send(memo, "+12025550117")
    assert "the recipient opted out" in outbox.check(memo, chat)[0].message


def test_a_plan_refuses_an_opt_out_however_the_chat_is_named(
    outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    chat = refused(outbox, memo)
    drafts = [Draft(memo=other(memo), chat=name) for name in (chat, chat.chat_id, KIM)]
    plan = outbox.plan([*drafts, Draft(memo=other(memo), chat="Ada Lovelace")])
    assert [row.verdict for row in plan.rows] == ["refused", "duplicate", "duplicate", "send"]
    assert "opted out" in plan.rows[0].why
    assert [send.status for send in outbox.send_all(plan).wait()].count("queued") == 1
    assert memo_posts(demo) == 2


def test_a_refusal_of_one_row_counts_for_the_same_person_in_another_chat(
    outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    """The person of two chats is one person; a group of theirs is never blocked."""
    refused(outbox, memo)
    world, kim = demo._state, "+12025550117"
    again = world.add_person(Person("Kim Third Line", (kim,)))
    group = world.add_person(Person("Kim and Ada", (kim, "+12025550111")))
    outbox.chats()
    with pytest.raises(PreflightError, match="opted out"):
        outbox.send(memo, again.id)
    assert outbox.send(memo, group.id).status == "queued"


def test_the_same_journal_refuses_in_another_process_too(
    connect: Callable[..., linq_nb.Outbox], memo: VoiceMemo
) -> None:
    refused(connect(), memo)
    later = connect()
    with pytest.raises(PreflightError, match="opted out"):
        later.send(memo, KIM)


def test_a_message_of_the_person_lifts_the_opt_out(outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo) -> None:
    chat = refused(outbox, memo)
    demo.advance(minutes=1)
    demo.receive(chat.chat_id, "Hello, write to me again")
    assert outbox.plan([Draft(memo=memo, chat=KIM)]).counts["send"] == 1
    assert outbox.chat(chat.chat_id).health_status == "HEALTHY"
    assert outbox.send(memo, chat).status == "queued"


def test_a_webhook_of_a_message_lifts_the_opt_out_for_every_chat_of_the_person(
    outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    chat = refused(outbox, memo)
    demo.advance(minutes=1)
    body = {
        "api_version": "v3", "event_id": "evt-1", "event_type": "message.received",
        "created_at": demo.now().isoformat(),
        "data": {"chat": {"id": demo.chat_ids["Kim Opted Out"]}, "id": "0b2d0f46-6f0c-4c5d-8a43-1a3f6f1f0e11"},
    }  # fmt: skip
    outbox.ingest_stored([json.dumps(body)])
    assert session_of(outbox).optouts.refused_at(chat) is None


def test_a_second_stop_is_refused_again(outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo) -> None:
    chat = refused(outbox, memo)
    demo.advance(minutes=1)
    demo.receive(chat.chat_id, "STOP")
    with pytest.raises(PermissionDeniedError, match="2024"):
        outbox.send(memo, chat)
    with pytest.raises(PreflightError, match="opted out"):
        outbox.send(memo, chat)


def test_an_override_is_sent_and_lifts_nothing_else(outbox: linq_nb.Outbox, memo: VoiceMemo) -> None:
    chat = refused(outbox, memo)
    assert outbox.send(other(memo), chat, override_optout="she asked by phone").status == "queued"
    with pytest.raises(PreflightError, match="opted out"):
        outbox.send(memo, chat)


def test_an_earlier_send_is_reported_and_not_refused(outbox: linq_nb.Outbox, demo: Demo, memo: VoiceMemo) -> None:
    outbox.send(memo, "Ada Lovelace")
    demo.receive(demo.chat_ids["Ada Lovelace"], "STOP")
    with pytest.raises(PermissionDeniedError, match="2024"):
        outbox.send(other(memo), "Ada Lovelace")
    before = memo_posts(demo)
    assert outbox.send(memo, "Ada Lovelace").repeated
    assert memo_posts(demo) == before
