"""The month of a demo: the same on every machine, and consistent with the later answers of its world."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256

import linq
import pytest

from linq_nb.demo import START, Demo

SENDS = 2_000
SEEN = "e795e45802d7fc4035bd170140bcfcda02137a05c88cf1e2abcebed99688bb0a"


def digest_of(demo: Demo, sends: int = SENDS) -> str:
    """Return a hash of all answers, webhooks and reads of a month."""
    digest = sha256()
    for day in demo.month(sends):
        for post in day.posts:
            digest.update(repr((post.chat_id, post.copy, post.posted_at, post.answered_at, post.recording)).encode())
            digest.update(repr(post.reply and (post.reply.status, post.reply.body, post.reply.headers)).encode())
        for body in day.webhooks:
            digest.update(body)
        for page in day.pages:
            digest.update(repr((page.at, page.chat_id, page.reply.body)).encode())
    return digest.hexdigest()


def test_a_month_is_the_same_in_each_world_and_on_each_machine(demo: Demo) -> None:
    assert digest_of(demo) == digest_of(demo) == SEEN
    assert digest_of(Demo(seed=2)) != SEEN


def test_a_month_ends_at_the_clock_which_does_not_move(demo: Demo) -> None:
    days = list(demo.month(SENDS))
    assert demo.now() == START
    assert [str(day.day) for day in days] == [f"2026-02-{day:02}" for day in range(1, 29)]
    assert sum(len(day.posts) for day in days) == SENDS
    for day in days:
        times = [post.posted_at for post in day.posts]
        assert {time.date() for time in times} == {day.day}
        assert times == sorted(times)


def test_the_bubbles_are_the_accepted_memos_and_those_of_other_senders(demo: Demo) -> None:
    before = demo.bubbles()
    posts = [post for day in demo.month(SENDS) for post in day.posts]
    accepted = Counter(post.chat_id for post in posts if post.reply and post.reply.status == 202)
    assert before == {}
    assert set(accepted) <= set(demo.bubbles())
    listed = {chat_id: {memo["message_id"] for memo in demo.memos(chat_id)} for chat_id in demo.bubbles()}
    ours = {json.loads(p.reply.body)["voice_memo"]["id"] for p in posts if p.reply and p.reply.status == 202}
    everything = set().union(*listed.values())
    assert 0 < len(ours - everything) < 5  # deleted from Linq's record
    assert 3 <= len(everything - ours) < 25  # sent by hand, or accepted without an answer
    assert {chat_id: len(ids) for chat_id, ids in listed.items()} == demo.bubbles()


def test_the_official_sdk_reads_the_months_chats_and_messages(demo: Demo, sdk: linq.LinqAPIV3) -> None:
    demo.month(SENDS)
    recovered = 0
    for chat_id in list(demo.bubbles()):
        page = sdk.chats.messages.list(chat_id, limit=100)
        assert {message.chat_id for message in page.messages} == {chat_id}
        recovered += sum(message.reconciled_at is not None for message in page.messages)
    assert recovered > 0


def test_a_person_who_opted_out_is_refused_from_then_on(demo: Demo) -> None:
    refused: dict[str, list[bool]] = {}
    for day in demo.month(SENDS):
        for post in day.posts:
            is_no = post.reply is not None and json.loads(post.reply.body).get("error", {}).get("code") == 2024
            refused.setdefault(post.chat_id, []).append(is_no)
    out = {chat_id: answers for chat_id, answers in refused.items() if any(answers)}
    assert out
    for answers in out.values():
        assert answers == sorted(answers)
        assert not answers[0]


@pytest.mark.parametrize("sends", [0, 1_999, 1_000_001])
def test_a_month_of_an_impossible_size_is_refused(demo: Demo, sends: int) -> None:
    with pytest.raises(ValueError, match="2,000 to 1,000,000"):
        demo.month(sends)


def test_a_world_has_one_month(demo: Demo) -> None:
    assert demo.month(SENDS) is demo.month(SENDS)
    with pytest.raises(ValueError, match="had its month already"):
        demo.month(SENDS + 1)
    demo.reset()
    assert len(demo.month(SENDS + 1)) == SENDS + 1
