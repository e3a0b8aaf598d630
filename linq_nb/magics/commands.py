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
from linq_nb.magics.help import Help
from linq_nb.magics.lexer import fill, split
from linq_nb.magics.options import Command, asks_help, is_variable_name, parse, wrong

# Most of linq_nb is imported inside functions, so that %load_ext is quick.

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from linq_nb.model import Send
    from linq_nb.outbox import Outbox


NAME = "outbox"
DEMO_MINUTES = 5
"""How far %linq_status moves the demo's clock, which stands still by itself: Linq delivers in the meantime."""

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

        magic.__doc__ = command.help
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
    shell: Any  # IPython allows None, for magics outside a shell
    quiet = Bool(False, help="Show and return nothing, as with --quiet.").tag(config=True)

    def _run(
        self,
        command: Command,
        line: str,
        local_ns: Scope | None,
        act: Callable[[SimpleNamespace, Scope], Any],
    ) -> Any:
        """Parse a line, act and store the result; with --help, show the help instead."""
        scope = {**self.shell.user_ns, **(local_ns or {})}
        text = line.rstrip()
        tokens = split(text.removesuffix(";"))
        if asks_help(tokens):
            settings = {name: str(getattr(self, name)) for name in ("ask", "quiet")}
            display(Help(command, settings))  # type: ignore[no-untyped-call]  # IPython's display has no types
            return None
        args = parse(command, [fill(token, scope) for token in tokens])
        args.quiet = getattr(args, "quiet", False) or text.endswith(";") or self.quiet
        if args.into is not None and not is_variable_name(args.into):
            raise SettingsError(
                f"--into takes a name for a variable, not {args.into!r}; nothing was done; give one such as result"
            )
        columns = _columns(command, args)
        result = act(args, scope)
        register_accessor()
        self._store(NAME if command is spec.CONNECT and args.into is None else args.into, result)
        if args.quiet:
            return None
        shown = _shown(result, columns, with_others=not getattr(args, "columns", None))
        return self._in_terminal(shown) if columns is not None or command in (spec.CHATS, spec.ERRORS) else shown

    def _in_terminal(self, result: Any) -> Any:
        """Return a frame whose text fits the terminal, where the shell runs in one; anything else unchanged."""
        from linq_nb.magics.terminal import is_terminal

        if "pandas" not in sys.modules or not is_terminal(self.shell):
            return result
        import pandas as pd

        from linq_nb.magics.terminal_frame import TerminalFrame

        return TerminalFrame(result) if isinstance(result, pd.DataFrame) else result

    def _store(self, name: str | None, value: Any) -> None:
        if name is not None:
            self.shell.user_ns[name] = value

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
            raise SettingsError(
                f"there is no Outbox called {name!r}; nothing was sent; %linq_connect --into {name} makes it"
            )
        outbox = connect()
        self._store(NAME, outbox)
        return outbox

    # --- connecting ---

    @_magic(spec.CONNECT)
    def linq_connect(self, args: SimpleNamespace, scope: Scope) -> Outbox:
        from linq_nb.outbox import Outbox, connect

        present = self.shell.user_ns.get(NAME)
        if args.into is None and not isinstance(present, Outbox | None):
            raise SettingsError(
                f"the name {NAME!r} is of type {type(present).__name__} here; nothing was changed; "
                f"--into NAME binds another name, --into {NAME} replaces this one"
            )
        return connect(
            demo=True if args.demo else None,
            fresh=args.fresh,
            profile=args.profile,
            base_url=args.base_url,
            journal=str(args.journal) if args.journal else None,
            timeout=args.timeout or 60.0,
            recover=args.recover,
        )

    @_magic(spec.DOCTOR)
    def linq_doctor(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.magics.doctor import examine
        from linq_nb.outbox import session_of

        return examine(lambda: session_of(self._outbox(args, scope)), reputation=args.reputation)

    @_magic(spec.FORM)
    def linq_form(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.magics.terminal import instead_of

        if (shown := instead_of("linq_form", self.shell)) is not None:
            return shown
        from linq_nb.forms import SendForm

        return SendForm(self._outbox(args, scope))

    @_magic(spec.EXPLORE)
    def linq_explore(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.magics.terminal import instead_of

        if (shown := instead_of("linq_explore", self.shell)) is not None:
            return shown
        from linq_nb.explorer import Explorer

        source = args.from_
        if isinstance(source, str):
            if source not in scope:
                raise SettingsError(
                    f"the name {source!r} is not defined; nothing was opened; --from takes the name of a frame of sends"
                )
            source = scope[source]
        explorer = Explorer(self._outbox(args, scope) if source is None else source)
        explorer.filter(text=args.search or "", status=args.status)
        return explorer

    # --- sending ---

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def linq_voicememo(self, line: str, cell: str | None = None, local_ns: Scope | None = None) -> Any:
        """A line is one memo; a cell or --from is a batch."""
        command = spec.command_of("linq_voicememo", split(line), is_cell=cell is not None) or spec.VOICEMEMO

        def act(args: SimpleNamespace, scope: Scope) -> Any:
            from linq_nb.magics.voicememo_command import VoiceMemoCommand

            store = functools.partial(self._store, args.into)
            memos = VoiceMemoCommand(args, self.ask, lambda: self._outbox(args, scope), store)
            return memos.run_batch(scope, cell) if command is spec.BATCH else memos.run(scope)

        return self._run(command, line, local_ns, act)

    linq_voicememo.__doc__ = spec.VOICEMEMO.help

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
        """Refresh or watch the sends. After an interrupt, their current status is stored under --into too."""
        if args.timeout is not None and not args.watch:
            raise wrong(spec.STATUS, "--timeout is for --watch")
        if args.settled and args.watch:
            raise wrong(spec.STATUS, "--settled and --watch cannot be used together")
        from linq_nb.outbox import session_of
        from linq_nb.times import horizon_of

        horizon = horizon_of(args.horizon)
        outbox = self._outbox(args, scope)
        chosen = _chosen(outbox, args) if args.chat or args.status or args.since else None
        mine = None if chosen is None else session_of(outbox).own(chosen)
        if outbox.demo is not None and not args.watch:  # a watch sleeps, which moves the demo's clock
            outbox.demo.advance(minutes=DEMO_MINUTES)
            if not args.quiet:
                print(f"The demo's clock went on by {DEMO_MINUTES} minutes, to {outbox.demo.now():%d %b %H:%M} UTC.")  # noqa: T201
        try:
            if args.watch:
                outbox.watch(mine, args.timeout or 120, horizon=horizon, quiet=args.quiet)
            else:
                outbox.refresh(mine, settled=args.settled)
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

    @_magic(spec.AUDIT)
    def linq_audit(self, args: SimpleNamespace, scope: Scope) -> Any:
        from linq_nb.auditing import audit

        made = audit(self._outbox(args, scope), args.since or "7d", args.until, args.chat, args.tz or "UTC")
        if args.html:
            made.to_html(args.html)
        if args.xlsx:
            made.to_excel(args.xlsx)
        return made

    @_magic(spec.WEBHOOKS)
    def linq_webhooks(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.magics.webhook_commands import run
        from linq_nb.outbox import session_of

        return run(session_of(self._outbox(args, scope)).client, args, self.shell.user_ns)

    @_magic(spec.ERRORS)
    def linq_errors(self, args: SimpleNamespace, scope: Scope) -> pd.DataFrame:
        from linq_nb.frames import errors_frame

        code = args.operand.value if args.operand else None
        try:
            errors = errors_frame(None if code is None else int(code))
        except (TypeError, ValueError):
            raise SettingsError(
                f"%linq_errors takes a code such as 2001, not {code!r}; nothing was done; %linq_errors lists all codes"
            ) from None
        if errors.empty:
            raise SettingsError(f"Linq documents no error code {code}; nothing was done; %linq_errors lists all codes")
        return errors


def register_accessor(_info: object = None) -> None:
    """Register ``df.linq`` if pandas is loaded. IPython calls this before each cell; loading pandas would be slow."""
    if "pandas" in sys.modules:
        importlib.import_module("linq_nb.accessor")


def _columns(command: Command, args: SimpleNamespace) -> tuple[str, ...] | None:
    """Return the columns of sends that are shown, None for all; raises SettingsError for a name that none has."""
    names = getattr(args, "columns", None)
    if names is None or names == ["all"]:
        return None
    from linq_nb.frames import COLUMNS
    from linq_nb.magics.lexer import nearest
    from linq_nb.model import Send, short_columns

    if not names:
        return (*short_columns(Send), *(("from_handle", "to_handles") if getattr(args, "handles", None) else ()))
    for name in names:
        if name not in (*COLUMNS[Send], "unconfirmed"):
            close = nearest(str(name), COLUMNS[Send], 0.5)
            hint = f"did you mean {close}?" if close else "--columns all shows all"
            raise wrong(command, f"--columns: there is no column {name!r}; {hint}")
    return tuple(names)


def _shown(result: Any, columns: tuple[str, ...] | None, *, with_others: bool) -> Any:
    """Return a frame of sends with the columns that are shown; anything else as it is.

    ``with_others`` shows those too that a table brought along. Where a send has a reason and no code, the reason is
    shown too.
    """
    if columns is None or "pandas" not in sys.modules:
        return result
    import pandas as pd

    if not isinstance(result, pd.DataFrame):
        return result
    from linq_nb.frames import COLUMNS
    from linq_nb.model import Send

    others = [name for name in result if name not in COLUMNS[Send]] if with_others else ["unconfirmed"]
    names = [*columns, *others]
    if "meaning" in names and (result["error_code"].isna() & result["error_message"].notna()).any():
        names.insert(names.index("meaning") + 1, "error_message")
    return result[[name for name in dict.fromkeys(names) if name in result]]


def _frame(outbox: Outbox, records: Iterable[Any], args: SimpleNamespace, kind: str) -> pd.DataFrame:
    from linq_nb.frames import to_frame

    return to_frame(records, args.handles or "masked", kind=kind, key=outbox)


def _chosen(outbox: Outbox, args: SimpleNamespace) -> Sequence[Send]:
    """Return the sends that --status, --chat and --since choose."""
    status = args.status or None
    if not args.chat:
        return outbox.sends(status=status, since=args.since)
    sends = (send for chat in args.chat for send in outbox.sends(status=status, chat=chat, since=args.since))
    return list({send.send_id: send for send in sends}.values())


def _status_frame(
    outbox: Outbox, chosen: Sequence[Send] | None, args: SimpleNamespace, horizon: timedelta | None
) -> pd.DataFrame:
    """Return the chosen sends, or all, as the journal has them now; a horizon adds the column ``unconfirmed``."""
    from linq_nb.outbox import session_of
    from linq_nb.outbox.poll import current
    from linq_nb.rules import unconfirmed_ids

    session = session_of(outbox)
    frame = _frame(outbox, outbox.sends() if chosen is None else current(session, chosen), args, "sends")
    if horizon is not None:
        late = unconfirmed_ids(session.journal.open_sends(), session.now(), horizon)
        frame["unconfirmed"] = frame["send_id"].isin(late)
    return frame
