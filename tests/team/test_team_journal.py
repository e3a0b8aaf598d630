"""A journal on a server: writers at the same time, text that PostgreSQL cannot store, errors, restarts."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import random
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import PASSWORD, Server
from shared import HANG_S, wait_for
from team_samples import AT, CHAT_ID, SHA, URL, admin, at_status, claimed, event, wanted

from linq_nb import Event, JournalError, Send
from linq_nb.journal import ChatMessage, Journal
from linq_nb.journal.engine import POOL
from linq_nb.rules import is_unconfirmed

pytestmark = pytest.mark.thorough

Books = Callable[..., Journal]
ROOT = Path(__file__).parents[2]


def test_sql_selects_the_same_overdue_sends_as_python(book: Journal) -> None:
    statuses = ("queued", "sent", "read", "failed", "teleported")
    kinds = itertools.product(statuses, (None, "SMS", "RCS"), (None, True), (0, 2))
    sends = [
        Send(send_id=f"s{n}", base_url="b", content=str(n), chat_id="c", status=status, service=service,
             is_group=is_group, created_at=AT - timedelta(hours=hours))
        for n, (status, service, is_group, hours) in enumerate(kinds)
    ]  # fmt: skip
    book.import_sends(sends, [])
    hour = timedelta(hours=1)
    chosen = [send.send_id for send in sends if send.status == "failed" or is_unconfirmed(send, AT, hour)]
    assert [send.send_id for send in book.sends(status=["failed"], open_since=AT - hour)] == chosen
    assert len(sends) > len(chosen) > len(book.sends(status="failed"))


# --- at the same time ---


def test_64_threads_and_two_connections_make_one_claim(books: Books) -> None:
    both, barrier = (books(), books()), threading.Barrier(64)

    def take(n: int) -> bool:
        barrier.wait()
        return both[n % 2].claim(wanted(), (), f"owner {n}")[1] is not None

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(take, range(64))) == 1


@contextlib.contextmanager
def holding(url: str, statement: str, *values: object) -> Iterator[Any]:
    """Run a statement in a transaction of another program, which stays open until the block commits or ends."""
    import psycopg

    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain) as holder:
        holder.execute(statement, values)  # type: ignore[call-overload]
        yield holder
        holder.rollback()


def waiting(server: Server, kind: str) -> Callable[[], Any]:
    """Ask whether some transaction waits for a lock of this kind."""
    return lambda: admin(server, f"SELECT 1 FROM pg_locks WHERE locktype = '{kind}' AND NOT granted")


def test_a_name_that_is_linked_during_a_claim_makes_no_second_claim(books: Books, server: Server, url: str) -> None:
    """One notebook claims the URL while another learns that it is the file, and claims the file."""
    first_book, other = books(), books()
    same_row = "INSERT INTO sends (send_id, base_url, chat_id, content, copy) VALUES (%s, %s, %s, %s, 1)"
    send = wanted(URL)
    with ThreadPoolExecutor(2) as pool:
        with holding(url, same_row, send.send_id, send.base_url, send.chat_id, URL):
            first = pool.submit(first_book.claim, send, (URL,), "first")
            wait_for(waiting(server, "transactionid"))  # its claim has read the names, and is about to insert the row
            other.link((SHA, URL))
            second = pool.submit(other.claim, wanted(SHA), (SHA, URL), "other")
            wait_for(waiting(server, "advisory"))
        assert (first.result()[2], second.result()[2]) == ("send", "wait")


def test_a_send_that_is_resolved_during_a_claim_is_not_sent_again(books: Books, server: Server, url: str) -> None:
    """A webhook brings ``delivered`` for a row that stood at ``not_sent`` when the claim read it."""
    book = books()
    at_status(book, "not_sent")
    with ThreadPoolExecutor(1) as pool:
        with holding(url, "UPDATE sends SET status = 'delivered', message_id = 'm1'") as holder:
            claim = pool.submit(book.claim, wanted(), (SHA, URL), "me")  # of two names: it reads before it writes
            wait_for(waiting(server, "transactionid"))  # it has read the row, and is about to take it over
            holder.commit()
        assert claim.result()[2] == "wait"
    assert book.claim(wanted(), (), "me")[2] == "report"


def test_names_linked_by_many_at_once_become_one_group(books: Books) -> None:
    both, barrier = (books(), books()), threading.Barrier(16)

    def link(n: int) -> None:
        barrier.wait()
        both[n % 2].link((f"name {n}", f"name {n + 1}"))
        both[n % 2].keep_attachment("account", "ab" * 32, f"a{n}", AT)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(link, range(16)))
    at_status(both[0], "queued", wanted("name 0"))
    assert {both[1].claim(wanted(f"name {n}"), (f"name {n}",), "x")[2] for n in range(17)} == {"report"}
    assert str(both[0].attachment("account", "ab" * 32)).startswith("a")


def test_writers_of_the_same_rows_in_any_order_never_deadlock(books: Books) -> None:
    both = (books(), books())
    rows = [at_status(both[0], "queued", wanted(copy=n)).send_id for n in range(1, 9)]
    for n in range(9, 17):
        claimed(both[0], "me", wanted(copy=n))

    def write(n: int) -> None:
        book, chance = both[n % 2], random.Random(n)
        for _ in range(10):
            events = [event("delivered", send_id=row) for row in chance.sample(rows, 8)]
            act = chance.randrange(4)
            if act == 0:
                book.renew("me")
            elif act == 1:
                book.forget(CHAT_ID)
            else:
                book.observe(*events)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(write, range(12)))
    assert {send.status for send in both[0].sends()} == {"delivered", "preparing"}


def test_64_workers_share_a_small_connection_pool(books: Books, server: Server) -> None:
    book, barrier, most = books(), threading.Barrier(64), []

    def work(n: int) -> None:
        barrier.wait()
        for copy in range(1, 4):
            at_status(book, "queued", wanted(f"sha256:{n}", copy))
        if n == 0:
            connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'linq_nb'"
            most.append(admin(server, connections)[0][0])

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(work, range(64)))
    assert len(book.sends(status="queued")) == 192
    assert 1 < most[0] <= POOL


def test_processes_that_open_a_new_journal_at_once_share_one_key(url: str) -> None:
    code = "import sys; from linq_nb.journal import Journal; print(Journal(sys.argv[1]).hash_key().hex())"
    command = [sys.executable, "-c", code, url]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=HANG_S) for process in running]
    assert [process.returncode for process in running] == [0] * 3, outputs
    assert len({out for out, _ in outputs}) == 1


def test_threads_that_open_a_new_journal_at_once_share_one_key(books: Books) -> None:
    barrier = threading.Barrier(12)

    def key(_: int) -> bytes:
        barrier.wait()
        return books().hash_key()

    with ThreadPoolExecutor(12) as pool:
        assert len(set(pool.map(key, range(12)))) == 1


# --- older journals ---


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_older_version_opens_with_all_its_rows(server: Server, database: str, version: int) -> None:
    """The files of the SQLite tests, with PostgreSQL's words for a number that counts up and for False."""
    file = ROOT / "tests" / "core" / "journals" / f"version_{version}.sql"
    sql = file.read_text("utf-8").replace("_no INTEGER NOT NULL", "_no SERIAL NOT NULL").replace("',0,'", "',FALSE,'")
    numbers = [f"SELECT setval('{table}_{table[:-1]}_no_seq', 9)" for table in ("sends", "events")]
    admin(server, sql, *numbers, database=database)
    for _ in range(2):  # the second time it is migrated already
        book = Journal(server.url(database))
        send = book.sends()[0]
        assert (send.send_id, book.hash_key().hex()) == (wanted().send_id, "5a" * 32)
        assert book.claim(wanted(), (), "me")[2] == "report"
        book.ingest(event("delivered", send_id="", event_id="e", message_id=send.message_id))
        assert [event.source for event in book.events(send.send_id)] == ["post", "webhook"]
        book.close()


# --- text ---

WORDS = [
    "100 % of %(send_id)s %s",
    "é 中 🎤 \u202e",
    "NUL \0 inside",
    "'; DROP TABLE sends; --",
    "\\x00",
    "x" * 100_000,
]


@pytest.mark.parametrize("words", WORDS, ids=range(len(WORDS)))
def test_any_text_is_stored(book: Journal, words: str) -> None:
    """PostgreSQL cannot store a NUL: that character is replaced, and the record is stored."""
    stored = words.replace("\0", "\ufffd")
    claim = claimed(book, send=wanted(chat_name=words, filename=words))
    body = {"text": words, "more": [words]}
    observed = event("queued", error_message=words, trace_id=words, body=body)
    assert book.advance(claim, dataclasses.replace(claim.send, status="queued", error_message=words), observed)
    book.observe(event(words, service=words, body=body))
    book.note(event(None, error_message=words))
    send = book.get(wanted().send_id)
    assert send is not None
    assert (send.chat_name, send.filename, send.error_message) == (stored, stored, stored)
    assert send == book.find(wanted(), (SHA,))
    events = book.events(send.send_id)
    assert (events[0].trace_id, events[1].service, events[2].error_message) == (stored, stored, stored)
    assert events[0].body == events[1].body == body


def test_a_large_answer_with_a_lone_surrogate_is_stored_without_it(book: Journal) -> None:
    body = {"text": "é" * 1_000_000, "half": "\ud83d", "\ud83d": 1}
    stored = {"text": "é" * 1_000_000, "half": "\ufffd", "\ufffd": 1}
    claim = claimed(book)
    assert book.advance(claim, dataclasses.replace(claim.send, status="queued"), event("queued", body=body))
    book.note(event(None, body=body))
    assert [event.body for event in book.events(claim.send.send_id)] == [stored, stored]


def test_a_key_that_the_server_cannot_keep_is_refused(book: Journal) -> None:
    with pytest.raises(JournalError, match="nothing was sent"):
        book.claim(wanted("url:https://x.example/\0"), (), "me")


@pytest.mark.parametrize("setting", ["serializable", "repeatable read"])
def test_a_server_with_another_isolation_by_default_is_the_same_to_us(
    server: Server, database: str, setting: str
) -> None:
    admin(server, f"ALTER DATABASE {database} SET default_transaction_isolation = '{setting}'")
    books = [Journal(server.url(database)) for _ in range(2)]
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda n: books[n % 2].claim(wanted(copy=n // 4 + 1), (), str(n))[1], range(64)))
        list(pool.map(lambda n: books[n % 2].observe(event("queued")), range(32)))
    assert sum(claim is not None for claim in claims) == 16
    for book in books:
        book.close()


# --- errors ---


def refused(url: str) -> str:
    with pytest.raises(JournalError) as caught:
        Journal(url)
    words = str(caught.value)
    assert "\n" not in words
    assert "nothing was sent" in words
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return words


@pytest.mark.parametrize(
    ("change", "helps"),
    [
        ((PASSWORD, PASSWORD + "x"), "correct the user or the password"),
        (("linq:", "nobody:"), "correct the user or the password"),
        (("/postgres", "/not_there"), "have the database made"),
    ],
)
def test_the_error_for_a_url_that_the_server_refuses_says_what_to_do(
    server: Server, change: tuple[str, str], helps: str
) -> None:
    assert helps in refused(server.url().replace(*change))


def test_the_errors_for_a_missing_server_and_an_unknown_host_say_what_to_do(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = server.url().replace(f":{server.port}/", ":1/")
    assert "start the server" in refused(closed)
    assert "correct the host in its URL" in refused(closed.replace("127.0.0.1", "no..host"))

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "correct the host in its URL" in refused(closed.replace("127.0.0.1", "nobody.example"))


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+psycopg"])
def test_without_the_driver_the_error_says_what_to_install(
    server: Server, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert 'pip install "linq_nb[team]"' in refused(server.url(driver=driver))


@pytest.mark.parametrize("driver", ["postgresql", "postgres"])
def test_a_url_need_not_name_the_driver(server: Server, database: str, driver: str) -> None:
    book = Journal(server.url(database, driver=driver))
    assert book.sends() == []
    book.close()


@pytest.mark.parametrize("driver", ["mysql", "postgresql+psycopg2", "postgresql+asyncpg", "sqlite+aiosqlite"])
def test_another_database_or_driver_is_refused(server: Server, driver: str) -> None:
    assert "another database" in refused(server.url(driver=driver))


def test_the_password_is_never_shown(server: Server, url: str) -> None:
    hidden = url.replace(f":{PASSWORD}@", "@") + f"&password={PASSWORD}"
    for address in (url, hidden):
        book = Journal(address)
        claimed(book, send=wanted(copy=3 if address is url else 4))
        assert PASSWORD not in f"{book!r} {book.label} {book.url!r} {book.url}".replace(str(book.url), "")
        assert book.label == repr(book)[9:-2]
        book.close()
    assert PASSWORD not in refused(hidden.replace("linq@", "nobody@"))


def test_a_database_that_cannot_keep_every_name_is_refused(server: Server) -> None:
    admin(server, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    assert "ENCODING 'UTF8'" in refused(server.url("latin"))


def test_a_user_without_the_right_to_write_gets_an_error_before_anything_is_sent(server: Server, database: str) -> None:
    Journal(server.url(database)).close()
    admin(server, "DROP ROLE IF EXISTS reader", f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    admin(server, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database=database)
    book = Journal(server.url(database).replace("linq:", "reader:"))
    with pytest.raises(JournalError, match=r"permission denied.*nothing was sent; have the right granted"):
        book.claim(wanted(), (), "me")
    book.close()


# --- restarts ---


def test_connections_that_broke_with_the_server_are_not_used_again(book: Journal, server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: at_status(book, "queued", wanted(copy=n)), range(1, 33)))
    server.crash()
    server.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: at_status(book, "queued", wanted(copy=n)), range(33, 65)))
    assert len(book.sends()) == 64


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_transaction_whose_server_dies_leaves_nothing_half_written(
    book: Journal, server: Server, capfd: pytest.CaptureFixture[str], error: type[BaseException] | None
) -> None:
    def write() -> None:
        with book.database.write() as db:
            db.exec_driver_sql("INSERT INTO names VALUES ('a', 'b')")
            server.crash()
            if error:
                raise error
            db.exec_driver_sql("SELECT 1")

    with pytest.raises(error or JournalError):
        write()
    for use in (lambda: book.claim(wanted(), (), "me"), lambda: book.observe(event("sent")), book.sends, book.hash_key):
        with pytest.raises(JournalError, match="nothing was sent; start the server"):
            use()
    server.start()
    assert book.find(wanted("a"), ("a",)) is None
    claimed(book)
    assert admin(server, "SELECT 1")
    assert "Traceback" not in capfd.readouterr().err


def test_a_failed_write_leaves_nothing_behind(book: Journal) -> None:
    claim = claimed(book)
    bad = Event(send_id=claim.send.send_id, at=AT, source="post", http_status=2**80)
    with pytest.raises(JournalError):
        book.advance(claim, dataclasses.replace(claim.send, status="sending"), bad)
    assert book.get(claim.send.send_id) == claim.send
    assert book.advance(claim, dataclasses.replace(claim.send, status="sending"))


def test_a_lock_that_is_never_released_is_an_error_in_the_end(book: Journal, url: str) -> None:
    send: Send = claimed(book).send
    with book.database.read() as db:
        db.exec_driver_sql("SET lock_timeout = '50ms'")  # of the pool's only connection so far
    with (
        holding(url, "SELECT 1 FROM sends FOR UPDATE"),
        pytest.raises(JournalError, match=r"lock timeout.*nothing was"),
    ):
        book.observe(event("delivered"))
    assert book.get(send.send_id) == send


# --- on the server's disk ---


@pytest.mark.parametrize("default", ["off", "on", "remote_apply"])
def test_a_commit_is_on_the_disk_whatever_the_server_s_default_is(url: str, default: str) -> None:
    book = Journal(f"{url}%20-csynchronous_commit%3D{default}")
    with book.database.write() as db:
        assert db.exec_driver_sql("SHOW synchronous_commit").scalar() == ("on" if default == "off" else default)
    with book.database.read() as db:
        assert db.exec_driver_sql("SHOW synchronous_commit").scalar() == default
    book.close()


def test_a_recovered_journal_keeps_the_messages_of_its_chats(books: Books) -> None:
    books().close()
    book, message = books(recover=True), ChatMessage("m", "sent", "iMessage", None, "a.wav", 7)
    assert (book.recovery, books().recovery) == (book.recovery, book.recovery)
    assert book.chat_messages(URL, CHAT_ID) is None
    book.keep_chat_messages(URL, CHAT_ID, [message])
    book.keep_chat_messages(URL, CHAT_ID, [])  # the first stays
    assert books().chat_messages(URL, CHAT_ID) == [message]
    assert not book.is_resolved_since_recovery("nothing")
    assert books(recover=True).chat_messages(URL, CHAT_ID) is None
