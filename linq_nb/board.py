"""StatusBoard: a live table of what becomes of a batch, as one widget.

A thread of its own reads the journal and asks Linq, so the kernel stays free. The board decides nothing: the rules say
when to ask and what is settled, and the journal has the statuses, to which webhooks and other notebooks write too.
The page has the counts and one page of rows.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import rules, views
from linq_nb.errors import SettingsError
from linq_nb.model import Send
from linq_nb.outbox import Outbox, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.follow import Follower, StatusPolls
from linq_nb.outbox.poll import GRACE_S, HOPELESS, current, open_sends
from linq_nb.process import Unpicklable
from linq_nb.session import Session
from linq_nb.status import Status
from linq_nb.text import clean
from linq_nb.times import horizon_of
from linq_nb.views import records, status_table
from linq_nb.views.blocks import send_rows
from linq_nb.views.page import FRAME, div, esc
from linq_nb.views.status_table import WAITING
from linq_nb.widgets.actions import act, actions_for
from linq_nb.widgets.base import SHARED_CSS, SHARED_JS, TABLE_JS, Widget, joined
from linq_nb.widgets.guard import error_text
from linq_nb.widgets.paged import Column, Row, page_start, page_view

MAX_LOAD = 0.1
"""Share of the time that the board may work, so that a large board leaves the kernel alone."""

PAGE = 25
"""Rows of one page."""

COLUMNS = (
    Column("to", "to", "the chat"),
    Column("state", "state", "what Linq reports, or what this machine knows; the worst come first"),
    Column("memo", "memo", "the voice memo"),
    Column("note", "what is known", "how long it took, or what went wrong"),
)


@dataclass(frozen=True)
class Intervals:
    """Shortest intervals of the board's work, in seconds.

    ``look_s``: read the journal. ``say_s``: report to a screen reader; the end is reported at once. ``keep_s``: renew
    the static record in the notebook.
    """

    look_s: float = 0.5
    say_s: float = 10.0
    keep_s: float = 3.0


class StatusBoard(Unpicklable, Widget):
    """A live table of a batch, or of all open sends: a row for each bubble, with its state and the reason.

    ``of`` is a Batch or sends; without it the board follows the outbox's last batch and whatever is open. ``horizon``
    ("30m", "1h", seconds, None): a send that is open for longer counts as unconfirmed and is not asked for again.
    What went wrong comes first; a state chooses its rows, a heading sorts, a row opens. The board ends by itself when
    all is settled, and can then still be read; ``close()`` takes it away. A static record stays in the notebook.
    ``error`` is the last exception. The demo's clock runs with the real one while a board is open. In a forked child
    every call raises SettingsError, but ``close``, which does nothing.
    """

    _esm = joined(*SHARED_JS, TABLE_JS, Path(__file__).with_name("board.js"))
    _css = joined(SHARED_CSS, Path(__file__).with_name("board.css"))

    _noun = "board"
    _head = traitlets.Dict().tag(sync=True)
    _page = traitlets.Dict().tag(sync=True)
    _words = traitlets.Unicode().tag(sync=True)
    _error = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        outbox: Outbox,
        of: Batch | Iterable[Send] | None = None,
        *,
        horizon: str | float | timedelta | None = "1h",
        intervals: Intervals = Intervals(),
    ) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self._of = of if isinstance(of, Batch | None) else list(of)
        if isinstance(self._of, Batch):
            self._session.check_plan(self._of.plan)
        elif self._of is not None:
            self._session.check_sends(self._of)
        self._horizon, self._intervals = horizon_of(horizon), intervals
        self._polls = StatusPolls(self._session, self._horizon)
        self._followed_ids: dict[str, None] = {}
        self._sends: list[Send] = []
        self._started_at = self._now = self._session.now()
        self._looked_at = time.monotonic()
        self._begun: tuple[int, datetime] | None = None  # how many rows had begun when the board first saw them sent
        self._end_reason = ""
        self._chosen, self._sort, self._descending, self._offset = "", "state", False, 0
        self._drawing = threading.RLock()
        self._next_times: dict[str, float] = {}
        self._last_texts: dict[str, str] = {}
        super().__init__()
        self._read()
        self._draw()
        self._follower = Follower(self._look)
        self._session.on_close(self._outbox_closes)
        self._follower.start("linq_nb board", self._finish)

    # --- display ---

    def __repr__(self) -> str:
        home = self._session.home
        text = f"{self._session.mode}, {self.line()}" if home.is_here else f"of process {home.pid}"
        return f"StatusBoard({text})"

    def line(self) -> str:
        """Return the counts in one line: ``3 of 4 settled after 0:17: 1 read, 2 delivered, 1 queued``."""
        self._session.home.check()
        if not self._sends:
            return "nothing to follow yet"
        return views.followed_line(self._sends, now=self._now, started=self._started_at, unconfirmed=self._unconfirmed)

    def record(self) -> views.Shown:
        """Return the board as a display that needs no kernel: what went wrong first, the end of a long table folded."""
        mode, reason = self.outbox.mode, self._end_reason
        head = f"{mode}: {self.line()}" if reason else f"{mode}: {self.line()}, as of {views.moment(self._now)}"
        rows = views.followed_rows(
            self._sends, now=self._now, unconfirmed=self._unconfirmed, notes=[f"ended: {reason}"] if reason else []
        )
        return views.Shown(div(FRAME, f"<b>{esc(head)}</b>{rows.html}"), f"{head}\n{rows.text}".rstrip())

    def _ipython_display_(self) -> None:
        """Show the board, and below it its static record, which a page shows where it has no board."""
        self._session.home.check()
        with self._drawing:
            super()._ipython_display_()

    @property
    def is_running(self) -> bool:
        """Whether the board still follows the sends."""
        self._session.home.check()
        return self._follower.is_running

    def stop(self, why: str = "stopped") -> None:
        """Stop following; the sends, and a batch, are not touched. Returns at once."""
        self._session.home.check()
        self._end_reason = self._end_reason or why
        self._polls.stop()
        self._follower.stop()

    def close(self) -> None:
        """Stop, wait for the answer that is under way, and take the widget away; the record stays.

        In a forked child it does nothing: thread and widget are the parent's.
        """
        if not hasattr(self, "_follower") or not self._session.home.is_here:  # without a follower it was refused
            return
        self.stop("closed")
        self._follower.join(GRACE_S)
        super().close()

    def _outbox_closes(self) -> None:
        self.stop("the outbox was closed")
        self._follower.join()

    # --- following, in the board's thread ---

    def _look(self) -> float | None:
        """Read the journal, ask for what is due, show it; returns the pause in seconds, None at the end."""
        began = time.monotonic()
        if self.outbox.demo is not None:
            self._session.throttle.pause(began - self._looked_at)
        self._looked_at = began
        self._read()
        waiting = self._polls.waiting(self._sends)
        self._ask(waiting)
        self._draw()
        batch = self._batch()
        has_begun = bool(self._sends) or self._of is not None
        if has_begun and not waiting and (batch is None or batch.is_done):
            is_open = any(send.is_open or send.status == "unknown" for send in self._sends)
            self._end_reason = self._end_reason or ("nothing more to ask for" if is_open else "all is settled")
            return None
        return max(self._intervals.look_s, (time.monotonic() - began) / MAX_LOAD)

    def _ask(self, waiting: list[Send]) -> None:
        poll = self._polls.ask(waiting)
        if poll is None:
            return
        self._read()
        if isinstance(poll.error, HOPELESS):
            raise poll.error
        self.error = poll.error
        self._error = clean(error_text(poll.error), 600) if poll.error else ""

    def _finish(self, error: Exception | None) -> None:
        """Leave the final state on the page and in the record."""
        if error is not None:
            self.error, self._error = error, clean(error_text(error), 600)
            self._end_reason = self._end_reason or str(error)
        with self._drawing:
            self._draw(is_last=True)
            if self.error is None:
                self._words = f"{self.line()}; ended: {self._end_reason}"
            self._output.update(self.record())

    # --- the sends ---

    def _read(self) -> None:
        """Read the rows of the batch, and the sends that are or were open beside them."""
        batch = self._batch()
        listed = self._of if isinstance(self._of, list) else []
        rows = current(self._session, listed) if batch is None else _rows_of(batch, self._session)
        row_ids = {send.send_id for send in rows}
        if self._of is None:
            self._followed_ids |= dict.fromkeys(send.send_id for send in open_sends(self._session))
        others = [send_id for send_id in self._followed_ids if send_id not in row_ids]
        recorded = self._session.journal.get_many(others)
        with self._drawing:
            sends = [*rows, *(recorded[send_id] for send_id in others if send_id in recorded)]
            self._sends = [send if send.send_id else dataclasses.replace(send, send_id=f"row {place}")
                           for place, send in enumerate(sends)]  # fmt: skip
            self._now = self._session.now()
            self._unconfirmed = rules.unconfirmed_ids(self._sends, self._now, self._horizon)

    def _batch(self) -> Batch | None:
        if isinstance(self._of, Batch):
            return self._of
        return self.outbox.last_batch if self._of is None else None

    def _time_left(self) -> str:
        """Say how long the batch will still be sending, by its pace since the board was opened; empty if unknown."""
        batch = self._batch()
        begun = sum(send.status != WAITING.word for send in self._sends)
        if batch is None or batch.is_done or batch.stopped_by:
            return ""
        if self._begun is None:
            self._begun = (begun, self._now)
        before, since = self._begun
        passed = (self._now - since).total_seconds()
        if begun <= before or passed < 1:
            return ""
        left_ms = round((len(self._sends) - begun) * passed / (begun - before)) * 1000
        return f"about {views.duration(left_ms)} left to send" if left_ms else ""

    # --- showing ---

    def _draw(self, *, is_last: bool = False) -> None:
        """Put into the page what has changed, and no more: a table that is read or selected stays as it is."""
        with self._drawing:
            line = self.line()
            self._draw_head(line, is_last)
            self._draw_page()
            counts = line.partition(": ")[2]
            if self._sends and self.error is None and self._is_news("words", counts, self._intervals.say_s):
                self._words = line
            if self._is_news("record", counts, self._intervals.keep_s):
                self._output.update(self.record())

    def _draw_head(self, line: str, is_last: bool) -> None:
        batch = self._batch()
        states = status_table.ordered(Counter(status_table.state_of(send, self._unconfirmed) for send in self._sends))
        is_sending = batch is not None and not batch.is_done
        self._head = {
            "mode": self.outbox.mode, "line": line.partition(": ")[0], "left": self._time_left(),
            "total": len(self._sends), "settled": status_table.settled(self._sends),
            "states": [_shown_state(state) | {"count": count} for state, count in states],
            "chosen": self._chosen, "is_running": not is_last, "ended": self._end_reason if is_last else "",
            "is_sending": is_sending, "is_stopping": batch is not None and bool(batch.stopped_by),
        }  # fmt: skip

    def _draw_page(self) -> None:
        unconfirmed = self._unconfirmed
        sends = [send for send in self._sends if self._chosen in ("", status_table.state_of(send, unconfirmed).word)]
        keys: dict[str, Callable[[Send], Any]] = {
            "to": lambda send: records.send_whom(send).casefold(),
            "state": lambda send: -status_table.place_of(status_table.state_of(send, unconfirmed)),
            "memo": lambda send: (send.filename or "").casefold(),
            "note": lambda send: status_table.bubble(send, self._now, unconfirmed).note.casefold(),
        }
        sends.sort(key=keys[self._sort], reverse=self._descending)
        self._offset = page_start(self._offset, len(sends), PAGE)
        shown = [
            status_table.bubble(send, self._now, unconfirmed) for send in sends[self._offset : self._offset + PAGE]
        ]
        rows = [
            Row(row.send_id, (row.whom, clean(row.state.word, 40), row.memo, row.note), row.state.colour)
            for row in shown
        ]
        self._page = page_view(
            COLUMNS, rows, sort=self._sort, descending=self._descending,
            offset=self._offset, page=PAGE, total=len(sends),
        )  # fmt: skip

    def _is_news(self, name: str, text: str, every_s: float) -> bool:
        """Whether a text has changed, and the last change is long enough ago."""
        now = time.monotonic()
        if self._last_texts.get(name) == text or now < self._next_times.get(name, 0.0):
            return False
        self._last_texts[name], self._next_times[name] = text, now + every_s
        return True

    # --- messages of the page ---

    def _handle(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> dict[str, Any] | None:
        self._session.home.check()
        match content.get("kind"):
            case "choose":
                self._chosen, self._offset = str(content.get("state") or ""), 0
            case "sort" if content.get("column") in {column.name for column in COLUMNS}:
                self._sort, self._descending = str(content["column"]), bool(content.get("descending"))
                self._offset = 0
            case "page":
                self._offset = int(content.get("offset") or 0)
            case "open":
                return self._detail(str(content.get("send_id")))
            case "act":
                send_id, action = str(content.get("send_id")), str(content.get("action"))
                act(self.outbox, self._followed(send_id), action, str(content.get("reason") or ""))
                self._read()
                self._draw(is_last=not self.is_running)
                return self._detail(send_id)
            case "stop sending":
                if batch := self._batch():
                    batch.stop("stopped on the board")
            case "stop watching":
                self.stop("stopped on the board")
            case _:
                return None
        self._draw(is_last=not self.is_running)
        return {"kind": "done"}

    def _followed(self, send_id: str) -> Send:
        for send in self._sends:
            if send.send_id == send_id:
                return send
        raise SettingsError(
            "this send is not on the board any more; nothing was done; outbox.history(send_id) shows it"
        )

    def _detail(self, send_id: str) -> dict[str, Any]:
        """Return one send in full, and what can be done about it."""
        send = self._followed(send_id)
        state = _shown_state(status_table.state_of(send, self._unconfirmed))
        facts = [list(row) for row in send_rows(send)]
        return {"kind": "detail", **state, "send_id": send_id, "facts": facts,
                "actions": [action._asdict() for action in actions_for(send)]}  # fmt: skip


def _shown_state(state: Status) -> dict[str, Any]:
    """Return a state as the page names it; ``word`` chooses its rows."""
    return {"word": state.word, "label": clean(state.word, 40), "colour": state.colour, "meaning": state.meaning}


def _rows_of(batch: Batch, session: Session) -> list[Send]:
    """Return the rows of a batch as the journal has them; rows that have not begun are waiting."""
    if batch.is_done:
        return current(session, _distinct(batch.results()))
    wanted = _distinct(row.wanted for row in batch.plan.rows if row.wanted is not None and row.verdict != "refused")
    recorded = session.journal.get_many(send.send_id for send in wanted)
    return [recorded.get(send.send_id) or dataclasses.replace(send, status=WAITING.word) for send in wanted]


def _distinct(sends: Iterable[Send]) -> list[Send]:
    """Drop rows that repeat another row; rows that never became a send have no id, and all stay."""
    by_id: dict[str, Send] = {}
    for number, send in enumerate(sends):
        by_id.setdefault(send.send_id or str(number), send)
    return list(by_id.values())
