"""The magics themselves."""

from __future__ import annotations

import importlib
import keyword
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
from linq_nb.magics.help import help_of, help_text
from linq_nb.magics.lexer import fill, split
from linq_nb.magics.options import Command, asks_help, parse, wrong

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from linq_nb.model import Draft, Send, VoiceMemo
    from linq_nb.outbox import Outbox


NAME = "outbox"
Scope = dict[str, Any]


def _magic(
    command: Command, kind: Callable[..., Any] = line_magic
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a magic that gets its line as it was typed and sees local names.

    IPython's own way to keep still after a ``;`` reads the line as Python, which fails on a path with a
    backslash from Python 3.12 on; ``_run`` looks at the end of the line itself.
    """

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        method.__doc__ = help_text(command)
        made: Callable[..., Any] = kind(method)
        return no_var_expand(needs_local_scope(made))

    return wrap


@magics_class
class LinqMagics(Magics):
    """Voice memos through Linq, each exactly once: %linq_connect, %linq_voicememo, %linq_sends and more."""

    ask = Enum(
        ["each", "once", "never"],
        "each",
        help="Ask before sending to a real account: each time, once in this kernel, or never; the demo never asks.",
    ).tag(config=True)
    quiet = Bool(False, help="Show and return nothing, as with --quiet.").tag(config=True)

    def __init__(self, shell: Any, **more: Any) -> None:
        super().__init__(shell, **more)
        self._shell = shell

    # --- the magics: each reads its line and hands over ---

    @_magic(spec.CONNECT)
    def linq_connect(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.CONNECT, line, local_ns, self._connect)

    @_magic(spec.VOICEMEMO, line_cell_magic)
    def linq_voicememo(self, line: str, cell: str | None = None, local_ns: Scope | None = None) -> Any:
        if cell is None and not any(piece.text == "--from" for piece in split(line)):
            return self._run(spec.VOICEMEMO, line, local_ns, self._voicememo)
        return self._run(spec.BATCH, line, local_ns, lambda args, scope: self._batch(args, scope, cell))

    @_magic(spec.CHATS)
    def linq_chats(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.CHATS, line, local_ns, self._chats)

    @_magic(spec.SENDS)
    def linq_sends(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.SENDS, line, local_ns, self._sends)

    @_magic(spec.STATUS)
    def linq_status(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.STATUS, line, local_ns, self._status)

    @_magic(spec.RECONCILE)
    def linq_reconcile(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.RECONCILE, line, local_ns, self._reconcile)

    @_magic(spec.WEBHOOKS)
    def linq_webhooks(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.WEBHOOKS, line, local_ns, self._webhooks)

    @_magic(spec.ERRORS)
    def linq_errors(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.ERRORS, line, local_ns, self._errors)

    @_magic(spec.FORM)
    def linq_form(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.FORM, line, local_ns, self._form)

    @_magic(spec.DOCTOR)
    def linq_doctor(self, line: str, local_ns: Scope | None = None) -> Any:
        return self._run(spec.DOCTOR, line, local_ns, self._doctor)

    # --- what they have in common ---

    def _run(
        self,
        command: Command,
        line: str,
        local_ns: Scope | None,
        act: Callable[[SimpleNamespace, Scope], Any],
    ) -> Any:
        """Parse a line, act, store the result where it is wanted; --help shows the help instead."""
        scope = {**self._shell.user_ns, **(local_ns or {})}
        text = line.rstrip()
        pieces = split(text.removesuffix(";"))
        if asks_help(pieces):
            _show(help_of(command, {name: str(getattr(self, name)) for name in ("ask", "quiet")}))
            return None
        args = parse(command, fill(pieces, scope))
        args.quiet = getattr(args, "quiet", False) or text.endswith(";") or self.quiet
        args.into = _name(args.into)
        result = act(args, scope)
        register_accessor()
        self._store(NAME if command is spec.CONNECT and args.into is None else args.into, result)
        return None if args.quiet else result

    def _store(self, name: str | None, value: Any) -> None:
        if name is not None:
            self._shell.user_ns[name] = value

    def _outbox(self, args: SimpleNamespace, scope: Scope) -> Outbox:
        """Return the notebook's Outbox; without one, connect from the settings."""
        from linq_nb.outbox import Outbox, connect

        name = args.via or NAME
        found = scope.get(name) if isinstance(name, str) else name
        if isinstance(found, Outbox):
            return found
        if found is not None:
            raise SettingsError(
                f"{NAME if found is not name else '--via'} is of type {type(found).__name__} here, not an Outbox; "
                f"nothing was sent; %linq_connect --into {NAME} binds it anew, or name yours with --via"
            )
        if args.via:
            raise SettingsError(f"there is no Outbox called {name!r}; nothing was sent")
        made = connect()
        self._store(NAME, made)
        return made

    # --- what each does ---

    def _connect(self, args: SimpleNamespace, scope: Scope) -> Outbox:
        from linq_nb.outbox import Outbox, connect

        taken = self._shell.user_ns.get(NAME)
        if args.into is None and not isinstance(taken, Outbox | None):
            raise SettingsError(
                f"the name {NAME!r} is of type {type(taken).__name__} here, and stays so; "
                f"--into NAME binds another name, --into {NAME} takes this one"
            )
        return connect(
            demo=True if args.demo else None,
            fresh=args.fresh,
            profile=args.profile,
            base_url=args.base_url,
            journal=str(args.journal) if args.journal else None,
            timeout=args.timeout or 60.0,
        )

    def _voicememo(self, args: SimpleNamespace, scope: Scope) -> Any:
        """Return the Send, or a list for several chats; of a preview the memo or the cards."""
        from linq_nb.magics.memo_source import load
        from linq_nb.magics.preview_cards import preview

        if not args.chat and not args.preview:
            raise SettingsError(
                "say --chat CHAT to send it, or --preview to look; nothing was sent; %linq_chats lists your chats"
            )
        memo = load(args.operand, scope, rate=args.rate, convert=args.convert)
        if not args.chat:
            return memo
        outbox = self._outbox(args, scope)
        drafts = self._drafts(outbox, memo, args)
        if args.preview:
            return preview(outbox, drafts, args.accept)
        new = [draft for draft in drafts if not outbox.is_sent(draft)]
        for draft in new:
            if not args.quiet:
                _show(outbox.card(draft, accept=args.accept))
        if new and not self._may_send(outbox, new, args):
            return None
        return self._send(outbox, drafts, args)

    def _drafts(self, outbox: Outbox, memo: VoiceMemo, args: SimpleNamespace) -> list[Draft]:
        """Return a draft for each chat; one that is named twice counts once."""
        from linq_nb.model import Chat, Draft

        for one in args.chat:
            if not isinstance(one, str | Chat):
                raise SettingsError(
                    f"--chat takes a chat, its id or its name, not one of type {type(one).__name__}; nothing was sent"
                )
        chats: dict[str, Chat | str] = {}
        for chat in map(outbox.find_chat, args.chat):
            chats.setdefault(chat if isinstance(chat, str) else chat.chat_id, chat)
        return [
            Draft(memo=memo, chat=chat, copy=args.copy or 1, override_optout=args.override_optout)
            for chat in chats.values()
        ]

    def _may_send(self, outbox: Outbox, drafts: Sequence[Draft], args: SimpleNamespace) -> bool:
        """Ask before a live send, but not for what the checks refuse anyway. Raises PreflightError."""
        if not self._must_ask(outbox, args):
            return True
        from linq_nb import consent
        from linq_nb.outbox.sending import refuse

        for draft in drafts:
            refuse(outbox.check(draft.memo, draft.chat, copy=draft.copy), args.accept, draft)
        chats = [outbox.chat_of(draft) for draft in drafts]
        return self._confirm(outbox, consent.question(drafts[0].memo, chats, outbox.journal.label))

    def _must_ask(self, outbox: Outbox, args: SimpleNamespace) -> bool:
        """Whether a person has to say yes first."""
        from linq_nb import consent

        return not args.yes and consent.must_ask(self.ask, outbox.mode, outbox.account)

    def _confirm(self, outbox: Outbox, question: str) -> bool:
        """Ask at the prompt, and remember a yes. Raises PreflightError where nobody can answer."""
        from linq_nb import consent
        from linq_nb.magics.confirm import confirm

        if confirm(question):
            consent.remember(outbox.account)
            return True
        print("Nothing was sent.")  # noqa: T201  the answer to the person at the prompt
        return False

    def _send(self, outbox: Outbox, drafts: Sequence[Draft], args: SimpleNamespace) -> Send | list[Send]:
        """Send one after the other; when one fails, those before it are shown and kept."""
        done: list[Send] = []
        try:
            for draft in drafts:
                done.append(outbox.send_draft(draft, accept=args.accept))
        except BaseException:
            if len(drafts) > 1:
                self._store(args.into, done)
            for send in done if not args.quiet else ():
                _show(send)
            raise
        return done[0] if len(done) == 1 else done

    def _batch(self, args: SimpleNamespace, scope: Scope, cell: str | None) -> Any:
        """Plan, show, ask, send; returns the Plan with --plan, else the frame of what happened to each row."""
        from linq_nb import consent, live, views
        from linq_nb.magics import batch_input

        if (cell is None) == (args.from_ is None):
            raise SettingsError("give the rows in the cell or by --from, one of the two; nothing was sent")
        outbox = self._outbox(args, scope)
        drafts = batch_input.of_value(args.from_, scope) if cell is None else batch_input.of_cell(cell)
        plan = outbox.plan(drafts, accept=args.accept, strict=args.strict)
        if args.plan:
            return plan
        if not args.quiet:
            _show(plan)
        must_ask = plan.counts["send"] and self._must_ask(outbox, args)
        if must_ask and not self._confirm(outbox, consent.batch_question(plan, outbox.journal.label)):
            return None
        progress = live.Progress(quiet=args.quiet)
        batch = outbox.send_all(plan, workers=args.workers or 4, accept=args.accept)
        try:
            batch.wait(tick=lambda running: progress.show(views.progress(running.line())))
        finally:
            progress.end(views.progress(batch.line()))
            self._store(args.into, batch.frame())
        return batch.frame()

    def _chats(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        outbox = self._outbox(args, scope)
        chats = outbox.chats(to=args.to, from_=args.from_, limit=args.limit)
        return _frame(outbox, chats, args, "chats")

    def _sends(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        outbox = self._outbox(args, scope)
        return _frame(outbox, _chosen(outbox, args), args, "sends")

    def _status(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        """Ask for the chosen sends; what was learnt goes to --into also when it is interrupted."""
        if args.timeout is not None and not args.watch:
            raise wrong(spec.STATUS, "--timeout goes with --watch")
        if args.settled and args.watch:
            raise wrong(spec.STATUS, "--settled asks once, --watch until they are settled: give one of the two")
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

    def _reconcile(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.journal import LEASE_S

        outbox = self._outbox(args, scope)
        looked_for = outbox.reconcile()
        if left := len(outbox.sends("sending")):
            told = "1 send is" if left == 1 else f"{left} sends are"
            print(  # noqa: T201  told to the person
                f"{told} being made right now, or left by a notebook that died just now; "
                f"%linq_reconcile looks for what is left in {LEASE_S:.0f} s."
            )
        return _frame(outbox, looked_for, args, "sends")

    def _webhooks(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.magics.webhook_commands import act

        return act(self._outbox(args, scope), args, self._shell.user_ns)

    def _errors(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.frames import errors_frame

        code = args.operand.value if args.operand else None
        try:
            found = errors_frame(None if code is None else int(code))
        except (TypeError, ValueError):
            raise SettingsError(f"%linq_errors takes a code such as 2001, not {code!r}") from None
        if found.empty:
            raise SettingsError(f"Linq documents no error code {code}; %linq_errors lists all")
        return found

    def _form(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.forms import SendForm

        return SendForm(self._outbox(args, scope))

    def _doctor(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.magics.doctor import examine

        return examine(lambda: self._outbox(args, scope))


def register_accessor(_info: object = None) -> None:
    """Register ``df.linq`` if pandas is loaded. IPython calls this before each cell; loading pandas would be slow."""
    if "pandas" in sys.modules:
        importlib.import_module("linq_nb.accessor")


def _name(name: Any) -> str | None:
    """Return the name to store under, looked at before anything is done."""
    if name is None or (isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)):
        return name
    raise SettingsError(f"--into takes a name for a variable, not {name!r}; nothing was done")


def _frame(outbox: Outbox, records: Iterable[Any], args: SimpleNamespace, kind: str) -> pd.DataFrame:
    from linq_nb.frames import to_frame

    return to_frame(records, args.handles or "masked", kind=kind, key=outbox.hash_key())


def _chosen(outbox: Outbox, args: SimpleNamespace) -> Sequence[Send]:
    """Return the sends that --status and --chat choose."""
    status = args.status or None
    if not args.chat:
        return outbox.sends(status=status)
    return list({one.send_id: one for chat in args.chat for one in outbox.sends(status=status, chat=chat)}.values())


def _status_frame(
    outbox: Outbox, chosen: Sequence[Send] | None, args: SimpleNamespace, horizon: timedelta | None
) -> pd.DataFrame:
    """Return these sends (all) as they stand now, with the column ``unconfirmed`` where a horizon is given."""
    from linq_nb.outbox.reading import as_they_stand
    from linq_nb.rules import is_unconfirmed

    frame = _frame(outbox, outbox.sends() if chosen is None else as_they_stand(outbox, chosen), args, "sends")
    if horizon is not None:
        now = outbox.now()
        late = [one.send_id for one in outbox.journal.moving() if is_unconfirmed(one, now, horizon)]
        frame["unconfirmed"] = frame["send_id"].isin(late)
    return frame


def _show(what: Any) -> None:
    display(what)  # type: ignore[no-untyped-call]  # IPython's display has no types
