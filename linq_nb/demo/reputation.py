"""Reputation audits of lines: started, ready some seconds later, readable for a day."""

from datetime import timedelta

from . import rules
from .call import Call
from .clock import stamp
from .state import Audit, Chat, Line, State
from .wire import Json, Refusal, Reply, json_reply

TAKES = timedelta(seconds=4)
COOLDOWN = timedelta(minutes=10)
KEPT = timedelta(hours=24)
"""The first two are the demo's own: Linq names neither. The third is from the SDK's docs."""

# driver -> summary, title of the step against it, detail
_DRIVERS = {
    "overall_conversation_health": (
        "A large share of the line's active conversations are trending unhealthy.",
        "Fix the unhealthy conversations first",
        "Review their content and timing, and whether the recipients reply.",
    ),
    "opt_out_handling": (
        "Recipients asked this line to stop, and it wrote to them again.",
        "Honor every stop request at once",
        "Send nothing more to these recipients unless they opt back in.",
    ),
}


def start(call: Call) -> Reply:
    """Start an audit, or give the one that runs (202); soon after the last one refuse it (429/1007)."""
    line = call.state.line(rules.e164(call.path_id, "phoneNumber"))
    last = next((audit for audit in reversed(call.state.audits.values()) if audit.line is line), None)
    if last is not None and last.ready_at <= call.now < last.ready_at + COOLDOWN:
        raise rules.too_soon("An audit of this line was made just now.", call.now, last.ready_at + COOLDOWN)
    if last is None or last.ready_at <= call.now:
        audit_id = call.state.ids.uuid("audit", line.number, call.state.count("audit", line.number))
        last = call.state.audits[audit_id] = Audit(audit_id, line, call.now + TAKES)
    return json_reply(202, {"audit_id": last.id, "status": "pending"})


def get(call: Call) -> Reply:
    """Give an audit of this line, for a day (404/2001 for another)."""
    line = call.state.line(rules.e164(call.path_id, "phoneNumber"))
    audit_id = rules.uuid_text(call.request.path.rpartition("/")[2], "auditId")
    audit = call.state.audits.get(audit_id)
    if audit is None or audit.line is not line or call.now >= audit.ready_at + KEPT:
        raise Refusal(404, 2001, "Reputation audit not found.")
    answer: Json = {"audit_id": audit.id, "status": "pending", "phone": line.number}
    if call.now >= audit.ready_at:
        answer |= {"status": "complete", "generated_at": stamp(audit.ready_at), "report": report(call.state, line)}
    return json_reply(200, answer)


def report(state: State, line: Line) -> Json:
    """Give the report on a line from its rating, its chats' ratings, and what went to people who asked to stop."""
    chats = [chat for chat in state.chats.values() if chat.line is line]
    unhealthy = [chat for chat in chats if state.health(chat) in ("CRITICAL", "AT_RISK")]
    unhealthy.sort(key=lambda chat: (state.health(chat) != "CRITICAL", chat.name))
    stopped = [(chat, count) for chat in chats if (count := _after_stop(state, chat))]
    stopped.sort(key=lambda pair: -pair[1])
    metrics = {"opt_out_handling": f"{len(stopped)} recipients"} if stopped else {}
    if line.reputation != "HEALTHY":
        metrics["overall_conversation_health"] = f"{len(unhealthy)} of {len(chats)} conversations"
    drivers = [{"key": key, "summary": _DRIVERS[key][0], "metric": metric} for key, metric in metrics.items()]
    steps = [_step(place, *_DRIVERS[key][1:], "high") for place, key in enumerate(metrics, 1)]
    steps = steps or [_step(1, "Keep sending as you do", "The line is in good standing.", "low")]
    text = [f"# {line.number}: {line.reputation}", *(f"- {driver['summary']}" for driver in drivers)]
    return {
        "severity": line.reputation,
        "primary_driver": next(iter(metrics), ""),
        "drivers": drivers,
        "action_items": steps,
        "evidence": {
            "unhealthy_chats": [
                {"chat_id": chat.id, "status": state.health(chat), "driver_keys": ["low_engagement"]}
                for chat in unhealthy[:15]
            ],
            "opt_out_chats": [{"chat_id": chat.id, "messages_after_stop": count} for chat, count in stopped],
        },
        "summary_markdown": "\n".join(text),
    }


def _step(priority: int, title: str, detail: str, impact: str) -> Json:
    return {"priority": priority, "title": title, "detail": detail, "expected_impact": impact}


def _after_stop(state: State, chat: Chat) -> int:
    """Count what went to a person after the word by which they opted out."""
    if state.health(chat) != "OPTED_OUT":
        return 0
    messages = sorted(state.messages_of(chat.id), key=lambda message: message.created_at)
    stop = max((place for place, message in enumerate(messages) if not message.is_from_me), default=-1)
    return sum(message.is_from_me for message in messages[stop + 1 :])
