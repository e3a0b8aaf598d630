"""SendForm: what is chosen becomes a plan, the plan a card and a button, a press the sends.

The form decides nothing: it calls the outbox and shows the answer.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from linq_nb import consent, live, views
from linq_nb.errors import AudioError, LinqError
from linq_nb.forms import audio_choice, cell_code, wording
from linq_nb.forms.audio_choice import AudioChoice
from linq_nb.forms.chat_choice import ChatChoice
from linq_nb.forms.controls import Controls
from linq_nb.model import Chat, Draft, Finding, Plan, Send, VoiceMemo
from linq_nb.outbox import Outbox, attempt, session_of
from linq_nb.outbox.batch import Batch
from linq_nb.outbox.follow import Follower
from linq_nb.process import Unpicklable
from linq_nb.status import is_going_well
from linq_nb.widgets.buttons import set_shown
from linq_nb.widgets.guard import Guard, error_text
from linq_nb.widgets.output import WidgetOutput, heading, note

DOUBLE_CLICK_S = 0.4
"""A click this soon after the end of the last send is the second of a double click, in seconds."""

LOOK_S = 0.2
"""How often the form shows the progress of its batch, in seconds."""

KEEP_S = 2.0
"""How often the record below the form is renewed while a batch goes on, in seconds."""

NOTHING_SENT = (
    "Nothing was sent from this form yet. The form works as long as its kernel does; run this cell again for a new one."
)


class SendForm(Unpicklable):
    """A form that sends a voice memo to one or several chats, each once.

    ``chats`` and ``memo`` are what is chosen, ``sends`` what the last press gave and ``error`` the last exception,
    None where there is none; ``record()`` is what was done. A click raises nothing: its error is shown in the form.
    Several chats are sent to in threads, so that the kernel stays free for the stop button; ``wait()`` waits for them.
    """

    def __init__(self, outbox: Outbox, *, double_click_s: float = DOUBLE_CLICK_S) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self.chats: tuple[Chat, ...] = ()
        self.sends: tuple[Send, ...] = ()
        self.error: BaseException | None = None
        self.controls = Controls()
        self.widget = self.controls.arranged()
        self._say = self.controls.status.say
        self._chat_choice, self._audio = ChatChoice(outbox), AudioChoice()
        self._done: dict[str, Send] = {}
        self._plan: Plan | None = None
        self._plan_to_confirm: Plan | None = None
        self._batch: Batch | None = None
        self._follower: Follower | None = None
        self._recorder: Any = None
        self._focus_next: Any = None
        self._kept_at = self._ended_at = -math.inf
        self._double_click_s = double_click_s
        self._output = WidgetOutput()
        self._guard = Guard(self._fail, self._lock, self._unlock)
        self.controls.heading.value = heading(outbox.mode, "Send a voice memo")
        self._listen()
        self._guard(self._refresh)()

    @property
    def memo(self) -> VoiceMemo | None:
        """The chosen memo."""
        return self._audio.memo

    # --- display ---

    def __repr__(self) -> str:
        home, done = self._session.home, "; ".join(views.line(send) for send in self._done.values())
        text = f"{self._session.mode}, {done or 'nothing sent yet'}" if home.is_here else f"of process {home.pid}"
        return f"SendForm({text})"

    def _ipython_display_(self) -> None:
        """Show the form, and below it a static output that keeps what it did."""
        self._session.home.check()
        self._output.show(self.widget, repr(self), self.record())
        self._guard(self._chat_choice.read)()  # while the page draws the form

    def record(self) -> views.Shown:
        """Return what was done with this form, as a display that needs no kernel."""
        self._session.home.check()
        if not self._done:
            return note(NOTHING_SENT)
        lines = [views.line(send).removeprefix("Send ") for send in self._done.values()]
        rows = [(str(number), line) for number, line in enumerate(lines, 1)]
        return views.summary(f"{self.outbox.mode}: sent from this form", rows)

    def wait(self) -> None:
        """Wait until the sends that a press started have ended; Ctrl-C stops them, and is raised again."""
        self._session.home.check()
        batch, follower = self._batch, self._follower
        if batch is None or follower is None:
            return
        try:
            follower.join()
        except KeyboardInterrupt:
            batch.stop("interrupted")
            raise

    def close(self) -> None:
        """Close the form; the record of what it did stays. Of sends under way no further one starts.

        In a forked child it does nothing: threads and widgets are the parent's.
        """
        if not self._session.home.is_here:
            return
        if self._batch is not None:
            self._batch.stop("the form was closed")
            self.wait()
        self._output.end("This form is closed.")
        if self._recorder is not None:
            self._toggle_recorder()
        for control in (*vars(self.controls).values(), self.widget):
            control.close()

    # --- callbacks and controls ---

    def _listen(self) -> None:
        c, guard = self.controls, self._guard
        c.picker.observe(guard.event(self._choose_chats), names="chosen")
        c.source.observe(guard.event(self._choose_source), names="value")
        c.convert.observe(guard.event(self._load_memo), names="value")
        c.copy.observe(guard.event(self._refresh), names="value")
        c.send.on_click(guard.event(self._press))
        c.stop.on_click(guard.event(self._stop))
        c.yes.on_click(guard.event(self._confirm))
        c.no.on_click(guard.event(self._refuse))
        c.record.on_click(guard.event(self._toggle_recorder))
        c.picker.on_ready, c.picker.on_find = guard(self._fill), guard(self._find_chat)
        c.upload.on_file, c.upload.on_error = guard(self._choose_file), guard(self._refuse_file)
        c.snippets.on_ask = guard(self._show_code)

    def _fail(self, error: BaseException) -> None:
        self.error, self._plan_to_confirm = error, None
        self._say(error_text(error), tag="error", tone="error")

    def _lock(self) -> None:
        for button in (self.controls.send, self.controls.yes, self.controls.no):
            button.disabled = True

    def _unlock(self) -> None:
        """Set the controls to the current state, then put the cursor where it belongs."""
        c, batch, asks = self.controls, self._batch, self._plan_to_confirm is not None
        verdict = wording.plan_verdict(self._plan)
        c.send.description = (
            wording.button_text(self._plan) if batch is None else wording.progress_text(batch.done, len(batch))
        )
        c.send.disabled = asks or batch is not None or verdict not in ("send", "unclear")
        c.stop.disabled = batch is None or bool(batch.stopped_by)
        c.yes.disabled = c.no.disabled = not asks
        for button, is_shown in ((c.send, not asks), (c.stop, batch is not None), (c.yes, asks), (c.no, asks)):
            set_shown(button, is_shown)
        for control in (c.picker, c.source, c.upload, c.record, c.copy, c.convert):
            control.disabled = batch is not None
        may_copy = c.copy.value > 1 or wording.may_set_copy(self._plan)
        may_convert = c.convert.value or (isinstance(self.error, AudioError) and self._audio.may_convert())
        set_shown(c.copy, may_copy)
        set_shown(c.convert, may_convert)
        set_shown(c.options, may_copy or may_convert)
        set_shown(c.snippets, self._plan is not None)
        if self._focus_next is not None:
            self._focus_next.focus()
        self._focus_next = None

    # --- chats ---

    def _fill(self) -> None:
        """Offer chats and files to a page. They are read once, when a page asks: that may take a while."""
        if not self.controls.source.options:
            self.controls.source.options = tuple(audio_choice.audio_files())
        try:
            self._chat_choice.read()
        finally:
            self.controls.picker.offer(self._chat_choice.offered, is_complete=self._chat_choice.is_read)

    def _choose_chats(self) -> None:
        self.chats = self._chat_choice.of(self.controls.picker.chosen)
        self._refresh()

    def _find_chat(self, text: str) -> None:
        """Choose the chat of a name, handle or id that the list does not show."""
        chat, picker = self._chat_choice.find(text), self.controls.picker
        picker.offer(self._chat_choice.offered, is_complete=self._chat_choice.is_read)
        if chat.chat_id not in picker.chosen:
            picker.chosen = [*picker.chosen, chat.chat_id]
        self._choose_chats()

    # --- audio ---

    def _choose_source(self) -> None:
        text = self.controls.source.value.strip().strip("\"'")
        if not audio_choice.is_folder(text):
            self._audio.choose_text(text)
            self._load_memo(audio_choice.shown(text))
            return
        self._audio.choose_text("")
        self._load_memo(text)
        self.controls.source.options = files = tuple(audio_choice.audio_files(text))
        self._say(f"{len(files)} audio {'file' if len(files) == 1 else 'files'} there: type on, or choose a file.")

    def _choose_file(self, name: str, data: bytes) -> None:
        self._audio.choose_file(name, data)
        self._load_memo("")

    def _refuse_file(self, error: AudioError) -> None:
        self._audio.choose_text("")
        self._load_memo("")
        raise error

    def _load_memo(self, field: str | None = None) -> None:
        """Load the chosen audio; ``field`` is what the audio field shows from now on."""
        if field is not None:
            self.controls.source.value = field
        try:
            self._audio.load(convert=self.controls.convert.value)
        finally:
            self._refresh()
        if wording.plan_verdict(self._plan) == "send":
            self.controls.status.scroll_into_view()  # the card may have pushed the button out of sight

    # --- recording ---

    def _toggle_recorder(self) -> None:
        if self._recorder is None:
            from linq_nb.recorder import Recorder  # loaded when somebody records

            self._recorder = Recorder(start=True)
            self._recorder.observe(self._guard.event(self._choose_recording), names="memo")
            set_shown(self.controls.studio, True)  # first: what is hidden cannot take the focus
            self.controls.studio.children = (self._recorder,)
        else:
            self.controls.studio.children = ()
            self._recorder.close()
            self._recorder = None
            set_shown(self.controls.studio, False)
        self.controls.record.description = "Close the recorder" if self._recorder else "Record"

    def _choose_recording(self) -> None:
        self._audio.choose_recording(self._recorder.memo)
        self._load_memo("")

    # --- the plan ---

    def _refresh(self) -> None:
        """Plan what is chosen and show its card; not during a batch, whose end does the same."""
        if self._batch is not None:
            return
        self._plan_to_confirm, self.error = None, None
        self.controls.result.value = ""
        self._make_plan()
        self._say(self._next_step())

    def _make_plan(self) -> None:
        self._plan = None
        memo, copy = self.memo, self.controls.copy.value
        drafts = [Draft(memo=memo, chat=chat, copy=copy) for chat in self.chats] if memo is not None else []
        self.controls.card.value = views.memo_card(memo).html if memo is not None else ""
        if drafts:
            self._plan = self.outbox.plan(drafts)
            self.controls.card.value = self._card(drafts, self._plan).html

    def _card(self, drafts: Sequence[Draft], plan: Plan) -> views.Shown:
        mode = self._session.mode
        if len(drafts) > 1:
            return views.several_card(plan, mode=mode)
        (draft,) = drafts
        chat = self._session.chat_of(draft)
        findings = self.outbox.check(draft.memo, chat, copy=draft.copy)
        shown = [finding for finding in findings if finding.code != "already_sent"]
        if plan.counts.get("already_sent"):
            shown.append(Finding(level="info", code="already_sent", message="sent already; it goes once"))
        line = chat.line or self.outbox.line
        return views.draft_card(draft, chat, shown, mode=mode, line=line, journal_note=self._session.live_note)

    def _next_step(self) -> str:
        has_chat, has_memo = bool(self.chats), self.memo is not None
        return wording.next_step(self._plan, has_chat=has_chat, has_memo=has_memo, copy=self.controls.copy.value)

    # --- sending ---

    def _press(self) -> None:
        plan = self._plan
        if plan is None or self._batch is not None or time.monotonic() - self._ended_at < self._double_click_s:
            return
        verdict = wording.plan_verdict(plan)
        if verdict == "send" and consent.must_ask(_ask_setting(), self.outbox.mode, self._session.account):
            self._ask(plan)
        elif verdict in ("send", "unclear"):
            self._send(plan)

    def _ask(self, plan: Plan) -> None:
        """Ask once more before a live send; the cursor goes to No, so Enter is no."""
        self._plan_to_confirm = plan
        drafts = [row.draft for row in plan.rows if row.verdict == "send" and isinstance(row.draft, Draft)]
        self.controls.yes.description = f"Yes, {wording.button_text(plan).replace('Send', 'send', 1)}"
        chats = [self._session.chat_of(draft) for draft in drafts]
        label, note = self._session.journal.label, self._session.live_note
        self._say(consent.question(drafts[0].memo, chats, label, note), tag="LIVE", tone="ask")
        self._focus_next = self.controls.no

    def _confirm(self) -> None:
        plan, self._plan_to_confirm = self._plan_to_confirm, None
        if plan is not None:
            consent.remember(self._session.account)
            self._send(plan)

    def _refuse(self) -> None:
        self._plan_to_confirm = None
        self._say("Nothing was sent.")
        self._focus_next = self.controls.send

    def _send(self, plan: Plan) -> None:
        """Send a plan: one draft at once, with its error raised; several by a batch."""
        self.error = None
        drafts = _drafts_of(plan)
        if len(drafts) > 1:
            self._start_batch(plan)
            return
        self._say("Sending ...", tone="busy")
        with self._ending(drafts):
            self._keep([attempt.send(self._session, drafts[0])])
        self._say(self._next_step())
        self.controls.status.scroll_into_view()

    def _start_batch(self, plan: Plan) -> None:
        batch = self._batch = self.outbox.send_all(plan)
        self._follower = Follower(lambda: self._show_progress(batch))
        self._say(f"Sending to {len(batch)} chats.", tone="busy")
        self._follower.start("linq_nb form", self._guard(lambda error: self._end_batch(batch, error)))

    def _show_progress(self, batch: Batch) -> float | None:
        """Show the progress of a batch, in the follower's thread; returns the pause until the next time."""
        self.controls.send.description = wording.progress_text(batch.done, len(batch))
        if time.monotonic() - self._kept_at > KEEP_S:
            self._keep(batch.results())
        return None if batch.is_done else LOOK_S

    def _end_batch(self, batch: Batch, error: Exception | None) -> None:
        """Show how a batch ended and what to do next; an incomplete batch is an alert."""
        self._batch = None
        with self._ending(_drafts_of(batch.plan)):
            self._keep(batch.wait())
        if error is not None:
            raise error
        words = wording.result_text(self.sends)
        if all(is_going_well(send.status) for send in self.sends):
            self._say(f"{words} {self._next_step()}")
        else:
            self._say(f"{words} Those that went are not sent again.", tag="not all", tone="error")
        self.controls.status.scroll_into_view()

    @contextlib.contextmanager
    def _ending(self, drafts: Sequence[Draft]) -> Iterator[None]:
        """After a send, show the new plan; after a failure, also what the journal has of these drafts."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(LinqError):
                self._keep([send for draft in drafts if (send := self._session.recorded(draft))])
            raise
        finally:
            self._ended_at = time.monotonic()
            self._make_plan()

    def _stop(self) -> None:
        if self._batch is not None:
            self._batch.stop("stopped in the form")
            self._say("Stopping: no further send starts; those under way end.", tone="busy")

    def _keep(self, sends: Iterable[Send]) -> None:
        """Show sends in the form and in the record below it."""
        self._kept_at = time.monotonic()
        self.sends = tuple(sends)
        if not self.sends:
            return
        self._done.update({send.send_id or f"{send.chat_id}/{send.filename}": send for send in self.sends})
        is_single = len(self.sends) == 1
        shown = views.sent(self.sends[0], now=self._session.now()) if is_single else views.outcomes(self.sends)
        self.controls.result.value = shown.html
        self._output.update(self.record())

    # --- the same as code ---

    def as_code(self, how: str) -> str:
        """Return code for a cell that sends what is chosen: ``how`` is "magic" or "python".

        Raises LinqError as long as no chat or no audio is chosen.
        """
        if self.memo is None or not self.chats:
            raise LinqError("choose a chat and audio first, then there is something to copy")
        connect = f"linq_nb.connect({'demo=True' if self.outbox.mode == 'DEMO' else ''})"
        names = cell_code.Names(cell_code.name_of(self), cell_code.name_of(self.outbox), connect)
        convert, copy = self.controls.convert.value, self.controls.copy.value
        chosen = cell_code.Chosen(self.memo, self._audio.source, convert, self.chats, copy)
        if how == "magic":
            return cell_code.magic(chosen, names, self._chat_choice.offered)
        return cell_code.python(chosen, names)

    def _show_code(self, how: str) -> None:
        self.controls.snippets.show(self.as_code(how))


def _ask_setting() -> str:
    """Return ``%config LinqMagics.ask``, "each" where the magics are not loaded."""
    configurables = getattr(live.ipython_shell(), "configurables", ())
    magics = (item for item in configurables if type(item).__name__ == "LinqMagics")
    return str(getattr(next(magics, None), "ask", "each"))


def _drafts_of(plan: Plan) -> list[Draft]:
    return [row.draft for row in plan.rows if isinstance(row.draft, Draft)]
