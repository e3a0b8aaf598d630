"""SendForm: what is chosen becomes a plan, the plan a card and a button, a press the sends.

The form decides nothing: it calls the Outbox and shows what that says.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from linq_nb import audio, consent, views
from linq_nb.errors import AudioError, LinqError
from linq_nb.forms import audio_field, code, notebook, wording
from linq_nb.forms.controls import arranged, controls
from linq_nb.model import Chat, Draft, Finding, Plan, Send, VoiceMemo
from linq_nb.outbox import attempt, session_of
from linq_nb.views.page import BOX, GREY, RED, div, pill
from linq_nb.widgets.buttons import set_shown
from linq_nb.widgets.guard import Guard
from linq_nb.widgets.output import WidgetOutput, note

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox
    from linq_nb.outbox.batch import Batch

DOUBLE_CLICK_S = 0.4
"""A click this soon after the end of the last send is the second of a double click, in seconds."""

TICK_S = 0.2
"""How often the form looks how far its batch is, in seconds."""

KEEP_S = 2.0
"""How often the record below the form is renewed while a batch goes on, in seconds."""

KEPT_ALIVE = "The form works as long as its kernel does; run this cell again for a new one."


class SendForm:
    """A form that sends a voice memo to one or several chats, each once.

    ``chats`` and ``memo`` are what is chosen, ``sends`` what the last press gave and ``error`` the last exception,
    None where there is none; ``record()`` is what was done. A click raises nothing: its error is shown in the form.
    Several chats are sent to in threads, so that the kernel stays free for the stop button; ``wait()`` waits for them.
    """

    def __init__(self, outbox: Outbox, *, double_click_s: float = DOUBLE_CLICK_S) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self.chats: tuple[Chat, ...] = ()
        self.memo: VoiceMemo | None = None
        self.sends: tuple[Send, ...] = ()
        self.error: BaseException | None = None
        self.controls = controls()
        self.widget = arranged(self.controls)
        self._known: dict[str, Chat] = {}
        self._has_read = False
        self._done: dict[str, Send] = {}
        self._source: str | None = None
        self._load: Callable[[bool], VoiceMemo] | None = None
        self._plan: Plan | None = None
        self._batch: Batch | None = None
        self._following: threading.Thread | None = None
        self._asking: Plan | None = None
        self._recorder: Any = None
        self._next: Any = None
        self._settled_at, self._double_click_s = -math.inf, double_click_s
        self._output = WidgetOutput()
        self._guard = Guard(self._fail, before=self._lock, after=self._unlock)
        tag = pill(outbox.mode, RED if outbox.mode == "LIVE" else GREY)
        self.controls.heading.value = div(BOX, f"{tag} <b>Send a voice memo</b>")
        self._listen()
        self._guard(self._refresh)()

    # --- display ---

    def __repr__(self) -> str:
        done = "; ".join(views.line(one) for one in self._done.values())
        return f"SendForm({self.outbox.mode}, {done or 'nothing sent yet'})"

    def _ipython_display_(self) -> None:
        """Show the form, and below it a static output that keeps what it did."""
        self._output.show(self.widget, repr(self), self.record())
        self._guard(self._read_chats)()  # while the page draws it

    def record(self) -> views.Shown:
        """Return what was done with this form, as a display that needs no kernel."""
        if not self._done:
            return note(f"Nothing was sent from this form yet. {KEPT_ALIVE}")
        told = [views.line(one).removeprefix("Send ") for one in self._done.values()]
        rows = [(str(number), line) for number, line in enumerate(told, 1)]
        return views.summary(f"{self.outbox.mode}: sent from this form", rows)

    def wait(self) -> None:
        """Wait until the sends that a press started have ended; Ctrl-C stops them, and is raised again."""
        batch, following = self._batch, self._following
        if batch is None or following is None:
            return
        try:
            following.join()
        except KeyboardInterrupt:
            batch.stop("interrupted")
            raise

    def close(self) -> None:
        """Close the form; the record of what it did stays. Of sends under way no further one starts."""
        if self._batch is not None:
            self._batch.stop("the form was closed")
            self.wait()
        self._output.end("This form is closed.")
        self._close_recorder()
        for one in (*vars(self.controls).values(), self.widget):
            one.close()

    # --- callbacks ---

    def _listen(self) -> None:
        c, guard = self.controls, self._guard
        c.picker.observe(guard.event(self._choose_chats), names="chosen")
        for control, act in ((c.source, self._take_source), (c.convert, self._load_memo), (c.copy, self._refresh)):
            control.observe(guard.event(act), names="value")
        for button, press in (
            (c.send, self._press), (c.stop, self._stop), (c.yes, self._agree), (c.no, self._refuse),
            (c.record, self._toggle_recorder),
        ):  # fmt: skip
            button.on_click(guard.event(press))
        c.picker.on_ready, c.picker.on_find = guard(self._fill), guard(self._find_chat)
        c.upload.on_file, c.upload.on_error = guard(self._take_file), guard(self._take_broken_file)
        c.snippets.on_ask = guard(self._show_code)

    def _fail(self, error: BaseException, words: str) -> None:
        self.error, self._asking = error, None
        self._say(words, tag="error", tone="error")

    def _say(self, words: str, *, tag: str = "", tone: str = "quiet") -> None:
        self.controls.status.say(words, tag=tag, tone=tone)

    def _lock(self) -> None:
        for button in (self.controls.send, self.controls.yes, self.controls.no):
            button.disabled = True

    def _unlock(self) -> None:
        """Set the controls by how things stand, then put the cursor where it belongs."""
        self._set_buttons()
        self._set_choices()
        if self._next is not None:
            self._next.focus()
        self._next = None

    def _set_buttons(self) -> None:
        c, asking, batch = self.controls, self._asking is not None, self._batch
        c.send.description = wording.press(self._plan) if batch is None else wording.under_way(batch.done, len(batch))
        c.send.disabled = asking or batch is not None or wording.stand_of(self._plan) not in ("ready", "unclear")
        c.stop.disabled = batch is None or bool(batch.stopped_by)
        for button in (c.yes, c.no):
            button.disabled = not asking
        for button, shown in ((c.send, not asking), (c.stop, batch is not None), (c.yes, asking), (c.no, asking)):
            set_shown(button, shown)

    def _set_choices(self) -> None:
        """Show what can be chosen; while a batch goes on, nothing."""
        c = self.controls
        for control in (c.picker, c.source, c.upload, c.record, c.copy, c.convert):
            control.disabled = self._batch is not None
        again = c.copy.value > 1 or wording.stand_of(self._plan) in ("sent", "unclear")
        convert = c.convert.value or self._may_convert()
        for control, shown in ((c.copy, again), (c.convert, convert), (c.options, again or convert)):
            set_shown(control, shown)
        set_shown(c.snippets, self._plan is not None)

    # --- what is chosen ---

    def _fill(self) -> None:
        """Offer chats and files to a page. They are read once and for a page only: it may take a while."""
        if not self.controls.source.options:
            self.controls.source.options = tuple(audio_field.audio_files())
        try:
            self._read_chats()
        finally:
            self.controls.picker.tell(whole=self._has_read)

    def _read_chats(self) -> None:
        if not self._has_read:
            self._know(self.outbox.chats())
            self._has_read = True

    def _know(self, chats: Sequence[Chat]) -> None:
        self._known |= {one.chat_id: one for one in chats}
        self.controls.picker.offer(self._known.values())

    def _choose_chats(self) -> None:
        if not self._known.keys() >= set(self.controls.picker.chosen):
            self._read_chats()
        self.chats = tuple(self._known[one] for one in self.controls.picker.chosen if one in self._known)
        self._refresh()

    def _find_chat(self, text: str) -> None:
        """Choose the chat of a name, handle or id that the list does not show."""
        found = self.outbox.find_chat(text)
        chat = found if isinstance(found, Chat) else self.outbox.chat(found)
        self._know([chat])
        self.controls.picker.tell(whole=self._has_read)
        if chat.chat_id not in self.controls.picker.chosen:
            self.controls.picker.chosen = [*self.controls.picker.chosen, chat.chat_id]
        self._choose_chats()

    def _take_source(self) -> None:
        text = self.controls.source.value.strip().strip("\"'")
        folder = audio_field.folder_of(text)
        if folder is not None:
            self._offer_files(folder)
            return
        self._take(text or None, (lambda convert: audio_field.load(text, convert)) if text else None)

    def _offer_files(self, folder: str) -> None:
        """Offer the audio files of a folder that was typed."""
        self._take(None, None, field=folder)
        files = audio_field.audio_files(folder)
        if not files:
            raise audio_field.none_there(folder)
        self.controls.source.options = tuple(files)
        self._say(f"{len(files)} audio {'file' if len(files) == 1 else 'files'} there: type on, or choose one.")

    def _take_file(self, name: str, data: bytes) -> None:
        self._take(None, lambda convert: VoiceMemo.from_bytes(data, name, convert=convert))

    def _take_broken_file(self, error: AudioError) -> None:
        self._take(None, None)
        raise error

    def _take(self, source: str | None, load: Callable[[bool], VoiceMemo] | None, field: str = "") -> None:
        """Take audio from one place, and forget what came from another; ``field`` is what the field then shows."""
        self._source, self._load = source, load
        self.controls.source.value = audio_field.shown(source) if source else field
        self._load_memo()

    def _may_convert(self) -> bool:
        """Whether there is audio which Linq does not take, and a part that makes an M4A of it."""
        refused = self._load is not None and self.memo is None and isinstance(self.error, AudioError)
        return refused and audio.can_transcode() and (self._source is None or audio_field.is_file(self._source))

    def _load_memo(self) -> None:
        self.memo = None
        try:
            self.memo = self._load(self.controls.convert.value) if self._load else None
        finally:
            self._refresh()
        if wording.stand_of(self._plan) == "ready":
            self.controls.status.scroll_into_view()  # the card may have pushed the button out of sight

    # --- recording ---

    def _toggle_recorder(self) -> None:
        if self._recorder is not None:
            self._close_recorder()
            return
        from linq_nb.recorder import Recorder  # loaded for those who record

        self._recorder = Recorder(start=True)
        self._recorder.observe(self._guard.event(self._take_recording), names="memo")
        self.controls.studio.children = (self._recorder,)
        set_shown(self.controls.studio, True)
        self.controls.record.description = "Close the recorder"

    def _close_recorder(self) -> None:
        if self._recorder is None:
            return
        self.controls.studio.children = ()
        set_shown(self.controls.studio, False)
        self.controls.record.description = "Record"
        self._recorder.close()
        self._recorder = None

    def _take_recording(self) -> None:
        memo = self._recorder.memo
        self._take(None, (lambda convert: memo.convert() if convert else memo) if memo is not None else None)

    # --- how it stands ---

    def _refresh(self) -> None:
        """Plan what is chosen, and show its card; not while something else is sent, which ends with this too."""
        if self._batch is not None:
            return
        self._asking, self.error = None, None
        self.controls.result.value = ""
        self._judge()
        self._say(self._next_step())

    def _judge(self) -> None:
        self._plan = None
        drafts = self._drafts()
        self.controls.card.value = views.mimebundle(self.memo)["text/html"] if self.memo is not None else ""
        if not drafts:
            return
        self._plan = self.outbox.plan(drafts)
        self.controls.card.value = self._card(drafts, self._plan).html

    def _drafts(self) -> list[Draft]:
        if self.memo is None:
            return []
        return [Draft(memo=self.memo, chat=chat, copy=self.controls.copy.value) for chat in self.chats]

    def _card(self, drafts: Sequence[Draft], plan: Plan) -> views.Shown:
        mode, note = self.outbox.mode, self._session.journal_note if self.outbox.mode == "LIVE" else None
        if len(drafts) > 1:
            return views.several_card(plan, mode=mode, journal_note=note)
        (draft,) = drafts
        chat = self._session.chat_of(draft)
        found = [one for one in self.outbox.check(draft.memo, chat, copy=draft.copy) if one.code != "already_sent"]
        if plan.counts.get("already_sent"):
            found.append(Finding(level="info", code="already_sent", message="sent already; it goes once"))
        line = chat.line or self.outbox.line
        return views.draft_card(draft, chat, found, mode=mode, line=line, journal_note=note)

    def _next_step(self) -> str:
        copy = self.controls.copy.value
        return wording.next_step(self._plan, bool(self.chats), self.memo is not None, copy)

    # --- sending ---

    def _press(self) -> None:
        plan = self._plan
        if plan is None or self._batch is not None or time.monotonic() - self._settled_at < self._double_click_s:
            return
        stand = wording.stand_of(plan)
        if stand == "ready" and self._must_ask():
            self._ask(plan)
        elif stand in ("ready", "unclear"):
            self._send(plan)

    def _must_ask(self) -> bool:
        return consent.must_ask(notebook.asking(), self.outbox.mode, self._session.account)

    def _ask(self, plan: Plan) -> None:
        """Ask once more before a live send; the cursor goes to No, so Enter is no."""
        self._asking = plan
        going = [row.draft for row in plan.rows if row.verdict == "send" and isinstance(row.draft, Draft)]
        self.controls.yes.description = f"Yes, {wording.press(plan).replace('Send', 'send', 1)}"
        chats = [self._session.chat_of(draft) for draft in going]
        self._say(consent.question(going[0].memo, chats, self._session.journal.label), tag="LIVE", tone="ask")
        self._next = self.controls.no

    def _agree(self) -> None:
        plan, self._asking = self._asking, None
        if plan is not None:
            consent.remember(self._session.account)
            self._send(plan)

    def _refuse(self) -> None:
        self._asking = None
        self._say("Nothing was sent.")
        self._next = self.controls.send

    def _send(self, plan: Plan) -> None:
        """Send what was planned: one at once, with its error raised; several by a batch, each to its own end."""
        self.error = None
        drafts = [row.draft for row in plan.rows if isinstance(row.draft, Draft)]
        if len(drafts) > 1:
            self._start(plan)
            return
        self._say("Sending ...", tone="busy")
        with self._settling(drafts):
            self._keep([attempt.send(self._session, drafts[0])])
        self._tell_end()
        self.controls.status.scroll_into_view()

    def _start(self, plan: Plan) -> None:
        self._batch = self.outbox.send_all(plan)
        self._following = threading.Thread(target=self._follow, args=(self._batch,), name="linq_nb form", daemon=True)
        self._say(f"Sending to {len(self._batch)} chats.", tone="busy")
        self._following.start()

    def _follow(self, batch: Batch) -> None:
        """Show how far a batch is, and how it ended; in a thread of its own."""
        kept_at = time.monotonic()
        while not batch.is_done:
            time.sleep(TICK_S)
            self.controls.send.description = wording.under_way(batch.done, len(batch))
            if time.monotonic() - kept_at > KEEP_S:
                self._keep(batch.results())
                kept_at = time.monotonic()
        self._guard(self._end)(batch)

    def _end(self, batch: Batch) -> None:
        self._batch = None
        with self._settling([row.draft for row in batch.plan.rows if isinstance(row.draft, Draft)]):
            self._keep(batch.wait())
        self._tell_end()
        self.controls.status.scroll_into_view()

    @contextlib.contextmanager
    def _settling(self, drafts: Sequence[Draft]) -> Iterator[None]:
        """Show what the journal has of sends that did not end well, and how things stand after all."""
        try:
            yield
        except BaseException:
            self._keep([one for one in map(self._recorded, drafts) if one is not None])
            raise
        finally:
            self._settled_at = time.monotonic()
            self._judge()

    def _stop(self) -> None:
        if self._batch is not None:
            self._batch.stop("stopped in the form")
            self._say("Stopping: what is under way ends, no further one starts.", tone="busy")

    def _recorded(self, draft: Draft) -> Send | None:
        """Return what the journal has of a send that did not end well."""
        try:
            wanted = self._session.wanted(draft).send_id
            return next((one for one in self.outbox.sends(chat=draft.chat_id) if one.send_id == wanted), None)
        except LinqError:
            return None

    def _tell_end(self) -> None:
        """Say how it ended and what is next; several that did not all go are an alert."""
        if len(self.sends) == 1:
            self._say(self._next_step())
            return
        words, all_went = wording.ended(self.sends)
        if all_went:
            self._say(f"{words} {self._next_step()}")
        else:
            self._say(f"{words} Those that went are not sent again.", tag="not all", tone="error")

    def _keep(self, sends: Any) -> None:
        """Show sends in the form and in the record below it."""
        self.sends = tuple(sends)
        if not self.sends:
            return
        self._done.update({one.send_id or f"{one.chat_id}/{one.filename}": one for one in self.sends})
        one, several = self.sends[0], len(self.sends) > 1
        shown = views.outcomes(self.sends) if several else views.sent(one, now=self._session.now())
        self.controls.result.value = shown.html
        self._output.update(self.record())

    # --- the same as code ---

    def as_code(self, how: str) -> str:
        """Return what is chosen as code that does the same in a cell: ``how`` is "magic" or "python".

        Raises LinqError as long as no chat or no audio is chosen.
        """
        if self.memo is None or not self.chats:
            raise LinqError("choose a chat and audio first, then there is something to copy")
        connect = f"linq_nb.connect({'demo=True' if self.outbox.mode == 'DEMO' else ''})"
        names = code.Names(notebook.name_of(self), notebook.name_of(self.outbox), connect)
        chosen = (self.memo, self._source, self.controls.convert.value, self.chats, self.controls.copy.value, names)
        return code.magic(*chosen, tuple(self._known.values())) if how == "magic" else code.python(*chosen)

    def _show_code(self, how: str) -> None:
        self.controls.snippets.show(self.as_code(how))
