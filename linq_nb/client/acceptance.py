"""What the last outcome of a memo's request means: accepted, or the exception that says why not."""

from __future__ import annotations

from linq_nb import answer_errors, proof, rules
from linq_nb.errors import OutcomeUnknown
from linq_nb.wire import Answer, NoAnswer, Unreadable


def require_accepted(outcome: Answer | NoAnswer, chat_id: str, label: str, attachment_id: str | None = None) -> Answer:
    """Return the answer to a memo when it says that Linq accepted it for this chat; ``label`` names the chat.

    Raises ApiError when Linq said no, NotSent when the request did not reach Linq, SettingsError when this machine's
    setup is why, OutcomeUnknown for anything else.
    """
    if isinstance(outcome, NoAnswer):
        if not outcome.left:
            raise outcome.not_sent(
                f"the voice memo for {label} did not reach Linq ({outcome}); nothing was sent; run it again"
            )
        if outcome.begun is None:
            raise OutcomeUnknown(
                f"the voice memo for {label} left and no answer came ({outcome}): it may have been sent or not, and is "
                "not sent again; outbox.reconcile() reads the chat to find out"
            )
        outcome = outcome.begun
    meaning = rules.memo_outcome(outcome.http_status)
    if meaning in ("rejected", "not_sent"):
        raise answer_errors.error_of(outcome, f"the voice memo for {label}")
    if meaning == "unknown":
        raise answer_errors.unknown_of(outcome, label)
    try:
        proof.accepted_memo(outcome, chat_id, attachment_id)
    except proof.OfAnother as error:
        raise proof.of_another(outcome, label, str(error)) from None
    except Unreadable as error:
        raise answer_errors.unknown_of(outcome, label, f"the answer cannot be read, {error}") from None
    return outcome
