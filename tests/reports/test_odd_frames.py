"""Reports of frames from files and other tools: the same results, or an error of one line with the reason."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import by_hand
import duckdb
import pandas as pd
import polars as pl
import pytest
from engines import ENGINES, as_text, in_duckdb, rows
from shared import quick_first
from test_reports import CASES, CHATS, FILES, IDS, START, same

from linq_nb import Explorer, SettingsError, audit, reports, to_frame
from linq_nb.model import Attachment, Message, Send
from linq_nb.tables import in_pandas

STATUSES = ("delivered", "failed", "rejected", "queued", "unknown", "read", "on_hold", "sent", "not_sent")


def a_send(n: int) -> Send:
    at = START + timedelta(hours=n)
    return Send(
        send_id=f"s{n:02}", base_url="b", content=str(n), chat_id=CHATS[n % 3], chat_name=(None, "Ada")[n % 2],
        is_group=(None, False, True)[n % 3], from_handle=(None, "+12025550100")[n % 2], sha256=(None, *FILES)[n % 3],
        message_id=IDS[n // 4] if n % 4 == 0 else None, service=("RCS", None, "iMessage", "SMS")[n % 4],
        status=STATUSES[n % 9], http_status=(None, 403, 202)[n % 3], error_code=(None, 2024, 4001, 9999)[n % 4],
        created_at=at, posted_at=at if n % 2 else None, accepted_at=at + timedelta(seconds=2) if n % 3 else None,
        delivered_at=at + timedelta(seconds=n) if n % 2 else None,
    )  # fmt: skip


SENDS = [a_send(n) for n in range(40)]
MESSAGES = [
    Message(message_id=message_id, chat_id=CHATS[0], is_from_me=(None, True, False)[n % 3], created_at=START,
            delivery_status=(None, "delivered", "read")[n % 3],
            media=(Attachment(attachment_id=IDS[0], mime_type=(None, "audio/mp4")[n % 2]),))
    for n, message_id in enumerate(IDS)
]  # fmt: skip


def as_numpys(frame: pd.DataFrame) -> pd.DataFrame:
    """As DuckDB's ``.df()`` gives it: whole numbers with missing ones are floats, truths and texts objects."""
    kinds = {"Int64": "float64", "Float64": "float64"}
    converted = frame.astype({name: kinds[str(dtype)] for name, dtype in frame.dtypes.items() if str(dtype) in kinds})
    for name, dtype in as_text(frame).dtypes.items():
        if str(dtype) in ("string", "boolean"):
            converted[name] = as_text(frame)[name].astype(object).where(frame[name].notna(), None)
    return converted


def backwards(frame: pd.DataFrame) -> pd.DataFrame:
    """With categories in another order, and one that is not used."""
    words = {n: dtype.categories for n, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    kinds = {name: pd.CategoricalDtype([*some[::-1], "unused"]) for name, some in words.items()}
    return frame.astype(kinds)


def in_arrow(frame: pd.DataFrame) -> pd.DataFrame:
    file = io.BytesIO()
    frame.to_parquet(file)
    return pd.read_parquet(file, dtype_backend="pyarrow")


def in_enums(frame: pd.DataFrame) -> pl.DataFrame:
    table = pl.from_pandas(backwards(frame))
    return table.with_columns(
        pl.col(name).cast(pl.Enum(frame[name].cat.categories.tolist()[::-1]))
        for name, kind in table.schema.items()
        if kind == pl.Categorical
    )


def in_zone(frame: pd.DataFrame, zone: str | None) -> pd.DataFrame:
    times = frame.select_dtypes("datetimetz")
    return frame.assign(**{name: times[name].dt.tz_convert(zone) for name in times})


def csv(frame: pd.DataFrame) -> io.StringIO:
    return io.StringIO(frame.to_csv(index=False))


def csv_in_duckdb(frame: pd.DataFrame) -> Any:
    """All columns as text, in a session whose zone is not UTC."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'America/New_York'")
    return database.from_arrow(pl.read_csv(csv(frame), infer_schema=False).to_arrow())


def in_iso(frame: pd.DataFrame, of: Callable[[Any], str]) -> pd.DataFrame:
    times = frame.select_dtypes("datetimetz")
    return frame.assign(**{name: times[name].map(of, na_action="ignore").astype(object) for name in times})


def in_periods(frame: pd.DataFrame) -> pd.DataFrame:
    times = in_zone(frame, None)
    return times.assign(**{name: times[name].dt.to_period("us") for name in times.select_dtypes("datetime")})


def in_decimals(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name, dtype in frame.dtypes.items() if str(dtype) in ("Int64", "Float64")]
    as_decimal = {name: frame[name].astype(object).map(lambda number: Decimal(str(number)), na_action="ignore")
                  for name in names}  # fmt: skip
    return frame.assign(**{name: column.astype(object).where(frame[name].notna(), None)
                           for name, column in as_decimal.items()})  # fmt: skip


def in_objects(frame: pd.DataFrame) -> pl.DataFrame:
    names = [name for name in ("is_group", "error_code", "accept_s", "is_from_me") if name in frame]
    values = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in names}
    return pl.from_pandas(frame).with_columns(pl.Series(name, values[name], dtype=pl.Object) for name in names)


def in_sqlite(frame: pd.DataFrame) -> pd.DataFrame:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        as_text(frame).to_sql("sends", database, index=False)
        return pd.read_sql("SELECT * FROM sends", database)


ODD: dict[str, Callable[[pd.DataFrame], Any]] = {
    "NumPy's dtypes": as_numpys,
    "categories backwards": backwards,
    "Arrow's dtypes": in_arrow,
    "one label for all rows": lambda frame: frame.set_axis([7] * len(frame), axis=0),
    "parts put together": lambda frame: pd.concat([backwards(frame[:9]), frame[9:]]),
    "Polars' enums": in_enums,
    "Polars in another zone": lambda frame: pl.from_pandas(in_zone(frame, "Europe/Paris")),
    "no zone": lambda frame: in_zone(frame, None),
    "no zone in Polars": lambda frame: pl.from_pandas(in_zone(frame, None)),
    "no zone in DuckDB": lambda frame: in_duckdb(in_zone(frame, None))[0],
    "CSV": lambda frame: pd.read_csv(csv(frame)),
    "CSV with pandas's missing values": lambda frame: pd.read_csv(csv(frame), dtype_backend="numpy_nullable"),
    "CSV, all as text": lambda frame: pd.read_csv(csv(frame), dtype=str),
    "CSV, all as text, empty ones too": lambda frame: pd.read_csv(csv(frame), dtype=str, keep_default_na=False),
    "CSV in Polars": lambda frame: pl.read_csv(csv(frame), infer_schema_length=None),
    "CSV in Polars, all as text": lambda frame: pl.read_csv(csv(frame), infer_schema=False),
    "CSV in Polars, later": lambda frame: pl.scan_csv(csv(frame).getvalue().encode(), infer_schema=False),
    "CSV in DuckDB, all as text": csv_in_duckdb,
    "times as texts": lambda frame: in_iso(frame, lambda at: at.isoformat()),
    "times as texts with Z": lambda frame: in_iso(frame, lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}"),
    "times as texts of another zone": lambda frame: pl.from_pandas(
        in_iso(frame, lambda at: at.tz_convert("Asia/Kolkata").isoformat(" "))
    ),
    "times as objects": lambda frame: in_iso(frame, lambda at: at.to_pydatetime()),
    "times as texts and times": lambda frame: in_iso(frame, lambda at: at.isoformat() if at.minute % 2 else at),
    "times as Polars writes them": lambda frame: in_iso(frame, lambda at: f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"),
    "times as periods": in_periods,
    "all as pandas's text": lambda frame: frame.astype(str),
    "all as objects": lambda frame: frame.astype(object),
    "decimals in Polars": lambda frame: pl.from_pandas(in_decimals(frame)),
    "decimals in Arrow's dtypes": lambda frame: in_arrow(in_decimals(frame)),
    "decimals in DuckDB": lambda frame: in_duckdb(in_decimals(frame))[0],
    "decimals as objects": in_decimals,
    "Polars' objects": in_objects,
    "an index named as a column": lambda frame: frame.set_index(["created_at", "chat_id"], drop=False),
    "SQLite": in_sqlite,
    "ids of DuckDB": lambda frame: in_duckdb(frame)[0].project("* REPLACE (chat_id::UUID AS chat_id)"),
    "whole numbers of DuckDB": lambda frame: in_duckdb(frame)[0].project(
        "* REPLACE (http_status::HUGEINT AS http_status, error_code::USMALLINT AS error_code)"
    ),
    "times of DuckDB": lambda frame: in_duckdb(in_zone(frame, None))[0].project(
        "* REPLACE (created_at::TIMESTAMP_NS AS created_at, posted_at::TIMESTAMP_S AS posted_at)"
    ),
    "JSON": lambda frame: pl.DataFrame(
        json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us")),
        schema=None if len(frame) else dict.fromkeys(frame, pl.String),
        infer_schema_length=None,
    ),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("number", quick_first([40, 0]))
def test_an_odd_frame_gives_the_same_answers(odd: str, number: int) -> None:
    table = ODD[odd](to_frame(SENDS, "full")[:number])
    for name, report, plain in CASES:
        same(rows(report(table)), plain(SENDS[:number]), f"{name} of {odd}")


@pytest.mark.parametrize("odd", [name for name in ODD if "DuckDB" not in name])
def test_odd_frames_are_compared_alike(odd: str) -> None:
    ours, theirs = to_frame(SENDS, "full"), to_frame(MESSAGES, kind="messages")
    same(rows(reports.compare(ODD[odd](ours), ODD[odd](theirs))), by_hand.compare(SENDS, MESSAGES), odd)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_status_that_is_missing_counts_as_a_send_and_no_more(engine: str) -> None:
    frame = to_frame(SENDS, "full").assign(status=None, is_group=None, chat_id=None)
    (table,) = ENGINES[engine][1](frame.astype({"status": "string", "is_group": "boolean", "chat_id": "string"}))
    (day, *_) = rows(reports.by_day(table))
    assert [day[name] for name in ("sends", "accepted", "refused", "unclear")] == [24, 0, 0, 0]
    assert rows(reports.funnel(table))[1]["sends"] == 0
    for empty in (reports.errors, reports.unconfirmed, reports.duplicates):
        assert rows(empty(table)) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_to_count_by_are_named_once_and_not_as_a_reports_own(engine: str) -> None:
    frame = to_frame(SENDS, "full")
    (table,) = ENGINES[engine][1](frame.assign(sends=1, first_at=2, p50_s=3, meaning="x"))
    assert rows(reports.by(table, "day", "day")) == rows(reports.by(table, "day"))
    for ask, name in ((reports.by, "sends"), (reports.by, "first_at"), (reports.latency, "p50_s"),
                      (reports.latency, "delivery_s"), (reports.errors, "meaning")):  # fmt: skip
        with pytest.raises(SettingsError, match=f"has a column '{name}' of its own; nothing was counted; rename yours"):
            ask(table, name)


TEXTS = {
    "created_at": ("1 March 2026", "a time"), "posted_at": ("2026-02-30", "a time"), "sent_at": ("now", "a time"),
    "delivered_at": ("infinity", "a time"), "read_at": ("01.02.2026 08:03", "a time"), "failed_at": ("2026", "a time"),
    "attempts": ("9223372036854775808", "a whole number"), "read_s": ("1,5", "a number"),
    "accept_s": ("1_000", "a number"), "accepted_at": ("1772355600", "a time"),
    "http_status": ("x", "a whole number"), "error_code": ("40.5", "a whole number"),
    "is_group": ("perhaps", "true or false"), "delivery_s": ("inf", "a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("read", ["CSV, all as text", "CSV in Polars, all as text", "CSV in DuckDB, all as text"])
def test_a_text_that_is_no_value_of_its_column_is_an_error_of_one_line(name: str, read: str) -> None:
    value, meant = TEXTS[name]
    frame = to_frame(SENDS, "full").astype(object)
    frame.loc[3, name] = value
    with pytest.raises(
        SettingsError, match=rf"^audit found .* in the column '{name}', which is not {meant}; "
    ) as error:
        audit(ODD[read](frame))
    assert "nothing was counted; correct it in the table" in str(error.value)


OWN = {
    "at": "office",
    "parts": "two",
    "event_id": 3,
    "created_at as read": 1,
    "created_at as text".ljust(40): 2,
    "a 'b'": 4,
}


@pytest.mark.parametrize("read", [lambda text: text, pl.from_pandas, lambda text: in_duckdb(text)[0]])
def test_columns_of_ones_own_stay_as_they_are(read: Callable[[pd.DataFrame], Any]) -> None:
    sends = to_frame(SENDS, "full").astype(str)
    explorer = Explorer(read(sends.assign(**OWN)))
    explorer.filter(status="failed", since=START)
    chosen = in_pandas(explorer.rows)
    assert list(chosen) == [*sends, *OWN]
    assert chosen[list(OWN)].drop_duplicates().values.tolist() == [list(OWN.values())]
    assert chosen["send_id"].tolist() == [send.send_id for send in SENDS if send.status == "failed"]


def test_a_column_that_has_no_value_needs_no_type_in_an_engine_that_reads_no_text() -> None:
    table = pl.from_pandas(to_frame(SENDS)).with_columns(chat_name=None, service=None, read_at=None).to_arrow()
    assert reports.funnel(table).num_rows == 5
    assert reports.by_chat(table).num_rows == len(rows(reports.by_chat(to_frame(SENDS))))


def test_a_text_in_an_engine_that_reads_none_is_an_error_of_one_line() -> None:
    table = pl.from_pandas(in_iso(to_frame(SENDS), lambda at: at.isoformat())).to_arrow()
    with pytest.raises(SettingsError, match=r"^by_chat found text in the column 'created_at', which is not a time; "):
        reports.by_chat(table)


def test_ids_and_names_that_a_reader_took_for_numbers_are_texts() -> None:
    frame = to_frame(SENDS, "full").assign(chat_name="1234", from_handle="+12025550100")
    for table in (pd.read_csv(csv(frame)), pl.read_csv(csv(frame), infer_schema_length=None)):
        (chats, *_) = rows(reports.by_chat(table))
        assert chats["chat_name"] == "1234"
        assert rows(reports.by(table, "from_handle"))[0]["from_handle"] == "+12025550100"


def test_a_frame_that_a_report_cannot_read_is_an_error_of_one_line() -> None:
    frame, messages = to_frame(SENDS), to_frame(MESSAGES, kind="messages")
    with pytest.raises(
        SettingsError,
        match=r"^by_chat takes a frame without duplicate columns; nothing was counted; drop the duplicates$",
    ):
        reports.by_chat(pd.concat([frame, frame[["day"]]], axis=1))
    with pytest.raises(SettingsError, match="not pandas's DataFrame and polars's DataFrame"):
        reports.compare(frame, pl.from_pandas(messages))
    with pytest.raises(SettingsError, match="not polars's DataFrame and polars's LazyFrame"):
        reports.compare(pl.from_pandas(frame), pl.from_pandas(messages).lazy())
    with pytest.raises(SettingsError, match="latency does not work on a pyarrow"):
        reports.latency(pl.from_pandas(frame).to_arrow())
    with pytest.raises(SettingsError, match="the frame has 0, 1"):
        reports.by_chat(pd.DataFrame([[1, 2]]))
