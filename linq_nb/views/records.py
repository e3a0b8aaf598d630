"""The facts of each record, in the order in which they are read, and the short names of memos, chats and sends."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from linq_nb import audio
from linq_nb.model import (
    BadDraft,
    Chat,
    Draft,
    Event,
    Finding,
    Handle,
    Line,
    Message,
    Plan,
    PlanRow,
    Reputation,
    ReputationChat,
    ReputationDriver,
    ReputationStep,
    Send,
    VoiceMemo,
)
from linq_nb.status import status_of
from linq_nb.text import clean, mask, place, recipient, short_id
from linq_nb.views.phrases import duration, moment, people, rate, size, some


class Fact(NamedTuple):
    """One fact; ``with_label`` puts the label before the value in a line too."""

    label: str
    value: str
    with_label: bool = False


@functools.singledispatch
def facts(record: object) -> Iterable[Fact]:
    """Return the facts of a record, the most important first; none for a type without a function below."""
    return ()


def line(record: object) -> str:
    """Describe a record in one line: no full handle, no signed URL, no control character."""
    parts = [f"{fact.label} {fact.value}" if fact.with_label else fact.value for fact in facts(record)]
    return f"{kind_of(record)} {' · '.join(parts)}" if parts else f"<{kind_of(record)}>"


def rows(record: object) -> list[tuple[str, str]]:
    """Return the facts of a record as labels and texts."""
    return [(fact.label, fact.value) for fact in facts(record)]


def kind_of(record: object) -> str:
    """Name the type of a record: the nearest one whose facts are registered, else its own."""
    kinds = (kind for kind in type(record).__mro__ if kind is not object and kind in facts.registry)
    return next(kinds, type(record)).__name__


def memo_name(memo: VoiceMemo) -> str:
    """Name a memo: its file, else where its URL points, else its attachment id."""
    if memo.source == "url" and memo.url:
        return place(memo.url)
    return clean(memo.filename or f"attachment {memo.attachment_id}")


def memo_title(memo: VoiceMemo) -> str | None:
    """Return title and artist from the file's tags, where there are any."""
    title, artist = (clean(tag) if tag else None for tag in (memo.title, memo.artist))
    return f"“{title}” by {artist}" if title and artist else f"“{title}”" if title else artist


def memo_audio(memo: VoiceMemo) -> list[Fact]:
    """Return the facts of the sound: length, format, size, rate."""
    return [
        *_if(memo.duration_ms is not None, "length", duration(memo.duration_ms)),
        *_if(memo.format is not None, "format", _format(memo.format, memo.codec)),
        *_if(memo.size_bytes is not None, "size", size(memo.size_bytes or 0)),
        *_if(memo.sample_rate is not None, "audio", rate(memo.sample_rate or 0, memo.channels)),
    ]


def memo_origin(memo: VoiceMemo) -> str | None:
    """Say where a memo without bytes comes from."""
    if memo.data is not None:
        return None
    return "uploaded before" if memo.source == "attachment" else "not downloaded"


def chat_whom(chat: Chat | str | None) -> str:
    """Name a chat: its name, its people, its service."""
    if chat is None or isinstance(chat, str):
        return f"chat {recipient(chat)}" if chat else "no chat yet"
    handles = [person.handle for person in chat.others]
    return _whom(chat.chat_name, handles, chat.is_group, chat.service, chat.chat_id)


def recipients(chats: Sequence[Chat | str]) -> str:
    """Name one chat, or count several, and the people who receive a memo: ``2 chats · 3 people``; each counts once."""
    records = [chat for chat in chats if isinstance(chat, Chat)]
    if len(chats) == 1:
        is_group = bool(records) and records[0].is_group and bool(records[0].others)
        return chat_whom(chats[0]).partition(" · ")[0] + (f" · {people(len(records[0].others))}" if is_group else "")
    handles = {person.handle for chat in records for person in chat.others}
    return f"{len(chats)} chats" + (f" · {people(len(handles))}" if handles and len(records) == len(chats) else "")


def send_whom(send: Send) -> str:
    """Name the chat of a send, as it was when the send was made, or what was typed in its place."""
    if send.typed_chat:
        return recipient(send.typed_chat, 80)
    return _whom(send.chat_name, send.to_handles, send.is_group, send.service, send.chat_id)


def send_memo(send: Send) -> str:
    """Name the memo of a send: file name, length and format."""
    name = send.filename or (place(send.voice_memo_url) if send.voice_memo_url else "voice memo")
    parts = [clean(name)]
    parts += [duration(send.duration_ms)] if send.duration_ms is not None else []
    parts += [_format(send.format, None)] if send.format else []
    return " · ".join(parts)


def _whom(name: str | None, handles: Sequence[str], is_group: bool | None, service: str | None, chat_id: str) -> str:
    group = is_group or (is_group is None and len(handles) > 1)
    named = clean(name, 80) if name else None
    parts = [named] if named else []
    parts += [people(len(handles))] if group and handles else ["group"] if group else []
    if handles and not (group and named):
        masked = some([clean(mask(handle)) for handle in handles], 5)
        parts += [masked] if masked != named else []
    parts += [clean(service, 40)] if service else []
    return " · ".join(parts) or f"chat {short_id(chat_id)}"


def _format(form: str | None, codec: str | None) -> str:
    """Name a format and its codec: ``M4A (AAC-LC)``."""
    entry = audio.FORMATS.get(form) if form else None
    label = entry.label if entry else clean(form, 40).upper()
    return f"{label} ({clean(codec, 40)})" if codec and codec.lower() not in label.lower() else label


def _if(condition: object, label: str, value: str, with_label: bool = False) -> list[Fact]:
    return [Fact(label, value, with_label)] if condition else []


def _opt(label: str, value: object, with_label: bool = False, limit: int = 120) -> list[Fact]:
    """Return a fact of a foreign value, where there is one."""
    return [Fact(label, clean(value, limit), with_label)] if value not in (None, "") else []


def _id(label: str, identity: str | None) -> list[Fact]:
    return [Fact(label, short_id(identity), True)] if identity else []


def _at(label: str, at: Any) -> list[Fact]:
    return [Fact(label, moment(at), True)] if at else []


@facts.register
def _memo(memo: VoiceMemo) -> Iterable[Fact]:
    origin, title = memo_origin(memo), memo_title(memo)
    return [
        Fact("memo", memo_name(memo)),
        *_if(title, "title", title or ""),
        *memo_audio(memo),
        *_if(origin, "source", origin or ""),
        *_if(memo.sha256, "sha256", clean(memo.sha256)[:12], True),
    ]


@facts.register
def _handle(person: Handle) -> Iterable[Fact]:
    return [
        Fact("handle", clean(mask(person.handle))),
        *_if(person.is_me, "is", "you"),
        *_opt("service", person.service),
        *_opt("line type", person.line_type),
        *_opt("status", person.status),
    ]


@facts.register
def _chat(chat: Chat) -> Iterable[Fact]:
    return [
        Fact("to", chat_whom(chat)),
        *_if(chat.line, "from", clean(mask(chat.line or "")), True),
        *_opt("health", chat.health_status),
        *_if(chat.is_active is False, "state", "not active"),
        *_if(chat.is_archived, "archive", "archived"),
        Fact("id", clean(chat.chat_id), True),
    ]


@facts.register
def _line(own: Line) -> Iterable[Fact]:
    return [
        Fact("line", clean(mask(own.phone_number))),
        *_opt("line type", own.line_type),
        *_opt("reputation", own.reputation),
    ]


@facts.register
def _reputation(audit: Reputation) -> Iterable[Fact]:
    step = next((step.title for step in audit.steps if step.title), None)
    return [
        Fact("line", clean(mask(audit.phone_number))),
        Fact("rating", clean(audit.severity or audit.audit_status, 40)),
        *[fact for driver in audit.drivers for fact in _opt("why", driver.summary, limit=300)],
        *_opt("to do", step, with_label=True, limit=200),
        *_at("made", audit.generated_at),
    ]


@facts.register
def _driver(driver: ReputationDriver) -> Iterable[Fact]:
    return [
        Fact("reason", clean(driver.key or "other", 60)),
        *_opt("summary", driver.summary, limit=300),
        *_opt("figure", driver.metric),
    ]


@facts.register
def _step(step: ReputationStep) -> Iterable[Fact]:
    return [
        *_opt("priority", step.priority),
        *_opt("title", step.title, limit=200),
        *_opt("detail", step.detail, limit=600),
        *_opt("impact", step.expected_impact, with_label=True),
    ]


@facts.register
def _reputation_chat(chat: ReputationChat) -> Iterable[Fact]:
    stopped = chat.messages_after_stop
    return [
        *_id("chat", chat.chat_id),
        *_opt("status", chat.status),
        *_opt("reasons", ", ".join(chat.driver_keys)),
        *_if(stopped is not None, "after stop", f"{stopped} messages after they asked to stop"),
    ]


@facts.register
def _message(message: Message) -> Iterable[Fact]:
    return [
        Fact("message", short_id(message.message_id)),
        *_opt("status", message.delivery_status),
        *_opt("service", message.service),
        *_if(message.is_from_me is not None, "by", "from you" if message.is_from_me else "to you"),
        *_if(message.media, "files", f"{len(message.media)} file{'s' if len(message.media) > 1 else ''}"),
        *_at("created", message.created_at),
        *_id("chat", message.chat_id),
    ]


@facts.register
def _finding(finding: Finding) -> Iterable[Fact]:
    return [
        Fact("level", clean(finding.level)),
        Fact("finding", clean(finding.message, 600)),
        Fact("code", clean(finding.code), True),
    ]


@facts.register
def _draft(draft: Draft) -> Iterable[Fact]:
    memo = draft.memo
    return [
        Fact("memo", memo_name(memo)),
        *_if(memo.duration_ms is not None, "length", duration(memo.duration_ms)),
        Fact("to", chat_whom(draft.chat), True),
        *_if(draft.copy != 1, "copy", str(draft.copy), True),
        *_opt("opt-out overridden", draft.override_optout, True),
        *_if(draft.force_notify is not None, "force_notify", str(draft.force_notify), True),
        *_if(bool(draft.extra), "extra fields", ", ".join(map(clean, draft.extra or ())), True),
    ]


@facts.register
def _event(event: Event) -> Iterable[Fact]:
    is_reconciled = event.source == "reconcile" and isinstance(event.body, dict)
    return [
        Fact("at", moment(event.at)),
        Fact("source", clean(event.source)),
        *_opt("status", event.status),
        *_opt("HTTP", event.http_status, True),
        *_opt("error", event.error_code, True),
        *_opt("reason", event.error_message, limit=600),
        *_opt("reconciled", event.reconcile_result, True),
        *_opt("because", event.body.get("evidence") if is_reconciled else None, limit=600),
        *_id("message", event.message_id),
        *_id("send", event.send_id),
    ]


@facts.register
def _send(send: Send) -> Iterable[Fact]:
    failed = status_of(send.status).is_error
    return [
        Fact("status", clean(send.status)),
        *_if(send.repeated, "repeated", "already sent before, nothing sent now"),
        Fact("memo", send_memo(send)),
        Fact("to", send_whom(send), True),
        *_if(send.copy != 1, "copy", str(send.copy), True),
        *_id("message", send.message_id),
        *_opt("HTTP", send.http_status if failed else None, True),
        *_opt("error", send.error_code, True),
    ]


@facts.register
def _bad_draft(draft: BadDraft) -> Iterable[Fact]:
    yield Fact("why", clean(draft.why, 300))
    yield Fact("audio", clean(draft.audio), with_label=True)
    yield Fact("chat", recipient(draft.chat), with_label=True)


@facts.register
def _plan_row(row: PlanRow) -> Iterable[Fact]:
    yield Fact("row", str(row.row))
    yield Fact("verdict", row.verdict)
    yield from _if(bool(row.why), "why", clean(row.why, 300))


@facts.register
def _plan(plan: Plan) -> Iterable[Fact]:
    yield from (Fact(verdict, f"{number} {verdict}") for verdict, number in plan.counts.items() if number)
    yield Fact("rows", f"{len(plan.rows)} rows")
    yield Fact("plan", plan.fingerprint)
    yield from (Fact("note", clean(note, 600)) for note in plan.notes)
