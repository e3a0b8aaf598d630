"""The explorer's counting: the same on every engine as plain Python gives, and its Python chooses the same rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import by_hand
import polars as pl
import pytest
from engines import ENGINES, rows

from linq_nb import to_frame
from linq_nb.errors import SettingsError
from linq_nb.model import Send
from linq_nb.reports import tallies
from linq_nb.reports.selection import SEARCHED, Selection
from linq_nb.rules import is_unconfirmed
from linq_nb.status import LINQ_STATUSES, OUR_STATUSES, UNCONFIRMED_AFTER
from linq_nb.text import name_key

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOW = START + timedelta(days=9)
WORDS = [*LINQ_STATUSES, *OUR_STATUSES, "on_hold"]
NAMES = ["Ada Lovelace", "ÄRGER & Söhne", None, "100% <b>_it's\"", "Sam SMS"]


def made(count: int, days: int, seed: int) -> list[Send]:
    rng = random.Random(seed)

    def later(at: datetime) -> datetime | None:
        return rng.choice([None, at + timedelta(seconds=rng.randint(1, 400))])

    sends = []
    for number in range(count):
        at, chat = START + timedelta(seconds=rng.randint(0, days * 86_400)), rng.randrange(len(NAMES))
        posted = rng.choice([None, at])
        sends.append(
            Send(
                send_id=f"0000{number:04x}-5e11-4d1a-9f00-00000000{number:04x}", base_url="https://linq.test",
                content="c", chat_id=f"chat-{chat}", chat_name=NAMES[chat], is_group=rng.choice([None, False, True]),
                from_handle=rng.choice([None, "+12025550100", "+12025550101"]),
                filename=rng.choice([None, "Hello.m4a", "a_b.mp3"]), format=rng.choice([None, "m4a", "mp3"]),
                message_id=rng.choice([None, f"abcdef{number:06x}"]), service=rng.choice([None, "iMessage", "SMS"]),
                status=rng.choice(WORDS), http_status=rng.choice([None, 202, 400, 403, 429, 500]),
                error_code=rng.choice([None, 1002, 2024, 4001, 9999]),
                error_message=rng.choice([None, "Message delivery failed"]), created_at=at, posted_at=posted,
                accepted_at=later(at), delivered_at=posted and later(posted),
                duration_ms=rng.choice([None, 1000, 2000]),
            )
        )  # fmt: skip
    return sends


SENDS = made(300, 8, 1)
CHOICES: dict[str, tuple[Selection, Any]] = {
    "all": (Selection(), lambda s: True),
    "none": (Selection(text="nobody"), lambda s: False),
    "a name, in any case": (Selection(text=" lovelace "), lambda s: s.chat_name == NAMES[0]),
    "letters with marks": (Selection(text="ärger"), lambda s: s.chat_name == NAMES[1]),
    "signs of patterns": (Selection(text="100% <b>_it's\""), lambda s: s.chat_name == NAMES[3]),
    "a file name": (Selection(text="A_B"), lambda s: s.filename == "a_b.mp3"),
    "an error's message": (Selection(text="delivery"), lambda s: s.error_message is not None),
    "an id": (Selection(text=SENDS[7].send_id), lambda s: s is SENDS[7]),
    "a part of an id": (Selection(text="ABCDEF"), lambda s: s.message_id is not None),
    "too short for an id": (Selection(text="abcde"), lambda s: False),
    "a chat": (Selection(chat="chat-2"), lambda s: s.chat_id == "chat-2"),
    "a line": (Selection(line="+1•••••0101"), lambda s: s.from_handle == "+12025550101"),
    "a service": (Selection(service="SMS"), lambda s: s.service == "SMS"),
    "no such service": (Selection(service="Fax"), lambda s: False),
    "a status": (Selection(status="failed"), lambda s: s.status == "failed"),
    "an error": (Selection(error=4001), lambda s: s.error_code == 4001),
    "a format": (Selection(format="mp3"), lambda s: s.format == "mp3"),
    "a period": (Selection(since=START + timedelta(days=1), until=START + timedelta(days=2, hours=5)),
                 lambda s: START + timedelta(days=1) <= s.created_at < START + timedelta(days=2, hours=5)),
    "what needs me": (Selection(needs_me=True), lambda s: needs_me(s)),
    "several": (Selection(text="sam", service="SMS", needs_me=True),
                lambda s: s.chat_name == "Sam SMS" and s.service == "SMS" and needs_me(s)),
}  # fmt: skip


def needs_me(send: Send) -> bool:
    is_error = send.status in ("unknown", "not_sent", "failed", "rejected")
    return is_error or is_unconfirmed(send, NOW, UNCONFIRMED_AFTER)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_choice_counts_as_plain_python_does(engine: str, choice: str) -> None:
    selection, is_chosen = CHOICES[choice]
    kind, tables = ENGINES[engine]
    (frame,) = tables(to_frame(SENDS))
    table = tallies.SendTable(frame, NOW)
    chosen = [send for send in SENDS if is_chosen(send)]

    counted = table.tallies(selection)
    counts = by_hand.counts(chosen)
    assert counted.tiles == {name: counts[name] for name in counted.tiles}
    times = [send.delivery_s for send in chosen if send.delivery_s is not None]
    for value, share in ((counted.median_s, 0.5), (counted.p95_s, 0.95)):
        assert value == (pytest.approx(by_hand.quantile(times, share)) if times else None)
    assert sum((Counter(bar.counts) for bar in counted.bars), Counter()) == Counter(s.status for s in chosen)
    for bar in counted.bars:
        inside = [s.status for s in chosen if bar.since <= s.created_at < bar.until]
        assert Counter(bar.counts) == Counter(inside)
    chats = Counter(send.chat_id for send in chosen)
    assert {row["chat_id"]: row["sends"] for row in counted.chats} == chats
    errors = by_hand.errors(chosen, [])
    names = ("status", "http_status", "error_code", "meaning", "what_to_do", "sends")
    assert sorted(row["sends"] for row in counted.errors) == sorted(row["sends"] for row in errors[: tallies.LEADING])
    assert all(
        {name: row[name] for name in names} in [{n: e[n] for n in names} for e in errors] for row in counted.errors
    )

    native = table.native(selection)
    assert isinstance(native, kind)
    ids = {send.send_id for send in chosen}
    assert {row["send_id"] for row in rows(native)} == ids
    scope = {"frame": frame}
    exec(selection.code(table.all_rows, NOW), scope)
    assert {row["send_id"] for row in rows(scope["rows"])} == ids


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("descending", [False, True])
def test_pages_are_sorted_by_any_column_and_hold_every_row_once(engine: str, descending: bool) -> None:
    (frame,) = ENGINES[engine][1](to_frame(SENDS))
    table = tallies.SendTable(frame, NOW)
    for sort in ("created_at", "chat_name", "status", "delivery_s", "error_code", "duration_ms"):
        pages = [
            table.page(Selection(), ["send_id", sort], sort=sort, descending=descending, offset=offset, limit=70)
            for offset in range(0, 350, 70)
        ]
        together = [row for page in pages for row in page]
        values = [row[sort] for row in together if row[sort] is not None]
        assert len({row["send_id"] for row in together}) == len(SENDS)
        assert values == sorted(values, reverse=descending), sort
        assert [row[sort] for row in together[len(values) :]] == [None] * (len(SENDS) - len(values))


LOOKS = [
    ("José", "Jose\u0301"),
    ("jose\u0301", "JOSÉ"),
    ("trận", "Tra\u0302\u0323n"),
    ("\u1112\u1161\u11ab국", "한국"),
    ("한국", "\u1112\u1161\u11ab국"),
    ("O'Neil", "O\u2019Neil"),
    ("o\u2019neil", "O'Neil"),
    ("o`neil", "O\u02bcNEIL"),
    ('"Ada"', "\u201cAda\u201d"),
    ("a - b", "A\u00a0\u2013 B"),
    ("a \u2014 b (1.5)", "A - B (1.5)"),
    ("a-b", "a\u2011b"),
    ("Ann  B", "Ann B"),
    ("Ann B", "ann \u3000 b"),
    ("\u2764 Ann", "\u2764\ufe0f Ann"),
    ("\u2764\ufe0f ann", "\u2764 Ann"),
    ("Ann", "A\u00adn\u200bn"),
    ("\ufeffAnn\u200b", "ann"),
    ("office", "O\ufb03ce"),
    ("strasse", "Straße"),
    ("STRASSE", "straße"),
    ("ΟΔΟΣ", "οδος"),
    ("Ann 1", "\uff21\uff4e\uff4e \uff11"),
    ("etc...", "Etc\u2026"),
    ("a|b*[c]^$", "A|B*[C]^$"),
    ("50% #1 & ~x", "50% #1 & ~X"),
    ("C:\\d", "c:\\D"),
    ("G\u00f6\u0331k", "Go\u0331\u0308k"),
    ("Nya\u00eb\u0331l", "nyae\u0308\u0331l"),
    ("\u010d\u0328", "C\u0328\u030c"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("column", SEARCHED)
@pytest.mark.parametrize("engine", [*ENGINES, "pandas, objects"])
def test_a_text_is_searched_by_how_it_looks(engine: str, column: str) -> None:
    others = ["Jose", "Neil", "A + B", "Anne", "50x #1", None]
    texts = [*(text for pair in LOOKS for text in pair), *others]
    empty = replace(SENDS[0], **dict.fromkeys(SEARCHED))
    sends = [replace(empty, send_id=str(n), **{column: text}) for n, text in enumerate(texts)]
    frame = to_frame(sends)
    in_engine: Callable[..., Any] = ENGINES[engine][1] if engine in ENGINES else lambda frame: [frame.astype(object)]
    (frame,) = in_engine(frame)
    table = tallies.SendTable(frame, NOW)
    for text in (text for pair in LOOKS for text in pair):
        selection, scope = Selection(text=text), {"frame": frame}
        exec(selection.code(table.all_rows, NOW), scope)
        wanted = [other for other in texts if other and name_key(text) in name_key(other)]
        assert len(wanted) >= 2
        for chosen in (table.native(selection), scope["rows"], table.chosen(selection).to_native()):
            assert [row[column] for row in rows(chosen)] == wanted


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", ["\u2019", "\u00a0customer\u00a0\u00a01", "CUSTOMER 1", "\u2013", "\u200b", " "])
def test_plain_texts_are_searched_by_how_they_look_too(engine: str, text: str) -> None:
    names = ["Customer 1", "Customer 2", "O'Neil - 3"]
    (frame,) = ENGINES[engine][1](
        to_frame([replace(SENDS[0], chat_name=name, filename=None, error_message=None) for name in names])
    )
    table = tallies.SendTable(frame, NOW)
    assert not table.odd
    chosen = rows(table.chosen(Selection(text=text)).to_native())
    assert [row["chat_name"] for row in chosen] == [name for name in names if name_key(text) in name_key(name)]


def test_polars_enums_can_be_filtered_by_needs_me() -> None:
    frame = pl.from_pandas(to_frame(SENDS))
    enums = {
        name: pl.Enum(frame[name].cast(pl.String).drop_nulls().unique().to_list()) for name in ("status", "service")
    }
    table, selection = tallies.SendTable(frame.cast(enums), NOW), Selection(needs_me=True)
    scope = {"frame": table.frame}
    exec(selection.code(table.all_rows, NOW), scope)
    ids = {send.send_id for send in SENDS if needs_me(send)}
    assert [{row["send_id"] for row in rows(some)} for some in (table.native(selection), scope["rows"])] == [ids, ids]


def test_a_short_period_is_counted_by_hours_and_a_long_one_in_few_bars() -> None:
    table = tallies.SendTable(to_frame(SENDS), NOW)
    assert table.tallies(Selection()).unit == "day"
    assert table.tallies(Selection(since=START, until=START + timedelta(days=2))).unit == "hour"
    long = tallies.SendTable(to_frame(made(50, 3000, 2))).tallies(Selection())
    assert 10 < len(long.bars) <= tallies.MOST_BARS
    assert sum(sum(bar.counts.values()) for bar in long.bars) == 50


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_without_rows_counts_nothing(engine: str) -> None:
    (frame,) = ENGINES[engine][1](to_frame([]))
    counted = tallies.SendTable(frame).tallies(Selection(needs_me=True))
    assert set(counted.tiles.values()) == {0}
    assert (counted.median_s, counted.bars, counted.chats, counted.errors) == (None, [], [], [])


def test_a_value_that_is_no_table_of_sends_is_refused() -> None:
    with pytest.raises(SettingsError, match="Explorer needs the column 'chat_name'"):
        tallies.SendTable(to_frame(SENDS)[["send_id"]])
    with pytest.raises(SettingsError, match="Explorer takes a frame"):
        tallies.SendTable([1, 2])
    with pytest.raises(SettingsError, match="no column 'nothing'"):
        tallies.SendTable(to_frame(SENDS)).page(Selection(), ["nothing"])
