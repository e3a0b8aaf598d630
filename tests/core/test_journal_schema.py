"""Journals of every older schema open with all their rows; a process that has one open meanwhile stays correct."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from core_samples import AT, CHAT_ID, MESSAGE_ID, a_send

from linq_nb import JournalError
from linq_nb.journal import Journal
from linq_nb.journal.schema import MIGRATIONS
from linq_nb.model import Event, url_names

JOURNALS = Path(__file__).parent / "journals"
VERSIONS = [1, 2, 3]
SENT = a_send(status="queued", posted_at=None)
"""The send that all these journals hold."""


@pytest.fixture(params=VERSIONS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A journal of an older version, one for each."""
    file = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.executescript((JOURNALS / f"version_{request.param}.sql").read_text("utf-8"))
    return file


@contextmanager
def opened(file: Path) -> Iterator[Journal]:
    journal = Journal(f"sqlite:///{file}")
    yield journal
    journal.close()


def delivered(event_id: str | None = None) -> Event:
    return Event(
        send_id="",
        at=AT,
        source="webhook",
        status="delivered",
        message_id=MESSAGE_ID,
        event_id=event_id,
        delivered_at=AT,
    )


def layout(file: Path) -> tuple[dict[tuple[str, str], tuple[str, bool]], set[str]]:
    """Return the columns of all tables with their type and whether they may be NULL, and the indexes as SQL."""
    with closing(sqlite3.connect(file)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            (table, name): (kind, not is_required)
            for table in tables
            for _, name, kind, is_required, _, _ in db.execute(f"PRAGMA table_info({table})")
        }
        rows = db.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        return columns, {" ".join(sql.split()) for (sql,) in rows}


def test_there_is_a_journal_of_each_older_version() -> None:
    assert [file.name for file in sorted(JOURNALS.iterdir())] == [f"version_{version}.sql" for version in VERSIONS]
    assert list(range(1, len(MIGRATIONS))) == VERSIONS


def test_a_journal_of_an_older_version_opens_with_all_its_rows(file: Path) -> None:
    for _ in range(2):  # the second time it is migrated already
        with opened(file) as journal:
            assert journal.hash_key().hex() == "5a" * 32
            send = journal.sends()[0]
            assert (send.send_id, send.chat_id, send.message_id) == (SENT.send_id, CHAT_ID, MESSAGE_ID)
            assert journal.events(send.send_id)[0].source == "post"
            assert journal.claim(SENT, (SENT.content,), "me")[1:] == (None, "report")


def test_a_send_under_the_old_name_of_a_url_is_not_sent_again(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE sends SET content = 'url:https://x.example/a' WHERE send_id = ?", (SENT.send_id,))
        db.commit()
    with opened(file) as journal:
        for query in ("?sp=anna", "?sp=bob", ""):
            url = url_names(f"https://x.example/a{query}")
            wanted = a_send(content=url.name, status="preparing")
            send, claim, step = journal.claim(wanted, (url.name,), "me", url)
            assert (send.send_id, claim, step) == (SENT.send_id, None, "report")
            stored = journal.find(wanted, (url.name,), url)
            assert stored is not None
            assert stored.send_id == SENT.send_id


def test_a_migrated_journal_takes_webhooks_and_new_sends(file: Path) -> None:
    with opened(file) as journal:
        assert [done.is_new for done in journal.ingest(delivered("e"), delivered("e"))] == [True, False]
        assert journal.sends()[0].status == "delivered"
        new = a_send(copy=9, status="preparing", send_id="new")
        assert journal.claim(new, (), "me")[2] == "send"


def test_a_migrated_journal_is_like_a_new_one(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    for path in (file, new):
        with opened(path):
            pass
    assert layout(file) == layout(new)


def test_migrations_keep_every_column_and_add_only_nullable_ones(file: Path) -> None:
    before, _ = layout(file)
    with opened(file):
        pass
    after, _ = layout(file)
    assert {name: after.get(name) for name in before} == before
    tables = {table for table, _ in before}
    assert all(is_nullable for (table, name), (_, is_nullable) in after.items()
               if table in tables and (table, name) not in before)  # fmt: skip


def test_a_process_that_has_the_journal_open_meanwhile_goes_on_with_its_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as old, opened(file) as journal:
        old.execute("INSERT INTO events (send_id, at, source, status) VALUES (?, 1, 'poll', 'sent')", (SENT.send_id,))
        old.execute("UPDATE sends SET status = 'read' WHERE send_id = ?", (SENT.send_id,))
        old.commit()
        assert journal.sends()[0].status == "read"
        assert journal.events(SENT.send_id)[-1].source == "poll"


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    with opened(file):
        pass
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"UPDATE meta SET value = '{len(MIGRATIONS) + 1}' WHERE name = 'schema_version'")
        db.commit()
    before = file.read_bytes()
    with pytest.raises(JournalError, match=r"newer linq_nb.*nothing was sent; upgrade linq_nb"), opened(file):
        pass
    assert file.read_bytes() == before
