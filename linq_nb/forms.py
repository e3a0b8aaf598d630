"""SendForm: choose a chat and audio, see the card, send; in standard ipywidgets, so by keyboard too.

The form decides nothing: it calls the Outbox and shows what that says. The widget is only the control; what was
done stays below it as a static output, also when the form is closed or the kernel is gone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types
from IPython.core.getipython import get_ipython
from IPython.display import display

from linq_nb import audio, preflight, views
from linq_nb.errors import LinqError, PreflightError
from linq_nb.model import Chat, Draft, Send, VoiceMemo, is_uuid
from linq_nb.views.page import BOX, GREY, RED, div, esc, pill, quiet

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox

SETTLE_S = 0.4
"""A click that is read so soon after the last one was worked off was the second of a double click."""

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

Stand = Literal["empty", "ready", "blocked", "sent"]


@dataclass(frozen=True)
class Controls:
    """The form's widgets, in the order in which the Tab key visits them."""

    heading: Any
    chat: Any
    upload: Any
    source: Any
    convert: Any
    copy: Any
    card: Any
    send: Any
    no: Any
    yes: Any
    status: Any
    result: Any


class SendForm:
    """A form that sends one voice memo at a time, each once.

    ``chat`` and ``memo`` are what is chosen, ``send`` is the last Send and ``error`` the last exception, each None
    where there is none; ``record()`` is what was done. A click raises nothing: its error is shown in the form.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.chat: Chat | None = None
        self.memo: VoiceMemo | None = None
        self.send: Send | None = None
        self.error: BaseException | None = None
        self.controls = _controls()
        self.widget = _arranged(self.controls)
        self._sends: dict[str, Send] = {}
        self._chats: dict[str, Chat] = {}
        self._load: Callable[[bool], VoiceMemo] | None = None
        self._stand: Stand = "empty"
        self._asking: Draft | None = None
        self._allowed = False
        self._busy = False
        self._next: Any = None
        self._settled_at = 0.0
        self._display_id = uuid.uuid4().hex
        tag = pill(outbox.mode, RED if outbox.mode == "LIVE" else GREY)
        self.controls.heading.value = div(BOX, f"{tag} <b>Send a voice memo</b>")
        self._listen()
        self._guarded(self._read_chats)()

    # --- display ---

    def __repr__(self) -> str:
        done = "; ".join(views.line(one) for one in self._sends.values())
        return f"SendForm({self.outbox.mode}, {done or 'nothing sent yet'})"

    def _ipython_display_(self) -> None:
        """Show the form, and below it a static output that keeps what it did."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        _show({WIDGET_VIEW: view, "text/plain": repr(self)}, f"{self._display_id}-form")
        _show(_bundle(self.record()), f"{self._display_id}-record")

    def record(self) -> views.Shown:
        """Return what was done with this form, as a display that needs no kernel."""
        if not self._sends:
            return _note("Nothing was sent from this form yet.")
        told = [views.line(one).removeprefix("Send ") for one in self._sends.values()]
        rows = [(str(number), line) for number, line in enumerate(told, 1)]
        return views.summary(f"{self.outbox.mode}: sent from this form", rows)

    def close(self) -> None:
        """Close the form; the record of what it did stays."""
        _show(_bundle(_note("This form is closed.")), f"{self._display_id}-form", update=True)
        for one in (*vars(self.controls).values(), self.widget):
            one.close()

    # --- callbacks ---

    def _listen(self) -> None:
        c = self.controls
        for control, act in (
            (c.chat, self._choose_chat), (c.upload, self._take_upload), (c.source, self._take_source),
            (c.convert, self._load_memo), (c.copy, self._refresh),
        ):  # fmt: skip
            control.observe(self._guarded(act), names="value")
        for button, act in ((c.send, self._press), (c.yes, self._agree), (c.no, self._refuse)):
            button.on_click(self._guarded(act))

    def _guarded(self, act: Callable[[], None]) -> Callable[..., None]:
        """Run a callback alone, with the buttons off, and show what it raises: the front end would hide it."""

        def run(_event: object = None) -> None:
            if self._busy:  # a change that the form itself made
                return
            self._busy = True
            self._lock()
            try:
                act()
            except LinqError as error:
                self._fail(error, str(error))
            except Exception as error:  # noqa: BLE001  whatever it is, the person at the form must see it
                self._fail(error, f"{type(error).__name__}: {error}")
            except BaseException as error:
                self._fail(error, f"stopped by {type(error).__name__}; %linq_sends tells what became of it")
                raise
            finally:
                self._busy = False
                self._unlock()
                self._move_cursor()

        return run

    def _fail(self, error: BaseException, words: str) -> None:
        self.error = error
        self._asking = None
        self._say("error", words, RED)

    def _say(self, tag: str, words: str, ground: str = GREY) -> None:
        """Show a line below the buttons; a screen reader reads it out."""
        role = "alert" if ground == RED else "status"
        shown = f"{pill(tag, ground)} {esc(views.clean(words, 600))}" if tag else quiet(views.clean(words, 600))
        self.controls.status.value = f'<div role="{role}">{div(BOX, shown)}</div>' if words else ""

    def _lock(self) -> None:
        for button in (self.controls.send, self.controls.yes, self.controls.no):
            button.disabled = True

    def _unlock(self) -> None:
        """Set the buttons by how things stand."""
        c, asking = self.controls, self._asking is not None
        c.send.description = self._label()
        c.send.disabled = self._stand != "ready" or asking
        c.send.layout.display = "none" if asking else ""
        for button in (c.yes, c.no):
            button.disabled = not asking
            button.layout.display = "" if asking else "none"

    def _move_cursor(self) -> None:
        """Put the cursor where it belongs, now that the button there is on."""
        if self._next is not None:
            self._next.focus()
        self._next = None

    def _label(self) -> str:
        """Say what pressing the button will do."""
        if self.chat is None or self.memo is None:
            return "Send"
        whom = views.chat_whom(self.chat).partition(" · ")[0]
        copy = f" as copy {self.controls.copy.value}" if self.controls.copy.value > 1 else ""
        if self._stand == "sent":
            return f"Already sent to {whom}{copy}"
        if self._stand == "blocked":
            return f"Cannot be sent to {whom}"
        known = self.memo.duration_ms is not None
        what = views.duration(self.memo.duration_ms) if known else views.clean(self.memo.label, 40)
        return f"Send {what} to {whom}{copy}"

    # --- what is chosen ---

    def _read_chats(self) -> None:
        self._refresh()
        for chat in self.outbox.chats():
            label = _chat_label(chat)
            self._chats[label if label not in self._chats else f"{label} · {chat.chat_id}"] = chat
        self.controls.chat.options = tuple(self._chats)

    def _choose_chat(self) -> None:
        """Take the chat of the list, or the only one that has the typed name, handle or id."""
        text = self.controls.chat.value.strip()
        found, hint = self._chats.get(text), ""
        if found is None and text:
            found, hint = self._find_chat(text)
        if found is not None and found == self.chat:
            return
        self.chat = found
        self._refresh()
        if hint:
            self._say("", hint)

    def _find_chat(self, text: str) -> tuple[Chat | None, str]:
        try:
            found = self.outbox.find_chat(text)
        except PreflightError:  # still typing, perhaps
            fitting = sum(text.casefold() in label.casefold() for label in self._chats)
            return None, f"{fitting or 'no'} chats fit {text!r}; choose one of the list."
        return (found if isinstance(found, Chat) else self.outbox.chat(found)), ""

    def _take_upload(self) -> None:
        """Take the bytes out of the widget at once: what stays in it would be saved with the notebook."""
        files = self.controls.upload.value
        if not files:
            return
        name, data = str(files[0]["name"]), bytes(files[0]["content"])
        self.controls.upload.value = ({**files[0], "content": b""},)
        self.controls.source.value = ""
        self._load = lambda convert: VoiceMemo.from_bytes(data, name, convert=convert)
        self._load_memo()

    def _take_source(self) -> None:
        text = self.controls.source.value.strip().strip("\"'")
        self.controls.upload.value = ()
        self._load = (lambda convert: _memo_of(text, convert)) if text else None
        self._load_memo()

    def _load_memo(self) -> None:
        self.memo = None
        try:
            self.memo = self._load(self.controls.convert.value) if self._load else None
        finally:
            self._refresh()

    def _draft(self) -> Draft | None:
        if self.memo is None or self.chat is None:
            return None
        return Draft(memo=self.memo, chat=self.chat, copy=self.controls.copy.value)

    def _refresh(self) -> None:
        """Show the card of what is chosen, and how it stands."""
        self._asking, self.error = None, None
        self.controls.card.value = self.controls.result.value = ""
        self._stand = "empty"
        draft = self._draft()
        if draft is not None:
            self.controls.card.value = self.outbox.card(draft).html
            self._stand = self._standing(draft)
        elif self.memo is not None:
            self.controls.card.value = views.bundle(self.memo)["text/html"]
        self._say("", self._next_step())

    def _standing(self, draft: Draft) -> Stand:
        if self.outbox.is_sent(draft):
            return "sent"
        return "blocked" if preflight.errors(self.outbox.check(draft.memo, draft.chat)) else "ready"

    def _next_step(self) -> str:
        if self._stand == "sent":
            return f"It is sent. Set Copy to {self.controls.copy.value + 1} for another bubble."
        if self._stand == "empty":
            missing = [name for name, one in (("a chat", self.chat), ("audio", self.memo)) if one is None]
            return f"Choose {' and '.join(missing)}."
        return ""

    # --- sending ---

    def _press(self) -> None:
        draft = self._draft()
        if draft is None or self._stand != "ready" or time.monotonic() - self._settled_at < SETTLE_S:
            return
        if self._must_ask():
            self._ask(draft)
        else:
            self._send(draft)

    def _must_ask(self) -> bool:
        ask = _asking()
        return self.outbox.mode == "LIVE" and ask != "never" and not (ask == "once" and self._allowed)

    def _ask(self, draft: Draft) -> None:
        """Ask once more before a live send; the cursor goes to No, so Enter is no."""
        self._asking = draft
        self.controls.yes.description = f"Yes, {self._label().replace('Send', 'send', 1)}"
        self._say("LIVE", self.outbox.question([draft]).removeprefix("LIVE: "), RED)
        self._next = self.controls.no

    def _agree(self) -> None:
        draft, self._asking = self._asking, None
        if draft is not None:
            self._allowed = True
            self._send(draft)

    def _refuse(self) -> None:
        self._asking = None
        self._say("", "Nothing was sent.")
        self._next = self.controls.send

    def _send(self, draft: Draft) -> None:
        self._say("", "Sending ...")
        self.error = None
        try:
            self._keep(self.outbox.send_draft(draft))
        except BaseException:
            self._keep(self._recorded(draft))
            raise
        finally:
            self._settled_at = time.monotonic()
        self._stand = self._standing(draft)
        self._say("", self._next_step())

    def _recorded(self, draft: Draft) -> Send | None:
        """Return what the journal has of a send that did not end well."""
        try:
            wanted = self.outbox.wanted(draft).send_id
            return next((one for one in self.outbox.sends(chat=draft.chat_id) if one.send_id == wanted), None)
        except LinqError:
            return None

    def _keep(self, send: Send | None) -> None:
        """Show a send in the form and in the record below it."""
        if send is None:
            return
        self.send = send
        self._sends[send.send_id] = send
        self.controls.result.value = views.sent(send, now=self.outbox.now()).html
        _show(_bundle(self.record()), f"{self._display_id}-record", update=True)


# --- the widgets ---------------------------------------------------------------------------------------------


def _controls() -> Controls:
    named = {"style": {"description_width": "56px"}}
    return Controls(
        heading=widgets.HTML(),
        chat=widgets.Combobox(
            description="To", placeholder="choose a chat, or type a name, number or id",
            layout=widgets.Layout(width="auto"), **named,
        ),
        upload=widgets.FileUpload(
            accept="audio/*,.caf,.amr,.m4a,.aac", multiple=False, description="Choose a file", icon="upload",
            tooltip="an audio file of this computer, at most 10 MB", layout=widgets.Layout(width="auto"),
        ),
        source=widgets.Text(
            description="Audio", placeholder="a path, https URL or attachment id", continuous_update=False,
            layout=widgets.Layout(flex="1 1 260px", width="auto", min_width="0"), **named,
        ),
        convert=widgets.Checkbox(
            description="convert what Linq does not take to M4A", indent=False,
            layout=widgets.Layout(
                width="auto", margin="2px 2px 2px 16px", display="" if audio.can_transcode() else "none"
            ),
        ),
        copy=widgets.BoundedIntText(
            value=1, min=1, max=1000, description="Copy", tooltip="2 is a second bubble of the same memo",
            layout=widgets.Layout(width="130px"), **named,
        ),
        card=widgets.HTML(),
        send=_button("Send", button_style="primary", disabled=True),
        no=_button("No, send nothing", "none"),
        yes=_button("Yes", "none", button_style="danger"),
        status=widgets.HTML(),
        result=widgets.HTML(),
    )  # fmt: skip


def _button(description: str, shown: str = "", **more: Any) -> Any:
    return widgets.Button(description=description, layout=widgets.Layout(width="auto", display=shown), **more)


def _arranged(c: Controls) -> Any:
    row = widgets.Layout(flex_flow="row wrap", align_items="center", width="auto")
    return widgets.VBox(
        [
            c.heading,
            c.chat,
            widgets.HBox([c.source, c.upload], layout=row),
            widgets.HBox([c.copy, c.convert], layout=row),
            c.card,
            widgets.HBox([c.send, c.no, c.yes], layout=row),
            c.status,
            c.result,
        ],
        layout=widgets.Layout(width="auto", max_width="660px"),
    )


def _chat_label(chat: Chat) -> str:
    """Name a chat in the list: to whom it goes, and its health where Linq warns of it."""
    health = [views.clean(chat.health_status)] if chat.health_status not in (None, "HEALTHY") else []
    gone = ["not active"] if chat.is_active is False else []
    return " · ".join([views.chat_whom(chat), *health, *gone])


def _memo_of(text: str, convert: bool) -> VoiceMemo:
    if "://" in text:
        return VoiceMemo.from_url(text)
    return VoiceMemo.from_attachment(text) if is_uuid(text) else VoiceMemo.from_file(text, convert=convert)


def _asking() -> str:
    """Return ``%config LinqMagics.ask``, "each" where the magics are not loaded."""
    shell: Any = get_ipython()
    known = [one for one in getattr(shell, "configurables", ()) if type(one).__name__ == "LinqMagics"]
    return str(known[0].ask) if known else "each"


def _note(words: str) -> views.Shown:
    return views.Shown(div(BOX, quiet(words)), words)


def _bundle(shown: views.Shown) -> dict[str, Any]:
    return dict(shown._repr_mimebundle_())


def _show(bundle: dict[str, Any], display_id: str, *, update: bool = False) -> None:
    if get_ipython() is None:  # a plain script: there is no display
        return
    display(bundle, raw=True, display_id=display_id, update=update)  # type: ignore[no-untyped-call]  # no types
