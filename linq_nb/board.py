"""StatusBoard: a live table of what becomes of a batch, in standard ipywidgets.

A thread of its own looks and asks, so the kernel stays free. The board decides nothing: when to ask and what is
settled are the rules', how it stands is the journal's, to which webhooks and other notebooks write too.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types

from linq_nb import rules, views
from linq_nb.model import Send
from linq_nb.outbox import Outbox, poll, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.watch import Schedule
from linq_nb.views.page import BOX, FRAME, GREY, RED, div, esc, pill
from linq_nb.widgets.buttons import button, row_layout, set_shown
from linq_nb.widgets.guard import Guard, error_text
from linq_nb.widgets.output import WidgetOutput
from linq_nb.widgets.status_line import StatusLine

LOOK_S = 0.5
"""How long the board waits between two looks into the journal, in seconds; a long look makes longer pauses."""

SHARE = 0.1
"""The share of the time that looking may take, so that a large board leaves the kernel alone."""

SAY_S = 10.0
"""How often a screen reader is told how it stands, in seconds; the end is told at once."""

KEEP_S = 3.0
"""How often the static record in the notebook is renewed while the board runs, in seconds."""

WAITING = "waiting"
"""The state of a row that has not begun."""

ENDED = "This board has ended."


class StatusBoard:
    """A live table of a batch, or of all sends that are open: one row for each bubble, with its state and the reason.

    ``of`` is a Batch or sends; without it the board follows the outbox's last batch and whatever is open. ``horizon``
    ("30m", "1h", seconds, None) is when a send that is still open counts as unconfirmed and is asked for no more.
    It ends by itself when all is settled, or with ``close()``; a static record of it stays in the notebook.
    ``error`` is the last exception. In the demo its clock goes on with the real one while a board is open.
    """

    def __init__(
        self,
        outbox: Outbox,
        of: Batch | Iterable[Send] | None = None,
        *,
        horizon: str | float | timedelta | None = "1h",
    ) -> None:
        self.outbox = outbox
        self.error: BaseException | None = None
        self._of = of if isinstance(of, Batch | None) else list(of)
        self._horizon = rules.horizon_of(horizon)
        self._schedule = Schedule(self._horizon)
        self._ids: dict[str, None] = {}
        self._sends: list[Send] = []
        self._started = self._now = session_of(outbox).now()
        self._ended_by = ""
        self._asking: poll.Poll | None = None
        self._end = threading.Event()
        self._lock = threading.RLock()
        self._due: dict[str, float] = {}
        self._shown: dict[str, str] = {}
        self._output = WidgetOutput()
        self._make_widgets()
        session_of(outbox).on_close(self._outbox_closes)
        self._thread = threading.Thread(target=self._run, name="linq_nb board", daemon=True)
        self._thread.start()

    # --- display ---

    def __repr__(self) -> str:
        return f"StatusBoard({self.outbox.mode}, {self.line()})"

    def line(self) -> str:
        """Say in one line how it stands: ``3 of 4 settled after 0:17: 1 read, 2 delivered, 1 queued``."""
        if not self._sends:
            return "nothing to follow yet"
        return views.followed_line(self._sends, now=self._now, started=self._started, unconfirmed=self._unconfirmed())

    def record(self) -> views.Shown:
        """Return the board as a display that needs no kernel."""
        mode, ended = self.outbox.mode, self._ended_by
        head = f"{mode}: {self.line()}" if ended else f"{mode}: {self.line()}, as of {views.moment(self._now)}"
        rows = views.followed_rows(
            self._sends, now=self._now, unconfirmed=self._unconfirmed(), notes=[f"ended: {ended}"] if ended else []
        )
        html = f"<b>{esc(head)}</b>{rows.html}"
        if not ended:  # above it the live table says the same
            html = f"<details><summary>{esc(head)}</summary>{rows.html}</details>"
        return views.Shown(div(FRAME, html), f"{head}\n{rows.text}".rstrip())

    def _ipython_display_(self) -> None:
        """Show the board, and below it a static output that keeps how it stands."""
        with self._lock:
            if self._ended_by:
                self._output.show_ended(ENDED, self.record())
            else:
                self._output.show(self.widget, repr(self), self.record())

    @property
    def is_running(self) -> bool:
        """Whether the board still looks and asks."""
        return self._thread.is_alive()

    def stop(self, why: str = "stopped") -> None:
        """Look and ask no more; the batch goes on, if there is one. Returns at once."""
        self._ended_by = self._ended_by or why
        if self._asking is not None:
            self._asking.stop()
        self._end.set()

    def close(self) -> None:
        """Stop, wait for the answer that is under way, and take the widgets away; the record stays."""
        self.stop("closed")
        self._thread.join(poll.GRACE_S)
        for one in (*self.widget.children, self.stop_sending, self.stop_watching, self.widget):
            one.close()

    def _outbox_closes(self) -> None:
        self.stop("the outbox was closed")
        if self._thread is not threading.current_thread():
            self._thread.join()

    # --- the widgets ---

    def _make_widgets(self) -> None:
        self.head, self.table, self.said = widgets.HTML(), widgets.HTML(), StatusLine()
        self.said.add_class("linq-nb-heard")  # the head of the board shows the same, and sooner
        self.stop_sending = button("Stop sending", tooltip="start no further send; those under way end", kind="danger")
        self.stop_watching = button("Stop watching", tooltip="end this board; the sends go on")
        guard = Guard(self._fail)
        self.stop_sending.on_click(guard.event(self._stop_batch))
        self.stop_watching.on_click(guard.event(lambda: self.stop("stopped on the board")))
        self.buttons = widgets.HBox([self.stop_sending, self.stop_watching], layout=row_layout())
        self.widget = widgets.VBox(
            [self.head, self.table, self.buttons, self.said], layout=widgets.Layout(width="auto", max_width="660px")
        )
        self._draw()

    def _stop_batch(self) -> None:
        batch = self._batch()
        if batch is not None:
            self.stop_sending.disabled = True
            batch.stop("stopped on the board")

    # --- the thread ---

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                began = time.monotonic()
                if self._look():
                    left = any(one.is_open or one.status == "unknown" for one in self._sends)
                    self._ended_by = self._ended_by or ("nothing more to ask for" if left else "all is settled")
                    break
                pause = max(LOOK_S, (time.monotonic() - began) / SHARE)
                if not self._end.wait(pause) and self.outbox.demo is not None:
                    session_of(self.outbox).throttle.pause(pause)
        except Exception as error:  # noqa: BLE001  a thread's exception would be seen by nobody
            self._fail(error, error_text(error))
            self._ended_by = self._ended_by or str(self.error)
        finally:
            self._finish()

    def _look(self) -> bool:
        """Read the journal, ask for what is due, show it; returns whether there is nothing left to wait for."""
        self._read()
        waiting = self._schedule.waiting(poll.pollable(session_of(self.outbox), self._sends), self._now)
        self._ask(self._schedule.due(waiting, self._now))
        self._draw()
        batch = self._batch()
        has_begun = bool(self._sends) or self._of is not None
        return has_begun and not waiting and (batch is None or batch.is_done)

    def _ask(self, due: list[Send]) -> None:
        if not due:
            return
        self._asking = poll.Poll(session_of(self.outbox), due)
        if self._end.is_set():
            return
        error = self._asking.run().error
        self._schedule.asked(due, session_of(self.outbox).now())
        self._read()
        if error is None:
            self.error = None
        elif isinstance(error, poll.HOPELESS):
            raise error
        else:
            self._fail(error, error_text(error))

    def _read(self) -> None:
        """Take the sends as they stand: the rows of the batch, and what is or was open beside them."""
        rows = self._rows()
        known = {one.send_id for one in rows}
        more = [] if self._of is not None else [one.send_id for one in poll.open_sends(session_of(self.outbox))]
        self._ids |= dict.fromkeys(one for one in more if one not in known)
        beside = session_of(self.outbox).journal.some(one for one in self._ids if one not in known)
        self._sends = [*rows, *(beside[one] for one in self._ids if one in beside)]
        self._now = session_of(self.outbox).now()

    def _rows(self) -> list[Send]:
        batch = self._batch()
        if batch is not None:
            return _of_batch(self.outbox, batch)
        return poll.current(session_of(self.outbox), self._of) if isinstance(self._of, list) else []

    def _batch(self) -> Batch | None:
        if isinstance(self._of, Batch):
            return self._of
        return self.outbox.last_batch if self._of is None else None

    def _unconfirmed(self) -> frozenset[str]:
        return frozenset(one.send_id for one in self._sends if rules.is_unconfirmed(one, self._now, self._horizon))

    # --- showing ---

    def _draw(self) -> None:
        """Put into the page what has changed, and no more: a table that is read or selected stays as it is."""
        tag = pill(self.outbox.mode, RED if self.outbox.mode == "LIVE" else GREY)
        rows = views.followed_rows(self._sends, now=self._now, unconfirmed=self._unconfirmed())
        self._set(self.head, div(BOX, f"{tag} <b>{esc(self.line())}</b>"))
        self._set(self.table, rows.html if self._sends else "")
        batch = self._batch()
        set_shown(self.stop_sending, batch is not None and not batch.is_done)
        self.stop_sending.disabled = batch is None or batch.is_done or bool(batch.stopped_by)
        counts = self.line().partition(": ")[2]
        if self._sends and self.error is None and self._changed("said", counts, SAY_S):
            self.said.say(self.line())
        if self._changed("record", counts, KEEP_S):
            self._keep()

    def _set(self, widget: Any, html: str) -> None:
        if widget.value != html:
            widget.value = html

    def _changed(self, what: str, words: str, every_s: float) -> bool:
        """Whether this is new, and the last time it was is long enough ago."""
        now = time.monotonic()
        if self._shown.get(what) == words or now < self._due.get(what, 0.0):
            return False
        self._shown[what], self._due[what] = words, now + every_s
        return True

    def _keep(self) -> None:
        with self._lock:
            self._output.update(self.record())

    def _fail(self, error: BaseException, text: str) -> None:
        self.error = error
        self.said.say(text, tag="error", tone="error")

    def _finish(self) -> None:
        """Leave the final state in the widget and in the record, which takes the widget's place."""
        self._draw()
        for control in (self.stop_sending, self.stop_watching):
            control.disabled = True
            set_shown(control, False)
        if self.error is None:
            self.said.say(f"{self.line()}; ended: {self._ended_by}")
        self._keep()
        with self._lock:
            self._output.end(ENDED)


def _of_batch(outbox: Outbox, batch: Batch) -> list[Send]:
    """Return the rows of a batch as the journal has them: those that have not begun are waiting."""
    if batch.is_done:
        return poll.current(session_of(outbox), _distinct(batch.results()))
    wanted = _distinct(row.wanted for row in batch.plan.rows if row.wanted is not None and row.verdict != "refused")
    known = session_of(outbox).journal.some(one.send_id for one in wanted)
    return [known.get(one.send_id) or dataclasses.replace(one, status=WAITING) for one in wanted]


def _distinct(sends: Iterable[Send]) -> list[Send]:
    """Drop the rows that repeat another one; those that never became a send have no id, and all stay."""
    seen: set[str] = set()
    kept = []
    for one in sends:
        if not one.send_id or one.send_id not in seen:
            seen.add(one.send_id)
            kept.append(one)
    return kept
