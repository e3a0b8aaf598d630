"""What the form reads from the notebook: a setting, and the names of objects."""

from __future__ import annotations

from typing import Any

from IPython.core.getipython import get_ipython


def ask_setting() -> str:
    """Return ``%config LinqMagics.ask``, "each" where the magics are not loaded."""
    shell: Any = get_ipython()
    magics = (item for item in getattr(shell, "configurables", ()) if type(item).__name__ == "LinqMagics")
    return str(getattr(next(magics, None), "ask", "each"))


def name_of(value: object) -> str | None:
    """Return the notebook's name for an object: one that the person chose, else that of an output, as ``_3``."""
    shell: Any = get_ipython()
    names = [name for name, item in getattr(shell, "user_ns", {}).items() if item is value and name.strip("_")]
    return min(names, key=lambda name: (name.startswith("_"), name), default=None)
