"""What is chosen in the form: chats, audio, copy; the plan that follows from it, and its card."""

from __future__ import annotations

import dataclasses

from linq_nb import views
from linq_nb.errors import LinqError
from linq_nb.forms import cell_code, notebook_tables
from linq_nb.forms.audio_choice import AudioChoice
from linq_nb.forms.chat_choice import ChatChoice
from linq_nb.model import BadDraft, Chat, Draft, Finding, Plan, VoiceMemo
from linq_nb.outbox import Outbox, session_of


@dataclasses.dataclass(frozen=True)
class TableRows:
    """A DataFrame of the notebook whose rows are the batch: its name and the columns of chats and audio."""

    name: str
    chat: str
    audio: str


class Choice:
    """What is chosen. ``plan`` and ``card`` follow from it with ``make_plan``; ``table`` is a batch of its own."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox, self._session = outbox, session_of(outbox)
        self.chats: tuple[Chat, ...] = ()
        self.list, self.audio = ChatChoice(outbox), AudioChoice()
        self.copy, self.convert = 1, False
        self.table: TableRows | None = None
        self.plan: Plan | None = None
        self.card = ""

    @property
    def memo(self) -> VoiceMemo | None:
        return self.audio.memo

    def drafts(self) -> list[Draft | BadDraft]:
        """Return a draft for each recipient; a line that names no chat is a BadDraft with the reason."""
        if self.table is not None:
            table = self.table
            return notebook_tables.drafts_of(table.name, table.chat, table.audio, convert=self.convert)
        memo = self.memo
        if memo is None:
            return []
        unmatched = [BadDraft(chat=text, audio=memo.label, why=why) for text, why in self.list.unmatched.items()]
        return [*(Draft(memo=memo, chat=chat, copy=self.copy) for chat in self.chats), *unmatched]

    def make_plan(self) -> None:
        """Plan what is chosen, and make its card."""
        self.plan = None
        self.card = views.memo_card(self.memo).html if self.memo is not None else ""
        if drafts := self.drafts():
            self.plan = self.outbox.plan(drafts)
            self.card = self._card(self.plan).html

    def as_code(self, how: str, names: cell_code.Names) -> str:
        """Return what the form would do as code for a cell. Raises LinqError as long as something is missing."""
        if self.table is not None:
            return cell_code.from_table(self.table.name, self.table.chat, self.table.audio, names, how)
        if self.memo is None or not self.chats:
            raise LinqError("no chat or no audio is chosen yet; nothing was copied; choose both first")
        chosen = cell_code.Chosen(self.memo, self.audio.source, self.convert, self.chats, self.copy)
        return cell_code.magic(chosen, names, self.list.offered) if how == "magic" else cell_code.python(chosen, names)

    def _card(self, plan: Plan) -> views.Shown:
        mode = self._session.mode
        draft = plan.rows[0].draft  # its chat is looked up, where a table has a name
        if len(plan.rows) > 1 or not isinstance(draft, Draft):
            return views.several_card(plan, mode=mode)
        chat = self._session.chat_of(draft)
        findings = self.outbox.check(draft.memo, chat, copy=draft.copy)
        shown = [finding for finding in findings if finding.code != "already_sent"]
        if plan.counts.get("already_sent"):
            shown.append(Finding(level="info", code="already_sent", message="sent already; it goes once"))
        line = chat.line or self.outbox.line
        return views.draft_card(draft, chat, shown, mode=mode, line=line, journal_note=self._session.live_note)
