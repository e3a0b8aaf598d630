"""A live send asks first, as the setting says; the question names memo and recipients."""

from __future__ import annotations

import uuid

import pytest

from linq_nb import Chat, VoiceMemo, consent
from linq_nb.model import Handle


@pytest.fixture
def account() -> str:
    return uuid.uuid4().hex


@pytest.mark.parametrize(
    ("ask", "before_a_yes", "after_a_yes"), [("each", True, True), ("once", True, False), ("never", False, False)]
)
def test_the_setting_says_when_a_live_send_asks(account: str, ask: str, before_a_yes: bool, after_a_yes: bool) -> None:
    assert consent.must_ask(ask, "LIVE", account) is before_a_yes
    consent.remember(account)
    assert consent.must_ask(ask, "LIVE", account) is after_a_yes


@pytest.mark.parametrize("ask", ["each", "once", "never"])
def test_the_demo_never_asks(account: str, ask: str) -> None:
    assert not consent.must_ask(ask, "DEMO", account)


def test_a_yes_counts_for_its_own_account_only(account: str) -> None:
    consent.remember(account)
    assert consent.must_ask("once", "LIVE", uuid.uuid4().hex)


def test_the_question_names_memo_recipients_and_journal_and_masks_handles() -> None:
    ada = Handle(handle="+12025550111", service="iMessage")
    chat = Chat(chat_id=str(uuid.uuid4()), chat_name="Ada", is_group=False, handles=(ada,))
    memo = VoiceMemo.from_url("https://example.com/hello.m4a?signature=secret")
    question = consent.question(memo, [chat], "journal.sqlite")
    assert question.startswith("send hello.m4a to Ada")
    assert question.endswith("? Journal: journal.sqlite.")
    assert "+12025550111" not in question
    assert "secret" not in question
    warned = consent.question(memo, [chat], "journal.sqlite", "the journal is in memory")
    assert warned.endswith("? Journal: journal.sqlite. Warning: the journal is in memory.")
