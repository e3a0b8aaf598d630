"""The stages of a message after it was accepted: a pure function of chat and content."""

from datetime import datetime, timedelta

from .ids import Ids
from .state import Chat, Message, Stage

#: The async failures (linq docs, 4001): only the first wording may be followed by a delivery.
LATE = (4001, "Message delivery failed")
FINAL = (4001, "Message send failed")


def stages(chat: Chat, created_at: datetime, ids: Ids, key: tuple[object, ...]) -> tuple[Stage, ...]:
    """Give the stages of an outbound message; groups and SMS end at `sent` (linq docs, receipts)."""

    def later(since: datetime, low: float, high: float, what: str) -> datetime:
        return since + timedelta(seconds=round(ids.between(low, high, what, *key), 6))

    queued = Stage("queued", created_at)
    sent = Stage("sent", later(created_at, 0.6, 1.6, "sent"))
    if chat.person.script == "fails":
        return queued, Stage("failed", later(created_at, 4, 8, "failed"))
    if chat.person.script == "fails_then_delivers":
        failed = Stage("failed", later(sent.at, 4, 8, "failed"))
        return queued, sent, failed, Stage("delivered", later(failed.at, 90, 150, "delivered"))
    if chat.is_group or chat.carrier == "SMS":
        return queued, sent
    delivered = Stage("delivered", later(sent.at, 0.4, 2.4, "delivered"))
    if not chat.person.reads:
        return queued, sent, delivered
    return queued, sent, delivered, Stage("read", later(delivered.at, 60, 300, "read"))


def failure(chat: Chat) -> tuple[int, str] | None:
    """Give code and reason that `message.failed` will carry; the message itself never has them."""
    return {"fails": FINAL, "fails_then_delivers": LATE}.get(chat.person.script)


def status(message: Message, now: datetime) -> str:
    """Give the delivery status at `now`."""
    reached = [stage.status for stage in message.stages if stage.at <= now]
    return reached[-1] if reached else message.stages[0].status


def reached_at(message: Message, what: str, now: datetime) -> datetime | None:
    """Give the time at which the message reached `what`, or None if it has not by `now`."""
    return next((s.at for s in message.stages if s.status == what and s.at <= now), None)


def events(message: Message) -> list[tuple[datetime, str]]:
    """Give the webhook events of a message with their times."""
    if not message.is_from_me:
        return [(message.created_at, "message.received")]
    return [(s.at, f"message.{s.status}") for s in message.stages if s.status != "queued"]
