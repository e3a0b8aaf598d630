"""Foreign values made storable: the value that is read, the value that is kept, and a note of each change."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from core_samples import BAD_VALUES, answer_with

import linq_nb
from linq_nb import Draft, VoiceMemo, storable, to_frame, wire


@pytest.mark.parametrize("name", BAD_VALUES)
def test_an_answer_with_a_bad_value_is_read(name: str) -> None:
    answer = answer_with(BAD_VALUES[name])
    fields = wire.accepted(answer)
    assert fields["message_id"]
    for value in fields.values():
        for single in value if isinstance(value, tuple) else (value,):
            assert not isinstance(single, int) or 0 <= single < 2**53
            assert len(str(single).encode()) <= 4 * storable.MAX_TEXT
    json.dumps(storable.kept(answer.body), ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "stored", "note"),
    [
        ("a\ud800b", "a\ufffdb", "characters that cannot be stored were replaced"),
        ("a\0b", "a\ufffdb", "characters that cannot be stored were replaced"),
        ("x" * 10_001, "x" * 10_000, "cut after 10000 of 10001 characters"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "a time outside 1678 to 2262; columns of times leave it out"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "a time outside 1678 to 2262; columns of times leave it out"),
        (2**63, str(2**63), "a number beyond 64 bits, kept as text; columns of numbers leave it out"),
        (-(2**63) - 1, str(-(2**63) - 1), "a number beyond 64 bits, kept as text; columns of numbers leave it out"),
        (float("nan"), "NaN", "not a number, kept as text"),
        (float("-inf"), "-Infinity", "not a number, kept as text"),
    ],
)
def test_a_value_that_was_changed_has_a_note_of_where_and_why(value: Any, stored: Any, note: str) -> None:
    body = storable.kept({"data": {"list": [1, value], "plain": "a"}})
    assert body == {"data": {"list": [1, stored], "plain": "a"}, storable.CHANGED: [f"data.list[1]: {note}"]}


@pytest.mark.parametrize("value", [-5, 2**53, 3.5, True, "12", [1]])
@pytest.mark.parametrize("name", ["size_bytes", "duration_ms"])
def test_an_impossible_length_is_kept_in_the_answer_and_in_no_column(name: str, value: Any) -> None:
    raw = {"id": "a", name: value}
    assert getattr(wire.attachment(raw), name) is None
    notes = storable.kept(raw).get(storable.CHANGED, [])
    assert isinstance(value, list) or notes == [f"{name}: no possible length; its column leaves it out"]


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**63 - 1, -(2**63), 1.5, "", "é😀", "2026-03-02T09:00:00Z", [], {}, [{"size_bytes": 8}]],
)
def test_a_storable_value_is_not_changed(value: Any) -> None:
    assert storable.kept({"a": value, "size_bytes": None}) == {"a": value, "size_bytes": None}


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ([None, float("nan"), np.nan, np.float32("nan"), np.float64("nan"), Decimal("NaN"), pd.NA, pd.NaT], True),
        ([0, 0.0, -1, True, False, np.int64(0), np.float32(1), Decimal(0), float("inf"), 1j], False),
        (["", " ", "nan", "<NA>", "NaT", "None"], False),
        ([[], (), {}, np.zeros(3), pd.Series([None]), pd.Timestamp(0), datetime(2026, 3, 2, tzinfo=UTC)], False),
    ],
)
def test_a_cell_is_missing_whatever_engine_it_comes_from(values: list[Any], missing: bool) -> None:
    assert [storable.is_missing(value) for value in values] == [missing] * len(values)


def test_names_are_storable_too() -> None:
    assert storable.kept({"\ud800": 1, "a": {"b\0": 2}}) == {
        "\ufffd": 1,
        "a": {"b\ufffd": 2},
        storable.CHANGED: ["the answer: a name in it was changed", "a: a name in it was changed"],
    }


def test_the_notes_are_few_and_short() -> None:
    notes = storable.kept({"x" * 5000 + str(number): "\0" for number in range(500)})[storable.CHANGED]
    assert len(notes) == 20
    assert max(map(len, notes)) < 300


@pytest.mark.parametrize("depth", [10, 150, 2_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_json_of_any_depth_is_parsed_with_its_other_fields(depth: int, opening: str, closing: str) -> None:
    deep = opening * depth + r'"\"[{"' + closing * depth
    value = storable.loads(f'{{"before": "[[", "deep": {deep}, "after": [1, {{"b": 2}}]}}')
    assert (value["before"], value["after"]) == ("[[", [1, {"b": 2}])
    assert ("[too deep]" in str(value["deep"])) is (depth > 200)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"a": ' * 100_000, "[" * 300 + "]" * 299, '"' + r"\"" * 1_000_000, "]" * 1000, b"\xff{}"],
)
def test_invalid_json_is_a_value_error_at_once(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json's own error, of which each caller makes its own
        storable.loads(text)


def test_a_number_of_very_many_digits_says_how_many() -> None:
    assert storable.loads('{"a": ' + "9" * 5000 + ', "b": -' + "1" * 30 + "}") == {
        "a": "[a number of 5000 digits]",
        "b": -int("1" * 30),
    }


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1678-01-01T00:00:00Z", datetime(1678, 1, 1, tzinfo=UTC)),
        ("2261-12-31T23:59:59Z", datetime(2261, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2262-01-01T00:00:00Z", None),
        ("2261-12-31T23:59:59-01:00", None),
        ("1678-01-01T00:00:00+01:00", None),
        (7, None),
    ],
)
def test_times_are_those_that_every_frame_holds(text: Any, at: datetime | None) -> None:
    assert storable.time(text) == at


def caf(size: int, packet_frames: int = 2**32 - 1, rate: float = 1.0) -> bytes:
    """A CAF of that many packets of one byte, each of which claims to last for that many frames."""
    desc = struct.pack(">d4sIIIII", rate, b"aac ", 0, 1, packet_frames, 1, 0)
    chunks = (b"desc", desc), (b"data", bytes(4) + b"x" * size)
    return b"caff\0\1\0\0" + b"".join(struct.pack(">4sq", name, len(data)) + data for name, data in chunks)


@pytest.mark.parametrize(("size", "rate"), [(5_000_000, 1.0), (100, 1.0), (100, 8000.0)])
def test_a_file_that_claims_an_impossible_length_is_sent_without_one(size: int, rate: float) -> None:
    """The largest would be beyond 64 bits in milliseconds."""
    memo = VoiceMemo.from_bytes(caf(size, rate=rate), "hello.caf")
    long_s = size * (2**32 - 1) / rate
    assert memo.duration_ms == (None if long_s > 365 * 86_400 else round(long_s * 1000))
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        chat = next(chat for chat in outbox.chats() if chat.chat_name == "Ada Lovelace")
        assert ("length" in [finding.code for finding in outbox.check(memo, chat)]) is (memo.duration_ms is None)
        frame = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat)])).wait().frame()
        assert list(frame["status"]) == ["queued"]
        assert len(to_frame(outbox.sends())) == 1
