"""connect(): from the settings, or on the demo that is built in."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from linq_nb import settings as settings_of
from linq_nb.client import Client, Throttle
from linq_nb.clocks import utc_now
from linq_nb.errors import SettingsError
from linq_nb.journal import Journal
from linq_nb.outbox.facade import Outbox
from linq_nb.secret import HiddenUrl, Secret
from linq_nb.session import Session

if TYPE_CHECKING:
    import httpx

    from linq_nb.demo import Demo

_journals: weakref.WeakKeyDictionary[Demo, Journal] = weakref.WeakKeyDictionary()


def connect(  # over 40 lines: half of them are its arguments and their meaning
    *,
    demo: bool | None = None,
    api_key: str | Secret | None = None,
    base_url: str | None = None,
    profile: str | None = None,
    journal: str | None = None,
    timeout: float = 60.0,
    transport: httpx.BaseTransport | None = None,
    fresh: bool = False,
    clock: Callable[[], datetime] | None = None,
    sleep: Callable[[float], None] | None = None,
    recover: bool = False,
    steady: Callable[[], float] | None = None,
) -> Outbox:
    """Connect to Linq with the settings found, or to the demo in this process with ``demo=True``.

    ``timeout`` is in seconds, for each request. ``journal`` is a file or a URL of SQLAlchemy's form. ``fresh``
    starts the demo anew, its journal too. ``recover`` opens a journal that lost its last writes, or is a copy from
    before them: each chat is read before the first send to it, and a memo that is there is not sent again. ``clock``
    and ``sleep`` replace the wall clock and the pauses, ``steady`` the clock of leases and waits: seconds that no
    correction of the wall clock moves. Without any argument ``LINQ_NB_DEMO=1`` means the demo.
    Raises SettingsError when the setup is wrong, JournalError when the journal cannot be opened.

    >>> linq_nb.connect(demo=True).mode
    'DEMO'
    """
    api_key = settings_of.hidden_key(api_key)  # a traceback shows the arguments of a call
    base_url, journal = (HiddenUrl(url) if url else url for url in (base_url, journal))
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout <= 3600:
        raise SettingsError(
            f"timeout is a number of seconds up to 3600, not {timeout!r}; nothing was opened; give seconds, such as 60"
        )
    has_target = any(value is not None for value in (api_key, base_url, profile, transport))
    if demo and has_target:
        raise SettingsError(
            "the demo takes no api_key, base_url, profile or transport; nothing was opened; leave these out, "
            "or leave out demo=True"
        )
    if demo or (demo is None and not has_target and settings_of.wants_demo()):
        return _connect_demo(journal, timeout, fresh, recover)
    if fresh:
        raise SettingsError(
            "fresh is for the demo only; nothing was opened; add demo=True (--demo), or leave out fresh"
        )
    settings = settings_of.load(api_key=api_key, base_url=base_url, profile=profile, journal=journal)
    opened, now = Journal(settings.journal, wall=steady, recover=recover), clock or utc_now
    throttle = Throttle(sleep or time.sleep)
    client = Client(
        settings.base_url,
        settings.api_key,
        timeout=timeout,
        transport=transport,
        throttle=throttle,
        now=now,
        steady=steady,
    )
    return Outbox(
        Session(
            client,
            opened,
            account=Secret(f"{settings.base_url}\n{settings.api_key.reveal()}"),
            mode="DEMO" if settings.is_demo else "LIVE",
            now=now,
            is_real_time=clock is None,
            key_from=settings.api_key_from,
            journal_note=opened.warning,
        )
    )


def _connect_demo(journal: str | None, timeout: float, fresh: bool, recover: bool) -> Outbox:
    from linq_nb.demo import world  # the demo loads only where it is asked for

    demo = world(fresh=fresh)
    transport, throttle = demo.transport(), Throttle(demo.sleep)
    key = Secret(demo.api_key)
    session = Session(
        Client(demo.base_url, key, timeout=timeout, transport=transport, throttle=throttle, now=demo.now),
        Journal(settings_of.journal_url(journal), recover=recover) if journal else _demo_journal(demo),
        account=Secret(f"{demo.base_url}\n{demo.api_key}"),
        mode="DEMO",
        now=demo.now,
        key_from="the demo",
        demo=demo,
        media_transport=transport,
        keep_journal=not journal,
    )
    session.lines()
    return Outbox(session)


def _demo_journal(demo: Demo) -> Journal:
    """Return the demo's journal in memory, which lives as long as the demo does."""
    if demo not in _journals:
        opened = Journal("sqlite://")
        if _journals.setdefault(demo, opened) is opened:
            weakref.finalize(demo, opened.close)
        else:  # another thread was quicker
            opened.close()
    return _journals[demo]
