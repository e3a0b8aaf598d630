"""The question at the prompt before a live send."""

from __future__ import annotations

from linq_nb import consent


def confirm(question: str) -> bool:
    """Ask at the prompt; only "y" or "yes" is a yes, Enter is no. Raises PreflightError where nobody can answer."""
    try:
        answer = input(f"LIVE: {question} [y/N] ")
    except (EOFError, OSError):
        raise consent.nobody_to_ask() from None
    except Exception as error:
        if type(error).__name__ != "StdinNotImplementedError":  # ipykernel raises it where nobody can answer
            raise
        raise consent.nobody_to_ask() from None
    return answer.strip().lower() in ("y", "yes")
