"""Half characters and NUL in a table of pandas: replaced on the way in, everywhere, with nothing raised."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot

import linq_nb
import linq_nb.accessor  # df.linq
from linq_nb import Explorer, Outbox, VoiceMemo, reports, storable, to_frame
from linq_nb.model import Send

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
CHAT = "aaaaaaaa-0000-4000-8000-000000000001"
SENDS = [
    Send(send_id=f"s{n}", base_url="b", content=str(n), status=status, chat_id=CHAT, chat_name="Ada", is_group=False,
         service="iMessage", created_at=AT + timedelta(minutes=n), accepted_at=AT, sha256="f" * 64, filename="m.m4a",
         from_handle="+12025550100", to_handles=("+12025550111",), error_message="no")
    for n, status in enumerate(("failed", "delivered", "unknown", "rejected"))
]  # fmt: skip
BAD = ["\ud800x", "a\0b", "ok \udfff", "\ud83d"]
COLUMNS = ["chat_name", "chat_id", "filename", "error_message", "status", "service", "from_handle", "sha256"]
DTYPES: dict[str, Callable[[Any], Any]] = {
    "object": lambda values: pd.Series(values, dtype=object),
    "string": lambda values: pd.Series(pd.array(values, dtype=pd.StringDtype("python"))),
    "category": lambda values: pd.Series(pd.Categorical(pd.Series(values, dtype=object))),
}


@pytest.fixture(autouse=True)
def _no_screen() -> Iterator[None]:
    mpl.use("agg")
    yield
    pyplot.close("all")


def a_frame(column: str, text: str, dtype: str = "object") -> pd.DataFrame:
    frame = to_frame(SENDS, handles="full")
    values = frame[column].astype(object).tolist()
    frame[column] = DTYPES[dtype]([text, *values[1:]])
    return frame


def is_storable(text: str) -> bool:
    text.encode()
    return "\0" not in text and "\\u0000" not in text and "\\ud8" not in text


def check(frame: pd.DataFrame, folder: Path) -> None:
    """Use the whole of what takes a frame."""
    explorer = Explorer(frame)
    explorer.filter(text="x")
    explorer.filter()
    assert is_storable(json.dumps(explorer._view))
    assert is_storable(json.dumps(explorer._exploration.detail(str(explorer._view["rows"][0]["id"]))))
    assert is_storable(explorer.code() + repr(explorer.audit()))
    written = [explorer.export(kind) for kind in ("csv", "excel", "parquet")]
    assert is_storable(written[0].read_text("utf-8-sig"))
    assert pd.read_parquet(written[2])["send_id"].tolist() == frame["send_id"].tolist()
    report = linq_nb.audit(frame, since=None)
    report.to_excel(folder / "audit.xlsx")
    assert is_storable(report.to_html(folder / "audit.html"))
    for name in set(reports.REPORTS) - {"by", "compare"}:
        assert is_storable(getattr(frame.linq, name)().to_csv())
    for plot in ("timeline", "latency", "funnel", "errors"):
        getattr(frame.linq.plot, plot)().figure.savefig(io.BytesIO())
    people = pd.DataFrame({"phone": ["+12025550111"], "note": [BAD[0]]}, dtype=object)
    assert is_storable(frame.linq.match(people).to_csv())


@pytest.mark.parametrize("column", COLUMNS)
def test_a_half_character_in_a_column_changes_nothing_else(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(a_frame(column, BAD[0]), tmp_path)


@pytest.mark.parametrize(("text", "dtype"), [(BAD[1], "object"), (BAD[1], "category"), (BAD[2], "string"),
                                             (BAD[3], "category")])  # fmt: skip
def test_other_characters_and_dtypes_are_taken_too(
    text: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(a_frame("chat_name", text, dtype), tmp_path)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", BAD)
def test_each_such_character_is_replaced_and_the_frame_that_was_given_stays(text: str, dtype: str) -> None:
    frame = a_frame("filename", text, dtype)
    made = storable.table(frame)
    replaced = text.translate(dict.fromkeys((0xD800, 0xDFFF, 0xD83D, 0), "\ufffd"))
    assert made["filename"].tolist() == [replaced, "m.m4a", "m.m4a", "m.m4a"]
    assert frame["filename"].iloc[0] == text
    assert made.drop(columns="filename").equals(frame.drop(columns="filename"))


def test_names_of_columns_rows_in_any_order_and_values_that_are_no_text() -> None:
    frame = pd.DataFrame({"a": [["x"], None, 1.5, "\ud800"], "b": [b"\0", pd.NA, AT, ()]}, dtype=object)
    frame.index = pd.Index([3, 3, 1, 0])
    frame.columns = pd.Index(["a\ud800", 7], dtype=object)
    made = storable.table(frame)
    assert list(made.columns) == ["a\ufffd", 7]
    assert made["a\ufffd"].tolist() == [["x"], None, 1.5, "\ufffd"]
    assert made[7].tolist() == frame[7].tolist()
    assert list(made.index) == [3, 3, 1, 0]
    for same in (to_frame(SENDS), pl.from_pandas(to_frame(SENDS)), to_frame([]), None, [1]):
        assert storable.table(same) is same


def test_missing_values_of_a_category_stay_missing() -> None:
    words = DTYPES["category"](["\ud800", None, "b"])
    assert storable.table(words.to_frame("w"))["w"].tolist() == ["\ufffd", None, "b"]


def test_nul_in_text_of_arrow_is_replaced() -> None:
    pa = pytest.importorskip("pyarrow")
    for dtype in (pd.StringDtype("pyarrow"), pd.ArrowDtype(pa.string())):
        frame = pd.DataFrame({"a": pd.Series(["a\0b", None, "c"], dtype=dtype)})
        made = storable.table(frame)["a"]
        assert made.dropna().tolist() == ["a\ufffdb", "c"]
        assert made.dtype == frame["a"].dtype


def test_other_columns_of_a_batch_are_in_its_frame(outbox: Outbox, memo: VoiceMemo) -> None:
    """The frame comes after the sends: an error here would look as if nothing was sent."""
    table = pd.DataFrame({"chat": ["Ada Lovelace"], "audio": [memo], "note": ["\ud800"], "x": ["\0y"]}, dtype=object)
    batch = outbox.send_all(outbox.plan(table.linq.drafts()))
    batch.wait()
    for handles in ("masked", "full"):
        frame = batch.frame(handles)
        assert frame[["note", "x"]].values.tolist() == [["\ufffd", "\ufffdy"]]
        assert is_storable(frame.to_csv())


def test_a_status_made_by_hand_is_a_category() -> None:
    frame = to_frame([Send(send_id=f"s{n}", base_url="b", content="c", chat_id=CHAT, status=status)
                      for n, status in enumerate(("\ud800", "\udfff", "sent"))])  # fmt: skip
    assert frame["status"].tolist() == ["\ufffd", "\ufffd", "sent"]
