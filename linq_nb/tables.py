"""Tables as people have them: pasted text with any separator, frames of any engine, rows as mappings.

One rule for the columns of all of them: small and capital letters, spaces and signs in a name play no part, and a
column may have one of several usual names.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from linq_nb.errors import SettingsError
from linq_nb.text import clean, mask, mask_text, one_line, recipient, writable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Row = tuple[Any, ...]

SEPARATORS = "\t;|,"
_NOTHING_SENT = "nothing was sent"
_RULE = re.compile(r":?-+:?")
"""A cell of the line below the header of a Markdown table."""

_VALUE = re.compile(r"[./\\@:]|\d{3}")
"""Characters that are usual in values and rare in the names of columns."""

_CLOSE = 0.8
"""Least similarity of a misspelt name, from 0 to 1."""


class Role(NamedTuple):
    """The purpose of a column: its own ``names``, of which the first that is there counts, and groups of ``others``.

    Several columns of one group of the others are refused, since a wrong guess would reach another person.
    """

    title: str
    examples: str
    names: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()

    @property
    def keys(self) -> set[str]:
        return {key_of(name) for group in (self.names, *self.others) for name in group}


CHAT = Role(
    "chat",
    "chat, chat_id, chat_name, recipient or phone",
    ("chat", "chat_id", "chat_name"),
    (
        (
            "recipient", "recipient_name", "recipient_phone", "recipient_id", "to", "send_to", "phone", "phone_number",
            "phone_no", "telephone", "telephone_number", "tel", "mobile", "mobile_phone", "mobile_number", "cell",
            "cell_phone", "handle", "e164", "contact", "contact_name", "person", "group", "group_name",
        ),
        ("email", "email_address", "mail"),
        ("name", "full_name", "display_name"),
    ),
)  # fmt: skip
AUDIO = Role(
    "audio",
    "audio, path, file, voice_memo_url or attachment_id",
    ("audio", "path", "voice_memo_url", "attachment_id"),
    (
        (
            "file", "filename", "file_path", "audio_file", "audio_path", "audio_url", "audio_filename", "memo",
            "memo_file", "memo_path", "memo_url", "voice_memo", "voice_memo_file", "voice", "voice_note", "sound",
            "sound_file", "recording", "recording_url", "clip", "attachment", "media", "media_url", "m4a", "mp3", "wav",
        ),
        ("url", "link"),
    ),
)  # fmt: skip
COPY = Role("copy", "copy", ("copy", "copy_number", "copy_no"))
FORCE_NOTIFY = Role("force_notify", "force_notify", ("force_notify",))


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table by position. A row of text with more fields than its first line is longer than ``names``."""

    names: tuple[str, ...]
    rows: Sequence[Row]
    kind: str = "frame"
    outcome: str = _NOTHING_SENT

    def find(self, role: Role, given: str | None = None) -> int:
        """Return the place of the column for a role, or of the column ``given``; raises SettingsError."""
        place = self.get(role, given)
        if place is None:
            raise self._missing(role)
        return place

    def get(self, role: Role, given: str | None = None) -> int | None:
        """Return the place of the column for a role, None without one; raises SettingsError."""
        keys = list(map(key_of, self.names))
        if given is not None:
            return self.place(given)
        for group in (*([name] for name in role.names), *role.others):
            present = {key_of(name) for name in group} & {*keys}
            if present:
                return self._only(role, [at for at, key in enumerate(keys) if key in present], len(present))
        return None

    def place(self, given: str) -> int:
        """Return the place of the column with this name, in any spelling; raises SettingsError."""
        given, keys = str(given), list(map(key_of, self.names))
        places = [at for at, name in enumerate(self.names) if name == given]
        places = places or [at for at, key in enumerate(keys) if key == key_of(given)]
        if len(places) == 1:
            return places[0]
        if places:
            raise _twice([self.names[at] for at in places], self.outcome)
        close = difflib.get_close_matches(key_of(given), keys, 1)
        hint = f"; did you mean {self.names[keys.index(close[0])]!r}?" if close else ""
        raise SettingsError(
            f"the {self.kind} has no column {given!r}; {self.outcome}; its columns: {listed(self.names)}{hint}"
        )

    def _only(self, role: Role, places: Sequence[int], keys: int) -> int:
        """Return the only one of these places, whose columns have so many different keys."""
        names = [self.names[at] for at in places]
        if len(places) > keys:
            raise _twice(names, self.outcome)
        if len(places) > 1:
            raise SettingsError(
                f"several columns may be the {role.title}: {listed(names)}; {self.outcome}; "
                f"rename the right one to {role.names[0]}"
            )
        return places[0]

    def _missing(self, role: Role) -> SettingsError:
        """Return the error for a role without a column, with the column that looks like a misspelt one."""
        close = None if _are_values(self.names) else _closest(self.names, role)
        if close:
            hint = f"it has {close[0]!r}: did you mean {close[1]!r}?"
        elif self.kind == "cell":
            hint = "the first line of the cell names the columns, as in chat,audio"
        else:
            hint = f"its columns: {listed(self.names)}"
        return SettingsError(f"the {self.kind} has no column {role.examples}; {self.outcome}; {hint}")

    def mappings(self, leave: Sequence[int | None] = ()) -> Iterator[dict[str, Any]]:
        """Give each row as a mapping, without the columns at the places to leave."""
        names = [(at, name) for at, name in enumerate(self.names) if at not in leave]
        for row in self.rows:
            yield {name: row[at] for at, name in names}


def key_of(name: str) -> str:
    """Return the spelling that names of a column share which differ in case, spaces, signs and invisible characters."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def listed(columns: Iterable[object]) -> str:
    """Return the names of columns for an error, but not when they look like values: the table may have no header."""
    names = list(map(str, columns))
    if _are_values(names):
        return "not shown, since they look like values (has the table a header?)"
    return ", ".join(clean(name, 40) for name in names[:20]) + ("…" if len(names) > 20 else "") if names else "none"


def _are_values(names: Sequence[str]) -> bool:
    return any(map(_VALUE.search, names))


def _closest(names: Sequence[str], role: Role) -> tuple[str, str] | None:
    """Return the column that is nearest to a name of a role, and that name; None when none is near."""
    own = {key_of(name): name for group in (role.names, *role.others) for name in group if len(name) > 3}
    pairs = [
        (_similarity(key_of(name), key), -at, name, own[key])
        for at, name in enumerate(names) for key in own
    ]  # fmt: skip
    score, _, name, meant = max(pairs, default=(0.0, 0, "", ""))
    return (name, meant) if score >= _CLOSE else None


def _similarity(key: str, other: str) -> float:
    """Return how similar two keys are (0 to 1); swapped letters count as none."""
    return 1.0 if sorted(key) == sorted(other) else difflib.SequenceMatcher(None, key, other).ratio()


def _twice(names: Sequence[str], outcome: str) -> SettingsError:
    return SettingsError(f"a column is there twice: {listed(names)}; {outcome}; rename one, or leave it out")


# --- text -----------------------------------------------------------------------------------------------------


def of_text(text: str) -> Table:
    """Read pasted text: its first line names the columns; tabs, semicolons, bars or commas separate them.

    Raises SettingsError for text that has a column twice.
    """
    text = text.lstrip("\ufeff\r\n \u200b")
    if re.match(r'"?sep=.', text, re.IGNORECASE):  # Excel's word for itself
        text = text.partition("\n")[2]
    usual_keys = CHAT.keys | AUDIO.keys | COPY.keys | FORCE_NOTIFY.keys
    tables = [_fields(text, separator) or [[]] for separator in SEPARATORS]
    header, *body = max(tables, key=lambda lines: (sum(key_of(name) in usual_keys for name in lines[0]), len(lines[0])))
    if any("\n" in field and text.rstrip().endswith(field) for field in (body or [[]])[-1]):
        raise SettingsError("a quote in the cell is not closed; nothing was sent; close it, or take it out")
    body = [row for row in body if not all(map(_RULE.fullmatch, filter(None, row)))]
    kept = [at for at, name in enumerate(header) if name or any(row[at] for row in body if at < len(row))]
    names = tuple(header[at] or f"column_{at + 1}" for at in kept)
    _refuse_repeated(names)
    rows = [(*(row[at] if at < len(row) else None for at in kept), *filter(None, row[len(header) :])) for row in body]
    return Table(names, rows, "cell")


def _fields(text: str, separator: str) -> list[list[str]]:
    """Return the fields of the lines that are not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        rows = [[field.strip() for field in row] for row in reader]
    except csv.Error as error:
        raise SettingsError(f"the cell is no table ({error}); nothing was sent; check its quotes") from None
    return [row for row in rows if any(row)]


def _refuse_repeated(names: Sequence[str], outcome: str = _NOTHING_SENT) -> None:
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise _twice(repeated, outcome)


# --- frames ---------------------------------------------------------------------------------------------------


def is_table(value: Any) -> bool:
    """Whether a value is a table that ``of_value`` reads."""
    is_arrow_stream = hasattr(value, "__arrow_c_stream__") and hasattr(value, "schema")  # no frame to narwhals
    if isinstance(value, Mapping) or _are_mappings(value) or is_arrow_stream:
        return True
    import narwhals as nw

    try:
        return isinstance(nw.from_native(value, pass_through=True), nw.DataFrame | nw.LazyFrame)
    except nw.exceptions.DuplicateError:
        return True


def of_value(value: Any, outcome: str = _NOTHING_SENT) -> Table:
    """Read a frame of any engine (pandas, Polars, DuckDB, Arrow, Spark, a lazy one), mappings, or a mapping of columns.

    A named index of pandas counts as a column. ``outcome`` is what an error says was done. Raises SettingsError for a
    table that cannot be read, or that has a column twice.
    """

    def read(table: Any) -> Table:
        return Table(tuple(map(_label, table.collect_schema().names())), _rows(table), outcome=outcome)

    return _read(value, outcome, read)


def in_pandas(value: Any, outcome: str = _NOTHING_SENT) -> pd.DataFrame:
    """Return a table of any kind as a pandas frame; raises SettingsError as ``of_value`` does."""
    return _read(value, outcome, _to_pandas)


def _read(value: Any, outcome: str, read: Callable[[Any], T]) -> T:
    """Return what is read of a table, given as one of narwhals; raises SettingsError."""
    import narwhals as nw

    if isinstance(value, Mapping) or _are_mappings(value):
        value = _frame_of(value, outcome)
    value = nw.to_native(value, pass_through=True)
    _refuse_repeated(_native_names(value), outcome)
    if nw.dependencies.is_pandas_dataframe(value) and not {*value.index.names} & {None, *value.columns}:
        value = value.reset_index()
    try:
        table = nw.from_native(value, pass_through=True)
        is_frame = isinstance(table, nw.DataFrame | nw.LazyFrame)
        return read(table if is_frame else nw.from_arrow(value, backend="pyarrow"))
    except Exception as error:  # noqa: BLE001  a lazy table runs here: any error of its engine is shown in one line
        raise SettingsError(
            f"the table cannot be read ({type(error).__name__}: {one_line(error, 200)}); {outcome}; "
            "look at it by itself first"
        ) from None


def _are_mappings(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _frame_of(value: Any, outcome: str) -> pd.DataFrame:
    """Return mappings as a frame whose values stay what they are."""
    import pandas as pd

    try:
        return pd.DataFrame(value, dtype=object)
    except ValueError as error:  # columns of several lengths, or single values
        raise SettingsError(
            f"the columns do not make a table ({one_line(error, 120)}); {outcome}; give columns of one length"
        ) from None


def _native_names(value: Any) -> list[str]:
    """Return the names of a native table's columns where some may be equal: narwhals refuses these."""
    names = getattr(value, "column_names", None)  # of Arrow, whose ``columns`` are values
    if names is None and type(value).__name__ != "LazyFrame":  # Polars' has no two, and warns
        names = getattr(value, "columns", None)
    return [] if names is None or callable(names) else list(map(_label, names))


def _label(name: Any) -> str:
    """Return the name of a column as text; one of several levels is joined."""
    return " ".join(str(part) for part in name if part != "") if isinstance(name, tuple) else str(name).strip()


def _rows(table: Any) -> list[Row]:
    """Return the rows of a narwhals table."""
    if _is_duckdb(table):
        return list(table.to_native().fetchall())
    return list(table.lazy().collect().rows())


def _to_pandas(table: Any) -> pd.DataFrame:
    if _is_duckdb(table):
        return table.to_native().df()  # type: ignore[no-any-return]
    return table.lazy().collect().to_pandas()  # type: ignore[no-any-return]


def _is_duckdb(table: Any) -> bool:
    """Whether a table is DuckDB's, which gives its rows without pyarrow."""
    return bool(table.implementation.is_duckdb())


# --- beside the results ---------------------------------------------------------------------------------------


def beside(frame: pd.DataFrame, rows: Sequence[Mapping[str, Any]], *, masked: bool) -> pd.DataFrame:
    """Add the other columns of a table to the frame of its results; ``_input`` is added to a name that both have.

    ``masked`` hides the handles in them.
    """
    import pandas as pd

    for name in dict.fromkeys(name for row in rows for name in row):
        values = [masked_value(name, row.get(name)) if masked else row.get(name) for row in rows]
        held = [writable(value) if isinstance(value, str) else value for value in values]
        column = pd.Series(held, index=frame.index, dtype=object).convert_dtypes()
        free = writable(name)
        while free in frame.columns:
            free += "_input"
        frame[free] = column
    return frame


def masked_value(name: str, value: Any) -> Any:
    """Return a value of a table's column of this name without the handles in it."""
    is_recipient = key_of(name) in CHAT.keys
    if value is None or isinstance(value, bool) or hasattr(value, "isoformat"):
        return value
    if isinstance(value, Number) and value == value:
        digits = f"{value:.0f}"
        return mask(digits) if len(digits) >= (7 if is_recipient else 10) else value
    if not isinstance(value, str):
        return value if value is None or isinstance(value, Number) else mask_text(str(value))
    return recipient(value) if is_recipient else mask_text(value)
