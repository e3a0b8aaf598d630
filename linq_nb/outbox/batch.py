"""A batch: the rows of a plan sent by several threads, each row ending as a Send."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from linq_nb import views
from linq_nb.errors import JournalError, LinqError, NotSent, OutcomeUnknown, unmasked
from linq_nb.frames import Handles, to_frame
from linq_nb.model import BadDraft, Plan, PlanRow, Send
from linq_nb.outbox.attempt import send_checked
from linq_nb.outbox.plan import unsent
from linq_nb.outbox.poll import GRACE_S
from linq_nb.outbox.threads import Worker, join, start
from linq_nb.process import Unpicklable
from linq_nb.session import Session
from linq_nb.status import IN_HAND_STATUSES, UNCLEAR_STATUSES
from linq_nb.tables import beside
from linq_nb.text import clean

if TYPE_CHECKING:
    import pandas as pd

STOP_AFTER = 5
"""Failures in a row after which a batch stops: the key, the network or Linq is at fault, not the rows."""

MAX_WORKERS = 256

POLL_S = 0.2
"""Polling interval of ``wait()``, in seconds."""

_running: weakref.WeakSet[Batch] = weakref.WeakSet()


def stop_batches(why: str, session: Session | None = None, seconds: float = math.inf) -> list[Batch]:
    """Stop the batches that go on, all or those of a session, and wait for what is under way; returns them.

    Batches of the process that forked this one are left alone: they go on there.
    """
    here = [batch for batch in list(_running) if batch._session.home.is_here]
    batches = [batch for batch in here if session is None or session is batch._session]
    unfinished = [batch for batch in batches if not batch.is_done]
    for batch in unfinished:
        batch.stop(why)
    for batch in batches:
        join(batch._threads, seconds)
    return unfinished


@atexit.register
def _stop_at_exit() -> None:
    """Stop the batches that a script did not wait for, and say so."""
    for batch in stop_batches("Python ended", seconds=GRACE_S):
        sys.stderr.write(f"linq_nb: {batch.line()}; run it again to go on; batch.wait() waits for all rows\n")


class Batch(Unpicklable):
    """A plan being sent. Iterating gives a Send for each row, in plan order, also for rows that were not sent.

    ``wait()`` returns when all is done; Ctrl-C stops it: no further row starts, what is under way is written down
    truly, and KeyboardInterrupt is raised again. Run the same again to go on. In a forked child every call raises
    SettingsError.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        *,
        workers: int = 4,
        accept: Collection[str] = (),
        stop_after: int = STOP_AFTER,
    ) -> None:
        if not isinstance(plan, Plan):
            kind = type(plan).__name__
            raise LinqError(
                f"send_all takes a plan, not a value of type {kind}; nothing was sent; outbox.plan makes one"
            )
        session.check_plan(plan)
        if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MAX_WORKERS:
            raise LinqError(
                f"workers is a whole number from 1 to {MAX_WORKERS}, not {workers!r}; nothing was sent; "
                "give a number in this range"
            )
        self.plan, self.stopped_by = plan, ""
        self._session, self._accept, self._stop_after = session, accept, stop_after
        self._started_at = session.now()
        self._results: list[Send | None] = [None] * len(plan.rows)
        self._first_rows = {row.wanted.send_id: row.row for row in reversed(plan.rows) if row.wanted}
        self._next = self._done = self._failures_in_a_row = 0
        self._changed = threading.Condition()
        self._crash: BaseException | None = None
        self._workers = min(workers, max(len(plan.rows), 1))
        self._threads: list[Worker] = []

    def _start(self) -> Batch:
        """Start the workers, or fewer of them when the system refuses more threads."""
        _running.add(self)
        try:
            start(self._threads, self._work, "linq_nb batch", self._workers)
        except KeyboardInterrupt:
            self.stop("interrupted")
            raise
        if isinstance(self._crash, KeyboardInterrupt):  # no thread could be started, so the rows were sent here
            raise self._crash
        return self

    def __repr__(self) -> str:
        return f"Batch({self._line()})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return views.progress(self._line())._repr_mimebundle_()

    def __len__(self) -> int:
        return len(self.plan.rows)

    def __iter__(self) -> Iterator[Send]:
        self._session.home.check()
        return self._in_order()

    def _in_order(self) -> Iterator[Send]:
        with self._interruptible():
            for row in range(len(self)):
                yield self._result(row)

    @property
    def done(self) -> int:
        """Number of rows that have ended."""
        self._session.home.check()
        return self._done

    @property
    def is_done(self) -> bool:
        """Whether every row has ended."""
        return self.done == len(self)

    def line(self) -> str:
        """Return the progress in one line: ``38 of 41 rows: 36 queued, 2 rejected``."""
        self._session.home.check()
        return self._line()

    def _line(self) -> str:
        if not self._session.home.is_here:
            return f"of process {self._session.home.pid}"
        counts = Counter("already sent" if send.repeated else send.status for send in self.results())
        words = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        head = f"{self.done} of {len(self)} rows" + (f": {words}" if words else "")
        if self.stopped_by:
            return f"{head}; stopped: {self.stopped_by}"
        wait_s = 0.0 if self.is_done else self._session.throttle.rate_limit_wait_s()
        return f"{head}; Linq asks to wait {math.ceil(wait_s)} s" if wait_s else head

    def wait(self, timeout: float | None = None, tick: Callable[[Batch], None] | None = None) -> Batch:
        """Wait until every row has ended, at most ``timeout`` seconds; ``tick`` is called with the batch meanwhile."""
        self._session.home.check()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._interruptible():
            while not self.is_done and (deadline is None or time.monotonic() < deadline):
                with self._changed:
                    self._changed.wait_for(lambda: self.is_done, POLL_S)
                if tick:
                    tick(self)
            if self.is_done:
                join(self._threads)
        if self._crash:
            raise self._crash
        return self

    def stop(self, why: str = "asked to stop") -> None:
        """Start no further row; those under way end truly. The others are ``not_sent``."""
        self._session.home.check()
        with self._changed:
            self.stopped_by = self.stopped_by or clean(why, 600)
            self._changed.notify_all()

    def results(self) -> list[Send]:
        """Return the Sends of the rows that have ended, in plan order."""
        self._session.home.check()
        return [send for send in self._results if send is not None]

    def frame(self, handles: Handles = "masked") -> pd.DataFrame:
        """Return the rows that have ended as a DataFrame: what happened to each, then the other columns of its table.

        Handles in these are masked unless ``handles`` is "full".
        """
        self._session.home.check()
        key = self._session.journal.hash_key() if handles == "hashed" else None
        ended = [(row, send) for row, send in zip(self.plan.rows, self._results, strict=True) if send is not None]
        frame = to_frame([send for _, send in ended], handles, kind="sends", key=key)
        return beside(frame, [row.draft.other_columns for row, _ in ended], masked=handles != "full")

    # --- the workers ---

    def _work(self) -> None:
        row: PlanRow | None = None
        try:
            while (row := self._take()) is not None:
                with self._session.timeline(self._started_at):
                    self._finish(row, self._send(row))
        except BaseException as error:  # noqa: BLE001  a fault of ours is raised by wait(), not lost in a thread
            self._crash = error
            self.stop("interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}")
            self._give_up(row, error)

    def _take(self) -> PlanRow | None:
        """Return the next row to work on; after a stop the rows that would be sent end here."""
        with self._changed:
            while self._next < len(self):
                row = self.plan.rows[self._next]
                self._next += 1
                if not self.stopped_by or row.verdict != "send":
                    return row
                self._end(row, self._not_sent(row, f"not sent: the batch stopped ({self.stopped_by})"))
            self._changed.notify_all()
            return None

    def _send(self, row: PlanRow) -> Send:
        """Send a row, or say why not."""
        if row.verdict == "refused" or isinstance(row.draft, BadDraft):
            return self._not_sent(row, row.why)
        if row.verdict == "duplicate":
            first = self._first_rows[row.wanted.send_id] if row.wanted else row.row
            return dataclasses.replace(self._result(first), repeated=True)
        try:
            return send_checked(self._session, row.draft, self._accept, self._pause)
        except LinqError as error:
            return self._failed(row, error)

    def _pause(self, seconds: float) -> None:
        """Pause as Linq asks for it, but not longer than the batch goes on; raises NotSent when it has stopped."""
        self._session.throttle.pause(seconds, lambda: bool(self.stopped_by))
        if self.stopped_by:
            raise NotSent(f"not sent: the batch stopped ({self.stopped_by}); run it again to go on")

    def _failed(self, row: PlanRow, error: BaseException) -> Send:
        """Return what the journal holds of a row that failed, else a Send that says what the error means for it."""
        journalled, is_unreadable = None, isinstance(error, JournalError)  # a second look would only wait again
        if row.wanted and not is_unreadable:
            with contextlib.suppress(LinqError):
                journalled = self._session.journal.get(row.wanted.send_id)
        if journalled is not None and journalled.status not in IN_HAND_STATUSES:
            return dataclasses.replace(journalled, error_message=journalled.error_message or unmasked(error))
        if is_unreadable:
            may_be_sent = row.verdict in ("already_sent", "unclear")
        else:
            is_unclear = journalled is not None and journalled.status in UNCLEAR_STATUSES
            may_be_sent = is_unclear or isinstance(error, OutcomeUnknown)
        send = self._not_sent(row, unmasked(error) or type(error).__name__)
        return dataclasses.replace(send, status="unknown") if may_be_sent else send

    def _not_sent(self, row: PlanRow, why: str) -> Send:
        """Return the Send of a row that never went to the journal."""
        return unsent(row, self._session.client.base_url, status="not_sent", why=why)

    def _finish(self, row: PlanRow, send: Send) -> None:
        # a fault that the next row would meet too
        is_fault = send.status in ("unknown", "not_sent") or (send.status == "rejected" and send.http_status == 401)
        with self._changed:
            self._end(row, send)
            if row.verdict == "send":
                self._failures_in_a_row = self._failures_in_a_row + 1 if is_fault else 0
        if self._stop_after and self._failures_in_a_row >= self._stop_after:
            self.stop(f"{self._failures_in_a_row} failures in a row, the last: {send.error_message}")

    def _end(self, row: PlanRow, send: Send) -> None:
        self._results[row.row] = send
        self._done += 1
        if self.is_done:  # waking the waiting threads for each row would cost more than the row
            self._changed.notify_all()

    def _give_up(self, current: PlanRow | None, error: BaseException) -> None:
        """End the rows that no worker will end after a fault of ours; ``current`` is the row at which it happened."""
        ended = self._failed(current, error) if current is not None else None
        with self._changed:
            for row in self.plan.rows:
                if self._results[row.row] is not None:
                    continue
                if row is current and ended is not None:
                    self._end(row, ended)
                elif row.row >= self._next:
                    self._end(row, self._not_sent(row, f"not sent: {self.stopped_by}"))
            self._next = len(self)  # another worker must not end them a second time
            self._changed.notify_all()

    def _result(self, row: int) -> Send:
        self._session.home.check()
        with self._changed:
            while (send := self._results[row]) is None:
                self._changed.wait(POLL_S)
        return send

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C start nothing more, give what is under way a moment to be written down, and raise again."""
        try:
            yield
        except KeyboardInterrupt:
            self.stop("interrupted")
            join(self._threads, GRACE_S)
            raise
