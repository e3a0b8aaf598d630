"""Linq's JSON to records and back: strict in what is written, tolerant in what is read.

A field that is missing, null, of another type or unknown never raises; only an answer that is not JSON at all,
or that lacks the one thing it is for, does (``Unreadable``). Pure: no IO.
"""

from linq_nb.wire.answer import MAX_ANSWER_BYTES, Answer, NoAnswer
from linq_nb.wire.bodies import attachment_body, memo_body, query, to_bytes
from linq_nb.wire.failures import error_of, facts_of, message_of, unknown_of, unreadable
from linq_nb.wire.fields import Raw, Unreadable, parse_time, time_of
from linq_nb.wire.read import (
    accepted,
    attachment,
    chat,
    handle,
    line,
    message,
    message_id,
    page,
    record,
    subscription,
    webhook,
)

__all__ = [
    "MAX_ANSWER_BYTES", "Answer", "NoAnswer", "Raw", "Unreadable", "accepted", "attachment", "attachment_body",
    "chat", "error_of", "facts_of", "handle", "line", "memo_body", "message", "message_id", "message_of",
    "page", "parse_time", "query", "record", "subscription", "time_of", "to_bytes", "unknown_of", "unreadable",
    "webhook",
]  # fmt: skip
