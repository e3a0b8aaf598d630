"""``to_frame`` side by side with pandas and the official SDK: seconds and peak memory, each in a process of its own.

``python tests/bench/bench_frames.py [--journal 1000000] [--answers 100000] [--sdk 10000]``

From the journal: ``to_frame(outbox.sends())`` of an SQLite file against ``pandas.read_sql`` of the same columns.
From answers: what is counted is ``to_frame`` of the ``Send`` records, whose fields were picked as each answer came
(that is part of sending, not of making the table), against ``json_normalize`` of the same parsed JSON with the same
dtypes, and against the official SDK's way: its response objects, built from the JSON as its client does, then a frame
of their dicts (measured on ``--sdk`` answers and scaled up). With ``picked`` the picking is counted too.
Seconds are the best of three runs (one for the journal); megabytes are the growth of the process's peak (RSS).
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import many_sends


def peak_mb() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(work: Callable[[], Any], times: int) -> dict[str, float]:
    import pandas
    import pyarrow

    pandas.array(pyarrow.array(["warm"]), dtype="string")
    gc.collect()
    before, best = peak_mb(), float("inf")
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
        grown = peak_mb() - before
        del result
    return {"seconds": best, "mb": grown, "whole_mb": peak_mb()}


def of_journal(path: str, way: str) -> dict[str, float]:
    """Read all sends of a journal: ``ours`` or by ``pandas``."""
    import pandas as pd
    import sqlalchemy as sa

    import linq_nb
    from linq_nb import frames

    if way == "ours":
        outbox = linq_nb.connect(demo=True, journal=path)
        linq_nb.to_frame([])
        return measured(lambda: linq_nb.to_frame(outbox.sends()), 1)
    engine = sa.create_engine(f"sqlite:///{path}")
    names = ", ".join(frames.stored(linq_nb.Send))
    return measured(lambda: pd.read_sql(f"SELECT {names} FROM sends ORDER BY send_no", engine), 1)


def of_answers(path: str, way: str) -> dict[str, float]:
    """Make a frame of answers, one JSON a line, in one of the ways."""
    import pandas as pd

    lines = Path(path).read_text("utf-8").splitlines()
    if way == "sdk":
        from linq._models import construct_type
        from linq.types.chat_send_voicememo_response import ChatSendVoicememoResponse

        def by_sdk() -> Any:
            answers = [construct_type(value=json.loads(line), type_=ChatSendVoicememoResponse) for line in lines]
            return pd.DataFrame([answer.model_dump() for answer in answers])

        return measured(by_sdk, 1)
    raw = [json.loads(line) for line in lines]
    if way == "pandas":
        return measured(lambda: normalized(raw), 3)
    from linq_nb import storable, to_frame, wire

    at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def picked() -> list[Any]:
        sends = []
        for number, body in enumerate(raw):
            answer = wire.accepted(wire.Answer(http_status=202, text=lines[number], at=at))
            chat = body["voice_memo"]["chat"]["id"]
            when = storable.time(body["voice_memo"]["created_at"])
            sends.append(_send(number, chat, answer, when))
        return sends

    if way == "picked":
        return measured(lambda: to_frame(picked()), 1)
    sends = picked()
    raw.clear()
    return measured(lambda: to_frame(sends), 3)


def _send(number: int, chat_id: str, answer: dict[str, Any], at: datetime | None) -> Any:
    from linq_nb.model import Send

    return Send(
        send_id=f"{number:036}", base_url=many_sends.BASE, content="c", chat_id=chat_id, http_status=202, attempts=1,
        created_at=at, posted_at=at, accepted_at=at, checked_at=at, **answer,
    )  # fmt: skip


def normalized(raw: list[dict[str, Any]]) -> Any:
    """Flatten answers as pandas does it, with the dtypes that ``to_frame`` gives."""
    import pandas as pd

    frame = pd.json_normalize(raw)
    frame["voice_memo.created_at"] = pd.to_datetime(frame["voice_memo.created_at"], utc=True, format="ISO8601")
    for name in frame.columns:
        if name.endswith(("size_bytes", "duration_ms")):
            frame[name] = frame[name].astype("Int64")
        elif name.endswith(("is_group", "is_active")):
            frame[name] = frame[name].astype("boolean")
        elif name.endswith(("status", "service")):
            frame[name] = frame[name].astype("string").astype("category")
        elif not name.endswith(("created_at", "handles", "to")):
            frame[name] = frame[name].astype("string")
    frame["voice_memo.to"] = frame["voice_memo.to"].str.join(" ").astype("string")
    return frame


def alone(source: str, path: Path, way: str) -> dict[str, float]:
    """Measure one way in a process of its own."""
    command = [sys.executable, __file__, "--measure", source, str(path), way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--sdk", type=int, default=10_000)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        source, path, way = args.measure
        print(json.dumps(of_journal(path, way) if source == "journal" else of_answers(path, way)))
        return
    with tempfile.TemporaryDirectory() as name:
        book, answers, few = (Path(name, filename) for filename in ("journal.sqlite", "answers.jsonl", "few.jsonl"))
        if args.journal:
            many_sends.journal(book, args.journal)
            ours, pandas = alone("journal", book, "ours"), alone("journal", book, "pandas")
            print(f"{args.journal:,} sends from SQLite | s | MB | process MB")
            for title, result in (("linq_nb.to_frame", ours), ("pandas.read_sql", pandas)):
                print(f"{title} | {result['seconds']:.2f} | {result['mb']:.0f} | {result['whole_mb']:.0f}")
            print(f"ratio | {ours['seconds'] / pandas['seconds']:.2f} | {ours['mb'] / pandas['mb']:.2f} |")
        rng = random.Random(1)
        lines = [json.dumps(many_sends.answer(number, rng)) for number in range(args.answers)]
        answers.write_text("\n".join(lines), "utf-8")
        few.write_text("\n".join(lines[: args.sdk]), "utf-8")
        results = {way: alone("answers", answers, way) for way in ("ours", "picked", "pandas")}
        sdk = alone("answers", few, "sdk")
        results["sdk"] = {**sdk, "seconds": sdk["seconds"] * args.answers / min(args.sdk, args.answers)}
        print(f"\n{args.answers:,} answers | s | MB | seconds, ours to it | MB, ours to it")
        for way, result in results.items():
            share = results["ours"]["seconds"] / result["seconds"]
            memory = "" if way == "sdk" else f"{results['ours']['mb'] / result['mb']:.2f}"
            print(f"{way} | {result['seconds']:.2f} | {result['mb']:.0f} | {share:.3f} | {memory}")


if __name__ == "__main__":
    main()
