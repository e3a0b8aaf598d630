"""The session: what every verb of an outbox needs. Client, journal, chats, uploads, clock, and the owner of claims."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import os
import secrets
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from linq_nb import preflight, storable, views
from linq_nb.client import Client
from linq_nb.directory import Directory
from linq_nb.errors import ApiError, PreflightError, SettingsError
from linq_nb.handles import exact_keys, handle_key, refusal, text_of
from linq_nb.journal import Journal
from linq_nb.journal.lease import LeaseKeeper
from linq_nb.model import Attachment, Chat, Draft, Finding, Line, Plan, Send, VoiceMemo, is_uuid, send_id, url_names_of
from linq_nb.optouts import ASK_AGAIN_S, OPTED_OUT, OptOuts
from linq_nb.process import Home
from linq_nb.secret import Secret
from linq_nb.status import is_resolved
from linq_nb.text import mask, names_of, plain_url, visual_key

CHAT_FRESH_S = 300.0
"""How long a cached chat is used, in seconds; Linq's 403/2024 stays the authority."""

Mode = Literal["DEMO", "LIVE"]


class Session:
    """One account of Linq and one journal, safe to use from several threads.

    ``owner`` names this process in the claims of sends, ``account`` the account without telling its key. ``home`` is
    the process that the connections, handles, locks and threads belong to. ``is_real_time``: ``now`` is the wall clock.
    """

    def __init__(
        self,
        client: Client,
        journal: Journal,
        *,
        account: Secret,
        mode: Mode,
        now: Callable[[], datetime],
        is_real_time: bool = False,
        key_from: str = "",
        journal_note: str | None = None,
        demo: Any = None,
        media_transport: Any = None,
        keep_journal: bool = False,
    ) -> None:
        self.home = Home()
        self.client, self.journal, self.mode, self.demo = client, journal, mode, demo
        self.now, self.steady, self.throttle = now, client.steady, client.throttle
        self._is_real_time = is_real_time
        self.key_from, self.journal_note, self.media_transport = key_from, journal_note, media_transport
        self.account = hmac.new(journal.hash_key(), account.reveal().encode(), hashlib.sha256).hexdigest()[:24]
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.lease = LeaseKeeper(lambda send_ids: journal.renew(self.owner, send_ids), idle=journal.shorten_wal)
        self.uploads = Uploads(client, journal, self.account, now)
        self.searching = threading.RLock()  # from a search in a chat until its result is written
        ask_again_s = ASK_AGAIN_S if demo is None else 0.0  # the demo's clock stands still
        self.optouts = OptOuts(client, journal, self._known_chats, ask_again_s=ask_again_s)
        self._keep_journal = keep_journal
        self._chats: dict[str, tuple[float, Chat]] = {}
        self._directory, self._directory_read_at = Directory([]), float("-inf")
        self._lines: list[Line] | None = None
        self._at_close: list[Callable[[], None]] = []

    def on_close(self, end: Callable[[], None]) -> None:
        """Call ``end`` before the connections and the journal are closed."""
        self._at_close.append(end)

    def close(self) -> None:
        """Close the connections and, unless the demo keeps it in memory, the journal; in a forked child do nothing."""
        if not self.home.is_here:
            return
        for end in list(self._at_close):
            end()
        self.client.close()
        self.lease.stop()
        if not self._keep_journal:
            self.journal.close()

    def timeline(self, start: datetime) -> contextlib.AbstractContextManager[None]:
        """Give this thread a clock of its own in the demo, so that a batch has the same times each run."""
        return self.demo.timeline(start) if self.demo is not None else contextlib.nullcontext()

    @property
    def live_note(self) -> str | None:
        """The warning about the journal, where sends are live."""
        return self.journal_note if self.mode == "LIVE" else None

    # --- lines and chats ---

    @property
    def line(self) -> str | None:
        """The lines that were read, masked."""
        return names_of([mask(line.phone_number) for line in self._lines]) if self._lines else None

    def lines(self) -> list[Line]:
        """Read the phone lines."""
        self._lines = self.client.phone_numbers()
        return list(self._lines)

    def chats(
        self, to: str | float | None = None, from_: str | float | None = None, limit: int | None = None
    ) -> list[Chat]:
        """Read the chats, all pages; ``to`` and ``from_`` are handles in any usual spelling, which Linq gets as E.164.

        Without ``from_`` the chats of each line are read in turn: Linq's OpenAPI file of early 2026 requires it, its
        later docs do not.
        """
        to = None if to is None else _handle("to", to)
        from_ = None if from_ is None else _handle("from_", from_)
        lines: Sequence[str | None] = [from_]
        if from_ is None:
            lines = [line.phone_number for line in (self._lines or self.lines())] or [None]
        pages = (chat for line in lines for chat in self.client.chats(to=to, from_=line, limit=limit))
        chats = list(itertools.islice(_distinct(pages), limit))
        read_at = self.steady()
        self._chats.update({chat.chat_id: (read_at, chat) for chat in chats})
        if to is None and from_ is None and limit is None:
            self._directory, self._directory_read_at = Directory(chats, self.optouts.rated), read_at
        return [self.optouts.rated(chat) for chat in chats]

    def chat(self, chat_id: str) -> Chat:
        """Read a chat by its id, at most every five minutes."""
        return self.optouts.rated(self._read_chat(chat_id))

    def _read_chat(self, chat_id: str) -> Chat:
        cached = self._chats.get(chat_id)
        if cached and self.steady() - cached[0] < CHAT_FRESH_S:
            return cached[1]
        chat = self.client.chat(chat_id)
        self._chats[chat_id] = (self.steady(), chat)
        return chat

    def forget_chat(self, chat_id: str) -> None:
        """Read a chat anew when it is needed again."""
        self._chats.pop(chat_id, None)

    def known_chats(self) -> list[Chat]:
        """Return the chats that were read already, without asking Linq: for completion."""
        return [self.optouts.rated(chat) for chat in self._known_chats()]

    def _known_chats(self) -> list[Chat]:
        return [chat for _, chat in list(self._chats.values())]

    def find_chat(self, name: Chat | str | float | UUID) -> Chat | str:
        """Return the only chat with this display name or handle, in any usual spelling; an id is returned as it is."""
        if isinstance(name, Chat):
            return name
        text = text_of(name)
        if text is None:
            raise PreflightError(
                f"a chat is a Chat, its id or its name, not of type {type(name).__name__}; nothing was sent; "
                "send to one after the other, or to many by outbox.plan"
            )
        if is_uuid(chat_id := visual_key(text)):
            return chat_id.lower()
        if self.steady() - self._directory_read_at >= CHAT_FRESH_S:
            self.chats()
        return self._directory.find(text)

    def chat_id(self, name: Chat | str | float | UUID) -> str:
        """Return the id of the chat with this id, display name or handle."""
        chat = self.find_chat(name)
        return (chat.chat_id if isinstance(chat, Chat) else chat).lower()

    def chat_of(self, draft: Draft) -> Chat:
        """Return the chat of a draft, which may name it by its id only, as it is rated now."""
        self.check_chat(draft.chat)
        return self.rated_now(draft.chat if isinstance(draft.chat, Chat) else self._read_chat(draft.chat))

    def rated_now(self, chat: Chat) -> Chat:
        """Return a chat as it is rated now: a refusal may be new since it was read, or may stand no longer."""
        if chat.health_status == OPTED_OUT and chat.chat_id in self._chats:
            chat = self._chats[chat.chat_id][1]
        return self.optouts.rated(chat, ask=True)

    # --- sends ---

    def wanted(self, draft: Draft, at: datetime | None = None, **more: Any) -> Send:
        """Return the Send that a draft asks for, as it stands before anything happened; ``at`` is now by default.

        ``more`` are further fields of it. Raises PreflightError for a draft whose Chat was read elsewhere.
        """
        self.check_chat(draft.chat)
        memo, chat = draft.memo, draft.chat if isinstance(draft.chat, Chat) else None
        url = self.client.base_url
        return Send(
            send_id=send_id(url, draft.chat_id, memo.content, draft.copy),
            base_url=url,
            content=memo.content,
            copy=draft.copy,
            chat_id=draft.chat_id,
            memo_source=memo.source,
            voice_memo_url=plain_url(memo.url) if memo.url else None,
            filename=preflight.upload_name(memo) if memo.data is not None else memo.filename,
            format=memo.format,
            mime_type=memo.mime_type,
            size_bytes=memo.size_bytes,
            duration_ms=memo.duration_ms,
            sha256=memo.sha256,
            attachment_id=more.pop("attachment_id", memo.attachment_id),
            override_optout=draft.override_optout,
            force_notify=draft.force_notify,
            extra=storable.kept(draft.extra) if draft.extra else None,
            created_at=at or self.now(),
            **(chat_fields(chat) if chat else {}),
            **more,
        )

    def recorded(self, draft: Draft) -> Send | None:
        """Return the journal's record of this draft."""
        return self.journal.find(self.wanted(draft), draft.memo.names, url_names_of(draft.memo))

    def seconds_since_mark(self, send: Send) -> float | None:
        """Return the seconds since a send was marked ``sending`` by the journal's clock, None where it cannot tell.

        With a wall clock of the caller's only a journal's clock of the caller's shows the same time.
        """
        is_same_clock = self._is_real_time or not self.journal.database.is_real_time
        return self.journal.seconds_since_mark(send.send_id) if is_same_clock else None

    def is_sent(self, draft: Draft) -> bool:
        """Whether the journal has this draft as sent, so that sending it again sends nothing."""
        send = self.recorded(draft)
        return send is not None and is_resolved(send.status)

    def url_findings(self, draft: Draft) -> list[Finding]:
        """Return the finding that a memo of another URL in the journal may be this one."""
        url = url_names_of(draft.memo)
        similar = self.journal.find_similar(self.wanted(draft), draft.memo.names, url) if url else None
        return [self.may_repeat(draft, similar)] if similar else []

    def may_repeat(self, draft: Draft, similar: Send) -> Finding:
        """Return the finding that this send may be of the same memo."""
        when = views.ago(similar.posted_at or similar.created_at or self.now(), self.now())
        return preflight.may_repeat(draft.memo, draft.copy, f"a send to this chat {when}")

    # --- what belongs here: by base URL and journal, whatever the key, which is rotated ---

    def own(self, sends: Iterable[Send]) -> list[Send]:
        """Return the sends of this base URL: a journal can hold those of the demo or another Linq too."""
        return [send for send in sends if send.base_url == self.client.base_url]

    def check_chat(self, chat: Chat | str | float) -> None:
        """Raise PreflightError for a Chat that was read at another base URL."""
        if isinstance(chat, Chat) and chat.base_url not in ("", self.client.base_url):
            raise _other_outbox(
                f"this chat was read from {chat.base_url}, and this outbox is for {self.client.base_url}; nothing was "
                "sent; take the chat from here: outbox.chats()"
            )

    def check_plan(self, plan: Plan) -> None:
        """Raise PreflightError for a plan that was made for another base URL or with another journal."""
        if (plan.base_url, plan.journal_id) != (self.client.base_url, self.journal.journal_id):
            made = f"for {plan.base_url}" if plan.base_url != self.client.base_url else "with another journal"
            raise _other_outbox(
                f"this plan was made {made}, and this outbox is for {self.client.base_url} with the journal "
                f"{self.journal.label}; nothing was sent; plan the drafts here: outbox.plan(drafts)"
            )

    def check_sends(self, sends: Iterable[Send]) -> None:
        """Raise PreflightError for what is no send, or one of another base URL or another journal."""
        sends = list(sends)
        for send in sends:
            if not isinstance(send, Send):
                raise PreflightError(
                    f"a send is a Send, not a value of type {type(send).__name__}; nothing was asked or changed; "
                    "outbox.sends() has them"
                )
            if send.base_url != self.client.base_url:
                raise _other_outbox(
                    f"this send went to {send.base_url}, and this outbox is for {self.client.base_url}; nothing was "
                    "asked or changed; use the outbox that sent it"
                )
        self.check_recorded(sends)

    def check_recorded(self, sends: Iterable[Send]) -> None:
        """Raise PreflightError for a send of another journal; a send without attempts is in no journal."""
        send_ids = {send.send_id for send in sends if send.attempts}
        if send_ids - self.journal.present(send_ids):
            raise _other_outbox(
                f"this send is not in the journal {self.journal.label}; nothing was asked or changed; use the outbox "
                "that sent it, or connect to its journal"
            )


def _other_outbox(message: str) -> PreflightError:
    return PreflightError(message, findings=[Finding(level="error", code="other_outbox", message=message)])


def _handle(name: str, value: str | float) -> str:
    """Return the handle that chats are asked for; raises SettingsError for what is neither a number nor an address."""
    text = text_of(value) or ""
    handles = exact_keys(text)
    if not handles:
        problem, _, todo = (refusal(text) or "this is no handle").partition("; ")
        raise SettingsError(
            f"{name}: {problem}; nothing was asked; {todo or 'give a phone number or an email address'}"
        )
    return handle_key(value) or handles.pop()


def chat_fields(chat: Chat) -> dict[str, Any]:
    """Return the fields of a Send that tell of its chat."""
    return {
        "chat_name": chat.chat_name,
        "is_group": chat.is_group,
        "from_handle": chat.line,
        "to_handles": tuple(person.handle for person in chat.others),
    }


class Uploads:
    """Attachment ids of memos: each distinct file is uploaded once for an account, by one thread."""

    def __init__(self, client: Client, journal: Journal, account: str, now: Callable[[], datetime]) -> None:
        self._client, self._journal, self._account, self._now = client, journal, account, now
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._attachment_ids: dict[str, str] = {}  # those of this process, so that each send need not look them up
        self._owners: dict[str, str] = {}  # for which bytes Linq gave each attachment id

    def lock(self, sha256: str) -> threading.Lock:
        """Return the lock under which these bytes are uploaded."""
        return self._locks[sha256]

    def attachment_id(self, memo: VoiceMemo, filename: str) -> str:
        """Return the attachment id of the memo's bytes, of an earlier upload or of one made now.

        Raises AudioError when the memo's file changed during the upload.
        """
        sha256 = str(memo.sha256)
        with self.lock(sha256):
            attachment_id = self._attachment_ids.get(sha256) or self._journal.attachment(self._account, sha256)
            if attachment_id is None:
                attachment_id = self._upload(filename, str(memo.mime_type), memo.data or b"", sha256)
                self._journal.keep_attachment(self._account, sha256, attachment_id, self._now())
                memo.unchanged()  # an upload takes time
            self._attachment_ids[sha256] = attachment_id
        return attachment_id

    def forget(self, memo: VoiceMemo) -> None:
        """Drop the attachment id of a memo that Linq no longer has."""
        self._attachment_ids.pop(str(memo.sha256), None)
        self._journal.forget_attachment(self._account, str(memo.sha256))

    def _upload(self, filename: str, mime_type: str, data: bytes, sha256: str) -> str:
        def announce() -> Attachment:
            return self._client.create_attachment(
                filename, mime_type, len(data), lambda attachment_id: self._is_free(attachment_id, sha256)
            )

        try:
            announced = announce()
        except ApiError as error:
            if (error.code, mime_type) != (5004, "audio/x-wav"):
                raise
            mime_type = "audio/wav"  # the name in Linq's early spec
            announced = announce()
        try:
            self._client.upload(announced, data)
        except ApiError:  # the address may have expired: a new one, once
            announced = announce()
            self._client.upload(announced, data)
        return announced.attachment_id

    def _is_free(self, attachment_id: str, sha256: str) -> bool:
        """Whether an attachment id is not that of other bytes, which would be overwritten or sent in place of these."""
        is_ours = self._owners.setdefault(attachment_id, sha256) == sha256
        return is_ours and not self._journal.is_of_other_bytes(self._account, attachment_id, sha256)


def _distinct(chats: Iterable[Chat]) -> Iterator[Chat]:
    """Pass each chat on once: two of your lines may be in the same group."""
    seen: set[str] = set()
    for chat in chats:
        if chat.chat_id not in seen:
            seen.add(chat.chat_id)
            yield chat
