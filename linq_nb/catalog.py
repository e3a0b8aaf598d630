"""The table of Linq's error codes: what each means, whether the same again can help, and what to do.

The same number means different things under different HTTP statuses, so look up by both. Sources: "page" is
Linq's page of the voice memo endpoint, "docs" its per-code pages, "spec" its OpenAPI file of early 2026,
"sdk" the official Python SDK 0.65.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Again = Literal["no", "wait", "risk", "later"]
"""Whether the identical voice memo may be sent again: ``no``: it never helps; ``wait``: it helps, nothing was sent;
``risk``: it may help, but the first one may have been sent; ``later``: as a new send, once the cause is gone."""


@dataclass(frozen=True, slots=True)
class Code:
    """One documented error: ``http_status`` is None where it only arrives by webhook (``message.failed``)."""

    http_status: int | None
    code: int | None
    meaning: str
    again: Again
    todo: str
    source: str

    @property
    def again_helps(self) -> bool:
        """Whether running the same again can help at all."""
        return self.again != "no"

    @property
    def again_safe(self) -> bool:
        """Whether running the same again cannot put a second bubble into the chat."""
        return self.again in ("no", "wait")


_SUPPORT = "reconcile first; if it stays, report the trace id to Linq"
_FIX_MEMO = "give exactly one of a public https URL and an attachment id"

CODES: tuple[Code, ...] = (
    Code(400, 1001, "a required field is missing", "no", _FIX_MEMO, "docs"),
    Code(400, 1002, "a phone number is not E.164", "no", "write + and the country code, digits only", "page, docs"),
    Code(400, 1003, "the body is malformed or not JSON", "no", "fix the body and its content type", "docs"),
    Code(422, 1003, "well-formed, but cannot be processed", "no", "check the chat, its service and the file", "page, spec"),
    Code(400, 1004, "the message content is not valid", "no", "check the memo; other parts do not go with it", "docs"),
    Code(400, 1005, "a value is out of range or of a wrong form", "no", "fix the value that the message names", "docs"),
    Code(409, 1006, "a direct chat cannot be updated", "no", "use a group chat", "docs"),
    Code(429, 1007, "too many requests", "wait", "wait for Retry-After, then run it again", "docs"),
    Code(400, 1008, "an iMessage app part is not valid", "no", "does not concern voice memos", "docs"),
    Code(404, 2001, "no such chat (or other resource) for this account", "no", "check the id and the token's account", "page, docs"),
    Code(404, 2002, "no such message, or it expired", "no", "audit sooner: messages may expire after 24 hours", "docs"),
    Code(404, 2003, "the attachment is unknown or gone", "no", "upload it again; linq_nb does so once by itself", "docs"),
    Code(401, 2004, "the token is missing or not valid", "no", "set LINQ_API_V3_API_KEY to a valid token", "page, docs"),
    Code(403, 2005, "no access to this resource", "no", "check that the chat belongs to the token's account", "page, docs"),
    Code(403, 2006, "this line is not yours", "no", "use a line that is assigned to you", "docs"),
    Code(404, 2007, "the attachment is still being processed", "wait", "wait a few seconds, then run it again", "docs"),
    Code(403, 2008, "the recipient may not be written to yet", "no", "in the sandbox they must text your line first", "docs"),
    Code(409, 2009, "the chat is still being created", "wait", "wait a few seconds, then run it again", "docs"),
    Code(404, 2010, "no such webhook subscription", "no", "list the subscriptions", "docs"),
    Code(403, 2011, "this feature is not enabled", "no", "ask Linq's support", "docs"),
    Code(404, 2012, "this line has no contact card", "no", "does not concern voice memos", "docs"),
    Code(409, 2013, "the chat was left, deleted or cannot be reached", "no", "choose another chat", "docs"),
    Code(409, 2014, "the contact card exists", "no", "does not concern voice memos", "docs"),
    Code(409, 2015, "the state conflicts, or no line is eligible", "no", "read the chat again, then decide", "docs"),
    Code(409, 2016, "not possible in a group chat", "no", "use a 1:1 chat", "docs"),
    Code(409, 2017, "not possible on this chat's service", "no", "check the chat's service", "docs"),
    Code(409, 2018, "an app card goes over iMessage only", "no", "does not concern voice memos", "docs"),
    Code(404, 2019, "no such phone number id", "no", "list the lines", "docs"),
    Code(404, 2021, "no such payment request", "no", "does not concern voice memos", "docs"),
    Code(500, 2022, "setting up the contact card failed", "no", "does not concern voice memos", "docs"),
    Code(403, 2024, "the recipient opted out; refused before queueing", "no", "send nothing more until they write to you", "sdk"),
    Code(403, 2026, "the recipient is on your own block list", "no", "unblock them first", "sdk"),
    Code(403, 2027, "the sending line is not eligible now; nothing was created", "wait", "wait for the line, tell its operator", "sdk"),
    Code(500, 3001, "a fault at Linq that passes", "risk", _SUPPORT, "docs"),
    Code(500, 3002, "a fault at Linq that passes", "risk", _SUPPORT, "docs"),
    Code(500, 3003, "a fault at Linq that passes", "risk", _SUPPORT, "docs"),
    Code(500, 3004, "a fault at Linq that passes", "risk", _SUPPORT, "docs"),
    Code(504, 3005, "a service behind Linq did not answer in time", "risk", _SUPPORT, "docs"),
    Code(500, 3006, "an internal error at Linq", "risk", _SUPPORT, "page, docs"),
    Code(500, 3007, "the delivery was given up", "later", "reconcile, check the recipient, then send a new copy", "docs"),
    Code(None, 3007, "the delivery was given up", "later", "check the recipient, then send a new copy", "spec, docs"),
    Code(429, 4001, "too many requests", "wait", "wait for Retry-After, then run it again", "spec"),
    Code(500, 4001, "the delivery failed; it may still arrive", "risk", "wait and look again, then decide", "docs"),
    Code(None, 4001, "the delivery failed; it may still arrive", "later", "wait and look again, then decide", "spec, docs, sdk"),
    Code(500, 4002, "the sending line is offline", "risk", "check the line; it may recover by itself", "docs"),
    Code(None, 4002, "the sending line was offline", "later", "check the line; it may recover by itself", "sdk"),
    Code(500, 4003, "your webhook endpoint cannot be reached", "risk", "fix the endpoint", "docs"),
    Code(503, 4004, "a service behind Linq is not available", "risk", "reconcile, then wait about 30 seconds", "docs, sdk"),
    Code(422, 4005, "the recipient cannot take this kind of message", "no", "use another format or service", "docs"),
    Code(None, 4005, "the recipient cannot take this kind of message", "no", "use another format or service", "docs"),
    Code(None, 4006, "delivery failed; Linq documents no more", "later", "read the reason that came with it", "sdk"),
    Code(None, 4007, "delivery failed; Linq documents no more", "later", "read the reason that came with it", "sdk"),
    Code(None, 4008, "delivery failed; Linq documents no more", "later", "read the reason that came with it", "sdk"),
    Code(503, 4009, "RCS check: the line has no RCS account", "wait", "the answer is unknown, not no", "sdk"),
    Code(503, 4010, "RCS check: it could not be run", "wait", "the answer is unknown, not no", "sdk"),
    Code(413, 5001, "the voice memo is too large (10 MB)", "no", "shorten it, or memo.convert() to M4A", "page, spec"),
    Code(500, 5001, "the file could not be stored", "risk", _SUPPORT, "docs"),
    Code(500, 5002, "Linq could not download the URL", "risk", "reconcile, then make it public https, or upload", "docs"),
    Code(500, 5003, "the upload address could not be made", "risk", _SUPPORT, "docs"),
    Code(400, 5004, "this file type is not supported", "no", "memo.convert() makes an M4A", "docs"),
    Code(400, 5005, "the file is too large", "no", "shorten it, or memo.convert() to M4A", "docs"),
    Code(400, 5006, "the content does not match the URL's extension or type", "no", "fix the extension, or upload the file", "docs"),
    Code(400, 5007, "an image URL could not be fetched", "no", "does not concern voice memos", "docs"),
)  # fmt: skip

_BY_BOTH = {(entry.http_status, entry.code): entry for entry in CODES}

_BY_STATUS = {
    400: Code(400, None, "Linq refused the request", "no", "read the message, fix the request", "page"),
    401: Code(401, None, "the token is missing or not valid", "no", "set LINQ_API_V3_API_KEY to a valid token", "page"),
    403: Code(403, None, "not allowed", "no", "check the account and the line", "page"),
    404: Code(404, None, "not found", "no", "check the id and the token's account", "page"),
    409: Code(409, None, "the state of the chat does not allow it", "no", "read the chat again, then decide", "docs"),
    413: Code(413, None, "the voice memo is too large (10 MB)", "no", "shorten it, or memo.convert() to M4A", "page"),
    422: Code(422, None, "well-formed, but cannot be processed", "no", "check the chat and the file", "page"),
    429: Code(429, None, "too many requests", "wait", "wait for Retry-After, then run it again", "docs"),
}  # fmt: skip

_OTHER_4XX = Code(None, None, "Linq refused the request", "no", "read the message, fix the request", "")
LEAST_ERROR = 400
"""A lower HTTP status is the answer that accepted the memo: a code beside it came later, by webhook."""

_UNCLEAR = Code(None, None, "no clear answer", "risk", _SUPPORT, "")


def explain(http_status: int | None, code: int | None = None) -> Code:
    """Return the entry for an answer: by both numbers, else by HTTP status alone.

    An unknown code under a known HTTP status is explained by the status. ``http_status`` None means that the code came
    by webhook; so did one beside a success such as 202, which is the answer to the POST.
    """
    if code is not None and http_status is not None and http_status < LEAST_ERROR:
        http_status = None
    entry = _BY_BOTH.get((http_status, code))
    if entry or http_status is None:
        return entry or _UNCLEAR
    if http_status == 408 or not 400 <= http_status < 500:
        return _UNCLEAR
    return _BY_STATUS.get(http_status, _OTHER_4XX)


def numbers(http_status: int | None, code: int | None) -> str:
    """Write an HTTP status and Linq's code as people quote them: ``404/2001``."""
    return "/".join(str(number) for number in (http_status, code) if number is not None)


def by_code(code: int) -> tuple[Code, ...]:
    """Return every documented meaning of a code number."""
    return tuple(entry for entry in CODES if entry.code == code)
