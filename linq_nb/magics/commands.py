"""The magics: each reads its line, calls the Outbox and returns the result."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Enum

from linq_nb.errors import SettingsError
from linq_nb.magics import commands_spec as spec
from linq_nb.magics.help import Help, help_text
from linq_nb.magics.lexer import fill, split
from linq_nb.magics.options import Command, asks_help, is_variable_name, parse, wrong

# Most of linq_nb is imported inside functions, so that %load_ext is quick.

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from linq_nb.model import Draft, Send, VoiceMemo
    from linq_nb.outbox import Outbox


NAME = "outbox"
Scope = dict[str, Any]
Method = Callable[..., Any]


def _magic(command: Command) -> Callable[[Method], Method]:
    """Make a line magic of a method that takes the parsed line and the names that the line can use.

    The magic gets its line as it was typed. IPython's own way to suppress the output after a ``;`` is not used: it
    reads the line as Python, which fails from Python 3.12 on for a path with a backslash. ``_run`` looks for the ``;``.
    """

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def magic(self: LinqMagics, line: str, local_ns: Scope | None = None) -> Any:
            return self._run(command, line, local_ns, functools.partial(method, self))

        magic.__doc__ = help_text(command)
        prepared: Method = no_var_expand(needs_local_scope(line_magic(magic)))
        return prepared

    return decorate


@magics_class
class LinqMagics(Magics):
    """Voice memos through Linq, each exactly once: %linq_connect, %linq_voicememo, %linq_sends and more."""

    ask = Enum(
        ["each", "once", "never"],
        "each",
        help="Ask before sending to a real account: each time, once in this kernel, or never. The demo never asks.",
    ).tag(config=True)
    quiet = Bool(False, help="Show and return nothing, as with --quiet.").tag(config=True)

    def __init__(self, shell: Any, **more: Any) -> None:
        super().__init__(shell, **more)
        self._shell = shell

    def _run(
        self,
        command: Command,
        line: str,
        local_ns: Scope | None,
        act: Callable[[SimpleNamespace, Scope], Any],
    ) -> Any:
        """Parse a line, act and store the result; with --help, show the help instead."""
        scope = {**self._shell.user_ns, **(local_ns or {})}
        text = line.rstrip()
        tokens = split(text.removesuffix(";"))
        if asks_help(tokens):
            _show(Help(command, {name: str(getattr(self, name)) for name in ("ask", "quiet")}))
            return None
        args = parse(command, fill(tokens, scope))
        args.quiet = getattr(args, "quiet", False) or text.endswith(";") or self.quiet
        if args.into is not None and not is_variable_name(args.into):
            raise SettingsError(f"--into takes a name for a variable, not {args.into!r}; nothing was done")
        result = act(args, scope)
        register_accessor()
        self._store(NAME if command is spec.CONNECT and args.into is None else args.into, result)
        return None if args.quiet else result

    def _store(self, name: str | None, value: Any) -> None:
        if name is not None:
            self._shell.user_ns[name] = value

    def _outbox(self, args: SimpleNamespace, scope: Scope) -> Outbox:
        """Return the notebook's Outbox; if there is none, connect from the settings."""
        from linq_nb.outbox import Outbox, connect

        name = args.via or NAME
        value = scope.get(name) if isinstance(name, str) else name
        if isinstance(value, Outbox):
            return value
        if value is not None:
            raise SettingsError(
                f"{NAME if value is not name else '--via'} is of type {type(value).__name__} here, not an Outbox; "
                f"nothing was sent; %linq_connect --into {NAME} binds it anew, or name yours with --via"
            )
        if args.via:
            raise SettingsError(f"there is no Outbox called {name!r}; nothing was sent")
        outbox = connect()
        self._store(NAME, outbox)
        return outbox

    # --- connecting ---

    @_magic(spec.CONNECT)
    def linq_connect(self, args: SimpleNamespace, scope: Scope) -> Outbox:
        from linq_nb.outbox import Outbox, connect

        present = self._shell.user_ns.get(NAME)
        if args.into is None and not isinstance(present, Outbox | None):
            raise SettingsError(
                f"the name {NAME!r} is of type {type(present).__name__} here and was not changed; "
                f"--into NAME binds another name, --into {NAME} replaces this one"
            )
        return connect(
            demo=True if args.demo else None,
            fresh=args.fresh,
            profile=args.profile,
            base_url=args.base_url,
            journal=str(args.journal) if args.journal else None,
            timeout=args.timeout or 60.0,
        )

    @_magic(spec.DOCTOR)
    def linq_doctor(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.magics.doctor import examine

        return examine(lambda: self._outbox(args, scope))

    @_magic(spec.FORM)
    def linq_form(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.forms import SendForm

        return SendForm(self._outbox(args, scope))

    # --- sending ---

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def linq_voicememo(self, line: str, cell: str | None = None, local_ns: Scope | None = None) -> Any:
        if cell is None and not any(token.text == "--from" for token in split(line)):
            return self._run(spec.VOICEMEMO, line, local_ns, self._one_memo)
        return self._run(spec.BATCH, line, local_ns, lambda args, scope: self._batch(args, scope, cell))

    linq_voicememo.__doc__ = help_text(spec.VOICEMEMO)

    def _one_memo(self, args: SimpleNamespace, scope: Scope) -> Any:
        """Return the Send, a list of them for several chats, or what --preview shows."""
        from linq_nb.magics.memo_source import load
        from linq_nb.magics.preview_cards import preview
        from linq_nb.outbox import session_of
        from linq_nb.outbox.drafts import card

        if not args.chat and not args.preview:
            raise SettingsError(
                "--chat CHAT sends the memo, --preview only shows it: give one of the two; nothing was sent; "
                "%linq_chats lists your chats"
            )
        memo = load(args.operand, scope, rate=args.rate, convert=args.convert)
        if not args.chat:
            return memo
        outbox = self._outbox(args, scope)
        drafts = self._drafts(outbox, memo, args)
        if args.preview:
            return preview(outbox, drafts, args.accept)
        new = [draft for draft in drafts if not session_of(outbox).is_sent(draft)]
        for draft in new:
            if not args.quiet:
                _show(card(session_of(outbox), draft, args.accept))
        if new and not self._may_send(outbox, new, args):
            return None
        return self._send(outbox, drafts, args)

    def _drafts(self, outbox: Outbox, memo: VoiceMemo, args: SimpleNamespace) -> list[Draft]:
        """Return a draft for each chat, one for a chat that is named twice."""
        from linq_nb.model import Chat, Draft

        for chat in args.chat:
            if not isinstance(chat, str | Chat):
                raise SettingsError(
                    f"--chat takes a chat, its id or its name, not a value of type {type(chat).__name__}; "
                    "nothing was sent"
                )
        chats: dict[str, Chat | str] = {}
        for chat in map(outbox.find_chat, args.chat):
            chats.setdefault(chat if isinstance(chat, str) else chat.chat_id, chat)
        return [
            Draft(memo=memo, chat=chat, copy=args.copy or 1, override_optout=args.override_optout)
            for chat in chats.values()
        ]

    def _may_send(self, outbox: Outbox, drafts: Sequence[Draft], args: SimpleNamespace) -> bool:
        """Ask before a live send. Raises PreflightError, before the question, if the checks refuse a draft."""
        from linq_nb.outbox import session_of

        if not self._must_ask(outbox, args):
            return True
        from linq_nb import consent
        from linq_nb.outbox.attempt import refuse

        for draft in drafts:
            refuse(outbox.check(draft.memo, draft.chat, copy=draft.copy), args.accept, draft)
        chats = [session_of(outbox).chat_of(draft) for draft in drafts]
        return self._confirm(outbox, consent.question(drafts[0].memo, chats, session_of(outbox).journal.label))

    def _must_ask(self, outbox: Outbox, args: SimpleNamespace) -> bool:
        from linq_nb import consent
        from linq_nb.outbox import session_of

        return not args.yes and consent.must_ask(self.ask, outbox.mode, session_of(outbox).account)

    def _confirm(self, outbox: Outbox, question: str) -> bool:
        """Ask at the prompt, and remember a yes. Raises PreflightError where nobody can answer."""
        from linq_nb import consent
        from linq_nb.magics.confirm import confirm
        from linq_nb.outbox import session_of

        if confirm(question):
            consent.remember(session_of(outbox).account)
            return True
        print("Nothing was sent.")  # noqa: T201  the answer to the person at the prompt
        return False

    def _send(self, outbox: Outbox, drafts: Sequence[Draft], args: SimpleNamespace) -> Send | list[Send]:
        """Send the drafts in turn. When one fails, the sends before it are shown and stored."""
        from linq_nb.outbox import session_of
        from linq_nb.outbox.attempt import send as send_draft

        sends: list[Send] = []
        try:
            for draft in drafts:
                sends.append(send_draft(session_of(outbox), draft, args.accept))
        except BaseException:
            if len(drafts) > 1:
                self._store(args.into, sends)
            for send in sends if not args.quiet else ():
                _show(send)
            raise
        return sends[0] if len(sends) == 1 else sends

    def _batch(self, args: SimpleNamespace, scope: Scope, cell: str | None) -> Any:
        """Plan, show, ask and send. Returns the Plan with --plan, else a frame with the outcome of each row."""
        from linq_nb import consent, live, views
        from linq_nb.magics import batch_input
        from linq_nb.outbox import session_of

        if (cell is None) == (args.from_ is None):
            raise SettingsError("give the rows either in the cell or by --from; nothing was sent")
        outbox = self._outbox(args, scope)
        drafts = batch_input.from_value(args.from_, scope) if cell is None else batch_input.from_cell(cell)
        plan = outbox.plan(drafts, accept=args.accept, strict=args.strict)
        if args.plan:
            return plan
        if not args.quiet:
            _show(plan)
        must_ask = plan.counts["send"] and self._must_ask(outbox, args)
        if must_ask and not self._confirm(outbox, consent.batch_question(plan, session_of(outbox).journal.label)):
            return None
        progress = live.Progress(quiet=args.quiet)
        batch = outbox.send_all(plan, workers=args.workers or 4, accept=args.accept)
        try:
            batch.wait(tick=lambda running: progress.show(views.progress(running.line())))
        finally:
            progress.end(views.progress(batch.line()))
            self._store(args.into, batch.frame())
        return batch.frame()

    # --- frames ---

    @_magic(spec.CHATS)
    def linq_chats(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        outbox = self._outbox(args, scope)
        chats = outbox.chats(to=args.to, from_=args.from_, limit=args.limit)
        return _frame(outbox, chats, args, "chats")

    @_magic(spec.SENDS)
    def linq_sends(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        outbox = self._outbox(args, scope)
        return _frame(outbox, _chosen(outbox, args), args, "sends")

    @_magic(spec.STATUS)
    def linq_status(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        """The sends as they are go to --into also when this is interrupted."""
        if args.timeout is not None and not args.watch:
            raise wrong(spec.STATUS, "--timeout is for --watch")
        if args.settled and args.watch:
            raise wrong(spec.STATUS, "--settled and --watch cannot be used together")
        from linq_nb.rules import horizon_of

        horizon = horizon_of(args.horizon)
        outbox = self._outbox(args, scope)
        chosen = _chosen(outbox, args) if args.chat or args.status else None
        try:
            if args.watch:
                outbox.watch(chosen, args.timeout or 120, horizon=horizon, quiet=args.quiet)
            else:
                outbox.refresh(chosen, settled=args.settled)
        except BaseException:
            if args.into:
                self._store(args.into, _status_frame(outbox, chosen, args, horizon))
            raise
        return _status_frame(outbox, chosen, args, horizon)

    @_magic(spec.RECONCILE)
    def linq_reconcile(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.journal import LEASE_S

        outbox = self._outbox(args, scope)
        reconciled = outbox.reconcile()
        if count := len(outbox.sends("sending")):
            sends = "1 send is" if count == 1 else f"{count} sends are"
            print(  # noqa: T201  a message to the person
                f"{sends} under way, or left behind by a notebook that stopped just now; "
                f"run %linq_reconcile again in {LEASE_S:.0f} s."
            )
        return _frame(outbox, reconciled, args, "sends")

    @_magic(spec.WEBHOOKS)
    def linq_webhooks(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.magics.webhook_commands import run

        return run(self._outbox(args, scope), args, self._shell.user_ns)

    @_magic(spec.ERRORS)
    def linq_errors(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.frames import errors_frame

        code = args.operand.value if args.operand else None
        try:
            errors = errors_frame(None if code is None else int(code))
        except (TypeError, ValueError):
            raise SettingsError(f"%linq_errors takes a code such as 2001, not {code!r}") from None
        if errors.empty:
            raise SettingsError(f"Linq documents no error code {code}; %linq_errors lists all codes")
        return errors


def register_accessor(_info: object = None) -> None:
    """Register ``df.linq`` if pandas is loaded. IPython calls this before each cell; loading pandas would be slow."""
    if "pandas" in sys.modules:
        importlib.import_module("linq_nb.accessor")


def _frame(outbox: Outbox, records: Iterable[Any], args: SimpleNamespace, kind: str) -> pd.DataFrame:
    from linq_nb.frames import to_frame

    return to_frame(records, args.handles or "masked", kind=kind, key=outbox)


def _chosen(outbox: Outbox, args: SimpleNamespace) -> Sequence[Send]:
    """Return the sends that --status and --chat choose."""
    status = args.status or None
    if not args.chat:
        return outbox.sends(status=status)
    sends = (send for chat in args.chat for send in outbox.sends(status=status, chat=chat))
    return list({send.send_id: send for send in sends}.values())


def _status_frame(
    outbox: Outbox, chosen: Sequence[Send] | None, args: SimpleNamespace, horizon: timedelta | None
) -> pd.DataFrame:
    """Return the chosen sends, or all, as the journal has them now; a horizon adds the column ``unconfirmed``."""
    from linq_nb.outbox import session_of
    from linq_nb.outbox.poll import current
    from linq_nb.rules import is_unconfirmed

    frame = _frame(outbox, outbox.sends() if chosen is None else current(session_of(outbox), chosen), args, "sends")
    if horizon is not None:
        now = session_of(outbox).now()
        late = [send.send_id for send in session_of(outbox).journal.moving() if is_unconfirmed(send, now, horizon)]
        frame["unconfirmed"] = frame["send_id"].isin(late)
    return frame


def _show(value: Any) -> None:
    display(value)  # type: ignore[no-untyped-call]  # IPython's display has no types
