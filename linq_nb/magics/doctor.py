"""%linq_doctor: what works, what does not, and what to do about it. It sends nothing and never raises."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable

from linq_nb import __version__, audio, rules, views
from linq_nb.session import Session
from linq_nb.status import UNCLEAR_STATUSES
from linq_nb.text import mask

OPTIONAL = {
    "av": ("audio", "waveform, preview and conversion of compressed audio"),
    "matplotlib": ("plots", "charts"),
    "psycopg": ("team", "a journal on PostgreSQL"),
    "waitress": ("receiver", "a receiver of webhooks"),
}
"""Packages, each with the extra of linq_nb that installs it and its use."""

REQUIRED = ("ipython", "ipykernel", "ipywidgets", "httpx", "sqlalchemy", "pandas", "mutagen")


def examine(connect: Callable[[], Session]) -> views.Shown:
    """Run all checks and show their results."""
    rows = [("linq_nb", f"{__version__} on Python {platform.python_version()}, {platform.system()}")]
    sessions: list[Session] = []  # empty when connecting fails
    rows.append(("settings", _result(lambda: _settings(sessions, connect))))
    if sessions:
        rows += sessions[0].client.diagnose()
        rows.append(("Linq", _result(lambda: _lines(sessions[0]))))
        rows.append(("clock", _result(lambda: _clock(sessions[0]))))
        rows.append(("journal", _result(lambda: _journal(sessions[0]))))
    rows += [(f"linq_nb[{extra}]", f"{_extra(name, extra)} ({use})") for name, (extra, use) in OPTIONAL.items()]
    rows.append(("packages", ", ".join(f"{name} {_version(name)}" for name in REQUIRED)))
    return views.summary("linq_doctor", rows)


def _result(check: Callable[[], str]) -> str:
    """Return the result of a check, or its error in one line."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001  the doctor reports every error and raises none
        return f"not ready: {type(error).__name__}: {error}"


def _settings(sessions: list[Session], connect: Callable[[], Session]) -> str:
    session = connect()
    sessions.append(session)
    return f"{session.mode}, {session.client.base_url}, API key from {session.key_from}"


def _lines(session: Session) -> str:
    lines = [f"{mask(line.phone_number)} ({line.reputation or 'no rating'})" for line in session.lines()]
    return f"answers; lines: {', '.join(lines) or 'none'}"


def _clock(session: Session) -> str:
    """Compare this machine's clock with Linq's, which its answers tell."""
    skew = session.client.skew(session.now())
    if skew is None:
        return "not compared: Linq's answers tell no time, so a missing memo is never sure to be missing"
    if skew.high >= -rules.TOLERANCE and skew.low <= rules.TOLERANCE:
        return "agrees with Linq's"
    seconds = (skew.low + (skew.high - skew.low) / 2).total_seconds()
    return f"{abs(seconds):,.0f} s {'behind' if seconds > 0 else 'ahead of'} Linq's; correct this machine's clock"


def _journal(session: Session) -> str:
    sends = session.journal.sends()
    unclear = sum(send.status in UNCLEAR_STATUSES for send in sends)
    todo = f"; {unclear} unclear: %linq_reconcile looks for them" if unclear else ""
    note = f"; {session.journal_note}" if session.journal_note else ""
    return f"{session.journal.label}: {len(sends)} {'send' if len(sends) == 1 else 'sends'}{todo}{note}"


def _extra(package: str, extra: str) -> str:
    version = _version(package) if package != "av" or audio.can_transcode() else "missing"
    return version if version != "missing" else f"not installed: pip install linq_nb[{extra}]"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
