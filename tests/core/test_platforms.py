"""Differences of Windows and macOS, tested by their rules; the quick start itself runs on these systems only."""

from __future__ import annotations

import struct
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import nbformat
import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell
from shared import ROOT

from linq_nb.demo import Demo
from linq_nb.demo.server import Server, linger
from linq_nb.journal import Journal
from linq_nb.journal.place import of_printed
from linq_nb.journal.private_file import is_private
from linq_nb.magics.lexer import split
from linq_nb.settings import data_folder

HOME = r"C:\Users\Ada"


@pytest.mark.host("Windows, simulated", "paths")
@pytest.mark.parametrize(
    ("file", "private"),
    [
        (r"C:\Users\Ada\AppData\Local\linq_nb\journal.sqlite", True),
        (r"c:\users\ADA\j.sqlite", True),
        (r"C:\Users\Adam\j.sqlite", False),
        (r"C:\Users\Ada\..\Bob\j.sqlite", False),
        (r"D:\team\j.sqlite", False),
        (r"\\server\share\j.sqlite", False),
    ],
)
def test_on_windows_a_journal_in_ones_own_folder_is_private(file: str, private: bool) -> None:
    """Files have no modes there: the rights of the user's folder keep others out."""
    assert is_private(Path(file), platform="win32", home=HOME) == private


@pytest.mark.host("Windows, simulated", "paths")
def test_on_windows_a_journal_has_a_url_that_sqlalchemy_reads() -> None:
    folder = data_folder({}, PureWindowsPath(HOME), "win32")  # type: ignore[arg-type]
    url = sa.make_url(f"sqlite:///{PureWindowsPath(HOME) / 'AppData' / 'Local' / 'linq_nb' / 'journal.sqlite'}")
    assert url.database == rf"{HOME}\AppData\Local\linq_nb\journal.sqlite"
    assert PureWindowsPath(folder).parts[-3:] == ("AppData", "Local", "linq_nb")


@pytest.mark.host("Windows, simulated", "paths")
@pytest.mark.parametrize("path", [r"C:\audio\new memo.m4a", r"\\nas\audio\memo.m4a", r"memos\a.wav", "C:/audio/a.wav"])
def test_on_windows_a_magic_takes_a_path_with_backslashes(path: str) -> None:
    words = [token.text for token in split(f'"{path}" --chat Ada', windows=True)]
    assert words == [path, "--chat", "Ada"]


@pytest.mark.host("Windows, simulated", "sockets")
def test_a_connection_is_reset_by_the_systems_own_struct_linger() -> None:
    assert linger(0, "win32") == struct.pack("<HH", 1, 0)
    assert linger(0, "linux") == linger(0, "darwin") == struct.pack("ii", 1, 0)
    assert Server.allow_reuse_address == (sys.platform != "win32")
    with Server(Demo()) as server, pytest.raises(OSError, match="in use"):
        Server(Demo(), port=server.server_address[1])


@pytest.mark.host("macOS, simulated", "paths")
def test_on_macos_the_data_folder_and_the_mount_table_are_read() -> None:
    folder = data_folder({"XDG_DATA_HOME": "/x"}, Path("/Users/ada"), "darwin")
    assert PurePosixPath(folder) == PurePosixPath("/Users/ada/Library/Application Support/linq_nb")
    printed = (
        "/dev/disk3s1s1 on / (apfs, sealed, local)\n//ada@nas/My Share on /Volumes/My Share (smbfs, nodev, nosuid)\n"
    )
    assert of_printed(printed).splitlines() == ["- / apfs", r"- /Volumes/My\040Share smbfs"]


@pytest.mark.host("macOS, simulated", "journal on the disk")
def test_on_macos_a_commit_is_flushed_through_the_disks_own_memory(tmp_path: Path) -> None:
    """An fsync is not enough there: SQLite needs a setting, which it ignores on other systems."""
    book = Journal(f"sqlite:///{tmp_path / 'j.sqlite'}")
    with book.database.read() as db:
        assert db.execute(sa.text("PRAGMA fullfsync")).scalar() == 1
        assert db.execute(sa.text("PRAGMA synchronous")).scalar() in (1, 2)
    book.close()


# --- the quick start, on the system itself ---


def check_quick_start(shell: Any) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()
    assert set(shell.user_ns["outbox"].demo.bubbles().values()) == {1}


@pytest.mark.host("Windows", "quick start")
@pytest.mark.skipif(sys.platform != "win32", reason="needs Windows")
def test_the_quick_start_runs_on_windows(shell: InteractiveShell) -> None:
    check_quick_start(shell)


@pytest.mark.host("macOS", "quick start")
@pytest.mark.skipif(sys.platform != "darwin", reason="needs macOS")
def test_the_quick_start_runs_on_macos(shell: InteractiveShell) -> None:
    check_quick_start(shell)


@pytest.mark.host("Python 3.14", "quick start")
@pytest.mark.skipif(sys.version_info[:2] != (3, 14), reason="needs Python 3.14")
def test_the_quick_start_runs_on_python_3_14(shell: InteractiveShell) -> None:
    check_quick_start(shell)


@pytest.mark.host("Python 3.11 and 3.13", "quick start")
@pytest.mark.skipif(sys.version_info[:2] not in ((3, 11), (3, 13)), reason="needs Python 3.11 or 3.13")
def test_the_quick_start_runs_on_the_oldest_and_a_newer_python(shell: InteractiveShell) -> None:
    check_quick_start(shell)
