"""A choice of sends: the conditions of a filter, as narwhals expressions and as the Python that says the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import narwhals as nw

from linq_nb.reports import parts, spellings
from linq_nb.status import CLOSED_STATUSES, NEEDS_ME_STATUSES, NO_RECEIPT_SERVICE, UNCONFIRMED_AFTER
from linq_nb.text import name_key

SEARCHED = ("chat_name", "filename", "error_message")
"""The columns in which a text is searched."""

IDS = ("send_id", "message_id", "chat_id", "trace_id")
"""The columns in which a text is searched that may be a part of an id: ``PART_OF_ID`` or more hexadecimal digits."""

MOST_SEARCHED = 100
"""Characters of a text that are searched: engines refuse the pattern of many more, above all in Arabic."""

PART_OF_ID = re.compile(r"[0-9a-f-]{6,}")

EQUAL = {"chat": "chat_id", "line": "from_handle", "service": "service", "status": "status", "error": "error_code",
         "format": "format"}  # fmt: skip
"""The choices of one value and the column of each."""

COLUMNS = tuple(dict.fromkeys((*SEARCHED, *IDS, *EQUAL.values(), "created_at", "accepted_at", "posted_at", "is_group",
                               "delivery_s", "http_status")))  # fmt: skip
"""The columns that a choice of sends and its counts need."""


_IMPORTS = (
    {"datetime.": "from datetime import datetime", "ZoneInfo(": "from zoneinfo import ZoneInfo"},
    {"nw.": "import narwhals as nw", "linq_nb.": "import linq_nb",
     "typed(": "from linq_nb.reports.columns import typed",
     "pattern(": "from linq_nb.reports.spellings import pattern"},
)  # fmt: skip
"""What the Python of a choice imports, by what is in it: the standard library first."""


class Condition(NamedTuple):
    """One condition: the expression, and its Python."""

    expression: nw.Expr
    code: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sends are chosen: all by default, else those for which every condition holds.

    ``text`` is searched in the chat's name, the file name and the error message, in any case and any spelling that
    looks the same, and in the ids when it is six or more of their characters. ``chat`` is a chat id, ``line`` the
    sender as in the frame, ``error`` Linq's code. ``since`` is included, ``until`` is not.
    ``needs_me``: unknown, failed, rejected, not_sent, and those open for an hour since Linq accepted them.
    """

    text: str = ""
    chat: str | None = None
    line: str | None = None
    service: str | None = None
    status: str | None = None
    error: int | None = None
    format: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    needs_me: bool = False

    def filtered(self, rows: Any, now: datetime, odd: Collection[str] = SEARCHED) -> Any:
        """Return the chosen rows of a narwhals frame; ``now`` is the time from which an hour is counted back.

        ``odd`` are the searched columns that hold texts with several spellings (``spellings.ODD``): they cost more.
        """
        conditions = [condition.expression for condition in self.conditions(rows, now, odd)]
        return rows.filter(*conditions) if conditions else rows

    def code(self, rows: Any, now: datetime, source: str = "") -> str:
        """Return Python that chooses the same rows of ``frame``, which the expression ``source`` makes."""
        conditions = "".join(f"    {condition.code},\n" for condition in self.conditions(rows, now))
        code = f"frame = {source}\n" if source else ""
        code += f"rows = nw.from_native(frame).filter(\n{conditions}).to_native()" if conditions else "rows = frame"
        imports = ("\n".join(line for name, line in lines.items() if name in code) for lines in _IMPORTS)
        return "\n\n".join(filter(None, (*imports, code)))

    def conditions(self, rows: Any, now: datetime, odd: Collection[str] = SEARCHED) -> Iterator[Condition]:
        """Give the conditions for a narwhals frame."""
        if key := name_key(self.text)[:MOST_SEARCHED]:
            yield _contains(key, odd)
        for name, column in EQUAL.items():
            if (value := getattr(self, name)) is not None:
                yield _equals(rows, column, value)
        for at, after in ((self.since, True), (self.until, False)):
            if at is not None:
                time, code = moment(rows, "created_at", at)
                made_at = nw.col("created_at")
                in_time = made_at >= nw.lit(time) if after else made_at < nw.lit(time)
                yield Condition(in_time, f'nw.col("created_at") {">=" if after else "<"} {code}')
        if self.needs_me:
            yield _needs_me(rows, now)


FIELDS = tuple(field.name for field in fields(Selection))


def moment(rows: Any, name: str, at: datetime) -> tuple[datetime, str]:
    """Return a time that an engine compares with a column, and its Python; times without a zone are UTC."""
    at = parts.comparable(rows, name, at)
    utc = at.astimezone(UTC) if at.tzinfo else at
    zone = at.tzinfo.key if isinstance(at.tzinfo, ZoneInfo) and at.tzinfo.key != "UTC" else ""
    code = f'datetime.fromisoformat("{utc.isoformat()}")'
    return at, f'{code}.astimezone(ZoneInfo("{zone}"))' if zone else code


def _contains(key: str, odd: Collection[str]) -> Condition:
    """Whether one of the searched columns has a text that looks like the key; categories are searched as text."""
    ids = IDS if PART_OF_ID.fullmatch(key) else ()
    expressions = [
        parts.text(name).str.contains(spellings.pattern(key))
        if name in odd
        else parts.text(name).str.to_lowercase().str.contains(key, literal=True)
        for name in (*SEARCHED, *ids)
    ]
    names = ", ".join(f'"{name}"' for name in (*SEARCHED, *ids))
    code = (
        f"nw.any_horizontal(*(nw.col(name).cast(nw.String).str.contains(pattern({key!r}))"
        f"\n        .fill_null(value=False) for name in ({names})), ignore_nulls=True)"
    )
    is_in = nw.any_horizontal(*(each.fill_null(value=False) for each in expressions), ignore_nulls=True)
    return Condition(is_in, code)


def _equals(rows: Any, column: str, value: Any) -> Condition:
    """Whether a column has a value; categories as text: engines compare other words with them in their own ways."""
    is_category = rows.collect_schema()[column] in (nw.Categorical, nw.Enum)
    cell, cast = (parts.text(column), ".cast(nw.String)") if is_category else (nw.col(column), "")
    code = f'(nw.col("{column}"){cast} == {value!r}).fill_null(value=False)'
    return Condition((cell == value).fill_null(value=False), code)


def _needs_me(rows: Any, now: datetime) -> Condition:
    before = now - UNCONFIRMED_AFTER
    is_wrong = parts.as_words(rows, "status").is_in(NEEDS_ME_STATUSES)
    expression = is_wrong.fill_null(value=False) | parts.is_unconfirmed(rows, before)
    _, time = moment(rows, "created_at", before)
    closed: Sequence[str] = list(CLOSED_STATUSES)
    schema = rows.collect_schema()
    status, service = (
        f'nw.col("{name}"){".cast(nw.String)" if schema[name] == nw.Enum else ""}' for name in ("status", "service")
    )
    code = (
        f"{status}.is_in({list(NEEDS_ME_STATUSES)}).fill_null(value=False)\n"
        f"    | (  # open for an hour or longer\n        ~{status}.is_in({closed}).fill_null(value=True)\n"
        f'        & ~(({status} == "sent") & (nw.col("is_group").fill_null(value=False).cast(nw.Boolean)\n'
        f'            | ({service} == "{NO_RECEIPT_SERVICE}").fill_null(value=False)))\n'
        f'        & (nw.coalesce("accepted_at", "posted_at", "created_at") <= {time})\n'
        "    ).fill_null(value=False)"
    )
    return Condition(expression, code)
