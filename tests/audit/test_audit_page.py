"""The audit on one page: every number once more by SQL, written by hand over the same sends; its files; its magic."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import quick_first

import linq_nb
from linq_nb import Explorer, SettingsError, VoiceMemo

SENDS = 3_000
ZONE = "America/New_York"
START = datetime(2026, 2, 9, 5, tzinfo=UTC)
"""Midnight in New York."""
END = datetime(2026, 2, 26, 17, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)

LEFT = "status NOT IN ('preparing', 'sending', 'not_sent', 'rejected', 'unknown')"
TELLS = "NOT is_group AND service IS DISTINCT FROM 'SMS'"
WRONG = "status IN ('failed', 'unknown', 'rejected', 'not_sent')"
HTTP = "if(status = 'failed', NULL, http_status)"
COUNTS = f"""count(*) AS sends, count(*) FILTER ({LEFT}) AS accepted,
    count(*) FILTER (status IN ('delivered', 'read')) AS delivered, count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status IN ('rejected', 'not_sent')) AS refused,
    count(*) FILTER (status IN ('unknown', 'sending')) AS unclear"""
REASON = f"""SELECT chat_id, error_code, min(created_at) AS since FROM s WHERE {WRONG}
    GROUP BY chat_id, status, {HTTP}, error_code
    QUALIFY row_number() OVER (PARTITION BY chat_id ORDER BY count(*) DESC, status, {HTTP} NULLS LAST,
        error_code NULLS LAST) = 1"""

#: The rows of each table; `s` are the sends of the period.
TABLES = {
    "summary": f"""WITH reporting AS (FROM s WHERE {LEFT} AND {TELLS}), n AS (SELECT count(*) AS can_report FROM reporting),
        most AS (SELECT max(delivery_s) AS most_within_s FROM (SELECT delivery_s FROM reporting WHERE delivery_s IS NOT NULL
            ORDER BY 1 LIMIT (SELECT ceil(can_report * 0.8)::INT FROM n)))
        SELECT {COUNTS}, count(DISTINCT chat_id) AS chats, (SELECT can_report FROM n) AS can_report,
            (SELECT count(*) FROM reporting WHERE status IN ('delivered', 'read')) AS reported,
            (SELECT most_within_s FROM most) AS most_within_s,
            quantile_cont(delivery_s, 0.5) AS p50_s, quantile_cont(delivery_s, 0.95) AS p95_s FROM s""",
    "problems": f"""SELECT status, {HTTP} AS http_status, error_code,
        if(count(DISTINCT from_handle) = 1, right(any_value(from_handle), 4), '') AS line, count(*) AS sends,
        count(DISTINCT chat_id) AS chats, min(created_at) AS first_at, max(created_at) AS last_at FROM s WHERE {WRONG}
        GROUP BY ALL ORDER BY sends DESC, status, http_status NULLS LAST, error_code NULLS LAST""",
    "chats": f"""WITH reasons AS ({REASON}) SELECT any_value(chat_name) AS chat_name, {COUNTS},
        any_value(r.error_code) AS error_code, any_value(since) AS since, chat_id FROM s JOIN reasons r USING (chat_id)
        GROUP BY chat_id ORDER BY failed DESC, refused DESC, unclear DESC, sends DESC, chat_id""",
    "latency": """SELECT service, is_group, count(*) AS sends, quantile_cont(delivery_s, 0.5) AS p50_s,
        quantile_cont(delivery_s, 0.95) AS p95_s FROM s WHERE delivery_s IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "open": f"""SELECT send_id, chat_name, filename, status, created_at FROM s WHERE status IN ('unknown', 'sending')
        OR ((status IN ('pending', 'queued') OR (status = 'sent' AND {TELLS})) AND accepted_at <= $until - INTERVAL 1 HOUR)
        ORDER BY created_at, send_id""",
    "duplicates": f"""SELECT any_value(chat_name) AS chat_name, any_value(filename) AS filename,
        count(*) FILTER ({LEFT}) AS bubbles, min(created_at) AS first_at, max(created_at) AS last_at FROM s
        WHERE {LEFT} OR status = 'unknown' GROUP BY chat_id, coalesce(sha256, attachment_id)
        HAVING count(*) > 1 AND coalesce(sha256, attachment_id) IS NOT NULL
        ORDER BY bubbles DESC, chat_id, coalesce(sha256, attachment_id)""",
    "days": f"""SELECT strftime(created_at AT TIME ZONE '{ZONE}', '%Y-%m-%d') AS day, {COUNTS} FROM s GROUP BY 1
        ORDER BY 1""",
}


@pytest.fixture(scope="module")
def month() -> Iterator[linq_nb.Outbox]:
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.replay(outbox.demo.month(SENDS))
        yield outbox


@pytest.fixture(scope="module")
def frame(month: linq_nb.Outbox) -> pd.DataFrame:
    return linq_nb.to_frame(month.sends())


@pytest.fixture(scope="module")
def report(month: linq_nb.Outbox) -> Any:
    return linq_nb.audit(month, since=START, until=END, tz=ZONE)


@pytest.fixture(scope="module")
def tables(frame: pd.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("sends", frame)
        database.execute(
            "CREATE TABLE s AS FROM sends WHERE created_at >= $since AND created_at < $until",
            {"since": START, "until": END},
        )
        yield database


@pytest.mark.parametrize("name", TABLES)
def test_a_table_equals_the_result_of_sql(name: str, report: Any, tables: duckdb.DuckDBPyConnection) -> None:
    values = {"until": END} if "$until" in TABLES[name] else {}
    wanted = tables.execute(TABLES[name], values)
    names = [column[0] for column in wanted.description]
    rows = wanted.fetchall()
    shown = report.frames[name][names]
    assert len(rows) == len(shown) > 0
    for row, values_of in zip(shown.itertuples(index=False), rows, strict=True):
        for column, value, by_sql in zip(names, row, values_of, strict=True):
            if by_sql is None:
                assert pd.isna(value), column
            elif isinstance(by_sql, float):
                assert float(value) == pytest.approx(by_sql), column
            else:
                assert value == by_sql, f"{column}: {value} in the audit, {by_sql} by SQL"


def test_the_headline_has_the_numbers_of_sql(report: Any, tables: duckdb.DuckDBPyConnection) -> None:
    (failed, line) = tables.sql(
        "SELECT count(*), right(min(from_handle), 4) FROM s WHERE error_code = 4002"
    ).fetchall()[0]
    (first,) = tables.sql("SELECT min(created_at) FROM sends WHERE error_code = 4002").fetchall()[0]
    within = tables.sql(TABLES["summary"]).df()["most_within_s"][0]
    shown, unit = re.findall(r"within ([\d.]+) (s|min)", report.headline)[0]
    shown_s = float(shown) * (60 if unit == "min" else 1)
    assert within <= shown_s <= within + 0.1 * (60 if unit == "min" else 1)
    local = first.astimezone(dt.timezone(timedelta(hours=-5)))
    because = f"{failed:,} failed because the line ending {line} was offline from {local.day} {local:%b %H:%M}"
    assert because in report.headline
    unclear = tables.sql("SELECT count(*) FROM s WHERE status = 'unknown'").fetchall()[0][0]
    assert report.headline.endswith(f"; {unclear} have no clear answer yet")


def test_an_error_begins_after_two_days_without_it(month: linq_nb.Outbox, tables: duckdb.DuckDBPyConnection) -> None:
    """Also where it began before the period."""
    week = linq_nb.audit(month, since="7d")
    wanted = tables.sql(f"""WITH e AS (SELECT status, {HTTP} AS http, error_code AS code, created_at AS made,
            lag(created_at) OVER (PARTITION BY status, {HTTP}, error_code ORDER BY created_at) AS earlier
            FROM sends WHERE {WRONG}),
        begins AS (FROM e WHERE earlier IS NULL OR made - earlier > INTERVAL 2 DAY),
        firsts AS (SELECT status, http, code, min(made) AS first FROM e
            WHERE made >= TIMESTAMPTZ '2026-02-23 09:00:00+00' GROUP BY ALL)
        SELECT f.status, f.code, max(b.made) FROM firsts f JOIN begins b ON b.status = f.status AND b.made <= f.first
            AND b.http IS NOT DISTINCT FROM f.http AND b.code IS NOT DISTINCT FROM f.code
        GROUP BY f.status, f.http, f.code""").fetchall()
    problems = week.frames["problems"]
    shown = {(row.status, str(row.error_code)): row.since for row in problems.itertuples()}
    assert {(status, str(code)): since for status, code, since in wanted} == shown
    assert (problems["since"] < problems["first_at"]).any()


def test_the_advice_begins_with_unclear_sends_and_ends_with_duplicates(report: Any) -> None:
    steps = report.frames["next"]
    assert steps["step"].tolist() == list(range(1, len(steps) + 1))
    assert "reconcile" in steps["what_to_do"].iloc[0]
    clear = report.frames["problems"].query("status != 'unknown'")
    assert steps["what_to_do"].tolist()[1 : 1 + len(clear)] == clear["what_to_do"].tolist()
    assert steps["sends"].iloc[-1] == len(report.frames["duplicates"])


@pytest.mark.thorough
@pytest.mark.parametrize("zone", ["UTC", ZONE])
def test_a_parquet_folder_with_dates_for_days_is_audited(
    month: linq_nb.Outbox, frame: pd.DataFrame, tmp_path: Path, zone: str
) -> None:
    import polars as pl

    month.to_parquet(tmp_path / "sends")
    files = str(tmp_path / "sends" / "**" / "*.parquet")
    by_text = linq_nb.audit(frame, since=None, tz=zone)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        table = database.read_parquet(files, hive_partitioning=True)
        for source in (table, pl.scan_parquet(files, hive_partitioning=True)):
            by_date = linq_nb.audit(source, since=None, tz=zone)
            assert repr(by_date) == repr(by_text)
            assert by_date.frames["days"]["day"].tolist() == by_text.frames["days"]["day"].tolist()
            assert repr(Explorer(source).audit()) == repr(linq_nb.audit(frame, since=None))


@pytest.mark.parametrize("kind", ["pandas", "polars", "duckdb"])
def test_every_kind_of_frame_gives_the_same_audit(kind: str, report: Any, frame: pd.DataFrame) -> None:
    import polars as pl

    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        source: Any = {
            "pandas": lambda: frame,
            "polars": lambda: pl.from_pandas(frame),
            "duckdb": lambda: database.from_df(frame),
        }[kind]()
        other = linq_nb.audit(source, since=START, until=END, tz=ZONE)
        assert other.headline == report.headline
        problems = report.frames["problems"]
        assert set(problems["reputation"]) == {"", "AT_RISK"}  # a webhook in the journal says so; a frame has none
        without = report.frames | {"problems": problems.assign(reputation="")}
        assert repr(other) == repr(dataclasses.replace(report, frames=without))


def test_a_span_counts_back_from_the_outboxs_clock_or_the_newest_send(
    month: linq_nb.Outbox, frame: pd.DataFrame
) -> None:
    newest = frame["created_at"].max()
    for source, now in ((month, month.demo.now()), (frame, newest)):
        report = linq_nb.audit(source, since="3d")
        assert (report.since, report.until) == (now - timedelta(days=3), now)
        at = frame["created_at"]
        wanted = (at >= report.since) & (at < report.until if source is month else at <= newest)
        assert report.frames["summary"]["sends"].iloc[0] == wanted.sum()


@pytest.mark.thorough
def test_one_chat_can_be_chosen_by_name_or_id(month: linq_nb.Outbox, frame: pd.DataFrame) -> None:
    chat = month.find_chat("Boston 03")
    number = int((frame["chat_id"] == chat.chat_id).sum())
    spellings = ["Boston 03", chat.chat_id, "boston\u00a003\ufeff", f" {chat.chat_id.upper()}"]
    for source, which in [(month, chat), *((source, text) for source in (month, frame) for text in spellings)]:
        summary = linq_nb.audit(source, since=None, chat=which).frames["summary"].iloc[0]
        assert (summary["sends"], summary["chats"]) == (number, 1)
    with pytest.raises(SettingsError, match="the frame has no chat 'Nobody'; nothing was written"):
        linq_nb.audit(frame, chat="Nobody")


AN_EMAIL = "zoe.m@example.com"


@pytest.mark.parametrize("kind", quick_first(["polars", "later", "pandas", "duckdb"]))
def test_one_chat_of_a_frame_can_be_chosen_by_its_handle_in_any_spelling(month: linq_nb.Outbox, kind: str) -> None:
    import polars as pl

    full = linq_nb.to_frame(month.sends(), handles="full")
    is_group = full["is_group"].fillna(value=False).astype(bool)
    handle = full.loc[~is_group, "to_handles"].iloc[0]
    full.loc[full["to_handles"] == full.loc[~is_group, "to_handles"].iloc[-1], "to_handles"] = AN_EMAIL
    digits = handle.removeprefix("+")
    spellings: list[Any] = [
        handle, digits, int(digits), float(digits), f"00{digits}", f"tel:{handle}", f"\u202a{handle}\u202c", f"\ufeff {handle}",
        f"+1 ({digits[1:4]}) {digits[4:7]}\u2011{digits[7:]}", f"+1\u00a0{digits[1:4]}.{digits[4:7]}.{digits[7:]}",
        "".join(chr(0xFF10 + int(digit)) for digit in digits), f"{digits}.0", f"mailto:{AN_EMAIL.upper()}", f" {AN_EMAIL} ",
    ]  # fmt: skip
    with duckdb.connect() as database:
        source = {
            "pandas": lambda: full,
            "polars": lambda: pl.from_pandas(full),
            "later": lambda: pl.from_pandas(full).lazy(),
            "duckdb": lambda: database.from_arrow(pl.from_pandas(full).to_arrow()),
        }[kind]()
        for text in spellings:
            wanted = AN_EMAIL if "@" in str(text) else handle
            summary = linq_nb.audit(source, since=None, chat=text).frames["summary"].iloc[0]
            assert summary["sends"] == ((full["to_handles"] == wanted) & ~is_group).sum() > 0


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ("+12025559999", r"the frame has no chat '\+1•••••9999'; nothing was written.*or make the frame with handles="),
        (2.02556e9, "the digits are lost; read the column as text; nothing was written"),
        ("1.20256E+10", "the digits are lost; read the column as text; nothing was written"),
        ("202 555 0112", r"this is not a phone number that can be called \(10 digits, no \+, ends in 0112\)"),
        ("", "the frame has no chat ''; nothing was written"),
        ("\u200b", "the frame has no chat .*; nothing was written"),
        (True, "the frame has no chat ''; nothing was written"),
        (b"Boston 03", "the frame has no chat ''; nothing was written"),
        ("nobody@example.com", "the frame has no chat 'n•••@example.com'; nothing was written"),
    ],
)
def test_a_chat_that_a_frame_does_not_have_is_refused_with_the_reason(
    frame: pd.DataFrame, chat: Any, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        linq_nb.audit(frame, chat=chat)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"since": "yesterday"}, "since is a time"),
        ({"until": "soon"}, "until is a time"),
        ({"tz": "Berlin"}, "Europe/Berlin"),
    ],
)
def test_a_wrong_argument_is_an_error_of_one_line(frame: pd.DataFrame, values: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        linq_nb.audit(frame, **values)


@pytest.mark.parametrize("source", [None, 3, "frame"])
def test_only_an_outbox_or_a_frame_can_be_audited(source: Any) -> None:
    with pytest.raises(SettingsError, match="audit takes a frame"):
        linq_nb.audit(source)


def test_a_period_without_sends_says_so(month: linq_nb.Outbox, frame: pd.DataFrame) -> None:
    for source in (month, frame, frame.head(0)):
        report = linq_nb.audit(source, since="2025-01-01", until="2025-01-02")
        assert report.headline == "No voice memo was asked for in this period"
        assert "What went wrong: Nothing went wrong." in repr(report)
        assert "Nothing to do." in report.to_html()


# --- files ---


def test_the_page_is_one_file_and_is_not_overwritten(report: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    page = report.to_html(file)
    assert file.read_text("utf-8") == page == report.to_html()
    assert report.headline in page
    assert not re.search(r"src=|href=|url\(|@import|<script", page)
    assert "@page{size:A4" in page
    file.write_text("mine")
    with pytest.raises(SettingsError, match=r"'audit\.html' already; nothing was written"):
        report.to_html(file)
    assert file.read_text() == "mine"
    with pytest.raises(SettingsError, match="nothing was written"):
        report.to_html(tmp_path / "no folder" / "audit.html")


def test_foreign_text_is_escaped_and_masked(frame: pd.DataFrame) -> None:
    hostile = frame.copy()
    failed = hostile["status"] == "failed"
    hostile.loc[failed, "chat_name"] = '<img src=x onerror="alert(1)"> +12025550123'
    report = linq_nb.audit(hostile, since=None)
    for page in (report.to_html(), report._repr_mimebundle_()["text/html"]):
        assert "<img" not in page
        assert "&lt;img src=x" in page
        assert "2025550123" not in page


def test_the_excel_file_has_a_sheet_a_table_with_local_times_and_no_formula(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    hostile = frame.copy()
    hostile["chat_name"] = "=1+1"
    report = linq_nb.audit(hostile, since=START, until=END, tz=ZONE)
    file = tmp_path / "audit.xlsx"
    report.to_excel(file)
    sheets = sheets_of(file)
    assert list(sheets) == ["audit", *report.frames]
    assert sheets["audit"][0][1] == report.headline
    for name, table in report.frames.items():
        head, *rows = sheets[name]
        assert head == list(table.columns)
        assert len(rows) == len(table)
    problems = [dict(zip(sheets["problems"][0], row, strict=False)) for row in sheets["problems"][1:]]
    first = report.frames["problems"]["first_at"].iloc[0].tz_convert(ZONE).tz_localize(None)
    days = (first - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    assert float(problems[0]["first_at"]) == pytest.approx(days, abs=1e-6)
    assert float(problems[0]["sends"]) == report.frames["problems"]["sends"].iloc[0]
    assert {row[0] for row in sheets["chats"][1:]} == {"=1+1"}
    with zipfile.ZipFile(file) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist())
    with pytest.raises(SettingsError, match=r"'audit\.xlsx' already; nothing was written"):
        report.to_excel(file)


def sheets_of(file: Path) -> dict[str, list[list[str]]]:
    """The texts and numbers of an Excel file, by sheet; an empty cell at the end of a row is left out."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(file) as book:
        texts = [
            "".join(node.itertext())
            for node in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{space}si")
        ]
        names = [
            node.attrib["name"] for node in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{space}sheet")
        ]
        sheets = {}
        for number, name in enumerate(names, 1):
            rows = []
            for row in ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{space}row"):
                cells: list[str] = []
                for cell in row.iter(f"{space}c"):
                    place = sum(
                        (ord(letter) - 64) * 26**power
                        for power, letter in enumerate(reversed(re.sub(r"\d", "", cell.attrib["r"])))
                    )
                    value = "".join(cell.itertext())
                    cells += [""] * (place - 1 - len(cells)) + [texts[int(value)] if cell.get("t") == "s" else value]
                rows.append(cells)
            sheets[name] = rows
    return sheets


# --- the magic ---


def test_the_magic_shows_the_page_and_writes_the_files(
    shell: InteractiveShell, month: linq_nb.Outbox, report: Any, tmp_path: Path
) -> None:
    shell.user_ns["outbox"] = month
    line = f"%linq_audit --since {START:%Y-%m-%dT%H:%M} --until {END:%Y-%m-%dT%H:%M} --tz {ZONE}"
    shown = shell.run_cell(f'{line} --html "{tmp_path / "a.html"}" --xlsx "{tmp_path / "a.xlsx"}" --into page')
    shown.raise_error()
    assert repr(shown.result) == repr(report) == repr(shell.user_ns["page"])
    assert (tmp_path / "a.html").read_text("utf-8") == report.to_html()
    assert list(sheets_of(tmp_path / "a.xlsx")) == ["audit", *report.frames]
    week = shell.run_cell("%linq_audit").result
    assert week.since == month.demo.now() - timedelta(days=7)
    everything = shell.run_cell('%linq_audit --since all --chat "Boston 03"').result
    assert everything.frames["summary"]["chats"].iloc[0] == 1


def test_a_first_day_with_one_memo_is_audited_too() -> None:
    with linq_nb.connect(demo=True, fresh=True) as outbox:
        outbox.send(VoiceMemo.from_url(outbox.demo.media_urls["hello"]), "Ada Lovelace")
        outbox.demo.advance(minutes=5)
        outbox.refresh()
        report = linq_nb.audit(outbox)
        assert re.fullmatch(r"4 of 5 voice memos arrived within [\d.]+ s; nothing failed", report.headline)
        assert report.frames["next"].empty
