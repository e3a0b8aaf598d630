"""Drafts: made of the rows of a table, checked against a chat, shown as a card."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from linq_nb import preflight, views
from linq_nb.download import download
from linq_nb.errors import LinqError, PreflightError
from linq_nb.model import BadDraft, Chat, Draft, Finding, Findings, VoiceMemo
from linq_nb.session import Session

Row = tuple[Any, Any, Any]
Load = Callable[[str], VoiceMemo]


def make_draft(
    session: Session, memo: object, chat: Chat | str, copy: int = 1, override_optout: str | None = None
) -> Draft:
    """Return the draft of a memo for a chat, which may be given by its name; raises PreflightError."""
    if not isinstance(memo, VoiceMemo):
        raise PreflightError(
            f"this takes a VoiceMemo, not a value of type {type(memo).__name__}; nothing was sent; "
            "VoiceMemo.from_file(path) makes one"
        )
    session.check_chat(chat)
    return Draft(memo=memo, chat=session.find_chat(chat), copy=copy, override_optout=override_optout)


def check(session: Session, draft: Draft) -> Findings:
    """Return what speaks against sending a draft, errors first, and whether it was sent before."""
    findings = Findings(_findings(session, draft))
    recorded = session.recorded(draft)
    if recorded is not None and recorded.message_id:
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


def drafts_of_rows(rows: Iterable[Row], folder: Path) -> list[Draft | BadDraft]:
    """Return a draft for each row of chat, audio and copy; paths are relative to ``folder``.

    A bad row is a BadDraft that says why. Each distinct file that is audio is read once.
    """
    load = functools.cache(lambda name: VoiceMemo.load(name, folder=folder))
    return [_draft_of_row(*row, load) for row in rows]


def _draft_of_row(chat: Any, audio: Any, copy: Any, load: Load) -> Draft | BadDraft:
    """Make a row a draft, or say why it cannot be a draft."""
    chat_text = chat.chat_id if isinstance(chat, Chat) else _text(chat)
    audio_text = audio.label if isinstance(audio, VoiceMemo) else _text(audio)
    if not chat_text or not audio_text:
        missing = "audio" if chat_text else "chat"
        return BadDraft(chat=chat_text, audio=audio_text, why=f"there is no {missing} in this row")
    try:
        number = int(_text(copy).removesuffix(".0") or 1)
    except ValueError:
        why = f"copy is a whole number from 1 on, not {_text(copy)!r}"
        return BadDraft(chat=chat_text, audio=audio_text, why=why)
    try:
        memo = audio if isinstance(audio, VoiceMemo) else load(audio_text)
        return Draft(memo=memo, chat=chat if isinstance(chat, Chat) else chat_text, copy=number)
    except LinqError as error:
        return BadDraft(chat=chat_text, audio=audio_text, why=str(error))


def _text(value: Any) -> str:
    """Return a cell as text, empty for None, NaN and NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:  # NaN differs from itself
        return ""
    return str(value).strip()
