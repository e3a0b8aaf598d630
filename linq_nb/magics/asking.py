"""The question before a live send: Enter is no, and where nobody can answer nothing is sent."""

from __future__ import annotations

from linq_nb.errors import PreflightError


def confirmed(question: str) -> bool:
    """Ask at the prompt; only a plain yes is one. Raises PreflightError where nobody can answer."""
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, OSError):
        raise _nobody() from None
    except Exception as error:
        if type(error).__name__ != "StdinNotImplementedError":  # ipykernel's, where nobody can answer
            raise
        raise _nobody() from None
    return answer.strip().lower() in ("y", "yes")


def _nobody() -> PreflightError:
    return PreflightError(
        "this would send to a real account and nobody can answer here; nothing was sent; --yes sends without asking"
    )
