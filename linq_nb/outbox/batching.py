"""A batch: the rows of a plan sent by several workers, each row ending as a Send."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from linq_nb import views
from linq_nb.errors import JournalError, LinqError, NotSent, OutcomeUnknown
from linq_nb.frames import Handles, to_frame
from linq_nb.model import BadDraft, Plan, PlanRow, Send
from linq_nb.outbox import sending

if TYPE_CHECKING:
    import pandas as pd

    from linq_nb.outbox.core import Outbox

STOP_AFTER = 5
"""Failures in a row after which a batch stops: the key, the network or Linq is at fault, not the rows."""

GRACE_S = 2.0
"""How long an interrupt waits for the requests that are under way, in seconds."""

LOOK_EVERY_S = 0.2
"""How often who waits for rows looks whether they have ended, in seconds."""


_running: weakref.WeakSet[Batch] = weakref.WeakSet()


def end_all(why: str, outbox: Outbox | None = None, seconds: float | None = None) -> list[Batch]:
    """Stop the batches that go on, all or those of an outbox, and wait for what is under way; returns them."""
    batches = [one for one in list(_running) if one.is_of(outbox)]
    stopped = [one for one in batches if not one.is_done]
    for one in stopped:
        one.stop(why)
    for one in batches:
        one.join(seconds)
    return stopped


@atexit.register
def _end_with_python() -> None:
    """Let no batch end in the middle of a request, nor without a word, when a script does not wait for it."""
    for one in end_all("Python ended", seconds=GRACE_S):
        sys.stderr.write(f"linq_nb: {one.line()}; run it again to go on; batch.wait() waits for all rows\n")


class Batch:
    """A plan being sent. Iterating gives one Send a row, in plan order, those that did not go too.

    ``wait()`` returns when all is done; Ctrl-C stops it: no further row starts, what is under way is written down
    truly, and KeyboardInterrupt is raised again. Run the same again to go on.
    """

    def __init__(
        self,
        outbox: Outbox,
        plan: Plan,
        *,
        workers: int,
        accept: Collection[str] = (),
        stop_after: int = STOP_AFTER,
    ) -> None:
        self.plan, self.stopped_by = plan, ""
        self._outbox, self._accept, self._stop_after = outbox, accept, stop_after
        self._started = outbox.now()
        self._results: list[Send | None] = [None] * len(plan.rows)
        self._first = {one.wanted.send_id: one.row for one in reversed(plan.rows) if one.wanted}
        self._next = self._done = 0
        self._in_a_row = 0
        self._changed = threading.Condition()
        self._crashed: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"linq_nb batch {number}", daemon=True)
            for number in range(min(workers, max(len(plan.rows), 1)))
        ]
        outbox.last_batch = self  # before anything goes out: an interrupt must leave what can be stopped
        _running.add(self)
        try:
            for thread in self._threads:
                thread.start()
        except BaseException as error:
            self.stop("interrupted" if isinstance(error, KeyboardInterrupt) else str(error))
            if not isinstance(error, OSError | RuntimeError):
                raise
            self._give_up(None, error)
            raise LinqError(
                f"the batch could not begin ({error}); nothing was sent; close files or programs"
            ) from error

    def __repr__(self) -> str:
        return f"Batch({self.line()})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return views.progress(self.line())._repr_mimebundle_()

    def __len__(self) -> int:
        return len(self.plan.rows)

    def __iter__(self) -> Iterator[Send]:
        with self._interruptible():
            for row in range(len(self)):
                yield self._result(row)

    def is_of(self, outbox: Outbox | None) -> bool:
        """Whether this outbox sends it; None is any."""
        return outbox is None or outbox is self._outbox

    @property
    def done(self) -> int:
        """How many rows have ended."""
        return self._done

    @property
    def is_done(self) -> bool:
        return self.done == len(self)

    def line(self) -> str:
        """Say in one line how far it is: ``38 of 41: 36 queued, 2 rejected``."""
        counts: dict[str, int] = {}
        for one in self._results:
            if one is not None:
                word = "already sent" if one.repeated else one.status
                counts[word] = counts.get(word, 0) + 1
        told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        head = f"{self.done} of {len(self)} rows" + (f": {told}" if told else "")
        if self.stopped_by:
            return f"{head}; stopped: {self.stopped_by}"
        wait = 0.0 if self.is_done else self._outbox.client.turn_in()
        return f"{head}; Linq asks to wait {math.ceil(wait)} s" if wait else head

    def wait(self, timeout: float | None = None, tick: Callable[[Batch], None] | None = None) -> Batch:
        """Wait until every row has ended, at most ``timeout`` seconds; ``tick`` is called as it goes on."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._interruptible():
            while not self.is_done and (deadline is None or time.monotonic() < deadline):
                with self._changed:
                    self._changed.wait_for(lambda: self.is_done, LOOK_EVERY_S)
                if tick:
                    tick(self)
            if self.is_done:
                self.join()
        if self._crashed:
            raise self._crashed
        return self

    def stop(self, why: str = "asked to stop") -> None:
        """Start no further row; those under way end truly. The others are ``not_sent``."""
        with self._changed:
            self.stopped_by = self.stopped_by or why
            self._changed.notify_all()

    def results(self) -> list[Send]:
        """Return the Sends of the rows that have ended, in plan order."""
        return [one for one in self._results if one is not None]

    def frame(self, handles: Handles = "masked") -> pd.DataFrame:
        """Return the rows that have ended as a DataFrame: what happened to each."""
        key = self._outbox.hash_key() if handles == "hashed" else None
        return to_frame(self.results(), handles, kind="sends", key=key)

    # --- the workers ---

    def _work(self) -> None:
        row: PlanRow | None = None
        try:
            while (row := self._take()) is not None:
                with self._outbox.timeline(self._started):
                    self._finish(row, self._sent(row))
        except BaseException as error:  # noqa: BLE001  a fault of ours must reach whoever waits, not die in a thread
            self._crashed = error
            self.stop(f"{type(error).__name__}: {error}")
            self._give_up(row, error)

    def _take(self) -> PlanRow | None:
        with self._changed:
            while self._next < len(self):
                row = self.plan.rows[self._next]
                self._next += 1
                if self.stopped_by and row.verdict == "send":
                    self._end(row, self._not_sent(row, f"not sent: the batch stopped ({self.stopped_by})"))
                    continue
                return row
            self._changed.notify_all()
            return None

    def _sent(self, row: PlanRow) -> Send:
        """Send one row, or say why not."""
        if row.verdict == "refused" or isinstance(row.draft, BadDraft):
            return self._not_sent(row, row.why)
        if row.verdict == "duplicate":
            return self._same_as(row)
        try:
            return sending.send_checked(self._outbox, row.draft, self._accept, self._rest)
        except LinqError as error:
            return self._failed(row, error)

    def _rest(self, seconds: float) -> None:
        """Pause as Linq asks for it, but not longer than the batch goes on; raises NotSent when it has stopped."""
        self._outbox.client.rest(seconds, lambda: bool(self.stopped_by))
        if self.stopped_by:
            raise NotSent(f"not sent: the batch stopped ({self.stopped_by}); run it again to go on")

    def _failed(self, row: PlanRow, error: BaseException) -> Send:
        """Return what the journal holds of a row that failed, else a Send that says what the error means for it."""
        wanted, is_unreadable = row.wanted, isinstance(error, JournalError)  # reading it too would only wait again
        journalled = None
        with contextlib.suppress(LinqError):
            journalled = self._outbox.journal.get(wanted.send_id) if wanted and not is_unreadable else None
        if journalled is not None and journalled.status not in ("preparing", "sending"):
            return journalled if journalled.error_message else dataclasses.replace(journalled, error_message=str(error))
        send = self._not_sent(row, str(error) or type(error).__name__)
        may_be_sent = (
            row.verdict in ("already_sent", "unclear")
            if is_unreadable
            else isinstance(error, OutcomeUnknown) or (journalled is not None and journalled.status == "sending")
        )
        return dataclasses.replace(send, status="unknown") if may_be_sent else send

    def _same_as(self, row: PlanRow) -> Send:
        """Return the Send of the row that this one repeats."""
        first = self._first[row.wanted.send_id] if row.wanted else row.row
        return dataclasses.replace(self._result(first), repeated=True)

    def _not_sent(self, row: PlanRow, why: str) -> Send:
        """Make the Send of a row that never went to the journal."""
        wanted = row.wanted
        if wanted is None:
            draft = row.draft
            chat = draft.chat if isinstance(draft, BadDraft) else draft.chat_id
            name = draft.audio if isinstance(draft, BadDraft) else draft.memo.label
            wanted = Send(send_id="", base_url=self._outbox.client.base_url, content="", chat_id=chat, filename=name)
        return dataclasses.replace(wanted, status="not_sent", error_message=why)

    def _finish(self, row: PlanRow, send: Send) -> None:
        with self._changed:
            self._end(row, send)
            if row.verdict == "send":
                self._in_a_row = self._in_a_row + 1 if _is_fault(send) else 0
        if self._stop_after and self._in_a_row >= self._stop_after:
            self.stop(f"{self._in_a_row} failures in a row, the last: {send.error_message}")

    def _end(self, row: PlanRow, send: Send) -> None:
        """Take down how a row ended; who waits looks by themselves: to wake them for each row costs more than a row."""
        self._results[row.row] = send
        self._done += 1
        if self.is_done:
            self._changed.notify_all()

    def _give_up(self, current: PlanRow | None, error: BaseException) -> None:
        """End the rows that no worker will end after a fault of ours; ``current`` is the row at which it happened."""
        ended = self._failed(current, error) if current is not None else None
        with self._changed:
            for row in self.plan.rows:
                if self._results[row.row] is None and row is current and ended is not None:
                    self._end(row, ended)
                elif self._results[row.row] is None and row.row >= self._next:
                    self._end(row, self._not_sent(row, f"not sent: {self.stopped_by}"))
            self._next = len(self)  # another worker must not end them a second time
            self._changed.notify_all()

    def _result(self, row: int) -> Send:
        with self._changed:
            while (found := self._results[row]) is None:
                self._changed.wait(LOOK_EVERY_S)
        return found

    def join(self, seconds: float | None = None) -> None:
        """Wait for the requests that are under way, at most so many seconds; rows not begun are not waited for."""
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in [thread for thread in self._threads if thread.ident is not None]:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C start nothing more, give what is under way a moment to be written down, and raise again."""
        try:
            yield
        except KeyboardInterrupt:
            self.stop("interrupted")
            self.join(GRACE_S)
            raise


def _is_fault(send: Send) -> bool:
    """Whether a row failed by a fault that the next row will meet too."""
    return send.status in ("unknown", "not_sent") or (send.status == "rejected" and send.http_status == 401)


def start(
    outbox: Outbox, plan: Plan, *, workers: int, accept: Collection[str] = (), stop_after: int = STOP_AFTER
) -> Batch:
    """Start sending a plan."""
    if not isinstance(plan, Plan):
        given = type(plan).__name__
        raise LinqError(f"what is sent is a plan, not a value of type {given}; nothing was sent; outbox.plan makes one")
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 256:
        raise LinqError(f"workers is a whole number from 1 to 256, not {workers!r}; nothing was sent")
    return Batch(outbox, plan, workers=workers, accept=accept, stop_after=stop_after)
