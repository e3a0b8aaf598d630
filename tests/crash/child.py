"""The process that is killed: it plans and sends a batch, or reconciles unclear sends.

As a program it forks one such process for each line of its input, kills it at the instant that the line names, and
prints how it ended. A fork begins in milliseconds, and the number of a process cannot be another's.
"""

from __future__ import annotations

import faulthandler
import itertools
import json
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import linq_nb
from linq_nb import Draft, JournalError, LinqError, Outbox, VoiceMemo
from linq_nb.clocks import utc_now
from linq_nb.outbox import attempt, session_of

WAIT_S = 120.0
"""A life that lasts longer hangs."""

INTERRUPTED = 130


def connect(task: dict[str, Any]) -> Outbox:
    """Connect as if ``shift`` seconds later: the clock and the leases' clock are both ahead by that."""
    shift = float(task["shift"])
    return linq_nb.connect(
        api_key=task["api_key"],
        base_url=task["base_url"],
        journal=task["journal"],
        timeout=task["timeout"],
        clock=lambda: utc_now() + timedelta(seconds=shift),
        steady=lambda: time.time() + shift,
    )


def drafts(task: dict[str, Any]) -> list[Draft]:
    memos = [VoiceMemo.from_file(path) for path in task["audio"]]
    return [Draft(memo=memos[number % len(memos)], chat=chat) for number, chat in enumerate(task["chats"])]


def break_journal(outbox: Outbox, how: str, after: int) -> None:
    """Let the journal fail after that many marks and answers: ``full``, ``limit`` (no larger file) or ``readonly``."""
    journal, updates, is_due = session_of(outbox).journal, itertools.count(1), threading.Event()
    with journal.database.read() as db:
        driver: Any = db.connection.driver_connection

    def traced(sql: str) -> None:
        if sql.startswith("UPDATE sends") and next(updates) == after:
            is_due.set()

    def fail() -> None:
        is_due.wait()
        with journal.database._turned():  # two threads on one traced connection can wait for each other for ever
            if how == "limit":
                _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
                files = [Path(journal.label), Path(journal.label + "-wal")]
                resource.setrlimit(resource.RLIMIT_FSIZE, (max(file.stat().st_size for file in files), most))
            elif how == "full":
                (pages,) = driver.execute("PRAGMA page_count").fetchone()
                driver.execute(f"PRAGMA max_page_count = {pages}")
            else:
                driver.execute("PRAGMA query_only = ON")

    driver.set_trace_callback(traced)
    threading.Thread(target=fail, daemon=True).start()


def send(outbox: Outbox, task: dict[str, Any], report: dict[str, Any]) -> None:
    """Plan and send the whole table, as the cell that is run again."""
    if task.get("break"):
        break_journal(outbox, *task["break"])
    plan = outbox.plan(drafts(task))
    report["plan"] = plan.counts
    os.write(task["tell"], b"\n")
    batch = outbox.send_all(plan, workers=task["workers"], stop_after=task["stop_after"]).wait()
    results = batch.results()
    report["statuses"] = Counter(send.status for send in results)
    report["rows"] = {send.chat_id: send.status for send in results}
    report["words"] = sorted({send.error_message or "" for send in results if send.status == "not_sent"})[:5]


def one_by_one(outbox: Outbox, task: dict[str, Any], report: dict[str, Any]) -> None:
    """Send the table in a plain loop, in the thread that gets the interrupt."""
    table = drafts(task)
    os.write(task["tell"], b"\n")
    statuses: Counter[str] = Counter()
    for draft in table:
        try:
            statuses[attempt.send(session_of(outbox), draft).status] += 1
        except JournalError as error:
            report.setdefault("journal_errors", []).append(str(error))
        except LinqError as error:
            statuses[type(error).__name__] += 1
    report["statuses"] = statuses


def settle(outbox: Outbox, task: dict[str, Any], report: dict[str, Any]) -> None:
    """Reconcile all unclear sends; a memo that is certainly not in its chat may be sent once more."""
    looked = outbox.reconcile()
    missing = [send for send in looked if send.status == "unknown" and send.reconcile_result == "not_found"]
    for send in missing:
        outbox.resolve(send, "not_sent", reason="not in the chat")
    report["let_go"] = [send.chat_id for send in missing]


def live(task: dict[str, Any]) -> int:
    """Live one life and leave its report in a file; returns the exit code."""
    report: dict[str, Any] = {}
    try:
        with connect(task) as outbox:
            act = {"send": send, "one_by_one": one_by_one, "settle": settle}[task["do"]]
            try:
                act(outbox, task, report)
                if task["again"]:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt that comes now is not the cell's
            except KeyboardInterrupt:
                if not task["again"]:
                    raise
                report["interrupted"] = True
                act(outbox, task, report)  # the cell is run again, in the same kernel
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except JournalError as error:
        report["journal_error"] = str(error)
        return 3
    except LinqError as error:
        report["error"] = f"{type(error).__name__}: {error}"
        return 4
    except BaseException:  # noqa: BLE001  whatever it is, the parent shall show it
        report["error"] = traceback.format_exc()
        return 5
    finally:
        Path(task["report"]).write_text(json.dumps(report))


def forked(task: dict[str, Any]) -> tuple[int, bool]:
    """Fork one life; returns its exit code (below 0: by that signal) and whether it was killed as ordered."""
    Path(task["report"]).write_text("{}")
    ear, task["tell"] = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.close(ear)
        os.dup2(2, 1)
        sys.exit(live(task))
    os.close(task["tell"])
    if task["die_from"] == "planned":
        select.select([ear], [], [], WAIT_S)  # the end of the fork closes the pipe too
    killed = False
    if task["die_after"] is not None and not _ended(pid, task["die_after"]):
        os.kill(pid, task["signal"])
        killed = True
    if not _ended(pid, WAIT_S):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise TimeoutError(f"a process did not end (killed before: {killed})")
    os.close(ear)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, killed and (code, task["signal"]) != (0, signal.SIGKILL)  # it can have ended right before


def _ended(pid: int, seconds: float) -> bool:
    """Wait for a process to end, and leave it to be reaped."""
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            return False
        signal.sigtimedwait({signal.SIGCHLD}, min(remaining_s, 1.0))
    return True


def main() -> None:
    import httpx  # noqa: F401  what a life needs is loaded once, before the forks
    import sqlalchemy.dialects.postgresql
    import sqlalchemy.dialects.sqlite  # noqa: F401

    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        code, killed = forked(json.loads(line))
        sys.stdout.write(json.dumps([code, killed]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
