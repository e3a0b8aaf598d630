"""Deliveries that were changed, delayed, repeated, or signed with another key; all by a seed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hook_samples import AT, NEW, OLD, payload, signed

SIGNED = {
    "standard": ("webhook-id", "webhook-timestamp", "webhook-signature"),
    "legacy": ("X-Webhook-Timestamp", "X-Webhook-Signature"),
}


class Good(NamedTuple):
    """A delivery as Linq makes it; ``draw`` draws its changes, ``at`` is its time of arrival."""

    draw: random.Random
    scheme: str
    at: datetime
    event: dict[str, Any]
    body: bytes
    headers: dict[str, str]


class Changed(NamedTuple):
    """A changed delivery; ``how`` names the change."""

    how: str
    body: Any
    headers: Any


def changed(scheme: str, seed: int, number: int, at: datetime = AT) -> Iterator[Changed]:
    """Give that many, all kinds equally often; none was signed with SECRET shortly before ``at``."""
    for n in range(number):
        draw = random.Random(f"{scheme} {seed} {n}")
        how, change = CHANGES[n % len(CHANGES)]
        kind, version = draw.choice(["sent", "delivered", "read", "failed"]), draw.choice([NEW, OLD])
        event = payload(kind, draw.randint(1, 900), version=version)
        body, headers = signed(event, at=at)
        yield Changed(how, **{"body": body, "headers": headers} | change(Good(draw, scheme, at, event, body, headers)))


# --- the body ---


def _bit(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _spliced(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + draw.randbytes(draw.randint(1, 4)) + data[start + draw.choice([0, 0, 1, 3, 99]) :]


def _rewritten(draw: random.Random, data: bytes) -> bytes:
    """The same event, written another way: the signature covers the bytes."""
    event, text = json.loads(data), data.decode()
    return draw.choice(
        [
            json.dumps(event).encode(),
            json.dumps(event, indent=draw.randint(0, 8)).encode(),
            json.dumps(dict(reversed(event.items())), separators=(",", ":")).encode(),
            text.encode("utf-16"),
            b"\xef\xbb\xbf" + data,
            data + draw.choice([b" ", b"\n", b"\r\n", b"\0", b"{}"]),
            draw.choice([b" ", b"\n", b"\0"]) + data,
            text.replace("message.", "message\\u002e").encode(),
            text.replace('"v3"', '"V3"').encode(),
        ]
    )


def _forged(draw: random.Random, data: bytes) -> bytes:
    event = json.loads(data)
    event |= draw.choice(
        [{"event_type": "message.delivered!"}, {"event_id": "another"}, {"data": {}}, {"partner_id": 7}]
    )
    return json.dumps(event, separators=(",", ":")).encode()


def _cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data))]


ODD: list[Any] = [None, 7, 1.5, True, [], {}, "", b"", (), object(), ["webhook-id"], [("a",)], [("a", "b", "c")],
                  {"webhook-id": None}, {7: 8}, {"webhook-timestamp": b"\xff"}, "webhook-id: x", [None]]  # fmt: skip


def _body(act: Callable[[random.Random, bytes], Any]) -> Callable[..., dict[str, Any]]:
    def change(good: Good) -> dict[str, Any]:
        body = good.body
        while body == good.body:
            body = act(good.draw, good.body)
        return {"body": body}

    return change


# --- the headers ---


def _header(act: Callable[[random.Random, str], Any]) -> Callable[..., dict[str, Any]]:
    """Change one of the headers that are signed, in a way that is more than space around it."""

    def change(good: Good) -> dict[str, Any]:
        name = good.draw.choice(SIGNED[good.scheme])
        was = value = good.headers[name]
        while isinstance(value, str) and was in value.strip(" \t").split(" "):
            value = act(good.draw, was)
        return {"headers": good.headers | {name: value}}

    return change


def _typo(draw: random.Random, text: str) -> str:
    at = draw.randrange(len(text))
    junk = draw.choice(["", "0", "A", "=", "é", "\0", "\r\n", ",", "+", "-", "_", "/", ".", "v2,", "１", "\u202e"])
    return text[:at] + junk + text[at + draw.choice([0, 1, 1, 2]) :]


def _other_form(draw: random.Random, text: str) -> str:
    """The same value, written another way: one delivery has one form."""
    forms = [f"+{text}", f"0{text}", f"{text}.0", f"{text}\n", text.swapcase(), f'"{text}"', f"{text},", f"{text};x",
             text.rstrip("=") + "x", text.replace(",", ", "), text.replace("v1", "v1a"), f"v1,{text}"]  # fmt: skip
    return draw.choice([form for form in forms if form != text])


def _odd(draw: random.Random, text: str) -> Any:
    return draw.choice([None, 7, 1.5, [text], b"\xff\xfe", {}, "", " ", "\t", "x" * 100_000])


def _lost(good: Good) -> dict[str, Any]:
    name = good.draw.choice(SIGNED[good.scheme])
    return {"headers": {key: value for key, value in good.headers.items() if key != name}}


def _twice(good: Good) -> dict[str, Any]:
    name = good.draw.choice(SIGNED[good.scheme])
    second = (name.upper(), good.headers[name] + good.draw.choice("x0,="))
    return {"headers": [*good.headers.items(), second] if good.draw.random() < 0.5 else [second, *good.headers.items()]}


def _of_the_other_scheme(good: Good) -> dict[str, Any]:
    """The right signature of the wrong scheme, under this one's names."""
    mine, other = SIGNED[good.scheme], SIGNED["legacy" if good.scheme == "standard" else "standard"]
    return {"headers": good.headers | {mine[-1]: good.headers[other[-1]]}}


# --- time, replays, keys ---


def _age(good: Good) -> dict[str, Any]:
    """Repeated when it is too old, or signed too far ahead."""
    seconds = 360 + 10 ** good.draw.uniform(-3, 8)  # the last second is tried elsewhere; here the clock may be real
    return {"headers": signed(good.event, at=good.at + timedelta(seconds=seconds * good.draw.choice([1, -1])))[1]}


def _freshened(good: Good) -> dict[str, Any]:
    """Repeated later under a new time, with the old signature."""
    before = good.at - timedelta(seconds=good.draw.randint(1, 10**8))
    name = SIGNED[good.scheme][-2]
    return {"headers": signed(good.event, at=before)[1] | {name: good.headers[name]}}


def _swapped(good: Good) -> dict[str, Any]:
    """The headers, or some of them, of another good delivery of the same minute."""
    at, mine = good.at - timedelta(seconds=good.draw.randint(1, 60)), SIGNED[good.scheme]
    other = signed(payload("read", good.draw.randint(1000, 10**6)), at=at)[1]
    some = good.draw.choice([mine, mine[-1:], mine[-2:]])
    return {"headers": good.headers | {name: other[name] for name in some}}


def _renamed(good: Good) -> dict[str, Any]:
    """Repeated as another event: by the header's id, which the standard signs, or by the body's."""
    if good.scheme == "standard":
        return {"headers": good.headers | {"webhook-id": f"msg_{good.draw.randrange(10**9)}"}}
    event_id = str(good.event["event_id"]).encode()
    return {"body": good.body.replace(event_id, b"%036d" % good.draw.randrange(10**9))}


def _key(good: Good) -> dict[str, Any]:
    key = base64.b64encode(good.draw.randbytes(good.draw.choice([16, 24, 32]))).decode()
    return {"headers": signed(good.event, at=good.at, secret=f"whsec_{key}")[1]}


CHANGES: list[tuple[str, Callable[..., dict[str, Any]]]] = [
    ("a bit of the body", _body(_bit)),
    ("some bytes of the body", _body(_spliced)),
    ("the body written another way", _body(_rewritten)),
    ("the body forged", _body(_forged)),
    ("the body cut", _body(_cut)),
    ("no body at all", _body(lambda draw, data: draw.choice(ODD))),
    ("a typo in a header", _header(_typo)),
    ("a header written another way", _header(_other_form)),
    ("a header of an odd type", _header(_odd)),
    ("a header lost", _lost),
    ("a header twice", _twice),
    ("no headers at all", lambda good: {"headers": good.draw.choice(ODD)}),
    ("the other scheme's signature", _of_the_other_scheme),
    ("too old or too new", _age),
    ("brought again under a new time", _freshened),
    ("another delivery's headers", _swapped),
    ("brought again under a new id", _renamed),
    ("another key", _key),
]
