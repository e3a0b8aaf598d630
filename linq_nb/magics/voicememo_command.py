"""``%linq_voicememo``: show a memo or the plan of a batch, ask, and send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from IPython.display import display

from linq_nb import consent, live, views
from linq_nb.errors import PreflightError, SettingsError
from linq_nb.handles import text_of
from linq_nb.magics.memo_source import load
from linq_nb.model import BadDraft, Chat, Draft, Send, SendList, VoiceMemo
from linq_nb.outbox import Outbox, attempt, session_of
from linq_nb.outbox.drafts import card, check, drafts_of_table
from linq_nb.session import Session
from linq_nb.tables import is_table, of_text, of_value

_FROM_TAKES = "the name of a DataFrame or of a list of drafts, or an {expression} for one of these"


@dataclass(frozen=True, slots=True, repr=False)
class Preview(views.Shown):
    """The cards of drafts, shown together. ``outbox.send_all(outbox.plan(preview.drafts))`` sends the drafts."""

    drafts: tuple[Draft, ...] = ()


class VoiceMemoCommand:
    """One line. ``ask`` is the setting of that name; ``outbox`` connects if needed; ``store`` takes partial results."""

    def __init__(
        self, args: SimpleNamespace, ask: str, outbox: Callable[[], Outbox], store: Callable[[Any], None]
    ) -> None:
        self._args, self._ask, self._outbox, self._store = args, ask, outbox, store

    def run(self, scope: Mapping[str, Any]) -> Any:
        """Return the Send, a list of them for several chats, or what --preview shows."""
        args = self._args
        if not args.chat and not args.preview:
            raise SettingsError(
                "--chat CHAT sends the memo, --preview only shows it: give one of the two; nothing was sent; "
                "%linq_chats lists your chats"
            )
        memo = load(args.operand, scope, rate=args.rate, convert=args.convert)
        if not args.chat:
            return memo
        session = session_of(self._outbox())
        drafts = self._drafts(session, memo)
        if args.preview:
            cards = [card(session, draft, args.accept) for draft in drafts]
            html = '<div style="height:10px"></div>'.join(card.html for card in cards)
            return Preview(html, "\n\n".join(card.text for card in cards), cards[0].script, tuple(drafts))
        new = [draft for draft in drafts if not session.is_sent(draft)]
        if len(new) > 1:
            self._show(views.several_card(self._outbox().plan(new, accept=args.accept), mode=session.mode))
        elif new:
            self._show(card(session, new[0], args.accept))
        if new and self._must_ask(session):
            for draft in new:
                attempt.refuse(check(session, draft), args.accept, draft)
            chats = [session.chat_of(draft) for draft in new]
            if not self._confirm(session, consent.question(memo, chats, session.journal.label, session.live_note)):
                return None
        return self._send(session, drafts)

    def run_batch(self, scope: Mapping[str, Any], cell: str | None) -> Any:
        """Return the Plan with --plan, else a frame with the outcome of each row."""
        args = self._args
        if (cell is None) == (args.from_ is None):
            raise SettingsError(
                "the rows are given either in the cell or by --from; nothing was sent; leave out one of the two"
            )
        outbox = self._outbox()
        session = session_of(outbox)
        drafts = _drafts_of(args.from_, scope) if cell is None else drafts_of_table(of_text(cell))
        plan = outbox.plan(drafts, accept=args.accept, strict=args.strict)
        if args.plan:
            return plan
        self._show(plan)
        question = consent.batch_question(plan, session.journal.label, session.live_note)
        if plan.counts["send"] and self._must_ask(session) and not self._confirm(session, question):
            return None
        progress = live.Progress(quiet=args.quiet)
        batch = outbox.send_all(plan, workers=args.workers or 4, accept=args.accept)
        try:
            batch.wait(tick=lambda running: progress.show(views.progress(running.line())))
        finally:
            progress.end(views.progress(batch.line()))
            self._store(batch.frame())
        return batch.frame()

    def _drafts(self, session: Session, memo: VoiceMemo) -> list[Draft]:
        """Return a draft for each chat, one for a chat that is named twice."""
        args = self._args
        for chat in args.chat:
            if not isinstance(chat, Chat) and text_of(chat) is None:
                raise SettingsError(
                    f"--chat takes a chat, its id or its name, not a value of type {type(chat).__name__}; "
                    "nothing was sent; %linq_chats lists your chats"
                )
        recipients = map(session.find_chat, args.chat)
        chats = {chat if isinstance(chat, str) else chat.chat_id: chat for chat in recipients}
        return [
            Draft(
                memo=memo,
                chat=chat,
                copy=args.copy or 1,
                override_optout=args.override_optout,
                force_notify=args.force_notify or None,
            )
            for chat in chats.values()
        ]

    def _must_ask(self, session: Session) -> bool:
        return not self._args.yes and consent.must_ask(self._ask, session.mode, session.account)

    def _confirm(self, session: Session, question: str) -> bool:
        """Ask at the prompt, and remember a yes; Enter is no. Raises PreflightError where nobody can answer."""
        try:
            answer = input(f"LIVE: {question} [y/N] ")
        except (EOFError, OSError, NotImplementedError):  # a kernel raises the last where nobody can answer
            raise PreflightError(
                "this would send to a real account and nobody can answer here; nothing was sent; "
                "--yes sends without asking"
            ) from None
        if answer.strip().lower() in ("y", "yes"):
            consent.remember(session.account)
            return True
        print("Nothing was sent.")  # noqa: T201  the answer to the person at the prompt
        return False

    def _send(self, session: Session, drafts: Sequence[Draft]) -> Send | SendList:
        """Send the drafts in turn. When one fails, the sends before it are shown and stored."""
        sends = SendList()
        try:
            for draft in drafts:
                sends.append(attempt.send(session, draft, self._args.accept))
        except BaseException:
            if len(drafts) > 1:
                self._store(sends)
            for send in sends:
                self._show(send)
            raise
        return sends[0] if len(sends) == 1 else sends

    def _show(self, value: Any) -> None:
        if not self._args.quiet:
            display(value)  # type: ignore[no-untyped-call]  # IPython's display has no types


def _drafts_of(value: Any, scope: Mapping[str, Any]) -> list[Draft | BadDraft]:
    """Return the drafts of --from: a table, a list of drafts, or the name of either. Raises SettingsError."""
    if isinstance(value, str):
        if value not in scope:
            hint = "; a file is read first, as by df = pd.read_csv(file, dtype=str)" if "." in value else ""
            raise SettingsError(
                f"the name {value!r} is not defined; nothing was sent; --from takes {_FROM_TAKES}{hint}"
            )
        value = scope[value]
    if is_table(value):
        return drafts_of_table(of_value(value))
    if isinstance(value, list | tuple):
        return list(value)
    raise SettingsError(
        f"--from does not take a value of type {type(value).__name__}; nothing was sent; give {_FROM_TAKES}"
    )
