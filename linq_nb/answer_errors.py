"""The exception for an answer that is a refusal or cannot be read: one line, with the facts of the answer."""

from __future__ import annotations

from typing import Any

from linq_nb import catalog, storable
from linq_nb.errors import BY_STATUS, ApiError, OutcomeUnknown, RateLimitError
from linq_nb.text import MAX_REASON, clean, one_line, redact
from linq_nb.wire import Answer, text_of


def error_of(answer: Answer, doing: str, outcome: str = "nothing was sent") -> ApiError:
    """Make the exception for an answer that says no; ``doing`` names the request in words."""
    entry = catalog.explain(answer.http_status, answer.code)
    reason = f"{_numbers(answer)}: {message_of(answer) or entry.meaning}"
    wait_s = answer.retry_after if answer.http_status == 429 else None
    todo = entry.todo if wait_s is None else f"wait {wait_s:.13g} s, as Linq asks, then run it again"
    text = f"Linq refused {doing} ({reason}); {outcome}; {todo}{_trace(answer)}"
    error = BY_STATUS.get(answer.http_status, ApiError)
    return error(text, **facts_of(answer) | ({"retry_after": wait_s} if error is RateLimitError else {}))


def unreadable(answer: Answer, doing: str, why: str) -> ApiError:
    """Make the exception for an answer to a read that cannot be read."""
    return ApiError(
        f"Linq's answer to {doing} cannot be read: {why} (HTTP {answer.http_status}); nothing was sent; "
        f"run it again, and check the base URL{_trace(answer)}",
        **facts_of(answer),
    )


def unknown_of(answer: Answer, chat_label: str, why: str | None = None) -> OutcomeUnknown:
    """Make the exception for a memo that left and got no clear answer."""
    meaning = catalog.explain(answer.http_status, answer.code).meaning
    reason = f"{_numbers(answer)}: {why or message_of(answer) or meaning}"
    return OutcomeUnknown(
        f"Linq's answer to the voice memo for {chat_label} is not clear ({reason}): it may have been sent or not, "
        f"and is not sent again; outbox.reconcile() reads the chat to find out{_trace(answer)}",
        **facts_of(answer),
    )


def facts_of(answer: Answer) -> dict[str, Any]:
    """Return the facts of an answer that an exception carries: never a token or a signed URL."""
    return {
        "status": answer.http_status,
        "code": answer.code,
        "doc_url": redact(text_of(answer.error, "doc_url")),
        "trace_id": answer.trace_id,
        "response": storable.kept(answer.body) or clean(answer.text, 500),
    }


def message_of(answer: Answer) -> str | None:
    """Return Linq's own words of an error, on one line; handles in them are masked when they are shown."""
    text = text_of(answer.error, "message")
    return one_line(text, MAX_REASON).rstrip(".") if text else None


def _numbers(answer: Answer) -> str:
    numbers = catalog.numbers(answer.http_status, answer.code)
    return numbers if answer.code is not None else f"HTTP {numbers}"


def _trace(answer: Answer) -> str:
    return f"; trace {answer.trace_id}" if answer.trace_id else ""
