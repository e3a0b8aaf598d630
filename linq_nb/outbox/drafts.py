"""Drafts: made of the rows of a table, checked against a chat, shown as a card."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from linq_nb import preflight, views
from linq_nb.download import download
from linq_nb.errors import AudioError, LinqError, PreflightError
from linq_nb.model import BadDraft, Chat, Draft, Finding, Findings, VoiceMemo
from linq_nb.session import Session
from linq_nb.status import is_resolved
from linq_nb.storable import is_missing
from linq_nb.tables import AUDIO, CHAT, COPY, FORCE_NOTIFY, Table

Load = Callable[[str], VoiceMemo]
_HERE = Path()


def make_draft(
    session: Session,
    memo: object,
    chat: Chat | str | float,
    copy: int = 1,
    override_optout: str | None = None,
    force_notify: bool | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Draft:
    """Return the draft of a memo for a chat, which may be given by its name; raises PreflightError."""
    if not isinstance(memo, VoiceMemo):
        raise PreflightError(
            f"this takes a VoiceMemo, not a value of type {type(memo).__name__}; nothing was sent; "
            "VoiceMemo.from_file(path) makes one"
        )
    session.check_chat(chat)
    return Draft(
        memo=memo,
        chat=session.find_chat(chat),
        copy=copy,
        override_optout=override_optout,
        force_notify=force_notify,
        extra=extra,
    )


def check(session: Session, draft: Draft) -> Findings:
    """Return what speaks against sending a draft, errors first, and whether it was sent before."""
    findings = Findings(_findings(session, draft))
    recorded = session.recorded(draft)
    if recorded is not None and is_resolved(recorded.status):
        message = views.repeated_line(recorded, session.now())
        findings.append(Finding(level="info", code="already_sent", message=message))
    return findings


def card(session: Session, draft: Draft, accept: Collection[str] = ()) -> views.Shown:
    """Return the card of a draft: the memo, its chat, what the checks found, DEMO or LIVE."""
    chat = session.chat_of(draft)
    findings = preflight.settle(_findings(session, draft), accept, optout=draft.override_optout is not None)
    line = chat.line or session.line
    return views.draft_card(draft, chat, findings, mode=session.mode, line=line, journal_note=session.live_note)


def _findings(session: Session, draft: Draft) -> list[Finding]:
    on_memo, on_chat = preflight.check_memo(draft.memo), preflight.check_chat(session.chat_of(draft), draft.memo)
    return session.url_findings(draft) + on_memo + on_chat


def fetch_memo(session: Session, memo: VoiceMemo, *, allow_private: bool = False) -> VoiceMemo:
    """Download a URL memo; returns a memo that knows its sha256 and is still sent by its URL."""
    if memo.url is None:
        return memo
    data = download(
        memo.url, timeout=session.client.timeout, allow_private=allow_private, transport=session.media_transport
    )
    fetched = memo.fetched(data)
    session.journal.link(fetched.names)
    return fetched


# --- rows of a table ------------------------------------------------------------------------------------------


_YES_OR_NO = {**dict.fromkeys(("true", "yes", "1"), True), **dict.fromkeys(("false", "no", "0"), False), "": None}
"""Cells of ``force_notify``; an empty one sends none."""


def drafts_of_table(
    table: Table,
    folder: Path = _HERE,
    *,
    chat: str | None = None,
    audio: str | None = None,
    copy: str | None = None,
    force_notify: str | None = None,
) -> list[Draft | BadDraft]:
    """Return a draft for each row; paths are relative to ``folder``. Raises SettingsError when a column is missing.

    ``chat``, ``audio``, ``copy`` and ``force_notify`` name columns; without them the usual names are looked for. The
    other columns stay beside the draft. A bad row is a BadDraft that says why. Each distinct file that is audio is
    read once.
    """
    required = (table.find(CHAT, chat), table.find(AUDIO, audio))
    places = (*required, table.get(COPY, copy), table.get(FORCE_NOTIFY, force_notify))
    load = functools.cache(lambda name: VoiceMemo.load(name, folder=folder))
    too_many = (
        f"the line has more fields than the first one ({','.join(table.names)}); put a name with a comma in quotes"
    )
    drafts: list[Draft | BadDraft] = []
    for row, others in zip(table.rows, table.mappings(leave=places), strict=True):
        cells = [None if place is None else row[place] for place in places]
        why = too_many if len(row) > len(table.names) else ""
        drafts.append(_draft_of_row(cells, why, load, others))
    return drafts


def _draft_of_row(cells: Sequence[Any], why: str, load: Load, others: Mapping[str, Any]) -> Draft | BadDraft:
    """Make a draft of a row's cells, or say why it cannot be one; ``why`` is known before."""
    chat, audio, copy, notify = cells
    chat_text = chat.chat_id if isinstance(chat, Chat) else _text(chat)
    audio_text = audio.label if isinstance(audio, VoiceMemo) else _text(audio)
    number, convertible = 1, False
    if not chat_text or not audio_text:
        why = why or f"there is no {'audio' if chat_text else 'chat'} in this row"
    try:
        number = int(_text(copy).removesuffix(".0") or 1)
    except ValueError:
        why = why or f"copy is a whole number from 1 on, not {_text(copy)!r}"
    notify_text = _text(notify).removesuffix(".0").lower()
    if notify_text not in _YES_OR_NO:
        why = why or f"force_notify is true or false, not {_text(notify)!r}"
    try:
        if not why:
            memo = audio if isinstance(audio, VoiceMemo) else load(audio_text)
            place = chat if isinstance(chat, Chat) else chat_text
            force = _YES_OR_NO[notify_text]
            return Draft(memo=memo, chat=place, copy=number, force_notify=force, other_columns=others)
    except LinqError as error:
        why, convertible = str(error), isinstance(error, AudioError) and error.convertible
    return BadDraft(chat=chat_text, audio=audio_text, why=why, convertible=convertible, other_columns=others)


def _text(value: Any) -> str:
    """Return a cell as text, empty for None, NaN and NA."""
    return "" if is_missing(value) else str(value).strip()
