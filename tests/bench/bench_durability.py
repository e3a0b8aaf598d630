"""What it costs that a send is on the disk before it leaves: three ways to commit, side by side in one run.

``python tests/bench/bench_durability.py [--sends 400] [--rounds 5] [--workers 1 16] [--delay-ms 20]`` sends to
``stub.py`` with a journal on this disk (``--folder``). "none" syncs no commit, "mark" the one that marks a send as
``sending``, which is what linq_nb does, "all" the claim and the answer too. The ways take turns. Ratios are those of
one round, to "none"; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path

from bench_send import ATTACHMENT, PEOPLE, Server

import linq_nb
from linq_nb import Chat, Draft, VoiceMemo
from linq_nb.journal import Journal
from linq_nb.outbox import session_of

WAYS = ("none", "mark", "all")


def set_way(journal: Journal, way: str) -> None:
    """Let a journal sync its commits in one of the ways."""
    write = journal.database.write
    if way != "mark":
        journal.database.write = lambda *locks, is_synced=True: write(*locks, is_synced=way == "all")  # type: ignore[method-assign]


def measured(server: Server, way: str, sends: int, workers: int, folder: Path) -> tuple[float, float]:
    """Send that many memos; returns sends a second and the CPU seconds of a send."""
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = f"{place}/journal.sqlite"
        with linq_nb.connect(base_url=server.base_url, api_key="demo_bench", journal=journal) as outbox:
            set_way(session_of(outbox).journal, way)
            chats = [str(uuid.uuid4()) for _ in range(sends)]
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            wall, cpu = time.perf_counter(), time.process_time()
            failed = [send for send in outbox.send_all(plan, workers=workers) if send.status != "queued"]
            assert not failed, (way, len(failed), failed[0].status, failed[0].error_message)
            return sends / (time.perf_counter() - wall), (time.process_time() - cpu) / sends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with closing(Server(args.delay_ms, None)) as server:
        print(
            "| workers | commits synced | sends a second | x none | CPU ms a send | x none |\n|---|---|---|---|---|---|"
        )
        for workers in args.workers:
            sends = args.sends if workers > 1 else max(args.sends // 4, 1)
            rounds = [
                {way: measured(server, way, sends, workers, args.folder) for way in WAYS}
                for _ in range(args.rounds + 1)
            ][1:]
            for way in WAYS:
                rate = statistics.median(turn[way][0] for turn in rounds)
                rate_ratio = statistics.median(turn[way][0] / turn["none"][0] for turn in rounds)
                cpu_ms = statistics.median(turn[way][1] * 1e3 for turn in rounds)
                cpu_ratio = statistics.median(turn[way][1] / turn["none"][1] for turn in rounds)
                print(f"| {workers} | {way} | {rate:.1f} | {rate_ratio:.2f} | {cpu_ms:.2f} | {cpu_ratio:.2f} |")


if __name__ == "__main__":
    main()
