"""``df.linq.match`` joins one's own table of people by handle, however both are written, and never by a masked one."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import linq_nb.accessor  # noqa: F401  df.linq
from linq_nb import Outbox, SettingsError, VoiceMemo, to_frame

ADA, GRACE, LINUS = "+12025550111", "+12025550112", "linus@example.com"
PHONES = ["(202) 555-0111", "1-202-555-0112", "+44 20 7946 0958", "n/a", None, "  LINUS@Example.com "]
CRM = pd.DataFrame({"name": ["Ada", "Grace", "Somebody", "Bad", "Blank", "Linus"], "phone": PHONES, "status": "vip"})


def full(outbox: Outbox, kind: str = "chats") -> pd.DataFrame:
    return to_frame(outbox.chats() if kind == "chats" else outbox.sends(), "full", kind=kind)


def pairs(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["chat_name"], frame["name"], strict=True))


def wanted(outbox: Outbox) -> set[tuple[str, str]]:
    """Each chat with each person of CRM who is in it, in plain Python."""
    names = {ADA: "Ada", GRACE: "Grace", LINUS: "Linus"}
    return {(chat.chat_name or "", names[person.handle]) for chat in outbox.chats() for person in chat.others
            if person.handle in names}  # fmt: skip


def test_a_chat_matches_each_of_its_people(outbox: Outbox) -> None:
    chats = full(outbox)
    matched = chats.linq.match(CRM, region="US")
    assert pairs(matched) == wanted(outbox)
    assert {("Ada Lovelace", "Ada"), ("Book Club", "Ada"), ("Linus Email", "Linus")} <= pairs(matched)
    assert list(matched.columns) == [*chats.columns, "name", "phone", "status"]
    rows = matched["chat_id"].nunique()
    assert (
        matched.attrs["matched"] == f"3 of 6 contacts matched, in {rows} of 25 rows; 2 without a phone that can be read"
    )


def test_hashed_and_full_handles_match_alike(outbox: Outbox) -> None:
    hashed = to_frame(outbox.chats(), "hashed", key=outbox)
    by_hash = hashed.linq.match(CRM, region="US", key=outbox)
    assert pairs(by_hash) == pairs(full(outbox).linq.match(CRM, region="US"))
    assert by_hash["to_handles"].str.fullmatch(r"[0-9a-f]{16}( [0-9a-f]{16})*").all()
    own = CRM.assign(phone=outbox.hash_handles(CRM["phone"], "US"))
    assert pairs(hashed.linq.match(own, key=outbox)) == pairs(by_hash)
    people = to_frame(outbox.chats(), "hashed", kind="handles", key=outbox)
    assert set(people.linq.match(CRM, region="US", key=outbox)["name"]) == {"Ada", "Grace", "Linus"}


def test_sends_match_and_names_that_both_have_stay_apart(outbox: Outbox, memo: VoiceMemo) -> None:
    outbox.send(memo, "Ada Lovelace")
    outbox.send(memo, "Book Club")
    matched = full(outbox, "sends").linq.match(CRM, region="US")
    assert pairs(matched) == {pair for pair in wanted(outbox) if pair[0] in ("Ada Lovelace", "Book Club")}
    assert set(matched["status_contact"]) == {"vip"}
    assert set(matched["status"]) == {"queued"}


def test_without_a_region_only_numbers_with_their_country_match(outbox: Outbox) -> None:
    matched = full(outbox).linq.match(CRM)
    assert set(matched["name"]) == {"Grace", "Linus"}
    assert "3 without a phone" in matched.attrs["matched"]


@pytest.mark.parametrize(
    "phones",
    [
        pd.Series([2025550111, 2025550112]), pd.Series([2025550111.0, np.nan, 2025550112.0]),
        pd.Series(["202.555.0111", "202 555 0112"], dtype="category"), pd.Series([ADA, GRACE, ADA], index=[7, 7, 7]),
        pd.Series(["=\"+12025550111\"", "tel:+1-202-555-0112"], dtype="string"),
    ],
    ids=["whole numbers", "floats", "categories", "one label, one person twice", "Excel's"],
)  # fmt: skip
def test_numbers_match_however_an_export_writes_them(outbox: Outbox, phones: Any) -> None:
    table = pd.DataFrame({"mobile": phones})
    matched = full(outbox).linq.match(table, on="mobile", region="US")
    assert set(matched.loc[matched["chat_name"] == "Ada Lovelace", "mobile"]) <= set(phones)
    assert {"Ada Lovelace", "Grace Hopper"} <= set(matched["chat_name"])


def test_a_table_of_every_engine_matches(outbox: Outbox) -> None:
    chats, polars = full(outbox), pl.from_pandas(CRM)
    relation = duckdb.connect().from_arrow(polars.to_arrow())
    spaced = CRM.rename(columns={"phone": "Phone "})
    rows = CRM.to_dict("records")
    for contacts in (polars, polars.lazy(), polars.to_arrow(), relation, rows, CRM.set_index("phone"), spaced):
        assert pairs(chats.linq.match(contacts, region="US")) == wanted(outbox)


def test_nothing_matches_nothing(outbox: Outbox) -> None:
    chats = full(outbox)
    for frame, people in ((chats[:0], CRM), (chats, CRM[:0]), (chats[:0], CRM[:0]), (to_frame([]), CRM)):
        matched = frame.linq.match(people, region="US")
        assert len(matched) == 0
        assert {"chat_id", "name"} <= set(matched.columns)
        assert matched.attrs["matched"].startswith("0 of ")


def test_a_table_that_cannot_match_is_an_error_of_one_line(outbox: Outbox) -> None:
    chats = outbox.chats()
    cases = [
        (lambda: to_frame(chats).linq.match(CRM), 'these handles are masked.*nothing was matched; use handles="full"'),
        (
            lambda: to_frame(chats, "hashed", key=outbox).linq.match(CRM),
            "are hashed; nothing was matched; give key=outbox",
        ),
        (lambda: full(outbox).linq.match(CRM, on="mobile"), "no column 'mobile'.*its columns: name, phone, status"),
        (lambda: full(outbox).linq.match(CRM, on="phones"), "no column 'phones'.*did you mean 'phone'"),
        (lambda: full(outbox).linq.match(CRM.set_axis(["phone", "x", "phone"], axis=1)), "there twice: phone; nothing"),
        (lambda: full(outbox).linq.match(pl.scan_csv("/nowhere.csv")), "cannot be read.*nothing was matched"),
        (lambda: full(outbox).linq.match([ADA]), "a DataFrame of people, not a list"),
        (lambda: full(outbox).linq.match(CRM, region="Texas"), "region is the code of a country"),
        (lambda: pd.DataFrame({"x": [1]}).linq.match(CRM), "a frame of sends or chats"),
        (lambda: outbox.hash_handles(to_frame(chats)["to_handles"]), "these handles are masked"),
        (lambda: outbox.hash_handles(CRM["phone"], "Texas"), "region is the code of a country"),
    ]
    for ask, words in cases:
        with pytest.raises(SettingsError, match=words) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert "555" not in str(caught.value)


def test_hashes_are_those_of_a_hashed_frame(outbox: Outbox) -> None:
    people = [chat.others for chat in outbox.chats()]
    handles = sorted({person.handle for some in people for person in some})
    hashes = outbox.hash_handles(pd.Series(handles))
    frame = to_frame(outbox.chats(), "hashed", kind="handles", key=outbox)
    assert set(hashes) <= set(frame["handle"])
    assert outbox.hash_handles(["(202) 555-0111", "262966", None], "US") == [
        outbox.hash_handles(ADA), outbox.hash_handles("262966"), None,
    ]  # fmt: skip
    series = outbox.hash_handles(pd.Series([ADA, None, "LINUS@example.com"], index=[2, 1, 0], name="who"))
    assert list(series.index) == [2, 1, 0]
    assert series.name == "who"
    assert series.isna().tolist() == [False, True, False]
    assert series[0] == outbox.hash_handles(LINUS)
    assert outbox.hash_handles(pl.Series("who", [ADA, None])).to_list() == [outbox.hash_handles(ADA), None]


def test_a_segment_of_contacts_is_sent_to(outbox: Outbox, memo: VoiceMemo) -> None:
    segment = full(outbox).query("not is_group").linq.match(CRM, region="US").drop_duplicates("chat_id")
    drafts = segment.assign(memo=[memo] * len(segment)).linq.drafts(audio="memo")
    plan = outbox.plan(drafts)
    assert len(plan.rows) == len(segment) > 1
    assert {row.draft.chat_id for row in plan.rows} == set(segment["chat_id"])
