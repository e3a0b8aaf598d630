"""A journal of a million sends: the time to open it, to find a send key, and the time that it adds to a send.

``python tests/bench/bench_journal.py [--sends 1000000] [--delay-ms 20] [--journal FILE]``; FILE is
kept, and made if it does not exist. The added time is measured on one thread against ``stub.py``: memos are sent
through this journal, and in turns by the client alone, without a journal.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import many_sends
from bench_send import ATTACHMENT, PEOPLE, Server

import linq_nb
from linq_nb import Chat, Draft, VoiceMemo
from linq_nb.client import Client
from linq_nb.journal import Journal
from linq_nb.secret import Secret

OPEN_S, FIND_MS, ADDS = 0.2, 1.0, 0.10
TURN = 100
OPENING = """
import sys, time
from linq_nb.journal import Journal
start = time.perf_counter()
Journal(sys.argv[1]).close()
print(time.perf_counter() - start)
"""


def make(file: Path, count: int) -> None:
    """Write a journal of that many sends with an event each."""
    many_sends.journal(file, count)
    book = Journal(f"sqlite:///{file}")
    with book.database.write() as db:
        db.exec_driver_sql(
            "INSERT INTO events (send_id, at, source, status, http_status, message_id, trace_id, body) "
            "SELECT send_id, checked_at, 'post', status, http_status, message_id, trace_id, "
            '\'{"voice_memo":{"status":"queued"}}\' FROM sends'
        )
    book.close()


def opening(file: Path, times: int = 9) -> float:
    """Return the median of seconds that a fresh process takes to open the journal, its imports not counted."""
    command = [sys.executable, "-c", OPENING, f"sqlite:///{file}"]
    return statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(times)
    )


def finding(file: Path, count: int, times: int = 1000) -> list[float]:
    """Return the milliseconds of finding send keys from all over the journal, sorted."""
    book, step = Journal(f"sqlite:///{file}"), max(count // times, 1)
    with book.database.read() as db:
        send_ids = db.exec_driver_sql(f"SELECT send_id FROM sends WHERE send_no % {step} = 0").scalars().all()
    wanted = list(book.get_many(send_ids).values())
    book.close()
    book, took = Journal(f"sqlite:///{file}"), []
    for send in wanted:
        start = time.perf_counter()
        assert book.find(send, [send.content]) is not None
        took.append((time.perf_counter() - start) * 1e3)
    book.close()
    return sorted(took)


def adding(file: Path, delay_ms: float, turns: int = 7) -> float:
    """Return by which share a send takes longer than the client alone, the median of several rounds."""
    server, memo = Server(delay_ms, None), VoiceMemo.from_attachment(ATTACHMENT)
    client = Client(server.base_url, Secret("demo_bench"))
    added = []
    with linq_nb.connect(base_url=server.base_url, api_key="demo_bench", journal=str(file)) as outbox:
        for turn in range(turns + 1):
            chats = [str(uuid.uuid4()) for _ in range(TURN)]
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            alone = _timed(lambda chats=chats: [client.post_memo(chat, attachment_id=ATTACHMENT) for chat in chats])
            with_journal = _timed(lambda plan=plan: outbox.send_all(plan, workers=1).wait())
            added += [with_journal / alone - 1] if turn else []
    client.close()
    server.close()
    return statistics.median(added)


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=1_000_000)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--journal", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = args.journal or Path(folder) / "journal.sqlite"
        if not file.exists():
            make(file, args.sends)
        print(f"{args.sends:,} sends, {file.stat().st_size / 1e6:,.0f} MB")
        print(f"opened in {opening(file):.3f} s (budget {OPEN_S} s)")
        took = finding(file, args.sends)
        middle, most = statistics.median(took), took[len(took) * 99 // 100]
        print(f"a send key found in {middle:.3f} ms, 99 % in {most:.3f} ms (budget {FIND_MS:g} ms)")
        added = adding(file, args.delay_ms)
        print(f"a send at {args.delay_ms:g} ms takes {added:+.1%} longer than without (budget {ADDS:.0%})")


if __name__ == "__main__":
    main()
