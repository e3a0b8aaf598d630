"""A journal's file on its disk: it must be the opened file, its WAL must exist, and neither grows without end."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from core_samples import AT, a_send, memo
from shared import HANG_S, quick_first

from linq_nb import JournalError, Outbox, OutcomeUnknown
from linq_nb.demo import Demo
from linq_nb.journal import Journal, LeaseKeeper
from linq_nb.journal.sqlite_file import WAL_BYTES
from linq_nb.model import Event

ROOT = Path(__file__).parents[2]
OLD_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "wal_autocheckpoint=4000")
"""As the versions before the mark opened a journal."""

CHILD = """
import os, sys
sys.path.insert(0, "tests/core")
from core_samples import a_send
from linq_nb.journal import Journal, LeaseKeeper
book = Journal("sqlite:///" + sys.argv[1])
def claim(name):
    return book.claim(a_send(send_id=name, content=name, status="preparing"), (), "me")[2]
def say(word):
    print(word, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


def opened(file: Path) -> Journal:
    return Journal(f"sqlite:///{file}")


def claim(book: Journal, name: str) -> str:
    return book.claim(a_send(send_id=name, content=name, status="preparing"), (), "me")[2]


def names(file: Path) -> list[str]:
    """Open the journal and return the names of its sends."""
    book = opened(file)
    try:
        return [send.send_id for send in book.sends()]
    finally:
        book.close()


def start(file: Path, code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD + code, str(file)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )


def run(file: Path, code: str) -> str:
    """Run code in another process until it ends or is killed; returns its output."""
    return start(file, code).communicate(timeout=HANG_S)[0]


KILL = 'claim("first"); say("claimed"); os.kill(os.getpid(), 9)'


def wal_of(file: Path) -> Path:
    return Path(f"{file}-wal")


# --- the WAL is lost ---


def delete(file: Path, other: Path) -> None:
    wal_of(file).unlink()


def empty(file: Path, other: Path) -> None:
    os.truncate(wal_of(file), 0)


def damage(file: Path, other: Path) -> None:
    wal_of(file).write_bytes(b"\0" * 8192)


def exchange(file: Path, other: Path) -> None:
    shutil.copy(wal_of(other), wal_of(file))


def copy_alone(file: Path, other: Path) -> None:
    shutil.copy(file, other)
    for part in (file, wal_of(file), Path(f"{file}-shm")):
        part.unlink(missing_ok=True)
    shutil.copy(other, file)


@pytest.mark.parametrize("lose", quick_first([delete, empty, damage, exchange, copy_alone]))
def test_a_journal_without_its_last_writes_is_refused_and_opens_with_recover(
    file: Path, tmp_path: Path, lose: Callable[[Path, Path], None]
) -> None:
    other = tmp_path / "other.sqlite"
    for journal_file in (file, other):
        assert run(journal_file, KILL) == "claimed\n"
    lose(file, other)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalError, match=r"nothing was sent; .*recover=True"):
            opened(file)
    assert file.read_bytes() == before
    Journal(f"sqlite:///{file}", recover=True).close()
    assert names(file) == []  # from then on it opens as usual


def test_restoring_the_wal_restores_every_row(file: Path) -> None:
    run(file, KILL)
    aside = wal_of(file).rename(f"{file}-aside")
    with pytest.raises(JournalError, match="put it back"):
        opened(file)
    aside.rename(wal_of(file))
    assert names(file) == ["first"]


@pytest.mark.parametrize(
    "end",
    [
        "book.close()",
        "sys.exit()",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_a_process_that_ends_in_any_way_leaves_a_journal_that_opens(file: Path, end: str) -> None:
    run(file, f"claim('first')\n{end}")
    assert wal_of(file).exists() == ("kill" in end)
    assert names(file) == ["first"]


class Interrupted:
    """A driver in which Ctrl-C comes right before or after a statement, once."""

    def __init__(self, driver: Any, statement: str, when: str) -> None:
        self._driver, self._left, self._when = driver, [statement], when

    def execute(self, sql: str) -> Any:
        if sql not in self._left:
            return self._driver.execute(sql)
        self._left.remove(sql)
        if self._when == "after":
            self._driver.execute(sql).fetchall()
        raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("statement", ["user_version = 1", "wal_checkpoint(FULL)", "user_version = 0"])
def test_an_interrupt_at_any_moment_of_a_checkpoint_leaves_a_journal_that_opens(
    file: Path, statement: str, when: str
) -> None:
    book = opened(file)
    claim(book, "first")
    with book.database.read() as db:
        driver = db.connection.driver_connection
    watched = book.database._file
    assert watched is not None
    with pytest.raises(KeyboardInterrupt):
        watched._checkpoint(Interrupted(driver, f"PRAGMA {statement}", when), 0)
    watched._has_written = False  # as while the journal is opened, where nothing was written yet
    book.close()
    assert names(file) == ["first"]


def old_version(file: Path) -> sqlite3.Connection:
    old = sqlite3.connect(file, isolation_level=None)
    for pragma in OLD_PRAGMAS:
        old.execute(f"PRAGMA {pragma}")
    old.execute("INSERT OR REPLACE INTO meta VALUES ('by', 'an older version')")
    return old


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_older_version_that_closes_the_journal_last_leaves_one_that_opens(file: Path, is_killed: bool) -> None:
    opened(file).close()
    process = start(file, 'claim("first"); say(1); sys.stdin.readline(); claim("second"); book.close(); say(2)')
    assert process.stdout is not None
    process.stdout.readline()
    with closing(old_version(file)) as old:
        if is_killed:
            process.kill()
        process.communicate("go on\n", timeout=HANG_S)
        old.execute("INSERT OR REPLACE INTO meta VALUES ('by', 'the last')")
    assert not wal_of(file).exists()
    assert names(file) == (["first"] if is_killed else ["first", "second"])


def test_two_journals_of_one_file_close_in_any_order_and_are_marked_as_long_as_there_are_writes(file: Path) -> None:
    for order in ((0, 1), (1, 0)):
        books = [opened(file), opened(file)]
        for book in books:
            claim(book, f"{order} {books.index(book)}")
        books[order[0]].close()
        claim(books[order[1]], f"{order} alone")
        assert file.read_bytes()[60:64] == b"\0\0\0\1"
        books[order[1]].close()
        assert file.read_bytes()[60:64] == bytes(4)
        assert not wal_of(file).exists()
    assert len(names(file)) == 6


def test_a_collected_journal_is_closed_by_sqlite_with_nothing_lost(file: Path) -> None:
    book = opened(file)
    claim(book, "first")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # newer Pythons warn of a database that is not closed
        del book
        while gc.collect():  # a part of SQLAlchemy outlives the first time
            pass
    assert names(file) == ["first"]


def test_a_kill_at_any_moment_of_opening_writing_and_closing_loses_nothing(file: Path) -> None:
    chance, claimed = random.Random(7), []
    again = (
        'while True:\n book = Journal("sqlite:///" + sys.argv[1])\n number += 1\n claim(f"{sys.argv[0]} {number}")\n'
    )
    again += " say(number)\n book.close()\n"
    for round_ in range(4):
        process = start(file, f'sys.argv[0] = "{round_}"\nnumber = 0\n{again}')
        assert process.stdout is not None
        for _ in range(chance.randint(2, 6)):
            claimed.append(f"{round_} {process.stdout.readline().strip()}")
        for _ in range(chance.randint(0, 20_000)):  # to be somewhere in its next round
            pass
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate(timeout=HANG_S)[0].split()
        claimed += [f"{round_} {number}" for number in rest]
        assert set(claimed) <= set(names(file))


# --- the file or its WAL is lost while it is open ---


def delete_file(file: Path) -> None:
    file.unlink()


def move_file(file: Path) -> None:
    file.rename(file.with_name("moved.sqlite"))


def replace_file(file: Path) -> None:
    opened(file.with_name("new.sqlite")).close()
    os.replace(file.with_name("new.sqlite"), file)


def move_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def delete_wal(file: Path) -> None:
    wal_of(file).unlink()


def replace_wal(file: Path) -> None:
    shutil.copy(wal_of(file), file.with_name("copy"))
    os.replace(file.with_name("copy"), wal_of(file))


def delete_shm(file: Path) -> None:
    Path(f"{file}-shm").unlink()


LOSSES = [delete_file, move_file, replace_file, move_folder, delete_wal, replace_wal, delete_shm]


@pytest.mark.parametrize("lose", LOSSES)
def test_an_open_outbox_sends_nothing_once_its_file_was_replaced(
    connect: Callable[..., Outbox], demo: Demo, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    file = tmp_path / "folder" / "journal.sqlite"
    outbox, chat = connect(journal=str(file)), demo.chat_ids["Ada Lovelace"]
    outbox.send(memo(), chat)
    lose(file)
    for copy in (2, 3, 1):
        with pytest.raises(JournalError, match=r"deleted, moved or replaced.*nothing was sent; .*connect again"):
            outbox.send(memo(), chat, copy=copy)
    with pytest.raises(JournalError, match="deleted, moved or replaced"):
        outbox.sends()
    assert demo.bubbles(chat) == 1


def test_a_file_that_is_put_back_is_whole_and_used_after_connecting_again(file: Path) -> None:
    book, moved = opened(file), file.with_name("moved")
    claim(book, "first")
    file.rename(moved)
    with pytest.raises(JournalError, match="put it back, then connect again"):
        claim(book, "second")
    moved.rename(file)
    with pytest.raises(JournalError, match="put it back, then connect again"):
        claim(book, "second")
    again = opened(file)
    assert [send.send_id for send in again.sends()] == ["first"]
    assert claim(again, "second") == "send"
    book.close()
    again.close()
    assert names(file) == ["first", "second"]


@pytest.mark.parametrize("lose", LOSSES[:1] + LOSSES[4:5])
def test_losing_the_file_between_claim_and_post_stops_the_memo(
    connect: Callable[..., Outbox], demo: Demo, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    file = tmp_path / "journal.sqlite"
    inner, chat = demo.transport(), demo.chat_ids["Ada Lovelace"]

    class Losing(httpx.BaseTransport):
        """Loses the file when the bytes were uploaded."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = inner.handle_request(request)
            if request.method == "PUT":
                lose(file)
            return response

    outbox = connect(transport=Losing(), journal=str(file))
    with pytest.raises(JournalError, match="nothing was sent"):
        outbox.send(memo(), chat)
    assert demo.bubbles(chat) == 0


@pytest.mark.parametrize("recover", [False, True])
def test_connecting_again_while_the_old_journal_is_open_saves_the_rows_of_a_deleted_wal(
    file: Path, recover: bool
) -> None:
    book = opened(file)
    claim(book, "first")
    wal_of(file).unlink()
    again = Journal(f"sqlite:///{file}", recover=recover)
    assert [send.send_id for send in again.sends()] == ["first"]
    assert claim(again, "second") == "send"
    with pytest.raises(JournalError, match="the WAL of the journal"):
        claim(book, "third")
    again.close()
    assert names(file) == ["first", "second"]


def test_a_journal_is_recovered_although_another_process_has_the_deleted_wal_open(file: Path) -> None:
    other = start(file, 'claim("first"); say(1); sys.stdin.readline(); say(claim("third"))')
    assert other.stdout is not None
    other.stdout.readline()
    wal_of(file).unlink()
    with pytest.raises(JournalError, match="recover=True"):
        opened(file)
    book = Journal(f"sqlite:///{file}", recover=True)
    assert claim(book, "second") == "send"
    assert other.communicate("go on\n", timeout=HANG_S)[0] == ""
    assert other.returncode == 1
    assert claim(book, "last") == "send"
    book.close()
    assert names(file) == ["second", "last"]


def test_nothing_is_lost_with_a_wal_deleted_while_open_since_sqlite_saves_its_rows(file: Path) -> None:
    book = opened(file)
    claim(book, "first")
    wal_of(file).unlink()
    with pytest.raises(JournalError, match="the WAL of the journal"):
        claim(book, "second")
    assert names(file) == ["first"]
    book.close()


def test_a_new_journal_in_the_place_of_one_that_is_open_keeps_its_wal(file: Path) -> None:
    book = opened(file)
    claim(book, "old")
    for part in (file, wal_of(file), Path(f"{file}-shm")):
        part.unlink()
    new = opened(file)
    claim(new, "new")
    with pytest.raises(JournalError, match="the file of the journal"):
        claim(book, "more")
    book.close()
    assert claim(new, "second") == "send"
    new.close()
    assert names(file) == ["new", "second"]


def test_a_relative_path_and_a_link_mean_the_same_file_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.sqlite").symlink_to("j.sqlite")
    for name in ("j.sqlite", "link.sqlite"):
        monkeypatch.chdir(tmp_path)
        book = Journal(f"sqlite:///{name}")
        monkeypatch.chdir("/")
        assert claim(book, name) == "send"
        book.close()
    assert names(tmp_path / "j.sqlite") == ["j.sqlite", "link.sqlite"]


def test_sends_also_work_on_a_disk_that_cannot_have_a_wal(file: Path) -> None:
    url = f"sqlite:///file:{file}?vfs=unix-dotfile&uri=true"
    for name in ("first", "second"):
        book = Journal(url)
        assert claim(book, name) == "send"
        book.shorten_wal()
        book.close()
    book = Journal(url)
    assert [send.send_id for send in book.sends()] == ["first", "second"]
    assert not wal_of(file).exists()
    file.unlink()
    with pytest.raises(JournalError, match="deleted, moved or replaced"):
        claim(book, "third")
    book.close()


# --- its size ---


def test_the_wal_stays_short_and_most_of_it_is_in_the_main_file(file: Path) -> None:
    book = opened(file)
    longest = 0
    for number in range(300):
        claim(book, f"{number} {'x' * 8000}")
        longest = max(longest, wal_of(file).stat().st_size)
    assert longest < WAL_BYTES * 1.3
    assert file.stat().st_size > WAL_BYTES
    assert file.read_bytes()[60:64] == b"\0\0\0\1"
    book.close()


def test_a_program_that_reads_the_journal_for_long_does_not_stop_sends(file: Path) -> None:
    book = opened(file)
    claim(book, "first")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sends").fetchall()
        for number in range(200):
            assert claim(book, f"{number} {'x' * 8000}") == "send"
        assert wal_of(file).stat().st_size > WAL_BYTES
    claim(book, "last")
    assert wal_of(file).stat().st_size <= WAL_BYTES
    book.close()


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, or of the size that the test names."""
    folder, size = tmp_path / "small", getattr(request, "param", "3m")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk of {size} can be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(filler: Path) -> None:
    """Write until the disk is full."""
    with filler.open("wb", buffering=0) as full, contextlib.suppress(OSError):
        while full.write(bytes(4096)):
            pass


def test_a_small_disk_takes_many_sends_and_a_full_one_works_again_once_there_is_space(small_disk: Path) -> None:
    file, filler = small_disk / "j.sqlite", small_disk / "filler"
    book = opened(file)
    assert [claim(book, f"{number} {'x' * 500}") for number in range(400)] == ["send"] * 400
    fill(filler)
    with pytest.raises(JournalError, match=r"could not be written.*full.*nothing was sent"):
        claim(book, f"more {'x' * 2_000_000}")
    assert len(book.sends()) >= 400
    filler.unlink()
    assert claim(book, "last") == "send"
    book.close()
    assert names(file)[-1] == "last"


@pytest.mark.parametrize("small_disk", ["500k", "1m"], indirect=True)
def test_the_wal_does_not_take_the_last_space_of_a_disk(small_disk: Path) -> None:
    file = small_disk / "j.sqlite"
    book = opened(file)
    for number in range(100):  # several times what the disk holds
        assert claim(book, f"{number}") == "send"
        book.note(*(Event(send_id=f"{number}", at=AT, source="poll") for _ in range(3)))
    book.close()
    assert len(names(file)) == 100


def test_a_journal_that_is_closed_on_a_full_disk_keeps_everything(small_disk: Path) -> None:
    file, filler = small_disk / "j.sqlite", small_disk / "filler"
    book = opened(file)
    assert [claim(book, f"{number} {'x' * 500}") for number in range(30)] == ["send"] * 30
    fill(filler)
    book.close()
    filler.unlink()
    assert len(names(file)) == 30


def test_a_disk_that_fills_up_stops_the_sends_with_true_statuses(
    connect: Callable[..., Outbox], demo: Demo, small_disk: Path
) -> None:
    inner, chat, filler = demo.transport(), demo.chat_ids["Ada Lovelace"], small_disk / "filler"

    class Filling(httpx.BaseTransport):
        """Fills the disk when the memo has arrived."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = inner.handle_request(request)
            if request.url.path.endswith("/voicememo"):
                fill(filler)
            return response

    outbox = connect(transport=Filling(), journal=str(small_disk / "j.sqlite"))
    sent: list[int] = []

    def send_until_it_fails() -> None:
        for copy in range(1, 1000):
            outbox.send(memo(), chat, copy=copy)
            sent.append(copy)

    with pytest.raises((OutcomeUnknown, JournalError), match="full") as caught:
        send_until_it_fails()
    assert sent  # the WAL has some space of its own
    is_there = isinstance(caught.value, OutcomeUnknown)
    assert ("accepted as message" if is_there else "nothing was sent") in str(caught.value)
    assert demo.bubbles(chat) == len(sent) + is_there
    filler.unlink()
    assert len(outbox.sends(status="queued")) == len(sent)


def test_a_journal_that_is_idle_has_everything_in_its_main_file(file: Path) -> None:
    book, idle = opened(file), threading.Event()

    def shorten() -> None:
        book.shorten_wal()
        idle.set()

    keeper = LeaseKeeper(lambda send_ids: book.renew("me", send_ids), every_s=0.001, idle=shorten)
    with keeper.holding("first"):
        claim(book, "first")
    assert idle.wait(HANG_S)
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as main_file_alone:
        assert main_file_alone.execute("SELECT send_id FROM sends").fetchall() == [("first",)]
    keeper.stop()
    assert claim(book, "second") == "send"
    book.close()
