"""Many recipients and their outcomes: lists, tables, accepted findings, opt-outs, following."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from form_page import (
    ADA,
    BOOK_CLUB,
    act,
    card,
    choose,
    fill,
    give,
    is_off,
    label,
    messages_of,
    opened,
    press,
    progress,
    row_of,
    say,
    status,
    tone,
    upload,
)
from IPython.core.interactiveshell import InteractiveShell
from shared import wait_for

import linq_nb
from linq_nb import PreflightError, SendForm, SettingsError
from linq_nb.demo import Demo
from linq_nb.outbox import session_of

CORA, KIM, LOU = "Cora Critical", "Kim Opted Out", "Lou Lost Answer"
OGG = linq_nb.demo.sample("hello.ogg").read_bytes()


def paste(form: SendForm, *lines: str) -> None:
    say(form, {"kind": "paste", "text": "\n".join(lines)})


def actions_of(form: SendForm, whom: str) -> list[str]:
    return [action["label"] for action in row_of(form, whom)["actions"]]


def names(form: SendForm) -> list[str | None]:
    return [chat.chat_name for chat in form.chats]


# --- a pasted list ---


def test_a_pasted_list_chooses_chats_and_shows_the_lines_that_name_none(form: SendForm) -> None:
    choose(form, "Grace Hopper")
    paste(form, " Ada Lovelace ", "", '"book club",', "+1 (202) 555-0115", "Ada Lovelace", "+12025550199", "Adda")
    assert names(form) == ["Grace Hopper", ADA, BOOK_CLUB, "Sam SMS"]
    assert status(form) == "3 chats found; 2 lines name no chat."
    number, name = form.view["unmatched"]
    assert (number["shown"], name["shown"]) == ("+1•••••0199", "Adda")
    assert number["why"].startswith("no 1:1 chat has this phone number")
    assert "nothing was sent" not in number["why"]
    assert name["why"] == "no chat is called 'Adda'"
    assert "2025550199" not in repr(form.get_state())


def test_a_line_that_names_no_chat_stays_to_the_end_and_may_be_dropped(form: SendForm, demo: Demo) -> None:
    paste(form, ADA, "+12025550199", "Nobody")
    upload(form, tone())
    assert label(form) == "Send 0:02 to Ada Lovelace · iMessage"
    assert "Nobody: no chat is called" in card(form)
    say(form, {"kind": "drop", "text": "Nobody"})
    assert "Nobody" not in card(form)
    press(form)
    assert sum(demo.bubbles().values()) == 1
    assert progress(form) == "2 recipients: 1 queued, 1 not_sent."
    assert row_of(form, "+1•••••0199")["note"].startswith("no 1:1 chat has this phone number")
    assert actions_of(form, "+1•••••0199") == []


def test_a_line_is_dropped_once_it_names_a_chat(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    paste(form, "Customer 001")
    assert len(form.view["unmatched"]) == 1
    demo.add_chats(1)
    outbox.demo.advance(minutes=6)  # chats are cached for five minutes
    paste(form, "Customer 001")
    assert form.view["unmatched"] == []
    assert names(form) == ["Customer 001"]


def test_a_list_longer_than_a_form_can_show_is_refused(form: SendForm) -> None:
    paste(form, *(f"person {number}" for number in range(2_001)))
    assert isinstance(form.error, PreflightError)
    assert "these are 2,001 lines" in status(form)
    assert form.chats == ()


# --- a table of the notebook ---


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch, shell: InteractiveShell) -> dict[str, Any]:
    """The names of a notebook."""
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    return shell.user_ns


def test_the_notebooks_tables_are_listed_with_their_likely_columns(form: SendForm, frames: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas")
    frames["people"] = pd.DataFrame({"note": ["x"], "phone": ["+12025550111"]})
    frames["plan"] = pd.DataFrame({"chat": [ADA, BOOK_CLUB], "audio": ["a.wav", "b.wav"]})
    frames["_hidden"], frames["number"] = frames["plan"], 7
    sent = messages_of(form)
    say(form, {"kind": "tables"})
    (tables,) = [message["tables"] for message in sent if message["kind"] == "tables"]
    listed = {table["name"]: (table["rows"], table["chat"], table["audio"]) for table in tables}
    assert listed["people"] == (1, "phone", "")
    assert listed["plan"] == (2, "chat", "audio")
    assert not {"_hidden", "number"} & listed.keys()


@pytest.mark.parametrize(
    ("columns", "chat", "audio"),
    [
        (["note", "Chat ID", "Path"], "Chat ID", "Path"),
        (["Voice Memo", "Recipient"], "Recipient", "Voice Memo"),
        (["first name", "Mobile"], "Mobile", ""),
        (["name", "phone", "recording"], "phone", "recording"),
        (["mobile", "phone"], "phone", ""),  # a batch refuses to choose; here a person sees the choice
        (["E-Mail", "file", "url"], "E-Mail", "file"),
        (["chat", "Chat", "audio"], "chat", "audio"),
        (["full_name", 3, ("audio", "")], "full_name", "('audio', '')"),
        (["number", "notes"], "", ""),  # the number of what?
        ([], "", ""),
    ],
)
def test_the_likely_columns_have_the_usual_names_of_a_batch(
    form: SendForm, frames: dict[str, Any], columns: list[Any], chat: str, audio: str
) -> None:
    pd = pytest.importorskip("pandas")
    frames["rows"] = pd.DataFrame([["x"] * len(columns)], columns=pd.Index(columns, tupleize_cols=False, dtype=object))
    sent = messages_of(form)
    say(form, {"kind": "tables"})
    (tables,) = [message["tables"] for message in sent if message["kind"] == "tables"]
    assert [(table["chat"], table["audio"]) for table in tables if table["name"] == "rows"] == [(chat, audio)]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_recipients_come_from_a_column(form: SendForm, frames: dict[str, Any], kind: str) -> None:
    library = pytest.importorskip(kind)
    frames["people"] = library.DataFrame({"phone": ["+12025550111", None, "+12025550199", " ", "Book Club", "nan"]})
    say(form, {"kind": "table", "name": "people", "column": "phone", "audio": ""})
    assert names(form) == [ADA, BOOK_CLUB]
    assert [line["shown"] for line in form.view["unmatched"]] == ["+1•••••0199", "nan"]


def test_rows_with_their_own_audio_are_a_batch(form: SendForm, frames: dict[str, Any], demo: Demo, hello: Path) -> None:
    pd = pytest.importorskip("pandas")
    other = hello.with_name("other.wav")
    other.write_bytes(tone(3))
    rows = {"chat": [ADA, BOOK_CLUB, "Nobody"], "audio": [str(hello), str(other), str(hello)]}
    frames["rows"] = pd.DataFrame(rows)
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    assert form.error is None
    assert form.view["table"] == "rows"
    assert label(form) == "Send 2 memos to 2 chats · 3 people · iMessage"
    assert "rows.linq.drafts(chat='chat', audio='audio')" in form.as_code("magic")
    press(form)
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1, demo.chat_ids[BOOK_CLUB]: 1}
    say(form, {"kind": "press", "button": "back"})
    say(form, {"kind": "table", "name": ""})
    assert form.view["table"] == ""


def test_rows_with_the_same_fault_share_a_line_and_are_converted_at_once(
    form: SendForm, frames: dict[str, Any], demo: Demo
) -> None:
    pytest.importorskip("av")
    pd = pytest.importorskip("pandas")
    ogg = str(linq_nb.demo.sample("hello.ogg"))
    frames["rows"] = pd.DataFrame({"chat": [ADA, BOOK_CLUB, "Grace Hopper"], "audio": [ogg] * 3})
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    assert "3 chats (Ada Lovelace, Book Club, Grace Hopper): " in card(form)
    assert card(form).count("this is Ogg") == 1
    assert form.view["may_convert"]
    form.convert = True
    assert label(form) == "Send 0:05 to 3 chats · 4 people · iMessage"
    press(form)
    assert sum(demo.bubbles().values()) == 3


@pytest.mark.parametrize(
    ("file", "content", "may_convert"),
    [
        ("convert me.wav", None, False),
        ("convert.txt", b"not a sound", False),
        ("convert.ogg", OGG, True),
        ("x", OGG, True),
    ],
)
def test_a_batch_offers_to_convert_what_can_be_converted_whatever_its_name_is(
    form: SendForm, frames: dict[str, Any], tmp_path: Path, file: str, content: bytes | None, may_convert: bool
) -> None:
    pytest.importorskip("av")
    pd = pytest.importorskip("pandas")
    if content is not None:
        (tmp_path / file).write_bytes(content)
    frames["rows"] = pd.DataFrame({"chat": [ADA], "audio": [str(tmp_path / file)]})
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    assert form.view["may_convert"] == may_convert


@pytest.mark.parametrize(("name", "column"), [("rows", "nothing"), ("gone", "chat")])
def test_a_table_or_column_that_is_not_there_is_an_error(
    form: SendForm, frames: dict[str, Any], name: str, column: str
) -> None:
    pd = pytest.importorskip("pandas")
    frames["rows"] = pd.DataFrame({"chat": [ADA]})
    say(form, {"kind": "table", "name": name, "column": column, "audio": ""})
    assert isinstance(form.error, SettingsError)
    assert "nothing was sent; choose another" in status(form)


def test_a_column_may_have_a_number_for_its_name(form: SendForm, frames: dict[str, Any], hello: Path) -> None:
    pd = pytest.importorskip("pandas")
    frames["rows"] = pd.DataFrame({0: [ADA], 1: [str(hello)]})
    say(form, {"kind": "table", "name": "rows", "column": "0", "audio": ""})
    assert (form.error, names(form)) == (None, [ADA])
    form.convert = True
    say(form, {"kind": "table", "name": "rows", "column": "0", "audio": "1"})
    assert (form.error, label(form)) == (None, "Send 0:02 to Ada Lovelace · iMessage")


def test_the_audio_of_any_frame_is_converted(form: SendForm, frames: dict[str, Any], hello: Path) -> None:
    polars = pytest.importorskip("polars")
    frames["rows"] = polars.DataFrame({"chat": [ADA], "audio": [str(hello)]})
    form.convert = True
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    assert (form.error, label(form)) == (None, "Send 0:02 to Ada Lovelace · iMessage")


def test_a_duplicate_column_chooses_no_chat(form: SendForm, frames: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas")
    frames["rows"] = pd.DataFrame([[ADA, BOOK_CLUB]], columns=["chat", "chat"])
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": ""})
    assert isinstance(form.error, SettingsError)
    assert (names(form), form.view["unmatched"]) == ([], [])


def test_after_a_batch_a_table_that_is_gone_is_no_error(
    form: SendForm, frames: dict[str, Any], demo: Demo, hello: Path
) -> None:
    pd = pytest.importorskip("pandas")
    frames["rows"] = pd.DataFrame({"chat": [ADA, BOOK_CLUB], "audio": [str(hello)] * 2})
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    say(form, {"kind": "press", "button": "send"})
    del frames["rows"]
    form.wait()
    assert sum(demo.bubbles().values()) == 2
    assert (form.error, status(form), progress(form)) == (None, "", "2 chats: 2 queued.")


def test_half_characters_do_not_stop_the_messages_to_the_page(form: SendForm) -> None:
    paste(form, "Nobody \ud800")
    give(form, "no-file-\udcff.wav")
    json.dumps(form.view, ensure_ascii=False).encode()
    say(form, {"kind": "drop", "text": form.view["unmatched"][0]["text"]})
    assert form.view["unmatched"] == []


def test_a_row_that_names_no_chat_sends_nothing_private_to_the_page(
    form: SendForm, frames: dict[str, Any], demo: Demo, hello: Path
) -> None:
    pd = pytest.importorskip("pandas")
    chats = pd.Series([ADA, "\x1b[31mNobody \udcff +12025550188"], dtype=object)
    frames["rows"] = pd.DataFrame({"chat": chats, "audio": [str(hello)] * 2})
    say(form, {"kind": "table", "name": "rows", "column": "chat", "audio": "audio"})
    press(form)
    rows = json.dumps(form.outcomes.rows(), ensure_ascii=False)
    assert rows.encode()
    assert not any(private in rows for private in ("2025550188", "\\u001b"))
    assert [send.status for send in form.sends] == ["queued", "not_sent"]
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1}


# --- findings that a person may accept, and opt-outs, which cannot be accepted ---


@pytest.mark.parametrize("reason", ["she asked for it", ""])
def test_send_anyway_asks_first_and_the_journal_keeps_why(
    form: SendForm, demo: Demo, outbox: linq_nb.Outbox, reason: str
) -> None:
    fill(form, CORA)
    assert is_off(form)
    (group,) = form.view["acceptable"]
    say(form, {"kind": "accept", "rows": group["rows"]})
    assert form.view["ask"] == {"yes": "Yes, send 0:02 to Cora Critical · iMessage anyway", "reason": True}
    assert "Despite: chat_critical." in status(form)
    assert demo.bubbles() == {}
    press(form, "yes", reason)
    assert demo.bubbles(demo.chat_ids[CORA]) == 1
    (event,) = [event for event in outbox.history(form.sends[0]) if event.source == "accept"]
    assert event.body == {"accepted": ["chat_critical"], "reason": reason}


def test_answering_no_to_send_anyway_sends_nothing(form: SendForm, demo: Demo) -> None:
    fill(form, CORA)
    say(form, {"kind": "accept", "rows": form.view["acceptable"][0]["rows"]})
    press(form, "no")
    assert demo.bubbles() == {}
    assert is_off(form)
    assert form.view["acceptable"]


def test_send_anyway_is_offered_in_the_list_too(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, CORA, KIM)
    press(form)
    assert actions_of(form, CORA) == ["Send anyway…"]
    act(form, CORA, "send anyway")
    assert form.view["ask"]["reason"]
    press(form, "yes", "it is urgent")
    assert row_of(form, CORA)["state"] == "queued"
    assert progress(form) == "3 chats: 2 queued, 1 opted out."
    assert {demo.bubbles(demo.chat_ids[name]) for name in (ADA, CORA)} == {1}
    assert demo.bubbles(demo.chat_ids[KIM]) == 0


def test_send_anyway_is_asked_again_when_it_is_tried_again(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, CORA)
    press(form)
    act(form, CORA, "send anyway")
    demo.fail_next(403, 2005)
    press(form, "yes", "it is urgent")
    assert actions_of(form, CORA) == ["Try again"]
    act(form, CORA, "try again")
    assert form.view["ask"] == {"yes": "Yes, send 0:02 to Cora Critical · iMessage anyway", "reason": True}
    assert demo.bubbles(demo.chat_ids[CORA]) == 0
    press(form, "yes", "it still is")
    assert progress(form) == "2 chats: 2 queued."
    assert set(demo.bubbles().values()) == {1}


def test_an_opt_out_meanwhile_is_shown_when_a_live_send_is_tried_again(
    live: tuple[SendForm, Demo],
) -> None:
    form, demo = live
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    press(form)
    demo.fail_next(403, 2005, times=2)
    press(form, "yes")
    demo.fail_next(403, 2024)
    other = opened(form.outbox)
    fill(other)
    press(other)
    press(other, "yes")
    other.close()
    act(form, ADA, "try again")
    assert form.view["ask"] is None
    assert (row_of(form, ADA)["state"], actions_of(form, ADA)) == ("opted out", [])
    assert actions_of(form, BOOK_CLUB) == ["Try again"]
    assert demo.bubbles() == {}


def test_an_opt_out_is_offered_nothing_anywhere(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, KIM)
    assert form.view["acceptable"] == []
    kim = next(row.row for row in form.choice.plan.rows if row.verdict == "refused") if form.choice.plan else 0
    say(form, {"kind": "accept", "rows": [kim]})  # an action without a button does nothing
    assert form.view["ask"] is None
    press(form)
    assert (row_of(form, KIM)["state"], actions_of(form, KIM)) == ("opted out", [])
    for name in ("send anyway", "try again"):
        say(form, {"kind": "act", "row": row_of(form, KIM)["id"], "action": name, "reason": "please"})
        press(form, "yes", "please")
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1}


def test_an_opt_out_that_linq_reports_now_stays_an_opt_out(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    fill(form)
    demo.fail_next(403, 2024)
    press(form)
    assert (row_of(form, ADA)["state"], actions_of(form, ADA)) == ("opted out", [])
    assert "opted out" in row_of(form, ADA)["note"]
    assert is_off(form)
    for step in ("back", "others"):
        press(form, step)
        choose(form, ADA)
        assert is_off(form), step
        assert form.view["acceptable"] == []
    second = opened(outbox)
    fill(second)
    assert is_off(second)
    second.close()
    assert demo.bubbles() == {}


# --- actions on the other sends ---


def test_an_unknown_send_is_looked_for_by_its_button(form: SendForm, demo: Demo) -> None:
    fill(form, LOU)
    press(form)
    assert "outbox.reconcile" not in status(form) + row_of(form, LOU)["note"]
    assert actions_of(form, LOU) == ["Look for it"]
    act(form, LOU, "reconcile")
    assert row_of(form, LOU)["state"] in ("queued", "sent", "delivered")
    assert demo.bubbles(demo.chat_ids[LOU]) == 1


def test_a_send_that_is_not_in_the_chat_is_settled_by_the_person(
    form: SendForm, demo: Demo, outbox: linq_nb.Outbox
) -> None:
    fill(form)
    demo.fail_next(500)
    press(form)
    demo.advance(minutes=5)
    act(form, ADA, "reconcile")
    assert row_of(form, ADA)["note"] == "looked for it in the chat: not found"
    assert actions_of(form, ADA) == ["Look for it", "It was sent", "It was not sent"]
    act(form, ADA, "resolve not_sent", "she has no message")
    assert (row_of(form, ADA)["state"], actions_of(form, ADA)) == ("not_sent", ["Try again"])
    act(form, ADA, "try again")
    assert row_of(form, ADA)["state"] == "queued"
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    assert len(outbox.sends()) == 1


def test_one_of_several_sends_is_tried_again_alone(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    demo.fail_next(403, 2005)
    press(form)
    (failed,) = [row["whom"] for row in form.outcomes.rows() if row["state"] == "rejected"]
    assert actions_of(form, failed) == ["Try again"]
    act(form, failed, "try again")
    assert progress(form) == "2 chats: 2 queued."
    assert set(demo.bubbles().values()) == {1}
    assert len(demo.bubbles()) == 2


# --- following ---


def test_a_send_is_followed_to_its_end_by_itself(outbox: linq_nb.Outbox, demo: Demo) -> None:
    form = opened(outbox, follow=True)
    sent = messages_of(form)

    def shown(kind: str) -> list[Any]:
        return [message[kind] for message in list(sent) if message["kind"] == kind]

    upload(form, tone())
    choose(form, "Grace Hopper", BOOK_CLUB)
    press(form)
    queued = [row for rows in shown("rows") for row in rows if row["state"] == "queued"]
    assert queued
    assert not any(row["actions"] for row in queued)  # the form asks by itself
    assert "follow" in [view["step"] for view in shown("view")]
    demo.advance(minutes=2)
    wait_for(lambda: [row["state"] for row in shown("rows")[-1]] == ["delivered", "sent"])
    assert shown("view")[-1]["step"] == form.view["step"] == "done"
    assert (row_of(form, "Grace Hopper")["state"], row_of(form, BOOK_CLUB)["state"]) == ("delivered", "sent")
    wait_for(lambda: "delivered" in form.record().text)
    form.close()


def test_a_form_without_a_page_or_with_follow_off_makes_no_request(outbox: linq_nb.Outbox, demo: Demo) -> None:
    form = SendForm(outbox)
    form.choose(ADA)
    form.load(str(linq_nb.demo.sample("hello.m4a")))
    form.press()
    assert not form.outcomes.is_followed
    assert actions_of(form, ADA) == ["Ask Linq again"]
    demo.advance(minutes=2)
    act(form, ADA, "refresh")
    assert row_of(form, ADA)["state"] in ("delivered", "read")
    form.close()


def test_following_ends_with_the_form_with_its_outbox_and_with_another_choice(outbox: linq_nb.Outbox) -> None:
    forms = [opened(outbox, follow=True) for _ in range(3)]
    for copy, form in enumerate(forms, 1):
        form.copy = copy
        fill(form)
        press(form)
        assert form.outcomes.is_followed
    press(forms[0], "new")
    assert not forms[0].outcomes.is_followed
    assert (names(forms[0]), forms[0].memo) == ([ADA], None)
    forms[1].close()
    outbox.close()
    assert not any(form.outcomes.is_followed for form in forms)
    assert session_of(outbox).home.is_here


def test_after_a_send_the_form_goes_on_with_others_or_with_a_new_memo(form: SendForm, demo: Demo) -> None:
    fill(form)
    press(form)
    press(form, "others")
    assert (form.chats, form.sends, form.view["step"]) == ((), (), "choose")
    assert form.memo is not None
    choose(form, "Grace Hopper")
    press(form)
    press(form, "new")
    assert (names(form), form.memo) == (["Grace Hopper"], None)
    assert form.record().text.count("up.wav") == 2
    assert set(demo.bubbles().values()) == {1}


# --- code ---


def test_code_that_is_shown_follows_the_choice(form: SendForm, hello: Path) -> None:
    choose(form, ADA)
    give(form, str(hello))
    sent = messages_of(form)
    say(form, {"kind": "code", "how": "magic"})
    choose(form, BOOK_CLUB)
    form.copy = 2
    choose(form)
    codes = [(message["code"], message["is_news"]) for message in sent if message["kind"] == "code"]
    first, *others = codes
    assert first == (form_code(hello, '--chat "Ada Lovelace"'), True)
    assert others == [
        (form_code(hello, '--chat "Book Club"'), False),
        (form_code(hello, '--chat "Book Club" --copy 2'), False),
        ("", False),
    ]


def form_code(file: Path, options: str) -> str:
    return f"%linq_voicememo {file} {options}"
