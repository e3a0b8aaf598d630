"""%linq_doctor: what works, what does not, and what to do about it. It sends nothing and never raises."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from typing import Any, TypeVar

from linq_nb import __version__, audio, rules, views, wire
from linq_nb.model import Event, Line
from linq_nb.outbox.reputation_audit import audit_line, known_audits
from linq_nb.session import Session
from linq_nb.status import UNCLEAR_STATUSES
from linq_nb.text import mask, one_line, place
from linq_nb.views.page import Row

T = TypeVar("T")

OPTIONAL = {
    "av": ("audio", "waveform, preview and conversion of compressed audio"),
    "matplotlib": ("plots", "charts"),
    "pyarrow": ("parquet", "Parquet files"),
    "xlsxwriter": ("audit", "audits and exports for Excel"),
    "psycopg": ("team", "a journal on PostgreSQL"),
    "waitress": ("receiver", "a receiver of webhooks"),
}
"""Packages, each with the extra of linq_nb that installs it and its use."""

DISABLED = "webhook_subscription.disabled"
SUBSCRIPTION_EVENTS = (DISABLED, "webhook_subscription.enabled", "webhook_subscription.deleted")

AUDIT_S = 60.0
"""Seconds in which the audit of a line is waited for."""

REQUIRED = ("ipython", "ipykernel", "ipywidgets", "httpx", "sqlalchemy", "pandas", "mutagen")


def examine(connect: Callable[[], Session], *, reputation: bool = False) -> views.Shown:
    """Run all checks and show their results; with ``reputation`` Linq audits each line, which takes some seconds."""
    rows = [("linq_nb", f"{__version__} on Python {platform.python_version()}, {platform.system()}")]
    session, error = _tried(connect)
    if session is None:
        rows.append(("settings", error))
    else:
        rows.append(("settings", f"{session.mode}, {session.client.base_url}, API key from {session.key_from}"))
        rows += session.client.diagnose()
        rows += _lines(session, reputation)
        rows.append(("clock", _result(_clock, session)))
        rows.append(("journal", _result(_journal, session)))
        rows += [("webhooks", warning) for warning in _result(_disabled_webhooks, session).splitlines()]
    rows += [(f"linq_nb[{extra}]", f"{_extra(name, extra)} ({use})") for name, (extra, use) in OPTIONAL.items()]
    rows.append(("packages", ", ".join(f"{name} {_version(name)}" for name in REQUIRED)))
    return views.summary("linq_doctor", rows)


def _tried(check: Callable[..., T], *args: Any) -> tuple[T | None, str]:
    """Return what a check returns, or None and its error in one line."""
    try:
        return check(*args), ""
    except Exception as error:  # noqa: BLE001  the doctor reports every error and raises none
        return None, f"not ready: {type(error).__name__}: {error}"


def _result(check: Callable[..., str], *args: Any) -> str:
    """Return the text of a check, or its error in one line."""
    text, error = _tried(check, *args)
    return error if text is None else text


def _lines(session: Session, ask: bool) -> list[Row]:
    """Return whether Linq answers, and a row for each of its lines."""
    lines, error = _tried(session.lines)
    if lines is None:
        return [("Linq", error)]
    answer = f"answers; {len(lines)} {'line' if len(lines) == 1 else 'lines'}"
    return [("Linq", answer), *(("line", _result(_line, session, line, ask)) for line in lines)]


def _line(session: Session, line: Line, ask: bool) -> str:
    """Return Linq's rating of a line, with reason and remedy of its last audit; with ``ask`` Linq makes a new audit."""
    audit = audit_line(session, line, AUDIT_S) if ask else known_audits(session).get(line.phone_number)
    rating = (audit.severity if ask and audit else None) or line.reputation or "no rating"
    text = f"{mask(line.phone_number)}: {one_line(rating, 40)}"
    if audit is None:
        return text if rating == "HEALTHY" else f"{text}; %linq_doctor --reputation asks Linq why"
    reasons = [reason for driver in audit.drivers[:1] if (reason := driver.summary or driver.key)]
    steps = [step.title for step in audit.steps[:1] if step.title]
    when = views.ago(audit.generated_at, session.now()) if audit.generated_at else "before"
    return "; ".join([f"{text}, audited {when}", *(one_line(part, 200).rstrip(".") for part in reasons + steps)])


def _disabled_webhooks(session: Session) -> str:
    """Warn in a line of each webhook subscription that Linq's last event about it calls disabled."""
    last: dict[str, Event] = {}
    for event in session.journal.without_send(SUBSCRIPTION_EVENTS):
        if identity := wire.text_of(_subscription(event), "id"):
            last[identity] = event
    return "\n".join(
        f"the subscription {one_line(identity, 40)} to {place(wire.text_of(_subscription(event), 'target_url') or '')} "
        f"was disabled {views.ago(event.at, session.now())}: no status arrives by it; see that its address answers, "
        f"then delete it (%linq_webhooks --delete {one_line(identity, 40)}) and create it anew (--create URL); "
        "%linq_status asks for what was missed"
        for identity, event in last.items()
        if event.event_type == DISABLED
    )


def _subscription(event: Event) -> wire.Raw:
    raw = event.body if isinstance(event.body, dict) else {}
    return wire.dict_of(wire.dict_of(raw, "data"), "webhook_subscription")


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
