"""Records as DataFrames: the same columns and dtypes for any records, and full handles only on request."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from core_samples import AT, a_message, a_send, chat

import linq_nb
from linq_nb import SettingsError, catalog, frames, to_frame
from linq_nb.model import Event, Finding, Handle, Line, Send

DESIGN = """
chat_name status service error_code meaning filename duration_ms created_at delivery_s read_s
send_id chat_id is_group from_handle to_handles chat_handles chat_is_active memo_source format mime_type size_bytes
sha256 attachment_id has_cdn_url message_id http_status error_message doc_url trace_id attempts day message_created_at
posted_at accepted_at sent_at delivered_at read_at failed_at checked_at force_notify accept_s typed_chat
""".split()  # noqa: SIM905

NUMBER, OTHER, MAIL = "+12025550111", "+12025550100", "ada.lovelace@example.com"
FULL = {
    "sends": a_send(
        status="queued",
        from_handle=OTHER,
        to_handles=(NUMBER, MAIL),
        chat_name=f"Ada {NUMBER}",
        filename=f"for {NUMBER}.wav",
        error_message=f"Nobody at {NUMBER} or {MAIL}, see https://x.example/a?sig=s3cr3t",
        is_group=False,
        accepted_at=AT + timedelta(seconds=1.5),
        memo_source="file",
        format="wav",
        duration_ms=500,
    ),
    "chats": chat(chat_name=NUMBER, handles=(*chat().handles, Handle(handle=MAIL)), is_active=True),
    "handles": Handle(handle=NUMBER, is_me=False, service="iMessage"),
    "lines": Line(phone_number=OTHER, reputation="HEALTHY", line_id="l1"),
    "findings": Finding(level="error", code="x", message=f"{NUMBER} opted out"),
    "events": Event(
        send_id="s",
        at=AT,
        source="post",
        error_message=f"{NUMBER}",
        body={"to": [NUMBER], "text": f"hello {MAIL}", "url": "https://x.example/a?sig=s3cr3t"},
    ),
    "messages": a_message(),
}


def cells(frame: pd.DataFrame) -> list[str]:
    return [str(value) for name in frame.columns for value in frame[name]]


def test_the_columns_of_sends_are_the_designs() -> None:
    assert list(to_frame([]).columns) == DESIGN == list(frames.COLUMNS[Send])


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("handles", ["masked", "hashed", "full"])
def test_columns_and_dtypes_are_the_same_for_none_one_and_many(kind: str, handles: Any) -> None:
    columns = frames.COLUMNS[type(FULL[kind])]
    for rows in ([], [FULL[kind]], [FULL[kind]] * 3, FULL[kind]):
        frame = to_frame(rows, handles, kind=kind, key=b"k")
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(columns)
        assert list(frame.columns) == list(columns)
        assert len(frame) == (len(rows) if isinstance(rows, list) else 1)
        assert isinstance(frame.index, pd.RangeIndex)


def test_an_empty_record_is_a_row_of_missing_values() -> None:
    frame = to_frame([a_send(filename=None, size_bytes=None, posted_at=None, created_at=None), FULL["sends"]])
    assert frame["filename"].isna().tolist() == [True, False]
    for name in ("to_handles", "is_group", "duration_ms", "accept_s", "posted_at", "service", "format"):
        assert frame[name].isna()[0]
    assert str(frame["accept_s"].dtype) == "Float64"
    assert frame["accept_s"][1] == 1.5


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("handles", ["masked", "hashed"])
def test_no_full_handle_and_no_signed_url_is_anywhere(kind: str, handles: Any) -> None:
    text = "\n".join(cells(to_frame([FULL[kind]], handles, key=b"k")))
    for secret in (NUMBER, OTHER, MAIL, NUMBER[2:], "ada.lovelace", "s3cr3t"):
        assert secret not in text


def test_a_frame_has_full_handles_on_request() -> None:
    frame = to_frame(FULL["sends"], "full")
    assert frame["to_handles"][0] == f"{NUMBER} {MAIL}"
    assert NUMBER in frame["error_message"][0]


def test_masked_handles_can_be_distinguished_by_eye_and_hashed_handles_joined() -> None:
    assert to_frame(FULL["handles"])["handle"][0] == "+1•••••0111"
    hashed = to_frame(FULL["sends"], "hashed", key=b"k")
    assert hashed["to_handles"][0].split()[0] == to_frame(FULL["handles"], "hashed", key=b"k")["handle"][0]
    assert hashed["to_handles"][0] != to_frame(FULL["sends"], "hashed", key=b"other")["to_handles"][0]
    lower, upper = (to_frame(Handle(handle=handle), "hashed", key=b"k")["handle"][0] for handle in ("a@x.io", "A@X.io"))
    assert lower == upper


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    from datetime import timezone

    here = datetime(2026, 3, 2, 11, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    frame = to_frame(a_send(posted_at=here))
    assert frame["posted_at"][0] == pd.Timestamp(here)
    assert str(frame["posted_at"].dt.tz) == "UTC"
    far = to_frame(a_send(posted_at=datetime(9999, 1, 1, tzinfo=UTC)))
    assert far["posted_at"][0].year == 9999


@pytest.mark.parametrize(
    ("records", "handles", "more", "why"),
    [
        ([a_send(), chat()], "masked", {}, "one kind"),
        ([a_send()], "masked", {"kind": "chats"}, "one kind"),
        ([7], "masked", {}, "one kind.*not int; nothing was made; give"),
        ("abc", "masked", {}, "one kind"),
        ([], "masked", {"kind": "cats"}, "kind is one of"),
        ([], "shown", {}, '"masked", "hashed" or "full"'),
        ([], "hashed", {}, "key=outbox"),
    ],
)
def test_a_value_that_cannot_become_a_frame_is_a_settings_error(
    records: Any, handles: Any, more: Any, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        to_frame(records, handles, **more)


def test_frames_of_the_demo_have_the_values_of_the_records(outbox: linq_nb.Outbox) -> None:
    chats = to_frame(outbox.chats())
    assert len(chats) == 25
    assert chats["people"].sum() > 25
    assert to_frame(outbox.lines())["phone_number"].tolist() == ["+1•••••0100", "+1•••••0101"]
    assert to_frame(outbox.chats(), kind="chats").equals(chats)
    assert to_frame(chat for chat in outbox.chats()).equals(chats)


def test_a_frame_survives_a_file_and_two_frames_a_concat(tmp_path: Path) -> None:
    frame = to_frame([FULL["sends"], a_send()])
    frame.to_pickle(tmp_path / "f.pkl")
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "f.pkl"), frame)
    frame.to_csv(tmp_path / "f.csv", index=False)
    read = pd.read_csv(tmp_path / "f.csv", dtype=dict.fromkeys(DESIGN, "string"))
    assert read["status"].tolist() == frame["status"].tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = pd.concat([frame, frame.iloc[:0]], ignore_index=True)
    assert len(both) == 2
    assert frame.groupby("status", observed=True)["accept_s"].mean()["queued"] == 1.5


def test_the_error_catalogue_is_a_frame() -> None:
    frame = linq_nb.errors_frame()
    assert len(frame) == len(catalog.CODES)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dict(frames.ERROR_COLUMNS)
    assert frame["http_status"].isna().sum() == sum(entry.http_status is None for entry in catalog.CODES)
    assert sorted(linq_nb.errors_frame(5001)["http_status"]) == [413, 500]
    assert list(linq_nb.errors_frame(9999).columns) == list(frames.ERROR_COLUMNS)
