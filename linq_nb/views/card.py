"""The card of a voice memo: the bubble that the recipient gets, a player, and the facts about the file."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from linq_nb import audio
from linq_nb.audio import MAX_PLAYER_BYTES, Levels, Preview
from linq_nb.errors import AudioError
from linq_nb.model import Chat, Draft, Finding, VoiceMemo
from linq_nb.text import clean, mask
from linq_nb.views import bubble, records
from linq_nb.views.blocks import finding_rows, finding_table
from linq_nb.views.page import BOX, FRAME, Shown, columns, data_url, div, esc, mode_pill, name, quiet
from linq_nb.views.phrases import duration

PLAYER_JS = Path(__file__).with_name("player.js")

_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:10px 20px;max-width:100%"
_MIME = re.compile(r"audio/[A-Za-z0-9.+-]{1,40}")


def memo_card(memo: VoiceMemo) -> Shown:
    """Show a memo as a card; the text says the same, without the player."""
    return with_player(div(BOX, memo_html(memo)), records.line(memo))


def memo_html(memo: VoiceMemo) -> str:
    """Return bubble and player beside the facts; the facts wrap below where the page is narrow."""
    preview, levels = _preview(memo), _levels(memo)
    length = duration(memo.duration_ms) if memo.duration_ms is not None else None
    left = bubble.image(levels.outline if levels else None, length) + (_player(preview) if preview else "")
    right = "<br>".join([name(records.memo_name(memo)), *_about(memo, preview, levels)])
    seconds = levels.seconds if levels else (memo.duration_ms or 0) / 1000
    player = f' class="linq-nb-memo" data-seconds="{seconds:.3f}"' if preview and seconds else ""
    return (
        f'<div style="{_ROW}"><div{player} style="max-width:100%">{left}</div>'
        f'<div style="min-width:0;max-width:100%;overflow-wrap:break-word">{right}</div></div>'
    )


def with_player(html: str, text: str) -> Shown:
    """Return a display whose bubbles play where scripts run; without sound it has no script."""
    return Shown(html, text, player_script() if "<audio " in html else "")


@functools.cache
def player_script() -> str:
    """Return the script that makes the bubbles of a page play; a page that runs no scripts leaves it out."""
    text = PLAYER_JS.read_text(encoding="utf-8")
    return f"<script>(() => {{\n{text}linqPlayers(document);\n}})();</script>"


def draft_card(
    draft: Draft,
    chat: Chat | str | None,
    findings: Sequence[Finding],
    *,
    mode: Literal["DEMO", "LIVE"],
    line: str | None,
    journal_note: str | None = None,
) -> Shown:
    """Show what would be sent, to whom, from which line, with the findings, tagged DEMO or LIVE."""
    own = line or (None if chat is None or isinstance(chat, str) else chat.line)
    sender = f"from {clean(mask(own))}" if own else "line not known"
    receiver = records.chat_whom(chat) + (f" · copy {draft.copy}" if draft.copy != 1 else "")
    recipient, dot, rest = receiver.partition(" · ")
    head = f"<div>{mode_pill(mode)} {esc(sender)} to {name(recipient)}{esc(dot + rest)}</div>"
    body = f'<div style="margin:10px 0">{memo_html(draft.memo)}</div>'
    notes = [("journal", clean(journal_note, 600))] if journal_note else []
    checked = finding_rows(findings) + notes
    return with_player(
        div(FRAME, head, body, finding_table(checked)),
        f"{mode} {sender} to {receiver}\n{records.line(draft.memo)}\n{columns(checked)}",
    )


def _about(memo: VoiceMemo, preview: Preview | None, levels: Levels | None) -> list[str]:
    """Return the lines of facts below the name."""
    title, origin = records.memo_title(memo), records.memo_origin(memo)
    sound = [fact.value for fact in records.memo_audio(memo)] + ([origin] if origin else [])
    lines = [esc(title)] if title else []
    lines += [esc(" · ".join(sound))] if sound else []
    lines += [quiet(f"sha256 {clean(memo.sha256)[:12]}")] if memo.sha256 else []
    note = _player_note(memo, preview)
    lines += [quiet(note)] if note else []
    if levels is not None and not levels.is_whole:
        lines += [quiet(f"the waveform shows the first {duration(round(levels.seconds * 1000))}")]
    return lines


def _player_note(memo: VoiceMemo, preview: Preview | None) -> str | None:
    """Say that the player plays a preview, or why there is no player; None when it plays the memo itself."""
    if memo.data is None:
        return "outbox.fetch(memo) downloads it to hear it" if memo.source == "url" else None
    if preview is None:
        if audio.can_transcode():
            return "no player: this sound cannot be decoded here"
        return "no player: browsers play MP3 and WAV; pip install linq_nb[audio] makes an MP3 of this one to hear it"
    if preview.is_original:
        return None
    cut = f", first {duration(round(preview.seconds * 1000))}" if preview.cut else ""
    form = audio.mime_format(preview.mime_type)
    kind = audio.FORMATS[form].label if form else clean(preview.mime_type, 40)
    return f"plays a preview ({kind}{cut}), the memo itself is sent unchanged"


def _player(preview: Preview) -> str:
    """Return a player with the sound on the tag itself, where the sanitizer leaves it."""
    src = data_url(preview.mime_type, preview.data)
    style = f"display:block;width:{bubble.WIDTH - 8}px;max-width:100%;height:36px;margin:6px 0 0 0"
    return f'<audio controls preload="metadata" src="{src}" style="{style}"></audio>'


def _levels(memo: VoiceMemo) -> Levels | None:
    """Return the loudness of a memo, or None where it cannot be read: a card never raises."""
    try:
        return audio.levels(memo.data, bubble.BARS) if memo.data else None
    except AudioError:
        return None


def _preview(memo: VoiceMemo) -> Preview | None:
    """Return the sound for the player, or None where nothing can be played."""
    try:
        return playable(audio.preview(memo.data) if memo.data else None)
    except AudioError:
        return None


def playable(preview: Preview | None) -> Preview | None:
    """Return a preview that fits into a card: small, and of a media type of sound; else None."""
    fits = preview is not None and len(preview.data) <= MAX_PLAYER_BYTES and _MIME.fullmatch(preview.mime_type)
    return preview if fits else None
