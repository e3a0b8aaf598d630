"""Batches that are killed, interrupted, or lose their journal's disk: one bubble a chat, and a true journal."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import ROOT, World, crash, world
from shared import HANG_S, quick_first

from linq_nb.journal import Journal

SEEDS = (1, 2, 3)
SIZE = 4096


@pytest.mark.parametrize("seed", quick_first(SEEDS))
def test_a_batch_that_is_killed_again_and_again_sends_each_memo_once(
    seed: int, journal_url: str, tmp_path: Path
) -> None:
    figures = crash(seed, journal_url, tmp_path / "lives", kills=12, memos=60)
    print(figures.line())
    assert figures.kills >= 2
    assert (figures.bubbles, figures.second, figures.missing) == (60, 0, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", SEEDS[:1])
def test_a_batch_that_is_interrupted_again_and_again_sends_each_memo_once(
    seed: int, journal_url: str, tmp_path: Path
) -> None:
    figures = crash(seed, journal_url, tmp_path / "lives", kills=4, memos=60, by=signal.SIGINT)
    print(figures.line())
    assert figures.kills >= 1
    assert (figures.bubbles, figures.second, figures.missing) == (60, 0, 0)


@pytest.fixture
def calm(tmp_path: Path) -> Iterator[World]:
    """A world without faults on the way, its journal a file."""
    with world(7, f"sqlite:///{tmp_path / 'journal.sqlite'}", tmp_path / "lives", 40) as calm:
        yield calm


def ends_well(trial: World) -> None:
    trial.settle()
    figures = trial.end()
    assert (figures.bubbles, figures.second, figures.missing) == (40, 0, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("do", ["send", "one_by_one"])
@pytest.mark.parametrize("die_after", [0.002, 0.03])
def test_an_interrupted_cell_can_be_run_again_in_the_same_kernel(calm: World, do: str, die_after: float) -> None:
    calm.by = signal.SIGINT
    code, _, report = calm.life(do, die_after, die_from="planned", again=True)
    assert code == 0, report
    assert "journal_errors" not in report
    rows = calm.check()
    assert report.get("interrupted") or len(rows) == 40  # on a quick machine it may be done by then
    assert not {send.status for send in rows.values()} & {"sending", "preparing"}
    ends_well(calm)


CLOSING = """
import contextlib, sys, threading, time
from linq_nb import JournalError
from linq_nb.journal import Journal

def work(journal, stop):
    while not stop.is_set():
        with contextlib.suppress(JournalError):
            journal.renew("somebody")
            journal.message_ids("a chat")

for number in range(15):
    journal, stop = Journal(f"sqlite:///{sys.argv[1]}/{number}.sqlite"), threading.Event()
    threads = [threading.Thread(target=work, args=(journal, stop)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        time.sleep(0.001)
        journal.close()
    stop.set()
    for thread in threads:
        thread.join()
    journal.close()
"""


@pytest.mark.thorough
def test_a_journal_that_is_closed_while_threads_use_it_does_not_crash_the_process(tmp_path: Path) -> None:
    """For example, a notebook ends its ``with`` block after an interrupt while a worker is still sending."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    order = [sys.executable, "-X", "faulthandler", "-c", CLOSING, str(tmp_path)]
    done = subprocess.run(order, capture_output=True, text=True, env=environment, timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stderr


# --- a journal that fails under a batch ---


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["full", "limit", "readonly"])
@pytest.mark.parametrize("after", [1, 17])
def test_a_journal_that_stops_taking_writes_never_reports_a_sent_memo_as_not_sent(
    calm: World, how: str, after: int
) -> None:
    code, _, report = calm.life(**{"break": [how, after]})
    assert code == 0, report
    rows, bubbles = calm.check(), calm.demo.bubbles()
    assert len(bubbles) < 40
    assert report["statuses"]["not_sent"]
    assert any("the journal" in words for words in report["words"]), report
    for chat in bubbles:  # a sent memo is never reported as not sent, even if its answer was not written
        assert calm.reported[chat] in ("queued", "unknown"), (chat, calm.reported[chat], rows[chat])
    ends_well(calm)


@pytest.mark.parametrize("how", quick_first(["full", "limit", "readonly"]))
def test_a_batch_stops_soon_when_its_journal_fails(calm: World, how: str) -> None:
    code, _, report = calm.life(**{"break": [how, 17]}, stop_after=5)
    assert code == 0, report
    assert any("failures in a row" in words for words in report["words"]), report
    ends_well(calm)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    tool = shutil.which("mount")
    order = [str(tool), "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    may = tool is not None and os.geteuid() == 0
    if not may or subprocess.run(order, capture_output=True, check=False).returncode:
        pytest.skip("only root, and not in every container, may mount a disk of its own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.thorough
def test_a_batch_on_a_full_disk_resumes_once_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    with world(8, f"sqlite:///{small_disk / 'journal.sqlite'}", tmp_path / "lives", 40) as trial:
        filler = small_disk / "filler"
        trial.life(die_from="planned", die_after=0.004)
        room = os.statvfs(small_disk)
        filler.write_bytes(b"\0" * (room.f_bavail * room.f_bsize - 3 * SIZE))
        trial.later()
        code, _, report = trial.life()
        assert code in (0, 3, 4), report
        assert "the journal" in str(report)
        trial.check()
        assert len(trial.demo.bubbles()) < 40
        filler.unlink()
        ends_well(trial)


# --- a damaged journal file ---


def header(data: bytearray) -> None:
    data[:100] = random.Random(1).randbytes(100)


def middle(data: bytearray) -> None:
    data[SIZE:] = random.Random(2).randbytes(len(data) - SIZE)


def first_page(data: bytearray) -> None:
    data[100:SIZE] = random.Random(3).randbytes(SIZE - 100)


def cut(data: bytearray) -> None:
    del data[2 * SIZE :]


def another(data: bytearray) -> None:
    data[:] = b"chat,audio\n" * 500


DAMAGES = (header, middle, first_page, cut, another)


@pytest.mark.parametrize("damage", quick_first(DAMAGES), ids=lambda damage: damage.__name__)
def test_a_damaged_journal_sends_nothing_and_is_kept(
    calm: World, damage: Callable[[bytearray], None], tmp_path: Path
) -> None:
    calm.life(die_from="planned", die_after=0.05)
    calm.later()
    calm.check()
    file = tmp_path / "journal.sqlite"
    whole = rested(file)
    data = bytearray(whole)
    damage(data)
    file.write_bytes(data)
    before = calm.demo.bubbles()
    code, _, report = calm.life()
    assert code == 3, report
    assert str(file) in report["journal_error"]
    assert "nothing was sent" in report["journal_error"]
    assert calm.demo.bubbles() == before
    assert digest(file.read_bytes()) == digest(bytes(data))
    file.write_bytes(whole)
    ends_well(calm)


def rested(file: Path) -> bytes:
    """Return the journal's bytes after its WAL was written into it."""
    Journal(f"sqlite:///{file}").close()
    assert not Path(f"{file}-wal").exists()
    return file.read_bytes()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
