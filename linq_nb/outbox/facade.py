"""The Outbox: what a notebook works with. Each method is its description and one call of the verb behind it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from linq_nb import contacts, export, views, webhooks
from linq_nb.frames import Handles
from linq_nb.model import Chat, Event, Findings, Line, Message, Plan, Reputation, Send, SendList, VoiceMemo
from linq_nb.outbox import attempt, drafts, ingest, lookup, poll, reconcile
from linq_nb.outbox.batch import STOP_AFTER, Batch, stop_batches
from linq_nb.outbox.ingest import IngestCounts
from linq_nb.outbox.plan import make_plan
from linq_nb.outbox.replay import replay
from linq_nb.outbox.reputation_audit import audit_line
from linq_nb.outbox.watch import Watch, Watched
from linq_nb.process import Unpicklable
from linq_nb.session import Session
from linq_nb.times import Time, horizon_of, time_of
from linq_nb.webhooks.signature import hidden_secrets


class Outbox(Unpicklable):
    """A connection to Linq with its journal: send a memo once, ask what became of it, see every answer.

    Made by ``linq_nb.connect``. A context manager, and safe to use from several threads. ``mode`` is "DEMO" or
    "LIVE"; ``demo`` is the demo's handle, None when live. ``last_batch`` and ``last_watch`` are the results of the
    last ``send_all`` and ``watch``, also after an interrupt. A forked child connects for itself: there every call
    raises SettingsError, but ``close``, which does nothing.
    """

    def __init__(self, session: Session) -> None:
        self._any_session = session
        self.last_batch: Batch | None = None
        self.last_watch: Watched | None = None

    @property
    def _session(self) -> Session:
        """The session; raises SettingsError in a forked child."""
        self._any_session.home.check()
        return self._any_session

    def __repr__(self) -> str:
        session = self._any_session
        return f"Outbox({session.mode}, {session.client.base_url!r}, journal={session.journal.label!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return _summary(self._any_session)._repr_mimebundle_()

    def __enter__(self) -> Outbox:
        self._any_session.home.check()
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    @property
    def mode(self) -> str:  # with a Literal here, Tab completion by jedi shows nothing at all
        """ "DEMO" or "LIVE"."""
        return self._session.mode

    @property
    def demo(self) -> Any:
        """The demo's handle, None when live."""
        return self._session.demo

    @property
    def line(self) -> str | None:
        """Your lines, masked, as far as they were read."""
        return self._session.line

    def close(self) -> None:
        """Stop what is still being sent, close the connections and, unless the demo has it in memory, the journal.

        In a forked child it does nothing: all of these are the parent's.
        """
        stop_batches("the outbox was closed", self._any_session)
        self._any_session.close()

    def summary(self) -> views.Shown:
        """Say where this Outbox sends to, with which key, and where it keeps its journal; all masked."""
        return _summary(self._session)

    # --- lines and chats ---

    def lines(self) -> list[Line]:
        """List your phone lines with their reputation. Raises ApiError or NotSent."""
        return self._session.lines()

    def chats(
        self, to: str | float | None = None, from_: str | float | None = None, limit: int | None = None
    ) -> list[Chat]:
        """List your chats, all pages, ``limit`` at most; ``to`` and ``from_`` are handles in any usual spelling.

        Raises SettingsError for what is neither an email address nor a phone number with its country code, ApiError or
        NotSent.
        """
        return self._session.chats(to, from_, limit)

    def chat(self, chat: Chat | str | float) -> Chat:
        """Read a chat by its id, name or handle, at most every five minutes.

        Raises PreflightError that lists the candidates when no chat or several have the name.
        """
        return lookup.chat_of(self._session, chat)

    def known_chats(self) -> list[Chat]:
        """Return the chats that were read already, without asking Linq."""
        return self._session.known_chats()

    def find_chat(self, name: Chat | str | float) -> Chat | str:
        """Return the only chat with this display name or, for a 1:1 chat, this handle; an id is returned as it is.

        A name is compared as it looks: accents, quotes, dashes and spaces in any encoding. A phone number may be
        written in any usual way, or be a number as pandas reads it; it needs its country code, and is compared whole.
        Raises PreflightError that lists the candidates when no chat or several have the name.
        """
        return self._session.find_chat(name)

    def reputation(self, line: Line | str | float, timeout: float = 120) -> Reputation:
        """Return Linq's audit of one of your lines: how it is rated, why, what to do, and the chats behind it.

        ``line``: a Line, or its number in any usual spelling with its country code. Linq makes the audit in the
        meantime: ``timeout`` is how long to wait for it, in seconds. For some time after an audit Linq starts no other
        of that line, and keeps it for 24 hours: then the last one is returned, with its ``generated_at``. The journal
        keeps all answers, so ``linq_nb.audit`` and ``%linq_doctor`` show the rating. Sends nothing to anybody.
        Raises SettingsError for what is no phone number, PermissionDeniedError for a line that is not yours, ApiError
        when Linq cannot audit it, LinqError when the time is over (ask again: the same audit goes on), NotSent.

        >>> outbox.reputation("+1 202 555 0101").severity
        'AT_RISK'
        """
        return audit_line(self._session, line, timeout)

    # --- sending ---

    def check(self, memo: VoiceMemo, chat: Chat | str | float, *, copy: int = 1) -> Findings:
        """Return what speaks against sending this memo to this chat, errors first; nothing leaves but reads.

        >>> [finding.code for finding in outbox.check(memo, "Sam SMS")]
        ['not_a_bubble']
        """
        return drafts.check(self._session, drafts.make_draft(self._session, memo, chat, copy))

    def fetch(self, memo: VoiceMemo, *, allow_private: bool = False) -> VoiceMemo:
        """Download a URL memo to hear and check it; returns a memo that knows its sha256 and is still sent by its URL.

        https only, also after redirects; at most 10 MB; at most the time limit; no private addresses unless
        ``allow_private``. Raises AudioError.
        """
        return drafts.fetch_memo(self._session, memo, allow_private=allow_private)

    def send(
        self,
        memo: VoiceMemo,
        chat: Chat | str | float,
        copy: int = 1,
        override_optout: str | None = None,
        *,
        force_notify: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        accept: Collection[str] = (),
    ) -> Send:
        """Send a memo to a chat, once: asked again, it sends nothing and returns the recorded Send.

        ``copy`` is absolute: 2 is a second bubble on purpose. ``override_optout`` is the reason, kept in the
        journal, for writing to someone who opted out. ``force_notify`` (True or False; Linq documents no more of it)
        and ``extra``, a dict of fields that Linq added since, are sent only when given, and kept in the journal. They
        do not make it another send: asked again with another ``extra``, it returns the recorded Send. ``accept`` names
        errors of ``check`` to send despite ("chat_critical", "too_large", "url_may_repeat").
        Raises AudioError, PreflightError or SettingsError (an ``extra`` that names a field of ours, a wrong proxy or
        certificate) before anything leaves, ApiError when Linq says no, NotSent when it
        is safe to run again, OutcomeUnknown when it may have been sent (see ``reconcile``), JournalError when
        nothing was sent because it could not be written down.

        >>> send = outbox.send(memo, "Ada Lovelace")
        >>> send.status, outbox.send(memo, "Ada Lovelace").repeated
        ('queued', True)
        """
        draft = drafts.make_draft(self._session, memo, chat, copy, override_optout, force_notify, extra)
        return attempt.send(self._session, draft, accept)

    def plan(self, drafts: Any, *, accept: Collection[str] = (), strict: bool = False) -> Plan:
        """Validate drafts, or the rows of a table, and return what will happen to each row; nothing is sent.

        ``drafts``: Drafts, or a table of pandas, Polars, DuckDB, Arrow or a list of mappings, with the columns
        chat, audio and copy by one of their usual names (``df.linq.drafts`` names others). Bad rows never stop good
        ones, unless ``strict``, which raises PreflightError. Raises SettingsError when a column is missing.

        >>> outbox.plan([linq_nb.Draft(memo=memo, chat="Grace Hopper")]).counts["send"]
        1
        """
        return make_plan(self._session, drafts, accept, strict=strict)

    def send_all(
        self, plan: Plan, workers: int = 4, *, accept: Collection[str] = (), stop_after: int = STOP_AFTER
    ) -> Batch:
        """Start sending a plan with so many requests at once; returns the Batch, also as ``last_batch``.

        It goes on by itself: ``wait()`` for it, or iterate over it. A script that ends before stops it.
        What is sent is what the plan said: its ``send`` rows. After ``stop_after`` failures in a row (0: never)
        no further row starts. Run again after a crash or an interrupt, a new plan goes on where it stopped.
        Raises LinqError when the batch cannot begin.

        >>> plan = outbox.plan([linq_nb.Draft(memo=memo, chat="Rosa RCS")])
        >>> [send.status for send in outbox.send_all(plan)]
        ['queued']
        """
        self.last_batch = Batch(self._session, plan, workers=workers, accept=accept, stop_after=stop_after)
        return self.last_batch._start()

    # --- what became of it ---

    def sends(
        self,
        status: str | Sequence[str] | None = None,
        chat: Chat | str | float | None = None,
        since: Time | None = None,
    ) -> Sequence[Send]:
        """Return the journal's sends, oldest first.

        ``status``: one status or several. "needs_me" are those that a person must look at: unknown, failed, rejected,
        not_sent, and unconfirmed, which Linq accepted an hour ago or longer and of which it reports no end. ``chat``: a
        Chat, id, name or handle. ``since``: a datetime, a date, "2026-03-01", or a length of time before now ("7d",
        "1h30m", by the demo's clock in the demo); times without a zone are in UTC.
        A SendList of them as they stand now; more than 10,000 are a sequence that reads them as they are used.

        >>> [send.chat_name for send in outbox.sends(since="1h")]
        ['Ada Lovelace']
        """
        sends = lookup.sends(self._session, status, chat, since)
        return SendList(sends) if isinstance(sends, list) else sends

    def history(
        self, sends: lookup.Item | Iterable[lookup.Item] | None = None, *, since: Time | None = None
    ) -> Sequence[Event]:
        """Return every observation of a send (or its id), of a chat (or its id, name or handle), of several, or of all.

        Answers, polls, webhooks, reconciling, what a person said, in the order in which they were made: ``to_frame``
        has one row each, with its ``source``. ``since``: as in ``sends``.
        Raises PreflightError that lists the candidates when no chat or several have the name.

        >>> [event.source for event in outbox.history("Ada Lovelace")]
        ['post']
        """
        return lookup.history(self._session, sends, since)

    def messages(self, chats: Chat | str | float | Iterable[Chat | str | float] | None = None) -> list[Message]:
        """Return Linq's own list of the messages of these chats (all that the journal has sends to), oldest first.

        For ``reports.compare``: what Linq lists against what the journal knows. Linq forgets messages, after a day on
        some accounts. ``chats``: Chats, ids or names, one or many. Raises ApiError or NotSent when a chat cannot be
        read, PreflightError for a name that no chat or several have.
        """
        return poll.read_messages(self._session, None if chats is None else lookup.listed(chats))

    def refresh(self, sends: Send | Iterable[Send] | None = None, *, settled: bool = False) -> SendList:
        """Ask Linq for the delivery status of these sends (all open ones), and return them as they now stand.

        Settled ones are not asked for again: delivered, read, failed, and sent in groups and by SMS, which give no
        further receipts. ``settled=True`` asks for them too: a failed one may be delivered since, a delivered one
        read. A message that Linq no longer has is ``expired``.
        A bad answer costs its own send only: the others are asked for and written down, then its error is raised.

        >>> outbox.demo.advance(minutes=5)
        >>> [send.status for send in outbox.refresh()]
        ['read']
        """
        return SendList(poll.refresh(self._session, _own(self._session, sends), settled=settled))

    def watch(
        self,
        sends: Send | Iterable[Send] | None = None,
        timeout: float = 120,
        *,
        horizon: str | float | timedelta | None = None,
        quiet: bool = False,
    ) -> Watched:
        """Ask for these sends (all open ones) again and again until they are settled; shows a live table.

        ``timeout`` is in seconds; each send is asked for after 2, 5, 10, 20 and 40 s, then every few minutes, and
        a last time at the end. ``horizon`` ("30m", "1h", seconds): a send that was accepted so long ago and is
        still open counts as unconfirmed, which is not failed. Returns the sends, also as ``last_watch``.
        Ctrl-C ends it: the table and ``last_watch`` keep what was learnt, and KeyboardInterrupt is raised again.
        Raises what ``refresh`` raises, at once where asking again cannot help.
        """
        watch = Watch(self._session, _own(self._session, sends), timeout, horizon=horizon_of(horizon), quiet=quiet)
        try:
            return watch.run()
        finally:
            self.last_watch = watch.result

    def reconcile(self, sends: Send | Iterable[Send] | None = None) -> SendList:
        """Look in the chats for these sends (all unknown or orphaned ones), and return them as they now stand.

        A send that is found gets its message id; the others stay ``unknown``, with ``reconcile_result`` not_found or
        ambiguous and the evidence in ``history``. not_found is certain by every clock: Linq's, this machine's and the
        journal's. Never sends anything.
        """
        return SendList(reconcile.reconcile(self._session, _own(self._session, sends)))

    def resolve(self, send: Send, outcome: Literal["sent", "not_sent"], *, reason: str) -> Send:
        """Settle an unknown send by your own word, kept in the journal with its reason.

        "sent": it is in the chat, so it is not sent again. "not_sent": it is not, so it may be sent again.
        Raises LinqError when the send is not unknown, is being sent right now, or was left by an owner that ended, as
        long as its request may still arrive.
        """
        self._session.check_sends([send])
        return reconcile.resolve(self._session, send, outcome, reason)

    # --- webhooks ---

    def ingest(
        self,
        body: bytes | str,
        headers: Any,
        secret: webhooks.Secrets | None = None,
        *,
        scheme: webhooks.Scheme = "standard",
    ) -> Event:
        """Verify a webhook delivery, write it once into the journal and update its send; returns the event.

        ``body`` is the raw body; ``secret`` the signing secret of the subscription (or several), else
        LINQ_WEBHOOK_SECRET. Deliveries may come twice and in any order. ``send_id`` of the event is empty when it
        belongs to no send of this journal; the journal keeps it all the same.
        Raises WebhookError for a delivery that is refused, SettingsError without a secret.
        """
        secret = hidden_secrets(secret)  # a traceback shows the arguments of a call
        return ingest.ingest(self._session, body, headers, secret, scheme)

    def ingest_stored(
        self,
        source: Any,
        *,
        secret: webhooks.Secrets | None = None,
        column: str | None = None,
        scheme: webhooks.Scheme = "standard",
    ) -> IngestCounts:
        """Write webhooks that were stored elsewhere into the journal; returns their counts by result.

        ``source``: a file, a folder, a table with the ``column`` of payloads (or the columns headers and body), many
        payloads or many files. Files are read by their content: JSON in lines, lists or one after another, also
        within a log, compressed, UTF-8 or UTF-16. Each delivery is a payload, or an envelope with headers and body
        as API gateways (``isBase64Encoded``), load balancers, queues and request catchers keep it. ``skipped`` of the
        counts says what was passed over and why.
        With ``secret`` each is verified, whatever its age, and payloads without headers are refused; without a
        secret none is verified. Invalid deliveries are counted and skipped. Raises SettingsError for another source.
        """
        secret = hidden_secrets(secret)
        return ingest.ingest_stored(self._session, source, secret, column, scheme)

    # --- the journal ---

    def to_parquet(
        self,
        folder: str | os.PathLike[str],
        handles: Handles = "masked",
        *,
        since: Time | None = None,
        table: export.TableName = "sends",
    ) -> export.Exported:
        """Write the journal's sends to a folder as Parquet, one file a day: ``day=2026-03-02/sends.parquet``.

        ``handles``: "masked", "hashed" (joins with ``to_frame(..., "hashed", key=outbox)``) or "full".
        ``since``: as in ``sends``; only the days from that one on (UTC) are written anew, those before it stay.
        ``table="history"`` writes every observation instead, without raw answers, to a folder of its own. The columns
        are those of ``to_frame``; the files' schema says what each means and its unit, as ``columns_of(Send)`` does.
        Running it again replaces the days, never doubles them; each file is put in its place whole, so that an
        export that is killed leaves none half written. ``linq_nb.read_parquet(folder)`` gives the same frame again;
        so do pandas, DuckDB, Polars and Spark, with ``day`` from the folders' names.
        Raises SettingsError without pyarrow, for a folder that holds something else, or when it cannot be written.
        """
        start = time_of(since, self._session.now())
        return export.to_parquet(self._session.journal, folder, handles, since=start, table=table)

    def replay(self, month: Iterable[Any]) -> int:
        """Write a month that the demo lived, ``outbox.demo.month()``, to the journal; returns how many sends were new.

        What Linq answered goes through the same reading as live answers, so sends and ``history`` are as if they had
        been sent from here. Nothing is sent, and running it again writes nothing. Raises SettingsError when live.
        """
        return replay(self._session, month)

    def forget(self, chat: Chat | str | float) -> int:
        """Delete what the journal keeps of a chat but the send keys; returns the number of its sends.

        ``chat``: a Chat, id, name or handle. Raises PreflightError when no chat or several have the name.
        """
        chat_id = self._session.chat_id(chat)
        self._session.forget_chat(chat_id)
        return self._session.journal.forget(chat_id)

    def hash_handles(self, handles: Any, region: str | None = None) -> Any:
        """Return the hashes of handles, as ``to_frame(..., "hashed", key=outbox)`` has them: to join your own table.

        ``handles``: a Series of phone numbers in any usual spelling, or email addresses; also a list, or one handle.
        ``region`` (such as "US") is the country of numbers without their country code. Missing ones stay missing.
        Raises SettingsError for masked handles.
        """
        return contacts.hash_handles(handles, self, region)

    def _hash_key(self) -> bytes:
        """Return the key of ``to_frame(..., handles="hashed", key=outbox)``."""
        return self._session.journal.hash_key()


def session_of(outbox: Outbox) -> Session:
    """Return the session of an outbox: for the magics, forms and boards, which show what the session knows."""
    return outbox._session


def _summary(session: Session) -> views.Shown:
    rows = [
        ("mode", session.mode + (": nothing leaves this machine" if session.demo is not None else "")),
        ("base URL", session.client.base_url),
        ("API key", f"from {session.key_from}" if session.key_from else "none"),
        ("line", session.line or "not read yet"),
        ("journal", session.journal.label),
    ]
    return views.summary("linq_nb", rows + ([("warning", session.journal_note)] if session.journal_note else []))


def _own(session: Session, sends: Send | Iterable[Send] | None) -> list[Send] | None:
    """Return the sends that a method was given; raises PreflightError for one of another outbox."""
    if sends is None:
        return None
    chosen: list[Send] = lookup.listed(sends)
    session.check_sends(chosen)
    return chosen
