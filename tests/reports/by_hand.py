"""Each report once more in plain Python over ``Send`` records, for the engines to be compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from linq_nb import catalog
from linq_nb.model import Message, Send

Row = dict[str, Any]
NOT_ACCEPTED = {"preparing", "sending", "not_sent", "rejected", "unknown"}


def value(send: Send, name: str) -> Any:
    """A column of a send; ``day`` and ``hour`` may name a zone: ``hour America/New_York``."""
    unit, _, zone = name.partition(" ")
    if unit in ("day", "hour"):
        local = send.created_at and send.created_at.astimezone(ZoneInfo(zone or "UTC"))
        return local and local.strftime("%Y-%m-%d" if unit == "day" else "%Y-%m-%d %H:00")
    return getattr(send, name)


def nulls_first(*values: Any) -> tuple[Any, ...]:
    return tuple((value is not None, value if value is not None else 0) for value in values)


def nulls_last(*values: Any) -> tuple[Any, ...]:
    return tuple((value is None, value if value is not None else 0) for value in values)


def grouped(sends: Iterable[Send], names: Sequence[str]) -> dict[tuple[Any, ...], list[Send]]:
    groups: dict[tuple[Any, ...], list[Send]] = defaultdict(list)
    for send in sends:
        groups[tuple(value(send, name) for name in names)].append(send)
    return groups


def span(group: Sequence[Send]) -> Row:
    at = [send.created_at for send in group if send.created_at]
    return {"first_at": min(at, default=None), "last_at": max(at, default=None)}


def counts(group: Sequence[Send]) -> Row:
    def number(of: Callable[[str], bool]) -> int:
        return sum(of(send.status) for send in group)

    return {
        "sends": len(group),
        "accepted": number(lambda s: s not in NOT_ACCEPTED),
        "delivered": number(lambda s: s in ("delivered", "read")),
        "read": number(lambda s: s == "read"),
        "failed": number(lambda s: s == "failed"),
        "refused": number(lambda s: s in ("rejected", "not_sent")),
        "unclear": number(lambda s: s in ("unknown", "sending")),
        **span(group),
    }


def by(sends: Sequence[Send], *names: str) -> list[Row]:
    columns = [name.partition(" ")[0] for name in names]
    rows = [{**dict(zip(columns, key, strict=True)), **counts(group)} for key, group in grouped(sends, names).items()]
    return sorted(rows, key=lambda row: nulls_first(*(row[column] for column in columns)))


def by_chat(sends: Sequence[Send]) -> list[Row]:
    rows = []
    for (chat_id,), group in grouped(sends, ["chat_id"]).items():
        kinds = [send.is_group for send in group if send.is_group is not None]
        about = {"chat_name": latest(group, "chat_name"), "is_group": max(kinds, default=None)}
        rows.append({"chat_id": chat_id, **about, **counts(group)})
    return sorted(rows, key=lambda r: (-r["failed"], -r["refused"], -r["unclear"], -r["sends"], r["chat_id"]))


def latest(group: Sequence[Send], name: str) -> Any:
    values = [(send.created_at, getattr(send, name)) for send in group if getattr(send, name) is not None]
    return max(values)[1] if values else None


def is_silent(send: Send) -> bool:
    return bool(send.is_group) or send.service == "SMS"


def funnel(sends: Sequence[Send]) -> list[Row]:
    accepted = [send for send in sends if send.status not in NOT_ACCEPTED]
    sent = [send for send in accepted if send.sent_at or send.status in ("sent", "delivered", "read")]
    telling = [send for send in sent if not is_silent(send)]
    delivered = [send for send in telling if send.status in ("delivered", "read")]
    read = [send for send in delivered if send.status == "read"]
    stages = [("asked", sends, sends), ("accepted", accepted, sends), ("sent", sent, accepted),
              ("delivered", delivered, telling), ("read", read, delivered)]  # fmt: skip
    return [
        {"step": step, "stage": name, "sends": len(reached), "of": len(of),
         "share": round(len(reached) / len(of), 9) if of else None}
        for step, (name, reached, of) in enumerate(stages)
    ]  # fmt: skip


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))


def latency(sends: Sequence[Send], names: Sequence[str], of: str, percents: Sequence[int] = (50, 90, 99)) -> list[Row]:
    measured = [send for send in sends if getattr(send, of) is not None]
    rows = []
    for key, group in grouped(measured, names).items():
        seconds = [getattr(send, of) for send in group]
        parts = {f"p{part}_s": quantile(seconds, part / 100) for part in percents}
        rows.append({**dict(zip(names, key, strict=True)), "sends": len(group), **parts})
    return sorted(rows, key=lambda row: nulls_first(*(row[name] for name in names)))


def explained(send: Send) -> tuple[str, str]:
    if send.status == "failed":
        entry = next((c for c in catalog.CODES if c.http_status is None and c.code == send.error_code), None)
        return (entry.meaning, entry.todo) if entry and send.error_code is not None else (
            "the delivery failed; no reason is known", "read the webhook of the failure: outbox.ingest")  # fmt: skip
    if send.status == "not_sent" and send.http_status is None:
        return "it never reached Linq", "run it again: nothing was sent"
    entry = catalog.explain(send.http_status, send.error_code)
    return entry.meaning, entry.todo


def errors(sends: Sequence[Send], names: Sequence[str]) -> list[Row]:
    def numbers(send: Send) -> tuple[Any, ...]:
        return send.status, None if send.status == "failed" else send.http_status, send.error_code

    groups: dict[tuple[Any, ...], list[Send]] = defaultdict(list)
    for send in sends:
        if send.status in ("failed", "unknown", "rejected", "not_sent"):
            groups[(*(value(send, name) for name in names), *numbers(send))].append(send)
    columns = [*names, "status", "http_status", "error_code"]
    rows = []
    for key, group in groups.items():
        meaning, todo = explained(group[0])
        chats = {} if "chat_id" in names else {"chats": len({send.chat_id for send in group})}
        rows.append({**dict(zip(columns, key, strict=True)), "meaning": meaning, "what_to_do": todo,
                     "sends": len(group), **chats, **span(group)})  # fmt: skip
    return sorted(rows, key=lambda row: (-row["sends"], *nulls_last(*(row[name] for name in columns))))


def unconfirmed(sends: Sequence[Send], horizon: timedelta, now: datetime) -> list[Row]:
    shown = ["send_id", "chat_id", "chat_name", "is_group", "service", "status", "message_id", "accepted_at",
             "checked_at"]  # fmt: skip
    open_ones = [send for send in sends if send.is_open]
    since = [(send, send.accepted_at or send.posted_at or send.created_at) for send in open_ones]
    unconfirmed_sends = [send for send, at in since if at is not None and at <= now - horizon]
    unconfirmed_sends.sort(key=lambda send: nulls_last(send.accepted_at, send.send_id))
    return [{name: getattr(send, name) for name in shown} for send in unconfirmed_sends]


def duplicates(sends: Sequence[Send]) -> list[Row]:
    groups: dict[tuple[str, str], list[Send]] = defaultdict(list)
    for send in sends:
        audio = send.sha256 or send.attachment_id
        if audio and send.status not in ("rejected", "not_sent", "preparing"):
            groups[send.chat_id, audio].append(send)
    rows = []
    for (chat_id, audio), group in groups.items():
        unclear = sum(send.status in ("unknown", "sending") for send in group)
        if len(group) > 1:
            rows.append({"chat_id": chat_id, "chat_name": latest(group, "chat_name"),
                         "filename": latest(group, "filename"), "audio": audio, "bubbles": len(group) - unclear,
                         "unclear": unclear, **span(group)})  # fmt: skip
    return sorted(rows, key=lambda row: (-row["bubbles"], -row["unclear"], row["chat_id"], row["audio"]))


def compare(sends: Sequence[Send], messages: Sequence[Message]) -> list[Row]:
    ours = {record.message_id: record for record in sends if record.message_id is not None}
    theirs = {record.message_id: record for record in messages}
    rows = []
    for message_id in ours.keys() | theirs.keys():
        our, their = ours.get(message_id), theirs.get(message_id)
        if our and their and their.delivery_status and our.status != their.delivery_status:
            word = "other_status"
        elif our and not their:
            word = "only_sends"
        elif their and not our and their.is_from_me and (their.media[0].mime_type or "").startswith("audio/"):
            word = "only_messages"
        else:
            continue
        at = our.accepted_at if our and our.accepted_at else their.created_at if their else None
        rows.append({"found": word, "message_id": message_id, "chat_id": our.chat_id if our else their.chat_id,
                      "status": our.status if our else None,
                      "delivery_status": their.delivery_status if their else None, "at": at})  # fmt: skip
    return sorted(rows, key=lambda row: nulls_last(row["found"], row["chat_id"], row["at"], row["message_id"]))
