"""After a journal lost its last writes: before a memo leaves, its chat is searched for it.

The first send to each chat reads the chat. The journal keeps what it held, so that later sends are compared with it
too, also after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from linq_nb import rules
from linq_nb.journal import ChatMessage
from linq_nb.model import Attachment, Event, Message, Send
from linq_nb.session import Session


@dataclass(frozen=True, slots=True)
class Trace:
    """A message that is this memo, or, with ``message`` None, may be it."""

    evidence: str
    message: ChatMessage | None = None

    def event(self, send: Send, at: datetime) -> Event:
        """Return the event that records this for the send."""
        body, message = {"evidence": self.evidence}, self.message
        event = Event(send_id=send.send_id, at=at, source="reconcile", status="unknown", body=body)
        if message is None:
            return replace(event, reconcile_result="ambiguous", error_message=self.evidence)
        return replace(
            event,
            status=message.status or "queued",
            message_id=message.message_id,
            service=message.service,
            reconcile_result="found",
        )


def search(session: Session, send: Send) -> Trace | None:
    """Look for a memo that is about to be sent; None when the chat had nothing like it, or nothing was ever lost.

    A person's word (``resolve``) after the loss ends the search, and so does a further copy of a memo that is unclear.
    """
    journal = session.journal
    if journal.recovery is None or journal.is_resolved_since_recovery(send.send_id):
        return None
    if send.attachment_id is None and send.sha256:
        send = replace(send, attachment_id=journal.attachment(session.account, send.sha256))
    recorded = journal.message_ids(send.chat_id)
    alike, may_be = [], False
    for message in _messages(session, send.chat_id):
        is_same = rules.is_same_file(send, message.attachment_id, message.filename, message.size_bytes)
        if message.message_id in recorded:
            may_be = may_be or (is_same is True and _was_found_for_another(session, send, message))
            continue
        if is_same and message.attachment_id == send.attachment_id:
            return Trace("the journal lost its last writes; the chat has a message with this file", message)
        alike += [message] if is_same else []
        may_be = may_be or is_same is None
    if len({message.attachment_id for message in alike}) == 1:  # several of one file are copies
        return Trace("the journal lost its last writes; the chat has a message with this file", alike[0])
    if not alike and (not may_be or _is_further_copy(session, send)):
        return None
    candidates = "several messages that look like this memo" if alike else "a message that may be this memo"
    return Trace(f"the journal lost its last writes; the chat has {candidates}")


def _messages(session: Session, chat_id: str) -> list[ChatMessage]:
    """Return what may be memos in a chat as it was before the first send after the loss; reads it when it is needed."""
    journal, url = session.journal, session.client.base_url
    if (messages := journal.chat_messages(url, chat_id)) is not None:
        return messages
    read = sorted(
        session.client.messages(chat_id), key=lambda message: (message.created_at is None, message.created_at)
    )
    journal.keep_chat_messages(url, chat_id, [_facts(message) for message in read if rules.may_be_memo(message)])
    return journal.chat_messages(url, chat_id) or []


def _facts(message: Message) -> ChatMessage:
    file = message.media[0] if message.media else Attachment(attachment_id="")
    return ChatMessage(
        message_id=message.message_id,
        status=message.delivery_status,
        service=message.service,
        attachment_id=file.attachment_id or None,
        filename=file.filename,
        size_bytes=file.size_bytes,
    )


def _was_found_for_another(session: Session, send: Send, message: ChatMessage) -> bool:
    """Whether another memo has this message by a search, which may have been for its looks alone."""
    others = [other for other in session.journal.sends(chat_id=send.chat_id) if other.message_id == message.message_id]
    return any(other.reconcile_result == "found" and other.content != send.content for other in others)


def _is_further_copy(session: Session, send: Send) -> bool:
    """Whether another copy of this memo stands for the message that may be it."""
    sends = session.journal.sends(status="unknown", chat_id=send.chat_id)
    same = [other for other in sends if (other.base_url, other.content) == (send.base_url, send.content)]
    return any(other.copy != send.copy for other in same)
