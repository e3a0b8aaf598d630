"""What an answer must prove before it changes a send or picks a recipient: that it is about what was asked for.

A connection that was kept open, or a proxy, may deliver the answer to another request. Ids are compared whatever their
case is. An id that an answer leaves out proves nothing, except of an accepted memo, which must name something of ours.
Pure: no IO. Everything but ``require_accepted`` raises Unreadable when an answer is about something else.
"""

from __future__ import annotations

from collections.abc import Sequence

from linq_nb import answer_errors, rules, wire
from linq_nb.errors import OutcomeUnknown
from linq_nb.model import Attachment, Chat, Message, Reputation, Subscription
from linq_nb.wire import Answer, NoAnswer, Raw, Unreadable, dict_of, id_of, int_of


class OfAnother(Unreadable):
    """An answer that names something else than was asked for."""


def same_id(asked: str, answered: str | None) -> bool:
    """Whether an answer names the id that was asked for, or none."""
    return answered is None or answered.lower() == asked.lower()


def accepted_memo(answer: Answer, chat_id: str, attachment_id: str | None = None) -> str:
    """Return the message id in a 2xx to a memo for this chat, and of this attachment where it was sent by its id."""
    identity, memo = wire.message_id(answer), dict_of(answer.body, "voice_memo")
    answered_chat, answered_file = id_of(dict_of(memo, "chat"), "id"), id_of(dict_of(memo, "voice_memo"), "id")
    if not same_id(chat_id, answered_chat):
        raise OfAnother("it tells of another chat")
    if attachment_id is not None and not same_id(attachment_id, answered_file):
        raise OfAnother("it tells of another attachment")
    if answered_chat is None and (attachment_id is None or answered_file is None):
        raise Unreadable("it does not say for which chat it is")
    return identity


def require_accepted(outcome: Answer | NoAnswer, chat_id: str, label: str, attachment_id: str | None = None) -> Answer:
    """Return the answer to a memo when it says that Linq accepted it for this chat; ``label`` names the chat.

    Raises ApiError when Linq said no, NotSent when the request did not reach Linq, SettingsError when this machine's
    setup is why, OutcomeUnknown for anything else.
    """
    if isinstance(outcome, NoAnswer):
        if not outcome.may_have_left:
            raise outcome.not_sent(
                f"the voice memo for {label} did not reach Linq ({outcome}); nothing was sent; run it again"
            )
        if outcome.partial_answer is None:
            raise OutcomeUnknown(
                f"the voice memo for {label} left and no answer came ({outcome}): it may have been sent or not, and is "
                "not sent again; outbox.reconcile() reads the chat to find out"
            )
        outcome = outcome.partial_answer
    meaning = rules.memo_outcome(outcome.http_status)
    if meaning in ("rejected", "not_sent"):
        raise answer_errors.error_of(outcome, f"the voice memo for {label}")
    if meaning == "unknown":
        raise answer_errors.unknown_of(outcome, label)
    try:
        accepted_memo(outcome, chat_id, attachment_id)
    except OfAnother as error:
        raise of_another(outcome, label, str(error)) from None
    except Unreadable as error:
        raise answer_errors.unknown_of(outcome, label, f"the answer cannot be read, {error}") from None
    return outcome


def of_another(answer: Answer, chat_label: str, why: str) -> OutcomeUnknown:
    """Make the exception for a 2xx to a memo that is the answer to another request.

    Its trace id is that of the other request: no webhook may find the send by it. The raw answer is the evidence.
    """
    error = answer_errors.unknown_of(answer, chat_label, why)
    error.trace_id = None
    return error


def chat(raw: Raw, chat_id: str) -> Chat:
    """Read the chat that was asked for."""
    answered = wire.chat(raw)
    if not same_id(chat_id, answered.chat_id):
        raise OfAnother("it tells of another chat")
    return answered


def message(raw: Raw, message_id: str, chat_id: str | None) -> Message:
    """Read the message that was asked for; ``chat_id`` is its chat, where that is known."""
    answered = wire.message(raw)
    if not same_id(message_id, answered.message_id):
        raise OfAnother("it tells of another message")
    if chat_id is not None and not same_id(chat_id, answered.chat_id):
        raise OfAnother("it tells of a message of another chat")
    return answered


def messages_of(messages: Sequence[Message], chat_id: str) -> Sequence[Message]:
    """Return those messages of a page that are of this chat.

    Raises OfAnother for a page with records but none of these.
    """
    of_chat = [message for message in messages if same_id(chat_id, message.chat_id)]
    if messages and not of_chat:
        raise OfAnother("it tells of another chat")
    return of_chat


def chats_of(chats: Sequence[Chat], from_: str | None, to: str | None) -> Sequence[Chat]:
    """Return those chats of a page that have this line and this handle in them.

    Raises OfAnother for a page with records but none of these.
    """
    fitting = [chat for chat in chats if _has(chat, from_, is_me=True) and _has(chat, to, is_me=False)]
    if chats and not fitting:
        raise OfAnother("it tells of other chats")
    return fitting


def upload(raw: Raw, size_bytes: int) -> Attachment:
    """Read the announcement of an upload of so many bytes."""
    answered = wire.attachment(raw)
    lengths = {value for name, value in answered.required_headers.items() if name.lower() == "content-length"}
    if int_of(raw, "size_bytes") not in (None, size_bytes) or not lengths <= {str(size_bytes)}:
        raise OfAnother("it tells of another file")
    return answered


def subscription(raw: Raw, target_url: str) -> Subscription:
    """Read the webhook subscription that was made for this address."""
    answered = wire.subscription(raw)
    if answered.target_url not in ("", target_url):
        raise OfAnother("it tells of another webhook subscription")
    return answered


def reputation(raw: Raw, number: str, audit_id: str) -> Reputation:
    """Read the audit of a line that was asked for."""
    answered = wire.reputation(raw, number)
    if not same_id(audit_id, answered.audit_id) or not _is_same_handle(number, answered.phone_number):
        raise OfAnother("it tells of another audit")
    return answered


def _has(chat: Chat, handle: str | None, *, is_me: bool) -> bool:
    """Whether a handle is in a chat, as your line or as another person; True where the chat names none of this kind."""
    handles = [person.handle for person in chat.handles if bool(person.is_me) == is_me and person.handle]
    return handle is None or not handles or any(_is_same_handle(handle, other) for other in handles)


def _is_same_handle(asked: str, answered: str) -> bool:
    """Whether two handles may be the same: the number that was asked for may lack its country code."""
    if "@" in asked or "@" in answered:
        return asked.strip().casefold() == answered.strip().casefold()
    digits = "".join(filter(str.isdigit, asked)).lstrip("0")
    return "".join(filter(str.isdigit, answered)).endswith(digits)
