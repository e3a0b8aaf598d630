"""Tables of users: pasted from Excel, of every engine, with the usual names of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO

import linq_nb
import linq_nb.accessor
from linq_nb import BadDraft, Draft, LinqError, Outbox, SettingsError, VoiceMemo
from linq_nb.outbox.drafts import drafts_of_table
from linq_nb.tables import is_table, of_text, of_value

ROWS = {"chat": ["Ada Lovelace", "Book Club"], "audio": ["hello.m4a", "hello.wav"], "team": ["red", "blue"]}


def drafts(table: Any, **columns: str) -> list[Draft | BadDraft]:
    read = of_text(table) if isinstance(table, str) else of_value(table)
    return drafts_of_table(read, AUDIO, **columns)


def only(table: Any, **columns: str) -> Draft | BadDraft:
    (draft,) = drafts(table, **columns)
    return draft


# --- text ---

TEXTS = {
    "commas": "chat,audio\nAda Lovelace,hello.m4a",
    "tabs, as Excel copies them": "Chat\tAudio\nAda Lovelace\thello.m4a\n",
    "semicolons, as Excel saves them": "Chat;Audio\r\nAda Lovelace;hello.m4a\r\n",
    "bars": "chat|audio\nAda Lovelace|hello.m4a",
    "a Markdown table": "| chat | audio |\n|:-----|------:|\n| Ada Lovelace | hello.m4a |",
    "a BOM": "\ufeffchat,audio\nAda Lovelace,hello.m4a",
    "Excel's line about the separator": "sep=;\nchat;audio\nAda Lovelace;hello.m4a",
    "quotes around everything": '"chat";"audio"\n"Ada Lovelace";"hello.m4a"',
    "spaces around everything": "  chat , audio \n\n  Ada Lovelace ,  hello.m4a \n",
    "empty columns behind, as Excel has them": "chat,audio,,\nAda Lovelace,hello.m4a,,\n,,,",
    "commas in a table of semicolons": 'audio;chat\n"hello.m4a";Ada Lovelace',
    "another order": "AUDIO,CHAT\nhello.m4a,Ada Lovelace",
    "a space that does not break": "Chat\u00a0name,Audio\u00a0file\nAda Lovelace,hello.m4a",
    "wide letters": "ＣＨＡＴ,ａｕｄｉｏ\nAda Lovelace,hello.m4a",
    "invisible characters": "\u200bchat,au\u200bdio\nAda Lovelace,hello.m4a",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_pasted_text_is_read(text: str) -> None:
    draft = only(text)
    assert isinstance(draft, Draft)
    assert (draft.chat, draft.memo.filename, draft.copy) == ("Ada Lovelace", "hello.m4a", 1)
    assert dict(draft.other_columns) == {}


def test_other_columns_stay_beside_the_draft() -> None:
    text = 'Phone;Note;Audio;;copy\n"Ada Lovelace";"said ""hi"",\nthen; left";hello.m4a;seen;2.0\nBook Club;;hello.wav'
    first, second = drafts(text)
    assert isinstance(first, Draft)
    assert first.copy == 2
    assert first.other_columns == {"Note": 'said "hi",\nthen; left', "column_4": "seen"}
    assert second.other_columns == {"Note": "", "column_4": None}


def test_a_row_that_does_not_fit_is_refused_and_the_others_are_kept() -> None:
    text = (
        "chat,audio,copy\nLovelace, Ada,hello.m4a,1\nAda Lovelace\nAda Lovelace,hello.m4a,two\nAda Lovelace,hello.m4a"
    )
    rows = drafts(text)
    assert [draft.why[:24] for draft in rows if isinstance(draft, BadDraft)] == [
        "the line has more fields", "there is no audio in thi", "copy is a whole number f",
    ]  # fmt: skip
    assert isinstance(rows[3], Draft)


# --- names of columns ---


@pytest.mark.parametrize(
    "name",
    ["chat", "Chat ID", "chat_id", "ChatName", "Recipient", "to", "TO:", "Phone", "Phone number", "phone_no", "Mobile",
     "E-mail", "handle", "Name", "Contact"],
)  # fmt: skip
def test_a_chat_column_has_one_of_the_usual_names(name: str) -> None:
    draft = only({name: ["Ada Lovelace"], "audio": ["hello.m4a"]})
    assert isinstance(draft, Draft)
    assert draft.chat == "Ada Lovelace"


@pytest.mark.parametrize(
    "name",
    ["audio", "Path", "voice_memo_url", "Voice Memo URL", "attachment_id", "file", "File name", "file-path",
     "Audio file", "memo", "Voice Memo", "recording", "URL", "*Audio*"],
)  # fmt: skip
def test_an_audio_column_has_one_of_the_usual_names(name: str) -> None:
    draft = only({"chat": ["Ada Lovelace"], name: ["hello.m4a"]})
    assert isinstance(draft, Draft)
    assert draft.memo.filename == "hello.m4a"


def test_the_clearest_column_is_used_and_the_others_stay() -> None:
    table = {"name": ["A"], "email": ["a@b.co"], "phone": ["Ada Lovelace"], "url": ["u"], "file": ["hello.m4a"]}
    draft = only(table)
    assert isinstance(draft, Draft)
    assert (draft.chat, draft.memo.filename) == ("Ada Lovelace", "hello.m4a")
    assert draft.other_columns == {"name": "A", "email": "a@b.co", "url": "u"}
    named = only({"chat_id": ["Book Club"], **table})
    assert isinstance(named, Draft)
    assert named.chat == "Book Club"


WRONG = {
    "chta,audio": "it has 'chta': did you mean 'chat'",
    "chatt\taudio": "it has 'chatt': did you mean 'chat'",
    "chat;adio": "it has 'adio': did you mean 'audio'",
    "chat,pth": "it has 'pth': did you mean 'path'",
    "Recipent|File": "it has 'Recipent': did you mean 'recipient'",
    "phone,mobile,audio": "several columns may be the chat: phone, mobile.*rename the right one to chat",
    "chat,file,recording": "several columns may be the audio: file, recording",
    "chat,audio,chat": "a column is there twice: chat",
    "Chat,chat,audio": "a column is there twice: Chat, chat",
    "chat,audio,note,note": "a column is there twice: note",
    "chat": "no column audio, path, file, voice_memo_url or attachment_id",
    "": "no column chat, chat_id, chat_name, recipient or phone",
    "Ada Lovelace,hello.m4a": "the first line of the cell names the columns, as in chat,audio",
    "+12025550112,hello.m4a": "the first line of the cell names the columns, as in chat,audio",
    'chat,audio\n"Ada Lovelace,hello.m4a\nBook Club,hello.wav': "a quote in the cell is not closed",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_columns_are_an_error_of_one_line_that_names_them(text: str) -> None:
    with pytest.raises(SettingsError, match=WRONG[text]) as caught:
        drafts(text)
    assert "nothing was sent" in str(caught.value)
    assert "Ada" not in str(caught.value)
    assert "0112" not in str(caught.value)


# --- frames ---


def frames() -> dict[str, Any]:
    frame = pd.DataFrame(ROWS)
    arrow = pa.table(ROWS)
    return {
        "pandas": frame,
        "pandas with an index of chats": frame.set_index("chat"),
        "pandas with an index of its own": frame.set_index(pd.Index([7, 9])),
        "pandas with categories": frame.astype("category"),
        "pandas over Arrow": frame.convert_dtypes(dtype_backend="pyarrow"),
        "pandas with two levels": frame.set_axis(pd.MultiIndex.from_tuples([(name, "") for name in ROWS]), axis=1),
        "Polars": pl.DataFrame(ROWS),
        "Polars, lazy": pl.DataFrame(ROWS).lazy(),
        "an Arrow table": arrow,
        "an Arrow batch": arrow.to_batches()[0],
        "an Arrow reader": arrow.to_reader(),
        "a DuckDB relation": duckdb.connect().from_arrow(arrow),
        "narwhals": nw.from_native(frame),
        "rows": frame.to_dict("records"),
        "columns": ROWS,
    }


@pytest.mark.parametrize("kind", list(frames()))
def test_a_frame_of_every_kind_is_read(kind: str) -> None:
    table = frames()[kind]
    assert is_table(table)
    rows = drafts(table)
    assert [draft.chat for draft in rows] == ROWS["chat"]
    assert [draft.memo.filename for draft in rows if isinstance(draft, Draft)] == ROWS["audio"]
    assert [draft.other_columns for draft in rows] == [{"team": "red"}, {"team": "blue"}]


def test_missing_cells_and_odd_values_are_refused_row_by_row() -> None:
    memo = VoiceMemo.from_file(AUDIO / "hello.m4a")
    cells = [memo, None, float("nan"), pd.NA, pd.NaT, np.zeros(3), Path("hello.m4a"), "a\0b.m4a"]
    rows = drafts(pd.DataFrame({"chat": "Ada Lovelace", "audio": pd.Series(cells, dtype=object)}))
    assert [type(draft) for draft in rows] == [Draft, *[BadDraft] * 5, Draft, BadDraft]
    numbers = pd.DataFrame({"phone": [12025550112, None], "audio": "hello.m4a"})
    assert [type(draft) for draft in drafts(numbers)] == [Draft, BadDraft]


TWICE = {
    "pandas": lambda: pd.DataFrame([["a", "b", "c"]], columns=["chat", "audio", "chat"]),
    "Arrow": lambda: pa.table([["a"], ["b"], ["c"]], names=["chat", "audio", "chat"]),
    "DuckDB": lambda: duckdb.sql("SELECT 'a' AS chat, 'b' AS audio, 'c' AS CHAT"),
    "names that differ in case": lambda: pl.DataFrame({"chat": ["a"], "audio": ["b"], "Chat": ["c"]}),
}


@pytest.mark.parametrize("kind", TWICE)
def test_a_duplicate_column_is_an_error_of_one_line(outbox: Outbox, kind: str) -> None:
    with pytest.raises(SettingsError, match=r"a column is there twice: chat.*; nothing was sent"):
        outbox.plan(TWICE[kind]())


UNREADABLE = {
    "a lazy table without its file": lambda: pl.scan_csv("/nowhere/people.csv"),
    "a lazy table without its column": lambda: pl.DataFrame(ROWS).lazy().select("nothing"),
    "columns of several lengths": lambda: {"chat": ["a"], "audio": ["b", "c"]},
    "single values": lambda: {"chat": "a", "audio": "b"},
    "no header": lambda: pd.DataFrame([["a", "b"]], columns=["+12025550112", "hello.m4a"]),
    "numbered columns": lambda: pd.DataFrame([["a", "b"]]),
    "no columns": pd.DataFrame,
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_table_that_cannot_be_read_is_an_error_of_one_line(outbox: Outbox, kind: str) -> None:
    with pytest.raises(SettingsError, match="; nothing was sent") as caught:
        outbox.plan(UNREADABLE[kind]())
    assert "\n" not in str(caught.value)
    assert "0112" not in str(caught.value)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("value", [[], [Draft], "Ada", None, 3, pd.Series(["a"]), pl.Series(["a"]), np.zeros((2, 2))])
def test_other_values_are_not_recognised_as_tables(value: Any) -> None:
    assert not is_table(value)


def test_columns_can_be_named_in_any_case_and_the_error_for_a_misspelt_name_offers_the_nearest() -> None:
    frame = pd.DataFrame({"Whom to": ["Ada Lovelace"], "what": ["hello.m4a"], "n": [2]})
    (draft,) = frame.linq.drafts(chat="whom_to", audio="What", copy="n", folder=AUDIO)
    assert isinstance(draft, Draft)
    assert (draft.chat, draft.copy) == ("Ada Lovelace", 2)
    with pytest.raises(SettingsError, match=r"no column 'whon to'; nothing was sent.*did you mean 'Whom to'?"):
        frame.linq.drafts(chat="whon to", audio="what")


# --- the frame of results ---


def test_the_frame_of_results_keeps_the_other_columns_with_handles_masked(outbox: Outbox) -> None:
    table = pd.DataFrame(
        {
            "chat": ["Ada Lovelace", "Nobody", "Book Club"],
            "path": str(AUDIO / "hello.m4a"),
            "Mobile": [12025550112, 12025550113, None],
            "note": ["call +1 202 555 0112", None, "fine"],
            "status": ["new", "old", "new"],
            "order": [1, 2, 3],
            "since": pd.to_datetime(["2026-03-01"] * 3),
        }
    )
    batch = outbox.send_all(outbox.plan(table)).wait()
    frame = batch.frame()
    assert frame["status"].tolist() == ["queued", "not_sent", "queued"]
    assert frame["status_input"].tolist() == ["new", "old", "new"]
    assert frame["order"].tolist() == [1, 2, 3]
    assert frame["note"].tolist()[::2] == ["call +1•••••0112", "fine"]
    assert not {"2025550112", "12025550112"} & set(frame["Mobile"].astype("string").dropna())
    assert frame["since"].notna().all()
    assert "12025550112" in str(batch.frame("full")["Mobile"].tolist())
    assert list(outbox.send_all(outbox.plan([])).wait().frame()) == list(linq_nb.to_frame([]))


def test_a_cell_shows_the_other_columns_and_a_lazy_table_is_sent(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(AUDIO)
    done = shell.run_cell("%%linq_voicememo --into sends\nRecipient\tFile\tTeam\nAda Lovelace\thello.m4a\tred")
    done.raise_error()
    assert done.result["Team"].tolist() == shell.user_ns["sends"]["Team"].tolist() == ["red"]
    shell.user_ns["lazy"] = pl.DataFrame(ROWS).lazy()
    done = shell.run_cell("%linq_voicememo --from lazy --columns status")
    done.raise_error()
    assert done.result["status"].tolist() == ["queued", "queued"]
    assert "team" not in done.result
    missing = shell.run_cell("%linq_voicememo --from people.csv").error_in_exec
    assert isinstance(missing, LinqError)
    assert "df = pd.read_csv(file, dtype=str)" in str(missing)
