"""A journal that lost its last writes: ``recover=True`` opens it, and no memo of before the loss goes out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from core_samples import memo, wav

from linq_nb import Draft, LinqError, Outbox, OutcomeUnknown, VoiceMemo
from linq_nb.demo import Demo
from linq_nb.journal import Journal

ADA, CLUB, LOU = "Ada Lovelace", "Book Club", "Lou Lost Answer"


class Counting(httpx.BaseTransport):
    """The demo's transport; counts the chats whose messages are read, and can refuse that."""

    def __init__(self, demo: Demo) -> None:
        self.inner, self.read, self.refused = demo.transport(), [], 0  # type: ignore[var-annotated]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/messages"):
            self.read.append(request.url.path.split("/")[-2])
            if self.refused:
                return httpx.Response(self.refused, json={})
        return self.inner.handle_request(request)


@pytest.fixture
def transport(demo: Demo) -> Counting:
    return Counting(demo)


@pytest.fixture
def recovered(connect: Callable[..., Outbox], transport: Counting, tmp_path: Path) -> Callable[..., Outbox]:
    """Connect with a journal without the earlier sends, as if its WAL was lost."""

    def connected(*, recover: bool = True, name: str = "rest.sqlite", **more: object) -> Outbox:
        return connect(transport=transport, journal=str(tmp_path / name), recover=recover, **more)

    return connected


def files(count: int) -> list[VoiceMemo]:
    return [memo(300 + number, f"memo {number}.wav") for number in range(count)]


def test_memos_of_before_the_loss_are_adopted_and_new_memos_are_sent(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], transport: Counting, demo: Demo
) -> None:
    chats = [demo.chat_ids[name] for name in (ADA, CLUB)]
    memos = files(3)
    sent = {(m.filename, chat): connect().send(m, chat) for m in memos[:2] for chat in chats}
    again = recovered()
    for chat in chats:
        for m in memos[:2]:
            send = again.send(m, chat)
            assert send.repeated
            assert send.message_id == sent[m.filename, chat].message_id
            assert again.history(send)[-1].reconcile_result == "found"
        assert not again.send(memos[2], chat).repeated
        assert demo.bubbles(chat) == 3
    assert sorted(transport.read) == sorted(chats)  # each once
    again.close()
    later = recovered(recover=False)  # a restart
    for chat in chats:
        assert [later.send(m, chat).repeated for m in memos] == [True] * 3
        assert demo.bubbles(chat) == 3
    assert sorted(transport.read) == sorted(chats)


def test_a_chat_that_was_not_read_before_the_restart_is_read_after_it(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], transport: Counting, demo: Demo
) -> None:
    chat = demo.chat_ids[ADA]
    first = connect().send(memo(), chat)
    recovered().close()
    assert recovered(recover=False).send(memo(), chat).message_id == first.message_id
    assert (demo.bubbles(chat), transport.read) == (1, [chat])


def test_a_lost_journal_that_is_recovered_from_a_real_loss(
    connect: Callable[..., Outbox], demo: Demo, tmp_path: Path
) -> None:
    file, chat = tmp_path / "journal.sqlite", demo.chat_ids[ADA]
    outbox = connect()
    sent = [outbox.send(m, chat) for m in files(3)]
    rest = tmp_path / "rest.sqlite"
    rest.write_bytes(file.read_bytes())  # a copy of the main file alone
    with pytest.raises(LinqError, match=r"lost its last writes.*recover=True"):
        connect(journal=str(rest))
    again = connect(journal=str(rest), recover=True)
    assert [again.send(m, chat).message_id for m in files(3)] == [send.message_id for send in sent]
    assert demo.bubbles(chat) == 3


def test_a_plan_reports_the_memos_in_the_chats_and_sends_the_others(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo
) -> None:
    chats = [demo.chat_ids[name] for name in (ADA, CLUB)]
    connect().send(memo(), chats[0])
    again = recovered()
    plan = again.plan([Draft(memo=memo(), chat=chat) for chat in chats])
    assert [row.verdict for row in plan.rows] == ["unclear", "send"]
    assert "adopted" in plan.rows[0].why
    assert [send.repeated for send in again.send_all(plan, workers=2)] == [True, False]
    assert [demo.bubbles(chat) for chat in chats] == [1, 1]


@pytest.mark.parametrize("workers", [1, 8])
def test_a_whole_batch_is_run_again_with_no_second_bubble(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo, workers: int
) -> None:
    chats = [demo.chat_ids[name] for name in (ADA, CLUB)]
    drafts = [Draft(memo=m, chat=chat, copy=copy) for m in files(2) for chat in chats for copy in (1, 2)]
    first = connect()
    first.send_all(first.plan(drafts)).wait()
    again = recovered()
    sends = list(again.send_all(again.plan(drafts), workers=workers))
    assert {send.repeated for send in sends} == {True}
    assert len({send.message_id for send in sends}) == len(drafts)
    assert [demo.bubbles(chat) for chat in chats] == [4, 4]


def unclear(connect: Callable[..., Outbox], demo: Demo) -> tuple[str, VoiceMemo]:
    """Send a memo; returns the chat and another memo with the name of the first."""
    chat = demo.chat_ids[ADA]
    connect().send(memo(), chat)
    other = memo(440)
    return chat, VoiceMemo.from_bytes((other.data or b"") + bytes(64), filename="hello.wav")


@pytest.mark.parametrize("word", ["sent", "not_sent"])
def test_a_memo_that_may_be_in_the_chat_is_not_sent_until_a_person_has_looked(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo, word: str
) -> None:
    chat, other = unclear(connect, demo)
    again = recovered()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=r"resolve\(send, \"not_sent\".*copy=2"):
            again.send(other, chat)
    (send,) = again.sends(status="unknown")
    assert "may be this memo" in str(send.error_message)
    assert demo.bubbles(chat) == 1
    again.resolve(send, word, reason="looked")
    assert again.send(other, chat).repeated == (word == "sent")
    assert demo.bubbles(chat) == (1 if word == "sent" else 2)


def test_similar_memos_do_not_adopt_each_others_messages(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo
) -> None:
    """Two recordings of one length under one name: their messages cannot be distinguished."""
    chat, memos = demo.chat_ids[ADA], [memo(tone, "memo.wav") for tone in (300, 440)]
    assert len({voice_memo.size_bytes for voice_memo in memos}) == 1
    first = connect()
    sent = [first.send(voice_memo, chat) for voice_memo in memos]
    again = recovered()
    for voice_memo in reversed(memos):
        with pytest.raises(OutcomeUnknown, match="several messages that look like this memo"):
            again.send(voice_memo, chat)
    assert [send.message_id for send in again.sends()] == [None, None]
    assert demo.bubbles(chat) == len(sent)


def test_a_memo_whose_message_was_matched_with_a_similar_memo_is_not_sent_again(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo
) -> None:
    chat, (sent_memo, similar_memo) = demo.chat_ids[ADA], [memo(tone, "memo.wav") for tone in (300, 440)]
    connect().send(sent_memo, chat)
    again = recovered()
    assert again.send(similar_memo, chat).repeated  # by its name and size
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=r"resolve\(send, \"not_sent\""):
            again.send(sent_memo, chat)
    assert not again.send(memo(500, "third.wav"), chat).repeated
    assert demo.bubbles(chat) == 2


def test_a_further_copy_of_an_unclear_memo_is_sent(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo
) -> None:
    chat, other = unclear(connect, demo)
    again = recovered()
    with pytest.raises(OutcomeUnknown):
        again.send(other, chat)
    assert again.send(other, chat, copy=2).status == "queued"
    assert demo.bubbles(chat) == 2


@pytest.mark.parametrize("status", [500, 403])
def test_nothing_is_sent_to_a_chat_that_cannot_be_read(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], transport: Counting, demo: Demo, status: int
) -> None:
    chat = demo.chat_ids[ADA]
    first = connect().send(memo(), chat)
    again = recovered()
    transport.refused = status
    with pytest.raises(LinqError):
        again.send(memo(), chat)
    assert again.sends()[0].status in ("not_sent", "rejected")
    transport.refused = 0
    assert again.send(memo(), chat).message_id == first.message_id
    assert demo.bubbles(chat) == 1


def test_a_second_loss_has_the_chats_read_again(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], transport: Counting, demo: Demo
) -> None:
    chat = demo.chat_ids[ADA]
    for number in range(2):
        again = recovered()
        again.send(memo(300 + number, f"{number}.wav"), chat)
        again.close()
    assert transport.read == [chat, chat]
    assert connect(transport=transport).send(memo(), chat).status == "queued"
    assert len(transport.read) == 2  # a journal that lost nothing reads nothing


def test_forgetting_a_chat_forgets_its_recovered_messages(
    connect: Callable[..., Outbox], recovered: Callable[..., Outbox], demo: Demo, tmp_path: Path
) -> None:
    chat = demo.chat_ids[ADA]
    connect().send(memo(filename="secret name.wav"), chat)
    again = recovered()
    again.send(VoiceMemo.from_bytes(wav(2), filename="other.wav"), chat)
    again.forget(chat)
    again.close()
    assert b"secret name" not in (tmp_path / "rest.sqlite").read_bytes()
    book = Journal(f"sqlite:///{tmp_path / 'rest.sqlite'}")
    assert book.chat_messages(demo.base_url, chat) is None
    book.close()
