"""Sends a second and processor time a send, side by side with the official SDK's two clients and with bare sockets.

``python tests/bench/bench_send.py [--sends 2000] [--rounds 5] [--cases 1 16@150 64-tls]`` runs against ``stub.py`` in
a process of its own. A case is the number of workers, ``-tls`` for TLS, ``@150`` for answers of 150 ms (else 20 ms).
linq_nb sends with its journal on disk, from plan to results; the plan is not counted. The clients take turns, each
figure is the median of its rounds, ratios are those of one round. The second table compares them with the budgets.
TLS is by a certificate made for the run, which all clients trust. ``--fault-free 100000`` lets 64 workers send so many
as well, and prints how many raised or took over ten seconds, and how many TLS errors the server saw.
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
"""The longest round at the ideal rate, in seconds, and the time after which a send counts as hanging."""

Run = Callable[[], None]
Client = Callable[[str, list[str], int], contextlib.AbstractContextManager[Run]]


@contextlib.contextmanager
def sdk(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of the official sync SDK, one client for all threads as its docs show it."""
    with linq.LinqAPIV3(api_key="demo_bench", base_url=base_url) as client, ThreadPoolExecutor(workers) as pool:

        def run() -> None:
            sent = list(pool.map(lambda chat: client.chats.send_voicememo(chat, attachment_id=ATTACHMENT), chats))
            assert {answer.voice_memo.status for answer in sent} == {"queued"}

        yield run


@contextlib.contextmanager
def sdk_async(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of the official async SDK, with that many requests at once."""

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
    """Give a run of a planned batch, a thread for each worker, with the journal on disk."""
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    with tempfile.TemporaryDirectory() as folder:
        journal = f"{folder}/journal.sqlite"
        with linq_nb.connect(base_url=base_url, api_key="demo_bench", journal=journal) as outbox:
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            assert plan.counts["send"] == len(chats), plan

            def run() -> None:
                assert {send.status for send in outbox.send_all(plan, workers=workers)} == {"queued"}

            yield run


@contextlib.contextmanager
def bare(base_url: str, chats: list[str], workers: int) -> Iterator[Run]:
    """Give a run of sockets alone, one a thread, without journal or parser: the most that machine and stub allow."""
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
    """The figures of one client in one round: sends a second, CPU seconds a send, connections opened."""

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

    def count(self, counter: str = "connections") -> int:
        """Return how many connections were opened so far, this question's own among them, or how many TLS errors."""
        with urllib.request.urlopen(f"{self.origin}/stub") as answer:
            return int(json.load(answer)[counter])

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def measured(server: Server, client: Client, sends: int, workers: int) -> Figures:
    """Run one client and return its figures."""
    chats = [str(uuid.uuid4()) for _ in range(sends)]
    with client(server.base_url, chats, workers) as run:
        opened = server.count()
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Figures(sends / wall, cpu / sends, server.count() - opened - 1)


def compared(server: Server, sends: int, workers: int, rounds: int) -> list[dict[str, Figures]]:
    """Let the clients take turns, each first once without being measured."""
    for client in CLIENTS.values():
        measured(server, client, min(sends, 50), workers)
    return [{name: measured(server, client, sends, workers) for name, client in CLIENTS.items()} for _ in range(rounds)]


@dataclass(frozen=True)
class Case:
    """A case: the number of workers, the time of an answer, and whether by TLS."""

    name: str
    workers: int
    delay_ms: float
    is_tls: bool

    @classmethod
    def parse(cls, name: str) -> Case:
        head, _, delay_ms = name.partition("@")
        return cls(name, int(head.removesuffix("-tls")), float(delay_ms or 20), head.endswith("-tls"))

    @property
    def ideal(self) -> float:
        """The ideal rate in sends a second, at which only the answers take time."""
        return self.workers * 1000 / self.delay_ms


class Result:
    """The medians of a case's rounds."""

    def __init__(self, case: Case, rounds: list[dict[str, Figures]]) -> None:
        self.case, self._rounds = case, rounds
        self.cpu = self._median(lambda figures: figures["linq_nb"].cpu_s / figures["SDK"].cpu_s)
        self.rate = self._median(lambda figures: figures["linq_nb"].rate / figures["SDK"].rate)
        self.rate_async = self._median(lambda figures: figures["linq_nb"].rate / figures["async SDK"].rate)
        self.behind = self._median(lambda figures: (figures["bare"].rate - figures["linq_nb"].rate) / case.ideal * 100)
        self.connections = self._median(lambda figures: figures["linq_nb"].connections)

    def row(self) -> str:
        """Return a line of the table of figures."""
        cells = [
            self.case.name,
            self._each(lambda figures: figures.rate, ".0f"),
            self._each(lambda figures: figures.rate / self.case.ideal, ".1%"),
            f"{self.rate:.2f} / {self.rate_async:.2f}",
            self._each(lambda figures: figures.cpu_s * 1e3, ".2f"),
            f"{self.cpu:.2f}",
            self._each(lambda figures: figures.connections, ".0f"),
        ]
        return f"| {' | '.join(cells)} |"

    def _median(self, value: Callable[[dict[str, Figures]], float]) -> float:
        return statistics.median(map(value, self._rounds))

    def _each(self, value: Callable[[Figures], float], form: str) -> str:
        """Return the medians of all clients."""
        medians = (statistics.median(value(figures[name]) for figures in self._rounds) for name in CLIENTS)
        return " / ".join(format(median, form) for median in medians)


@dataclass(frozen=True)
class Budget:
    """An upper or lower limit for a figure of a case."""

    case: str
    figure: str
    value: Callable[[Result], float]
    limit: float
    is_least: bool = False

    def row(self, result: Result) -> str:
        """Return a line of the table of budgets."""
        value = self.value(result)
        is_met = value >= self.limit if self.is_least else value <= self.limit
        limit = f"{'>=' if self.is_least else '<='} {self.limit:g}"
        return f"| {self.case} | {self.figure} | {value:.2f} | {limit} | {'met' if is_met else 'MISSED'} |"


BUDGETS = (
    Budget("1", "processor time a send, x SDK", lambda result: result.cpu, 0.75),
    Budget("64-tls", "processor time a send, x SDK", lambda result: result.cpu, 0.6),
    Budget("64-tls", "sends a second, x SDK", lambda result: result.rate, 1.7, is_least=True),
    Budget("64-tls", "sends a second, x async SDK", lambda result: result.rate_async, 2.5, is_least=True),
    Budget("64-tls", "connections", lambda result: result.connections, 64),
    Budget("16@150", "points of the ideal rate behind bare sockets", lambda result: result.behind, 1.5),
)


def fault_free(server: Server, sends: int, workers: int) -> str:
    """Send many memos without any fault, and report the errors."""
    chats = [str(uuid.uuid4()) for _ in range(sends)]
    memo = VoiceMemo.from_attachment(ATTACHMENT)
    opened = server.count()
    with tempfile.TemporaryDirectory() as folder:
        journal = f"{folder}/journal.sqlite"
        with linq_nb.connect(base_url=server.base_url, api_key="demo_bench", journal=journal) as outbox:
            plan = outbox.plan([Draft(memo=memo, chat=Chat(chat_id=chat, handles=PEOPLE)) for chat in chats])
            wall = time.perf_counter()
            sent = list(outbox.send_all(plan, workers=workers))
            wall = time.perf_counter() - wall
    raised = sum(send.status != "queued" for send in sent)
    seconds = [send.accept_s or LONG_S for send in sent]
    slow = sum(accept_s >= LONG_S for accept_s in seconds)
    return (
        f"{sends:,} fault-free sends by {workers} workers: {raised} raised, {slow} took over {LONG_S:g} s, "
        f"the slowest {max(seconds):.2f} s; {sends / wall:.0f} a second; {server.count() - opened - 1} connections; "
        f"{server.count('tls_errors')} TLS errors at the server"
    )


def make_certificate(file: Path) -> None:
    """Write a key and a certificate for this machine's loopback address into one file."""
    cert = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    options = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    done = subprocess.run([*cert, *options, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    file.write_bytes(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="*", default=["1", "4", "16@150", "64", "64-tls"])
    parser.add_argument("--fault-free", type=int, default=0, metavar="SENDS")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        certificate = Path(folder) / "stub.pem"
        make_certificate(certificate)
        os.environ["SSL_CERT_FILE"] = str(certificate)  # httpx, below all three clients, and urllib read it

        def started(delay_ms: float, is_tls: bool) -> Server:
            server = Server(delay_ms, certificate if is_tls else None)
            stack.callback(server.close)
            return server

        print(f"up to {args.sends} sends a round, {args.rounds} rounds; {' / '.join(CLIENTS)}\n")
        heads = ["case", "sends a second", "of the ideal rate", "x SDK / x async", "CPU ms a send", "CPU x SDK"]
        print(f"| {' | '.join([*heads, 'connections'])} |\n" + "|---" * (len(heads) + 1) + "|")
        results: list[Result] = []
        for case in map(Case.parse, args.cases):
            sends = max(1, int(min(args.sends, case.ideal * LONG_S)))
            rounds = compared(started(case.delay_ms, case.is_tls), sends, case.workers, args.rounds)
            results.append(Result(case, rounds))
            print(results[-1].row(), flush=True)
        print("\n| case | figure | value | budget | |\n|---|---|---|---|---|")
        for result in results:
            for budget in BUDGETS:
                if budget.case == result.case.name:
                    print(budget.row(result))
        if args.fault_free:
            print(f"\n{fault_free(started(20, is_tls=True), args.fault_free, 64)}")


if __name__ == "__main__":
    main()
