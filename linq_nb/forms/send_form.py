"""SendForm: what is chosen becomes a plan, the plan a card and a button, a press the sends, which are followed.

The form decides nothing: it calls the outbox and shows the answer. Its page is form.js. Everything that the page shows
goes there by message, so that no name, sound or code is part of a widget's state, which is saved with the notebook.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import views
from linq_nb.audio import MAX_UPLOAD_BYTES, SUFFIXES
from linq_nb.errors import AudioError, LinqError, SettingsError
from linq_nb.forms import audio_choice, cell_code, notebook_tables, wording
from linq_nb.forms.choice import TableRows
from linq_nb.forms.sending import Sending
from linq_nb.model import Chat, VoiceMemo
from linq_nb.outbox import Outbox
from linq_nb.outbox.poll import GRACE_S
from linq_nb.text import clean
from linq_nb.widgets.base import SHARED_CSS, SHARED_JS, joined

HERE = Path(__file__).parent
MAX_COPY = 1_000
DOUBLE_CLICK_S = 0.4
"""A click this soon after the end of the last send is the second of a double click, in seconds."""


class SendForm(Sending):
    """A form that sends a voice memo to one or several chats, each once, and follows what becomes of it.

    ``chats`` and ``memo`` are what is chosen; ``chosen`` (ids), ``copy`` and ``convert`` may be set. ``sends`` is what
    the presses gave, as it now stands, and ``error`` the last exception, None where there is none; ``record()`` is what
    was done. A press raises nothing: its error is shown in the form. Several chats are sent to in threads, so that the
    kernel stays free for the stop button; ``wait()`` waits for them. Where a page shows the form, it asks Linq by
    itself what becomes of the sends, unless ``follow`` is False; the demo's clock runs with the real one meanwhile.
    """

    _esm = joined(*SHARED_JS, HERE / "picker.js", HERE / "compose.js", HERE / "form.js")
    _css = joined(SHARED_CSS, HERE / "form.css")
    _noun = "form"
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    copy = traitlets.Int(1, min=1, max=MAX_COPY)
    convert = traitlets.Bool(False)
    _accept = traitlets.Unicode(",".join(["audio/*", *sorted(SUFFIXES)])).tag(sync=True)
    _limit = traitlets.Int(MAX_UPLOAD_BYTES).tag(sync=True)

    def __init__(self, outbox: Outbox, *, double_click_s: float = DOUBLE_CLICK_S, follow: bool = True) -> None:
        self.code = ""
        self._upload, self._code_kind = audio_choice.FileUpload(), ""
        super().__init__(outbox, double_click_s=double_click_s, follow=follow)
        self.observe(self._guard(lambda _change: self._choose_chats()), names="chosen")
        self.observe(self._guard(lambda _change: self._set_options()), names=["copy", "convert"])
        self._session.on_close(self._outbox_closes)
        self._guard(self._refresh)()

    # --- what others read ---

    @property
    def memo(self) -> VoiceMemo | None:
        """The chosen memo."""
        return self.choice.memo

    @property
    def chats(self) -> tuple[Chat, ...]:
        """The chosen chats."""
        return self.choice.chats

    def __repr__(self) -> str:
        home, done = self._session.home, "; ".join(views.line(send) for send in self._done)
        text = f"{self._session.mode}, {done or 'nothing sent yet'}" if home.is_here else f"of process {home.pid}"
        return f"SendForm({text})"

    def _ipython_display_(self) -> None:
        """Show the form, and below it a static output that keeps what it did."""
        self._session.home.check()
        super()._ipython_display_()
        self._guard(self.choice.list.read)()  # while the page draws the form

    # --- in code, as clicks do it ---

    def choose(self, *chats: Chat | str) -> None:
        """Choose these chats and no others, by name, handle or id. Raises what ``outbox.find_chat`` raises."""
        records = [chat if isinstance(chat, Chat) else self.choice.list.find(chat) for chat in chats]
        self.chosen = list(dict.fromkeys(chat.chat_id for chat in records))

    def load(self, source: str) -> None:
        """Choose the audio: a path, an https URL or an attachment id. An error is shown in the form."""
        self._guard(lambda: self._choose_source(source))()

    def press(self, button: str = "send", reason: str = "") -> None:
        """Press a button: "send", "stop", "yes", "no", "record", "new", "others" or "back".

        ``reason`` goes with the yes to a send despite findings, and is kept in the journal.
        """
        self._guard(lambda: self._pressed(button, reason))()

    def _pressed(self, button: str, reason: str) -> None:
        presses: dict[str, Callable[[], None]] = {
            "send": self._press, "stop": self._stop, "yes": lambda: self._confirm(reason), "no": self._refuse,
            "record": self._toggle_recorder, "new": self._new_memo, "others": self._send_to_others, "back": self._back,
        }  # fmt: skip
        if button not in presses:
            raise SettingsError(
                f"the form has no button {button!r}; nothing was sent; its buttons are {', '.join(presses)}"
            )
        if self.comm is None:
            raise SettingsError("this form is closed; nothing was sent; run its cell again for a new one")
        presses[button]()

    def close(self) -> None:
        """Close the form; the record of what it did stays. Of sends under way no further one starts.

        In a forked child it does nothing: threads and widgets are the parent's.
        """
        if not self._session.home.is_here:
            return
        if self.batch is not None:
            self.batch.stop("the form was closed")
            self.wait()
        self.outcomes.stop(GRACE_S)
        if self.recorder is not None:
            self._toggle_recorder()
        super().close()

    def _outbox_closes(self) -> None:
        self.outcomes.stop(math.inf)

    # --- messages of the page ---

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        if not isinstance(content, dict):
            return
        kind = content.get("kind")
        if kind == "press":
            self.press(str(content.get("button")), str(content.get("reason") or ""))
        elif kind == "upload" and content.get("what") == "part":  # a part changes nothing that is seen
            self._upload.receive(content, buffers)
        else:
            self._guard(lambda: self._on_message(kind, content, buffers))()

    def _on_message(self, kind: Any, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        text = str(content.get("text") or "")
        match kind:
            case "ready":
                self._draw_again()
            case "find":
                self._add_chats([self.choice.list.find(text)])
            case "paste":
                self._add_lines(text.splitlines())
            case "drop":
                self.choice.list.unmatched.pop(text, None)
                self._refresh()
            case "tables":
                self.send({"kind": "tables", "tables": notebook_tables.tables()})
            case "table":
                self._add_table(*(str(content.get(key) or "") for key in ("name", "column", "audio")))
            case "source":
                self._choose_source(text)
            case "upload":
                self._choose_file(content, buffers)
            case "copy" | "convert":
                self._set_options(**{kind: content.get("value")})
            case "act":
                self._act(str(content.get("row")), str(content.get("action")), str(content.get("reason") or ""))
            case "accept":
                plan, rows = self.choice.plan, content.get("rows")
                if plan is not None and isinstance(rows, list):
                    self._ask_to_accept([row for row in plan.rows if row.row in rows and wording.acceptable(row)])
            case "code":
                self._show_code(str(content.get("how")))

    def _draw_again(self) -> None:
        """Give a page that has just been drawn everything that it shows."""
        self._has_page, self._last_sent = True, {}
        self.files = self.files or tuple(audio_choice.audio_files())
        self.send({"kind": "reading"})
        try:
            self.choice.list.read()
        finally:
            self._offer()
        if self.recorder is not None:
            self._show_recorder()
        if self.outcomes.is_open and self.batch is None and not self.outcomes.is_followed:
            self._follow()

    # --- chats ---

    def _choose_chats(self) -> None:
        self.choice.chats = self.choice.list.of(self.chosen)
        self._refresh()

    def _add_chats(self, chats: Iterable[Chat]) -> None:
        """Choose chats beside those that are chosen, also such as the list does not show."""
        self._offer()
        self.chosen = list(dict.fromkeys([*self.chosen, *(chat.chat_id for chat in chats)]))
        self._choose_chats()

    def _add_lines(self, lines: Iterable[str]) -> None:
        """Choose the chats that a list names, and say how many lines name one."""
        before = len(self.choice.list.unmatched)
        chats = self.choice.list.match(lines)
        self._add_chats(chats)
        more = len(self.choice.list.unmatched) - before
        count = f"{len(chats)} {'chat' if len(chats) == 1 else 'chats'} found"
        self.say(f"{count}; {more} {'line names' if more == 1 else 'lines name'} no chat." if more else f"{count}.")

    def _add_table(self, name: str, column: str, audio: str) -> None:
        """Choose the recipients in a column of a DataFrame; with a column of audio its rows are the batch."""
        if name and not audio:
            self._add_lines(notebook_tables.column_of(name, column))
            return
        self.choice.table = TableRows(name, column, audio) if name else None
        self._refresh()

    # --- audio ---

    def _choose_source(self, text: str) -> None:
        text = text.strip().strip("\"'")
        if not audio_choice.is_folder(text):
            self.choice.audio.choose_text(text)
            self._load_memo(audio_choice.shown(text))
            return
        self.choice.audio.choose_text("")
        self._load_memo(text)
        self.files = files = tuple(audio_choice.audio_files(text))
        self.say(f"{len(files)} audio {'file' if len(files) == 1 else 'files'} there: type on, or choose a file.")

    def _choose_file(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        try:
            file = self._upload.receive(content, buffers)
        except AudioError:
            self.choice.audio.choose_text("")
            self._load_memo("")
            raise
        if file is not None:
            self.choice.audio.choose_file(*file)
            self._load_memo("")

    def _load_memo(self, field: str | None = None) -> None:
        """Load the chosen audio; ``field`` is what the audio field shows from now on."""
        self.source = self.source if field is None else field
        try:
            self.choice.audio.load(convert=self.choice.convert)
        finally:
            self._refresh()
        if wording.plan_verdict(self.choice.plan) == "send":
            self._scrolls = True

    def _set_options(self, copy: Any = None, convert: Any = None) -> None:
        """Take over the copy number or the wish for an M4A, from the page or from the traits."""
        if copy is not None:
            try:
                self.copy = min(max(int(copy), 1), MAX_COPY)
            except (TypeError, ValueError, OverflowError):
                raise SettingsError(
                    f"the copy is a whole number from 1 to {MAX_COPY:,}, not {clean(copy, 40)!r}; nothing was changed; "
                    "give such a number"
                ) from None
        if convert is not None:
            self.convert = bool(convert)
        reload = self.choice.convert != self.convert
        self.choice.copy, self.choice.convert = self.copy, self.convert
        if reload:
            self._load_memo()
        else:
            self._refresh()

    def _toggle_recorder(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None
            self.send({"kind": "recorder", "model": ""})
            return
        from linq_nb.recorder import Recorder  # loaded when somebody records

        try:
            self.recorder = Recorder(start=True)
        except AssertionError as error:  # marimo opens a widget while a cell runs only
            raise SettingsError(
                "the recorder cannot be opened in this form here; nothing was sent; record with linq_nb.Recorder() in "
                "a cell of its own, or choose a file"
            ) from error
        self.recorder.observe(self._guard(lambda _change: self._choose_recording()), names="memo")
        self._show_recorder()

    def _show_recorder(self) -> None:
        """Let the page draw the recorder, a widget of its own; its module comes along, since no page can ask for it."""
        from linq_nb.recorder.recorder import OWN_CSS

        recorder = self.recorder
        self.send({"kind": "recorder", "model": recorder.model_id, "module": recorder._esm, "style": joined(OWN_CSS)})

    def _choose_recording(self) -> None:
        self.choice.audio.choose_recording(self.recorder.memo)
        self._load_memo("")

    # --- the plan ---

    def _refresh(self) -> None:
        """Plan what is chosen and show its card, and the code of it where code is shown."""
        super()._refresh()
        if self._code_kind and self.batch is None:
            self._show_code(self._code_kind, again=True)

    def _new_memo(self) -> None:
        """Start again with another memo for the same chats."""
        self.choice.table = None
        self.choice.audio.choose_text("")
        self._load_memo("")
        self._focus_next = "source"

    def _send_to_others(self) -> None:
        """Start again with the same memo for other chats."""
        self.choice.table, self.choice.chats = None, ()
        self.choice.list.unmatched.clear()
        self.chosen = []
        self._refresh()
        self._focus_next = "chats"

    def _back(self) -> None:
        """Go back to the choice as it was."""
        self._refresh()
        self._focus_next = "chats"

    # --- the same as code ---

    def as_code(self, how: str) -> str:
        """Return code for a cell that sends what is chosen: ``how`` is "magic" or "python".

        Raises LinqError as long as no chat or no audio is chosen.
        """
        connect = f"linq_nb.connect({'demo=True' if self.outbox.mode == 'DEMO' else ''})"
        names = cell_code.Names(cell_code.name_of(self), cell_code.name_of(self.outbox), connect)
        return self.choice.as_code(how, names)

    def _show_code(self, how: str, *, again: bool = False) -> None:
        """Show code in the page; ``again`` when the choice has changed below code that is shown."""
        self._code_kind = how
        try:
            self.code = self.as_code(how)
        except LinqError:
            self.code = ""
            if not again:
                raise
        self.send({"kind": "code", "code": self.code, "is_news": not again})
