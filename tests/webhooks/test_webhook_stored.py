"""Stored webhooks in the usual shapes and files, and the report on skipped deliveries."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hook_samples import OTHER, SECRET, payload, signed

from linq_nb import Outbox, SettingsError, WebhookError, webhooks
from linq_nb.outbox import stored
from linq_nb.outbox.stored import SkipLog, Skipped
from linq_nb.webhooks.envelopes import deliveries, spellings

EVENTS = [payload("sent", second) for second in range(1, 5)]
IDS = [event["event_id"] for event in EVENTS]
SIGNED = [signed(event) for event in EVENTS]
BODY, HEADERS = SIGNED[0][0].decode(), SIGNED[0][1]
BODY_64 = base64.b64encode(SIGNED[0][0]).decode()
SMALL = {name.lower(): value for name, value in HEADERS.items()}
IN_LISTS = {name: [value] for name, value in HEADERS.items()}
PLAIN = {"headers": HEADERS, "body": BODY}
MANY = [{"headers": headers, "body": body.decode()} for body, headers in SIGNED]
LINES = [json.dumps(item) for item in MANY]

GATEWAY = {"headers": HEADERS, "multiValueHeaders": IN_LISTS, "httpMethod": "POST", "path": "/"}
ENVELOPES: dict[str, Any] = {
    "headers and body": PLAIN,
    "as bytes of JSON": json.dumps(PLAIN).encode(),
    "API gateway, version 1": {**GATEWAY, "body": BODY_64, "isBase64Encoded": True},
    "API gateway, version 1, as text": {**GATEWAY, "body": BODY, "isBase64Encoded": False},
    "API gateway, version 2": {"version": "2.0", "headers": SMALL, "body": BODY_64, "isBase64Encoded": True},
    "a load balancer": {"multiValueHeaders": IN_LISTS, "headers": None, "body": BODY_64, "isBase64Encoded": "true"},
    "header values as lists of one": {"headers": IN_LISTS, "body": BODY},
    "headers as pairs": {"headers": [list(pair) for pair in HEADERS.items()], "body": BODY},
    "headers as pairs of bytes": {"headers": [(a.encode(), b.encode()) for a, b in HEADERS.items()], "body": BODY},
    "headers as objects": {"headers": [{"name": a, "value": b} for a, b in HEADERS.items()], "body": BODY},
    "headers as JSON": {"headers": json.dumps(IN_LISTS), "body": BODY},
    "headers as Python prints them": {"headers": str(IN_LISTS), "body": BODY},
    "headers as numbers": {"headers": HEADERS | {"webhook-timestamp": float(SMALL["webhook-timestamp"])}, "body": BODY},
    "headers of other requests missing": {"headers": {**HEADERS, "x-other": None}, "body": BODY},
    "headers as lines": {"headers": "\r\n".join(f"{name}: {value}" for name, value in HEADERS.items()), "body": BODY},
    "headers of a CGI server": {
        "headers": {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}, "body": BODY
    },
    "the body under another name": {"headers": HEADERS, "received_at": "2026-03-01", "data": BODY},
    "the body in bytes": {"headers": HEADERS, "body": bytearray(SIGNED[0][0])},
    "names in capital letters": {"Headers": HEADERS, "Body": BODY},
    "the word of base64 kept, the body decoded": {**PLAIN, "isBase64Encoded": True},
    "base64 without the word": {"headers": HEADERS, "body": BODY_64},
    "base64 in lines": {"headers": HEADERS, "body": "\n".join(BODY_64[at : at + 76] for at in range(0, 999, 76))},
    "a catcher's content": {"uuid": "1", "headers": IN_LISTS, "content": BODY, "query": None},
    "a request within": {"id": "1", "request": {"method": "POST", "headers": HEADERS, "body": BODY}},
    "a parsed body": {"headers": HEADERS, "body": EVENTS[0]},
    "a queue": {"Records": [{"messageId": "1", "body": json.dumps(PLAIN)}]},
    "a queue on the command line": {"Messages": [{"MessageId": "1", "Body": json.dumps(PLAIN)}]},
    "a container's log": {"log": json.dumps(PLAIN) + "\n", "stream": "stdout", "time": "2026-03-01T10:00:00Z"},
    "a log group": {"logEvents": [{"timestamp": 1, "message": f"2026-03-01T10:00:00Z INFO {json.dumps(PLAIN)}"}]},
    "a list": [PLAIN],
}  # fmt: skip


def verified(item: Any, secret: str = SECRET) -> list[str | None]:
    return [_verified(delivery, secret).event_id for delivery in deliveries(item)]


def _verified(delivery: Any, secret: str) -> Any:
    if isinstance(delivery, WebhookError):
        raise delivery
    *others, last = spellings(delivery.body)
    for body in others:
        try:
            return webhooks.verify(body, delivery.headers, secret, max_age_s=None)
        except WebhookError:
            continue
    return webhooks.verify(last, delivery.headers, secret, max_age_s=None)


@pytest.mark.parametrize("kind", ENVELOPES)
def test_a_delivery_is_verified_in_every_envelope(kind: str) -> None:
    assert verified(ENVELOPES[kind]) == [IDS[0]]
    with pytest.raises(WebhookError, match="the signature of the webhook does not fit"):
        verified(ENVELOPES[kind], OTHER)


WRONG: dict[str, tuple[Any, str]] = {
    "no base64": ({**PLAIN, "body": "!!", "isBase64Encoded": True}, "said to be base64 and is not"),
    "no body": ({**GATEWAY, "body": None, "isBase64Encoded": False}, "no body"),
    "an empty body": ({**PLAIN, "body": ""}, "no body"),
    "two values of a header": ({**PLAIN, "headers": {name: [v, "x"] for name, v in HEADERS.items()}}, "repeated"),
    "gateways that differ": ({**GATEWAY, "multiValueHeaders": {"webhook-id": ["x"]}, "body": BODY}, "repeated"),
    "other headers": ({**PLAIN, "headers": {"Host": ["x"]}}, "missing, invalid or repeated `webhook-id`"),
    "headers that are half": ({**PLAIN, "headers": "{'webhook-id': "}, "its headers cannot be read"),
    "headers that are none": ({**PLAIN, "headers": 3}, "neither a mapping nor a list of pairs"),
    "an empty list": ([], "not a JSON object"),
    "text": ("hello", "not JSON"),
    "a number": (3, "not a JSON object"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_the_error_names_the_fault_of_a_delivery(kind: str) -> None:
    item, words = WRONG[kind]
    with pytest.raises(WebhookError, match=words):
        verified(item)


def test_nested_envelopes_are_read_up_to_a_limit() -> None:
    deep: Any = PLAIN
    for _ in range(50):
        deep = {"Records": [deep]}
    with pytest.raises(WebhookError):
        verified(deep)


# --- files ---

PRETTY = [json.dumps(item, indent=2) for item in MANY]
FILES: dict[str, tuple[str, bytes]] = {
    "lines": ("hooks.jsonl", "\n".join(LINES).encode()),
    "lines of Windows": ("hooks.ndjson", "\r\n".join(LINES).encode()),
    "lines under another suffix": ("hooks.json", "\n".join(LINES).encode()),
    "capital letters": ("HOOKS.JSON", json.dumps(MANY).encode()),
    "no suffix": ("hooks", "\n".join(LINES).encode()),
    "a rotated log": ("hooks.log.1", "\n".join(LINES).encode()),
    "text": ("hooks.txt", ("[\n" + ",\n".join(LINES) + "\n]").encode()),
    "one after another": ("hooks.json", "".join(LINES).encode()),
    "one after another, indented": ("hooks.json", "\n".join(PRETTY).encode()),
    "short and indented ones": ("hooks.json", "\n".join([*LINES[:2], *PRETTY[2:]]).encode()),
    "lists one after another": ("hooks.json", f"{json.dumps(MANY[:2])}\n{json.dumps(MANY[2:])}".encode()),
    "a sequence of records": ("hooks.json-seq", "".join(f"\x1e{line}\n" for line in LINES).encode()),
    "text of JSON in JSON": ("hooks.jsonl", "\n".join(map(json.dumps, LINES)).encode()),
    "a log": ("hooks.log", "".join(f"2026-03-01T10:00:00Z [x] INFO POST {line} 200\n" for line in LINES).encode()),
    "a log with brackets": ("hooks.log", "".join(f"[12] {{id}} {line}\n" for line in LINES).encode()),
    "gzip": ("hooks.json.gz", gzip.compress(json.dumps(MANY).encode())),
    "gzip in parts": ("hooks.jsonl.gz", b"".join(gzip.compress(f"{line}\n".encode()) for line in LINES)),
    "gzip without the name": ("hooks", gzip.compress("\n".join(LINES).encode())),
    "bzip2": ("hooks.bz2", bz2.compress("\n".join(LINES).encode())),
    "xz": ("hooks.xz", lzma.compress("\n".join(LINES).encode())),
    "a BOM": ("hooks.jsonl", b"\xef\xbb\xbf" + "\n".join(LINES).encode()),
    "UTF-16": ("hooks.json", json.dumps(MANY).encode("utf-16")),
    "UTF-16 without a BOM": ("hooks.jsonl", "\r\n".join(LINES).encode("utf-16-le")),
    "UTF-16 the other way": ("hooks.jsonl", b"\xfe\xff" + "\n".join(LINES).encode("utf-16-be")),
    "UTF-32": ("hooks.jsonl", "\n".join(LINES).encode("utf-32")),
}


def read(source: Any, column: str | None = None) -> tuple[list[str | None], tuple[Skipped, ...]]:
    """The ids of the verified events of a source, and the skipped deliveries."""
    skips, ids = SkipLog(), []
    for item, where in stored.items(source, column, skips):
        try:
            ids += verified(item)
        except WebhookError as error:
            skips.add(str(error), where)
    return ids, skips.listed()


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_read_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    name, data = FILES[kind]
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path / name) == (IDS, ())
    assert read(tmp_path) == (IDS, ())


def test_a_long_file_is_read_in_parts() -> None:
    for parts in (LINES, PRETTY, [f"INFO {line}" for line in LINES], ["[", ",\n".join(LINES), "]"]):
        data, skips = io.BytesIO("\n".join(parts).encode()), SkipLog()
        items = stored.of_stream(io.BufferedReader(data), "hooks", skips, chunk_chars=100)  # type: ignore[arg-type]
        assert [event_id for item, _ in items for event_id in verified(item)] == IDS
        assert skips.listed() == ()


BROKEN: dict[str, tuple[bytes, int, list[tuple[int, str, str]]]] = {
    "a log with other lines": (
        f"started\n{LINES[0]}\nGET /health {{x}}\n[1] {LINES[1]}\n\nstopped".encode(), 2,
        [(3, "a line without JSON", "hooks.log")],
    ),
    "a list that ends early": ("[" + ",".join(LINES)[:-20], 3, [(1, "not JSON", "hooks.log")]),
    "an indented one that ends early": (PRETTY[0][:-20], 0, [(1, "not JSON", "hooks.log")]),
    "a broken one among others": (
        "\n".join([LINES[0], PRETTY[1][:-20], LINES[2]]), 2, [(1, "not JSON", "hooks.log:2")],
    ),
    "an empty file": ("", 0, [(1, "an empty file", "hooks.log")]),
    "blank lines": (" \n\n", 0, [(1, "an empty file", "hooks.log")]),
    "words": ("not for us", 0, [(1, "a file without JSON", "hooks.log")]),
    "bytes": (b"\0\1{\2", 0, [(1, "a file that is not text", "hooks.log")]),
    "a zip": (b"PK\x03\x04", 0, [(1, "a zip archive; unpack it first", "hooks.log")]),
    "no event": ('{"a": 1}\n{"b": 2}', 0, [(2, "", "hooks.log")]),
}  # type: ignore[dict-item]  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_skipped_deliveries_are_counted_by_reason_with_their_names(tmp_path: Path, kind: str) -> None:
    data, good, skipped = BROKEN[kind]
    (tmp_path / "hooks.log").write_bytes(data if isinstance(data, bytes) else str(data).encode())
    ids, skips = read(tmp_path / "hooks.log")
    assert len(ids) == good
    assert [skip.count for skip in skips] == [count for count, _, _ in skipped]
    for skip, (_, reason, name) in zip(skips, skipped, strict=True):
        assert reason in skip.reason
        assert skip.names[0] == name


def test_a_folder_is_read_and_the_skipped_files_are_counted(outbox: Outbox, tmp_path: Path) -> None:
    for name, data in {
        "2026/03/01/a.json": LINES[0].encode(),
        "2026/03/02/b.json.gz": gzip.compress(LINES[1].encode()),
        "c": LINES[2].replace("sent", "read").encode(),
        "d.log": b"nothing here",
        "e.gz": gzip.compress(LINES[3].encode())[:-20],
        ".DS_Store": b"\0",
        "notes.md": LINES[3].encode(),
        "+12025550112.zip": b"PK\x03\x04",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    counts = outbox.ingest_stored(tmp_path, secret=SECRET)
    assert (counts.not_ours, counts.refused, counts.unreadable, counts.total) == (2, 1, 0, 3)
    reasons = {skip.reason.split(":")[0].split(" does")[0]: skip.names for skip in counts.skipped}
    assert reasons == {
        "the signature of the webhook": ("c",),
        "a file without JSON": ("d.log",),
        "a file that cannot be read": ("e.gz",),
        "a hidden file": (".DS_Store",),
        "a file of another kind": ("notes.md",),
        "a zip archive; unpack it first": ("+1•••••0112.zip",),
    }
    shown = repr(counts)
    assert "3 webhooks" in shown
    assert "1: a hidden file (.DS_Store)" in shown
    assert "5550112" not in shown + repr(counts.skipped)
    with pytest.raises(SettingsError, match=r"cannot read 'e\.gz'.*the deliveries before it were written"):
        outbox.ingest_stored(tmp_path / "e.gz", secret=SECRET)
    assert outbox.ingest_stored([tmp_path / "c", str(tmp_path / "2026/03/01/a.json")]).total == 2
    parsed = [{**item, "body": json.loads(item["body"])} for item in MANY]
    assert outbox.ingest_stored(parsed, secret=SECRET).refused == 0
    why = outbox.ingest_stored(parsed, secret=OTHER).skipped
    assert [(skip.count, "stored as parsed JSON" in skip.reason) for skip in why] == [(4, True)]


def test_many_reasons_are_listed_in_a_few_lines() -> None:
    skips = SkipLog()
    for number in range(50):
        skips.add(f"reason {number}", f"{number}.json")
    assert sum(skip.count for skip in skips.listed()) == 50
    assert len(skips.listed()) == 21


# --- frames ---

TEXT_HEADERS = [json.dumps(item["headers"]) for item in MANY]
BODIES = [item["body"] for item in MANY]
FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(MANY),
    "Polars": lambda: pl.DataFrame({"Headers": TEXT_HEADERS, "Body": BODIES}),
    "Polars, lazy": lambda: pl.DataFrame({"headers": TEXT_HEADERS, "body": BODIES}).lazy(),
    "Arrow": lambda: pa.table({"headers": TEXT_HEADERS, "raw body": BODIES, "at": [1, 2, 3, 4]}),
    "DuckDB": lambda: duckdb.connect().from_arrow(pa.table({"headers": TEXT_HEADERS, "payload": BODIES})),
    "envelopes of a gateway": lambda: pd.DataFrame([ENVELOPES["API gateway, version 1"], *MANY[1:]]),
    "pandas, with headers as NumPy has them": lambda: pd.DataFrame(
        {"headers": [np.array([[*pair] for pair in item["headers"].items()], object) for item in MANY], "body": BODIES}
    ),
    "pandas, from CSV": lambda: pd.read_csv(io.StringIO(pd.DataFrame(MANY).to_csv())),
    "envelopes as text": lambda: pl.DataFrame({"id": [1, 2, 3, 4], "event": LINES}),
    "a series": lambda: pd.Series(LINES),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_of_every_kind_is_read(kind: str) -> None:
    assert read(FRAMES[kind]()) == (IDS, ())


def test_payloads_in_columns_and_a_misspelt_column(outbox: Outbox) -> None:
    frame = pd.read_json(io.StringIO("\n".join(map(json.dumps, EVENTS))), lines=True)
    assert outbox.ingest_stored(frame).not_ours == 4
    assert outbox.ingest_stored(EVENTS).repeated == 4
    with pytest.raises(SettingsError, match=r"no column 'Payloads'; nothing was read.*did you mean 'payload'?"):
        outbox.ingest_stored(pd.DataFrame({"payload": LINES, "id": 1}), column="Payloads")
    with pytest.raises(SettingsError, match="a column is there twice: body; nothing was read"):
        outbox.ingest_stored(pd.DataFrame([["a", "b"]], columns=["body", "body"]))
