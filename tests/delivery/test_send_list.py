"""A list of sends shows their outcomes: the counts, failures first, the end of a long list folded."""

from __future__ import annotations

import pickle

import pytest

from linq_nb import Outbox, SendList, VoiceMemo, to_frame
from linq_nb.demo import Demo
from linq_nb.errors import OutcomeUnknown


@pytest.fixture
def sends(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> SendList:
    for name in ("Ada Lovelace", "Book Club", "Finn Fails"):
        outbox.send(memo, demo.chat_ids[name])
    with pytest.raises(OutcomeUnknown):
        outbox.send(memo, demo.chat_ids["Lou Lost Answer"])
    demo.advance(seconds=30)
    return outbox.refresh(outbox.sends())


def test_text_and_html_of_a_list_agree(sends: SendList) -> None:
    text, html = repr(sends), sends._repr_mimebundle_()["text/html"]
    head, *rows = text.splitlines()
    assert head == "4 sends: 1 delivered, 1 sent, 1 unknown, 1 failed"
    assert [row.split()[0] for row in rows] == ["failed", "unknown", "delivered", "sent"]
    for words in (head, "Book Club · 3 people", "groups give no further receipts", "Lou Lost Answer"):
        assert words in text
        assert words in html
    assert sends._repr_mimebundle_()["text/plain"] == text
    assert "2025550" not in text + html


def test_every_verb_returns_a_send_list(outbox: Outbox, sends: SendList) -> None:
    unknown = outbox.sends(status="unknown")
    for returned in (
        outbox.sends(),
        unknown,
        outbox.reconcile(unknown),
        outbox.refresh(),
        outbox.watch(sends, 0),
        sends[:2],
    ):
        assert isinstance(returned, SendList)
    assert outbox.sends(status="read") == []
    assert repr(SendList()) == "no sends"


def test_a_send_list_is_a_list(sends: SendList) -> None:
    assert sends == list(sends)
    assert sends[0].chat_name == "Ada Lovelace"
    assert [send.chat_name for send in sends[::-1]][-1] == "Ada Lovelace"
    assert pickle.loads(pickle.dumps(sends)) == sends
    assert len(to_frame(sends)) == 4
    assert to_frame(SendList(), kind="sends").empty


def test_a_long_list_can_be_opened(sends: SendList) -> None:
    many = SendList([sends[0]] * 700)
    lines = repr(many).splitlines()
    assert lines[0] == "700 sends: 700 delivered"
    assert lines[-2:] == ["and 500 more", "150 more are not shown"]
    html = many._repr_mimebundle_()["text/html"]
    assert html.count("<details>") == 1
    assert html.count("Ada Lovelace") == 550
