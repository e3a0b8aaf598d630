"""The Outbox: what a notebook holds in its hand."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import hmac
import itertools
import os
import secrets
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Literal

from linq_nb import export, frames, preflight, rules, views, webhooks
from linq_nb.client import Client
from linq_nb.download import download
from linq_nb.errors import PreflightError
from linq_nb.journal import Journal, LeaseKeeper
from linq_nb.model import (
    BadDraft,
    Chat,
    Draft,
    Event,
    Finding,
    Findings,
    Line,
    Message,
    Plan,
    Send,
    VoiceMemo,
    is_uuid,
    send_id,
)
from linq_nb.outbox import batching, ingesting, planning, reading, replaying, sending, watching
from linq_nb.outbox.pace import Pace
from linq_nb.secret import Secret
from linq_nb.status import is_resolved
from linq_nb.text import mask, mask_text, names_of, plain_url

CHATS_FRESH = timedelta(minutes=5)
"""How long a chat that was read is taken as it was; Linq's 403/2024 stays the authority."""


class Outbox:
    """A connection to Linq with its journal: send a memo once, ask what became of it, see every answer.

    Made by ``linq_nb.connect``. A context manager, and safe to use from several threads. ``mode`` is "DEMO" or
    "LIVE"; ``demo`` is the demo's handle, None when live.
    """

    def __init__(
        self,
        client: Client,
        journal: Journal,
        *,
        account: Secret,
        mode: Literal["DEMO", "LIVE"],
        now: Callable[[], datetime],
        pace: Pace | None = None,
        key_from: str = "",
        journal_note: str | None = None,
        demo: Any = None,
        media_transport: Any = None,
        keep_journal: bool = False,
    ) -> None:
        self.client, self.journal, self.mode, self.demo = client, journal, mode, demo
        self.key_from, self.journal_note = key_from, journal_note
        self.now = now
        self.pace = pace or Pace(time.sleep, now)
        self._media_transport, self._keep_journal = media_transport, keep_journal
        self._account = hmac.new(journal.hash_key(), account.reveal().encode(), hashlib.sha256).hexdigest()[:24]
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease = LeaseKeeper(lambda held: journal.renew(self._owner, held))
        self.uploaded: dict[str, str] = {}
        self._chats: dict[str, tuple[datetime, Chat]] = {}
        self._all_chats: tuple[datetime, list[Chat]] | None = None
        self._lines: list[Line] | None = None
        self._upload_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.last_batch: batching.Batch | None = None
        self.last_watch: watching.Watched | None = None
        self._ends: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"Outbox({self.mode}, {self.client.base_url!r}, journal={self.journal.label!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.summary()._repr_mimebundle_()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is still being sent, close the connections and, unless the demo has it in memory, the journal."""
        batching.end_all("the outbox was closed", self)
        for end in list(self._ends):
            end()
        self.client.close()
        self._lease.stop()
        if not self._keep_journal:
            self.journal.close()

    def summary(self) -> views.Shown:
        """Say where this Outbox sends to, with which key, and where it keeps its journal; all masked."""
        rows = [
            ("mode", self.mode + (": nothing leaves this machine" if self.demo is not None else "")),
            ("base URL", self.client.base_url),
            ("API key", f"from {self.key_from}" if self.key_from else "none"),
            ("line", self.line or "not read yet"),
            ("journal", self.journal.label),
        ]
        return views.summary("linq_nb", rows + ([("warning", self.journal_note)] if self.journal_note else []))

    @property
    def line(self) -> str | None:
        """Your lines, masked, as far as they were read."""
        return names_of([mask(one.phone_number) for one in self._lines]) if self._lines else None

    # --- reading Linq ---

    def lines(self) -> list[Line]:
        """List your phone lines with their reputation."""
        self._lines = self.client.phone_numbers()
        return list(self._lines)

    def chats(self, to: str | None = None, from_: str | None = None, limit: int | None = None) -> list[Chat]:
        """List your chats, all pages; ``to`` and ``from_`` are handles (E.164), ``limit`` caps the number.

        Without ``from_`` the chats of each of your lines are listed in turn: Linq's OpenAPI file of early 2026
        requires it, its later docs do not.
        """
        chats = (
            chat for line in self._asked_lines(from_) for chat in self.client.chats(to=to, from_=line, limit=limit)
        )
        found = list(itertools.islice(_distinct(chats), limit))
        at = self.now()
        self._chats.update({chat.chat_id: (at, chat) for chat in found})
        if to is None and from_ is None and limit is None:
            self._all_chats = (at, found)
        return found

    def _asked_lines(self, from_: str | None) -> Sequence[str | None]:
        """Return the lines to ask for: the one given, else all of yours, else none by name."""
        if from_ is not None:
            return [from_]
        return [one.phone_number for one in (self._lines or self.lines())] or [None]

    def chat(self, chat_id: str) -> Chat:
        """Read a chat by its id, at most every five minutes."""
        kept = self._chats.get(chat_id)
        if kept and self.now() - kept[0] < CHATS_FRESH:
            return kept[1]
        chat = self.client.chat(chat_id)
        self._chats[chat_id] = (self.now(), chat)
        return chat

    def known_chats(self) -> list[Chat]:
        """Return the chats that were read already, without asking Linq: for completion."""
        return [chat for _, chat in self._chats.values()]

    def find_chat(self, name: str | Chat) -> Chat | str:
        """Return the chat of a display name or handle that only one chat has; an id is returned as it is.

        Raises PreflightError that lists the candidates when the name fits none or several.
        """
        if isinstance(name, Chat):
            return name
        if not isinstance(name, str):
            raise PreflightError(
                f"a chat is a Chat, its id or its name, not of type {type(name).__name__}; nothing was sent; "
                "send to one after the other, or to many by outbox.plan"
            )
        if is_uuid(name):
            return name.lower()
        if self._all_chats is None or self.now() - self._all_chats[0] >= CHATS_FRESH:
            self.chats()
        chats = self._all_chats[1] if self._all_chats else []
        return choose_chat(name, chats)

    # --- one memo ---

    def check(self, memo: VoiceMemo, chat: Chat | str, *, copy: int = 1) -> Findings:
        """Return what speaks against sending this memo to this chat, errors first; nothing leaves but reads."""
        draft = Draft(memo=_checked(memo), chat=self.find_chat(chat), copy=copy)
        found = Findings(preflight.check_memo(memo) + preflight.check_chat(self.chat_of(draft), memo))
        sent = self.journal.find(self.wanted(draft), memo.names)
        if sent is not None and sent.message_id:
            found.append(Finding(level="info", code="already_sent", message=sending.already(sent, self.now())))
        return found

    def send(
        self,
        memo: VoiceMemo,
        chat: Chat | str,
        copy: int = 1,
        override_optout: str | None = None,
        *,
        accept: Collection[str] = (),
    ) -> Send:
        """Send a memo to a chat, once: asked again, it sends nothing and returns the recorded Send.

        ``copy`` is absolute: 2 is a second bubble on purpose. ``override_optout`` is the reason, kept in the
        journal, for writing to someone who opted out. ``accept`` names errors of ``check`` that you take upon
        yourself ("chat_critical", "too_large").
        Raises AudioError or PreflightError before anything leaves, ApiError when Linq says no, NotSent when it
        is safe to run again, OutcomeUnknown when it may have been sent (see ``reconcile``), JournalError when
        nothing was sent because it could not be written down.
        """
        draft = Draft(memo=_checked(memo), chat=self.find_chat(chat), copy=copy, override_optout=override_optout)
        return self.send_draft(draft, accept=accept)

    def send_draft(self, draft: Draft, *, accept: Collection[str] = ()) -> Send:
        """Send a draft, once: ``send`` for what was put together before."""
        return sending.send(self, draft, accept)

    def plan(self, drafts: Iterable[Draft | BadDraft], *, accept: Collection[str] = (), strict: bool = False) -> Plan:
        """Validate a table of drafts and return what will happen to each row; nothing is sent.

        Bad rows never stop good ones, unless ``strict``, which raises PreflightError.
        """
        return planning.plan(self, drafts, accept, strict=strict)

    def send_all(
        self, plan: Plan, workers: int = 4, *, accept: Collection[str] = (), stop_after: int = batching.STOP_AFTER
    ) -> batching.Batch:
        """Start sending a plan with so many requests at once; returns the Batch, also as ``last_batch``.

        It goes on by itself: ``wait()`` for it, or iterate over it. A script that ends before stops it.
        What is sent is what the plan said: its ``send`` rows. After ``stop_after`` failures in a row (0: never)
        no further row starts. Run again after a crash or an interrupt, a new plan goes on where it stopped.
        """
        return batching.start(self, plan, workers=workers, accept=accept, stop_after=stop_after)

    def timeline(self, start: datetime) -> contextlib.AbstractContextManager[None]:
        """Give this thread its own time in the demo, so that a batch has the same times each run."""
        return self.demo.timeline(start) if self.demo is not None else contextlib.nullcontext()

    def is_sent(self, draft: Draft) -> bool:
        """Whether this draft was sent before, by the journal, so that sending it again sends nothing."""
        found = self.journal.find(self.wanted(draft), draft.memo.names)
        return found is not None and is_resolved(found.status)

    def card(self, draft: Draft, *, accept: Collection[str] = ()) -> views.Shown:
        """Return the card of a draft: the memo, whom it goes to, what the checks found, DEMO or LIVE."""
        chat = self.chat_of(draft)
        found = preflight.check_memo(draft.memo) + preflight.check_chat(chat, draft.memo)
        found = preflight.settle(found, accept, optout=draft.override_optout is not None)
        note = self.journal_note if self.mode == "LIVE" else None
        return views.draft_card(draft, chat, found, mode=self.mode, line=chat.line or self.line, journal_note=note)

    def fetch(self, memo: VoiceMemo, *, allow_private: bool = False) -> VoiceMemo:
        """Download a URL memo to hear and check it; returns a memo that knows its sha256 and goes by its URL still.

        https only, also after redirects; at most 10 MB; at most the time limit; no private addresses unless
        ``allow_private``. Raises AudioError.
        """
        if memo.url is None:
            return memo
        data = download(
            memo.url, timeout=self.client.timeout, allow_private=allow_private, transport=self._media_transport
        )
        fetched = memo.fetched(data)
        self.journal.link(fetched.names)
        return fetched

    def resolve(self, send: Send, outcome: Literal["sent", "not_sent"], *, reason: str) -> Send:
        """Settle an unknown send by your own word, kept in the journal with its reason.

        "sent": it is in the chat, so it is not sent again. "not_sent": it is not, so it may be sent again.
        Raises LinqError when the send is not unknown.
        """
        return reading.resolve(self, send, outcome, reason)

    # --- what became of it ---

    def sends(
        self,
        status: str | Sequence[str] | None = None,
        chat: Chat | str | None = None,
        since: datetime | None = None,
    ) -> Sequence[Send]:
        """Return the journal's sends, oldest first; ``since`` is in UTC where it names no zone.

        A list of them as they stand now; more than 10,000 are a sequence that reads them as they are used.
        """
        found = self.find_chat(chat) if chat is not None else None
        chat_id = found.chat_id if isinstance(found, Chat) else found
        since = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
        return self.journal.sends(status=status, chat_id=chat_id and chat_id.lower(), since=since)

    def messages(self, chats: Chat | str | Iterable[Chat | str] | None = None) -> list[Message]:
        """Return Linq's own list of the messages of these chats (all that the journal has sends to), oldest first.

        For ``reports.compare``: what Linq lists against what the journal knows. Linq forgets messages, after a day on
        some accounts. ``chats``: Chats, ids or names, one or many. Raises ApiError or NotSent when a chat cannot be
        read, PreflightError for a name that no chat or several have.
        """
        return reading.messages(self, [chats] if isinstance(chats, Chat | str) else chats)

    def history(self, sends: Send | str | Iterable[Send | str] | None = None) -> Sequence[Event]:
        """Return every observation of a send (or its id), of several, or of all, in the order they were made.

        Answers, polls, webhooks, reconciling, what a person said: ``to_frame`` has one row each, with its ``source``.
        """
        if isinstance(sends, Send | str):
            sends = [sends]
        wanted = None if sends is None else [one if isinstance(one, str) else one.send_id for one in sends]
        return self.journal.events(wanted)

    def refresh(self, sends: Send | Iterable[Send] | None = None, *, settled: bool = False) -> list[Send]:
        """Ask Linq for the delivery status of these sends (all open ones), and return them as they now stand.

        Settled ones are not asked for again: delivered, read, failed, and sent in groups and by SMS, which give no
        further receipts. ``settled=True`` asks for them too: a failed one may be delivered since, a delivered one
        read. A message that Linq no longer has is ``expired``.
        A bad answer costs its own send only: the others are asked for and written down, then its error is raised.
        """
        return reading.refresh(self, _several(sends), settled=settled)

    def watch(
        self,
        sends: Send | Iterable[Send] | None = None,
        timeout: float = 120,
        *,
        horizon: str | float | timedelta | None = None,
        quiet: bool = False,
    ) -> watching.Watched:
        """Ask for these sends (all open ones) again and again until they are settled; shows a live table.

        ``timeout`` is in seconds; each send is asked for after 2, 5, 10, 20 and 40 s, then every few minutes, and
        a last time at the end. ``horizon`` ("30m", "1h", seconds): a send that was accepted so long ago and is
        still open counts as unconfirmed, which is not failed. Returns the sends, also as ``last_watch``.
        Ctrl-C ends it: the table and ``last_watch`` keep what was learnt, and KeyboardInterrupt is raised again.
        Raises what ``refresh`` raises, at once where asking again cannot help.
        """
        return watching.watch(self, _several(sends), timeout, horizon=rules.horizon_of(horizon), quiet=quiet)

    def reconcile(self, sends: Send | Iterable[Send] | None = None) -> list[Send]:
        """Look in the chats for these sends (all unknown or orphaned ones), and return them as they now stand.

        Found ones get their message id; the others stay ``unknown``, with ``reconcile_result`` not_found or
        ambiguous and the evidence in ``history``. Never sends anything.
        """
        return reading.reconcile(self, _several(sends))

    def ingest(
        self,
        body: bytes | str,
        headers: Any,
        secret: webhooks.Secrets | None = None,
        *,
        scheme: webhooks.Scheme = "standard",
    ) -> Event:
        """Take one webhook delivery: verified, written down once by its event id, its Send brought up to date.

        ``body`` is raw, as it came; ``secret`` the subscription's signing secret (or several), else
        LINQ_WEBHOOK_SECRET. Deliveries may come twice and in any order. The event's ``send_id`` is empty when it
        tells of no send of this journal; it is kept all the same.
        Raises WebhookError for one that is not to be taken, SettingsError without a secret.
        """
        return ingesting.ingest(self, body, headers, secret, scheme)

    def ingest_stored(
        self,
        source: Any,
        *,
        secret: webhooks.Secrets | None = None,
        column: str | None = None,
        scheme: webhooks.Scheme = "standard",
    ) -> ingesting.IngestCounts:
        """Take webhooks that were kept elsewhere; returns how many were new, repeated, not ours, or no good.

        ``source``: a .jsonl file, a .json file, a folder of them, a DataFrame with the ``column`` of payloads (or
        the columns headers and body), or many payloads. Each is a payload, or {"headers": ..., "body": ...}.
        With ``secret`` each is verified, whatever its age, and bare payloads are refused; without, they are taken
        at your word. A bad one never stops a good one. Raises SettingsError for a source that holds none.
        """
        return ingesting.ingest_stored(self, source, secret, column, scheme)

    def to_parquet(
        self,
        folder: str | os.PathLike[str],
        handles: frames.Handles = "masked",
        *,
        since: date | None = None,
        table: export.Table = "sends",
    ) -> export.Exported:
        """Write the journal's sends to a folder as Parquet, one file a day: ``day=2026-03-02/sends.parquet``.

        ``handles``: "masked", "hashed" (joins with ``to_frame(..., "hashed", key=outbox.hash_key())``) or "full".
        ``since``: only the days from this one on (UTC) are written anew, those before it stay. ``table="history"``
        writes every observation instead, without raw answers, to a folder of its own. The columns are those of
        ``to_frame``; the files' schema says what each means and its unit, as ``frames.column_reference()`` does.
        Running it again replaces the days, never doubles them; each file is put in its place whole, so that an
        export that is killed leaves none half written. ``linq_nb.read_parquet(folder)`` gives the same frame again;
        so do pandas, DuckDB, Polars and Spark, with ``day`` from the folders' names.
        Raises SettingsError without pyarrow, for a folder that holds something else, or when it cannot be written.
        """
        return export.to_parquet(self.journal, folder, handles, since=since, table=table)

    def replay(self, month: Iterable[Any]) -> int:
        """Write a month that the demo lived, ``outbox.demo.month()``, to the journal; returns how many sends were new.

        What Linq answered goes through the same reading as live answers, so sends and ``history`` are as if they had
        been sent from here. Nothing is sent, and running it again writes nothing. Raises SettingsError when live.
        """
        return replaying.replay(self, month)

    def forget(self, chat: Chat | str) -> int:
        """Delete what the journal keeps of a chat but the send keys; returns the number of its sends."""
        chat_id = (chat.chat_id if isinstance(chat, Chat) else chat).lower()
        self._chats.pop(chat_id, None)
        return self.journal.forget(chat_id)

    def hash_key(self) -> bytes:
        """Return the key of ``to_frame(..., handles="hashed")``."""
        return self.journal.hash_key()

    # --- for the modules of this package ---

    def on_close(self, end: Callable[[], None]) -> None:
        """Call this before the connections and the journal are closed."""
        self._ends.append(end)

    def chat_of(self, draft: Draft) -> Chat:
        return draft.chat if isinstance(draft.chat, Chat) else self.chat(draft.chat)

    def wanted(self, draft: Draft, at: datetime | None = None) -> Send:
        """Return the Send that a draft asks for (``at`` a time, else now), as it stands before anything happened."""
        memo, chat = draft.memo, draft.chat if isinstance(draft.chat, Chat) else None
        url = self.client.base_url
        return Send(
            send_id=send_id(url, draft.chat_id, memo.content, draft.copy),
            base_url=url,
            content=memo.content,
            copy=draft.copy,
            chat_id=draft.chat_id,
            chat_name=chat.chat_name if chat else None,
            is_group=chat.is_group if chat else None,
            from_handle=chat.line if chat else None,
            to_handles=tuple(one.handle for one in chat.others) if chat else (),
            memo_source=memo.source,
            voice_memo_url=plain_url(memo.url) if memo.url else None,
            filename=preflight.upload_name(memo) if memo.data is not None else memo.filename,
            format=memo.format,
            mime_type=memo.mime_type,
            size_bytes=memo.size_bytes,
            duration_ms=memo.duration_ms,
            sha256=memo.sha256,
            attachment_id=memo.attachment_id,
            override_optout=draft.override_optout,
            created_at=at or self.now(),
        )

    @property
    def owner(self) -> str:
        return self._owner

    @property
    def account(self) -> str:
        """A name for the account, from its key but not telling it: uploads belong to an account."""
        return self._account

    @property
    def lease(self) -> LeaseKeeper:
        return self._lease

    def upload_lock(self, sha256: str) -> threading.Lock:
        """Return the lock under which these bytes are uploaded: one upload a distinct file."""
        return self._upload_locks[sha256]


def choose_chat(name: str, chats: Sequence[Chat]) -> Chat:
    """Return the one chat that has this display name or, 1:1, this handle; raises PreflightError.

    Part of a name is never enough, since a wrong guess would reach somebody else; it is a hint.
    """
    wanted = " ".join(name.split()).casefold()
    found = [chat for chat in chats if wanted in (_name(chat), *_handles(chat))]
    if len(found) == 1:
        return found[0]
    shown = mask_text(name)
    if found:
        listed = ", ".join(f"{chat.chat_id} ({views.chat_whom(chat)})" for chat in found[:8])
        raise PreflightError(f"{len(found)} chats are called {shown!r}; nothing was sent; give an id: {listed}")
    names = [chat.chat_name for chat in chats if chat.chat_name]
    close = [one for one in names if wanted in one.casefold()] or difflib.get_close_matches(name, names, 3)
    listed = ", ".join(repr(mask_text(one)) for one in (close or names)[:8])
    hint = f"did you mean {listed}?" if close else f"there are {listed or 'no chats with a name'}"
    raise PreflightError(f"no chat is called {shown!r}; nothing was sent; {hint}; %linq_chats lists all")


def _checked(memo: object) -> VoiceMemo:
    """Return a memo that is one; raises PreflightError that says how to make one."""
    if isinstance(memo, VoiceMemo):
        return memo
    raise PreflightError(
        f"this takes a VoiceMemo, not a value of type {type(memo).__name__}; nothing was sent; "
        "VoiceMemo.from_file(path) makes one"
    )


def _distinct(chats: Iterable[Chat]) -> Iterator[Chat]:
    """Pass each chat on once: two of your lines may be in the same group."""
    seen: set[str] = set()
    for chat in chats:
        if chat.chat_id not in seen:
            seen.add(chat.chat_id)
            yield chat


def _name(chat: Chat) -> str:
    return " ".join((chat.chat_name or "").split()).casefold()


def _handles(chat: Chat) -> list[str]:
    return [] if chat.is_group else [one.handle.casefold() for one in chat.others]


def _several(sends: Send | Iterable[Send] | None) -> list[Send] | None:
    if sends is None:
        return None
    return [sends] if isinstance(sends, Send) else list(sends)
