"""The sends of a form: what its page shows, what is asked first, a press, a batch, and following what becomes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Collection, Iterator
from typing import Any

from linq_nb import consent, live, views
from linq_nb.errors import AudioError, LinqError, OutcomeUnknown
from linq_nb.forms import wording
from linq_nb.forms.chat_choice import chat_row
from linq_nb.forms.choice import Choice
from linq_nb.forms.outcomes import Outcomes
from linq_nb.model import Draft, Event, Plan, PlanRow, Send
from linq_nb.outbox import Outbox, attempt, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.follow import Follower
from linq_nb.process import Unpicklable
from linq_nb.status import UNCLEAR_STATUSES, is_going_well
from linq_nb.text import clean, mask_text
from linq_nb.views.status_table import WAITING
from linq_nb.widgets.actions import SEND_ANYWAY, TRY_AGAIN, act
from linq_nb.widgets.base import Widget
from linq_nb.widgets.guard import Guard, error_text
from linq_nb.widgets.output import note

MAX_STATUS = 600
"""Characters that the status line shows at most."""

LOOK_S = 0.2
"""Interval at which the form shows the progress of its batch, in seconds."""

KEEP_S = 2.0
"""Interval at which the record of the form is renewed during a batch, in seconds."""

NOTHING_SENT = (
    "Nothing was sent from this form yet. The form works as long as its kernel does; run this cell again for a new one."
)


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked before a send: the plan, the findings that are accepted with a yes, and whether to ask why."""

    plan: Plan
    accept: frozenset[str] = frozenset()


class Sending(Unpicklable, Widget):
    """The part of the form that sends and shows: everything from the press on. ``SendForm`` adds the choice."""

    def __init__(self, outbox: Outbox, *, double_click_s: float, follow: bool) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self.choice, self.outcomes = Choice(outbox), Outcomes(outbox)
        self.status: dict[str, str] = {"words": "", "tag": "", "tone": "quiet"}
        self.question: Question | None = None
        self.batch: Batch | None = None
        self._batch_follower: Follower | None = None
        self.source, self.files = "", tuple[str, ...]()
        self.recorder: Any = None
        self._kept: dict[str, Send] = {}
        self._last_sent: dict[str, Any] = {}
        self._focus_next, self._scrolls = "", False
        self._kept_at = self._ended_at = -math.inf
        self._double_click_s, self._may_follow, self._has_page = double_click_s, follow, False
        self._guard = Guard(self._fail, self._end_work)
        super().__init__()

    @property
    def view(self) -> dict[str, Any]:
        """What the page shows but for the lists, the card and code, as JSON."""
        choice, batch, plan = self.choice, self.batch, self.choice.plan
        asks, verdict = self.question, wording.plan_verdict(self.choice.plan)
        is_sending = batch is not None or self.status["tone"] == "busy"
        progress = f"Sending {min(batch.done + 1, len(batch))} of {len(batch)} …" if batch is not None else ""
        may_send = verdict in ("send", "unclear") and not asks and not is_sending
        has_sent = bool(self.outcomes)
        may_resend = may_send and verdict == "send"  # what is unclear has a button in the list
        is_shown = not asks and (not has_sent or is_sending or may_resend)
        all_well = all(is_going_well(send.status) for send in self.sends)
        failed, may_convert = isinstance(self.error, AudioError), choice.audio.may_convert()
        return {
            "mode": self.outbox.mode,
            "step": self._step(is_sending=is_sending),
            "status": self.status,
            "send": {"label": progress or wording.button_text(plan), "enabled": may_send, "shown": is_shown},
            "stop": {"enabled": batch is not None and not batch.stopped_by, "shown": batch is not None},
            "ask": _asked(self.question) if self.question else None,
            "again": has_sent and not is_sending and not asks,
            "source": self.source,
            "files": list(self.files),
            "copy": choice.copy,
            "may_copy": all_well and (choice.copy > 1 or wording.may_set_copy(plan)),
            "convert": choice.convert,
            "may_convert": not has_sent and (choice.convert or wording.wants_m4a(plan) or (failed and may_convert)),
            "may_code": plan is not None and not has_sent,
            "records": self.recorder is not None,
            "unmatched": [
                {"text": text, "shown": clean(text, 80), "why": clean(mask_text(why), 300)}
                for text, why in choice.list.unmatched.items()
            ],
            "table": clean(choice.table.name) if choice.table else "",
            "acceptable": [] if has_sent or asks else wording.acceptable_groups(plan),
            "has_sent": has_sent,
            "progress": self.outcomes.summary(),
        }

    def _step(self, *, is_sending: bool) -> str:
        """Return the step at which the form is: choose, check, send, follow or done."""
        if is_sending or self.question:
            return "send"
        if self.outcomes:
            is_unclear = any(send.status in UNCLEAR_STATUSES for send in self.sends)
            return "follow" if self.outcomes.is_open or is_unclear else "done"
        return "check" if self.choice.plan is not None else "choose"

    def _draw(self) -> None:
        """Send the page what has changed."""
        for name, value in (("card", self.choice.card), ("view", self.view), ("rows", self.outcomes.rows())):
            if self._last_sent.get(name) != value:
                self._last_sent[name] = value
                self.send({"kind": name, name: value})

    def _offer(self) -> None:
        """Send the page the chats to choose from."""
        rows = [chat_row(chat) for chat in self.choice.list.offered]
        self.send({"kind": "chats", "chats": rows, "is_complete": self.choice.list.is_read})

    def _refresh(self) -> None:
        """Plan what is chosen and show its card; not during a batch, whose end does the same."""
        if self.batch is None:
            self.question, self.error = None, None
            self.outcomes.clear()
            self.choice.make_plan()
            self.say(wording.next_step(self.choice))

    def _end_work(self) -> None:
        """Show the current state, then put the cursor where it belongs."""
        self._draw()
        if self._scrolls:  # what was drawn may have pushed the button out of sight
            self.send({"kind": "scroll"})
            self._scrolls = False
        if self._focus_next:
            self.send({"kind": "focus", "on": self._focus_next})
            self._focus_next = ""

    def _fail(self, error: BaseException) -> None:
        self.error, self.question = error, None
        words = wording.UNCLEAR if isinstance(error, OutcomeUnknown) else error_text(error)
        self.say(words, tag="error", tone="error")

    def say(self, words: str, *, tag: str = "", tone: str = "quiet") -> None:
        """Show a text in the status line; "ask" and "error" are read out at once."""
        self.status = {"words": clean(words, MAX_STATUS), "tag": tag, "tone": tone}

    @property
    def sends(self) -> tuple[Send, ...]:
        """What the presses gave for what is chosen, as it now stands."""
        return self.outcomes.sends

    @property
    def _done(self) -> list[Send]:
        """What the presses of this form gave so far, in the order of the plans."""
        return [send for send in self._kept.values() if send.status != WAITING.word]

    def record(self) -> views.Shown:
        """Return what was done with this form, as a display that needs no kernel."""
        self._session.home.check()
        if not self._done:
            return note(NOTHING_SENT)
        lines = [views.line(send).removeprefix("Send ") for send in self._done]
        rows = [(str(number), line) for number, line in enumerate(lines, 1)]
        return views.summary(f"{self.outbox.mode}: sent from this form", rows)

    def wait(self) -> None:
        """Wait until the sends that a press started have ended; Ctrl-C stops them, and is raised again."""
        self._session.home.check()
        batch, follower = self.batch, self._batch_follower
        if batch is None or follower is None:
            return
        try:
            follower.join()
        except KeyboardInterrupt:
            batch.stop("interrupted")
            raise

    # --- sending ---

    def _press(self) -> None:
        plan = self.choice.plan
        if plan is None or self.batch is not None or time.monotonic() - self._ended_at < self._double_click_s:
            return
        verdict = wording.plan_verdict(plan)
        if verdict == "send":
            self._ask_or_send(plan)
        elif verdict == "unclear":
            self._send_plan(plan)

    def _ask_or_send(self, plan: Plan) -> None:
        if consent.must_ask(_ask_setting(), self.outbox.mode, self._session.account):
            self._ask(Question(plan))
        else:
            self._send_plan(plan)

    def _ask(self, question: Question) -> None:
        """Ask once more before a send; the cursor goes to No, so Enter is no."""
        drafts = [row.draft for row in question.plan.rows if row.verdict == "send" and isinstance(row.draft, Draft)]
        self.question = question
        chats = [self._session.chat_of(draft) for draft in drafts]
        words = consent.question(drafts[0].memo, chats, self._session.journal.label, self._session.live_note)
        despite = f" Despite: {', '.join(sorted(question.accept))}." if question.accept else ""
        self.say(words + despite, tag=self.outbox.mode, tone="ask")
        self._focus_next = "no"

    def _confirm(self, reason: str = "") -> None:
        question, self.question = self.question, None
        if question is None or self.batch is not None:
            return
        if self.outbox.mode == "LIVE" and not question.accept:
            consent.remember(self._session.account)
        self._note_accepted(question, reason)
        self._send_plan(question.plan, question.accept)

    def _note_accepted(self, question: Question, reason: str) -> None:
        """Write down that a person sends despite findings, and why."""
        body = {"accepted": sorted(question.accept), "reason": clean(reason, MAX_STATUS)}
        wanted = [row.wanted for row in question.plan.rows if row.verdict == "send" and row.wanted]
        if question.accept:
            at = self._session.now()
            events = (Event(send_id=send.send_id, at=at, source="accept", body=body) for send in wanted)
            self._session.journal.note(*events)

    def _refuse(self) -> None:
        self.question = None
        self.say("Nothing was sent.")
        self._focus_next = "send"

    def _ask_to_accept(self, plan_rows: Collection[PlanRow]) -> None:
        """Ask whether to send these rows despite the findings that a person may accept."""
        accept = frozenset(code for row in plan_rows for code in wording.acceptable(row))
        if not accept or self.batch is not None:
            return
        self._ask_or_show(Question(self.outbox.plan([row.draft for row in plan_rows], accept=accept), accept))

    def _ask_or_show(self, question: Question) -> None:
        """Ask before a send; where nothing would be sent any more, show why."""
        if wording.plan_verdict(question.plan) == "send":
            self._ask(question)
            return
        if not self.outcomes:
            self._refresh()
            return
        self.outcomes.recorded(question.plan)
        self._keep()
        self.say("Nothing was sent now; the list says why.")

    def _act(self, key: str, name: str, reason: str) -> None:
        """Do what the list offers for one recipient."""
        outcome = self.outcomes.get(key)
        if outcome is None or self.batch is not None or name not in {item.name for item in self.outcomes.actions(key)}:
            return
        self.error = None
        if name == SEND_ANYWAY.name:
            self._ask_to_accept([outcome.row])
        elif name == TRY_AGAIN.name:
            self._try_again(outcome.row)
        else:
            self.outcomes.put(key, act(self.outbox, outcome.send, name, reason))
            self._keep()
            self.choice.make_plan()
            self.say("")
            self._follow()

    def _try_again(self, row: PlanRow) -> None:
        """Send a row of which nothing was sent, as the checks see it now; what needs a yes is asked again."""
        plan = self.outbox.plan([row.draft])
        if wording.acceptable(plan.rows[0]):
            self._ask_to_accept(plan.rows)
        elif wording.plan_verdict(plan) == "send":
            self._ask_or_send(plan)
        else:
            self._ask_or_show(Question(plan))

    def _send_plan(self, plan: Plan, accept: frozenset[str] = frozenset()) -> None:
        """Send a plan: one draft at once, with its error raised; several by a batch."""
        self.error, self.question = None, None
        self.outcomes.begin(plan)
        self._kept |= self.outcomes.by_key
        if len(plan.rows) > 1:
            self._start_batch(plan, accept)
            return
        self.say("Sending ...", tone="busy")
        self._draw()
        with self._ending(plan):
            self.outcomes.end(plan, [attempt.send(self._session, row.draft, accept) for row in plan.rows])  # type: ignore[arg-type]
            self._keep()
        self.say(wording.next_step(self.choice))
        self._scrolls = True

    def _start_batch(self, plan: Plan, accept: frozenset[str]) -> None:
        batch = self.batch = self.outbox.send_all(plan, accept=accept)
        if batch.is_done:  # at once, where there are no threads, as in JupyterLite
            self._end_batch(batch, None)
            return
        self._batch_follower = Follower(lambda: self._show_progress(batch))
        self.say(f"Sending to {len(batch)} chats.", tone="busy")
        self._scrolls = True
        self._batch_follower.start("linq_nb form", self._guard(lambda error: self._end_batch(batch, error)))

    def _show_progress(self, batch: Batch) -> float | None:
        """Show the progress of a batch, in the follower's thread; returns the pause until the next time."""
        if not batch.is_done:
            self.outcomes.show_progress(batch)
            if time.monotonic() - self._kept_at > KEEP_S:
                self._keep()
            self._draw()
        return None if batch.is_done else LOOK_S

    def _end_batch(self, batch: Batch, error: Exception | None) -> None:
        """Show how a batch ended and what to do next; an incomplete batch is an alert."""
        self.batch = None
        with self._ending(batch.plan):
            self.outcomes.end(batch.plan, batch.wait())
            self._keep()
        if error is not None:
            raise error
        if all(is_going_well(send.status) for send in self.sends):
            self.say(wording.next_step(self.choice) if self.choice.plan is not None else "")
        else:
            self.say("Those that went are not sent again.", tag="not all", tone="error")
        self._scrolls = True

    @contextlib.contextmanager
    def _ending(self, plan: Plan) -> Iterator[None]:
        """After a send, show the new plan and follow; after a failure, also what the journal has of these drafts."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(LinqError):
                self.outcomes.recorded(plan)
                self._keep()
            raise
        finally:
            self._ended_at = time.monotonic()
            if self.choice.list.refresh():
                self._offer()
            with contextlib.suppress(LinqError):  # of the next plan, such as a DataFrame that is gone; this one is sent
                self.choice.make_plan()
            self._follow()

    def _stop(self) -> None:
        if self.batch is not None:
            self.batch.stop("stopped in the form")
            self.say("Stopping: no further send starts; those under way end.", tone="busy")

    def _keep(self) -> None:
        """Keep the sends in the record below the form."""
        self._kept_at = time.monotonic()
        self._kept |= self.outcomes.by_key
        if self._done:
            self._output.update(self.record())

    # --- following ---

    def _follow(self) -> None:
        if self._may_follow and self._has_page:
            self.outcomes.follow(self._guard(self._show_followed), self._guard(self._end_following))

    def _show_followed(self) -> None:
        """Show the sends as the journal has them now; the record is renewed at most every KEEP_S seconds."""
        if self.outcomes.refresh() and time.monotonic() - self._kept_at > KEEP_S:
            self._keep()

    def _end_following(self, error: Exception | None) -> None:
        self.outcomes.refresh()
        self._keep()
        if error is not None:
            raise error


def _asked(question: Question) -> dict[str, Any]:
    """Return what the button for yes says, and whether the page asks for a reason."""
    words = wording.button_text(question.plan).replace("Send", "send", 1)
    return {"yes": f"Yes, {words}{' anyway' if question.accept else ''}", "reason": bool(question.accept)}


def _ask_setting() -> str:
    """Return ``%config LinqMagics.ask``, "each" where the magics are not loaded."""
    configurables = getattr(live.ipython_shell(), "configurables", ())
    magics = (item for item in configurables if type(item).__name__ == "LinqMagics")
    return str(getattr(next(magics, None), "ask", "each"))
