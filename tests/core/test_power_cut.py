"""A power cut loses no row that must be on the disk before a memo is sent: the order of a process's disk writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo_process import ROOT, Socket, ask

CHILD = """
import sys
sys.path.insert(0, "tests/core")
from core_samples import memo
import linq_nb
chats = sys.argv[2:]
with linq_nb.connect(journal=sys.argv[1]) as outbox:
    outbox.send(memo(), chats[0])
    outbox.send_all(outbox.plan(linq_nb.Draft(memo=memo(), chat=chat) for chat in chats[1:]), workers=1).wait()
"""
CALL = re.compile(r"^(?:\d+ +)?(\w+)\(\d+<([^>]*)>,?(.*)$")


@pytest.fixture(scope="module")
def strace() -> str:
    """The program that lists system calls; with LINQ_NB_REQUIRE_STRACE=1 its absence is a failure."""
    program, reason = shutil.which("strace"), "no strace here; on Debian: apt install strace"
    if program is None and os.environ.get("LINQ_NB_REQUIRE_STRACE") == "1":
        pytest.fail(reason)
    if program is None:
        pytest.skip(reason)
    tried = subprocess.run([program, "-f", "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"strace cannot trace here: {tried.stderr.strip()[-100:]}")
    return program


@pytest.fixture
def calls(strace: str, demo_socket: Socket, tmp_path: Path) -> list[tuple[str, str, str]]:
    """The calls of a process that sends a memo to three chats: name, file and the rest of each."""
    chats = ask(demo_socket, "GET", "chats")["chats"]
    log, journal = tmp_path / "log", tmp_path / "new" / "folder" / "j.sqlite"
    wanted = "trace=fsync,fdatasync,pwrite64,write,sendto,sendmsg"
    command = [strace, "-f", "-y", "-s", "5000", "-e", wanted, "-o", str(log), sys.executable, "-c", CHILD]
    command += [str(journal), *(chats[name] for name in ("Ada Lovelace", "Book Club", "Lou Lost Answer"))]
    settings = {"LINQ_API_V3_BASE_URL": demo_socket.base_url, "LINQ_API_V3_API_KEY": demo_socket.api_key}
    subprocess.run(command, check=True, env={**os.environ, **settings}, cwd=ROOT)
    return [match.groups("") for line in log.read_text().splitlines() if (match := CALL.match(line))]  # type: ignore[misc]


def is_post(call: tuple[str, str, str]) -> bool:
    return call[0] in ("write", "sendto", "sendmsg") and '"POST ' in call[2] and "/voicememo " in call[2]


def test_the_mark_is_on_the_disk_before_the_first_byte_of_the_memo_leaves(calls: list[tuple[str, str, str]]) -> None:
    posts = [number for number, call in enumerate(calls) if is_post(call)]
    assert len(posts) == 3
    for post in posts:
        writes = [n for n in range(post) if calls[n][0] == "pwrite64" and calls[n][1].endswith("-wal")]
        synced = [n for n in range(post) if calls[n][0] in ("fsync", "fdatasync") and calls[n][1].endswith("-wal")]
        assert synced[-1] > writes[-1]
        mark = [n for n in writes if n > synced[-2]]  # the writes that only the last fsync covers
        assert any("sending" in calls[n][2] for n in mark)


def test_a_new_journal_is_on_the_disk_with_its_folders_and_its_mark_before_a_memo_leaves(
    calls: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    first = next(number for number, call in enumerate(calls) if is_post(call))
    synced = {file for name, file, _ in calls[:first] if name in ("fsync", "fdatasync")}
    journal = str(tmp_path / "new" / "folder" / "j.sqlite")
    assert {str(tmp_path), str(tmp_path / "new"), str(tmp_path / "new" / "folder"), journal} <= synced
