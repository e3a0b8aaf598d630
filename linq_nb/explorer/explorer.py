"""Explorer: the widget. The kernel counts; the page has one page of rows and the counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import views
from linq_nb.auditing import Audit, audit_frame
from linq_nb.errors import SettingsError
from linq_nb.explorer import export_file, picture
from linq_nb.explorer.exploration import Exploration
from linq_nb.outbox import session_of
from linq_nb.reports.selection import Selection
from linq_nb.widgets.actions import act
from linq_nb.widgets.base import SHARED_CSS, SHARED_JS, TABLE_JS, Widget, joined


class Explorer(Widget):
    """A log of sends to click through: filter, count, sort, open one, audit, export.

    ``source`` is an Outbox, whose journal is read once and then brought up to date, or a frame of
    ``to_frame(outbox.sends())`` in pandas, Polars or DuckDB (a folder of Parquet, a CSV file). Counts are made in the
    kernel; the page gets one page of rows and the counts, handles masked. Over a frame nothing can be done to a send.
    A chat that is forgotten leaves the explorer at once, other news when ``update`` or the page's button asks for it.
    ``error`` is the last exception. Raises SettingsError for a value that is neither, or that lacks a column.
    """

    _esm = joined(*SHARED_JS, TABLE_JS, Path(__file__).with_name("explorer.js"))
    _css = joined(SHARED_CSS, Path(__file__).with_name("explorer.css"))

    _noun = "explorer"
    _view = traitlets.Dict().tag(sync=True)
    _mode = traitlets.Unicode().tag(sync=True)

    def __init__(self, source: Any) -> None:
        self._exploration = Exploration(source)
        outbox = self._exploration.outbox
        super().__init__(_view=self._exploration.view(), _mode=outbox.mode if outbox else "")

    # --- in code ---

    def filter(self, **conditions: Any) -> None:
        """Choose sends as the filter bar does, those given replacing all: ``filter(status="failed", text="ada")``.

        ``text``, ``chat`` (an id, name or handle), ``line`` (a number, or as in the frame), ``service``, ``status``,
        ``error`` (Linq's code), ``format``, ``since`` and ``until`` (times, or spans such as "7d"), ``needs_me``; none
        of them chooses all. Names and words are compared as they look.
        Raises SettingsError for another name, a list of values or a time that cannot be read.
        """
        before = self._exploration.selection
        self._exploration.selection = Selection()
        try:
            self._exploration.choose(**conditions)
            self._changed()
        except Exception:  # also one of an engine
            self._exploration.selection = before
            raise

    @property
    def rows(self) -> Any:
        """The chosen sends, as the kind of frame that was given; of an Outbox a DataFrame."""
        self._drop_forgotten()
        return self._exploration.table.native(self._exploration.selection)

    def code(self) -> str:
        """Return the filter as Python over the same frame."""
        return self._exploration.code()

    def export(self, format: str = "csv") -> Path:  # noqa: A002  the word of pandas and of the button
        """Write the chosen sends to a new file in the current folder: "csv", "excel" or "parquet"; returns its path.

        Handles are masked, and no text is a formula. Nothing is overwritten. Raises SettingsError when it cannot be
        written, and for more rows than an Excel sheet has.
        """
        self._drop_forgotten()
        exploration = self._exploration
        return export_file.write(exploration.table.chosen(exploration.selection), format, Path.cwd())

    def audit(self) -> Audit:
        """Audit the chosen sends on one page, as ``linq_nb.audit`` does; the page's button "Audit" shows it.

        Without ``until`` it ends now by the outbox's clock, over a frame at the frame's newest ``created_at``.
        Raises SettingsError for a frame that lacks a column which the audit needs.
        """
        self._drop_forgotten()
        exploration, selection = self._exploration, self._exploration.selection
        at_any_time = exploration.table.native(dataclasses.replace(selection, since=None, until=None))
        now, outbox = exploration.now(), exploration.outbox
        return audit_frame(at_any_time, now, selection.since, selection.until, outbox=outbox)

    def update(self) -> int:
        """Read what has changed in the journal; returns how many sends are new or have another status."""
        news = self._exploration.update()
        self._changed()
        return news

    def record(self) -> views.Shown:
        """Return what is shown as a display that needs no kernel."""
        return picture.record(self._view, f"{self._mode}: {self._counts()}" if self._mode else self._counts())

    # --- display ---

    def __repr__(self) -> str:
        return f"Explorer({f'{self._mode}, ' if self._mode else ''}{self._counts()})"

    def _counts(self) -> str:
        return f"{self._view['total']:,} of {self._exploration.table.count:,} sends"

    def _changed(self) -> None:
        self._view = self._exploration.view()
        self._output.update(self.record())

    def _drop_forgotten(self) -> None:
        """Read the journal again at once when a chat was forgotten: it must not stay here."""
        snapshot = self._exploration.snapshot
        if snapshot is not None and snapshot.has_forgotten():
            self.update()

    # --- messages of the page ---

    def _handle(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> dict[str, Any] | None:
        self._drop_forgotten()
        exploration = self._exploration
        match content.get("kind"):
            case "filter":
                exploration.choose_shown(dict(content.get("changes") or {}))
            case "clear":
                exploration.selection, exploration.offset = Selection(), 0
            case "sort":
                exploration.order(str(content.get("column")), descending=bool(content.get("descending")))
            case "page":
                exploration.turn_to(int(content.get("offset") or 0))
            case "columns":
                exploration.show_columns([str(name) for name in content.get("names") or ()])
            case "update":
                exploration.update()
            case "open":
                return {"kind": "detail", "detail": exploration.detail(str(content.get("send_id")))}
            case "act":
                return self._act(str(content.get("send_id")), str(content.get("action")), str(content.get("reason")))
            case "code":
                return {"kind": "code", "code": self.code()}
            case "audit":
                return {"kind": "audit", "html": self.audit()._repr_mimebundle_()["text/html"]}
            case "export":
                return {"kind": "said", "text": f"written: {self.export(str(content.get('format'))).name}"}
            case "look":
                return self._look()
            case _:
                return None
        self._changed()
        return {"kind": "done"}

    def _act(self, send_id: str, action: str, reason: str) -> dict[str, Any]:
        """Do what can be done about one send, and show it as it then stands."""
        outbox = self._exploration.outbox
        send = session_of(outbox).journal.get(send_id) if outbox else None
        if outbox is None or send is None:
            raise SettingsError("this table has no journal; nothing was done; open the explorer over an Outbox")
        act(outbox, send, action, reason)
        self._exploration.update()
        self._changed()
        return {"kind": "detail", "detail": self._exploration.detail(send_id)}

    def _look(self) -> dict[str, Any]:
        """Say how much news the journal has, and how far a batch that is running has come."""
        snapshot, outbox = self._exploration.snapshot, self._exploration.outbox
        batch = outbox.last_batch if outbox else None
        line = batch.line() if batch is not None and not batch.is_done else ""
        return {"kind": "news", "news": snapshot.news() if snapshot else 0, "batch": line}
