"""The exceptions of linq_nb, grouped by what the reader can do next.

    LinqError
    ├─ SettingsError          fix the setup
    ├─ AudioError             fix the file
    ├─ PreflightError         .findings says what to fix; nothing left the machine
    ├─ ApiError               Linq said no; nothing was sent
    │  ├─ AuthenticationError    401
    │  ├─ PermissionDeniedError  403
    │  ├─ NotFoundError          404
    │  ├─ ConflictError          409
    │  └─ RateLimitError         429, .retry_after in seconds
    ├─ NotSent                the request never reached Linq: safe to run again
    ├─ OutcomeUnknown         it left and no clear answer came: reconcile first
    ├─ WebhookError           a webhook delivery that is refused; .reason says why; nothing of it was recorded
    └─ JournalError           the journal cannot be read or written: nothing was sent

In a notebook each shows as one line and stops Run All; in a script the traceback is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_MESSAGE = 2000
"""Longest message of an error, in characters."""


class LinqError(Exception):
    """Anything that linq_nb raises on purpose.

    Its text is one line that can be published: foreign text in it is made visible, and handles are masked.
    """

    def __str__(self) -> str:
        from linq_nb.text import clean  # loaded with the first error: %load_ext has no time for it

        return clean(unmasked(self), MAX_MESSAGE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _render_traceback_(self) -> list[str]:
        """One clean line in IPython, which calls this instead of printing a traceback."""
        return [f"{type(self).__name__}: {self}"]


def unmasked(error: BaseException) -> str:
    """Return an error's message with full handles, for the journal."""
    return Exception.__str__(error)


def problem_of(error: LinqError) -> str:
    """Return the first of the three parts of a message: what happened."""
    return str(error).split("; ")[0]


def without_outcome(why: str) -> str:
    """Return a message without the part "nothing was sent", for a sentence that says so itself."""
    return "; ".join(part for part in why.split("; ") if part != "nothing was sent")


class SettingsError(LinqError):
    """The setup is wrong: a key, a URL, a profile, an option or an argument."""


class AudioError(LinqError):
    """These bytes cannot be a voice memo; the message says what they are and what to do.

    ``convertible``: loaded with ``convert=True`` they become an M4A, which can be one.
    """

    def __init__(self, message: str, *, convertible: bool = False) -> None:
        super().__init__(message)
        self.convertible = convertible


class PreflightError(LinqError):
    """A check refused the send before anything left the machine; see ``findings``.

    ``code`` is the code of the first finding that is an error, None without one.
    """

    def __init__(self, message: str, *, findings: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)

    @property
    def code(self) -> str | None:
        return next((finding.code for finding in self.findings if finding.level == "error"), None)


class _WithAnswer(LinqError):
    """An error with the facts of a server's answer, where one came."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        doc_url: str | None = None,
        trace_id: str | None = None,
        response: Mapping[str, Any] | str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.doc_url = doc_url
        self.trace_id = trace_id
        self.response = response


class ApiError(_WithAnswer):
    """Linq answered with an error. For a voice memo this is a 4xx (but 408): nothing was sent."""


class AuthenticationError(ApiError):
    """401: the token is missing or not valid."""


class PermissionDeniedError(ApiError):
    """403: this token may not do that, or the recipient opted out (2024)."""


class NotFoundError(ApiError):
    """404: no such chat, message or attachment for this account."""


class ConflictError(ApiError):
    """409: the state of the chat does not allow it now."""


class RateLimitError(ApiError):
    """429: too many requests; ``retry_after`` is in seconds, None where Linq did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None, **answer: Any) -> None:
        super().__init__(message, **answer)
        self.retry_after = retry_after


class NotSent(LinqError):
    """The request never reached Linq: it is safe to run the same again."""


class OutcomeUnknown(_WithAnswer):
    """The memo left this machine and no clear answer came: reconcile before sending again."""


class WebhookError(LinqError):
    """A webhook delivery that is refused; nothing of it was recorded.

    ``reason``: "headers" (of the signature, missing or broken), "signature", "age" or "body" (signed, but no event).
    """

    def __init__(self, message: str, *, reason: str = "signature") -> None:
        super().__init__(message)
        self.reason = reason


class JournalError(LinqError):
    """The journal cannot be read or written, so nothing was sent."""


BY_STATUS: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
