"""One send in full: its facts, each observation with source and time, its memo's card, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from linq_nb import catalog, views
from linq_nb.explorer.cells import cell, masked
from linq_nb.frames import to_frame
from linq_nb.live import ipython_shell
from linq_nb.model import Event, Send, VoiceMemo
from linq_nb.outbox import Outbox, session_of
from linq_nb.reports import explaining
from linq_nb.reports.values import plain
from linq_nb.status import ERROR_STATUSES, status_of
from linq_nb.text import clean
from linq_nb.widgets.actions import actions_for

Detail = dict[str, Any]

STEPS = (("created_at", "asked for"), ("posted_at", "the request left"), ("accepted_at", "Linq accepted it"),
         ("sent_at", "sent"), ("delivered_at", "delivered"), ("read_at", "read"), ("failed_at", "failed"),
         ("checked_at", "last checked"))  # fmt: skip
_IN_HEAD = ("meaning", "chat_name", "status", "day")


def of_row(row: Mapping[str, Any]) -> Detail:
    """Return the detail of a row of a frame: its own times are the timeline, and nothing can be done about it."""
    times = sorted(((row[name], words) for name, words in STEPS if isinstance(row.get(name), datetime)),
                   key=lambda step: step[0])  # fmt: skip
    steps = [{"at": cell("at", at), "source": "table", "text": words} for at, words in times]
    return _detail(row, steps, actions=[])


def of_send(outbox: Outbox, send_id: str) -> Detail | None:
    """Return the detail of a send of the journal, as it stands now; None when the journal does not have it."""
    journal = session_of(outbox).journal
    send = journal.get(send_id)
    if send is None:
        return None
    row = {str(name): plain(value) for name, value in to_frame(send).iloc[0].items()}
    created = [{"at": cell("at", send.created_at), "source": "journal", "text": "asked for"}] if send.created_at else []
    steps = created + [_step(event) for event in journal.events(send.send_id)]
    actions = [action._asdict() for action in actions_for(send)]
    memo = _memo(outbox, send)
    return {**_detail(row, steps, actions), "card": views.memo_card(memo).html if memo else ""}


def _detail(row: Mapping[str, Any], steps: Sequence[Mapping[str, str]], actions: Sequence[Any]) -> Detail:
    status = str(row.get("status") or "")
    names = [name for name in row if name not in _IN_HEAD and not name.endswith("_at") and row[name] is not None]
    return {
        "send_id": str(row["send_id"]), "title": masked("chat_name", row.get("chat_name")) or "a chat without a name",
        "status": clean(status, 40), "colour": status_of(status).colour, "meaning": status_of(status).meaning,
        "error": _error(row, status), "facts": [[name, cell(name, row[name])] for name in names],
        "steps": list(steps), "actions": list(actions), "card": "",
    }  # fmt: skip


def _error(row: Mapping[str, Any], status: str) -> list[list[str]]:
    """Return number, meaning, Linq's own words and what to do, of a send that went wrong."""
    if status not in ERROR_STATUSES:
        return []
    http, code = row.get("http_status"), row.get("error_code")
    number = catalog.numbers(http if http and http >= 400 else None, code)
    reason = masked("error_message", row.get("error_message"))
    entry = explaining.explained(status, http, code)
    meaning = status_of(status).meaning if status == "unknown" else entry["meaning"]
    parts = [["error", f"{number} {meaning}".strip()], ["reason", reason], ["to do", entry["what_to_do"]]]
    return [[label, clean(text, 600)] for label, text in parts if text]


def _step(event: Event) -> dict[str, str]:
    facts = [fact for fact in views.facts(event) if fact.label not in ("at", "source", "send")]
    text = ", ".join(f"{fact.label} {fact.value}" if fact.with_label else fact.value for fact in facts)
    if event.source in ("resolve", "accept") and isinstance(event.body, dict) and event.body.get("reason"):
        text += f", reason: {masked('reason', event.body['reason'])}"
    return {"at": cell("at", event.at), "source": clean(event.source, 40), "text": clean(text, 600)}


def _memo(outbox: Outbox, send: Send) -> VoiceMemo | None:
    """Return the memo of a send where the last batch or a name of the notebook still holds its bytes."""
    rows = outbox.last_batch.plan.rows if outbox.last_batch else ()
    drafted: Iterable[Any] = (getattr(row.draft, "memo", None) for row in rows)
    named = list(getattr(ipython_shell(), "user_ns", {}).values())
    for memo in (*drafted, *named):
        if isinstance(memo, VoiceMemo) and memo.data is not None and send.sha256 and memo.sha256 == send.sha256:
            return memo
    return None
