"""What became of the presses of a form: a send for each recipient, followed until nothing more is expected."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from linq_nb import rules, views
from linq_nb.forms.wording import UNCLEAR
from linq_nb.model import BadDraft, Draft, Finding, Plan, PlanRow, Send
from linq_nb.outbox import Outbox, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.follow import Follower, StatusPolls
from linq_nb.outbox.plan import unsent
from linq_nb.outbox.poll import HOPELESS, current
from linq_nb.status import UNCONFIRMED_AFTER, Status, is_going_well, is_opt_out, status_of
from linq_nb.text import clean
from linq_nb.views.status_table import WAITING, state_of
from linq_nb.widgets.actions import Action, actions_for, sending_actions

LOOK_S = 0.5
"""Polling interval of the journal while sends are followed, in seconds."""

MOST_ROWS = 100
"""Recipients that the list shows; of more, those that went well are left out first."""

OPTED_OUT = Status("opted out", "red", "the recipient opted out; nothing is sent to them until they write to you again")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One recipient: the row that was planned, and its send as it stands; None before it begins."""

    row: PlanRow
    send: Send


class Outcomes:
    """A send for each recipient of the presses so far, by its draft: the list that the page shows.

    ``follow`` asks Linq for what is due, in a thread of its own, and calls ``changed`` under the form's guard.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox, self._session = outbox, session_of(outbox)
        self._rows: dict[str, Outcome] = {}
        self._polls = StatusPolls(self._session, UNCONFIRMED_AFTER)
        self._follower: Follower | None = None
        self._looked_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._rows)

    @property
    def sends(self) -> tuple[Send, ...]:
        return tuple(outcome.send for outcome in self._rows.values())

    @property
    def by_key(self) -> dict[str, Send]:
        """The send of each recipient, in the order of the plans."""
        return {key: outcome.send for key, outcome in self._rows.items()}

    def clear(self) -> None:
        """Forget the recipients; their sends go on."""
        self.stop()
        self._rows = {}

    def begin(self, plan: Plan) -> None:
        """List the rows of a plan that is about to be sent; those of earlier presses stay in their places."""
        self.stop()
        for row in plan.rows:
            self._rows[_key(row)] = Outcome(row, self._planned(row))

    def show_progress(self, batch: Batch) -> None:
        """Update the rows of a running batch from the journal."""
        recorded = self._session.journal.get_many(row.wanted.send_id for row in batch.plan.rows if row.wanted)
        for row in batch.plan.rows:
            if row.wanted is not None and (send := recorded.get(row.wanted.send_id)) and row.verdict != "refused":
                self._rows[_key(row)] = Outcome(row, send)

    def end(self, plan: Plan, sends: Iterable[Send]) -> None:
        """Store how the rows of a plan ended; ``sends`` has one for each row."""
        for row, send in zip(plan.rows, sends, strict=True):
            self._rows[_key(row)] = Outcome(row, send)

    def recorded(self, plan: Plan) -> None:
        """Update the rows of a plan from the journal, after a failure."""
        for row in plan.rows:
            send = self._session.recorded(row.draft) if isinstance(row.draft, Draft) else None
            self._rows[_key(row)] = Outcome(row, send or self._planned(row, "not_sent"))

    def put(self, key: str, send: Send) -> None:
        """Replace the send of a recipient."""
        self._rows[key] = Outcome(self._rows[key].row, send)

    def get(self, key: str) -> Outcome | None:
        return self._rows.get(key)

    # --- following ---

    @property
    def is_open(self) -> bool:
        """Whether Linq is expected to say more of one of the sends."""
        return bool(self._polls.waiting(self.sends))

    @property
    def is_followed(self) -> bool:
        return self._follower is not None and self._follower.is_running

    def follow(self, changed: Callable[[], None], ended: Callable[[Exception | None], None]) -> None:
        """Follow the sends until nothing more is expected; ``changed`` is called after each look, then ``ended``."""
        self.stop()
        if not self.is_open:
            return
        follower = Follower(lambda: self._look(follower, changed))
        self._follower, self._looked_at = follower, time.monotonic()
        follower.start("linq_nb form follows", lambda error: ended(error) if self._follower is follower else None)

    def stop(self, seconds: float = 0) -> None:
        """Follow no more; with ``seconds``, wait so long for the answer that is under way."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.stop()
            if seconds:
                follower.join(seconds)

    def _look(self, follower: Follower, changed: Callable[[], None]) -> float | None:
        began = time.monotonic()
        if self._outbox.demo is not None:  # its clock runs with the real one while somebody looks
            self._session.throttle.pause(began - self._looked_at)
        self._looked_at = began
        poll = self._polls.ask(self._polls.waiting(self.sends))
        if poll is not None and isinstance(poll.error, HOPELESS):
            raise poll.error
        if self._follower is not follower:
            return None
        changed()
        return LOOK_S if self._follower is follower and self.is_open else None

    def refresh(self) -> bool:
        """Read the sends from the journal again; returns whether one has changed."""
        before = self.sends
        for outcome, send in zip(list(self._rows.items()), current(self._session, before), strict=True):
            key, old = outcome[0], outcome[1].send
            if old.status != WAITING.word:
                self.put(key, dataclasses.replace(send, repeated=old.repeated, repeated_at=old.repeated_at))
        return self.sends != before

    # --- for the page ---

    def summary(self) -> str:
        """Count the states of several recipients: ``3 chats: 2 queued, 1 opted out.``; empty for a single recipient."""
        items = list(self._rows.values())
        noun = "recipients" if any(isinstance(item.row.draft, BadDraft) for item in items) else "chats"
        words = [
            "already sent" if item.send.repeated and is_going_well(item.send.status) else self._state(item).word
            for item in items
        ]
        counts = ", ".join(f"{number} {clean(word, 40)}" for word, number in Counter(words).items())
        return f"{len(items)} {noun}: {counts}." if len(items) > 1 else ""

    def rows(self) -> list[Mapping[str, Any]]:
        """Return what the list shows, in order; of a long list, what needs a person comes before what goes well."""
        items = list(self._rows.items())
        if len(items) > MOST_ROWS:
            items.sort(key=lambda item: is_going_well(item[1].send.status))
        return [self._shown(key, outcome) for key, outcome in items[:MOST_ROWS]]

    def actions(self, key: str) -> list[Action]:
        """Return what can be done about the send of a recipient now."""
        outcome = self._rows[key]
        send = outcome.send
        findings: tuple[Finding, ...] = outcome.row.findings if outcome.row.verdict == "refused" else ()
        if send.status == WAITING.word or (outcome.row.verdict == "refused" and not findings):
            return []
        of_status = [
            action
            for action in actions_for(send)
            if (send.reconcile_result or not action.needs_reason) and (action.name != "refresh" or not self.is_followed)
        ]
        return of_status + sending_actions(send, findings)

    def _shown(self, key: str, outcome: Outcome) -> Mapping[str, Any]:
        send, state = outcome.send, self._state(outcome)
        return {
            "id": key,
            "whom": views.row_whom(outcome.row) if isinstance(outcome.row.draft, BadDraft) else views.send_whom(send),
            "state": clean(state.word, 40),
            "colour": state.colour,
            "meaning": state.meaning,
            "note": _note(outcome, state, views.status_note(send, state.word, self._session.now())),
            "actions": [action._asdict() for action in self.actions(key)],
        }

    def _state(self, outcome: Outcome) -> Status:
        """Return the status of a recipient's send, or what says more."""
        send = outcome.send
        codes = {finding.code for finding in outcome.row.findings} if outcome.row.verdict == "refused" else set()
        if "chat_opted_out" in codes or is_opt_out(send.status, send.error_code):
            return OPTED_OUT
        return state_of(send, rules.unconfirmed_ids([send], self._session.now(), UNCONFIRMED_AFTER))

    def _planned(self, row: PlanRow, status: str = WAITING.word) -> Send:
        """Return the send of a row before it begins; a refused row is ``not_sent`` for its reason."""
        status = "not_sent" if row.verdict == "refused" else status
        return unsent(row, self._session.client.base_url, status=status, why=row.why or None)


def _key(row: PlanRow) -> str:
    """Name a recipient: by the send key where there is one, else by a hash of what was typed, which may be private."""
    if row.wanted is not None:
        return row.wanted.send_id
    audio = row.draft.audio if isinstance(row.draft, BadDraft) else row.draft.memo.content
    typed = f"{row.draft.chat}\n{audio}".encode("utf-8", "surrogatepass")
    return f"{row.row}:{hashlib.sha256(typed).hexdigest()}"


def _note(outcome: Outcome, state: Status, note: str) -> str:
    """Say in one sentence what a recipient's state means, where the word alone does not."""
    send = outcome.send
    if state is OPTED_OUT:
        return state.meaning
    if send.status == "unknown" and send.reconcile_result:
        return f"looked for it in the chat: {clean(send.reconcile_result, 40).replace('_', ' ')}"
    if send.status == "unknown":
        return UNCLEAR
    if status_of(send.status).is_error:
        return note or clean(send.error_message or status_of(send.status).meaning, 300)
    if send.repeated and is_going_well(send.status):
        return ", ".join(filter(None, (note, "sent before; nothing was sent now")))
    return note
