"""A real PostgreSQL 15 for the tests: on a free port of this machine, in a folder that is thrown away."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import HANG_S

PLACES = ("/usr/lib/postgresql/15/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))
"""Where Debian keeps it, outside PATH."""

PASSWORD = "hunter2-secret"


def tool(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs."""
    return shutil.which(name, path=os.pathsep.join((*PLACES, os.environ.get("PATH", ""))))


def missing() -> str:
    """Name the missing requirements of a server, or return ""."""
    lacks = [name for name in ("initdb", "pg_ctl") if tool(name) is None]
    if lacks:
        return f"no PostgreSQL here ({' and '.join(lacks)}); on Debian: apt install postgresql-15"
    if os.getuid() == 0 and (
        shutil.which("runuser") is None or "postgres" not in {user.pw_name for user in pwd.getpwall()}
    ):
        return "PostgreSQL refuses root, and there is no user postgres to run it as"
    return ""


def free_port() -> int:
    """Find a port that no program takes while a crashed server is down (outside the range that the system assigns)."""
    for port in random.SystemRandom().sample(range(15_000, 32_000), 100):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free for PostgreSQL")


@contextmanager
def running() -> Iterator[Server]:
    """Run a server in a folder of its own, which is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="linq_nb_pg"))
    try:
        server = Server(folder)
        try:
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """One server; ``crash`` and ``start`` are for the tests of a server that goes away."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self._numbers = folder, folder / "data", itertools.count(1)
        self.port = free_port()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        (folder / "password").write_text(PASSWORD)
        self._run("initdb", "-D", str(self.data), "-U", "linq", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync", "--pwfile", str(folder / "password"))  # fmt: skip
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
            "full_page_writes": "off", "max_connections": 100, "shared_buffers": "16MB", "autovacuum": "off",
        }  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    def url(self, database: str = "postgres", password: str = PASSWORD, driver: str = "postgresql+psycopg") -> str:
        return f"{driver}://linq:{password}@127.0.0.1:{self.port}/{database}"

    def new_schema(self) -> str:
        """Make a fresh schema, which is quicker than a database; returns the URL of a journal in it."""
        import psycopg

        name = f"journal_{next(self._numbers)}"
        with psycopg.connect(self.url(driver="postgresql"), autocommit=True) as db:
            db.execute(f"CREATE SCHEMA {name}")
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-s", "-D", str(self.data), "-l", str(self.folder / "log"))

    def crash(self) -> None:
        """Stop at once, as in a crash, without closing connections; returns when the process has ended."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", str(self.data))

    def _run(self, name: str, *arguments: str) -> None:
        su = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        command = [*su, str(tool(name)), *arguments]
        with (self.folder / "tools.log").open("a") as log:  # a file, since the server keeps its inherited streams open
            done = subprocess.run(
                command, stdout=log, stderr=log, cwd=self.folder, env=environ, timeout=HANG_S, check=False
            )
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{(self.folder / 'tools.log').read_text()[-2000:]}")
