"""A chat is found by a number in any spelling or by a name as it looks; no other chat is found."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import linq_nb
import linq_nb.accessor
from linq_nb import Chat, Draft, Outbox, PreflightError, VoiceMemo
from linq_nb.directory import Directory
from linq_nb.model import Handle
from linq_nb.tables import listed
from linq_nb.text import difference, name_key, recipient, visual_key

GRACE = "+12025550112"
SPELLINGS = [
    12025550112, 12025550112.0, np.int64(12025550112), np.float64(12025550112), Decimal(12025550112), "12025550112",
    "12025550112.0", "+12025550112.0", "1 202 555 0112", "1-202-555-0112", "1 (202) 555-0112", "+1 (202) 555-0112",
    "(+1) 202 555-0112", "+1.202.555.0112", "1.202.555.0112", "1/202/555/0112", "00 1 202 555 0112", "0012025550112",
    "(00 1) 202 555 0112", "+ 1 202 555 0112", "tel:+1-202-555-0112", "sms:+12025550112", "whatsapp:+12025550112",
    '="12025550112"', "'+12025550112", '"+12025550112"', "<+12025550112>", "\u201c+12025550112\u201d", "+12025550112,",
    "\uff0b\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff11\uff12", "\uff08+1\uff09202\uff0d5550112",
    "+1\u00a0202\u2011555\u20110112", "+1\u2009202\u2212555\u22120112", "+1\u202f202\u2012555\u20120112",
    "+1\u00ad202\u00ad555\u00ad0112", "\u202a+12025550112\u202c", "\u2066+12025550112\u2069", "\ufeff+12025550112",
    "\u200e+1 202 555 0112", " +12025550112\r\n", "+1202\u200b555\u20600112", "1\ufe0f\u20e32025550112",
    "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0661\u0662", "12,025,550,112", "1_202_555_0112",
    "Tel. +1 202 555 0112", "phone: 12025550112",
    "\U0001f4de +1 202 555 0112", "1\u00b7202\u00b7555\u00b70112",
    "1\u30fc202\u30fc555\u30fc0112", "%2B12025550112", "+1 [202] 555 0112",
]  # fmt: skip


@pytest.fixture(scope="module")
def demo_outbox() -> Iterator[Outbox]:
    """One demo for all the questions of this file, which change nothing."""
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        yield outbox


@pytest.mark.parametrize("value", SPELLINGS, ids=ascii)
def test_a_chat_is_found_by_its_number_however_that_is_written(demo_outbox: Outbox, value: Any) -> None:
    chat = demo_outbox.find_chat(value)
    assert isinstance(chat, Chat)
    assert chat.chat_name == "Grace Hopper"


@pytest.mark.parametrize("value", SPELLINGS[::6], ids=ascii)
def test_every_call_that_takes_a_chat_accepts_its_number(outbox: Outbox, memo: VoiceMemo, value: Any) -> None:
    send = outbox.send(memo, value)
    assert send.chat_name == "Grace Hopper"
    assert outbox.chat(value).chat_id == send.chat_id
    assert [other.send_id for other in outbox.sends(chat=value)] == [send.send_id]
    assert {event.send_id for event in outbox.history(value)} == {send.send_id}
    assert {message.chat_id for message in outbox.messages([value])} == {send.chat_id}
    assert outbox.messages(value) == outbox.messages([value])
    assert [chat.chat_id for chat in outbox.chats(to=value)] == [send.chat_id]
    assert [row.verdict for row in outbox.plan([Draft(memo=memo, chat=value)]).rows] == ["already_sent"]
    assert linq_nb.audit(outbox, chat=value, since=None).frames["summary"]["sends"].sum() >= 1
    assert outbox.forget(value) == 1
    assert outbox.chats(from_="001 202 555 0101") == outbox.chats(from_="+12025550101") != []


@pytest.mark.parametrize("value", ["Linus@Example.COM", " linus@example.com\u200b", "mailto:linus@example.com",
                                   "\uff4cinus\uff20example.com", "<linus@example.com>"])  # fmt: skip
def test_a_chat_is_found_by_its_email_address(demo_outbox: Outbox, value: str) -> None:
    assert demo_outbox.chat(value).chat_name == "Linus Email"


def test_an_id_may_have_spaces_around_it_or_be_a_uuid(demo_outbox: Outbox) -> None:
    chat_id = demo_outbox.chat("Ada Lovelace").chat_id
    for value in (chat_id, chat_id.upper(), f"\ufeff {chat_id}\u00a0", uuid.UUID(chat_id)):
        assert demo_outbox.find_chat(value) == chat_id  # type: ignore[arg-type]


WRONG = [
    ("2025550112", "10 digits, no +, ends in 0112"),
    ("(202) 555-0112", "10 digits, no +, ends in 0112"),
    (2025550112, "10 digits, no +, ends in 0112"),
    ("+12025550198", "no 1:1 chat has this phone number (11 digits, a +, ends in 0198)"),
    ("+12025550113", "no 1:1 chat has this phone number"),  # a person in groups only
    ("12025550198", "no 1:1 chat has this phone number (11 digits, no +, ends in 0198)"),
    ("+120255501120", "12 digits, a +, ends in 1120"),
    ("120255501", "9 digits, no +, ends in 5501"),
    ("+1 202 555 O112", "with 'O'"),
    ("+12025550112;+12025550133", "22 digits"),
    ("12025550112 12025550133", "15 digits at most"),
    ("+12025550112 x5", "with 'x'"),
    ("2.02556E+9", "the digits are lost; read the column as text"),
    ("1,20256E+10", "the digits are lost; read the column as text"),
    ("+1.20256e10", "the digits are lost; read the column as text"),
    (Decimal("1.20256E+10"), "the digits are lost; read the column as text"),
    (2.02556e9, "the digits are lost; read the column as text"),
    (1.20256e10, "the digits are lost; read the column as text"),
    (12025550112.5, "the digits are lost; read the column as text"),
    ("12025550112.5", "the digits are lost; read the column as text"),
    (np.float32(12025550112), "the digits are lost; read the column as text"),
    (1e16, "the digits are lost; read the column as text"),
    (-12025550112, "11 digits, no +"),
    ("0176 12345678", "12345678 digits|12 digits|11 digits"),
]


@pytest.mark.parametrize(("value", "words"), WRONG, ids=ascii)
def test_a_number_that_cannot_be_used_is_described_and_no_other_chat_is_named(
    demo_outbox: Outbox, value: Any, words: str
) -> None:
    with pytest.raises(PreflightError) as caught:
        demo_outbox.find_chat(value)
    message = str(caught.value)
    assert any(word in message for word in words.split("|"))
    assert "nothing was sent" in message
    assert "did you mean" not in message
    assert "0133" not in message.replace("ends in 0133", "")
    assert "2025550" not in message
    assert "5550112" not in message


def test_the_advice_for_a_number_without_its_country_code_helps(demo_outbox: Outbox) -> None:
    with pytest.raises(PreflightError, match=r'linq_nb.to_e164[(]numbers, region="US"[)] adds that of a country'):
        demo_outbox.find_chat("(202) 555-0112")
    numbers = linq_nb.to_e164(["(202) 555-0112", 2025550112], region="US")
    assert {demo_outbox.chat(number).chat_name for number in numbers} == {"Grace Hopper"}


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([12025550112, None]), pd.Series([12025550112, None], dtype="Int64"),
        pd.Series(["001 202 5550112", ""]),
        pl.Series([12025550112, None]), pa.chunked_array([[12025550112, None]]), pa.array(["1-202-555-0112", None]),
        [Decimal(12025550112), float("nan")], np.array([12025550112, np.nan]), np.array(["+1 202 5550112", None]),
        pd.Series(["+12025550112", "x"], dtype="category"),
    ],
    ids=lambda values: type(values).__module__,
)  # fmt: skip
def test_a_column_of_any_library_becomes_e164(values: Any) -> None:
    read = linq_nb.to_e164(values)
    assert [None if pd.isna(value) else str(value) for value in list(read)] == [GRACE, None] or (
        [value.as_py() for value in read] == [GRACE, None]
    )


def test_a_table_of_contacts_is_planned_as_it_was_read(demo_outbox: Outbox, memo: VoiceMemo, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(
        "phone,path\n12025550112,a.amr\n,a.amr\n12025550111,a.amr\n2025550133,a.amr\n", "utf-8"
    )
    frame = pd.read_csv(tmp_path / "people.csv")
    frame["path"] = [memo] * 4
    plan = demo_outbox.plan(frame.linq.drafts(chat="phone"))
    assert [row.verdict for row in plan.rows] == ["send", "refused", "send", "refused"]
    assert "10 digits, no +, ends in 0133" in plan.rows[3].why


# --- masking ---

HIDDEN_SPELLINGS = [
    "12025550198", "2025550198", "+1 (202) 555-0198", "00 1 202 555 0198", "12,025,550,198", "1_202_555_0198",
    "1\u00b7202\u00b7555\u00b70198", "\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff19\uff18",
    "1\u00a0202\u2011555\u20110198", "1|202|555|0198", "1 2 0 2 5 5 5 0 1 9 8", "+1 202 555 O198",
    "\u202a+12025550198\u202c",
    "Ada 202.555.0198", '="12025550198"', "202 555\u202f0198 (mobile)", "5550198",
    "\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0669\u0668",
    "1:202:555:0198", "ada.198@example.com",
]  # fmt: skip


@pytest.mark.parametrize("spelling", HIDDEN_SPELLINGS, ids=ascii)
def test_a_handle_is_masked_in_every_view(demo_outbox: Outbox, memo: VoiceMemo, spelling: str) -> None:
    frame = pd.DataFrame({"chat": [spelling, spelling], "path": [memo, ""]})
    drafts = frame.linq.drafts(chat="chat")
    plan = demo_outbox.plan(drafts)
    batch = demo_outbox.send_all(plan, workers=1).wait()
    masked = batch.frame()
    shown = [repr(drafts), repr(plan), str(plan._repr_mimebundle_()), repr(batch.results()), masked.to_string(),
             repr([row.why for row in plan.rows]), batch.frame("hashed").to_string()]  # fmt: skip
    plain = "".join(char for char in str(linq_nb.text.visual_key(" ".join(shown))) if char.isalnum() or char in "•@")
    for private in ("2025550", "55501", "5550198", "2 0 2", "ada198"):
        assert private not in plain
    full = batch.frame("full")
    assert list(masked["typed_chat"].str.contains("•")) == [True, True]
    assert list(full["typed_chat"]) == [spelling.strip()] * 2


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "Book Club 2024", "69a37c7d-af4f-4b5e-af42-e28e98ce1234",
             "69a37c7d-af4f-4b5e-af42-e28e98c",
             "Team 24/7", "José", ""]
)  # fmt: skip
def test_a_name_and_an_id_are_shown_as_they_are(text: str) -> None:
    assert recipient(text) == text


@pytest.mark.parametrize(
    "names",
    [
        ["12025550112", "hello.m4a"], ["Ada Lovelace", "audio/hello.m4a"], ["Ada", "https://x.example/a"],
        ["69a37c7d-af4f-4b5e-af42-e28e98ce1234", "memo"], ["ada@example.com", "memo"], [12025550112, "memo"],
        ["1 202 555 0112", "hello.WAV"], ["[['+12025550112', '+12025550113']]", "chat"],
    ],
)  # fmt: skip
def test_no_value_is_printed_as_the_name_of_a_column(names: list[Any]) -> None:
    assert "header" in listed(names)
    frame = pd.DataFrame([["x"] * len(names)], columns=names)
    with pytest.raises(linq_nb.SettingsError) as caught:
        frame.linq.drafts(chat="person")
    for name in names:
        assert str(name) not in str(caught.value)


# --- names that look the same ---

SAME = [
    ("José", "Jose\u0301"), ("O'Brien", "O\u2019Brien"), ("O'Brien", "O\u02bcBrien"), ("O'Brien", "O`Brien"),
    ("O'Brien", "O\u00b4Brien"), ('The "A" Team', "The \u201cA\u201d Team"), ("Sales - EU", "Sales \u2013 EU"),
    ("Sales - EU", "Sales \u2014 EU"), ("Ann-Marie", "Ann\u2011Marie"), ("Ann-Marie", "Ann\u2212Marie"),
    ("Love \u2764\ufe0f", "Love \u2764"), ("Book Club", "Book  Club"), ("Book Club", "Book\u00a0Club"),
    ("Book Club", "Book\u2003Club "), ("Book Club", "Book\u200b Club"), ("Book Club", "\ufeffBook Club"),
    ("Book Club", "\u202aBook Club\u202c"), ("Book Club", "Bo\u00adok Club"), ("Book Club", "BOOK CLUB"),
    ("Office", "O\ufb03ce"), ("ADA 1", "\uff21\uff24\uff21\u3000\uff11"), ("Wait...", "Wait\u2026"),
    ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8"), ("Zo\u00eb", "Zoe\u0308"),
    ("\u30ac\u30fc\u30c9", "\uff76\uff9e\uff70\uff84\uff9e"),
    ("Stra\u00dfe", "STRASSE"), ("\u00c5sa", "A\u030asa"), ("\u212bsa", "\u00c5sa"), ("Vi\u1ec7t", "Vie\u0323\u0302t"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spelling"), [*SAME, *((b, a) for a, b in SAME)], ids=ascii)
def test_a_name_is_found_as_it_looks(name: str, spelling: str) -> None:
    chats = [a_chat(1, name), a_chat(2, "Somebody Else")]
    assert Directory(chats).find(spelling) == chats[0]


DIFFERENT = [
    ("Jose", "José"), ("Ada", "\u0410da"), ("Team 2", "Team \u00b2"), ("Ada", "Ad"), ("Bob", "B0b"),
    ("\U0001f44d", "\U0001f44d\U0001f3fd"), ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
                                             "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"),
    ("BookClub", "Book Club"), ("Ada!", "Ada"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spelling"), DIFFERENT, ids=ascii)
def test_a_name_that_looks_different_is_not_found(name: str, spelling: str) -> None:
    assert name_key(name) != name_key(spelling)
    with pytest.raises(PreflightError, match="no chat is called"):
        Directory([a_chat(1, name)]).find(spelling)


@pytest.mark.parametrize(
    ("name", "spelling", "words"),
    [
        ("\u0410da Lovelace", "Ada Lovelace", "its character 1 is U+0410 (CYRILLIC CAPITAL LETTER A), not U+0041 ("),
        ("Team 0ne", "Team One", "its character 6 is U+0030 (DIGIT ZERO), not U+004F (LATIN CAPITAL LETTER O)"),
        ("Bil1", "Bill", "its character 4 is U+0031 (DIGIT ONE), not U+006C"),
        ("\u0392ook Club", "Book Club", "GREEK CAPITAL LETTER BETA"),
    ],
)
def test_a_hint_says_where_two_names_differ_that_look_alike(name: str, spelling: str, words: str) -> None:
    with pytest.raises(PreflightError) as caught:
        Directory([a_chat(1, name)]).find(spelling)
    assert "did you mean" in str(caught.value)
    assert words in str(caught.value)


def test_of_two_chats_whose_names_look_the_same_the_error_says_how_they_differ() -> None:
    chats = [a_chat(1, "José"), a_chat(2, "Jose\u0301"), a_chat(3, "Jos\u200bé")]
    with pytest.raises(PreflightError) as caught:
        Directory(chats).find("José")
    message = str(caught.value)
    assert message.startswith("3 chats are called 'José'; nothing was sent; give an id: ")
    assert "its accents are decomposed (Unicode NFD)" in message
    assert "its character 4 is U+200B (ZERO WIDTH SPACE), not U+00E9" in message
    assert all(chat.chat_id in message for chat in chats)


def test_no_number_is_a_hint_for_a_name() -> None:
    chats = [a_chat(1, "+12025550133"), a_chat(2, "202-555-0134"), a_chat(3, "Team 202")]
    with pytest.raises(PreflightError, match=r"did you mean 'Team 202'[?]; %linq_chats lists all") as caught:
        Directory(chats).find("202")
    assert "013" not in str(caught.value)
    with pytest.raises(PreflightError, match="no chats with a name"):
        Directory(chats[:2]).find("Ada")


def test_a_number_of_an_unknown_range_is_found_by_its_digits() -> None:
    chats = [a_chat(1, None, "+15555550112"), a_chat(2, None, "+5215512345678")]
    for spelling in ("15555550112", "+1 (555) 555-0112", "001 555 555 0112", 15555550112.0):
        assert Directory(chats).find(str(spelling)) == chats[0]
    for spelling in ("+52 1 55 1234 5678", "5215512345678"):
        assert Directory(chats).find(spelling) == chats[1]


@pytest.mark.parametrize(
    "text", ["Ada", "José", "Jose\u0301 \u201cJ\u201d", "\u0660", "a\u200b \u00a0b", "\ufb01\u2026"]
)
def test_the_visual_key_of_a_visual_key_is_itself(text: str) -> None:
    assert visual_key(visual_key(text)) == visual_key(text)
    assert difference(text, text) == ""


def a_chat(number: int, name: str | None, handle: str = "") -> Chat:
    person = Handle(handle=handle or f"+1202555014{number}", is_me=False)
    return Chat(chat_id=str(uuid.UUID(int=number)), chat_name=name, is_group=False, handles=(person,))


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\ufeff\u00a0"])
def test_a_chat_without_a_name_is_not_found_by_an_empty_one(name: str) -> None:
    unnamed = Chat(chat_id="c", chat_name=None, is_group=True)
    with pytest.raises(PreflightError, match="no chat is called"):
        Directory([unnamed]).find(name)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2.02556e9, "the digits are lost"),
        ("1.20256E+10", "the digits are lost"),
        (np.float32(12025550112), "the digits are lost"),
        ("202 555 0112", r"10 digits, no \+, ends in 0112"),
        ("Ada", "this is not a phone number"),
        ("", "this is not a phone number"),
        (True, "this is not a phone number"),
        ("\ud800", "this is not a phone number"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("name", ["to", "from_"])
def test_chats_of_an_invalid_handle_are_refused_without_a_request(
    outbox: Outbox, name: str, value: Any, message: str
) -> None:
    with pytest.raises(linq_nb.SettingsError, match=rf"{name}: .*{message}.*; nothing was asked") as caught:
        outbox.chats(**{name: value})
    assert str(caught.value).count("nothing was") == 1
