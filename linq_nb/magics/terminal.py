"""IPython in a terminal, which shows no widgets: they name the commands that do the same."""

from __future__ import annotations

import sys
from typing import Any

from linq_nb import views

INSTEAD = {
    "linq_form": "%linq_voicememo FILE --chat CHAT --preview shows card and checks, without --preview it sends; "
    "%linq_chats lists the chats",
    "linq_explore": "%linq_sends --status needs_me --since 7d lists sends; %linq_status --watch follows them; "
    "%linq_audit sums them up",
}
"""What to use instead of a widget."""


def is_terminal(shell: Any) -> bool:
    """Whether this IPython runs in a terminal, where no widget is shown."""
    module = sys.modules.get("IPython.terminal.interactiveshell")
    return module is not None and isinstance(shell, module.TerminalInteractiveShell)


def instead_of(command: str, shell: Any) -> views.Shown | None:
    """Say that a terminal shows no widgets, and what to use instead; None where widgets are shown."""
    if not is_terminal(shell):
        return None
    return views.summary(f"{command} needs a notebook; nothing was sent", [("use", INSTEAD[command])])
