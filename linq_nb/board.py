"""StatusBoard: a live table of what becomes of a batch, in standard ipywidgets.

A thread of its own reads the journal and asks Linq, so the kernel stays free. The board decides nothing: the rules say
when to ask and what is settled, and the journal has the statuses, to which webhooks and other notebooks write too.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types

from linq_nb import rules, views
from linq_nb.model import Send
from linq_nb.outbox import Outbox, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.follow import Follower, StatusPolls
from linq_nb.outbox.poll import GRACE_S, HOPELESS, current, open_sends
from linq_nb.process import Unpicklable
from linq_nb.session import Session
from linq_nb.times import horizon_of
from linq_nb.views.page import FRAME, div, esc
from linq_nb.widgets.buttons import button, row_layout, set_shown
from linq_nb.widgets.guard import Guard, error_text
from linq_nb.widgets.output import WidgetOutput, heading
from linq_nb.widgets.status_line import StatusLine

MAX_LOAD = 0.1
"""Share of the time that the board may work, so that a large board leaves the kernel alone."""

WAITING = "waiting"
"""The state of a row that has not begun."""


@dataclass(frozen=True)
class Intervals:
    """How often the board does something at most, in seconds.

    ``look_s``: read the journal. ``say_s``: report to a screen reader; the end is reported at once. ``keep_s``: renew
    the static record in the notebook.
    """

    look_s: float = 0.5
    say_s: float = 10.0
    keep_s: float = 3.0


class StatusBoard(Unpicklable):
    """A live table of a batch, or of all open sends: a row for each bubble, with its state and the reason.

    ``of`` is a Batch or sends; without it the board follows the outbox's last batch and whatever is open. ``horizon``
    ("30m", "1h", seconds, None): a send that is open for longer counts as unconfirmed and is not asked for again.
    The board ends by itself when all is settled, or with ``close()``; a static record stays in the notebook.
    ``error`` is the last exception. The demo's clock runs with the real one while a board is open. In a forked child
    every call raises SettingsError, but ``close``, which does nothing.
    """

    def __init__(
        self,
        outbox: Outbox,
        of: Batch | Iterable[Send] | None = None,
        *,
        horizon: str | float | timedelta | None = "1h",
        intervals: Intervals = Intervals(),
    ) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self.error: BaseException | None = None
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
        self._end_reason = ""
        self._display_lock = threading.RLock()
        self._next_times: dict[str, float] = {}
        self._last_texts: dict[str, str] = {}
        self._output = WidgetOutput()
        self._make_widgets()
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
        return views.followed_line(
            self._sends, now=self._now, started=self._started_at, unconfirmed=self._unconfirmed()
        )

    def record(self) -> views.Shown:
        """Return the board as a display that needs no kernel."""
        mode, reason = self.outbox.mode, self._end_reason
        head = f"{mode}: {self.line()}" if reason else f"{mode}: {self.line()}, as of {views.moment(self._now)}"
        rows = views.followed_rows(
            self._sends, now=self._now, unconfirmed=self._unconfirmed(), notes=[f"ended: {reason}"] if reason else []
        )
        html = f"<b>{esc(head)}</b>{rows.html}"
        if not reason:  # above it the live table says the same
            html = f"<details><summary>{esc(head)}</summary>{rows.html}</details>"
        return views.Shown(div(FRAME, html), f"{head}\n{rows.text}".rstrip())

    def _ipython_display_(self) -> None:
        """Show the board, and below it its static record."""
        self._session.home.check()
        with self._display_lock:
            self._output.show(self.widget, repr(self), self.record())

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
        """Stop, wait for the answer that is under way, and take the widgets away; the record stays.

        In a forked child it does nothing: thread and widgets are the parent's.
        """
        if not self._session.home.is_here:
            return
        self.stop("closed")
        self._follower.join(GRACE_S)
        for widget in (*self.widget.children, self.stop_sending, self.stop_watching, self.widget):
            widget.close()

    def _outbox_closes(self) -> None:
        self.stop("the outbox was closed")
        self._follower.join()

    # --- the widgets ---

    def _make_widgets(self) -> None:
        self.head, self.table, self.status = widgets.HTML(), widgets.HTML(), StatusLine()
        self.status.add_class("linq-nb-for-screen-readers")  # the head of the board shows the same, and sooner
        self.stop_sending = button("Stop sending", tooltip="start no further send; those under way end", kind="danger")
        self.stop_watching = button("Stop watching", tooltip="end this board; the sends go on")
        guard = Guard(self._fail, before=lambda: None, after=lambda: None)
        self.stop_sending.on_click(guard.event(self._stop_batch))
        self.stop_watching.on_click(guard.event(lambda: self.stop("stopped on the board")))
        self.buttons = widgets.HBox([self.stop_sending, self.stop_watching], layout=row_layout())
        self.widget = widgets.VBox(
            [self.head, self.table, self.buttons, self.status], layout=widgets.Layout(width="auto", max_width="660px")
        )
        self._draw()

    def _stop_batch(self) -> None:
        batch = self._batch()
        if batch is not None:
            self.stop_sending.disabled = True
            batch.stop("stopped on the board")

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
        self.error = None
        if poll.error is not None:
            self._fail(poll.error)

    def _finish(self, error: Exception | None) -> None:
        """Leave the final state in the widget and in the record, and a note in place of the widget."""
        if error is not None:
            self._fail(error)
            self._end_reason = self._end_reason or str(error)
        self._draw()
        for control in (self.stop_sending, self.stop_watching):
            control.disabled = True
            set_shown(control, False)
        if self.error is None:
            self.status.say(f"{self.line()}; ended: {self._end_reason}")
        with self._display_lock:
            self._output.update(self.record())
            self._output.end("This board has ended.")

    # --- the sends ---

    def _read(self) -> None:
        """Read the rows of the batch, and the sends that are or were open beside them."""
        rows = self._rows()
        row_ids = {send.send_id for send in rows}
        if self._of is None:
            self._followed_ids |= dict.fromkeys(send.send_id for send in open_sends(self._session))
        others = [send_id for send_id in self._followed_ids if send_id not in row_ids]
        recorded = self._session.journal.get_many(others)
        self._sends = [*rows, *(recorded[send_id] for send_id in others if send_id in recorded)]
        self._now = self._session.now()

    def _rows(self) -> list[Send]:
        batch = self._batch()
        if batch is not None:
            return _rows_of(batch, self._session)
        return current(self._session, self._of) if isinstance(self._of, list) else []

    def _batch(self) -> Batch | None:
        if isinstance(self._of, Batch):
            return self._of
        return self.outbox.last_batch if self._of is None else None

    def _unconfirmed(self) -> frozenset[str]:
        return frozenset(send.send_id for send in self._sends if rules.is_unconfirmed(send, self._now, self._horizon))

    # --- showing ---

    def _draw(self) -> None:
        """Put into the page what has changed, and no more: a table that is read or selected stays as it is."""
        line, batch = self.line(), self._batch()
        rows = views.followed_rows(self._sends, now=self._now, unconfirmed=self._unconfirmed())
        self.head.value = heading(self.outbox.mode, line)
        self.table.value = rows.html if self._sends else ""
        is_sending = batch is not None and not batch.is_done
        set_shown(self.stop_sending, is_sending)
        self.stop_sending.disabled = batch is None or not is_sending or bool(batch.stopped_by)
        counts = line.partition(": ")[2]
        if self._sends and self.error is None and self._is_news("status", counts, self._intervals.say_s):
            self.status.say(line)
        if self._is_news("record", counts, self._intervals.keep_s):
            with self._display_lock:
                self._output.update(self.record())

    def _is_news(self, name: str, text: str, every_s: float) -> bool:
        """Whether a text has changed, and the last change is long enough ago."""
        now = time.monotonic()
        if self._last_texts.get(name) == text or now < self._next_times.get(name, 0.0):
            return False
        self._last_texts[name], self._next_times[name] = text, now + every_s
        return True

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self.status.say(error_text(error), tag="error", tone="error")


def _rows_of(batch: Batch, session: Session) -> list[Send]:
    """Return the rows of a batch as the journal has them; rows that have not begun are waiting."""
    if batch.is_done:
        return current(session, _distinct(batch.results()))
    wanted = _distinct(row.wanted for row in batch.plan.rows if row.wanted is not None and row.verdict != "refused")
    recorded = session.journal.get_many(send.send_id for send in wanted)
    return [recorded.get(send.send_id) or dataclasses.replace(send, status=WAITING) for send in wanted]


def _distinct(sends: Iterable[Send]) -> list[Send]:
    """Drop rows that repeat another row; rows that never became a send have no id, and all stay."""
    by_id: dict[str, Send] = {}
    for number, send in enumerate(sends):
        by_id.setdefault(send.send_id or str(number), send)
    return list(by_id.values())
