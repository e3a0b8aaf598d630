"""Kill a batch again and again, then compare the memos of each chat with the journal.

    python tests/crash/harness.py --seed 1 --seeds 30 --kills 20 --memos 200 --signal KILL
    python tests/crash/harness.py --seed 1 --seeds 30 --postgres      # a PostgreSQL of its own, thrown away after
    python tests/crash/harness.py --seed 1 --seeds 30 --journal URL   # your own: its rows stay there

Each life of the batch begins half a minute after the last one died (the demo's clock, the batch's and that of its
leases are put forward together), so the dead owner's claims have run out. A seed fixes the faults and the instants of
the kills; what a process was doing at that instant depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(folder) for folder in (ROOT, HERE.parent) if str(folder) not in sys.path]

from shared import HANG_S, WatchedServer  # noqa: E402

from linq_nb import Send  # noqa: E402
from linq_nb.demo import Demo, sample  # noqa: E402
from linq_nb.journal import LEASE_S, Journal  # noqa: E402
from linq_nb.status import OUR_STATUSES  # noqa: E402

AUDIO = [str(sample(name)) for name in ("hello.amr", "hello.mp3", "hello.caf")]
UNPACKED = [str(sample(name)) for name in ("hello.wav", "hello.aiff")]
"""Files that we read ourselves: a decoder written in C may lose an interrupt, or make another error of it."""

TIMEOUT_S, SLOW_S = 1.0, 1.4
LATER_S = LEASE_S + 10
"""How much later the batch is run again: after this a dead owner's claims have run out."""

MUCH_LATER_S = 120.0
"""How much later unclear sends are reconciled: after this time a missing message can no longer arrive."""

ROUNDS = 12
MAY_BE_OUT = {"sending", "unknown"}


@dataclass
class Figures:
    """The figures of one seed."""

    seed: int
    kills: int = 0
    lives: int = 0
    bubbles: int = 0
    second: int = 0
    missing: int = 0
    let_go: int = 0
    adopted: int = 0
    open_at_death: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def line(self) -> str:
        dead = ", ".join(f"{number} {status}" for status, number in sorted(self.open_at_death.items())) or "none"
        return (
            f"seed {self.seed}: {self.kills} kills in {self.lives} lives, {self.bubbles} bubbles, "
            f"{self.second} second, {self.missing} missing; {self.adopted} unclear found in their chats, "
            f"{self.let_go} surely not there and sent again; "
            f"left open by the dead: {dead}; {self.seconds:.1f} s"
        )


class Children:
    """Lives of the batch, one after another, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
        environment["PYTHONPATH"] = str(ROOT)
        self._errors = (folder / "stderr.txt").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "child.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=folder,
            env=environment,
        )

    def live(self, **task: Any) -> tuple[int, bool, dict[str, Any]]:
        """Run one life; returns its exit code, whether it was killed, and its report."""
        report = self._folder / "report.json"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**task, "report": str(report)}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the parent of the killed processes ended:\n{self.errors()}"
        code, killed = json.loads(answer)
        return code, killed, json.loads(report.read_text() or "{}")

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=HANG_S)
        self._process.stdout.close()
        self._errors.close()


class World:
    """A demo on a socket with its chats and faults, a journal, and the batch that goes from one to the other."""

    def __init__(
        self, server: WatchedServer, children: Children, folder: Path, journal: str, seed: int, memos: int
    ) -> None:
        self.server, self.demo, self.children = server, server.demo, children
        self.folder, self.journal = folder, journal
        self.random, self.figures = random.Random(seed), Figures(seed)
        self.by: signal.Signals = signal.SIGKILL
        self.chats = list(self.demo.add_chats(memos).values())
        self.reported: dict[str, str] = {}
        self.shift = 0.0

    def faults(self) -> None:
        """Inject the faults of the seed."""
        draw, seed = self.random.uniform, self.figures.seed
        kinds = ("lost", "error_after_accept", "reset_before", "rate_limit", "slow")
        self.demo.faults(**{kind: draw(0.01, 0.05) for kind in kinds}, slow_s=SLOW_S, seed=seed)

    def life(self, do: str = "send", die_after: float | None = None, **more: Any) -> tuple[int, bool, dict[str, Any]]:
        """Let the batch run until it ends or is killed, and check the journal and the chats afterwards."""
        task = {
            "do": do,
            "again": False,
            "die_after": die_after,
            "die_from": "begun",
            "signal": int(self.by),
            "shift": self.shift,
            "journal": self.journal,
            "api_key": self.demo.api_key,
            "base_url": self.demo.base_url,
            "timeout": TIMEOUT_S,
            "workers": 4 if self.figures.seed % 2 else 16,
            "stop_after": 0,
            "audio": UNPACKED if self.by == signal.SIGINT else AUDIO,
            "chats": self.chats,
        }
        code, killed, report = self.children.live(**task | more)
        self.figures.lives += 1
        self.figures.kills += killed
        self.server.wait_until_quiet()  # what the process wrote to its connections is carried out
        self.expect(code != 5, report.get("error", ""))
        self.reported = report.pop("rows", {})
        return code, killed, report

    def later(self, seconds: float = LATER_S) -> None:
        """Let time pass in the demo and for the batch."""
        self.demo.advance(seconds=seconds)
        self.shift += seconds

    def rows(self) -> dict[str, Send]:
        """Read the journal as it is; a copy of a file, so that the next life finds the file unchanged."""
        url, copied = self.journal, None
        if not url.startswith("postgres"):
            copied = self.folder / "copied"
            shutil.rmtree(copied, ignore_errors=True)
            copied.mkdir()
            file = Path(url.removeprefix("sqlite:///"))
            for part in (file, Path(f"{file}-wal")):
                if part.exists():
                    shutil.copy(part, copied)
            url = f"sqlite:///{copied / file.name}"
        book = Journal(url)
        try:
            mine = [send for send in book.sends() if send.base_url == self.demo.base_url]
        finally:
            book.close()
        by_chat = {send.chat_id: send for send in mine}
        self.expect(len(by_chat) == len(mine), "a chat has two rows")
        return by_chat

    def check(self) -> dict[str, Send]:
        """Check the promises of any instant: no second bubble, and every sent memo is in the journal."""
        rows, bubbles = self.rows(), self.demo.bubbles()
        self.expect(set(bubbles) <= set(self.chats), "a chat that is not in the table got a memo")
        self.expect(set(bubbles.values()) <= {1}, f"second bubbles: {[k for k, n in bubbles.items() if n > 1]}")
        for chat in self.chats:
            row = rows.get(chat)
            if chat in bubbles:
                self.expect(row is not None, f"{chat} has a bubble of which the journal knows nothing")
                assert row is not None
                self.expect(
                    row.status in MAY_BE_OUT or row.status not in OUR_STATUSES,
                    f"{chat} has a bubble, the journal says {row.status}",
                )
            if row is not None and row.status not in OUR_STATUSES:
                message_ids = [memo["message_id"] for memo in self.demo.memos(chat)]
                self.expect(
                    message_ids == [row.message_id],
                    f"{chat}: {row.status} as {row.message_id}, the demo has {message_ids}",
                )
        return rows

    def settle(self) -> None:
        """Run the batch to its end, reconcile unclear sends and send missing memos again, until nothing is left."""
        for _ in range(ROUNDS):
            self.later()
            code, _, report = self.life()
            self.expect(code == 0, f"the batch ended with {code}: {report}")
            rows = self.check()
            if len(rows) == len(self.chats) and not any(send.status in OUR_STATUSES for send in rows.values()):
                return
            self.later(MUCH_LATER_S)
            code, _, report = self.life("settle")
            self.expect(code == 0, f"looking for the unclear ended with {code}: {report}")
            self.figures.let_go += len(report["let_go"])
            for chat in report["let_go"]:
                self.expect(not self.demo.bubbles(chat), f"{chat} has its bubble, but reconcile said not_found")
            self.check()
        self.expect(False, f"not settled in {ROUNDS} rounds: {Counter(send.status for send in self.rows().values())}")

    def end(self) -> Figures:
        """Check the promises of the end: each chat has one bubble with its own memo, each row its message."""
        rows, bubbles = self.check(), self.demo.bubbles()
        self.figures.bubbles = sum(bubbles.values())
        self.figures.second = sum(number > 1 for number in bubbles.values())
        self.figures.missing = len(set(self.chats) - set(bubbles))
        self.expect(not self.figures.missing, f"{self.figures.missing} chats got nothing")
        for chat in self.chats:
            (memo,) = self.demo.memos(chat)
            self.expect(rows[chat].sha256 == memo["sha256"], f"{chat} got another memo than the journal says")
        book = Journal(self.journal)
        try:
            histories = [book.events(send.send_id) for send in rows.values()]
        finally:
            book.close()
        self.figures.adopted = sum(
            any(e.source == "reconcile" and e.message_id for e in events) for events in histories
        )
        return self.figures

    def expect(self, is_so: bool, message: str) -> None:
        if not is_so:
            where = f"seed {self.figures.seed}, {len(self.chats)} memos, {self.by.name}, {self.journal}"
            raise AssertionError(f"{message}\n{where}\n{self.children.errors()}")


@contextmanager
def world(seed: int, journal: str, folder: Path, memos: int) -> Iterator[World]:
    """Open a world: a demo on a socket in this process, and a process that forks the lives."""
    folder.mkdir(parents=True, exist_ok=True)
    with WatchedServer(Demo(seed=seed, real_time=True)) as server:
        children = Children(folder)
        try:
            yield World(server, children, folder, journal, seed, memos)
        finally:
            children.close()


def crash(
    seed: int,
    journal: str,
    folder: Path,
    *,
    kills: int = 20,
    memos: int = 200,
    by: signal.Signals = signal.SIGKILL,
    meanwhile: Callable[[World, dict[str, Send]], None] | None = None,
) -> Figures:
    """Kill a batch up to ``kills`` times and check the result; raises AssertionError when something is wrong."""
    began = time.monotonic()
    with world(seed, journal, folder, memos) as trial:
        trial.by = by
        trial.faults()
        for _ in range(kills):
            die_from, die_after = instant(trial.random)
            code, killed, report = trial.life(die_from=die_from, die_after=die_after)
            rows = trial.check()
            if not killed:
                trial.expect(code == 0, f"the batch ended with {code}: {report}")
                break
            trial.expect(code in ends(by), f"the killed process ended with {code}: {report}")
            trial.figures.open_at_death.update(send.status for send in rows.values() if send.status in OUR_STATUSES)
            if meanwhile:
                meanwhile(trial, rows)
            trial.later()
        trial.settle()
        figures = trial.end()
    figures.seconds = time.monotonic() - began
    return figures


def instant(draw: random.Random) -> tuple[str, float]:
    """Draw when to kill: while it opens and plans, or 0.5 to 400 ms after the plan was made, early ones more often."""
    if draw.random() < 0.2:
        return "begun", draw.uniform(0.005, 0.4)
    return "planned", 0.0005 * 800 ** draw.random()


def ends(by: signal.Signals) -> tuple[int, ...]:
    """The exit codes of a process that got a signal; an interrupt can also come after the end of the batch."""
    return (-signal.SIGKILL,) if by == signal.SIGKILL else (130, -signal.SIGINT, 0)


@contextmanager
def schemas() -> Iterator[Callable[[], str]]:
    """Run the PostgreSQL of the team's tests; gives what makes a fresh schema and returns its URL."""
    sys.path.append(str(HERE.parent / "team"))
    import postgres

    with postgres.running() as server:
        yield server.new_schema


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, from --seed on")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--memos", type=int, default=200)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--journal", help="the URL of a journal; default: a new SQLite file for each seed")
    where.add_argument("--postgres", action="store_true", help="start a PostgreSQL, with a new schema for each seed")
    parser.add_argument("--signal", choices=("KILL", "INT"), default="KILL")
    args = parser.parse_args()
    total: Counter[str] = Counter()
    by = signal.Signals[f"SIG{args.signal}"]
    with schemas() if args.postgres else nullcontext() as new_schema:
        for seed in range(args.seed, args.seed + args.seeds):
            folder = Path(tempfile.mkdtemp(prefix=f"crash-{seed}-"))
            journal = args.journal or (new_schema and new_schema()) or f"sqlite:///{folder / 'journal.sqlite'}"
            figures = crash(seed, journal, folder, kills=args.kills, memos=args.memos, by=by)
            print(figures.line(), flush=True)
            total.update({name: value for name, value in vars(figures).items() if isinstance(value, int | float)})
            shutil.rmtree(folder)
    summary = ", ".join(f"{value:g} {name}" for name, value in total.items() if name != "seed")
    print(f"{args.seeds} seeds: {summary}")


if __name__ == "__main__":
    main()
