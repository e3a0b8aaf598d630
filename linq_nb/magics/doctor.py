"""%linq_doctor: what works, what does not, and what to do about it; sends nothing and never raises."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

from linq_nb import __version__, audio, views
from linq_nb.text import mask

if TYPE_CHECKING:
    from linq_nb.outbox import Outbox

PARTS = {
    "av": ("audio", "waveform, preview and conversion of compressed audio"),
    "matplotlib": ("plots", "charts"),
    "psycopg": ("team", "a journal on PostgreSQL"),
}
NEEDED = ("ipython", "ipykernel", "ipywidgets", "httpx", "sqlalchemy", "pandas", "mutagen")


def examine(connected: Callable[[], Outbox]) -> views.Shown:
    """Check one thing after the other and say how each stands."""
    rows = [("linq_nb", f"{__version__} on Python {platform.python_version()}, {platform.system()}")]
    found: list[Outbox] = []
    rows.append(("settings", _told(lambda: _settings(found, connected))))
    if found:
        rows.append(("Linq", _told(lambda: _lines(found[0]))))
        rows.append(("journal", _told(lambda: _journal(found[0]))))
    rows += [(f"linq_nb[{extra}]", f"{_part(name, extra)} ({use})") for name, (extra, use) in PARTS.items()]
    rows.append(("packages", ", ".join(f"{name} {_version(name)}" for name in NEEDED)))
    return views.summary("linq_doctor", rows)


def _told(check: Callable[[], str]) -> str:
    """Return what a check says, or in one line why it could not."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001  a doctor names every trouble and falls ill of none
        return f"not ready: {type(error).__name__}: {error}"


def _settings(found: list[Outbox], connected: Callable[[], Outbox]) -> str:
    outbox = connected()
    found.append(outbox)
    return f"{outbox.mode}, {outbox.client.base_url}, API key from {outbox.key_from}"


def _lines(outbox: Outbox) -> str:
    said = [f"{mask(one.phone_number)} ({one.reputation or 'no rating'})" for one in outbox.lines()]
    return f"answers; lines: {', '.join(said) or 'none'}"


def _journal(outbox: Outbox) -> str:
    sends = outbox.sends()
    unclear = sum(one.status in ("unknown", "sending") for one in sends)
    todo = f"; {unclear} unclear: %linq_reconcile looks for them" if unclear else ""
    note = f"; {outbox.journal_note}" if outbox.journal_note else ""
    return f"{outbox.journal.label}: {len(sends)} {'send' if len(sends) == 1 else 'sends'}{todo}{note}"


def _part(package: str, extra: str) -> str:
    version = _version(package) if package != "av" or audio.can_transcode() else "missing"
    return version if version != "missing" else f"not installed: pip install linq_nb[{extra}]"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
