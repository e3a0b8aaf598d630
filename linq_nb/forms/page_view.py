"""What the form's page shows of its state: the step, the buttons, the status line, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from linq_nb.errors import AudioError
from linq_nb.forms import wording
from linq_nb.status import UNCLEAR_STATUSES, is_going_well
from linq_nb.text import clean, mask_text

if TYPE_CHECKING:
    from linq_nb.forms.sending import Sending


def view(form: Sending) -> dict[str, Any]:
    """Return what the page shows but for the lists, the card and code."""
    choice, batch, plan = form.choice, form.batch, form.choice.plan
    asks, verdict = form.question, wording.plan_verdict(form.choice.plan)
    is_sending = batch is not None or form.status["tone"] == "busy"
    label = wording.button_text(plan) if batch is None else wording.progress_text(batch.done, len(batch))
    may_send = verdict in ("send", "unclear") and not asks and not is_sending
    has_sent = bool(form.outcomes)
    may_resend = may_send and verdict == "send"  # what is unclear has a button in the list
    all_well = all(is_going_well(send.status) for send in form.sends)
    failed, may_convert = isinstance(form.error, AudioError), choice.audio.may_convert()
    return {
        "mode": form.outbox.mode,
        "step": step(form, is_sending=is_sending),
        "status": form.status,
        "send": {"label": label, "enabled": may_send, "shown": not asks and (not has_sent or is_sending or may_resend)},
        "stop": {"enabled": batch is not None and not batch.stopped_by, "shown": batch is not None},
        "ask": _asked(form) if asks else None,
        "again": has_sent and not is_sending and not asks,
        "source": form.source,
        "files": list(form.files),
        "copy": choice.copy,
        "may_copy": all_well and (choice.copy > 1 or wording.may_set_copy(plan)),
        "convert": choice.convert,
        "may_convert": not has_sent and (choice.convert or wording.wants_m4a(plan) or (failed and may_convert)),
        "may_code": plan is not None and not has_sent,
        "records": form.recorder is not None,
        "unmatched": [
            {"text": text, "shown": clean(text, 80), "why": clean(mask_text(why), 300)}
            for text, why in choice.list.unmatched.items()
        ],
        "table": clean(choice.table.name) if choice.table else "",
        "acceptable": [] if has_sent or asks else wording.acceptable_groups(plan),
        "has_sent": has_sent,
        "progress": form.outcomes.summary(),
    }


def step(form: Sending, *, is_sending: bool) -> str:
    """Return the step at which the form is: choose, check, send, follow or done."""
    if is_sending or form.question:
        return "send"
    if form.outcomes:
        is_unclear = any(send.status in UNCLEAR_STATUSES for send in form.sends)
        return "follow" if form.outcomes.is_open or is_unclear else "done"
    return "check" if form.choice.plan is not None else "choose"


def _asked(form: Sending) -> dict[str, Any]:
    question = form.question
    assert question is not None
    words = wording.button_text(question.plan).replace("Send", "send", 1)
    anyway = " anyway" if question.accept else ""
    return {"yes": f"Yes, {words}{anyway}", "reason": bool(question.accept)}
