"""Sends a second and processor time a send, side by side with the official SDK's two clients and with bare sockets.

``python tests/bench/bench_send.py [--sends 2000] [--rounds 5] [--delay-ms 20] [--cases 1 16 64 64-tls]`` runs against
``stub.py`` in a process of its own; linq_nb with its journal on disk, from plan to results, the plan not counted.
The clients take turns, each figure is the median of its rounds, ratios are those of one round. TLS is by a certificate
made for the run, which all clients trust. ``--fault-free 100000`` lets 64 workers send so many as well, and tells how
many raised or took over ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import linq

import linq_nb
from linq_nb import Chat, Draft, Handle, VoiceMemo

ATTACHMENT = "11111111-1111-4111-8111-111111111111"
STUB = Path(__file__).with_name("stub.py")
PEOPLE = (Handle(handle="+12025550100", is_me=True), Handle(handle="+12025550111"))
LONG_S = 10.0
"""A round is cut to what takes so long at the ideal rate; a send that takes so long hangs."""

Run = Callable[[], None]
Client = Callable[[str, list[str], int], contextlib.AbstractContextManager[Run]]


@contextlib.contextmanager
def sdk(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of the official sync SDK, one client for all threads as its docs show it."""
    with linq.LinqAPIV3(api_key="demo_bench", base_url=base_url) as client, ThreadPoolExecutor(workers) as pool:

        def run() -> None:
            sent = list(pool.map(lambda chat: client.chats.send_voicememo(chat, attachment_id=ATTACHMENT), chats))
            assert {one.voice_memo.status for one in sent} == {"queued"}

        yield run


@contextlib.contextmanager
def sdk_async(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of the official async SDK, so many requests at once."""

    async def send_all() -> None:
        turn = asyncio.Semaphore(workers)
        async with linq.AsyncLinqAPIV3(api_key="demo_bench", base_url=base_url) as client:

            async def send(chat: str) -> str:
                async with turn:
                    return (await client.chats.send_voicememo(chat, attachment_id=ATTACHMENT)).voice_memo.status

            assert set(await asyncio.gather(*map(send, chats))) == {"queued"}

    yield lambda: asyncio.run(send_all())


@contextlib.contextmanager
def ours(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of a planned batch, the journal on disk."""
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    with tempfile.TemporaryDirectory() as folder:
        journal = f"{folder}/journal.sqlite"
        with linq_nb.connect(base_url=base_url, api_key="demo_bench", journal=journal) as outbox:
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            assert plan.counts["send"] == len(chats), plan

            def run() -> None:
                assert {one.status for one in outbox.send_all(plan, workers=workers)} == {"queued"}

            yield run


@contextlib.contextmanager
def bare(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of sockets alone, one a thread, without journal or any reading: what this machine and the stub let."""
    where, mine = httpx.URL(base_url), threading.local()
    body = b'{"attachment_id":"%b"}' % ATTACHMENT.encode()
    head = b"Host: %b\r\nAuthorization: Bearer demo_bench\r\nContent-Type: application/json\r\n" % where.netloc

    def send(chat: str) -> bytes:
        if not hasattr(mine, "link"):
            mine.link = socket.create_connection((where.host, where.port), 60)
            if where.scheme == "https":
                mine.link = ssl.create_default_context().wrap_socket(mine.link, server_hostname=where.host)
        path = f"{where.path}/v3/chats/{chat}/voicememo".encode()
        mine.link.sendall(b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, head, len(body), body))
        return bytes(mine.link.recv(65_536)[9:12])

    with ThreadPoolExecutor(workers) as pool:

        def run() -> None:
            assert set(pool.map(send, chats)) == {b"202"}

        yield run


CLIENTS: dict[str, Client] = {"SDK": sdk, "async SDK": sdk_async, "linq_nb": ours, "bare": bare}


@dataclass(frozen=True)
class Figures:
    """What one client did in one round: sends a second, CPU seconds a send, connections opened."""

    rate: float
    cpu_s: float
    connections: int


class Server:
    """The stub in a process of its own."""

    def __init__(self, delay_ms: float, certificate: Path | None) -> None:
        command = [sys.executable, str(STUB), "0", "--delay-ms", str(delay_ms)]
        command += ["--tls", str(certificate), str(certificate)] if certificate else []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        self.origin = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/api/partner"

    def connections(self) -> int:
        """Return how many connections were opened so far, this question's own among them."""
        with urllib.request.urlopen(f"{self.origin}/stub") as answer:
            return int(json.load(answer)["connections"])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def measured(server: Server, client: Client, sends: int, workers: int) -> Figures:
    """Let one client send, and say what it took."""
    chats = [str(uuid.uuid4()) for _ in range(sends)]
    with client(server.base_url, chats, workers) as run:
        opened = server.connections()
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Figures(sends / wall, cpu / sends, server.connections() - opened - 1)


def compared(server: Server, sends: int, workers: int, rounds: int) -> list[dict[str, Figures]]:
    """Let the clients take turns, each first once without being measured."""
    for client in CLIENTS.values():
        measured(server, client, min(sends, 50), workers)
    return [{name: measured(server, client, sends, workers) for name, client in CLIENTS.items()} for _ in range(rounds)]


def row(case: str, ideal: float, found: list[dict[str, Figures]]) -> str:
    """Return a line of the table."""

    def median(value: Callable[[dict[str, Figures]], float]) -> float:
        return statistics.median(map(value, found))

    rates = " | ".join(f"{median(lambda one, name=name: one[name].rate):.0f}" for name in CLIENTS)
    share, most = (median(lambda one, name=name: one[name].rate / ideal) for name in ("linq_nb", "bare"))
    others = list(CLIENTS)[:2]
    faster = " | ".join(f"{median(lambda one, n=n: one['linq_nb'].rate / one[n].rate):.2f}" for n in others)
    cpu = median(lambda one: one["linq_nb"].cpu_s / one["SDK"].cpu_s)
    spent = " / ".join(f"{median(lambda one, name=name: one[name].cpu_s * 1e3):.2f}" for name in CLIENTS)
    opened = " / ".join(f"{median(lambda one, name=name: one[name].connections):.0f}" for name in CLIENTS)
    return f"| {case} | {rates} | {share:.0%} / {most:.0%} | {faster} | {cpu:.2f} | {spent} | {opened} |"


def fault_free(server: Server, sends: int, workers: int) -> str:
    """Send a lot with no fault, and say how it went."""
    chats = [str(uuid.uuid4()) for _ in range(sends)]
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    opened = server.connections()
    with tempfile.TemporaryDirectory() as folder:
        journal = f"{folder}/journal.sqlite"
        with linq_nb.connect(base_url=server.base_url, api_key="demo_bench", journal=journal) as outbox:
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            wall = time.perf_counter()
            found = list(outbox.send_all(plan, workers=workers))
            wall = time.perf_counter() - wall
    raised = sum(one.status != "queued" for one in found)
    slow = sum((one.accept_s or LONG_S) >= LONG_S for one in found)
    return (
        f"{sends:,} fault-free sends by {workers} workers: {raised} raised, {slow} took over {LONG_S:g} s, "
        f"the slowest {max(one.accept_s or LONG_S for one in found):.2f} s; {sends / wall:.0f} a second; "
        f"{server.connections() - opened - 1} connections"
    )


def make_certificate(file: Path) -> None:
    """Write a key and a certificate for this machine's loopback address into one file."""
    cert = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    made = subprocess.run([*cert, *what, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    file.write_bytes(made.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="*", default=["1", "16", "64", "64-tls"], help="workers, with -tls by TLS")
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--fault-free", type=int, default=0, metavar="SENDS")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        certificate = Path(folder) / "stub.pem"
        make_certificate(certificate)
        os.environ["SSL_CERT_FILE"] = str(certificate)  # httpx, below all three clients, and urllib read it
        plain, tls = (Server(args.delay_ms, one) for one in (None, certificate))
        stack.callback(plain.close)
        stack.callback(tls.close)
        print(f"up to {args.sends} sends a round, {args.rounds} rounds, {args.delay_ms:g} ms an answer")
        heads = ["workers", *(f"{name}/s" for name in CLIENTS), "of ideal (linq_nb / bare)", "x SDK", "x async"]
        heads += ["CPU ratio", f"CPU ms a send ({' / '.join(CLIENTS)})", "connections"]
        print(f"| {' | '.join(heads)} |")
        print("|---" * len(heads) + "|")
        for case in args.cases:
            workers, server = int(case.split("-")[0]), tls if case.endswith("-tls") else plain
            ideal = workers * 1000 / args.delay_ms if args.delay_ms else float("inf")
            sends = max(1, int(min(args.sends, ideal * LONG_S)))
            print(row(case, ideal, compared(server, sends, workers, args.rounds)), flush=True)
        if args.fault_free:
            print(fault_free(tls, args.fault_free, 64))


if __name__ == "__main__":
    main()
