"""Each report once more in plain Python over ``Send`` records, for the engines to be compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from linq_nb import catalog
from linq_nb.model import Message, Send

Row = dict[str, Any]
NOT_ACCEPTED = {"preparing", "sending", "not_sent", "rejected", "unknown"}


def value(send: Send, name: str) -> Any:
    if name == "day":
        return None if send.created_at is None else send.created_at.strftime("%Y-%m-%d")
    return getattr(send, name)


def nulls_first(*values: Any) -> tuple[Any, ...]:
    return tuple((one is not None, one if one is not None else 0) for one in values)


def nulls_last(*values: Any) -> tuple[Any, ...]:
    return tuple((one is None, one if one is not None else 0) for one in values)


def grouped(sends: Iterable[Send], names: Sequence[str]) -> dict[tuple[Any, ...], list[Send]]:
    found: dict[tuple[Any, ...], list[Send]] = defaultdict(list)
    for one in sends:
        found[tuple(value(one, name) for name in names)].append(one)
    return found


def span(group: Sequence[Send]) -> Row:
    at = [one.created_at for one in group if one.created_at]
    return {"first_at": min(at, default=None), "last_at": max(at, default=None)}


def counts(group: Sequence[Send]) -> Row:
    def number(of: Callable[[str], bool]) -> int:
        return sum(of(one.status) for one in group)

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
    found = [{**dict(zip(names, key, strict=True)), **counts(group)} for key, group in grouped(sends, names).items()]
    return sorted(found, key=lambda row: nulls_first(*(row[name] for name in names)))


def by_chat(sends: Sequence[Send]) -> list[Row]:
    found = []
    for (chat_id,), group in grouped(sends, ["chat_id"]).items():
        named = [(one.created_at, one.chat_name) for one in group if one.chat_name is not None]
        kinds = [one.is_group for one in group if one.is_group is not None]
        about = {"chat_name": max(named)[1] if named else None, "is_group": max(kinds, default=None)}
        found.append({"chat_id": chat_id, **about, **counts(group)})
    return sorted(found, key=lambda r: (-r["failed"], -r["refused"], -r["unclear"], -r["sends"], r["chat_id"]))


def is_silent(send: Send) -> bool:
    return bool(send.is_group) or send.service == "SMS"


def funnel(sends: Sequence[Send]) -> list[Row]:
    accepted = [one for one in sends if one.status not in NOT_ACCEPTED]
    sent = [one for one in accepted if one.sent_at or one.status in ("sent", "delivered", "read")]
    telling = [one for one in sent if not is_silent(one)]
    delivered = [one for one in telling if one.status in ("delivered", "read")]
    read = [one for one in delivered if one.status == "read"]
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


def latency(sends: Sequence[Send], names: Sequence[str], of: str) -> list[Row]:
    known = [one for one in sends if getattr(one, of) is not None]
    found = []
    for key, group in grouped(known, names).items():
        seconds = [getattr(one, of) for one in group]
        parts = {f"p{part}_s": quantile(seconds, part / 100) for part in (50, 90, 99)}
        found.append({**dict(zip(names, key, strict=True)), "sends": len(group), **parts})
    return sorted(found, key=lambda row: nulls_first(*(row[name] for name in names)))


def explained(send: Send) -> tuple[str, str]:
    if send.status == "failed":
        told = next((c for c in catalog.CODES if c.http_status is None and c.code == send.error_code), None)
        return (told.meaning, told.todo) if told and send.error_code is not None else (
            "the delivery failed; no reason is known", "its webhook has it: outbox.ingest")  # fmt: skip
    if send.status == "not_sent" and send.http_status is None:
        return "it never reached Linq", "run it again: nothing was sent"
    told = catalog.explain(send.http_status, send.error_code)
    return told.meaning, told.todo


def errors(sends: Sequence[Send], names: Sequence[str]) -> list[Row]:
    def numbers(one: Send) -> tuple[Any, ...]:
        return one.status, None if one.status == "failed" else one.http_status, one.error_code

    found: dict[tuple[Any, ...], list[Send]] = defaultdict(list)
    for one in sends:
        if one.status in ("failed", "unknown", "rejected", "not_sent"):
            found[(*(value(one, name) for name in names), *numbers(one))].append(one)
    columns = [*names, "status", "http_status", "error_code"]
    made = []
    for key, group in found.items():
        meaning, todo = explained(group[0])
        chats = {} if "chat_id" in names else {"chats": len({one.chat_id for one in group})}
        made.append({**dict(zip(columns, key, strict=True)), "meaning": meaning, "what_to_do": todo,
                     "sends": len(group), **chats, **span(group)})  # fmt: skip
    return sorted(made, key=lambda row: (-row["sends"], *nulls_last(*(row[name] for name in columns))))


def unconfirmed(sends: Sequence[Send], horizon: timedelta, now: datetime) -> list[Row]:
    shown = ["send_id", "chat_id", "chat_name", "is_group", "service", "status", "message_id", "accepted_at",
             "checked_at"]  # fmt: skip
    open_ones = [one for one in sends if one.is_open]
    since = [(one, one.accepted_at or one.posted_at or one.created_at) for one in open_ones]
    found = [one for one, at in since if at is not None and at <= now - horizon]
    found.sort(key=lambda one: nulls_last(one.accepted_at, one.send_id))
    return [{name: getattr(one, name) for name in shown} for one in found]


def duplicates(sends: Sequence[Send]) -> list[Row]:
    found: dict[tuple[str, str], list[Send]] = defaultdict(list)
    for one in sends:
        audio = one.sha256 or one.attachment_id
        if audio and one.status not in ("rejected", "not_sent", "preparing"):
            found[one.chat_id, audio].append(one)
    made = []
    for (chat_id, audio), group in found.items():
        unclear = sum(one.status in ("unknown", "sending") for one in group)
        if len(group) > 1:
            made.append({"chat_id": chat_id, "audio": audio, "bubbles": len(group) - unclear, "unclear": unclear,
                         **span(group)})  # fmt: skip
    return sorted(made, key=lambda row: (-row["bubbles"], -row["unclear"], row["chat_id"], row["audio"]))


def compare(sends: Sequence[Send], messages: Sequence[Message]) -> list[Row]:
    ours = {one.message_id: one for one in sends if one.message_id is not None}
    theirs = {one.message_id: one for one in messages}
    found = []
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
        found.append({"found": word, "message_id": message_id, "chat_id": our.chat_id if our else their.chat_id,
                      "status": our.status if our else None,
                      "delivery_status": their.delivery_status if their else None, "at": at})  # fmt: skip
    return sorted(found, key=lambda row: nulls_last(row["found"], row["chat_id"], row["at"], row["message_id"]))
