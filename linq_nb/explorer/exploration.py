"""The state of an explorer: which sends are chosen, how they are sorted, which page is shown. It knows no widget."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Number
from typing import Any

from linq_nb import catalog, storable
from linq_nb.errors import SettingsError
from linq_nb.explorer import detail
from linq_nb.explorer.cells import cell, masked
from linq_nb.explorer.snapshot import Snapshot
from linq_nb.model import FLOAT, INT, Chat, Send, frame_columns, is_uuid, short_columns
from linq_nb.outbox import Outbox, session_of
from linq_nb.reports.named import chat_id, looking_like
from linq_nb.reports.selection import EQUAL, FIELDS, Selection
from linq_nb.reports.tallies import PAGE, SendTable, Tallies, statuses_in
from linq_nb.status import NEEDS_ME, status_of
from linq_nb.text import chat_labels, clean, name_key, short_id, visual_key
from linq_nb.times import time_of
from linq_nb.widgets.paged import Column, Row, page_start, page_view

View = dict[str, Any]

TILES = ("sends", "accepted", "delivered", "read", "failed", "unclear")


class Exploration:
    """A table of sends, a filter, an order and a page. ``view`` returns what is shown: a page and the counts."""

    def __init__(self, source: Any) -> None:
        self.outbox = source if isinstance(source, Outbox) else None
        self.snapshot = Snapshot(session_of(source).journal) if self.outbox is not None else None
        self._use(source)
        self.selection = Selection()
        self.sort, self.descending, self.offset = "created_at", True, 0
        self.columns = [name for name in short_columns(Send) if name in self.table.columns]

    def _use(self, source: Any) -> None:
        frame, now = source, None
        if self.outbox is not None and self.snapshot is not None:
            frame, now = self.snapshot.frame, session_of(self.outbox).now()
        self.table = SendTable(frame, now)
        self._tallies: tuple[Selection, Tallies] | None = None
        self._choices: Mapping[str, Sequence[tuple[Any, str]]] | None = None

    def update(self) -> int:
        """Read what has changed in the journal; returns how many sends are new or have another status."""
        news = 0 if self.snapshot is None else self.snapshot.update()
        if self.snapshot is not None:
            self._use(self.outbox)
        return news

    def now(self) -> datetime:
        """Return the time by the outbox's clock; over a frame its newest ``created_at``, and now for an empty one."""
        return session_of(self.outbox).now() if self.outbox is not None else self.table.last or datetime.now(UTC)

    # --- what a person changes ---

    def choose(self, **changes: Any) -> None:
        """Change conditions of the filter and go back to the first page. Raises SettingsError for another name."""
        if wrong := [name for name in changes if name not in FIELDS]:
            raise SettingsError(f"a filter has no {wrong[0]!r}; nothing was changed; it has {', '.join(FIELDS)}")
        if isinstance(status := changes.get("status"), str) and name_key(status) == NEEDS_ME:
            changes = {**changes, "status": None, "needs_me": True}
        values = {name: self._value(name, value) for name, value in changes.items()}
        self.selection, self.offset = dataclasses.replace(self.selection, **values), 0

    def _value(self, name: str, value: Any) -> Any:
        """Return a condition's value as the filter keeps it; words and names are compared as they look."""
        if name in ("since", "until"):
            return time_of(value, self.table.now, name)
        if name in ("text", "needs_me"):
            return bool(value) if name == "needs_me" else storable.text(str(value or "")[:200])
        if value is None:
            return None
        if name == "chat":
            return self._chat_id(value)
        is_value = isinstance(value, (str, Number)) and not isinstance(value, bool)
        if is_value and name != "error":
            return looking_like(value, (choice for choice, _ in self.choices()[name])) or storable.text(str(value))
        if is_value:
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                return int(value)
        todo = "give a code, such as 2024" if name == "error" else "give one text"
        raise SettingsError(f"{name} of a filter is not {clean(value, 60)!r}; nothing was changed; {todo}")

    def _chat_id(self, value: Any) -> str:
        """Return the id of the chat with this id, name or handle."""
        value = value.chat_id if isinstance(value, Chat) else value
        if is_uuid(text := visual_key(str(value))) or text in (choice for choice, _ in self.choices()["chat"]):
            return text
        if self.outbox is not None:
            return session_of(self.outbox).chat_id(value)
        return chat_id(self.table.all_rows, value, "Explorer", "nothing was changed")

    def choose_shown(self, changes: Mapping[str, Any]) -> None:
        """Change conditions as the page names them: values of a list are its labels, so that no handle is there."""
        values = dict(changes)
        for name in EQUAL.keys() & values.keys():
            by_key = {_key(name, value): value for value, _ in self.choices()[name]}
            if values[name] is not None and values[name] not in by_key and name != "chat":
                raise SettingsError(
                    f"the filter {name} has no {clean(values[name], 60)!r} here; nothing was changed; "
                    "choose a value of its list"
                )
            values[name] = by_key.get(values[name], values[name])
        self.choose(**values)

    def order(self, sort: str, *, descending: bool) -> None:
        """Sort by a column and go back to the first page."""
        if sort not in self.table.columns:
            raise SettingsError(f"there is no column {clean(sort, 60)!r}; nothing was changed; sort by another")
        self.sort, self.descending, self.offset = sort, bool(descending), 0

    def turn_to(self, offset: int) -> None:
        """Show the page that begins with this row."""
        self.offset = page_start(offset, self.tallies().tiles["sends"], PAGE)

    def show_columns(self, names: Sequence[str]) -> None:
        """Choose the columns of the table, in the table's order."""
        self.columns = [name for name in self.table.columns if name in names] or self.columns[:1]

    # --- what is shown ---

    def tallies(self) -> Tallies:
        """Return the counts of the chosen sends; turning a page or sorting does not count again."""
        if self._tallies is None or self._tallies[0] != self.selection:
            self._tallies = (self.selection, self.table.tallies(self.selection))
        return self._tallies[1]

    def choices(self) -> Mapping[str, Sequence[tuple[Any, str]]]:
        """Return the values that each list of the filter offers, with their labels."""
        if self._choices is None:
            self._choices = {name: self._choices_of(name, column) for name, column in EQUAL.items()}
        return self._choices

    def _choices_of(self, name: str, column: str) -> Sequence[tuple[Any, str]]:
        values = self.table.choices(column)
        if name == "chat":
            names = self.table.chat_names(values)
            labels = chat_labels({value: masked("chat_name", names.get(value)) for value in values})
            return list(labels.items())
        if name == "error":
            return [(int(value), f"{int(value)} {catalog.explain(None, int(value)).meaning}") for value in values]
        return [(value, clean(masked(column, value), 60)) for value in values]

    def _chat_label(self, row: Mapping[str, Any]) -> str:
        """Return how a leading chat is shown: as the filter's list shows it, where it is there."""
        in_list: Mapping[Any, str] = dict(self.choices()["chat"])
        name = masked("chat_name", row["chat_name"])
        return in_list.get(row["chat_id"]) or name or f"chat {short_id(row['chat_id'])}"

    def view(self) -> View:
        """Return what the page shows: the filter, the counts and one page of rows, as JSON."""
        counted = self.tallies()
        time_format = "%Y-%m-%d" if counted.unit == "day" else "%Y-%m-%d %H:%M"
        return {
            "filter": self._shown_filter(),
            "choices": {
                name: [[_key(name, value), label] for value, label in choices]
                for name, choices in self.choices().items()
            },
            "tiles": tile_texts(counted),
            "unit": counted.unit,
            "statuses": [
                {"word": word, "label": clean(word or "none", 40), "colour": status_of(word).colour}
                for word in statuses_in(counted.bars)
            ],
            "bars": [
                {"since": bar.since.isoformat(), "until": bar.until.isoformat(), "counts": dict(bar.counts),
                 "label": bar.since.strftime(time_format)} for bar in counted.bars
            ],
            "chats": [
                {"key": row["chat_id"], "label": self._chat_label(row),
                 "sends": int(row["sends"]), "wrong": int(row["wrong"])} for row in counted.chats
            ],
            "errors": [
                {"label": _error_label(row), "todo": row["what_to_do"], "sends": row["sends"],
                 "choice": {"error": str(row["error_code"])} if row["error_code"] is not None
                 else {"status": row["status"]}} for row in counted.errors
            ],
            "all_columns": self.table.columns, "can_act": self.outbox is not None,
            "times_forgotten": self.snapshot.times_forgotten if self.snapshot else 0,
            **self._page(counted.tiles["sends"]),
        }  # fmt: skip

    def _page(self, total: int) -> View:
        names = list(dict.fromkeys((*self.columns, "send_id")))
        rows = self.table.page(self.selection, names, sort=self.sort, descending=self.descending, offset=self.offset)
        declared = frame_columns(Send)
        numbers = {name for name, column in declared.items() if column.dtype in (INT, FLOAT)} - {"error_code"}
        columns = [
            Column(name, name, declared[name].meaning if name in declared else "", name in numbers)
            for name in self.columns
        ]
        shown = [
            Row(
                row["send_id"],
                [cell(name, row[name]) for name in self.columns],
                status_of(str(row.get("status"))).colour,
            )
            for row in rows
        ]
        return page_view(
            columns, shown, sort=self.sort, descending=self.descending, offset=self.offset, page=PAGE, total=total
        )

    def _shown_filter(self) -> dict[str, Any]:
        values = {field: getattr(self.selection, field) for field in FIELDS}
        shown = {name: _key(name, value) for name, value in values.items()}
        shown["text"], shown["needs_me"] = self.selection.text, self.selection.needs_me
        return shown

    def detail(self, send_id: str) -> detail.Detail:
        """Return one send in full. Raises SettingsError when the table does not have it."""
        if self.outbox is not None:
            shown = detail.of_send(self.outbox, send_id)
        else:
            row = self.table.row(send_id)
            shown = None if row is None else detail.of_row(row)
        if shown is None:
            raise SettingsError("this send is not in the table any more; nothing was changed; clear the filter")
        return shown

    def code(self) -> str:
        """Return the filter as Python over the same frame."""
        of_frame = "typed(frame)" if self.table.is_retyped else ""
        source = of_frame if self.outbox is None else "linq_nb.to_frame(outbox.sends())"
        return self.selection.code(self.table.all_rows, self.table.now, source)


def tile_texts(counted: Tallies) -> list[list[str]]:
    """Return the labels and numbers of the tiles."""
    counts = [[name, f"{counted.tiles[name]:,}"] for name in TILES]
    spans = (("median delivery", counted.median_s), ("95th percentile", counted.p95_s))
    return counts + [[name, "–" if seconds is None else f"{seconds:,.1f} s"] for name, seconds in spans]


def _key(name: str, value: Any) -> Any:
    """Return the text by which the page names a value; a line is masked."""
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else masked(EQUAL[name], value) if name == "line" else str(value)


def _error_label(row: Mapping[str, Any]) -> str:
    number = catalog.numbers(row["http_status"], row["error_code"])
    meaning = status_of(row["status"]).meaning if row["status"] == "unknown" else row["meaning"]
    return f"{row['status']} {number}: {meaning}".replace(" :", ":")
