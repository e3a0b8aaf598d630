"""What the notebook says of itself: its settings, and its names for things."""

from __future__ import annotations

from typing import Any

from IPython.core.getipython import get_ipython


def asking() -> str:
    """Return ``%config LinqMagics.ask``, "each" where the magics are not loaded."""
    shell: Any = get_ipython()
    known = [one for one in getattr(shell, "configurables", ()) if type(one).__name__ == "LinqMagics"]
    return str(known[0].ask) if known else "each"


def name_of(value: object) -> str | None:
    """Return a name that the notebook has for a value: the person's own, else that of an output, as ``_3``."""
    shell: Any = get_ipython()
    found = [name for name, one in getattr(shell, "user_ns", {}).items() if one is value and name.strip("_")]
    return next(iter(sorted(found, key=lambda name: (name.startswith("_"), name))), None)
