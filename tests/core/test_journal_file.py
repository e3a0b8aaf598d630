"""The file of a journal: permissions, failures, and concurrent writers."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from core_samples import AT, a_send
from shared import HANG_S

from linq_nb.errors import JournalError
from linq_nb.journal import Journal
from linq_nb.journal.private_file import is_private
from linq_nb.model import Event

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


@pytest.fixture
def book(file: Path) -> Iterator[Journal]:
    book = Journal(f"sqlite:///{file}")
    yield book
    book.close()


def claim(book: Journal, name: str = "first", **fields: Any) -> str:
    """Claim a send of this name; returns the next step of the caller."""
    send = a_send(**{"send_id": name, "content": name, "status": "preparing", "posted_at": None, **fields})
    return book.claim(send, (), "me")[2]


def event(**fields: Any) -> Event:
    return Event(**{"send_id": "first", "at": AT, "source": "webhook", "status": "sent", **fields})


def run(book: Journal, sql: str) -> None:
    """Run a statement on the connection of a journal, outside its transactions."""
    with closing(book.database.engine.raw_connection()) as connection:
        connection.driver_connection.execute(sql)  # type: ignore[union-attr]


# --- the file ---


def test_the_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder, umask = tmp_path / "new" / "folder", os.umask(0)
    try:
        book = Journal(f"sqlite:///{folder}/j.sqlite")
        claim(book)
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]
        book.close()
    finally:
        os.umask(umask)


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o755])
@pytest.mark.parametrize("is_linked", [False, True], ids=["", "by a link"])
def test_a_file_that_others_could_read_becomes_private_with_the_files_beside_it(
    book: Journal, file: Path, mode: int, is_linked: bool
) -> None:
    claim(book)
    beside = [file.with_name(f"j.sqlite{ending}") for ending in ("", "-wal", "-shm")]
    for path in beside:
        path.chmod(mode)
    assert not is_private(file)
    link = file.with_name("link.sqlite")
    link.symlink_to(file)
    other = Journal(f"sqlite:///{link if is_linked else file}")
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in beside] == [0, 0, 0]
    assert is_private(file)
    assert len(other.sends()) == 1
    other.close()


def test_a_link_to_a_missing_file_creates_the_file(tmp_path: Path) -> None:
    link, file = tmp_path / "link.sqlite", tmp_path / "new" / "j.sqlite"
    link.symlink_to(file)
    Journal(f"sqlite:///{link}").close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_a_file_of_another_user_is_refused_also_by_root(book: Journal, file: Path, ending: str) -> None:
    claim(book)
    theirs = file.with_name(f"j.sqlite{ending}")
    os.chown(theirs, 65534, -1)
    with pytest.raises(JournalError, match=r"belongs to another user .*; nothing was sent; choose another"):
        Journal(f"sqlite:///{file}")
    os.chown(theirs, os.geteuid(), -1)
    Journal(f"sqlite:///{file}").close()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+pysqlite://",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:name?mode=memory&uri=true",
    ],
)
def test_a_journal_in_memory_leaves_no_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    book = Journal(url)
    claim(book)
    assert (book.in_memory, book.label, len(book.sends())) == (True, "memory", 1)
    book.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:///file:{}?uri=true", "sqlite:///file:{}?mode=rwc&uri=true", "sqlite:///{}"])
def test_a_uri_names_the_file_itself(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (f"{tmp_path}/new folder/j.sqlite", "j.sqlite"):
        book = Journal(url.format(name))
        assert (book.in_memory, book.label) == (False, name)
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
        book.close()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["j.sqlite", "j.sqlite", "new folder"]


# --- a journal that fails ---


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{folder}/text",
        "sqlite:///{folder}/directory",
        "sqlite:///{folder}/text/j.sqlite",
        "hello",
        "postgresql://me:hunter2@host:abc/db",
        "nosuchdb://me:hunter2@host/db",
        "postgresql+nodriver://me:hunter2@127.0.0.1:1/db",
    ],
)
def test_a_journal_that_cannot_be_opened_says_so_without_its_password(tmp_path: Path, url: str) -> None:
    (tmp_path / "text").write_bytes(b"this is no database\n" * 100)
    (tmp_path / "directory").mkdir()
    with pytest.raises(JournalError, match=r"nothing was sent; \w+") as caught:
        Journal(url.format(folder=tmp_path))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("recover", [False, True])
@pytest.mark.parametrize("content", [b"root:x:0:0\n", b"no database\n" * 100, b"\0" * 4096, b"S"])
def test_a_file_of_another_kind_is_refused_and_stays_as_it_is(tmp_path: Path, content: bytes, recover: bool) -> None:
    other = tmp_path / "passwd"
    other.write_bytes(content)
    other.chmod(0o644)
    with pytest.raises(JournalError, match=r"is not a journal: it is no SQLite database; nothing was sent; choose"):
        Journal(f"sqlite:///{other}", recover=recover)
    assert (other.read_bytes(), other.stat().st_mode & 0o777) == (content, 0o644)
    assert [file.name for file in tmp_path.iterdir()] == ["passwd"]


@pytest.mark.parametrize(
    ("stop", "go"),
    [
        ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
    ],
    ids=["read only", "full"],
)
def test_a_journal_that_cannot_be_written_says_so_and_works_again_afterwards(book: Journal, stop: str, go: str) -> None:
    handle = "+12025550111"
    claim(book)
    before = book.get("first")
    run(book, stop)
    for write in (
        lambda: book.observe(event(body={"text": "x" * 100_000, "handle": handle})),
        lambda: claim(book, "second", error_message="y" * 100_000, to_handles=(handle,)),
        lambda: book.link(["z" * 100_000, "q"]),
    ):
        with pytest.raises(JournalError, match=r"could not be written.*nothing was sent") as caught:
            write()
        assert "2025550111" not in "".join(traceback.format_exception(caught.value))
    run(book, go)
    assert book.get("first") == before
    assert book.events("first") == []
    assert claim(book, "second") == "send"


@pytest.mark.parametrize("fields", [{"size_bytes": 2**70}, {"send_id": "\ud800"}])
def test_a_value_that_no_database_can_store_is_a_journal_error(book: Journal, fields: Any) -> None:
    with pytest.raises(JournalError, match="could not be written"):
        claim(book, **fields)
    assert claim(book) == "send"


def test_a_closed_journal_says_to_connect_again(book: Journal) -> None:
    book.close()
    for use in (book.sends, lambda: claim(book)):
        with pytest.raises(JournalError, match=r"nothing was sent; connect again"):
            use()


def test_a_commit_that_fails_leaves_the_file_free_for_others(book: Journal, file: Path) -> None:
    run(book, "CREATE TABLE child (name REFERENCES names (name) DEFERRABLE INITIALLY DEFERRED)")
    run(book, "PRAGMA foreign_keys = 1")

    def write() -> None:
        with book.database.write() as db:
            db.exec_driver_sql("INSERT INTO child VALUES ('nobody')")

    with pytest.raises(JournalError, match="FOREIGN KEY"):
        write()
    with closing(sqlite3.connect(file, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")


# --- interrupts ---


class Interrupting(dict[str, Any]):
    """A body at which Ctrl-C comes while it is being written."""

    def items(self) -> Any:
        raise KeyboardInterrupt


def test_an_interrupted_write_is_undone_and_a_journal_in_memory_survives_it() -> None:
    book = Journal("sqlite://")
    claim(book)
    for write in (book.observe, book.note, book.ingest):
        with pytest.raises(KeyboardInterrupt):
            write(event(event_id="e", body={"first": 1}), event(event_id="f", body=Interrupting(a=1)))
    assert [send.send_id for send in book.sends()] == ["first"]
    assert book.events() == []
    assert claim(book, "second") == "send"
    book.close()


def test_an_interrupt_in_a_transaction_leaves_the_file_free_for_others(book: Journal, file: Path) -> None:
    def write() -> None:
        with book.database.write() as db:
            db.exec_driver_sql("INSERT INTO names VALUES ('a', 'b')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    with closing(sqlite3.connect(file, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT * FROM names").fetchall() == []


# --- at the same time ---


def test_two_journals_of_one_file_in_one_process_do_not_block_each_other(book: Journal, file: Path) -> None:
    other, barrier = Journal(f"sqlite:///{file}"), threading.Barrier(8)

    def work(number: int) -> None:
        mine, its = (book, other) if number % 2 else (other, book)
        barrier.wait()
        for copy in range(25):
            name = f"{number} {copy}"
            assert claim(mine, name) == "send"
            assert its.observe(event(send_id=name, status="delivered")) is not None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(book.sends(status="delivered")) == len(other.events()) == 200
    other.close()


def test_a_second_journal_of_one_file_does_not_end_the_locks_of_the_first(book: Journal, file: Path) -> None:
    Journal(f"sqlite:///{file}").close()
    claim(book, "before")
    code = (
        "import sys; from linq_nb.journal import Journal; "
        "book = Journal(sys.argv[1]); print(len(book.sends())); book.close()"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{file}"]
    counted = []
    for name in ("first", "second"):
        counted.append(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip())
        claim(book, name)  # as the last one that has the file open, the process would have deleted the WAL in use
    counted.append(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip())
    assert counted == ["1", "2", "3"]


def test_several_processes_may_open_a_new_journal_at_once(file: Path) -> None:
    code = (
        "import sys; from linq_nb.journal import Journal; "
        "book = Journal(sys.argv[1]); print(book.hash_key().hex()); book.close()"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{file}"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    outputs = [process.communicate(timeout=HANG_S) for process in running]
    assert [process.returncode for process in running] == [0] * 3, outputs
    assert len({out for out, _ in outputs}) == 1
