"""Outputs that are rewritten in place while something goes on, and stay in the notebook as static outputs.

Every output has a plain-text twin. Outside IPython nothing is shown, and IPython is not loaded for it.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

from linq_nb import views

SHOW_AFTER_S = 1.0
"""Work that is quicker than this shows its end only, so that a saved notebook is the same each run."""

Content = views.Shown | Mapping[str, Any]
"""What an output shows: a ready display, or the data of a MIME bundle."""


class Output:
    """One output of a notebook, which can be rewritten wherever it was shown, also from a thread."""

    def __init__(self) -> None:
        self.is_shown = False
        self._display_id = uuid.uuid4().hex

    def show(self, content: Content) -> None:
        """Show the output in the cell that runs now."""
        self._display(content, update=False)

    def update(self, content: Content) -> None:
        """Rewrite the output; nothing happens as long as it was not shown."""
        if self.is_shown:
            self._display(content, update=True)

    def _display(self, content: Content, *, update: bool) -> None:
        if ipython_shell() is None:
            return
        from IPython.display import display

        bundle = content.bundle if isinstance(content, views.Shown) else dict(content)
        display(bundle, raw=True, display_id=self._display_id, update=update)  # type: ignore[no-untyped-call]
        self.is_shown = True


class Progress:
    """The state of work in one output: rewritten while somebody looks, shown once at the end, never with ``quiet``."""

    def __init__(self, *, quiet: bool = False, show_after_s: float = SHOW_AFTER_S) -> None:
        self._output, self._quiet = Output(), quiet
        self._show_at = time.monotonic() + show_after_s
        self._text = ""

    def show(self, content: views.Shown) -> None:
        """Show the state in between, unless nobody looks or the work has only just begun."""
        if not self._quiet and time.monotonic() >= self._show_at and can_rewrite():
            self._draw(content)

    def end(self, content: views.Shown) -> None:
        """Show the final state."""
        if not self._quiet:
            self._draw(content)

    def _draw(self, content: views.Shown) -> None:
        if content.text != self._text:
            self._text = content.text
            (self._output.update if self._output.is_shown else self._output.show)(content)

    @property
    def cell(self) -> object:
        """The number of the running cell if the output stands in it, else None."""
        return cell_number() if self._output.is_shown else None


def ipython_shell() -> Any:
    """Return the IPython shell of this process, None in a plain script, which need not have IPython loaded."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()


def cell_number() -> object:
    """Return the number of the running cell, None outside IPython."""
    return getattr(ipython_shell(), "execution_count", None)


def can_rewrite() -> bool:
    """Whether somebody sees an output being rewritten.

    A terminal would print it again. nbclient, nbval and papermill run cells with nobody in front of them; they say so
    in each request by ``allow_stdin``, and nbval would keep the first state of the output.
    """
    kernel = getattr(ipython_shell(), "kernel", None)
    if kernel is None:
        return False
    request = kernel.get_parent() if hasattr(kernel, "get_parent") else {}
    return bool(request.get("content", {}).get("allow_stdin", True))
