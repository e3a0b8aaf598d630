"""Sends a second and CPU a send, side by side with the official SDK on the same threads.

``python tests/bench/bench_send.py [--sends 1000] [--workers 1 16 64] [--delay-ms 20]``: against ``stub.py`` in a
process of its own; linq_nb with its journal on disk, from plan to frame, the plan not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import linq

import linq_nb
from linq_nb import Chat, Draft, Handle, VoiceMemo

ATTACHMENT = "11111111-1111-4111-8111-111111111111"
STUB = Path(__file__).with_name("stub.py")


def sdk(base_url: str, chats: list[str], workers: int) -> Callable[[], None]:
    """Return a run of the official sync SDK, one client for all threads as its docs show it."""
    client = linq.LinqAPIV3(api_key="demo_bench", base_url=base_url)

    def run() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda chat: client.chats.send_voicememo(chat, attachment_id=ATTACHMENT), chats))

    return run


def ours(base_url: str, chats: list[str], workers: int) -> Callable[[], None]:
    """Return a run of a planned batch, the journal on disk."""
    folder = tempfile.mkdtemp()
    outbox = linq_nb.connect(base_url=base_url, api_key="demo_bench", journal=f"{folder}/journal.sqlite")
    people = (Handle(handle="+12025550100", is_me=True), Handle(handle="+12025550111"))
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=people)) for chat in chats])
    assert plan.counts["send"] == len(chats), plan

    def run() -> None:
        sends = list(outbox.send_all(plan, workers=workers))
        assert {one.status for one in sends} == {"queued"}

    return run


def measured(run: Callable[[], None], sends: int) -> tuple[float, float]:
    """Return sends a second and CPU milliseconds a send."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return sends / (time.perf_counter() - wall), (time.process_time() - cpu) * 1000 / sends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--delay-ms", type=float, default=20)
    args = parser.parse_args()
    command = [sys.executable, str(STUB), "0", "--delay-ms", str(args.delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        base_url = f"http://127.0.0.1:{stub.stdout.readline().strip()}/api/partner"
        print(f"{args.sends} sends, {args.delay_ms:g} ms an answer\n| workers | ideal/s | SDK/s | ours/s | CPU ratio |")
        for workers in args.workers:
            figures = []
            for make in (sdk, ours):
                chats = [str(uuid.uuid4()) for _ in range(args.sends)]
                figures.append(measured(make(base_url, chats, workers), args.sends))
            (sdk_rate, sdk_cpu), (our_rate, our_cpu) = figures
            ideal = workers * 1000 / args.delay_ms
            print(f"| {workers} | {ideal:.0f} | {sdk_rate:.0f} | {our_rate:.0f} | {our_cpu / sdk_cpu:.2f} |")
        stub.terminate()


if __name__ == "__main__":
    main()
